//! Members, conversation lists and direct conversations.

use sqlx::postgres::PgRow;

use super::{
    PostgresStore,
    decode::message_columns,
    users::{first_after, user_ids},
};
use crate::{
    model::{ConversationId, Membership, Seq, Timestamp, UserId},
    store::{
        ConversationStore, GroupRows, RowHead, RowPlace, StoreError, StoredRow,
        columns::{Columns, corrupt, direct_pair, number},
    },
};

/// The rows that `$page` picks from the memberships `m` of user $1 and their conversations `c`.
///
/// What a row costs beyond that (its newest message, the count of unread ones) is paid for the picked ones only. The
/// count stops one past `Unread::CAP`. The nil UUID is called with everyone.
macro_rules! rows {
    ($page:literal) => {
        concat!(
            "
    WITH page AS MATERIALIZED (
        SELECT c.id AS row_id, c.kind AS conversation_kind, c.title AS conversation_title,
            c.topic AS conversation_topic, c.history AS conversation_history, c.direct_pair,
            c.member_count, c.head_seq, c.last_message_seq, c.last_activity_at, m.role AS my_role,
            m.read_seq, m.rev, m.pinned, m.muted, m.archived, m.notify, m.history_from
        FROM chat_members m CROSS JOIN LATERAL (
            SELECT * FROM chat_conversations c WHERE c.id = m.conversation_id LIMIT 1) AS c
        WHERE m.user_id = $1 AND m.active AND ",
            $page,
            ")
    SELECT page.*, ",
            message_columns!("e"),
            ", (SELECT count(*) FROM (
        SELECT 1 FROM chat_entries u
        WHERE u.conversation_id = page.row_id AND u.seq > page.read_seq
            AND u.kind = 0 AND u.author_id <> $1 AND u.deleted_at IS NULL
        LIMIT 1001) AS counted) AS unread, (
        SELECT count(*) FROM chat_mentions t
        WHERE t.conversation_id = page.row_id AND t.seq > page.read_seq AND t.author_id <> $1
            AND t.user_id IN ($1, '00000000-0000-0000-0000-000000000000')) AS unread_mentions
    FROM page LEFT JOIN chat_entries e ON e.conversation_id = page.row_id
        AND e.seq = page.last_message_seq AND e.seq >= page.history_from
    ORDER BY page.pinned DESC, page.last_activity_at DESC, page.row_id DESC"
        )
    };
}

pub(super) const ROWS: &str = rows!(
    "(c.kind = 1 OR c.last_message_seq > 0 OR m.opened)
            AND ($2::boolean IS NULL
                OR (m.pinned, c.last_activity_at, c.id) < ($2::boolean, $3::bigint, $4::uuid))
        ORDER BY m.pinned DESC, c.last_activity_at DESC, c.id DESC LIMIT $5"
);

pub(super) const ROWS_OF: &str = rows!("m.conversation_id = ANY ($2::uuid[])");

pub(super) const ROW_HEADS: &str = "
    SELECT c.id, c.head_seq, m.rev
    FROM chat_members m CROSS JOIN LATERAL (
        SELECT * FROM chat_conversations c WHERE c.id = m.conversation_id LIMIT 1) AS c
    WHERE m.user_id = $1 AND m.active AND (c.kind = 1 OR c.last_message_seq > 0 OR m.opened)";

pub(super) const ROW_HEADS_OF: &str = "
    SELECT u.id AS user_id, c.id, c.head_seq, m.rev
    FROM unnest($1::uuid[]) AS u (id)
    CROSS JOIN LATERAL (
        SELECT * FROM chat_members m WHERE m.user_id = u.id AND m.active OFFSET 0) AS m
    CROSS JOIN LATERAL (
        SELECT * FROM chat_conversations c WHERE c.id = m.conversation_id LIMIT 1) AS c
    WHERE c.kind = 1 OR c.last_message_seq > 0 OR m.opened";

pub(super) const MEMBER_IDS: &str = "
    SELECT c.head_seq, m.user_id
    FROM chat_conversations c LEFT JOIN chat_members m ON m.conversation_id = c.id AND m.active
    WHERE c.id = $1";

