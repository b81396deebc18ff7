//! What users decide for themselves: whom they block, and what they let others know.

use std::collections::BTreeSet;

use super::{
    append, at, commit, delete, edit, group, mark_read, message, pin, react, say, send, send_as,
    unreact,
};
use crate::{
    model::{Availability, ClientId, Settings, UserId},
    store::{Committed, Refusal, Store},
};

/// In the direct conversation of two of whom one blocks the other, neither writes; all else goes on.
pub async fn nobody_writes_to_those_who_block(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let (id, _) = store.direct(me, other, at(0)).await.unwrap();
    let (mine, theirs) = (ClientId::new(), ClientId::new());
    let sent = send_as(id, me, mine, "mine", None);
    let said = message(commit(&store, sent.clone()).await);
    let answer = message(commit(&store, send_as(id, other, theirs, "yours", None)).await);
    append(&store, react(id, other, said.id, "🎉")).await;
    let common = group(&store, me, &[other]).await;
    let (with_another, _) = store.direct(other, UserId::new(), at(0)).await.unwrap();

    for (blocks, for_me, for_other) in [
        ([true, false], Refusal::Blocking, Refusal::Blocked),
        ([true, true], Refusal::Blocking, Refusal::Blocking),
        ([false, true], Refusal::Blocked, Refusal::Blocking),
    ] {
        store.set_blocked(me, other, blocks[0]).await.unwrap();
        store.set_blocked(other, me, blocks[1]).await.unwrap();
        for (author, own, expected) in [(me, said.id, for_me), (other, answer.id, for_other)] {
            for write in [
                send(id, author, "hello?"),
                edit(id, author, own, "hello!"),
                react(id, author, own, "👍"),
                unreact(id, author, said.id, "🎉"),
                pin(id, author, own, true),
            ] {
                let refused = commit(&store, write.clone()).await;
                assert_eq!(refused, Err(expected), "{blocks:?} {write:?}");
            }
        }
        let again = commit(&store, sent.clone()).await;
        assert!(
            matches!(again, Ok(Committed::Repeated(_))),
            "it was sent before"
        );
        assert!(commit(&store, mark_read(id, other, 9)).await.is_ok());
        say(&store, common, me, "a group is no letter").await;
        say(&store, with_another, other, "nor is another one's").await;
    }
    append(&store, delete(id, me, said.id)).await;

    assert!(store.set_blocked(other, me, false).await.unwrap());
    say(&store, id, me, "again").await;
    append(&store, react(id, other, answer.id, "👍")).await;
}

/// A block is there or not; who blocks whom is told from both sides.
pub async fn blocks_are_listed_and_found(store: impl Store) {
    let me = UserId::new();
    let mut others: Vec<UserId> = (0..5).map(|_| UserId::new()).collect();
    others.sort_unstable();
    for other in &others {
        assert!(store.set_blocked(me, *other, true).await.unwrap());
        assert!(!store.set_blocked(me, *other, true).await.unwrap());
    }
    assert!(store.set_blocked(others[1], me, true).await.unwrap());
    assert!(store.set_blocked(me, others[3], false).await.unwrap());
    assert!(!store.set_blocked(me, others[3], false).await.unwrap());
    others.remove(3);

    let mut read = Vec::new();
    loop {
        let page = store.blocked_by(me, read.last().copied(), 3).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert_eq!(read, others);
    assert_eq!(store.blocked_by(others[1], None, 9).await.unwrap(), [me]);
    assert_eq!(store.blocked_by(others[0], None, 9).await.unwrap(), []);
    let asked = [others[0], others[1], others[1], UserId::new(), me];
    assert_eq!(store.blockers_of(me, &asked).await.unwrap(), [others[1]]);
    let blockers = store
        .blockers_of(others[0], &[me, others[1]])
        .await
        .unwrap();
    assert_eq!(BTreeSet::from_iter(blockers), BTreeSet::from([me]));
    assert_eq!(store.blockers_of(me, &[]).await.unwrap(), []);
}

/// Whoever never said anything has the default; what was said last holds.
pub async fn settings_are_replaced(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    assert_eq!(store.settings(me).await.unwrap(), Settings::default());
    for availability in [
        Availability::Dnd,
        Availability::Invisible,
        Availability::Online,
    ] {
        for (read_receipts, typing) in [(false, true), (true, false)] {
            let settings = Settings {
                read_receipts,
                typing,
                availability,
            };
            store.set_settings(me, settings).await.unwrap();
            assert_eq!(store.settings(me).await.unwrap(), settings);
        }
    }
    assert_eq!(store.settings(other).await.unwrap(), Settings::default());
}
