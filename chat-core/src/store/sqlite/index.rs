//! Takes messages into the index, some at a time, after they were stored.

use serde_json::{Value, json};

use super::{
    SqliteStore,
    encode::{self, hex},
    error::store_error,
    script::Script,
    search::{SearchIds, first_id, taken, words_of},
};
use crate::{
    model::ConversationId,
    store::{
        StoreError,
        columns::number,
        remainder::{STEP, SWEEP, Step, Unindexed},
    },
};

/// What is not indexed of these conversations, at most ?2 entries. It comes in the order of the list, which is that of the
/// ids, and of the logs: nothing is sorted.
pub(super) const NEXT: &str = "BEGIN IMMEDIATE;
    SELECT e.conversation_id, e.seq, e.at, e.author_id, e.message_id, e.body,
        e.kind = 0 AND e.deleted_at IS NULL AND e.search_id IS NULL AS is_new
    FROM json_each(?) j CROSS JOIN chat_conversations c ON c.id = unhex(j.value)
    LEFT JOIN chat_indexed i ON i.conversation_id = c.id
    CROSS JOIN chat_entries e ON e.conversation_id = c.id AND e.seq > coalesce(i.seq, 0)
    WHERE c.last_message_seq > coalesce(i.seq, 0) LIMIT ?";

const NUMBER: &str = "
    UPDATE chat_entries AS e SET search_id = j.value ->> 2 FROM json_each(?) j
    WHERE e.conversation_id = unhex(j.value ->> 0) AND e.seq = j.value ->> 1;";
const INDEX: &str = "
    INSERT INTO chat_search (rowid, words) SELECT value ->> 0, value ->> 1 FROM json_each(?);";
const INDEXED: &str = "
    INSERT INTO chat_indexed (conversation_id, seq)
    SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?) WHERE true
    ON CONFLICT (conversation_id) DO UPDATE SET seq = max(seq, excluded.seq);";

/// The next conversations, and whether anything in them is not indexed.
pub(super) const SWEEP_ON: &str = "
    SELECT c.id, c.last_message_seq > coalesce(i.seq, 0) AS pending
    FROM chat_conversations c LEFT JOIN chat_indexed i ON i.conversation_id = c.id
    WHERE c.id > ?1 ORDER BY c.id LIMIT ?2";

impl SqliteStore {
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
        let rows = sqlx::query(SWEEP_ON)
            .bind(after.as_uuid())
            .bind(number(SWEEP))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        self.remainder.swept(&rows)
    }

    /// Indexes some of what is left of these conversations, in the order of their ids; answers from which one on there may
    /// be more.
    pub(super) async fn index_in(
        &self,
        conversations: &[ConversationId],
    ) -> Result<Option<ConversationId>, StoreError> {
        if conversations.is_empty() {
            return Ok(None);
        }
        let ids = encode::ids(conversations.iter().map(|id| id.as_uuid()));
        let next = sqlx::query(NEXT).bind(ids).bind(number(STEP));
        let (mut transaction, found) = self.writer.begin(next).await?;
        let entries = found.iter().flatten().map(Unindexed::read);
        let step = Step::of(entries.collect::<Result<_, _>>()?);
        let messages: Vec<_> = step.entries.iter().filter_map(message).collect();
        let firsts = messages.iter().map(|(entry, _)| first_id(entry.at));
        let firsts = encode::list(firsts.map(Value::from).collect());
        let taken = sqlx::query(taken!()).bind(firsts);
        let taken = transaction.run(taken).await?.pop().unwrap_or_default();
        let mut search_ids = SearchIds::new(&taken)?;

        let (mut numbers, mut words) = (Vec::new(), Vec::new());
        for (entry, body) in messages {
            let id = search_ids.next(entry.at);
            numbers.push(json!([conversation(entry), entry.seq, id]));
            let said = words_of(body, entry.author_id, entry.conversation_id);
            words.push(json!([id, said]));
        }
        let places = step.places();
        let places = places.iter();
        let places = places.map(|(id, seq)| json!([hex(id.as_uuid()), seq]));
        let mut script = Script::new();
        script.push_list(NUMBER, numbers);
        script.push_list(INDEX, words);
        script.push_list(INDEXED, places.collect());
        script.push("COMMIT");
        transaction.commit(script.statements()?).await?;
        Ok(step.left)
    }
}

fn message(entry: &Unindexed) -> Option<(&Unindexed, &str)> {
    let (_, body) = entry.message.as_ref()?;
    Some((entry, body))
}

fn conversation(entry: &Unindexed) -> String {
    hex(entry.conversation_id.as_uuid())
}
