//! The rows of one group in the lists of many members: what they share is read once.

use sqlx::{SqliteConnection, SqlitePool};

use super::{encode, error::store_error};
use crate::{
    model::{ConversationId, Seq, UserId},
    store::{
        GroupRows, MemberRow, StoreError,
        columns::{Columns, number},
        recent::{self, Recent},
    },
};

pub(super) const CONVERSATION: &str = "
    SELECT c.id AS row_id, c.kind AS conversation_kind, c.title AS conversation_title,
        c.member_count, c.head_seq, c.last_activity_at, e.*
    FROM chat_conversations c LEFT JOIN chat_entries e
        ON e.conversation_id = c.id AND e.seq = c.last_message_seq
    WHERE c.id = ?1";

/// ?2 is a JSON array of ids in hexadecimal.
pub(super) const PLACES: &str = "
    SELECT m.user_id, m.role AS my_role, m.read_seq, m.rev, m.pinned, m.muted, m.archived
    FROM json_each(?2) j CROSS JOIN chat_members m
        ON m.conversation_id = ?1 AND m.user_id = unhex(j.value) AND m.active = 1";

pub(super) const RECENT: &str = "
    SELECT seq, author_id FROM chat_entries
    WHERE conversation_id = ?1 AND seq > ?2 AND kind = 0 AND deleted_at IS NULL
    ORDER BY seq DESC LIMIT ?3";

/// All in one transaction, so that the parts of a row fit together. Members whose unread cannot be told from the newest
/// messages are left out, and named beside the rows.
pub(super) async fn group_rows(
    pool: &SqlitePool,
    conversation: ConversationId,
    users: &[UserId],
) -> Result<Option<(GroupRows, Vec<UserId>)>, StoreError> {
    let mut snapshot = pool.begin().await.map_err(store_error)?;
    let row = sqlx::query(CONVERSATION)
        .bind(conversation.as_uuid())
        .fetch_optional(&mut *snapshot)
        .await
        .map_err(store_error)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let shared = row.conversation()?;
    let places = sqlx::query(PLACES)
        .bind(conversation.as_uuid())
        .bind(encode::ids(users.iter().map(|id| id.as_uuid())))
        .fetch_all(&mut *snapshot)
        .await
        .map_err(store_error)?;
    let mut members = Vec::with_capacity(places.len());
    for place in &places {
        members.push((place.user_id("user_id")?, place.mine()?));
    }
    let oldest = members.iter().map(|(_, me)| me.read_seq).min();
    let recent = recent(&mut snapshot, conversation, oldest.unwrap_or(Seq::MAX)).await?;
    snapshot.commit().await.map_err(store_error)?;

    let mut rows = Vec::with_capacity(members.len());
    let mut left_out = Vec::new();
    for (user_id, me) in members {
        match recent.unread(user_id, me.read_seq) {
            Some(unread) => rows.push(MemberRow {
                user_id,
                me,
                unread,
            }),
            None => left_out.push(user_id),
        }
    }
    let group = GroupRows {
        conversation: shared,
        rows,
    };
    Ok(Some((group, left_out)))
}

async fn recent(
    snapshot: &mut SqliteConnection,
    conversation: ConversationId,
    after: Seq,
) -> Result<Recent, StoreError> {
    let messages = sqlx::query(RECENT)
        .bind(conversation.as_uuid())
        .bind(number(after))
        .bind(number(recent::MOST))
        .fetch_all(snapshot)
        .await
        .map_err(store_error)?;
    let mut newest_first = Vec::with_capacity(messages.len());
    for message in &messages {
        newest_first.push((message.number("seq")?, message.user_id("author_id")?));
    }
    Ok(Recent::new(newest_first))
}
