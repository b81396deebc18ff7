//! The log: appending through a batch, reading entries and messages.

use super::{PostgresStore, commit};
use crate::{
    model::{ConversationId, Entry, Message, Seq, StoreEpoch},
    store::{
        Around, Committed, MessageLog, Refusal, StoreError, Write,
        columns::{Columns, check_dense, corrupt, number},
    },
};

pub(super) const EPOCH: &str = "SELECT value FROM chat_meta WHERE key = 'epoch'";

pub(super) const HEAD: &str = "SELECT head_seq FROM chat_conversations WHERE id = $1";

pub(super) const ENTRIES_AFTER: &str = "
    SELECT * FROM chat_entries WHERE conversation_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";

/// At most $3 messages up to $2, and at most $5 after $4.
pub(super) const MESSAGES: &str = "
    (SELECT * FROM chat_entries WHERE conversation_id = $1 AND seq <= $2 AND kind = 0
        ORDER BY seq DESC LIMIT $3)
    UNION ALL
    (SELECT * FROM chat_entries WHERE conversation_id = $1 AND seq > $4 AND kind = 0
        ORDER BY seq LIMIT $5)
    ORDER BY seq";

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
        };
        let rows = self.connections.fetch(query).await?;
        rows.iter().map(Columns::message).collect()
    }
}
