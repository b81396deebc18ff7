//! What a batch depends on, locked and read in one round trip.
//!
//! The statements are sent as one text, in which ids are all that varies. Each of them sees what was committed before it
//! began, so all that is read after the lock is held is the newest.

use std::fmt::{Display, Write as _};

use sqlx::{Row as _, postgres::PgRow};
use uuid::Uuid;

use super::error::store_error;
use crate::store::{
    StoreError,
    columns::{Columns, corrupt},
    decide::{Head, Loaded, Needed, Place},
};

/// Not what the pool's connections may have been told to begin.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;";

const MADE: i32 = 0;
const CONVERSATION: i32 = 1;
const MEMBER: i32 = 2;
const SEND: i32 = 3;
const REPLIED: i32 = 4;

/// The whole text for a batch.
pub(super) fn statements(needed: &Needed) -> String {
    let mut sql = String::from(BEGIN);
    if !needed.groups.is_empty() {
        let groups = array(needed.groups.iter().map(|id| id.as_uuid()));
        push(
            &mut sql,
            format_args!(
                "
            INSERT INTO chat_conversations
                (id, kind, head_seq, last_message_seq, last_activity_at, member_count, owner_count)
            SELECT id, 1, 0, 0, 0, 0, 0 FROM unnest({groups}) AS id ORDER BY id
            ON CONFLICT (id) DO NOTHING RETURNING {MADE} AS what, id;"
            ),
        );
    }
    let conversations = array(needed.conversations.iter().map(|id| id.as_uuid()));
    push(&mut sql, format_args!("
        SELECT {CONVERSATION} AS what, id, kind, title, head_seq, last_message_seq, last_activity_at,
            member_count, owner_count
        FROM chat_conversations WHERE id = ANY ({conversations}) ORDER BY id FOR NO KEY UPDATE;"));
    let places = array(needed.members.iter().map(|(id, _)| id.as_uuid()));
    let users = array(needed.members.iter().map(|(_, user)| user.as_uuid()));
    push(
        &mut sql,
        format_args!(
            "
        SELECT {MEMBER} AS what, m.conversation_id, m.user_id, m.role, m.active, m.read_seq, m.rev
        FROM unnest({places}, {users}) AS j (conversation_id, user_id)
        JOIN chat_members m USING (conversation_id, user_id);"
        ),
    );
    if !needed.sends.is_empty() {
        let places = array(needed.sends.iter().map(|(id, _, _)| id.as_uuid()));
        let users = array(needed.sends.iter().map(|(_, user, _)| user.as_uuid()));
        let names = array(needed.sends.iter().map(|(_, _, name)| name.as_uuid()));
        push(
            &mut sql,
            format_args!(
                "
            SELECT {SEND} AS what, e.*
            FROM unnest({places}, {users}, {names}) AS j (conversation_id, author_id, client_id)
            JOIN chat_entries e USING (conversation_id, author_id, client_id);"
            ),
        );
    }
    if !needed.replied.is_empty() {
        let replied = array(needed.replied.iter().map(|id| id.as_uuid()));
        push(
            &mut sql,
            format_args!(
                "
            SELECT {REPLIED} AS what, conversation_id, message_id
            FROM chat_entries WHERE message_id = ANY ({replied});"
            ),
        );
    }
    sql
}

/// Writing to a `String` cannot fail.
fn push(sql: &mut String, statement: impl Display) {
    let _ = write!(sql, "{statement}");
}

fn array(ids: impl Iterator<Item = Uuid>) -> String {
    let mut array = String::from("'{");
    for (n, id) in ids.enumerate() {
        let comma = if n == 0 { "" } else { "," };
        push(&mut array, format_args!("{comma}{}", id.simple()));
    }
    array.push_str("}'::uuid[]");
    array
}

/// The rows that the statements gave, whichever it was.
pub(super) fn loaded(rows: &[PgRow]) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    let mut made = Vec::new();
    for row in rows {
        let what = row.try_get("what").map_err(store_error)?;
        match what {
            MADE => made.push(row.conversation_id("id")?),
            CONVERSATION => {
                let id = row.conversation_id("id")?;
                loaded.conversations.insert(id, head(row)?);
            }
            MEMBER => {
                let key = (
                    row.conversation_id("conversation_id")?,
                    row.user_id("user_id")?,
                );
                loaded.members.insert(key, place(row)?);
            }
            SEND => {
                let sent = row.message()?;
                let key = (sent.conversation_id, sent.sender_id, sent.client_id);
                loaded.sends.insert(key, sent);
            }
            REPLIED => {
                let conversation = row.conversation_id("conversation_id")?;
                loaded
                    .replied
                    .insert((conversation, row.message_id("message_id")?));
            }
            other => return Err(corrupt("what", other)),
        }
    }
    // Their rows are there so that whoever makes the same group waits; the groups are not yet.
    for id in made {
        loaded.conversations.remove(&id);
    }
    Ok(loaded)
}

fn head(row: &PgRow) -> Result<Head, StoreError> {
    Ok(Head {
        kind: row.kind("kind")?,
        title: row.text("title")?,
        seq: row.number("head_seq")?,
        last_message_seq: row.number("last_message_seq")?,
        last_activity_at: row.time("last_activity_at")?,
        members: row.number("member_count")?,
        owners: row.number("owner_count")?,
        changed: false,
    })
}

fn place(row: &PgRow) -> Result<Place, StoreError> {
    Ok(Place {
        role: row.role("role")?,
        active: row.is("active")?,
        read_seq: row.number("read_seq")?,
        rev: row.number("rev")?,
        changed: false,
    })
}
