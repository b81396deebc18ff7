//! What a batch depends on, read at the beginning of its transaction.

use serde_json::json;
use sqlx::sqlite::SqliteRow;

use super::{
    encode::{self, hex},
    transaction::Statements,
};
use crate::store::{
    StoreError, Write,
    columns::Columns,
    decide::{Loaded, Needed, StoredReaction},
};

/// Conversations, members, sends, messages and reactions, picked by JSON arrays of their keys.
pub(super) const LOAD: &str = "BEGIN IMMEDIATE;
    SELECT c.*,
        EXISTS (SELECT 1 FROM chat_blocks b
            WHERE b.blocker = substr(c.direct_pair, 1, 16) AND b.blocked = substr(c.direct_pair, 17)) AS low_blocks,
        EXISTS (SELECT 1 FROM chat_blocks b
            WHERE b.blocker = substr(c.direct_pair, 17) AND b.blocked = substr(c.direct_pair, 1, 16)) AS high_blocks
    FROM chat_conversations c WHERE c.id IN (SELECT unhex(value) FROM json_each(?));
    SELECT m.*
    FROM json_each(?) j CROSS JOIN chat_members m
        ON m.conversation_id = unhex(substr(j.value, 1, 32)) AND m.user_id = unhex(substr(j.value, 33));
    SELECT e.* FROM json_each(?) j CROSS JOIN chat_entries e
        ON e.conversation_id = unhex(substr(j.value, 1, 32))
        AND e.author_id = unhex(substr(j.value, 33, 32)) AND e.client_id = unhex(substr(j.value, 65));
    SELECT e.* FROM json_each(?) j CROSS JOIN chat_entries e
        ON e.message_id = unhex(substr(j.value, 33)) AND e.conversation_id = unhex(substr(j.value, 1, 32));
    SELECT unhex(j.value ->> 0) AS conversation_id, r.message_id, r.emoji, r.user_id
    FROM json_each(?) j CROSS JOIN chat_reactions r
        ON r.message_id = unhex(j.value ->> 1) AND r.emoji = j.value ->> 2 AND r.user_id = unhex(j.value ->> 3)";

pub(super) fn load(writes: &[Write]) -> Statements<'static> {
    let needed = Needed::by(writes);
    let members = needed.members.iter();
    let sends = needed.sends.iter();
    let messages = needed.messages.iter();
    let reactions = needed
        .reactions
        .iter()
        .map(|(conversation, message, emoji, user)| {
            json!([
                hex(conversation.as_uuid()),
                hex(message.as_uuid()),
                emoji.as_str(),
                hex(user.as_uuid()),
            ])
        });
    sqlx::query(LOAD)
        .bind(encode::ids(
            needed.conversations.iter().map(|id| id.as_uuid()),
        ))
        .bind(encode::keys(
            members.map(|(id, user)| [id.as_uuid(), user.as_uuid()]),
        ))
        .bind(encode::keys(sends.map(|(id, user, name)| {
            [id.as_uuid(), user.as_uuid(), name.as_uuid()]
        })))
        .bind(encode::keys(
            messages.map(|(id, message)| [id.as_uuid(), message.as_uuid()]),
        ))
        .bind(encode::list(reactions.collect()))
}

pub(super) fn loaded(found: &[Vec<SqliteRow>]) -> Result<Loaded, StoreError> {
    let [_begin, conversations, members, sends, messages, reactions] = found else {
        return Err(StoreError::Corrupt("what was loaded is not whole".into()));
    };
    let mut loaded = Loaded::default();
    for row in conversations {
        let id = row.conversation_id("id")?;
        loaded.conversations.insert(id, row.head()?);
    }
    for row in members {
        let key = (
            row.conversation_id("conversation_id")?,
            row.user_id("user_id")?,
        );
        loaded.members.insert(key, row.place()?);
    }
    for row in sends {
        let sent = row.message()?;
        let key = (sent.conversation_id, sent.sender_id, sent.client_id);
        loaded.sends.insert(key, sent.id);
        loaded.insert_message(sent, row.sent_digest()?);
    }
    for row in messages {
        loaded.insert_message(row.message()?, row.sent_digest()?);
    }
    for row in reactions {
        let key = (
            row.conversation_id("conversation_id")?,
            row.message_id("message_id")?,
            row.emoji("emoji")?,
            row.user_id("user_id")?,
        );
        let reaction = StoredReaction {
            present: true,
            changed: false,
        };
        loaded.reactions.insert(key, reaction);
    }
    Ok(loaded)
}
