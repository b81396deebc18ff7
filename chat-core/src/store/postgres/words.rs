//! The words that messages are found by: stored with new ones, filled in for old ones.

use std::collections::BTreeSet;

use sqlx::{Connection, PgConnection, Row as _};
use uuid::Uuid;

use super::changes::each;
use crate::store::{decide::StoredMessage, search::words};

/// The most that is kept of one message, in bytes: PostgreSQL ends at 1 MiB.
const MAX_BYTES: usize = 512 << 10;

/// How many old messages are made findable in one transaction.
const STEP: usize = 2_000;

/// The next messages that have no words yet, after a place in the order of conversations.
pub(super) const WITHOUT_WORDS: &str = "
    SELECT conversation_id, seq, body FROM chat_entries
    WHERE words IS NULL AND kind = 0 AND deleted_at IS NULL AND (conversation_id, seq) > ($1, $2)
    ORDER BY conversation_id, seq LIMIT $3";

pub(super) const FILL: &str = "
    UPDATE chat_entries e SET words = array_to_tsvector(string_to_array(n.words, ' '))
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS n (conversation_id, seq, words)
    WHERE e.conversation_id = n.conversation_id AND e.seq = n.seq
        AND e.words IS NULL AND e.deleted_at IS NULL";

/// The words of a message, with a space between them; none of one that was deleted.
pub(super) fn indexed(stored: &StoredMessage) -> Option<String> {
    let message = &stored.message;
    message
        .deleted_at
        .is_none()
        .then(|| each_once(&message.body))
}

fn each_once(body: &str) -> String {
    let mut kept = String::with_capacity(body.len());
    for word in BTreeSet::from_iter(words(body)) {
        if kept.len() + word.len() >= MAX_BYTES {
            break;
        }
        if !kept.is_empty() {
            kept.push(' ');
        }
        kept.push_str(&word);
    }
    kept
}

/// Makes all messages findable that are not, step by step: it can be broken off at any time, and others may be at it too.
pub(super) async fn fill(connection: &mut PgConnection, lock: i64) -> sqlx::Result<()> {
    const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
        SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
    let mut last = (Uuid::nil(), 0_i64);
    let mut filled = 0_usize;
    loop {
        let mut transaction = connection.begin_with(BEGIN).await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(lock)
            .execute(&mut *transaction)
            .await?;
        let found = sqlx::query(WITHOUT_WORDS)
            .bind(last.0)
            .bind(last.1)
            .bind(i64::try_from(STEP).unwrap_or(i64::MAX))
            .fetch_all(&mut *transaction)
            .await?;
        let mut messages: Vec<(Uuid, i64, String)> = Vec::with_capacity(found.len());
        for row in &found {
            let body: Option<String> = row.try_get("body")?;
            let words = each_once(&body.unwrap_or_default());
            messages.push((row.try_get("conversation_id")?, row.try_get("seq")?, words));
        }
        let Some((conversation, seq, _)) = messages.last() else {
            break;
        };
        last = (*conversation, *seq);
        sqlx::query(FILL)
            .bind(each(&messages, |(conversation, ..)| *conversation))
            .bind(each(&messages, |(_, seq, _)| *seq))
            .bind(each(&messages, |(.., words)| words.as_str()))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        filled += messages.len();
        tracing::info!(messages = filled, "made older messages searchable");
    }
    Ok(())
}
