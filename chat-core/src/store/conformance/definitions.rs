//! What rows and messages are by definition, told from the log alone, and that a store equals the reference store.

use std::collections::{BTreeMap, BTreeSet};

use super::{random::BODIES, same_group_rows};
use crate::{
    model::{Change, ConversationId, Emoji, Entry, Message, Row, Seq, Unread, UserId},
    store::{
        Around, ConversationStore, MemoryStore, MessageLog, RowPlace, Search, Store, StoredRow,
        words,
    },
};

/// One user's list, and what they find.
pub(super) async fn same_list(store: &impl Store, reference: &MemoryStore, user: UserId) {
    let rows = all_rows(store, user).await;
    let mut expected = reference.rows(user, None, 100).await.unwrap();
    // How much `rev` rises is the store's affair.
    let mut comparable = rows.clone();
    for row in expected.iter_mut().chain(&mut comparable) {
        row.row.me.rev = 0;
    }
    assert_eq!(comparable, expected);

    let mut heads = store.row_heads(user).await.unwrap();
    heads.sort_unstable();
    let of_rows = rows.iter().map(|row| {
        (
            row.row.conversation.id,
            row.row.conversation.head_seq,
            row.row.me.rev,
        )
    });
    let mut of_rows: Vec<_> = of_rows.collect();
    of_rows.sort_unstable();
    assert_eq!(heads, of_rows);
    let mut of_several = store.row_heads_of(&[user]).await.unwrap();
    of_several.sort_unstable();
    let of_one: Vec<_> = heads.into_iter().map(|head| (user, head)).collect();
    assert_eq!(of_several, of_one);

    let mut visible = Vec::new();
    for StoredRow { row, .. } in rows {
        let id = row.conversation.id;
        let log = store.entries_after(id, 0, 10_000).await.unwrap();
        row_is_as_defined(&row, &log, user);
        let messages = log.into_iter().filter_map(|entry| match entry.change {
            Change::NewMessage { message } => Some(message),
            _ => None,
        });
        visible.extend(messages.filter(|message| message.seq >= row.me.history_from));
    }
    visible.sort_unstable_by_key(|message| std::cmp::Reverse((message.created_at, message.id)));
    same_found(store, user, &visible).await;
}

