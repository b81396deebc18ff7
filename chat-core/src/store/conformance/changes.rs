//! Messages that are edited, deleted and pinned: what becomes of them, and of the log.

use super::{
    append, at, commit, delete, edit, group, later, message, now, pin, react, rename, row, say,
    send, send_as, unreact,
};
use crate::{
    model::{Change, ClientId, ConversationId, Entry, Message, MessageId, Role, Seq, UserId},
    store::{Act, Around, Committed, Refusal, Store},
};

/// An edit is an entry; wherever the message is read afterwards, it is the new one. It moves the head and no list.
pub async fn an_edit_replaces_the_text(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    let said = say(&store, id, other, "helo").await;
    commit(&store, rename(id, me, "Coffee")).await.unwrap();
    let before = row(&store, other, id).await.row;

    let edited = append(&store, later(edit(id, other, said.id, "hello"), 7)).await;
    let expected = Message {
        body: "hello".to_owned(),
        edited_at: Some(at(7)),
        changed_seq: 5,
        ..said.clone()
    };
    let change = Change::MessageEdited {
        message: expected.clone(),
    };
    assert_eq!((edited.seq, edited.at, &edited.change), (5, at(7), &change));
    is_everywhere(&store, &expected).await;
    let after = row(&store, other, id).await.row;
    assert_eq!(after.me, before.me);
    assert_eq!(after.conversation.head_seq, 5);
    assert_eq!(after.conversation.last_activity_at, at(0));
    assert_eq!(row(&store, me, id).await.row.unread.count, 1);

    let same = commit(&store, edit(id, other, said.id, "hello")).await;
    assert_eq!(same, Ok(Committed::Unchanged));
    for author in [me, UserId::new()] {
        let refused = commit(&store, edit(id, author, said.id, "bye")).await;
        let expected = if author == me {
            Refusal::Forbidden
        } else {
            Refusal::ConversationNotFound
        };
        assert_eq!(refused, Err(expected));
    }
    let elsewhere = group(&store, other, &[]).await;
    let foreign = say(&store, elsewhere, other, "there").await;
    for nowhere in [MessageId::new(), foreign.id] {
        let refused = commit(&store, edit(id, other, nowhere, "bye")).await;
        assert_eq!(refused, Err(Refusal::MessageNotFound));
    }
    assert_eq!(store.message(id, foreign.id).await.unwrap(), None);
    is_everywhere(&store, &expected).await;
}

/// The message is the same by its id, in pages, in rows, and in every entry that is about it.
async fn is_everywhere(store: &impl Store, message: &Message) {
    assert_eq!(now(store, message).await, *message);
    let id = message.conversation_id;
    let around = store.messages(id, Around::Around(message.seq), 1, 1);
    assert_eq!(around.await.unwrap(), std::slice::from_ref(message));
    let shown = row(store, message.sender_id, id).await.row.conversation;
    if let Some(newest) = shown.last_message.filter(|newest| newest.id == message.id) {
        assert_eq!(newest, *message);
    }
    for entry in store.entries_after(id, 0, 10_000).await.unwrap() {
        let is_about_it = entry.seq == message.seq || entry.about() == Some(message.seq);
        if let Some(state) = entry.message_state().filter(|_| is_about_it) {
            assert_eq!(state, message);
        }
        if let Change::ReactionAdded { reaction, .. } | Change::ReactionRemoved { reaction, .. } =
            &entry.change
            && is_about_it
        {
            assert_eq!(*reaction, message.reaction(&reaction.emoji));
        }
    }
}

