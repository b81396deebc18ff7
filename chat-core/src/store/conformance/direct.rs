//! Direct conversations: one for each pair, however many ask for it.

use super::{at, commit, put, remove, rename, row, say};
use crate::{
    model::{ConversationKind, UserId},
    store::{AnyStore, Refusal, Store},
};

/// Whoever asks, and whenever: the same conversation, made once.
pub async fn a_pair_has_one_direct_conversation(store: impl Store) {
    let [me, peer, third] = [UserId::new(), UserId::new(), UserId::new()];
    let (id, created) = store.direct(me, peer, at(0)).await.unwrap();
    assert!(created);
    assert_eq!(store.direct(me, peer, at(1)).await.unwrap(), (id, false));
    assert_eq!(store.direct(peer, me, at(2)).await.unwrap(), (id, false));
    let (other, created) = store.direct(me, third, at(3)).await.unwrap();
    assert!(created && other != id);
    assert_eq!(store.head(id).await.unwrap(), Some(0), "its log is empty");
    assert_eq!(store.membership(id, third).await.unwrap(), None);
}

/// Any number of callers at once, from both sides, get one conversation, and one of them made it.
pub async fn racing_callers_get_one_direct_conversation(store: impl Store) {
    let store = AnyStore::new(store);
    for _ in 0..10 {
        let [a, b] = [UserId::new(), UserId::new()];
        let mut callers = tokio::task::JoinSet::new();
        for n in 0..8 {
            let store = store.clone();
            let (user, peer) = if n % 2 == 0 { (a, b) } else { (b, a) };
            callers.spawn(async move { store.direct(user, peer, at(n)).await.unwrap() });
        }
        let answers = callers.join_all().await;
        let made = answers.iter().filter(|(_, created)| *created).count();
        assert_eq!(made, 1);
        assert!(answers.iter().all(|(id, _)| *id == answers[0].0));
        for user in [a, b] {
            let heads = store.row_heads(user).await.unwrap();
            assert_eq!(heads.len(), 1, "both have asked for it: {heads:?}");
        }
    }
}

/// Until something is said in it, only those who asked for it see it; both belong to it from the start.
pub async fn a_direct_conversation_shows_with_its_first_message(store: impl Store) {
    let [me, peer] = [UserId::new(), UserId::new()];
    let (id, _) = store.direct(me, peer, at(0)).await.unwrap();
    let mine = store.rows(me, None, 10).await.unwrap();
    assert_eq!(mine.len(), 1);
    assert_eq!(mine[0].peer_id, Some(peer));
    let conversation = &mine[0].row.conversation;
    assert_eq!(conversation.kind, ConversationKind::Direct);
    assert_eq!(conversation.title, None);
    assert_eq!(conversation.peer, None, "names are the directory's");
    assert_eq!(conversation.member_count, 2);
    assert_eq!(conversation.last_activity_at, at(0));
    assert_eq!(store.rows(peer, None, 10).await.unwrap(), []);
    assert_eq!(store.row_heads(peer).await.unwrap(), []);
    assert_eq!(row(&store, peer, id).await.peer_id, Some(me));
    assert!(store.membership(id, peer).await.unwrap().is_some());

    say(&store, id, me, "hello").await;
    let theirs = store.rows(peer, None, 10).await.unwrap();
    assert_eq!(theirs.len(), 1);
    assert_eq!(theirs[0].peer_id, Some(me));
    assert_eq!(theirs[0].row.unread.count, 1);
    assert_eq!(store.row_heads(peer).await.unwrap().len(), 1);

    let [other, asker] = [UserId::new(), UserId::new()];
    store.direct(other, asker, at(0)).await.unwrap();
    store.direct(asker, other, at(1)).await.unwrap();
    assert_eq!(store.rows(asker, None, 10).await.unwrap().len(), 1);
}

/// A conversation with oneself has one member, who is also the peer.
pub async fn one_can_talk_to_oneself(store: impl Store) {
    let me = UserId::new();
    let (id, created) = store.direct(me, me, at(0)).await.unwrap();
    assert!(created);
    assert_eq!(store.direct(me, me, at(1)).await.unwrap(), (id, false));
    say(&store, id, me, "note").await;
    let rows = store.rows(me, None, 10).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].peer_id, Some(me));
    assert_eq!(rows[0].row.conversation.member_count, 1);
    assert_eq!(rows[0].row.unread.count, 0);
}

/// No titles, no roles, no comings and goings.
pub async fn a_direct_conversation_only_takes_messages(store: impl Store) {
    let [me, peer] = [UserId::new(), UserId::new()];
    let (id, _) = store.direct(me, peer, at(0)).await.unwrap();
    for refused in [
        rename(id, me, "Us"),
        put(id, me, UserId::new(), None),
        put(id, me, peer, None),
        remove(id, me, peer),
        remove(id, me, me),
    ] {
        assert_eq!(commit(&store, refused).await, Err(Refusal::NotInDirect));
    }
    assert_eq!(store.head(id).await.unwrap(), Some(0));
}
