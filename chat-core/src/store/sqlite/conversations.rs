//! Members, conversation lists and read cursors.

use sqlx::sqlite::SqliteRow;

use super::{SqliteStore, encode, error::store_error, group_rows};
use crate::{
    model::{ConversationId, Membership, Seq, Timestamp, UserId},
    store::{
        ConversationStore, GroupRows, RowPlace, StoreError, StoredRow,
        columns::{Columns, direct_pair, number},
    },
};

/// The rows of user ?1 in the conversations that `$page` picks.
///
/// What a row costs beyond being picked is paid for those only. The count of unread messages stops one past
/// `Unread::CAP`.
macro_rules! rows {
    ($page:literal) => {
        concat!(
            "
    WITH page (row_id) AS MATERIALIZED (",
            $page,
            ")
    SELECT row_id, c.kind AS conversation_kind, c.title AS conversation_title, c.topic AS conversation_topic,
        c.history AS conversation_history, c.direct_pair, c.member_count, c.head_seq, c.last_activity_at,
        m.role AS my_role, m.read_seq, m.rev, m.pinned, m.muted, m.archived, m.notify, m.history_from, e.*,
        (SELECT count(*) FROM (
            SELECT 1 FROM chat_entries u
            WHERE u.conversation_id = row_id AND u.seq > m.read_seq
                AND u.kind = 0 AND u.author_id <> ?1 AND u.deleted_at IS NULL
            LIMIT 1001)) AS unread,
        (SELECT count(*) FROM chat_mentions n
            WHERE n.conversation_id = row_id AND n.user_id IN (?1, zeroblob(16)) AND n.seq > m.read_seq
                AND n.author_id <> ?1) AS unread_mentions
    FROM page
    CROSS JOIN chat_members m ON m.conversation_id = row_id AND m.user_id = ?1 AND m.active = 1
    CROSS JOIN chat_conversations c ON c.id = row_id
    LEFT JOIN chat_entries e ON e.conversation_id = row_id AND e.seq = c.last_message_seq
        AND e.seq >= m.history_from
    ORDER BY m.pinned DESC, c.last_activity_at DESC, row_id DESC"
        )
    };
}

/// Whoever has many conversations has them all compared for a page: writing each one's activity beside every member, to
/// read it in order, would cost a send as much as its conversation has members. It takes one read of an index and one of
/// the conversations.
pub(super) const ROWS: &str = rows!(
    "
        SELECT c.id FROM chat_members m CROSS JOIN chat_conversations c ON c.id = m.conversation_id
        WHERE m.user_id = ?1 AND m.active = 1 AND (c.kind = 1 OR c.last_message_seq > 0 OR m.opened = 1)
            AND (?2 IS NULL OR (m.pinned, c.last_activity_at, c.id) < (?2, ?3, ?4))
        ORDER BY m.pinned DESC, c.last_activity_at DESC, c.id DESC LIMIT ?5"
);

/// ?2 is a JSON array of ids in hexadecimal.
pub(super) const ROWS_OF: &str = rows!("SELECT DISTINCT unhex(value) FROM json_each(?2)");

pub(super) const ROW_HEADS: &str = "
    SELECT c.id, c.head_seq, m.rev
    FROM chat_members m CROSS JOIN chat_conversations c ON c.id = m.conversation_id
    WHERE m.user_id = ?1 AND m.active = 1 AND (c.kind = 1 OR c.last_message_seq > 0 OR m.opened = 1)";

pub(super) const MEMBER_IDS: &str = "
    SELECT c.head_seq, m.user_id
    FROM chat_conversations c LEFT JOIN chat_members m ON m.conversation_id = c.id AND m.active = 1
    WHERE c.id = ?1";

pub(super) const MEMBERS: &str = "
    SELECT * FROM chat_members
    WHERE conversation_id = ?1 AND user_id > ?2 AND active = 1 ORDER BY user_id LIMIT ?3";

pub(super) const SHARING_WITH: &str = "
    SELECT DISTINCT unhex(o.value) AS user_id FROM json_each(?2) o
    WHERE unhex(o.value) = ?1 OR EXISTS (
        SELECT 1 FROM chat_members a CROSS JOIN chat_members b
            ON b.conversation_id = a.conversation_id AND b.user_id = unhex(o.value) AND b.active = 1
        WHERE a.user_id = ?1 AND a.active = 1)";

pub(super) const MEMBERSHIP: &str = "
    SELECT * FROM chat_members
    WHERE conversation_id = ?1 AND user_id = ?2 AND active = 1";

pub(super) const READERS: &str = "
    SELECT * FROM chat_members
    WHERE conversation_id = ?1 AND user_id > ?2 AND active = 1 AND shown_seq >= ?4 ORDER BY user_id LIMIT ?3";

pub(super) const BANNED: &str = "
    SELECT user_id FROM chat_members
    WHERE conversation_id = ?1 AND user_id > ?2 AND banned = 1 ORDER BY user_id LIMIT ?3";

/// Makes the conversation of a pair if there is none, and opens it to one of them.
const DIRECT: &str = "BEGIN IMMEDIATE;
    INSERT INTO chat_conversations (id, direct_pair, last_activity_at, member_count,
        kind, head_seq, last_message_seq, owner_count)
    VALUES (?, ?, ?, json_array_length(?), 0, 0, 0, 0) ON CONFLICT (direct_pair) DO NOTHING;
    INSERT INTO chat_members (conversation_id, user_id, role, active, read_seq, rev)
    SELECT c.id, unhex(j.value), 0, 1, 0, 1
    FROM chat_conversations c CROSS JOIN json_each(?) j WHERE c.id = ?;
    UPDATE chat_members SET opened = 1 WHERE user_id = ? AND opened = 0
        AND conversation_id = (SELECT id FROM chat_conversations WHERE direct_pair = ?);
    SELECT id FROM chat_conversations WHERE direct_pair = ?;
    COMMIT";

impl ConversationStore for SqliteStore {
    async fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Result<(ConversationId, bool), StoreError> {
        let new = ConversationId::new();
        let pair = direct_pair(user, peer);
        let mut members = vec![user, peer];
        members.dedup();
        let members = encode::ids(members.iter().map(|id| id.as_uuid()));
        let direct = sqlx::query(DIRECT)
            .bind(new.as_uuid())
            .bind(&pair)
            .bind(at.as_millis())
            .bind(&members)
            .bind(&members)
            .bind(new.as_uuid())
            .bind(user.as_uuid())
            .bind(&pair)
            .bind(&pair);
        let results = self.writer.run(direct).await?;
        let row = results.iter().flatten().next();
        let row = row.ok_or_else(|| StoreError::Corrupt("a conversation is not there".into()))?;
        let id = row.conversation_id("id")?;
        Ok((id, id == new))
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Membership>, StoreError> {
        let row = sqlx::query(MEMBERSHIP)
            .bind(conversation.as_uuid())
            .bind(user.as_uuid())
            .fetch_optional(&self.reader)
            .await
            .map_err(store_error)?;
        row.map(|row| row.membership()).transpose()
    }

    async fn member_ids(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Seq, Vec<UserId>)>, StoreError> {
        let rows = sqlx::query(MEMBER_IDS)
            .bind(conversation.as_uuid())
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let head = first.number("head_seq")?;
        let mut ids = Vec::with_capacity(rows.len());
        for row in &rows {
            // A group that all have left is one row without a member.
            if let Some(id) = row.uuid("user_id")? {
                ids.push(UserId::from_uuid(id));
            }
        }
        Ok(Some((head, ids)))
    }

    async fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        let rows = sqlx::query(MEMBERS)
            .bind(conversation.as_uuid())
            .bind(encode::after(after))
            .bind(number(limit))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(Columns::membership).collect()
    }

    async fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Result<Vec<StoredRow>, StoreError> {
        let rows = sqlx::query(ROWS)
            .bind(user.as_uuid())
            .bind(after.map(|place| place.pinned))
            .bind(after.map(|place| place.last_activity_at.as_millis()))
            .bind(after.map(|place| place.id.as_uuid()))
            .bind(number(limit))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| row.row(user)).collect()
    }

    async fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<StoredRow>, StoreError> {
        let rows = sqlx::query(ROWS_OF)
            .bind(user.as_uuid())
            .bind(encode::ids(conversations.iter().map(|id| id.as_uuid())))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| row.row(user)).collect()
    }

    async fn group_rows(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Option<GroupRows>, StoreError> {
        let found = group_rows::group_rows(&self.reader, conversation, users).await?;
        let Some((mut group, left_out)) = found else {
            return Ok(None);
        };
        for user in left_out {
            let rows = self.rows_of(user, &[conversation]).await?;
            group.rows.extend(rows.into_iter().map(|row| row.of(user)));
        }
        Ok(Some(group))
    }

    async fn readers(
        &self,
        conversation: ConversationId,
        seq: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        let rows = sqlx::query(READERS)
            .bind(conversation.as_uuid())
            .bind(encode::after(after))
            .bind(number(limit))
            .bind(number(seq))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(Columns::membership).collect()
    }

    async fn banned(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let rows = sqlx::query(BANNED)
            .bind(conversation.as_uuid())
            .bind(encode::after(after))
            .bind(number(limit))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| row.user_id("user_id")).collect()
    }

    async fn row_heads(&self, user: UserId) -> Result<Vec<(ConversationId, Seq, u64)>, StoreError> {
        let rows = sqlx::query(ROW_HEADS)
            .bind(user.as_uuid())
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        let head = |row: &SqliteRow| {
            Ok((
                row.conversation_id("id")?,
                row.number("head_seq")?,
                row.number("rev")?,
            ))
        };
        rows.iter().map(head).collect()
    }

    async fn sharing_with(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let rows = sqlx::query(SHARING_WITH)
            .bind(user.as_uuid())
            .bind(encode::ids(others.iter().map(|id| id.as_uuid())))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| row.user_id("user_id")).collect()
    }
}
