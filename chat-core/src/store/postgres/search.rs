//! Finding messages by their words.

use sqlx::{
    Executor, PgConnection, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use uuid::Uuid;

use super::{
    PostgresStore,
    connection::Connections,
    decode::message_columns,
    error::{is_lost, store_error},
};
use crate::{
    model::{ConversationId, Message, MessageId, Timestamp, UserId},
    store::{
        Search, StoreError,
        columns::{Columns, number},
        remainder::{MOST_SCANNED, Patience, merge},
    },
};

/// Of these words, those that user $1 can see and that match $2: in conversation $3, by sender $4, before $5 and after the
/// message $6. Only what is found is read from the log.
macro_rules! search {
    ($words:literal, $order:literal) => {
        concat!(
            "SELECT ",
            message_columns!("e"),
            " FROM (
        SELECT w.conversation_id, w.seq FROM ",
            $words,
            " WHERE w.words @@ $2::text::tsquery
            AND EXISTS (
                SELECT FROM chat_members m
                WHERE m.conversation_id = w.conversation_id AND m.user_id = $1 AND m.active
                    AND m.history_from <= w.seq)
            AND ($3::uuid IS NULL OR w.conversation_id = $3)
            AND ($4::uuid IS NULL OR w.author_id = $4)
            AND ($5::bigint IS NULL OR w.at < $5)
            AND ($6::uuid IS NULL OR (w.at, w.message_id) < (
                SELECT a.at, a.message_id FROM chat_entries a WHERE a.message_id = $6))
        ORDER BY ",
            $order,
            " DESC, w.message_id DESC LIMIT $7) AS w
    CROSS JOIN LATERAL (
        SELECT * FROM chat_entries e
        WHERE e.conversation_id = w.conversation_id AND e.seq = w.seq LIMIT 1) AS e"
        )
    };
}

/// Looks through the newest messages, whoever sees them: what is found often is found here, and the page is full before
/// many are read.
pub(super) const SEARCH_NEWEST: &str = search!(
    "(
            SELECT * FROM chat_words n WHERE n.words IS NOT NULL
                AND ($5::bigint IS NULL OR n.at < $5)
                AND ($6::uuid IS NULL OR (n.at, n.message_id) < (
                    SELECT a.at, a.message_id FROM chat_entries a WHERE a.message_id = $6))
            ORDER BY n.at DESC, n.message_id DESC LIMIT 10000) AS w",
    "w.at"
);

/// Looks through all, by the index of words, or by what the user can see where that is less. What is looked for here is
/// rare, so that the order by time would lead through everything: the sum keeps from that.
pub(super) const SEARCH: &str = search!("chat_words w", "w.at + 0");

/// Conversations of user $1, or $2 of them, in which something may not be indexed, and how much.
pub(super) const PENDING: &str = "
    SELECT m.conversation_id, c.last_message_seq - coalesce(i.seq, 0) AS count
    FROM chat_members m
    CROSS JOIN LATERAL (
        SELECT c.last_message_seq FROM chat_conversations c WHERE c.id = m.conversation_id LIMIT 1) AS c
    LEFT JOIN LATERAL (
        SELECT i.seq FROM chat_indexed i WHERE i.conversation_id = m.conversation_id LIMIT 1) AS i ON true
    WHERE m.user_id = $1 AND m.active AND ($2::uuid IS NULL OR m.conversation_id = $2)
        AND c.last_message_seq > coalesce(i.seq, 0)
    ORDER BY m.conversation_id";

/// What is not indexed of these conversations, of what user $1 can see.
pub(super) const UNINDEXED: &str = concat!(
    "SELECT e.* FROM unnest($2::uuid[]) AS n (id)
    CROSS JOIN LATERAL (
        SELECT m.history_from FROM chat_members m
        WHERE m.conversation_id = n.id AND m.user_id = $1 AND m.active LIMIT 1) AS m
    LEFT JOIN LATERAL (
        SELECT i.seq FROM chat_indexed i WHERE i.conversation_id = n.id LIMIT 1) AS i ON true
    CROSS JOIN LATERAL (
        SELECT ",
    message_columns!("e"),
    " FROM chat_entries e
        WHERE e.conversation_id = n.id AND e.seq > greatest(coalesce(i.seq, 0), m.history_from - 1)
            AND e.kind = 0 AND e.deleted_at IS NULL
        ORDER BY e.seq LIMIT $3) AS e"
);

pub(super) const PLACE: &str = "SELECT at FROM chat_entries WHERE message_id = $1";

