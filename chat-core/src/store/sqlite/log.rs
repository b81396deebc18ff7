//! The log: appending through a batch, reading entries and messages.

use sqlx::sqlite::SqliteRow;

use super::{SqliteStore, error::store_error};
use crate::{
    model::{ConversationId, Entry, Message, MessageId, Seq, StoreEpoch, UserId},
    store::{
        Around, Committed, MessageLog, Refusal, Search, StoreError, Write,
        columns::{Columns, check_dense, number},
    },
};

pub(super) const HEAD: &str = "SELECT head_seq FROM chat_conversations WHERE id = ?1";

/// Each entry with the message that it is or changes.
pub(super) const ENTRIES_AFTER: &str = "
    SELECT n.conversation_id AS entry_conversation_id, n.seq AS entry_seq, n.kind AS entry_kind, n.at AS entry_at,
        n.author_id AS entry_author_id, n.user_id, n.role, n.title, n.history, n.banned, n.emoji,
        m.conversation_id, m.seq, m.at, m.author_id, m.message_id, m.client_id, m.body, m.reply_to, m.edited_at,
        m.deleted_at, m.pinned_at, m.changed_seq, m.mentions, m.mentions_everyone, m.reactions
    FROM chat_entries n LEFT JOIN chat_entries m
        ON m.conversation_id = n.conversation_id AND m.seq = coalesce(n.target_seq, n.seq)
    WHERE n.conversation_id = ?1 AND n.seq > ?2 ORDER BY n.seq LIMIT ?3";

/// At most ?3 messages up to ?2, and at most ?5 after ?4; none before ?6.
pub(super) const MESSAGES: &str = "
    SELECT * FROM (
        SELECT * FROM chat_entries WHERE conversation_id = ?1 AND seq BETWEEN ?6 AND ?2 AND kind = 0
        ORDER BY seq DESC LIMIT ?3)
    UNION ALL
    SELECT * FROM (
        SELECT * FROM chat_entries WHERE conversation_id = ?1 AND seq > max(?4, ?6 - 1) AND kind = 0
        ORDER BY seq LIMIT ?5)
    ORDER BY seq";

pub(super) const MESSAGE: &str =
    "SELECT * FROM chat_entries WHERE message_id = ?1 AND conversation_id = ?2";

pub(super) const PINNED: &str = "
    SELECT * FROM chat_entries
    WHERE conversation_id = ?1 AND seq < ?2 AND seq >= ?3 AND pinned_at IS NOT NULL
    ORDER BY seq DESC LIMIT ?4";

impl MessageLog for SqliteStore {
    async fn epoch(&self) -> Result<StoreEpoch, StoreError> {
        self.writer.check_disk()?;
        let epoch = sqlx::query_scalar("SELECT value FROM chat_meta WHERE key = 'epoch'")
            .fetch_one(&self.reader)
            .await;
        epoch.map(StoreEpoch::from_uuid).map_err(store_error)
    }

    async fn commit(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        let _noted = self.remainder.noting(writes);
        self.writer.commit(writes).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Option<Seq>, StoreError> {
        let row: Option<SqliteRow> = sqlx::query(HEAD)
            .bind(conversation.as_uuid())
            .fetch_optional(&self.reader)
            .await
            .map_err(store_error)?;
        row.map(|row| row.number("head_seq")).transpose()
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(ENTRIES_AFTER)
            .bind(conversation.as_uuid())
            .bind(number(after))
            .bind(number(limit))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
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
        let rows = sqlx::query(MESSAGES)
            .bind(conversation.as_uuid())
            .bind(number(until))
            .bind(number(before))
            .bind(number(beyond))
            .bind(number(after))
            .bind(number(history_from))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(Columns::message).collect()
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, StoreError> {
        let row = sqlx::query(MESSAGE)
            .bind(id.as_uuid())
            .bind(conversation.as_uuid())
            .fetch_optional(&self.reader)
            .await
            .map_err(store_error)?;
        row.map(|row| row.message()).transpose()
    }

    async fn pinned(
        &self,
        conversation: ConversationId,
        before: Seq,
        history_from: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let rows = sqlx::query(PINNED)
            .bind(conversation.as_uuid())
            .bind(number(before))
            .bind(number(history_from))
            .bind(number(limit))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
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