pub(super) const MEMBERS: &str = "
    SELECT user_id, role, read_seq, shown_seq, delivered_seq, history_from FROM chat_members
    WHERE conversation_id = $1 AND user_id >= $2 AND active ORDER BY user_id LIMIT $3";

pub(super) const READERS: &str = "
    SELECT user_id, role, read_seq, shown_seq, delivered_seq, history_from FROM chat_members
    WHERE conversation_id = $1 AND user_id >= $2 AND active AND shown_seq >= $4
    ORDER BY user_id LIMIT $3";

pub(super) const BANNED: &str = "
    SELECT user_id FROM chat_members
    WHERE conversation_id = $1 AND user_id >= $2 AND banned ORDER BY user_id LIMIT $3";

pub(super) const SHARING_WITH: &str = "
    SELECT DISTINCT o.id AS user_id FROM unnest($2::uuid[]) AS o (id)
    WHERE o.id = $1 OR EXISTS (
        SELECT 1 FROM chat_members a CROSS JOIN LATERAL (
            SELECT 1 FROM chat_members b
            WHERE b.conversation_id = a.conversation_id AND b.user_id = o.id AND b.active LIMIT 1) AS b
        WHERE a.user_id = $1 AND a.active)";

pub(super) const MEMBERSHIP: &str = "
    SELECT user_id, role, read_seq, shown_seq, delivered_seq, history_from FROM chat_members
    WHERE conversation_id = $1 AND user_id = $2 AND active";

/// Marks the conversation of a pair as opened by $2; tells whether there is one.
pub(super) const OPEN_DIRECT: &str = "
    WITH direct AS (SELECT id FROM chat_conversations WHERE direct_pair = $1),
    opened AS (
        UPDATE chat_members m SET opened = true FROM direct
        WHERE m.conversation_id = direct.id AND m.user_id = $2 AND NOT m.opened)
    SELECT id FROM direct";

/// Makes the conversation of a pair, opened by $4, unless somebody else is making it: then it waits for them, and
/// answers nothing.
pub(super) const MAKE_DIRECT: &str = "
    WITH direct AS (
        INSERT INTO chat_conversations (id, kind, direct_pair, head_seq, last_message_seq,
            last_activity_at, member_count, owner_count)
        VALUES ($1, 0, $2, 0, 0, $3, cardinality($5::uuid[]), 0)
        ON CONFLICT (direct_pair) DO NOTHING RETURNING id),
    member AS (
        INSERT INTO chat_members (conversation_id, user_id, role, active, opened, read_seq, rev)
        SELECT direct.id, user_id, 0, true, user_id = $4, 0, 1
        FROM direct, unnest($5::uuid[]) AS user_id)
    SELECT id FROM direct";

fn row_head(row: &PgRow) -> Result<RowHead, StoreError> {
    Ok((
        row.conversation_id("id")?,
        row.number("head_seq")?,
        row.number("rev")?,
    ))
}

