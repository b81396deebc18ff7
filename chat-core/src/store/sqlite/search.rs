//! Full-text search: how messages are numbered in the index, what they hold there, and finding them.

use std::collections::HashMap;

use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    SqliteStore,
    encode::{self, hex},
    error::store_error,
};
use crate::{
    model::{ConversationId, Message, MessageId, Timestamp, UserId},
    store::{
        Search, StoreError,
        columns::{Columns, number},
        remainder::{MOST_SCANNED, Patience, Place, merge},
        search::words,
    },
};

/// So many messages can be accepted in one millisecond.
const IDS: i64 = 1 << 20;
const LATEST: i64 = (1 << 43) - 1;

/// The numbers of messages that are accepted in the same millisecond begin here. Of those of different ones, the later is
/// greater, so that the index is read from the newest message on, and only from where a page begins.
pub(super) fn first_id(at: Timestamp) -> i64 {
    at.as_millis().clamp(0, LATEST) * IDS
}

/// The greatest numbers that are taken, by the first of their millisecond.
#[derive(Debug, Default)]
pub(super) struct SearchIds(HashMap<i64, i64>);

/// The greatest numbers that are taken in these milliseconds, of which a JSON array has the first ones.
macro_rules! taken {
    () => {
        "
    SELECT j.value AS first, (SELECT max(e.search_id) FROM chat_entries e
        WHERE e.search_id >= j.value AND e.search_id < j.value + 1048576) AS taken
    FROM json_each(?) j"
    };
}
pub(super) use taken;

impl SearchIds {
    /// From the rows of [`taken!`].
    pub(super) fn new(rows: &[SqliteRow]) -> Result<Self, StoreError> {
        let mut ids = HashMap::new();
        for row in rows {
            if let Some(taken) = row.integer("taken")? {
                ids.insert(row.code("first")?, taken);
            }
        }
        Ok(Self(ids))
    }

    pub(super) fn next(&mut self, at: Timestamp) -> i64 {
        let first = first_id(at);
        let taken = self.0.entry(first).or_insert(first - 1);
        *taken += 1;
        *taken
    }
}

/// What the index holds of a message: its words, who sent it, and where.
pub(super) fn indexed(message: &Message) -> String {
    words_of(&message.body, message.sender_id, message.conversation_id)
}

pub(super) fn words_of(body: &str, sender: UserId, conversation: ConversationId) -> String {
    let mut words = words(body);
    words.push(sent_by(sender));
    words.push(sent_in(conversation));
    words.join(" ")
}

fn sent_by(user: UserId) -> String {
    format!("@{}", hex(user.as_uuid()))
}

fn sent_in(conversation: ConversationId) -> String {
    format!("#{}", hex(conversation.as_uuid()))
}

/// The newest matches of ?2 that user ?1 can see, numbered from ?3 to before ?4, after the message ?6 that was accepted at
/// ?5, and accepted before ?7.
///
/// Whoever belongs to few conversations has only those looked through, however many messages there are elsewhere. Beyond
/// that, what is found elsewhere is passed over.
pub(super) const SEARCH: &str = r##"
    SELECT e.* FROM chat_search
    CROSS JOIN chat_entries e ON e.search_id = chat_search.rowid
    CROSS JOIN chat_members m ON m.conversation_id = e.conversation_id AND m.user_id = ?1
        AND m.active = 1 AND m.history_from <= e.seq
    WHERE chat_search MATCH ?2 || (
            SELECT CASE WHEN count(*) = 0 THEN ' AND "#"' WHEN count(*) <= 500
                THEN ' AND (' || group_concat('"#' || lower(hex(conversation_id)) || '"', ' OR ') || ')'
                ELSE '' END
            FROM (SELECT conversation_id FROM chat_members
                WHERE user_id = ?1 AND active = 1 AND (?8 IS NULL OR conversation_id = ?8) LIMIT 501))
        AND chat_search.rowid >= ?3 AND chat_search.rowid < ?4
        AND (?5 IS NULL OR (e.at, e.message_id) < (?5, ?6)) AND (?7 IS NULL OR e.at < ?7)
    ORDER BY chat_search.rowid DESC LIMIT ?9"##;

pub(super) const PLACE: &str = "SELECT at FROM chat_entries WHERE message_id = ?1";

/// Conversations of user ?1, or ?2 of them, in which something may not be indexed, and how much.
pub(super) const PENDING: &str = "
    SELECT m.conversation_id, c.last_message_seq - coalesce(i.seq, 0) AS count
    FROM chat_members m CROSS JOIN chat_conversations c ON c.id = m.conversation_id
    LEFT JOIN chat_indexed i ON i.conversation_id = m.conversation_id
    WHERE m.user_id = ?1 AND m.active = 1 AND (?2 IS NULL OR m.conversation_id = ?2)
        AND c.last_message_seq > coalesce(i.seq, 0)";

/// What is not indexed of these conversations, of what user ?1 can see.
pub(super) const UNINDEXED: &str = "
    SELECT e.* FROM json_each(?2) j
    CROSS JOIN chat_members m ON m.conversation_id = unhex(j.value) AND m.user_id = ?1 AND m.active = 1
    LEFT JOIN chat_indexed i ON i.conversation_id = m.conversation_id
    CROSS JOIN chat_entries e ON e.conversation_id = m.conversation_id
        AND e.seq > max(coalesce(i.seq, 0), m.history_from - 1)
    WHERE e.kind = 0 AND e.search_id IS NULL AND e.deleted_at IS NULL";