async fn all_rows(store: &impl Store, user: UserId) -> Vec<StoredRow> {
    let mut rows: Vec<StoredRow> = Vec::new();
    loop {
        let after = rows.last().map(|row| RowPlace {
            pinned: row.row.me.pinned,
            last_activity_at: row.row.conversation.last_activity_at,
            id: row.row.conversation.id,
        });
        let page = store.rows(user, after, 2).await.unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

fn row_is_as_defined(row: &Row, log: &[Entry], user: UserId) {
    let mut messages = log.iter().filter_map(Entry::message);
    let unread: Vec<_> = messages
        .clone()
        .filter(|it| it.seq > row.me.read_seq && it.sender_id != user && it.deleted_at.is_none())
        .collect();
    let calls = |it: &&&Message| it.mentions_everyone || it.mentions.contains(&user);
    let mentions = unread.iter().filter(calls).count() as u64;
    let expected = Unread::from_count(unread.len() as u64, mentions);
    assert_eq!(row.unread, expected, "unread equals its definition");

    let newest = messages.rfind(|it| it.seq >= row.me.history_from);
    assert_eq!(row.conversation.last_message.as_ref(), newest);
    assert_eq!(row.conversation.head_seq, log.len() as Seq);
    let moving = log.iter().filter(|entry| entry.about().is_none());
    let activity = moving.map(|entry| entry.at).max();
    assert_eq!(Some(row.conversation.last_activity_at), activity);
}

/// `visible`: what this user sees, in the order in which it is to be found.
async fn same_found(store: &impl Store, user: UserId, visible: &[Message]) {
    for text in BODIES.into_iter().chain(["te", "cake tea", "x"]) {
        let words = words(text);
        let Some((last, whole)) = words.split_last() else {
            continue;
        };
        let contains = |message: &&Message| {
            let there = crate::store::words(&message.body);
            message.deleted_at.is_none()
                && whole.iter().all(|word| there.contains(word))
                && there.iter().any(|word| word.starts_with(last))
        };
        let expected: Vec<_> = visible.iter().filter(contains).cloned().collect();
        let search = Search {
            words: words.clone(),
            conversation: None,
            from: None,
            before: None,
        };
        let found = store.search(user, &search, None, 10_000).await.unwrap();
        assert_eq!(found, expected, "{text}");
        if let Some(middle) = expected.get(expected.len() / 2) {
            let rest = store.search(user, &search, Some(middle.id), 3).await;
            let after = expected.iter().skip(expected.len() / 2 + 1).take(3);
            assert!(after.eq(&rest.unwrap()), "{text}, after {middle:?}");
        }
    }
}

/// A conversation's log, its messages, and who belongs to it.
pub(super) async fn same_conversation(
    store: &impl Store,
    reference: &MemoryStore,
    id: ConversationId,
    people: &[UserId],
) {
    let log = store.entries_after(id, 0, 10_000).await.unwrap();
    let expected = reference.entries_after(id, 0, 10_000).await.unwrap();
    assert_eq!(log, expected);
    let head = store.head(id).await.unwrap();
    assert_eq!(head, reference.head(id).await.unwrap());
    let members = store.members(id, None, 100).await.unwrap();
    assert_eq!(members, reference.members(id, None, 100).await.unwrap());
    let banned = store.banned(id, None, 100).await.unwrap();
    assert_eq!(banned, reference.banned(id, None, 100).await.unwrap());
    same_group_rows(store, id, people).await;

    let messages: Vec<_> = log.iter().filter_map(Entry::message).cloned().collect();
    messages_are_as_logged(&messages, &log);
    for message in &messages {
        let found = store.message(id, message.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(message));
    }
    let middle = log.len() as Seq / 2;
    for from in [1, middle] {
        let seen: Vec<_> = messages
            .iter()
            .filter(|it| it.seq >= from)
            .cloned()
            .collect();
        let newest = store.messages(id, Around::Newest, from, 10_000).await;
        assert_eq!(newest.unwrap(), seen);
        let around = Around::Around(middle);
        let page = store.messages(id, around, from, 9).await.unwrap();
        let expected = reference.messages(id, around, from, 9).await.unwrap();
        assert_eq!(page, expected);
        let mut pinned = store.pinned(id, Seq::MAX, from, 10_000).await.unwrap();
        pinned.reverse();
        let expected = seen.iter().filter(|it| it.pinned_at.is_some());
        assert!(expected.eq(&pinned));
        let readers = store.readers(id, from, None, 100).await.unwrap();
        let expected = members.iter().filter(|member| member.shown_seq >= from);
        assert!(expected.eq(&readers));
    }
}

/// Each message is what the entries about it made of it.
fn messages_are_as_logged(messages: &[Message], log: &[Entry]) {
    let mut changed: BTreeMap<Seq, Seq> = BTreeMap::new();
    let mut pinned = BTreeMap::new();
    let mut deleted = BTreeSet::new();
    let mut reactions: BTreeMap<(Seq, Emoji), BTreeSet<UserId>> = BTreeMap::new();
    for entry in log {
        let Some(about) = entry.about() else {
            continue;
        };
        changed.insert(about, entry.seq);
        match &entry.change {
            Change::MessagePinned { .. } => drop(pinned.insert(about, entry.at)),
            Change::MessageUnpinned { .. } => drop(pinned.remove(&about)),
            Change::MessageDeleted { .. } => drop(deleted.insert(about)),
            Change::ReactionAdded {
                user_id, reaction, ..
            } => {
                let key = (about, reaction.emoji.clone());
                assert!(reactions.entry(key).or_default().insert(*user_id));
            }
            Change::ReactionRemoved {
                user_id, reaction, ..
            } => {
                let key = (about, reaction.emoji.clone());
                assert!(reactions.entry(key).or_default().remove(user_id));
            }
            _ => {}
        }
    }
    for message in messages {
        let seq = message.seq;
        assert_eq!(message.changed_seq, changed.remove(&seq).unwrap_or(seq));
        assert_eq!(message.deleted_at.is_some(), deleted.contains(&seq));
        if message.deleted_at.is_some() {
            assert!(message.reactions.is_empty() && message.pinned_at.is_none());
            continue;
        }
        assert_eq!(message.pinned_at, pinned.remove(&seq));
        let put = reactions
            .iter()
            .filter(|((on, _), users)| *on == seq && !users.is_empty());
        let put: BTreeMap<_, _> = put
            .map(|((_, emoji), users)| (emoji.clone(), users.clone()))
            .collect();
        let shown = message.reactions.iter().map(|reaction| {
            let users: BTreeSet<_> = reaction.user_ids.iter().copied().collect();
            assert_eq!(reaction.count, users.len() as u64);
            (reaction.emoji.clone(), users)
        });
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), put);
    }
}
