//! Reads what was heard: all of the list at the start, then stretches of logs, and messages by their words.

use std::{path::Path, time::Duration};

use chat_core::model::{ConversationId, Entry, Message, Seq};
use serde::de::DeserializeOwned;
use sqlx::{QueryBuilder, SqlitePool, query_scalar, sqlite::SqlitePoolOptions};
use uuid::Uuid;

use super::{file, heard::place};
use crate::kept::Kept;

/// So many messages are found at most.
const MOST_FOUND: i64 = 100;

/// Reads from the file of what was heard. Clones share the connections.
#[derive(Clone, Debug)]
pub(crate) struct Reader(SqlitePool);

impl Reader {
    pub(super) async fn open(path: &Path) -> sqlx::Result<Self> {
        let pool = SqlitePoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(file::options(path).pragma("query_only", "ON"))
            .await?;
        // A file that is no database shows it with the first look.
        query_scalar::<_, i64>("SELECT count(*) FROM facts")
            .fetch_one(&pool)
            .await?;
        Ok(Self(pool))
    }

    /// Everything but the logs.
    pub(super) async fn all(&self) -> sqlx::Result<Kept> {
        let me: Option<String> = query_scalar("SELECT value FROM facts WHERE name = 'me'")
            .fetch_optional(&self.0)
            .await?;
        let rows: Vec<String> = query_scalar("SELECT value FROM rows")
            .fetch_all(&self.0)
            .await?;
        let people: Vec<String> = query_scalar("SELECT value FROM people")
            .fetch_all(&self.0)
            .await?;
        Ok(Kept {
            me: me.and_then(|me| serde_json::from_str(&me).ok()),
            rows: understood(&rows),
            people: understood(&people),
            ..Kept::default()
        })
    }

    /// In which life of the server's store this was heard.
    pub(super) async fn epoch(&self) -> sqlx::Result<Option<Uuid>> {
        let epoch: Option<String> = query_scalar("SELECT value FROM facts WHERE name = 'epoch'")
            .fetch_optional(&self.0)
            .await?;
        Ok(epoch.and_then(|epoch| serde_json::from_str(&epoch).ok()))
    }

    /// The newest entries of a conversation, oldest first, as far as there is no hole before them.
    pub(crate) async fn tail(
        &self,
        conversation: ConversationId,
        most: u64,
    ) -> sqlx::Result<Vec<Entry>> {
        let newest: Vec<String> = query_scalar(
            "SELECT value FROM entries WHERE conversation_id = ? ORDER BY seq DESC LIMIT ?",
        )
        .bind(conversation.as_uuid())
        .bind(place(most))
        .fetch_all(&self.0)
        .await?;
        let mut entries: Vec<Entry> = Vec::with_capacity(newest.len());
        for entry in understood::<Entry>(&newest) {
            if entries.last().is_some_and(|last| entry.seq + 1 != last.seq) {
                break;
            }
            entries.push(entry);
        }
        entries.reverse();
        Ok(entries)
    }

    /// So many entries after this place, if all of them are here.
    pub(crate) async fn stretch(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> sqlx::Result<Option<Vec<Entry>>> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let entries = self.between(conversation, after, limit).await?;
        let whole = entries
            .iter()
            .zip(after + 1..)
            .all(|(entry, seq)| entry.seq == seq);
        let all = u64::try_from(entries.len()).unwrap_or(0) == limit;
        Ok((whole && all).then_some(entries))
    }

    async fn between(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: u64,
    ) -> sqlx::Result<Vec<Entry>> {
        let entries: Vec<String> = query_scalar(
            "SELECT value FROM entries WHERE conversation_id = ? AND seq > ? AND seq <= ? ORDER BY seq",
        )
        .bind(conversation.as_uuid())
        .bind(place(after))
        .bind(place(after.saturating_add(limit)))
        .fetch_all(&self.0)
        .await?;
        Ok(understood(&entries))
    }

    /// Messages that have all of these words, the last one as the beginning of a word; the newest first.
    pub(crate) async fn search(
        &self,
        words: &[String],
        conversation: Option<ConversationId>,
    ) -> sqlx::Result<Vec<Message>> {
        let Some((last, whole)) = words.split_last() else {
            return Ok(Vec::new());
        };
        let mut sql = QueryBuilder::new(
            "SELECT value FROM words JOIN entries USING (conversation_id, seq) WHERE instr(words, ",
        );
        sql.push_bind(format!(" {last}")).push(") > 0");
        for word in whole {
            sql.push(" AND instr(words, ")
                .push_bind(format!(" {word} "))
                .push(") > 0");
        }
        if let Some(id) = conversation {
            sql.push(" AND conversation_id = ").push_bind(id.as_uuid());
        }
        sql.push(" ORDER BY words.at DESC LIMIT ")
            .push_bind(MOST_FOUND);
        let found: Vec<String> = sql.build_query_scalar().fetch_all(&self.0).await?;
        let entries = understood::<Entry>(&found);
        let messages = entries.iter().filter_map(Entry::message);
        Ok(messages.cloned().collect())
    }

    pub(super) async fn close(self) {
        self.0.close().await;
    }
}

/// What can be understood of it; what a later version wrote otherwise is asked for again.
fn understood<T: DeserializeOwned>(values: &[String]) -> Vec<T> {
    let values = values.iter();
    values
        .filter_map(|value| serde_json::from_str(value).ok())
        .collect()
}
