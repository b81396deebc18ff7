//! What a batch depends on: the conversations, locked, and then all that the locks protect.

use std::fmt::{Display, Write as _};

use sqlx::{AssertSqlSafe, PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use crate::store::{
    StoreError,
    columns::{Columns, corrupt},
    decide::{Head, Loaded, Needed, Place},
    postgres::error::store_error,
};

/// Not what the connections of somebody's pool may have been told: each statement sees what was committed before it began.
/// The prepared statements are planned once, for tables that may be empty now and large tomorrow.
const BEGIN: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL plan_cache_mode = force_generic_plan;
    SET LOCAL enable_seqscan = off;";

const MEMBER: i32 = 1;
const SEND: i32 = 2;
const REPLIED: i32 = 3;

/// Members, earlier sends and messages replied to, in one answer. Whatever is asked for, each is one look into an index.
pub(super) const LOAD: &str = "
    SELECT 1 AS what, m.conversation_id, m.user_id, m.role, m.active, m.read_seq, m.rev,
        NULL::bigint AS seq, NULL::bigint AS at, NULL::uuid AS author_id, NULL::uuid AS message_id,
        NULL::uuid AS client_id, NULL::text AS body, NULL::uuid AS reply_to,
        NULL::bigint AS edited_at, NULL::bigint AS deleted_at
    FROM unnest($1::uuid[], $2::uuid[]) AS n (conversation_id, user_id)
    CROSS JOIN LATERAL (
        SELECT * FROM chat_members m
        WHERE m.conversation_id = n.conversation_id AND m.user_id = n.user_id LIMIT 1) AS m
    UNION ALL
    SELECT 2, e.conversation_id, NULL, NULL, NULL, NULL, NULL, e.seq, e.at, e.author_id,
        e.message_id, e.client_id, e.body, e.reply_to, e.edited_at, e.deleted_at
    FROM unnest($3::uuid[], $4::uuid[], $5::uuid[]) AS n (conversation_id, author_id, client_id)
    CROSS JOIN LATERAL (
        SELECT * FROM chat_entries e
        WHERE e.conversation_id = n.conversation_id AND e.author_id = n.author_id
            AND e.client_id = n.client_id LIMIT 1) AS e
    UNION ALL
    SELECT 3, e.conversation_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        e.message_id, NULL, NULL, NULL, NULL, NULL
    FROM unnest($6::uuid[]) AS n (message_id)
    CROSS JOIN LATERAL (
        SELECT * FROM chat_entries e WHERE e.message_id = n.message_id LIMIT 1) AS e";

/// Begins the transaction, makes rows for the groups that are to be made, and locks the conversations in the order of
/// their ids. One text for one round trip, in which ids are all that varies.
pub(super) fn begin_and_lock(needed: &Needed) -> String {
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
    ON CONFLICT (id) DO NOTHING RETURNING true AS made, id;"
            ),
        );
    }
    let conversations = array(needed.conversations.iter().map(|id| id.as_uuid()));
    push(
        &mut sql,
        format_args!(
            "
    SELECT false AS made, id, kind, title, head_seq, last_message_seq, last_activity_at,
        member_count, owner_count
    FROM chat_conversations WHERE id = ANY ({conversations}) ORDER BY id FOR NO KEY UPDATE"
        ),
    );
    sql
}

/// Writing to a `String` cannot fail.
fn push(sql: &mut String, text: impl Display) {
    let _ = write!(sql, "{text}");
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

/// Runs what [`begin_and_lock`] made.
pub(super) async fn lock(
    connection: &mut PgConnection,
    begin_and_lock: &str,
) -> sqlx::Result<Vec<PgRow>> {
    sqlx::raw_sql(AssertSqlSafe(begin_and_lock.to_owned()))
        .fetch_all(connection)
        .await
}

/// Reads what the locks protect: `locked` is the answer of [`lock`].
pub(super) async fn load(
    connection: &mut PgConnection,
    needed: &Needed,
    locked: &[PgRow],
) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for row in locked.iter().filter(|row| !is_made(row)) {
        loaded
            .conversations
            .insert(row.conversation_id("id")?, head(row)?);
    }
    // Their rows are there so that whoever makes the same group waits; the groups are not yet.
    for row in locked.iter().filter(|row| is_made(row)) {
        loaded.conversations.remove(&row.conversation_id("id")?);
    }
    let uuids = |ids: &mut dyn Iterator<Item = Uuid>| ids.collect::<Vec<_>>();
    let rows = sqlx::query(LOAD)
        .bind(uuids(&mut needed.members.iter().map(|(id, _)| id.as_uuid())))
        .bind(uuids(&mut needed.members.iter().map(|(_, it)| it.as_uuid())))
        .bind(uuids(&mut needed.sends.iter().map(|(id, _, _)| id.as_uuid())))
        .bind(uuids(&mut needed.sends.iter().map(|(_, it, _)| it.as_uuid())))
        .bind(uuids(&mut needed.sends.iter().map(|(_, _, it)| it.as_uuid())))
        .bind(uuids(&mut needed.replied.iter().map(|id| id.as_uuid())))
        .fetch_all(connection)
        .await
        .map_err(store_error)?;
    for row in &rows {
        let conversation = row.conversation_id("conversation_id")?;
        match row.try_get("what").map_err(store_error)? {
            MEMBER => {
                let key = (conversation, row.user_id("user_id")?);
                loaded.members.insert(key, place(row)?);
            }
            SEND => {
                let sent = row.message()?;
                let key = (conversation, sent.sender_id, sent.client_id);
                loaded.sends.insert(key, sent);
            }
            REPLIED => {
                let replied = row.message_id("message_id")?;
                loaded.replied.insert((conversation, replied));
            }
            other => return Err(corrupt("what", other)),
        }
    }
    Ok(loaded)
}

fn is_made(row: &PgRow) -> bool {
    row.try_get("made").unwrap_or(false)
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
