//! The rows of one group in the lists of many members, with one statement.

use sqlx::{Decode, Postgres, Row as _, Type, postgres::PgRow};
use uuid::Uuid;

use super::{PostgresStore, error::store_error};
use crate::{
    model::{ConversationId, Mine, Seq, UserId},
    store::{
        GroupRows, MemberRow, StoreError,
        columns::{Columns, corrupt, number, role},
        recent::{self, Recent},
    },
};

/// What all share stands once, what each member has for themselves in arrays of one order.
pub(super) const GROUP_ROWS: &str = "
    SELECT c.id AS row_id, c.kind AS conversation_kind, c.title AS conversation_title,
        c.member_count, c.head_seq, c.last_activity_at, e.*, places.*, recent.*
    FROM chat_conversations c LEFT JOIN chat_entries e
        ON e.conversation_id = c.id AND e.seq = c.last_message_seq
    CROSS JOIN LATERAL (
        SELECT array_agg(m.user_id) AS my_ids, array_agg(m.role) AS my_roles,
            array_agg(m.read_seq) AS my_read_seqs, array_agg(m.rev) AS my_revs,
            array_agg(m.pinned) AS my_pinned, array_agg(m.muted) AS my_muted,
            array_agg(m.archived) AS my_archived, min(m.read_seq) AS oldest
        FROM unnest($2::uuid[]) AS asked (id) CROSS JOIN LATERAL (
            SELECT * FROM chat_members m
            WHERE m.conversation_id = c.id AND m.user_id = asked.id AND m.active LIMIT 1) AS m
    ) AS places
    CROSS JOIN LATERAL (
        SELECT array_agg(u.seq) AS recent_seqs, array_agg(u.author_id) AS recent_authors
        FROM (
            SELECT seq, author_id FROM chat_entries u
            WHERE u.conversation_id = c.id AND u.seq > places.oldest
                AND u.kind = 0 AND u.deleted_at IS NULL
            ORDER BY seq DESC LIMIT $3) AS u
    ) AS recent
    WHERE c.id = $1";

impl PostgresStore {
    /// Members whose unread cannot be told from the newest messages are left out, and named beside the rows.
    pub(super) async fn rows_of_group(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Option<(GroupRows, Vec<UserId>)>, StoreError> {
        let users: Vec<_> = users.iter().map(|id| id.as_uuid()).collect();
        let query = || {
            sqlx::query(GROUP_ROWS)
                .bind(conversation.as_uuid())
                .bind(&users)
                .bind(number(recent::MOST))
        };
        let rows = self.connections.fetch(query).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let recent = recent(row)?;
        let mut group = GroupRows {
            conversation: row.conversation()?,
            rows: Vec::with_capacity(users.len()),
        };
        let mut left_out = Vec::new();
        for (user_id, me) in places(row)? {
            match recent.unread(user_id, me.read_seq) {
                Some(unread) => group.rows.push(MemberRow {
                    user_id,
                    me,
                    unread,
                }),
                None => left_out.push(user_id),
            }
        }
        Ok(Some((group, left_out)))
    }
}

fn places(row: &PgRow) -> Result<Vec<(UserId, Mine)>, StoreError> {
    let ids: Vec<Uuid> = array(row, "my_ids")?;
    let roles: Vec<i64> = array(row, "my_roles")?;
    let read_seqs: Vec<i64> = array(row, "my_read_seqs")?;
    let revs: Vec<i64> = array(row, "my_revs")?;
    let pinned: Vec<bool> = array(row, "my_pinned")?;
    let muted: Vec<bool> = array(row, "my_muted")?;
    let archived: Vec<bool> = array(row, "my_archived")?;
    let mine = |n: usize| {
        Ok((
            UserId::from_uuid(ids[n]),
            Mine {
                role: role("my_roles", roles[n])?,
                read_seq: count("my_read_seqs", read_seqs[n])?,
                rev: count("my_revs", revs[n])?,
                pinned: pinned[n],
                muted: muted[n],
                archived: archived[n],
            },
        ))
    };
    (0..ids.len()).map(mine).collect()
}

fn recent(row: &PgRow) -> Result<Recent, StoreError> {
    let seqs: Vec<i64> = array(row, "recent_seqs")?;
    let authors: Vec<Uuid> = array(row, "recent_authors")?;
    let messages = seqs.into_iter().zip(authors).map(|(seq, author)| {
        let seq: Seq = count("recent_seqs", seq)?;
        Ok((seq, UserId::from_uuid(author)))
    });
    Ok(Recent::new(
        messages.collect::<Result<Vec<_>, StoreError>>()?,
    ))
}

/// All arrays of a group are of one length; of nothing, they are NULL.
fn array<'r, T>(row: &'r PgRow, column: &str) -> Result<Vec<T>, StoreError>
where
    Vec<T>: Decode<'r, Postgres> + Type<Postgres>,
{
    let array: Option<Vec<T>> = row.try_get(column).map_err(store_error)?;
    Ok(array.unwrap_or_default())
}

fn count(column: &str, value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_negative| corrupt(column, value))
}
