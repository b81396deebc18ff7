//! Finding messages by their words.

use sqlx::{
    Executor, Postgres,
    postgres::{PgArguments, PgRow},
    query::Query,
};

use super::{
    connection::Connections,
    decode::message_columns,
    error::{is_lost, store_error},
};
use crate::{
    model::{ConversationId, MessageId, Timestamp, UserId},
    store::{Search, StoreError, columns::number},
};

/// Of these entries, those that user $1 can see and that have the words $2: in conversation $3, by sender $4, before $5 and
/// after the message $6.
macro_rules! search {
    ($entries:literal, $order:literal) => {
        concat!(
            "SELECT ",
            message_columns!("e"),
            " FROM ",
            $entries,
            " WHERE e.words @@ $2::text::tsquery
        AND EXISTS (
            SELECT FROM chat_members m
            WHERE m.conversation_id = e.conversation_id AND m.user_id = $1 AND m.active
                AND m.history_from <= e.seq)
        AND ($3::uuid IS NULL OR e.conversation_id = $3)
        AND ($4::uuid IS NULL OR e.author_id = $4)
        AND ($5::bigint IS NULL OR e.at < $5)
        AND ($6::uuid IS NULL OR (e.at, e.message_id) < (
            SELECT a.at, a.message_id FROM chat_entries a WHERE a.message_id = $6))
    ORDER BY ",
            $order,
            " DESC, e.message_id DESC LIMIT $7"
        )
    };
}

/// Looks through the newest messages, whoever sees them: what is found often is found here, and the page is full before
/// many are read.
pub(super) const SEARCH_NEWEST: &str = search!(
    "(
        SELECT * FROM chat_entries n WHERE n.words IS NOT NULL
            AND ($5::bigint IS NULL OR n.at < $5)
            AND ($6::uuid IS NULL OR (n.at, n.message_id) < (
                SELECT a.at, a.message_id FROM chat_entries a WHERE a.message_id = $6))
        ORDER BY n.at DESC, n.message_id DESC LIMIT 10000) AS e",
    "e.at"
);

/// Looks through all, by the index of words, or by what the user can see where that is less. What is looked for here is
/// rare, so that the order by time would lead through everything: the sum keeps from that.
pub(super) const SEARCH: &str = search!("chat_entries e", "e.at + 0");

/// The newest that can be found, after the message `after`.
pub(super) async fn search(
    connections: &Connections,
    user: UserId,
    search: &Search,
    after: Option<MessageId>,
    limit: usize,
) -> Result<Vec<PgRow>, StoreError> {
    let query = |statement| {
        sqlx::query(statement)
            .bind(user.as_uuid())
            .bind(tsquery(&search.words))
            .bind(search.conversation.map(ConversationId::as_uuid))
            .bind(search.from.map(UserId::as_uuid))
            .bind(search.before.map(Timestamp::as_millis))
            .bind(after.map(MessageId::as_uuid))
            .bind(number(limit))
    };
    let mut lost_before = false;
    loop {
        match found(connections, query, limit).await {
            Err(error) if is_lost(&error) && !lost_before => lost_before = true,
            found => return found.map_err(store_error),
        }
    }
}

/// In a transaction of its own, for its settings: what is best here depends on the words and on the user, and the index of
/// words can only be read as a bitmap.
async fn found<'q>(
    connections: &Connections,
    query: impl Fn(&'static str) -> Query<'q, Postgres, PgArguments>,
    limit: usize,
) -> sqlx::Result<Vec<PgRow>> {
    const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL plan_cache_mode = force_custom_plan;
        SET LOCAL enable_bitmapscan = on; SET LOCAL enable_seqscan = off";
    let mut connection = connections.borrow().await?;
    connection.execute(BEGIN).await?;
    let mut found = query(SEARCH_NEWEST).fetch_all(&mut *connection).await?;
    if found.len() < limit {
        found = query(SEARCH).fetch_all(&mut *connection).await?;
    }
    connection.execute("COMMIT").await?;
    connection.give_back();
    Ok(found)
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