/// What is left of a deleted message has no text, mentions, reactions or pin, and takes none any more. It counts as unread to
/// nobody, and can still be answered.
pub async fn a_deleted_message_leaves_a_stub(store: impl Store) {
    let [me, other, third] = [UserId::new(), UserId::new(), UserId::new()];
    let id = group(&store, me, &[other, third]).await;
    let root = say(&store, id, me, "root").await;
    let answer = send_as(id, other, ClientId::new(), "answer", Some(root.id));
    let said = message(commit(&store, super::calling(answer, &[third])).await);
    for write in [
        react(id, me, said.id, "👍"),
        pin(id, me, said.id, true),
        edit(id, other, said.id, "an answer"),
    ] {
        append(&store, write).await;
    }
    assert_eq!(row(&store, third, id).await.row.unread.count, 2);
    let refused = commit(&store, delete(id, third, said.id)).await;
    assert_eq!(refused, Err(Refusal::Forbidden));

    let deleted = append(&store, later(delete(id, me, said.id), 9)).await;
    let stub = Message {
        body: String::new(),
        mentions: Vec::new(),
        edited_at: Some(at(0)),
        deleted_at: Some(at(9)),
        changed_seq: deleted.seq,
        ..said.clone()
    };
    let change = Change::MessageDeleted {
        message: stub.clone(),
        by: me,
    };
    assert_eq!(deleted.change, change);
    is_everywhere(&store, &stub).await;
    assert_eq!(store.pinned(id, Seq::MAX, 1, 9).await.unwrap(), []);
    let unread = row(&store, third, id).await.row.unread;
    assert_eq!((unread.count, unread.mentions), (1, 0));
    let newest = row(&store, me, id).await.row.conversation.last_message;
    assert_eq!(newest, Some(stub));

    for (write, expected) in [
        (delete(id, other, said.id), Ok(Committed::Unchanged)),
        (delete(id, third, said.id), Err(Refusal::Forbidden)),
        (edit(id, other, said.id, "?"), Err(Refusal::MessageDeleted)),
        (edit(id, me, said.id, "?"), Err(Refusal::Forbidden)),
        (react(id, me, said.id, "👍"), Err(Refusal::MessageDeleted)),
        (unreact(id, me, said.id, "👍"), Err(Refusal::MessageDeleted)),
        (pin(id, me, said.id, true), Err(Refusal::MessageDeleted)),
    ] {
        assert_eq!(commit(&store, write.clone()).await, expected, "{write:?}");
    }
    assert_eq!(store.head(id).await.unwrap(), Some(deleted.seq));
    let reply = send_as(id, me, ClientId::new(), "why?", Some(said.id));
    assert_eq!(append(&store, reply).await.seq, deleted.seq + 1);
}

/// A retry is told what became of its message, and is known by the text that was sent, not by the one that it has now.
pub async fn a_client_id_is_remembered_whatever_became_of_its_message(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    let client_id = ClientId::new();
    let again = |body| send_as(id, me, client_id, body, None);
    let said = message(commit(&store, again("one")).await);
    for (write, new_text) in [
        (edit(id, me, said.id, "two"), Some("two")),
        (edit(id, me, said.id, "three"), Some("three")),
        (edit(id, me, said.id, "one"), None),
        (edit(id, me, said.id, ""), Some("")),
        (delete(id, me, said.id), Some("")),
    ] {
        append(&store, write).await;
        let repeated = commit(&store, again("one")).await;
        assert_eq!(repeated, Ok(Committed::Repeated(now(&store, &said).await)));
        if let Some(text) = new_text {
            let reused = commit(&store, again(text)).await;
            assert_eq!(reused, Err(Refusal::ClientIdReused), "{text:?}");
        }
    }

    let client_id = ClientId::new();
    let retry = |body| send_as(id, me, client_id, body, None);
    let first = retry("four");
    let Act::Send { id: sent, .. } = first.act else {
        panic!("a send is a send");
    };
    let batch = [
        first,
        edit(id, me, sent, "five"),
        retry("four"),
        retry("five"),
    ];
    let results = store.commit(&batch).await.unwrap();
    let state = store.message(id, sent).await.unwrap().unwrap();
    assert_eq!(results[2], Ok(Committed::Repeated(state)));
    assert_eq!(results[3], Err(Refusal::ClientIdReused));
    assert_eq!(commit(&store, retry("four")).await, results[2]);
    assert_eq!(commit(&store, retry("five")).await, results[3]);
}

