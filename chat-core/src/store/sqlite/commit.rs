//! A batch as one transaction: load what it depends on, decide, store what it changed.
//!
//! Loading takes at most four statements, storing two and one for every sixteen entries, however many writes there are.

use std::mem::take;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, query::Query, sqlite::SqliteRow};

use super::{
    encode::{self, hex},
    transaction::{Statements, Transaction, Writer},
};
use crate::{
    model::Entry,
    store::{
        Act, Committed, Refusal, StoreError, Write,
        columns::{Columns, EntryRecord, kind_code, role_code},
        decide::{Loaded, Needed},
    },
};

/// Conversations, members, sends, and messages replied to, picked by JSON arrays of their keys in hexadecimal.
pub(super) const LOAD: &str = "BEGIN IMMEDIATE;
    SELECT id, kind, title, head_seq, last_message_seq, last_activity_at, member_count, owner_count
    FROM chat_conversations WHERE id IN (SELECT unhex(value) FROM json_each(?));
    SELECT m.conversation_id, m.user_id, m.role, m.active, m.read_seq, m.rev
    FROM json_each(?) j CROSS JOIN chat_members m
        ON m.conversation_id = unhex(substr(j.value, 1, 32)) AND m.user_id = unhex(substr(j.value, 33));
    SELECT e.* FROM json_each(?) j CROSS JOIN chat_entries e
        ON e.conversation_id = unhex(substr(j.value, 1, 32))
        AND e.author_id = unhex(substr(j.value, 33, 32)) AND e.client_id = unhex(substr(j.value, 65));
    SELECT conversation_id, message_id
    FROM chat_entries WHERE message_id IN (SELECT unhex(value) FROM json_each(?))";

const STORE_CONVERSATIONS: &str = "
    INSERT INTO chat_conversations
        (id, kind, title, head_seq, last_message_seq, last_activity_at, member_count, owner_count)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
        value ->> 6, value ->> 7
    FROM json_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET title = excluded.title, head_seq = excluded.head_seq,
        last_message_seq = excluded.last_message_seq, last_activity_at = excluded.last_activity_at,
        member_count = excluded.member_count, owner_count = excluded.owner_count;";

/// Stores members, of whom `$columns` may have changed.
macro_rules! store_members {
    ($columns:literal) => {
        concat!(
            "
    INSERT INTO chat_members (conversation_id, user_id, role, active, read_seq, rev)
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each(?) WHERE true
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET ",
            $columns,
            ";"
        )
    };
}

const STORE_MEMBERS: &str = store_members!(
    "role = excluded.role, active = excluded.active, read_seq = excluded.read_seq, rev = excluded.rev"
);
/// Leaves alone what is indexed.
const STORE_CURSORS: &str = store_members!("read_seq = excluded.read_seq, rev = excluded.rev");

const STORE_ENTRIES: &str = "
    INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id,
        message_id, client_id, body, reply_to, user_id, role, title) VALUES ";
const ENTRY: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// So few that the statements for each number of them stay prepared.
const ENTRIES_AT_ONCE: usize = 16;

impl Writer {
    /// Carries out a batch of writes in one transaction.
    pub(super) async fn commit(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let (transaction, found) = self.begin(load(&Needed::by(writes))).await?;
        let mut loaded = loaded(&found)?;
        let results: Vec<_> = writes.iter().map(|write| loaded.apply(write)).collect();
        let store_members = if writes.iter().all(moves_a_cursor_at_most) {
            STORE_CURSORS
        } else {
            STORE_MEMBERS
        };
        store(transaction, store_members, &loaded, &results).await?;
        Ok(results)
    }
}

fn load(needed: &Needed) -> Statements<'static> {
    let members = needed.members.iter();
    let sends = needed.sends.iter();
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
        .bind(encode::ids(needed.replied.iter().map(|id| id.as_uuid())))
}

