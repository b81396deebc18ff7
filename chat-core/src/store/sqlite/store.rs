//! What a batch changed, stored at the end of its transaction.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{encode::hex, script::Script, search::indexed, transaction::Transaction};
use crate::{
    model::{Change, Entry, Message},
    store::{
        Act, Committed, Refusal, StoreError, Write,
        columns::{
            EntryRecord, MessageRecord, called_by, history_code, kind_code, notify_code, role_code,
        },
        decide::{Loaded, MessageKey, StoredMessage},
    },
};

const CONVERSATIONS: &str = "
    INSERT INTO chat_conversations (id, kind, title, topic, history, deleted, head_seq, last_message_seq,
        last_activity_at, member_count, owner_count)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
        value ->> 7, value ->> 8, value ->> 9, value ->> 10
    FROM json_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET title = excluded.title, topic = excluded.topic, history = excluded.history,
        deleted = max(deleted, excluded.deleted), head_seq = excluded.head_seq,
        last_message_seq = excluded.last_message_seq, last_activity_at = excluded.last_activity_at,
        member_count = excluded.member_count, owner_count = excluded.owner_count;";

/// Stores members, of whom `$columns` may have changed beside their cursors.
macro_rules! members {
    ($columns:literal) => {
        concat!(
            "
    INSERT INTO chat_members (conversation_id, user_id, role, active, banned, read_seq, shown_seq, delivered_seq,
        history_from, rev, pinned, muted, archived, notify)
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
        value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13
    FROM json_each(?) WHERE true
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET ",
            $columns,
            "read_seq = excluded.read_seq, shown_seq = max(shown_seq, excluded.shown_seq),
        delivered_seq = max(delivered_seq, excluded.delivered_seq), rev = excluded.rev;"
        )
    };
}

const MEMBERS: &str = members!(
    "role = excluded.role, active = excluded.active, banned = excluded.banned,
        history_from = excluded.history_from, pinned = excluded.pinned, muted = excluded.muted,
        archived = excluded.archived, notify = excluded.notify, "
);
/// Leaves alone what is indexed.
const CURSORS: &str = members!("");

/// Of those who are members still, in conversations that were deleted.
const END_MEMBERSHIPS: &str = "
    UPDATE chat_members SET active = 0, rev = rev + 1
    WHERE active = 1 AND conversation_id IN (SELECT unhex(value) FROM json_each(?));";

const ENTRIES: (&str, &str) = (
    "
    INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, user_id, role, title, history, banned,
        target_seq, emoji, message_id, client_id, body, reply_to, edited_at, deleted_at, pinned_at, changed_seq,
        sent_digest, mentions, mentions_everyone, reactions)
    VALUES ",
    ";",
);
const ENTRY: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

