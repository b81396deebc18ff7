//! Takes the messages of a database that could not be searched before into the index.

use serde_json::{Value, json};
use sqlx::{Connection, Row as _, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    encode::{self, hex},
    search::{SearchIds, first_id, taken, words_of},
};
use crate::model::{ConversationId, Timestamp, UserId};

/// How many are taken in with one transaction.
const AT_ONCE: i64 = 1_000;

/// The key of the last message that was taken in, conversation and place, while there may be more after it.
const PROGRESS: &str = "SELECT value FROM chat_meta WHERE key = 'indexed'";

pub(super) const NEXT: &str = "
    SELECT conversation_id, seq, at, author_id, body, deleted_at FROM chat_entries
    WHERE kind = 0 AND (conversation_id, seq) > (?1, ?2) ORDER BY conversation_id, seq LIMIT ?3";

const NUMBER: &str = "
    UPDATE chat_entries AS e SET search_id = j.value ->> 2, changed_seq = coalesce(e.changed_seq, e.seq)
    FROM json_each(?1) j
    WHERE e.conversation_id = unhex(j.value ->> 0) AND e.seq = j.value ->> 1";
const INDEX: &str = "
    INSERT INTO chat_search (rowid, words)
    SELECT value ->> 2, value ->> 3 FROM json_each(?1) WHERE value ->> 2 IS NOT NULL";

const ALL_INDEXED: [&str; 2] = [
    "DELETE FROM chat_meta WHERE key = 'indexed'",
    "INSERT OR REPLACE INTO chat_indexed (conversation_id, seq) SELECT id, head_seq FROM chat_conversations",
];

/// Goes on where it was interrupted, and does nothing once it is done.
pub(super) async fn backfill(pool: &SqlitePool) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    let mut is_long = false;
    while take_in_some(&mut connection).await? {
        if !is_long {
            tracing::info!("the messages of this database are being made searchable");
            is_long = true;
        }
    }
    Ok(())
}

/// Whether there may be more.
async fn take_in_some(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let progress: Option<Vec<u8>> = sqlx::query_scalar(PROGRESS)
        .fetch_optional(&mut *transaction)
        .await?;
    let Some(progress) = progress else {
        return Ok(false);
    };
    let (conversation, seq) = place(&progress);
    let messages = sqlx::query(NEXT)
        .bind(conversation)
        .bind(seq)
        .bind(AT_ONCE)
        .fetch_all(&mut *transaction)
        .await?;
    if let Some(last) = messages.last() {
        number(&mut transaction, &messages).await?;
        let conversation: Vec<u8> = last.try_get("conversation_id")?;
        let seq: i64 = last.try_get("seq")?;
        sqlx::query("UPDATE chat_meta SET value = ?1 WHERE key = 'indexed'")
            .bind([conversation.as_slice(), &seq.to_be_bytes()].concat())
            .execute(&mut *transaction)
            .await?;
    } else {
        for statement in ALL_INDEXED {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
    }
    transaction.commit().await?;
    Ok(!messages.is_empty())
}

/// Before the first message, the key is empty.
fn place(progress: &[u8]) -> (Vec<u8>, i64) {
    match progress.split_last_chunk() {
        Some((conversation, seq)) => (conversation.to_vec(), i64::from_be_bytes(*seq)),
        None => (Vec::new(), 0),
    }
}

async fn number(connection: &mut SqliteConnection, messages: &[SqliteRow]) -> sqlx::Result<()> {
    let times = messages.iter().map(|row| row.try_get("at"));
    let times: Vec<i64> = times.collect::<Result<_, _>>()?;
    let firsts = times.iter().map(|at| first_id(Timestamp::from_millis(*at)));
    let taken = sqlx::query(taken!())
        .bind(encode::list(firsts.map(Value::from).collect()))
        .fetch_all(&mut *connection)
        .await?;
    let search_ids = SearchIds::new(&taken);
    let mut search_ids = search_ids.map_err(|error| sqlx::Error::Decode(error.into()))?;
    let mut rows = Vec::with_capacity(messages.len());
    for (row, at) in messages.iter().zip(times) {
        let conversation: Uuid = row.try_get("conversation_id")?;
        let sender: Uuid = row.try_get("author_id")?;
        let seq: i64 = row.try_get("seq")?;
        let body: String = row.try_get("body")?;
        let deleted_at: Option<i64> = row.try_get("deleted_at")?;
        let is_found = deleted_at.is_none();
        let id = is_found.then(|| search_ids.next(Timestamp::from_millis(at)));
        let words = words_of(
            &body,
            UserId::from_uuid(sender),
            ConversationId::from_uuid(conversation),
        );
        rows.push(json!([hex(conversation), seq, id, words]));
    }
    let rows = encode::list(rows);
    for statement in [NUMBER, INDEX] {
        sqlx::query(statement)
            .bind(&rows)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