fn loaded(found: &[Vec<SqliteRow>]) -> Result<Loaded, StoreError> {
    let [_begin, conversations, members, sends, replied] = found else {
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
        loaded.sends.insert(key, sent);
    }
    for row in replied {
        let conversation = row.conversation_id("conversation_id")?;
        let message = row.message_id("message_id")?;
        loaded.replied.insert((conversation, message));
    }
    Ok(loaded)
}

/// Whether roles and memberships stay as they are.
fn moves_a_cursor_at_most(write: &Write) -> bool {
    matches!(write.act, Act::Send { .. } | Act::MarkRead { .. })
}

/// Conversations first: the other tables refer to them.
async fn store(
    mut transaction: Transaction<'_>,
    store_members: &str,
    loaded: &Loaded,
    results: &[Result<Committed, Refusal>],
) -> Result<(), StoreError> {
    let mut text = String::new();
    let mut lists = Vec::new();
    for (statement, rows) in [
        (STORE_CONVERSATIONS, changed_conversations(loaded)),
        (store_members, changed_members(loaded)),
    ] {
        if !rows.is_empty() {
            text.push_str(statement);
            lists.push(encode::list(rows));
        }
    }
    let entries: Vec<&Entry> = results.iter().flat_map(appended).collect();
    let mut chunks = entries.chunks_exact(ENTRIES_AT_ONCE);
    for chunk in &mut chunks {
        push_entries(&mut text, chunk);
        let statements = bind(take(&mut text), take(&mut lists), chunk);
        transaction.run(statements).await?;
    }
    let rest = chunks.remainder();
    push_entries(&mut text, rest);
    text.push_str("COMMIT");
    transaction.commit(bind(text, lists, rest)).await
}

fn push_entries(text: &mut String, entries: &[&Entry]) {
    if !entries.is_empty() {
        text.push_str(STORE_ENTRIES);
        text.push_str(&vec![ENTRY; entries.len()].join(","));
        text.push(';');
    }
}

fn bind(text: String, lists: Vec<String>, entries: &[&Entry]) -> Statements<'static> {
    let statements = lists
        .into_iter()
        .fold(sqlx::query(AssertSqlSafe(text)), Query::bind);
    entries
        .iter()
        .fold(statements, |query, entry| bind_entry(query, entry))
}

fn appended(result: &Result<Committed, Refusal>) -> &[Entry] {
    match result {
        Ok(Committed::Appended(entries)) => entries,
        _ => &[],
    }
}

fn changed_conversations(loaded: &Loaded) -> Vec<Value> {
    let changed = loaded.conversations.iter().filter(|(_, head)| head.changed);
    let values = changed.map(|(id, head)| {
        json!([
            hex(id.as_uuid()),
            kind_code(head.kind),
            head.title,
            head.seq,
            head.last_message_seq,
            head.last_activity_at.as_millis(),
            head.members,
            head.owners,
        ])
    });
    values.collect()
}

fn changed_members(loaded: &Loaded) -> Vec<Value> {
    let changed = loaded.members.iter().filter(|(_, place)| place.changed);
    let values = changed.map(|((conversation, user), place)| {
        json!([
            hex(conversation.as_uuid()),
            hex(user.as_uuid()),
            role_code(place.role),
            i64::from(place.active),
            place.read_seq,
            place.rev,
        ])
    });
    values.collect()
}

fn bind_entry(statements: Statements<'static>, entry: &Entry) -> Statements<'static> {
    let record = EntryRecord::new(entry);
    statements
        .bind(record.conversation_id)
        .bind(record.seq)
        .bind(record.kind)
        .bind(record.at)
        .bind(record.author_id)
        .bind(record.message_id)
        .bind(record.client_id)
        .bind(record.body.map(str::to_owned))
        .bind(record.reply_to)
        .bind(record.user_id)
        .bind(record.role)
        .bind(record.title.map(str::to_owned))
}
