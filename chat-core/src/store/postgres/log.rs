//! The log: appending through a batch, reading entries and messages.

use super::{PostgresStore, commit, decode::message_columns};
use crate::{
    model::{ConversationId, Entry, Message, MessageId, Seq, StoreEpoch, UserId},
    store::{
        Around, Committed, MessageLog, Refusal, Search, StoreError, Write,
        columns::{Columns, check_dense, corrupt, number},
    },
};

pub(super) const EPOCH: &str = "SELECT value FROM chat_meta WHERE key = 'epoch'";

pub(super) const HEAD: &str = "SELECT head_seq FROM chat_conversations WHERE id = $1";

/// Beside each entry the message that it is or changes.
pub(super) const ENTRIES_AFTER: &str = concat!(
    "
    SELECT e.conversation_id AS entry_conversation_id, e.seq AS entry_seq, e.kind AS entry_kind,
        e.at AS entry_at, e.author_id AS entry_author_id, e.user_id, e.role, e.title, e.history, e.banned,
        e.emoji, m.*
    FROM (
        SELECT * FROM chat_entries WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3) AS e
    LEFT JOIN LATERAL (
        SELECT ",
    message_columns!("m"),
    " FROM chat_entries m
        WHERE m.conversation_id = e.conversation_id AND m.seq = coalesce(e.target_seq, e.seq) AND m.kind = 0
        LIMIT 1) AS m ON true
    ORDER BY e.seq"
);

/// At most $3 messages up to $2, and at most $5 after $4, of those from $6 on.
pub(super) const MESSAGES: &str = concat!(
    "
    (SELECT ",
    message_columns!("e"),
    " FROM chat_entries e WHERE e.conversation_id = $1 AND e.seq <= $2 AND e.seq >= $6 AND e.kind = 0
        ORDER BY e.seq DESC LIMIT $3)
    UNION ALL
    (SELECT ",
    message_columns!("e"),
    " FROM chat_entries e WHERE e.conversation_id = $1 AND e.seq > $4 AND e.seq >= $6 AND e.kind = 0
        ORDER BY e.seq LIMIT $5)
    ORDER BY seq"
);

pub(super) const MESSAGE: &str = concat!(
    "SELECT ",
    message_columns!("e"),
    " FROM chat_entries e WHERE e.message_id = $2 AND e.conversation_id = $1"
);

pub(super) const PINNED: &str = concat!(
    "SELECT ",
    message_columns!("e"),
    " FROM chat_entries e
    WHERE e.conversation_id = $1 AND e.seq < $2 AND e.seq >= $3 AND e.pinned_at IS NOT NULL
    ORDER BY e.seq DESC LIMIT $4"
);

impl MessageLog for PostgresStore {
    async fn epoch(&self) -> Result<StoreEpoch, StoreError> {
        let rows = self.connections.fetch(|| sqlx::query(EPOCH)).await?;
        let epoch = rows.first().map(|row| row.uuid("value")).transpose()?;
        let epoch = epoch.flatten().map(StoreEpoch::from_uuid);
        epoch.ok_or_else(|| corrupt("value", "NULL"))
    }

    async fn commit(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        let _noted = self.remainder.noting(writes);
        commit::commit(&self.connections, writes).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Option<Seq>, StoreError> {
        let rows = self
            .connections
            .fetch(|| sqlx::query(HEAD).bind(conversation.as_uuid()))
            .await?;
        rows.first().map(|row| row.number("head_seq")).transpose()
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let query = || {
            sqlx::query(ENTRIES_AFTER)
                .bind(conversation.as_uuid())
                .bind(number(after))
                .bind(number(limit))
        };
        let rows = self.connections.fetch(query).await?;
        let entries: Result<Vec<_>, _> = rows.iter().map(Columns::entry).collect();
        let entries = entries?;
        check_dense(&entries, after)?;
        Ok(entries)
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        history_from: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let (until, before, beyond, after) = match which {
            Around::Newest => (Seq::MAX, limit, Seq::MAX, 0),
            Around::Before(seq) => (seq.saturating_sub(1), limit, Seq::MAX, 0),
            Around::After(seq) => (0, 0, seq, limit),
            Around::Around(seq) => (seq, limit.div_ceil(2), seq, limit / 2),
        };
        let query = || {
            sqlx::query(MESSAGES)
                .bind(conversation.as_uuid())
                .bind(number(until))
                .bind(number(before))
                .bind(number(beyond))
                .bind(number(after))
                .bind(number(history_from))
        };
        let rows = self.connections.fetch(query).await?;
        rows.iter().map(Columns::message).collect()
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, StoreError> {
        let query = || {
            sqlx::query(MESSAGE)
                .bind(conversation.as_uuid())
                .bind(id.as_uuid())
        };
        let rows = self.connections.fetch(query).await?;
        rows.first().map(Columns::message).transpose()
    }

    async fn pinned(
        &self,
        conversation: ConversationId,
        before: Seq,
        history_from: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let query = || {
            sqlx::query(PINNED)
                .bind(conversation.as_uuid())
                .bind(number(before))
                .bind(number(history_from))
                .bind(number(limit))
        };
        let rows = self.connections.fetch(query).await?;
        rows.iter().map(Columns::message).collect()
    }

    async fn search(
        &self,
        user: UserId,
        search: &Search,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.found(user, search, after, limit).await
    }

    async fn index(&self) -> Result<bool, StoreError> {
        self.index_some().await
    }
}
