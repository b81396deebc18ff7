//! Mentions: whom a message calls, and how many calls wait unread.

use super::{
    append, at, calling, calling_everyone, commit, create, delete, edit, group, mark_read,
    mark_unread, message, now, put, remove, row, same_group_rows, say, send,
};
use crate::{
    model::{ConversationId, Role, UserId},
    store::{Act, Store},
};

async fn calls(store: &impl Store, user: UserId, conversation: ConversationId) -> u64 {
    row(store, user, conversation).await.row.unread.mentions
}

/// Of those who are called, members are, but not the sender; it counts until it is read.
pub async fn a_message_calls_members_but_not_its_sender(store: impl Store) {
    let [me, ana, ben, former, stranger] = [(); 5].map(|()| UserId::new());
    let id = group(&store, me, &[ana, ben, former]).await;
    commit(&store, remove(id, me, former)).await.unwrap();
    let everybody = [me, ana, ben, former, stranger];
    let called = calling(
        send(id, me, "all of you"),
        &[stranger, ben, me, former, ana],
    );
    let said = message(commit(&store, called).await);
    assert_eq!(said.mentions, [ben, ana], "in the order of the text");
    assert_eq!(now(&store, &said).await, said);
    for user in [ana, ben] {
        assert_eq!(calls(&store, user, id).await, 1);
    }
    assert_eq!(calls(&store, me, id).await, 0);
    same_group_rows(&store, id, &everybody).await;

    commit(&store, calling(send(id, ana, "you"), &[ben]))
        .await
        .unwrap();
    say(&store, id, me, "nobody").await;
    assert_eq!(calls(&store, ben, id).await, 2);
    assert_eq!(calls(&store, ana, id).await, 0, "she has written since");
    commit(&store, mark_read(id, ben, said.seq)).await.unwrap();
    assert_eq!(calls(&store, ben, id).await, 1);
    commit(&store, mark_unread(id, ben, said.seq - 1))
        .await
        .unwrap();
    assert_eq!(calls(&store, ben, id).await, 2);
    same_group_rows(&store, id, &everybody).await;

    // Who comes back is called by nothing that was said before.
    commit(&store, remove(id, me, ben)).await.unwrap();
    commit(&store, put(id, me, ben, None)).await.unwrap();
    assert_eq!(calls(&store, ben, id).await, 0);

    let (direct, _) = store.direct(me, ana, at(0)).await.unwrap();
    commit(&store, calling(send(direct, me, "you"), &[ana]))
        .await
        .unwrap();
    assert_eq!(calls(&store, ana, direct).await, 1);
}

/// A plain member calls nobody by calling everyone; who calls everyone does not call themselves.
pub async fn admins_and_owners_call_everyone(store: impl Store) {
    let [me, admin, member, newcomer] = [(); 4].map(|()| UserId::new());
    let id = group(&store, me, &[admin, member]).await;
    commit(&store, put(id, me, admin, Some(Role::Admin)))
        .await
        .unwrap();
    for (author, counts) in [(member, false), (admin, true), (me, true)] {
        let said = commit(&store, calling_everyone(send(id, author, "all"))).await;
        let said = message(said);
        assert_eq!(said.mentions_everyone, counts);
        assert_eq!(now(&store, &said).await, said);
    }
    assert_eq!(calls(&store, me, id).await, 0);
    assert_eq!(calls(&store, admin, id).await, 1, "not by his own");
    assert_eq!(calls(&store, member, id).await, 2);
    commit(&store, put(id, me, newcomer, None)).await.unwrap();
    assert_eq!(calls(&store, newcomer, id).await, 0);
    // His own, once it is unread again, is no call to him.
    commit(&store, mark_unread(id, admin, 0)).await.unwrap();
    assert_eq!(calls(&store, admin, id).await, 1);
    let both = calling_everyone(calling(send(id, me, "all, and you"), &[member]));
    append(&store, both).await;
    assert_eq!(
        calls(&store, member, id).await,
        3,
        "one message is one call"
    );
    assert_eq!(calls(&store, newcomer, id).await, 1);
    same_group_rows(&store, id, &[me, admin, member, newcomer]).await;

    let (direct, _) = store.direct(me, admin, at(0)).await.unwrap();
    let said = message(commit(&store, calling_everyone(send(direct, me, "you"))).await);
    assert!(!said.mentions_everyone);
    assert_eq!(calls(&store, admin, direct).await, 0);
}

/// An edit calls whom its text calls, and nobody else any more; a deleted message calls nobody.
pub async fn edits_and_deletions_change_who_is_called(store: impl Store) {
    let [me, ana, ben] = [UserId::new(), UserId::new(), UserId::new()];
    let id = group(&store, me, &[ana, ben]).await;
    let people = [me, ana, ben];
    let said = message(commit(&store, calling(send(id, me, "a"), &[ana])).await);
    let others = message(commit(&store, calling(send(id, me, "b"), &[ben])).await);
    let to = |body| edit(id, me, said.id, body);
    for (write, expected) in [
        (calling(to("1"), &[ben, me]), [0, 2]),
        (calling(to("2"), &[ben, ana]), [1, 2]),
        (calling_everyone(to("3")), [1, 2]),
        (calling_everyone(calling(to("4"), &[ana])), [1, 2]),
        (to("5"), [0, 1]),
        (calling(to("6"), &[ana]), [1, 1]),
        (delete(id, me, said.id), [0, 1]),
        (delete(id, me, others.id), [0, 0]),
    ] {
        append(&store, write.clone()).await;
        let now = [calls(&store, ana, id).await, calls(&store, ben, id).await];
        assert_eq!(now, expected, "{write:?}");
        same_group_rows(&store, id, &people).await;
    }

    // What a batch leaves is what counts.
    let id = ConversationId::new();
    let said = calling_everyone(send(id, me, "all"));
    let Act::Send { id: sent, .. } = said.act else {
        panic!("a send is a send");
    };
    let edited = calling(edit(id, me, sent, "you"), &[ben]);
    let batch = [create(id, me, &[ana, ben]), said, edited];
    store.commit(&batch).await.unwrap();
    assert_eq!(calls(&store, ana, id).await, 0);
    assert_eq!(calls(&store, ben, id).await, 1);
    let batch = [
        calling(edit(id, me, sent, "and you"), &[ana]),
        remove(id, me, ben),
        calling(edit(id, me, sent, "both"), &[ana, ben]),
    ];
    store.commit(&batch).await.unwrap();
    let message = store.message(id, sent).await.unwrap().unwrap();
    assert_eq!(message.mentions, [ana], "ben is gone by then");
    assert_eq!(calls(&store, ana, id).await, 1);
}