/// Each change finds what the earlier ones of its batch left, and the store keeps what the last one left.
pub async fn changes_of_a_batch_build_on_each_other(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = ConversationId::new();
    let (kept, gone) = (send(id, other, "kept"), send(id, other, "gone"));
    let (Act::Send { id: kept_id, .. }, Act::Send { id: gone_id, .. }) = (&kept.act, &gone.act)
    else {
        panic!("a send is a send");
    };
    let (kept_id, gone_id) = (*kept_id, *gone_id);
    let batch = [
        super::create(id, me, &[other]),
        kept,
        gone,
        react(id, me, kept_id, "👍"),
        react(id, me, gone_id, "👍"),
        react(id, other, kept_id, "👍"),
        edit(id, other, kept_id, "kept!"),
        pin(id, me, gone_id, true),
        unreact(id, me, kept_id, "👍"),
        delete(id, me, gone_id),
        react(id, me, gone_id, "🎉"),
        pin(id, me, kept_id, true),
        unreact(id, me, kept_id, "👍"),
    ];
    let results = store.commit(&batch).await.unwrap();
    assert_eq!(results[10], Err(Refusal::MessageDeleted));
    assert_eq!(results[12], Ok(Committed::Unchanged));
    let accepted = results
        .iter()
        .filter(|it| matches!(it, Ok(Committed::Appended(_))));
    assert_eq!(accepted.count(), 11);
    let entries = store.entries_after(id, 0, 100).await.unwrap();
    assert_eq!(entries.len(), 12, "a new group of two is two entries");
    let kept = store.message(id, kept_id).await.unwrap().unwrap();
    assert_eq!((&*kept.body, kept.changed_seq), ("kept!", 12));
    assert_eq!(kept.reactions.len(), 1);
    assert_eq!(kept.reactions[0].user_ids, [other]);
    is_everywhere(&store, &kept).await;
    let gone = store.message(id, gone_id).await.unwrap().unwrap();
    assert!(gone.deleted_at.is_some() && gone.reactions.is_empty());
    is_everywhere(&store, &gone).await;

    // And what is there already, in another batch.
    let batch = [
        edit(id, other, kept_id, "again"),
        react(id, me, kept_id, "👍"),
        react(id, me, kept_id, "👍"),
        delete(id, other, kept_id),
        delete(id, other, kept_id),
    ];
    let results = store.commit(&batch).await.unwrap();
    assert_eq!(results[2], Ok(Committed::Unchanged));
    assert_eq!(results[4], Ok(Committed::Unchanged));
    let stub = now(&store, &kept).await;
    assert_eq!(stub.changed_seq, 15);
    is_everywhere(&store, &stub).await;
}

/// Admins pin, members do not; in a direct conversation both do. Pinned messages are paged from the newest on.
pub async fn pins_come_and_go(store: impl Store) {
    let [me, admin, member] = [UserId::new(), UserId::new(), UserId::new()];
    let id = group(&store, me, &[admin, member]).await;
    commit(&store, super::put(id, me, admin, Some(Role::Admin)))
        .await
        .unwrap();
    let mut said = Vec::new();
    for n in 0..5 {
        said.push(say(&store, id, member, &n.to_string()).await);
    }
    let refused = commit(&store, pin(id, member, said[0].id, true)).await;
    assert_eq!(refused, Err(Refusal::Forbidden));
    for message in &said {
        let Entry { change, seq, .. } =
            append(&store, later(pin(id, admin, message.id, true), 3)).await;
        let expected = Message {
            pinned_at: Some(at(3)),
            changed_seq: seq,
            ..message.clone()
        };
        let pinned = Change::MessagePinned {
            message: expected.clone(),
            by: admin,
        };
        assert_eq!(change, pinned);
        is_everywhere(&store, &expected).await;
    }
    let again = commit(&store, pin(id, me, said[1].id, true)).await;
    assert_eq!(again, Ok(Committed::Unchanged));
    let unpinned = append(&store, pin(id, me, said[1].id, false)).await;
    assert!(matches!(unpinned.change, Change::MessageUnpinned { by, .. } if by == me));
    let again = commit(&store, pin(id, me, said[1].id, false)).await;
    assert_eq!(again, Ok(Committed::Unchanged));

    let seqs = |pinned: Vec<Message>| -> Vec<Seq> { pinned.iter().map(|it| it.seq).collect() };
    for (before, from, limit, expected) in [
        (Seq::MAX, 1, 9, vec![9, 8, 7, 5]),
        (Seq::MAX, 1, 2, vec![9, 8]),
        (8, 1, 9, vec![7, 5]),
        (8, 7, 9, vec![7]),
        (7, 8, 9, vec![]),
        (Seq::MAX, 1, 0, vec![]),
    ] {
        let page = store.pinned(id, before, from, limit).await.unwrap();
        assert_eq!(
            seqs(page),
            expected,
            "before {before}, from {from}, at most {limit}"
        );
    }
    let (direct, _) = store.direct(member, admin, at(0)).await.unwrap();
    let said = say(&store, direct, member, "mine").await;
    append(&store, pin(direct, admin, said.id, true)).await;
    append(&store, pin(direct, member, said.id, false)).await;
}