impl PostgresStore {
    /// Looks through what is not indexed and through the index, in one snapshot. Where the former is too much, it is indexed
    /// first.
    pub(super) async fn found(
        &self,
        user: UserId,
        search: &Search,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let query = Matching {
            user,
            search,
            after,
            limit,
        };
        let patience = Patience::begin();
        let mut lost_before = false;
        loop {
            match query.found(&self.connections).await {
                Ok(Found::All {
                    unindexed,
                    place,
                    indexed,
                }) => {
                    let unindexed = messages(&unindexed)?;
                    let after = after
                        .zip(place)
                        .map(|(id, at)| (Timestamp::from_millis(at), id));
                    let indexed = messages(&indexed)?;
                    return Ok(merge(unindexed, search, after, indexed, limit));
                }
                Ok(Found::NotIndexed(conversations)) => {
                    patience.check()?;
                    self.index_in(&conversations).await?;
                }
                Err(error) if is_lost(&error) && !lost_before => lost_before = true,
                Err(error) => return Err(store_error(error)),
            }
        }
    }
}

fn messages(rows: &[PgRow]) -> Result<Vec<Message>, StoreError> {
    rows.iter().map(Columns::message).collect()
}

/// What a look at the database came to.
enum Found {
    All {
        unindexed: Vec<PgRow>,
        /// When the message was accepted after which to go on, if anything is not indexed.
        place: Option<i64>,
        indexed: Vec<PgRow>,
    },
    /// More than can be looked through is not indexed, in these conversations.
    NotIndexed(Vec<ConversationId>),
}

struct Matching<'s> {
    user: UserId,
    search: &'s Search,
    after: Option<MessageId>,
    limit: usize,
}

impl Matching<'_> {
    /// In one snapshot, and with settings of its own: what is best here depends on the words and on the user, and the index
    /// of words can only be read as a bitmap.
    async fn found(&self, connections: &Connections) -> sqlx::Result<Found> {
        const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
            SET LOCAL plan_cache_mode = force_custom_plan;
            SET LOCAL enable_bitmapscan = on; SET LOCAL enable_seqscan = off";
        let mut connection = connections.borrow().await?;
        connection.execute(BEGIN).await?;
        let found = self.found_by(&mut connection).await?;
        connection.execute("COMMIT").await?;
        connection.give_back();
        Ok(found)
    }

    async fn found_by(&self, connection: &mut PgConnection) -> sqlx::Result<Found> {
        let pending = sqlx::query(PENDING)
            .bind(self.user.as_uuid())
            .bind(self.search.conversation.map(ConversationId::as_uuid))
            .fetch_all(&mut *connection)
            .await?;
        let (mut ids, mut count) = (Vec::<Uuid>::new(), 0_u64);
        for row in &pending {
            ids.push(row.try_get("conversation_id")?);
            count = count.saturating_add_signed(row.try_get("count")?);
        }
        if count > MOST_SCANNED {
            let ids = ids.into_iter().map(ConversationId::from_uuid);
            return Ok(Found::NotIndexed(ids.collect()));
        }
        let (mut unindexed, mut place) = (Vec::new(), None);
        if let (false, Some(after)) = (ids.is_empty(), self.after) {
            place = sqlx::query_scalar(PLACE)
                .bind(after.as_uuid())
                .fetch_optional(&mut *connection)
                .await?;
        }
        if !ids.is_empty() && (self.after.is_none() || place.is_some()) {
            unindexed = sqlx::query(UNINDEXED)
                .bind(self.user.as_uuid())
                .bind(ids)
                .bind(i64::MAX)
                .fetch_all(&mut *connection)
                .await?;
        }
        let newest = self.query(SEARCH_NEWEST);
        let mut indexed = newest.fetch_all(&mut *connection).await?;
        if indexed.len() < self.limit {
            indexed = self.query(SEARCH).fetch_all(&mut *connection).await?;
        }
        Ok(Found::All {
            unindexed,
            place,
            indexed,
        })
    }

    fn query<'q>(&self, statement: &'static str) -> Query<'q, Postgres, PgArguments> {
        let search = self.search;
        sqlx::query(statement)
            .bind(self.user.as_uuid())
            .bind(tsquery(&search.words))
            .bind(search.conversation.map(ConversationId::as_uuid))
            .bind(search.from.map(UserId::as_uuid))
            .bind(search.before.map(Timestamp::as_millis))
            .bind(self.after.map(MessageId::as_uuid))
            .bind(number(self.limit))
    }
}

/// All words, and the last as the beginning of one.
fn tsquery(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let escaped = word.replace('\\', "\\\\").replace('\'', "''");
        format!("'{escaped}'")
    });
    let all: Vec<_> = quoted.collect();
    format!("{}:*", all.join(" & "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_a_query_whatever_is_in_them() {
        let words = ["to", "o'\\"].map(str::to_owned);
        assert_eq!(tsquery(&words), r"'to' & 'o''\\':*");
    }
}
