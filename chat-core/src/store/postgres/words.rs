//! The words that messages are found by: those of new ones are stored some at a time, after the messages.

use std::collections::BTreeSet;

use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{PostgresStore, changes::each};
use crate::{
    model::ConversationId,
    store::{
        StoreError,
        columns::number,
        decide::StoredMessage,
        remainder::{STEP, SWEEP, Step, Unindexed},
        search::words,
    },
};

/// The most that is kept of one message, in bytes: PostgreSQL ends at 1 MiB.
const MAX_BYTES: usize = 512 << 10;

/// What is not indexed of these conversations, at most $2 entries, in the order of the list and of the logs.
pub(super) const NEXT: &str = "
    SELECT e.* FROM unnest($1::uuid[]) AS n (id)
    CROSS JOIN LATERAL (
        SELECT c.last_message_seq FROM chat_conversations c WHERE c.id = n.id LIMIT 1) AS c
    LEFT JOIN LATERAL (
        SELECT i.seq FROM chat_indexed i WHERE i.conversation_id = n.id LIMIT 1) AS i ON true
    CROSS JOIN LATERAL (
        SELECT e.conversation_id, e.seq, e.at, e.author_id, e.message_id, e.body,
            e.kind = 0 AND e.deleted_at IS NULL AS is_new
        FROM chat_entries e WHERE e.conversation_id = n.id AND e.seq > coalesce(i.seq, 0)
        ORDER BY e.seq LIMIT $2) AS e
    WHERE c.last_message_seq > coalesce(i.seq, 0) LIMIT $2";

/// What is there already says what its message says now: it came from somebody who changed it, or who indexed it at the same
/// time. Nobody waits for the disk: what is lost is not indexed, and known to be so.
pub(super) const INDEX: &str = "
    WITH hasty AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS setting),
    indexed AS (
        INSERT INTO chat_indexed (conversation_id, seq)
        SELECT n.* FROM unnest($1::uuid[], $2::bigint[]) AS n
        ON CONFLICT (conversation_id) DO UPDATE SET seq = greatest(chat_indexed.seq, excluded.seq))
    INSERT INTO chat_words (conversation_id, seq, at, message_id, author_id, words)
    SELECT n.conversation_id, n.seq, n.at, n.message_id, n.author_id,
        array_to_tsvector(string_to_array(n.words, ' '))
    FROM hasty, unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::uuid[], $7::uuid[], $8::text[])
        AS n (conversation_id, seq, at, message_id, author_id, words)
    ON CONFLICT (conversation_id, seq) DO NOTHING";

/// The next conversations, and whether anything in them is not indexed.
pub(super) const SWEEP_ON: &str = "
    SELECT c.id, c.last_message_seq > coalesce(i.seq, 0) AS pending
    FROM (SELECT id, last_message_seq FROM chat_conversations WHERE id > $1 ORDER BY id LIMIT $2) AS c
    LEFT JOIN LATERAL (
        SELECT i.seq FROM chat_indexed i WHERE i.conversation_id = c.id LIMIT 1) AS i ON true
    ORDER BY c.id";

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

impl PostgresStore {
    /// Indexes some of what is left; whether there may be more.
    pub(super) async fn index_some(&self) -> Result<bool, StoreError> {
        if let Some(after) = self.remainder.sweep() {
            self.sweep(after).await?;
        }
        let taken = self.remainder.take();
        let left = self.index_in(&taken.ids()).await?;
        taken.settle(left);
        Ok(!self.remainder.is_empty())
    }

    async fn sweep(&self, after: ConversationId) -> Result<(), StoreError> {
        let query = || {
            sqlx::query(SWEEP_ON)
                .bind(after.as_uuid())
                .bind(number(SWEEP))
        };
        let rows: Vec<PgRow> = self.connections.fetch(query).await?;
        self.remainder.swept(&rows)
    }

    /// Indexes some of what is left of these conversations, in the order of their ids; answers from which one on there may
    /// be more.
    ///
    /// All who do so go by one order, so that those who meet wait for each other and do not go in circles.
    pub(super) async fn index_in(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Option<ConversationId>, StoreError> {
        if conversations.is_empty() {
            return Ok(None);
        }
        let ids = each(conversations, |id| id.as_uuid());
        let next = || sqlx::query(NEXT).bind(&ids).bind(number(STEP));
        let rows = self.connections.fetch(next).await?;
        let entries = rows.iter().map(Unindexed::read);
        let step = Step::of(entries.collect::<Result<_, _>>()?);
        if step.entries.is_empty() {
            return Ok(step.left);
        }
        let places: Vec<_> = step.places().into_iter().collect();
        let messages: Vec<_> = step.entries.iter().filter_map(words_of).collect();
        let index = || {
            sqlx::query(INDEX)
                .bind(each(&places, |(id, _)| id.as_uuid()))
                .bind(each(&places, |(_, seq)| *seq))
                .bind(each(&messages, |(it, ..)| it.conversation_id.as_uuid()))
                .bind(each(&messages, |(it, ..)| it.seq))
                .bind(each(&messages, |(it, ..)| it.at.as_millis()))
                .bind(each(&messages, |(_, id, _)| *id))
                .bind(each(&messages, |(it, ..)| it.author_id.as_uuid()))
                .bind(each(&messages, |(.., words)| words.as_str()))
        };
        self.connections.fetch(index).await?;
        Ok(step.left)
    }
}

fn words_of(entry: &Unindexed) -> Option<(&Unindexed, Uuid, String)> {
    let (id, body) = entry.message.as_ref()?;
    Some((entry, *id, each_once(body)))
}
