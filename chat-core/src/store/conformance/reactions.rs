//! Reactions: who put which emoji on what.

use super::{append, commit, group, now, react, row, say, unreact};
use crate::{
    model::{Change, Reaction, UserId},
    store::{Committed, Refusal, Store},
};

/// Everybody puts each emoji once; emoji stand in the order in which they first came, and who put them in theirs.
pub async fn reactions_are_counted_and_named(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    let said = say(&store, id, me, "hi").await;
    let before = row(&store, other, id).await.row;
    let reaction = |text, users: &[UserId]| Reaction {
        emoji: super::emoji(text),
        count: users.len() as u64,
        user_ids: users.to_vec(),
    };
    for (write, adds, expected, all) in [
        (
            react(id, other, said.id, "👍"),
            true,
            reaction("👍", &[other]),
            vec![("👍", vec![other])],
        ),
        (
            react(id, me, said.id, "👍"),
            true,
            reaction("👍", &[other, me]),
            vec![("👍", vec![other, me])],
        ),
        (
            react(id, me, said.id, "🎉"),
            true,
            reaction("🎉", &[me]),
            vec![("👍", vec![other, me]), ("🎉", vec![me])],
        ),
        (
            unreact(id, other, said.id, "👍"),
            false,
            reaction("👍", &[me]),
            vec![("👍", vec![me]), ("🎉", vec![me])],
        ),
        (
            unreact(id, me, said.id, "👍"),
            false,
            reaction("👍", &[]),
            vec![("🎉", vec![me])],
        ),
        (
            react(id, other, said.id, "👍"),
            true,
            reaction("👍", &[other]),
            vec![("🎉", vec![me]), ("👍", vec![other])],
        ),
    ] {
        let author = write.author;
        let entry = append(&store, write.clone()).await;
        let (message_id, message_seq, user_id) = (said.id, said.seq, author);
        let change = if adds {
            Change::ReactionAdded {
                message_id,
                message_seq,
                user_id,
                reaction: expected,
            }
        } else {
            Change::ReactionRemoved {
                message_id,
                message_seq,
                user_id,
                reaction: expected,
            }
        };
        assert_eq!(entry.change, change);
        assert_eq!(entry.about(), Some(said.seq));
        let message = now(&store, &said).await;
        let all: Vec<_> = all
            .iter()
            .map(|(text, users)| reaction(text, users))
            .collect();
        assert_eq!((message.reactions, message.changed_seq), (all, entry.seq));
        assert_eq!(message.body, "hi");
        let again = commit(&store, write).await;
        assert_eq!(again, Ok(Committed::Unchanged));
    }
    let after = row(&store, other, id).await.row;
    assert_eq!((&after.me, after.unread), (&before.me, before.unread));
    let activity = after.conversation.last_activity_at;
    assert_eq!(activity, before.conversation.last_activity_at);
    let never = commit(&store, unreact(id, other, said.id, "🙈")).await;
    assert_eq!(never, Ok(Committed::Unchanged));
    let stranger = commit(&store, react(id, UserId::new(), said.id, "👍")).await;
    assert_eq!(stranger, Err(Refusal::ConversationNotFound));
    // Entries that are read later say how things are then.
    for entry in store.entries_after(id, said.seq, 100).await.unwrap() {
        if let Change::ReactionAdded { reaction: it, .. }
        | Change::ReactionRemoved { reaction: it, .. } = entry.change
        {
            let users = if it.emoji == super::emoji("👍") {
                other
            } else {
                me
            };
            assert_eq!(it.user_ids, [users]);
        }
    }
}

/// One message takes twenty different emoji; of those that are there, any number.
pub async fn a_message_takes_so_many_emoji(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let id = group(&store, me, &[other]).await;
    let said = say(&store, id, me, "hi").await;
    let emoji: Vec<String> = ('😀'..)
        .take(Reaction::MAX_EMOJI + 1)
        .map(String::from)
        .collect();
    let (one_more, most) = emoji.split_last().unwrap();
    let batch: Vec<_> = most.iter().map(|it| react(id, me, said.id, it)).collect();
    let results = store.commit(&batch).await.unwrap();
    assert!(results.iter().all(Result::is_ok));
    let refused = commit(&store, react(id, other, said.id, one_more)).await;
    assert_eq!(refused, Err(Refusal::TooManyReactions));
    append(&store, react(id, other, said.id, &most[0])).await;
    append(&store, unreact(id, me, said.id, &most[1])).await;
    append(&store, react(id, other, said.id, one_more)).await;
    let reactions = now(&store, &said).await.reactions;
    assert_eq!(reactions.len(), Reaction::MAX_EMOJI);
    assert_eq!(reactions[0].count, 2);
}

/// Of a crowd only some are named, but all are counted, and each can take back only what they put there.
pub async fn a_crowd_that_reacts_is_counted(store: impl Store) {
    let people: Vec<UserId> = (0..Reaction::MAX_USERS + 4)
        .map(|_| UserId::new())
        .collect();
    let id = group(&store, people[0], &people[1..]).await;
    let said = say(&store, id, people[0], "who is in?").await;
    let (late, early) = people.split_last().unwrap();
    let batch: Vec<_> = early
        .iter()
        .map(|it| react(id, *it, said.id, "✅"))
        .collect();
    store.commit(&batch).await.unwrap();
    let reaction = now(&store, &said).await.reactions.remove(0);
    assert_eq!(reaction.count, early.len() as u64);
    assert_eq!(reaction.user_ids, early[..Reaction::MAX_USERS]);

    let unnamed = early[early.len() - 1];
    append(&store, unreact(id, unnamed, said.id, "✅")).await;
    let again = commit(&store, unreact(id, unnamed, said.id, "✅")).await;
    assert_eq!(again, Ok(Committed::Unchanged));
    append(&store, unreact(id, early[0], said.id, "✅")).await;
    append(&store, react(id, *late, said.id, "✅")).await;
    let reaction = now(&store, &said).await.reactions.remove(0);
    assert_eq!(reaction.count, early.len() as u64 - 1);
    assert_eq!(reaction.user_ids, early[1..Reaction::MAX_USERS]);
}
