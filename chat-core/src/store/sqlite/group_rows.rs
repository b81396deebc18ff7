//! The rows of one group in the lists of many members: what they share is read once.

use sqlx::{SqliteConnection, SqlitePool, sqlite::SqliteRow};

use super::{encode, error::store_error};
use crate::{
    model::{ConversationId, Seq, Unread, UserId},
    store::{
        GroupRows, MemberRow, StoreError,
        columns::{Columns, number},
        recent::{self, Recent},
    },
};

pub(super) const CONVERSATION: &str = "
    SELECT c.id AS row_id, c.kind AS conversation_kind, c.title AS conversation_title,
        c.topic AS conversation_topic, c.history AS conversation_history, c.member_count, c.head_seq,
        c.last_activity_at, e.*
    FROM chat_conversations c LEFT JOIN chat_entries e
        ON e.conversation_id = c.id AND e.seq = c.last_message_seq
    WHERE c.id = ?1";

/// ?2 is a JSON array of ids in hexadecimal.
pub(super) const PLACES: &str = "
    SELECT m.user_id, m.role AS my_role, m.read_seq, m.rev, m.pinned, m.muted, m.archived, m.notify, m.history_from,
        (SELECT count(*) FROM chat_mentions n
            WHERE n.conversation_id = ?1 AND n.user_id = m.user_id AND n.seq > m.read_seq) AS calls
    FROM json_each(?2) j CROSS JOIN chat_members m
        ON m.conversation_id = ?1 AND m.user_id = unhex(j.value) AND m.active = 1";

pub(super) const RECENT: &str = "
    SELECT seq, author_id FROM chat_entries
    WHERE conversation_id = ?1 AND seq > ?2 AND kind = 0 AND deleted_at IS NULL
    ORDER BY seq DESC LIMIT ?3";

/// Those that call everyone.
pub(super) const CALLS: &str = "
    SELECT seq, author_id FROM chat_mentions
    WHERE conversation_id = ?1 AND user_id = zeroblob(16) AND seq > ?2 ORDER BY seq";

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
        let me = place.mine()?;
        members.push((place.user_id("user_id")?, me, place.number("calls")?));
    }
    let oldest = members.iter().map(|(_, me, _)| me.read_seq).min();
    let oldest = oldest.unwrap_or(Seq::MAX);
    let recent = recent(&mut snapshot, conversation, oldest).await?;
    let to_everyone = to_everyone(&mut snapshot, conversation, oldest).await?;
    snapshot.commit().await.map_err(store_error)?;

    let newest = shared.last_message.as_ref().map(|message| message.seq);
    let mut rows = Vec::with_capacity(members.len());
    let mut left_out = Vec::new();
    for (user_id, me, calls) in members {
        let sees_newest = newest.is_none_or(|newest| newest >= me.history_from);
        match recent.unread(user_id, me.read_seq) {
            Some(unread) if sees_newest => rows.push(MemberRow {
                user_id,
                unread: Unread {
                    mentions: calls + calls_by_others(&to_everyone, user_id, me.read_seq),
                    ..unread
                },
                me,
            }),
            _ => left_out.push(user_id),
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
    Ok(Recent::new(senders(&messages)?))
}

/// Ascending.
async fn to_everyone(
    snapshot: &mut SqliteConnection,
    conversation: ConversationId,
    after: Seq,
) -> Result<Vec<(Seq, UserId)>, StoreError> {
    let calls = sqlx::query(CALLS)
        .bind(conversation.as_uuid())
        .bind(number(after))
        .fetch_all(snapshot)
        .await
        .map_err(store_error)?;
    senders(&calls)
}

fn senders(messages: &[SqliteRow]) -> Result<Vec<(Seq, UserId)>, StoreError> {
    let sender = |row: &SqliteRow| Ok((row.number("seq")?, row.user_id("author_id")?));
    messages.iter().map(sender).collect()
}

fn calls_by_others(ascending: &[(Seq, UserId)], user: UserId, read_seq: Seq) -> u64 {
    let unread = ascending.partition_point(|(seq, _)| *seq <= read_seq);
    let unread = ascending[unread..].iter();
    unread.filter(|(_, author)| *author != user).count() as u64
}