impl SqliteStore {
    /// Looks through what is not indexed and through the index, in one snapshot. Where the former is too much, it is indexed
    /// first.
    pub(super) async fn found(
        &self,
        user: UserId,
        search: &Search,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let patience = Patience::begin();
        loop {
            let mut snapshot = self.reader.begin().await.map_err(store_error)?;
            let (pending, count) = pending(&mut snapshot, user, search).await?;
            if count <= MOST_SCANNED {
                return found(&mut snapshot, user, search, after, limit, &pending).await;
            }
            drop(snapshot);
            patience.check()?;
            self.index_in(&pending).await?;
        }
    }
}

/// Where something may not be indexed, in the order of the ids, and how much that is in all.
async fn pending(
    snapshot: &mut SqliteConnection,
    user: UserId,
    search: &Search,
) -> Result<(Vec<ConversationId>, u64), StoreError> {
    let rows = sqlx::query(PENDING)
        .bind(user.as_uuid())
        .bind(search.conversation.map(ConversationId::as_uuid))
        .fetch_all(snapshot)
        .await
        .map_err(store_error)?;
    let (mut pending, mut count) = (Vec::new(), 0);
    for row in &rows {
        pending.push(row.conversation_id("conversation_id")?);
        count += row.number("count")?;
    }
    pending.sort_unstable();
    Ok((pending, count))
}

async fn unindexed(
    snapshot: &mut SqliteConnection,
    user: UserId,
    pending: &[ConversationId],
) -> Result<Vec<Message>, StoreError> {
    if pending.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(UNINDEXED)
        .bind(user.as_uuid())
        .bind(encode::ids(pending.iter().map(|id| id.as_uuid())))
        .fetch_all(snapshot)
        .await
        .map_err(store_error)?;
    rows.iter().map(Columns::message).collect()
}

async fn found(
    snapshot: &mut SqliteConnection,
    user: UserId,
    search: &Search,
    after: Option<MessageId>,
    limit: usize,
    pending: &[ConversationId],
) -> Result<Vec<Message>, StoreError> {
    let after = match after {
        None => None,
        Some(id) => match accepted_at(snapshot, id).await? {
            Some(at) => Some((at, id)),
            None => return Ok(Vec::new()),
        },
    };
    let unindexed = unindexed(snapshot, user, pending).await?;
    let bounds = [search.before, after.map(|(at, _)| at)];
    let until = bounds.into_iter().flatten().map(|at| first_id(at) + IDS);
    let until = until.min().unwrap_or(i64::MAX);
    let query = Matching {
        user,
        search,
        after,
    };
    let mut found = query.newest(snapshot, 0, until, limit).await?;
    if found.len() == limit
        && let Some((last, oldest)) = found.last().map(|(id, oldest)| (*id, oldest))
    {
        // Those of its millisecond are in no order.
        let first = first_id(oldest.created_at);
        let rest = query.newest(snapshot, first, last, usize::MAX).await?;
        found.extend(rest);
    }
    let found = found.into_iter().map(|(_, message)| message).collect();
    Ok(merge(unindexed, search, after, found, limit))
}

async fn accepted_at(
    snapshot: &mut SqliteConnection,
    id: MessageId,
) -> Result<Option<Timestamp>, StoreError> {
    let row = sqlx::query(PLACE)
        .bind(id.as_uuid())
        .fetch_optional(snapshot)
        .await
        .map_err(store_error)?;
    row.map(|row| row.time("at")).transpose()
}

struct Matching<'s> {
    user: UserId,
    search: &'s Search,
    after: Option<Place>,
}

impl Matching<'_> {
    /// The newest with numbers from `from` to before `until`, the greatest number first.
    async fn newest(
        &self,
        snapshot: &mut SqliteConnection,
        from: i64,
        until: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Message)>, StoreError> {
        let search = self.search;
        let rows = sqlx::query(SEARCH)
            .bind(self.user.as_uuid())
            .bind(expression(search))
            .bind(from)
            .bind(until)
            .bind(self.after.map(|(at, _)| at.as_millis()))
            .bind(self.after.map(|(_, id)| id.as_uuid()))
            .bind(search.before.map(Timestamp::as_millis))
            .bind(search.conversation.map(ConversationId::as_uuid))
            .bind(number(limit))
            .fetch_all(snapshot)
            .await
            .map_err(store_error)?;
        let found = |row: &SqliteRow| Ok((row.code("search_id")?, row.message()?));
        rows.iter().map(found).collect()
    }
}

/// Every word, the last one as the beginning of a word, and the sender.
fn expression(search: &Search) -> String {
    let words = search.words.iter().map(String::as_str);
    let mut terms: Vec<String> = words.map(quoted).collect();
    if let Some(last) = terms.last_mut() {
        last.push_str(" *");
    }
    terms.extend(search.from.map(|user| quoted(&sent_by(user))));
    terms.join(" AND ")
}

fn quoted(term: &str) -> String {
    format!("\"{}\"", term.replace('"', "\"\""))
}