const MESSAGES: (&str, &str) = (
    "
    WITH new (conversation_id, seq, body, edited_at, deleted_at, pinned_at, changed_seq, sent_digest, mentions,
        mentions_everyone, reactions) AS (VALUES ",
    ")
    UPDATE chat_entries AS e SET body = new.body, edited_at = new.edited_at, deleted_at = new.deleted_at,
        pinned_at = new.pinned_at, changed_seq = new.changed_seq, sent_digest = new.sent_digest,
        mentions = new.mentions, mentions_everyone = new.mentions_everyone, reactions = new.reactions,
        search_id = CASE WHEN new.deleted_at IS NULL THEN e.search_id END
    FROM new WHERE e.conversation_id = new.conversation_id AND e.seq = new.seq;",
);
const MESSAGE: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Of messages that are indexed already. The words of the others are indexed as they are when their turn comes.
const FORGET_WORDS: &str = "
    DELETE FROM chat_search WHERE rowid IN (
        SELECT e.search_id FROM json_each(?) j CROSS JOIN chat_entries e
            ON e.conversation_id = unhex(j.value ->> 0) AND e.seq = j.value ->> 1);";
const REPLACE_WORDS: &str = "
    INSERT OR REPLACE INTO chat_search (rowid, words)
    SELECT e.search_id, j.value ->> 2 FROM json_each(?) j CROSS JOIN chat_entries e
        ON e.conversation_id = unhex(j.value ->> 0) AND e.seq = j.value ->> 1
    WHERE e.search_id IS NOT NULL;";

const FORGET_MENTIONS: &str = "
    DELETE FROM chat_mentions WHERE (conversation_id, user_id, seq) IN (
        SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2 FROM json_each(?));";
const MENTIONS: &str = "
    INSERT INTO chat_mentions (conversation_id, user_id, seq, author_id)
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, unhex(value ->> 3) FROM json_each(?);";

const REACTIONS: &str = "
    INSERT OR IGNORE INTO chat_reactions (message_id, emoji, user_id)
    SELECT unhex(value ->> 0), value ->> 1, unhex(value ->> 2) FROM json_each(?);";
const FORGET_REACTIONS: &str = "
    DELETE FROM chat_reactions WHERE (message_id, emoji, user_id) IN (
        SELECT unhex(value ->> 0), value ->> 1, unhex(value ->> 2) FROM json_each(?));";
const FORGET_REACTIONS_TO: &str = "
    DELETE FROM chat_reactions WHERE message_id IN (SELECT unhex(value) FROM json_each(?));";

/// So few rows that the statements for each number of them stay prepared.
const AT_ONCE: usize = 16;

/// Of messages that a batch gives another text, whom they called before.
pub(super) struct Rewritten(HashMap<MessageKey, Vec<Uuid>>);

impl Rewritten {
    pub(super) fn by(writes: &[Write], loaded: &Loaded) -> Self {
        let rewrites =
            |act: &Act| matches!(act, Act::EditMessage { .. } | Act::DeleteMessage { .. });
        let writes = writes.iter().filter(|write| rewrites(&write.act));
        let keys =
            writes.filter_map(|write| Some((write.conversation_id, write.act.message_id()?)));
        let called = keys.filter_map(|key| {
            let before = loaded.messages.get(&key)?;
            Some((key, called_by(&before.message)))
        });
        Self(called.collect())
    }

    /// Those of them that are stored anew.
    fn changed<'l>(&'l self, loaded: &'l Loaded) -> impl Iterator<Item = &'l Message> {
        let changed = loaded.changed_messages().map(|stored| &stored.message);
        changed.filter(|message| self.0.contains_key(&(message.conversation_id, message.id)))
    }
}

/// Whether nothing that is indexed of a member can change by it.
fn leaves_places_alone(write: &Write) -> bool {
    !matches!(
        write.act,
        Act::CreateGroup { .. }
            | Act::PutMember { .. }
            | Act::RemoveMember { .. }
            | Act::LiftBan { .. }
            | Act::DeleteConversation
            | Act::UpdateMine { .. }
    )
}

/// Conversations first: the other tables refer to them.
pub(super) async fn store(
    mut transaction: Transaction<'_>,
    writes: &[Write],
    loaded: &Loaded,
    results: &[Result<Committed, Refusal>],
    rewritten: &Rewritten,
) -> Result<(), StoreError> {
    let mut script = Script::new();
    let members = if writes.iter().all(leaves_places_alone) {
        CURSORS
    } else {
        MEMBERS
    };
    script.push_list(CONVERSATIONS, conversations(loaded));
    script.push_list(members, changed_members(loaded));
    script.push_list(END_MEMBERSHIPS, deleted_conversations(loaded));

    let entries: Vec<&Entry> = results.iter().flat_map(appended).collect();
    for chunk in entries.chunks(AT_ONCE) {
        script.push_rows(ENTRIES, ENTRY, chunk.len());
        for entry in chunk {
            let stored = new_message(loaded, entry);
            bind_entry(&mut script, &EntryRecord::new(entry, stored));
        }
        if chunk.len() == AT_ONCE {
            transaction.run(script.statements()?).await?;
        }
    }
    push_rewritten(&mut script, loaded, rewritten);
    let changed: Vec<_> = loaded.changed_messages().collect();
    for chunk in changed.chunks(AT_ONCE) {
        script.push_rows(MESSAGES, MESSAGE, chunk.len());
        for stored in chunk {
            bind_message(&mut script, &MessageRecord::new(stored));
        }
        if chunk.len() == AT_ONCE {
            transaction.run(script.statements()?).await?;
        }
    }
    let new = loaded.new_messages().map(|stored| &stored.message);
    let called = new.chain(rewritten.changed(loaded));
    script.push_list(
        MENTIONS,
        called
            .flat_map(|message| mentions(message, &called_by(message)))
            .collect(),
    );
    push_reactions(&mut script, loaded);
    script.push("COMMIT");
    transaction.commit(script.statements()?).await
}

fn appended(result: &Result<Committed, Refusal>) -> &[Entry] {
    match result {
        Ok(Committed::Appended(entries)) => entries,
        _ => &[],
    }
}

/// The message that this entry is, as the batch leaves it.
fn new_message<'l>(loaded: &'l Loaded, entry: &Entry) -> Option<&'l StoredMessage> {
    let Change::NewMessage { message } = &entry.change else {
        return None;
    };
    loaded.messages.get(&(entry.conversation_id, message.id))
}

fn push_rewritten(script: &mut Script, loaded: &Loaded, rewritten: &Rewritten) {
    let (deleted, edited): (Vec<_>, Vec<_>) = rewritten
        .changed(loaded)
        .partition(|message| message.deleted_at.is_some());
    let place = |message: &Message| (hex(message.conversation_id.as_uuid()), message.seq);
    let deleted = deleted.into_iter().map(|message| json!(place(message)));
    script.push_list(FORGET_WORDS, deleted.collect());
    let edited = edited.into_iter().map(|message| {
        let (conversation, seq) = place(message);
        json!([conversation, seq, indexed(message)])
    });
    script.push_list(REPLACE_WORDS, edited.collect());
    let before = rewritten.changed(loaded).flat_map(|message| {
        let called = rewritten.0.get(&(message.conversation_id, message.id));
        mentions(message, called.map_or(&[], Vec::as_slice))
    });
    script.push_list(FORGET_MENTIONS, before.collect());
}