impl ConversationStore for PostgresStore {
    async fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Result<(ConversationId, bool), StoreError> {
        let pair = direct_pair(user, peer);
        if let Some(id) = self.open_direct(&pair, user).await? {
            return Ok((id, false));
        }
        let id = ConversationId::new();
        let mut members = vec![user.as_uuid(), peer.as_uuid()];
        members.dedup();
        let query = || {
            sqlx::query(MAKE_DIRECT)
                .bind(id.as_uuid())
                .bind(&pair)
                .bind(at.as_millis())
                .bind(user.as_uuid())
                .bind(&members)
        };
        if !self.connections.fetch(query).await?.is_empty() {
            return Ok((id, true));
        }
        let found = self.open_direct(&pair, user).await?;
        let found = found.ok_or_else(|| corrupt("direct_pair", "of nobody"))?;
        // Made by this very call, when the connection was lost after it had happened and before that was heard.
        Ok((found, found == id))
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Membership>, StoreError> {
        let query = || {
            sqlx::query(MEMBERSHIP)
                .bind(conversation.as_uuid())
                .bind(user.as_uuid())
        };
        let rows = self.connections.fetch(query).await?;
        rows.first().map(Columns::membership).transpose()
    }

    async fn member_ids(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Seq, Vec<UserId>)>, StoreError> {
        let rows = self
            .connections
            .fetch(|| sqlx::query(MEMBER_IDS).bind(conversation.as_uuid()))
            .await?;
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
        let Some(first) = first_after(after) else {
            return Ok(Vec::new());
        };
        let query = || {
            sqlx::query(MEMBERS)
                .bind(conversation.as_uuid())
                .bind(first)
                .bind(number(limit))
        };
        let rows = self.connections.fetch(query).await?;
        rows.iter().map(Columns::membership).collect()
    }

    async fn readers(
        &self,
        conversation: ConversationId,
        seq: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        let Some(first) = first_after(after) else {
            return Ok(Vec::new());
        };
        let query = || {
            sqlx::query(READERS)
                .bind(conversation.as_uuid())
                .bind(first)
                .bind(number(limit))
                .bind(number(seq))
        };
        let rows = self.connections.fetch(query).await?;
        rows.iter().map(Columns::membership).collect()
    }

    async fn banned(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let Some(first) = first_after(after) else {
            return Ok(Vec::new());
        };
        let query = || {
            sqlx::query(BANNED)
                .bind(conversation.as_uuid())
                .bind(first)
                .bind(number(limit))
        };
        user_ids(&self.connections.fetch(query).await?)
    }

    async fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Result<Vec<StoredRow>, StoreError> {
        let query = || {
            sqlx::query(ROWS)
                .bind(user.as_uuid())
                .bind(after.map(|place| place.pinned))
                .bind(after.map(|place| place.last_activity_at.as_millis()))
                .bind(after.map(|place| place.id.as_uuid()))
                .bind(number(limit))
        };
        let rows = self.connections.fetch(query).await?;
        rows.iter().map(|row| row.row(user)).collect()
    }

    async fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<StoredRow>, StoreError> {
        let ids: Vec<_> = conversations.iter().map(|id| id.as_uuid()).collect();
        let rows = self
            .connections
            .fetch(|| sqlx::query(ROWS_OF).bind(user.as_uuid()).bind(&ids))
            .await?;
        rows.iter().map(|row| row.row(user)).collect()
    }

    async fn group_rows(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Option<GroupRows>, StoreError> {
        let found = self.rows_of_group(conversation, users).await?;
        let Some((mut group, left_out)) = found else {
            return Ok(None);
        };
        for user in left_out {
            let rows = self.rows_of(user, &[conversation]).await?;
            group.rows.extend(rows.into_iter().map(|row| row.of(user)));
        }
        Ok(Some(group))
    }

    async fn row_heads(&self, user: UserId) -> Result<Vec<RowHead>, StoreError> {
        let rows = self
            .connections
            .fetch(|| sqlx::query(ROW_HEADS).bind(user.as_uuid()))
            .await?;
        rows.iter().map(row_head).collect()
    }

    async fn row_heads_of(&self, users: &[UserId]) -> Result<Vec<(UserId, RowHead)>, StoreError> {
        let users: Vec<_> = users.iter().map(|id| id.as_uuid()).collect();
        let rows = self
            .connections
            .fetch(|| sqlx::query(ROW_HEADS_OF).bind(&users))
            .await?;
        let head = |row: &PgRow| Ok((row.user_id("user_id")?, row_head(row)?));
        rows.iter().map(head).collect()
    }

    async fn sharing_with(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let others: Vec<_> = others.iter().map(|id| id.as_uuid()).collect();
        let rows = self
            .connections
            .fetch(|| sqlx::query(SHARING_WITH).bind(user.as_uuid()).bind(&others))
            .await?;
        user_ids(&rows)
    }
}

impl PostgresStore {
    /// The direct conversation of this pair, opened by `user`, if there is one.
    async fn open_direct(
        &self,
        pair: &[u8],
        user: UserId,
    ) -> Result<Option<ConversationId>, StoreError> {
        let query = || sqlx::query(OPEN_DIRECT).bind(pair).bind(user.as_uuid());
        let rows = self.connections.fetch(query).await?;
        rows.first()
            .map(|row| row.conversation_id("id"))
            .transpose()
    }
}
