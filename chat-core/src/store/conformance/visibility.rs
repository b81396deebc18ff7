//! Conversations that show only what happens after somebody joins.

use super::{
    append, at, commit, create_discreet, delete, edit, group, mark_unread, pin, put, react, remove,
    row, same_group_rows, say, send_as, set_history, unreact,
};
use crate::{
    model::{ClientId, ConversationId, History, Message, Role, Seq, UserId},
    store::{Around, Refusal, Store},
};

async fn history_from(store: &impl Store, user: UserId, conversation: ConversationId) -> Seq {
    let membership = store.membership(conversation, user).await.unwrap().unwrap();
    let mine = row(store, user, conversation).await.row.me;
    assert_eq!(membership.history_from, mine.history_from);
    mine.history_from
}

/// What somebody can see is decided when they join: all, or what follows. Who comes back begins anew.
pub async fn who_comes_later_sees_what_the_history_says(store: impl Store) {
    let [me, founder, late, later] = [(); 4].map(|()| UserId::new());
    let people = [me, founder, late, later];
    let id = ConversationId::new();
    commit(&store, create_discreet(id, me, &[founder]))
        .await
        .unwrap();
    assert_eq!(history_from(&store, me, id).await, 1);
    assert_eq!(history_from(&store, founder, id).await, 2);
    let said = say(&store, id, me, "among us").await;
    let joined = append(&store, put(id, me, late, None)).await;
    assert_eq!(history_from(&store, late, id).await, joined.seq);
    let theirs = row(&store, late, id).await.row;
    assert_eq!(theirs.conversation.last_message, None);
    assert_eq!(theirs.conversation.head_seq, joined.seq);
    assert_eq!(theirs.conversation.history, History::FromJoin);
    assert_eq!(
        (theirs.unread.count, theirs.me.read_seq),
        (0, joined.seq - 1)
    );
    assert_eq!(store.rows(late, None, 9).await.unwrap()[0].row, theirs);
    let shown = row(&store, founder, id).await.row.conversation.last_message;
    assert_eq!(shown.as_ref(), Some(&said));
    same_group_rows(&store, id, &people).await;

    let heard = say(&store, id, me, "welcome").await;
    let shown = row(&store, late, id).await.row;
    assert_eq!(shown.conversation.last_message, Some(heard));
    assert_eq!(shown.unread.count, 1);
    same_group_rows(&store, id, &people).await;

    let shared = append(&store, set_history(id, me, History::Shared)).await;
    commit(&store, put(id, me, later, None)).await.unwrap();
    assert_eq!(history_from(&store, later, id).await, 1);
    assert_eq!(
        history_from(&store, late, id).await,
        joined.seq,
        "as before"
    );
    commit(&store, remove(id, late, late)).await.unwrap();
    commit(&store, put(id, me, late, None)).await.unwrap();
    assert_eq!(history_from(&store, late, id).await, 1);
    append(&store, set_history(id, me, History::FromJoin)).await;
    commit(&store, remove(id, late, late)).await.unwrap();
    let back = append(&store, put(id, me, late, None)).await;
    assert_eq!(history_from(&store, late, id).await, back.seq);
    assert!(back.seq > shared.seq);

    // It is set back to the beginning of the history at most.
    commit(&store, mark_unread(id, late, 0)).await.unwrap();
    assert_eq!(row(&store, late, id).await.row.me.read_seq, back.seq - 1);
}

/// To whoever cannot see a message it is not there, whatever their role.
pub async fn what_is_hidden_cannot_be_touched(store: impl Store) {
    let [me, late] = [UserId::new(), UserId::new()];
    let id = ConversationId::new();
    commit(&store, create_discreet(id, me, &[])).await.unwrap();
    let hidden = say(&store, id, me, "before").await;
    commit(&store, put(id, me, late, Some(Role::Owner)))
        .await
        .unwrap();
    for write in [
        edit(id, late, hidden.id, "?"),
        delete(id, late, hidden.id),
        react(id, late, hidden.id, "👍"),
        unreact(id, late, hidden.id, "👍"),
        pin(id, late, hidden.id, true),
    ] {
        let refused = commit(&store, write.clone()).await;
        assert_eq!(refused, Err(Refusal::MessageNotFound), "{write:?}");
    }
    let reply = |to| send_as(id, late, ClientId::new(), "what?", Some(to));
    let refused = commit(&store, reply(hidden.id)).await;
    assert_eq!(refused, Err(Refusal::ReplyNotFound));
    let heard = say(&store, id, me, "after").await;
    append(&store, reply(heard.id)).await;
    append(&store, delete(id, late, heard.id)).await;

    // Of one's own as well, for those who went and came back.
    let mine = say(&store, id, late, "mine").await;
    commit(&store, remove(id, late, late)).await.unwrap();
    commit(&store, put(id, me, late, None)).await.unwrap();
    let refused = commit(&store, edit(id, late, mine.id, "?")).await;
    assert_eq!(refused, Err(Refusal::MessageNotFound));
    let group_of_all = group(&store, me, &[late]).await;
    let said = say(&store, group_of_all, me, "all").await;
    append(&store, react(group_of_all, late, said.id, "👍")).await;
}

/// Pages of messages and of pins end at the beginning of a history.
pub async fn pages_begin_where_a_history_does(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    // 2 to 9 are messages, 3 and 7 of them pinned by 10 and 11.
    let mut said = Vec::new();
    for n in 2..=9 {
        said.push(say(&store, id, me, &n.to_string()).await);
    }
    for n in [3, 7] {
        append(&store, pin(id, me, said[n - 2].id, true)).await;
    }
    let seqs = |page: Vec<Message>| -> Vec<Seq> { page.iter().map(|it| it.seq).collect() };
    for (which, from, limit, expected) in [
        (Around::Newest, 8, 9, vec![8, 9]),
        (Around::Newest, 10, 9, vec![]),
        (Around::Newest, Seq::MAX, 9, vec![]),
        (Around::Newest, 0, 2, vec![8, 9]),
        (Around::Before(8), 6, 9, vec![6, 7]),
        (Around::Before(6), 6, 9, vec![]),
        (Around::Before(3), 6, 9, vec![]),
        (Around::After(2), 6, 2, vec![6, 7]),
        (Around::After(5), 6, 2, vec![6, 7]),
        (Around::After(6), 6, 2, vec![7, 8]),
        (Around::After(0), Seq::MAX, 2, vec![]),
        (Around::Around(7), 7, 4, vec![7, 8, 9]),
        (Around::Around(3), 7, 4, vec![7, 8]),
    ] {
        let page = store.messages(id, which, from, limit).await.unwrap();
        assert_eq!(
            seqs(page),
            expected,
            "{which:?} from {from}, at most {limit}"
        );
    }
    let pinned = async |from| seqs(store.pinned(id, Seq::MAX, from, 9).await.unwrap());
    assert_eq!(pinned(3).await, [7, 3]);
    assert_eq!(pinned(4).await, [7]);
    assert!(pinned(8).await.is_empty());
    let (direct, _) = store.direct(me, UserId::new(), at(0)).await.unwrap();
    assert_eq!(history_from(&store, me, direct).await, 1);
}