fn mentions(message: &Message, called: &[Uuid]) -> Vec<Value> {
    let mention = |user: &Uuid| {
        json!([
            hex(message.conversation_id.as_uuid()),
            hex(*user),
            message.seq,
            hex(message.sender_id.as_uuid()),
        ])
    };
    called.iter().map(mention).collect()
}

fn push_reactions(script: &mut Script, loaded: &Loaded) {
    let changed = loaded.reactions.iter().filter(|(_, it)| it.changed);
    let (there, gone): (Vec<_>, Vec<_>) = changed.partition(|(_, it)| it.present);
    let rows = |reactions: Vec<(&crate::store::decide::ReactionKey, _)>| {
        let rows = reactions.into_iter().map(|((_, message, emoji, user), _)| {
            json!([hex(message.as_uuid()), emoji.as_str(), hex(user.as_uuid())])
        });
        rows.collect::<Vec<_>>()
    };
    script.push_list(REACTIONS, rows(there));
    script.push_list(FORGET_REACTIONS, rows(gone));
    let deleted = loaded
        .changed_messages()
        .filter(|stored| stored.message.deleted_at.is_some());
    let deleted = deleted.map(|stored| hex(stored.message.id.as_uuid()).into());
    script.push_list(FORGET_REACTIONS_TO, deleted.collect());
}

fn conversations(loaded: &Loaded) -> Vec<Value> {
    let changed = loaded.conversations.iter().filter(|(_, head)| head.changed);
    let values = changed.map(|(id, head)| {
        json!([
            hex(id.as_uuid()),
            kind_code(head.kind),
            head.title,
            head.topic,
            history_code(head.history),
            i64::from(head.deleted),
            head.seq,
            head.last_message_seq,
            head.last_activity_at.as_millis(),
            head.members,
            head.owners,
        ])
    });
    values.collect()
}

fn deleted_conversations(loaded: &Loaded) -> Vec<Value> {
    let deleted = loaded.conversations.iter().filter(|(_, head)| head.deleted);
    deleted.map(|(id, _)| hex(id.as_uuid()).into()).collect()
}

fn changed_members(loaded: &Loaded) -> Vec<Value> {
    let changed = loaded.members.iter().filter(|(_, place)| place.changed);
    let values = changed.map(|((conversation, user), place)| {
        json!([
            hex(conversation.as_uuid()),
            hex(user.as_uuid()),
            role_code(place.role),
            i64::from(place.active),
            i64::from(place.banned),
            place.read_seq,
            place.shown_seq,
            place.delivered_seq,
            place.history_from,
            place.rev,
            i64::from(place.pinned),
            i64::from(place.muted),
            i64::from(place.archived),
            notify_code(place.notify),
        ])
    });
    values.collect()
}

fn bind_entry(script: &mut Script, entry: &EntryRecord<'_>) {
    script.bind(entry.conversation_id);
    script.bind(entry.seq);
    script.bind(entry.kind);
    script.bind(entry.at);
    script.bind(entry.author_id);
    script.bind(entry.user_id);
    script.bind(entry.role);
    script.bind(entry.title.map(str::to_owned));
    script.bind(entry.history);
    script.bind(entry.banned);
    script.bind(entry.target_seq);
    script.bind(entry.emoji.map(str::to_owned));
    let message = entry.message.as_ref();
    script.bind(message.map(|it| it.message_id));
    script.bind(message.map(|it| it.client_id));
    script.bind(message.map(|it| it.body.to_owned()));
    script.bind(message.and_then(|it| it.reply_to));
    script.bind(message.and_then(|it| it.edited_at));
    script.bind(message.and_then(|it| it.deleted_at));
    script.bind(message.and_then(|it| it.pinned_at));
    script.bind(message.map(|it| it.changed_seq));
    script.bind(message.and_then(|it| it.sent_digest.map(<[u8]>::to_vec)));
    script.bind(message.and_then(|it| it.mentions.clone()));
    script.bind(message.map(|it| it.mentions_everyone));
    script.bind(message.and_then(|it| it.reactions.clone()));
}

fn bind_message(script: &mut Script, message: &MessageRecord<'_>) {
    script.bind(message.conversation_id);
    script.bind(message.seq);
    script.bind(message.body.to_owned());
    script.bind(message.edited_at);
    script.bind(message.deleted_at);
    script.bind(message.pinned_at);
    script.bind(message.changed_seq);
    script.bind(message.sent_digest.map(<[u8]>::to_vec));
    script.bind(message.mentions.clone());
    script.bind(message.mentions_everyone);
    script.bind(message.reactions.clone());
}
