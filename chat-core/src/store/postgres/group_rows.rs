//! The rows of one group in the lists of many members, with one statement.

use sqlx::{Decode, Postgres, Row as _, Type, postgres::PgRow};
use uuid::Uuid;

use super::{PostgresStore, decode::message_columns, error::store_error};
use crate::{
    model::{ConversationId, Mine, Seq, Unread, UserId},
    store::{
        GroupRows, MemberRow, StoreError,
        columns::{Columns, corrupt, notify as notify_of, number, role},
        recent::{self, Recent},
    },
};

/// What all share stands once, what each member has for themselves in arrays of one order. The nil UUID is called with
/// everyone.
pub(super) const GROUP_ROWS: &str = concat!(
    "
    SELECT c.id AS row_id, c.kind AS conversation_kind, c.title AS conversation_title,
        c.topic AS conversation_topic, c.history AS conversation_history, c.member_count, c.head_seq,
        c.last_message_seq, c.last_activity_at, places.*, recent.*, calls.*, ",
    message_columns!("e"),
    " FROM chat_conversations c LEFT JOIN chat_entries e
        ON e.conversation_id = c.id AND e.seq = c.last_message_seq
    CROSS JOIN LATERAL (
        SELECT array_agg(m.user_id) AS my_ids, array_agg(m.role) AS my_roles,
            array_agg(m.read_seq) AS my_read_seqs, array_agg(m.rev) AS my_revs,
            array_agg(m.pinned) AS my_pinned, array_agg(m.muted) AS my_muted,
            array_agg(m.archived) AS my_archived, array_agg(m.notify) AS my_notify,
            array_agg(m.history_from) AS my_history_from, array_agg(m.mentions) AS my_mentions,
            min(m.read_seq) AS oldest
        FROM unnest($2::uuid[]) AS asked (id) CROSS JOIN LATERAL (
            SELECT m.*, (
                SELECT count(*) FROM chat_mentions t
                WHERE t.conversation_id = c.id AND t.user_id = asked.id AND t.seq > m.read_seq) AS mentions
            FROM chat_members m
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
    CROSS JOIN LATERAL (
        SELECT array_agg(t.seq) AS call_seqs, array_agg(t.author_id) AS call_authors
        FROM (
            SELECT seq, author_id FROM chat_mentions t
            WHERE t.conversation_id = c.id AND t.user_id = '00000000-0000-0000-0000-000000000000'
                AND t.seq > places.oldest
            ORDER BY seq) AS t
    ) AS calls
    WHERE c.id = $1"
);

impl PostgresStore {
    /// Members who do not see the newest message, or whose unread cannot be told from the newest ones, are left out and named
    /// beside the rows.
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
        let last_message_seq = row.number("last_message_seq")?;
        let recent = Recent::new(messages(row, "recent_seqs", "recent_authors")?);
        let calls = messages(row, "call_seqs", "call_authors")?;
        let mut group = GroupRows {
            conversation: row.conversation()?,
            rows: Vec::with_capacity(users.len()),
        };
        let mut left_out = Vec::new();
        for (user_id, me, called_by_name) in places(row)? {
            let sees_newest = last_message_seq == 0 || last_message_seq >= me.history_from;
            let unread = recent.unread(user_id, me.read_seq);
            let Some(unread) = unread.filter(|_| sees_newest) else {
                left_out.push(user_id);
                continue;
            };
            let unread = Unread {
                mentions: called_by_name + calls_to(user_id, me.read_seq, &calls),
                ..unread
            };
            group.rows.push(MemberRow {
                user_id,
                me,
                unread,
            });
        }
        Ok(Some((group, left_out)))
    }
}

/// How many of the calls to everyone, which are in the order of the log, somebody has not read and has not made.
fn calls_to(user: UserId, read_seq: Seq, calls: &[(Seq, UserId)]) -> u64 {
    let unread = &calls[calls.partition_point(|(seq, _)| *seq <= read_seq)..];
    unread.iter().filter(|(_, author)| *author != user).count() as u64
}

/// Each member's own half, and how often they are called by name in what they have not read.
fn places(row: &PgRow) -> Result<Vec<(UserId, Mine, u64)>, StoreError> {
    let ids: Vec<Uuid> = array(row, "my_ids")?;
    let roles: Vec<i64> = array(row, "my_roles")?;
    let read_seqs: Vec<i64> = array(row, "my_read_seqs")?;
    let revs: Vec<i64> = array(row, "my_revs")?;
    let pinned: Vec<bool> = array(row, "my_pinned")?;
    let muted: Vec<bool> = array(row, "my_muted")?;
    let archived: Vec<bool> = array(row, "my_archived")?;
    let notify: Vec<i64> = array(row, "my_notify")?;
    let history_from: Vec<i64> = array(row, "my_history_from")?;
    let mentions: Vec<i64> = array(row, "my_mentions")?;
    let mine = |n: usize| {
        let mine = Mine {
            role: role("my_roles", roles[n])?,
            read_seq: count("my_read_seqs", read_seqs[n])?,
            rev: count("my_revs", revs[n])?,
            pinned: pinned[n],
            muted: muted[n],
            archived: archived[n],
            notify: notify_of("my_notify", notify[n])?,
            history_from: count("my_history_from", history_from[n])?,
        };
        let mentions = count("my_mentions", mentions[n])?;
        Ok((UserId::from_uuid(ids[n]), mine, mentions))
    };
    (0..ids.len()).map(mine).collect()
}

fn messages(row: &PgRow, seqs: &str, authors: &str) -> Result<Vec<(Seq, UserId)>, StoreError> {
    let places: Vec<i64> = array(row, seqs)?;
    let authors: Vec<Uuid> = array(row, authors)?;
    let messages = places.into_iter().zip(authors);
    let message = |(seq, author)| Ok((count(seqs, seq)?, UserId::from_uuid(author)));
    messages.map(message).collect()
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
