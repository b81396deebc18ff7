//! The log: appending through a batch, reading entries and messages.

use sqlx::sqlite::SqliteRow;

use super::{SqliteStore, error::store_error};
use crate::{
    model::{ConversationId, Entry, Message, Seq, StoreEpoch},
    store::{
        Around, Committed, MessageLog, Refusal, StoreError, Write,
        columns::{Columns, check_dense, number},
    },
};

pub(super) const HEAD: &str = "SELECT head_seq FROM chat_conversations WHERE id = ?1";

pub(super) const ENTRIES_AFTER: &str = "
    SELECT * FROM chat_entries WHERE conversation_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";

/// At most ?3 messages up to ?2, and at most ?5 after ?4.
pub(super) const MESSAGES: &str = "
    SELECT * FROM (
        SELECT * FROM chat_entries WHERE conversation_id = ?1 AND seq <= ?2 AND kind = 0
        ORDER BY seq DESC LIMIT ?3)
    UNION ALL
    SELECT * FROM (
        SELECT * FROM chat_entries WHERE conversation_id = ?1 AND seq > ?4 AND kind = 0
        ORDER BY seq LIMIT ?5)
    ORDER BY seq";

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
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(Columns::message).collect()
    }
}
