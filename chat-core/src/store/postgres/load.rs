//! What a batch depends on: locked if need be, and read in one round trip.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::error::store_error;
use crate::{
    model::ConversationId,
    store::{
        StoreError,
        columns::{Columns, corrupt},
        decide::{Loaded, Needed},
    },
};

const CONVERSATION: i32 = 1;
const MEMBER: i32 = 2;
const SEND: i32 = 3;
const REPLIED: i32 = 4;

/// Conversations, members, earlier sends and messages replied to, in one snapshot. Whatever is asked for, each is one look
/// into an index: what is in the way of another plan are the limits.
pub(super) const LOAD: &str = "
    SELECT 1 AS what, c.id AS conversation_id, c.kind, c.title, c.head_seq, c.last_message_seq,
        c.last_activity_at, c.member_count, c.owner_count, NULL::uuid AS user_id, NULL::bigint AS role,
        NULL::boolean AS active, NULL::bigint AS read_seq, NULL::bigint AS rev, NULL::bigint AS seq,
        NULL::bigint AS at, NULL::uuid AS author_id, NULL::uuid AS message_id, NULL::uuid AS client_id,
        NULL::text AS body, NULL::uuid AS reply_to, NULL::bigint AS edited_at, NULL::bigint AS deleted_at
    FROM unnest($1::uuid[]) AS n (id)
    CROSS JOIN LATERAL (SELECT * FROM chat_conversations c WHERE c.id = n.id LIMIT 1) AS c
    UNION ALL
    SELECT 2, m.conversation_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, m.user_id, m.role, m.active,
        m.read_seq, m.rev, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
    FROM unnest($2::uuid[], $3::uuid[]) AS n (conversation_id, user_id)
    CROSS JOIN LATERAL (
        SELECT * FROM chat_members m
        WHERE m.conversation_id = n.conversation_id AND m.user_id = n.user_id LIMIT 1) AS m
    UNION ALL
    SELECT 3, e.conversation_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        e.seq, e.at, e.author_id, e.message_id, e.client_id, e.body, e.reply_to, e.edited_at, e.deleted_at
    FROM unnest($4::uuid[], $5::uuid[], $6::uuid[]) AS n (conversation_id, author_id, client_id)
    CROSS JOIN LATERAL (
        SELECT * FROM chat_entries e
        WHERE e.conversation_id = n.conversation_id AND e.author_id = n.author_id
            AND e.client_id = n.client_id LIMIT 1) AS e
    UNION ALL
    SELECT 4, e.conversation_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, e.message_id, NULL, NULL, NULL, NULL, NULL
    FROM unnest($7::uuid[]) AS n (message_id)
    CROSS JOIN LATERAL (
        SELECT * FROM chat_entries e WHERE e.message_id = n.message_id LIMIT 1) AS e";

/// Begins a transaction whose statements each see what was committed before they began, whatever the connections of
/// somebody's pool may have been told; makes rows for the groups that are to be made; and locks the conversations in the
/// order of their ids. Answers which groups there were not. One text for one round trip, in which ids are all that varies.
pub(super) async fn begin_and_lock(
    connection: &mut PgConnection,
    needed: &Needed,
) -> sqlx::Result<BTreeSet<ConversationId>> {
    let groups = array(needed.groups.iter());
    let conversations = array(needed.conversations.iter());
    let statements = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
        INSERT INTO chat_conversations
            (id, kind, head_seq, last_message_seq, last_activity_at, member_count, owner_count)
        SELECT id, 1, 0, 0, 0, 0, 0 FROM unnest({groups}) AS id ORDER BY id
        ON CONFLICT (id) DO NOTHING RETURNING id;
        SELECT NULL::uuid AS id FROM unnest({conversations}) AS n (id)
        CROSS JOIN LATERAL (
            SELECT FROM chat_conversations c WHERE c.id = n.id FOR NO KEY UPDATE) AS c"
    );
    let rows = sqlx::raw_sql(AssertSqlSafe(statements))
        .fetch_all(connection)
        .await?;
    let mut made = BTreeSet::new();
    for row in rows {
        let id: Option<Uuid> = row.try_get("id")?;
        made.extend(id.map(ConversationId::from_uuid));
    }
    Ok(made)
}

fn array<'i>(ids: impl Iterator<Item = &'i ConversationId>) -> String {
    let ids: Vec<_> = ids.map(|id| id.as_uuid().simple().to_string()).collect();
    format!("'{{{}}}'::uuid[]", ids.join(","))
}

/// Runs [`LOAD`].
pub(super) async fn load(
    connection: &mut PgConnection,
    needed: &Needed,
) -> sqlx::Result<Vec<PgRow>> {
    let uuids = |ids: &mut dyn Iterator<Item = Uuid>| ids.collect::<Vec<_>>();
    let (conversations, members) = (&needed.conversations, &needed.members);
    let (sends, replied) = (&needed.sends, &needed.replied);
    sqlx::query(LOAD)
        .bind(uuids(&mut conversations.iter().map(|id| id.as_uuid())))
        .bind(uuids(&mut members.iter().map(|(id, _)| id.as_uuid())))
        .bind(uuids(&mut members.iter().map(|(_, user)| user.as_uuid())))
        .bind(uuids(&mut sends.iter().map(|(id, _, _)| id.as_uuid())))
        .bind(uuids(&mut sends.iter().map(|(_, user, _)| user.as_uuid())))
        .bind(uuids(&mut sends.iter().map(|(_, _, name)| name.as_uuid())))
        .bind(uuids(&mut replied.iter().map(|id| id.as_uuid())))
        .fetch_all(connection)
        .await
}

/// What the answer to [`LOAD`] says.
pub(super) fn loaded(rows: &[PgRow]) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    for row in rows {
        let conversation = row.conversation_id("conversation_id")?;
        match row.try_get("what").map_err(store_error)? {
            CONVERSATION => {
                loaded.conversations.insert(conversation, row.head()?);
            }
            MEMBER => {
                let key = (conversation, row.user_id("user_id")?);
                loaded.members.insert(key, row.place()?);
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
