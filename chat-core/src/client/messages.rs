//! Messages as they are now, kept so by the entries of their log, in whatever order the two come.

use std::{
    collections::{BTreeMap, VecDeque, btree_map},
    ops::RangeBounds,
};

use crate::model::{Entry, Message, Seq};

/// How many changes are kept for answers that may be older than them.
const MAX_RECENT: usize = 1_000;

/// Messages of one conversation in their present state.
///
/// Feed it with the entries that a live connection tells, in their order, and with messages from wherever they come: pages of
/// history, answers to an edit, [`Event::Sent`](super::Event::Sent). An answer may be older than an entry that was applied
/// already, or newer than one that is still to come; what is held ends as the server has it. Two things must be true: the
/// conversation was [opened](super::Live::open) after a place that was read before the first page was asked for (the
/// `head_seq` of its row), and no answer takes so long that a thousand changes come meanwhile.
///
/// ```
/// use chat_core::client::Messages;
/// # use chat_core::model::{Entry, Message};
/// # use serde_json::{json, from_value};
/// # let id = "0190e3a0-0000-7000-8000-000000000001";
/// # let state = |body: &str, changed_seq: u64| json!({
/// #     "id": id, "conversation_id": id, "seq": 1, "sender_id": id, "client_id": id, "body": body,
/// #     "created_at": "2026-11-22T00:00:00.000Z", "changed_seq": changed_seq,
/// # });
/// # let edited = json!({
/// #     "type": "message_edited", "message": state("pears", 2), "conversation_id": id, "seq": 2,
/// #     "at": "2026-11-22T00:00:00.000Z",
/// # });
/// # let edited: Entry = from_value(edited).unwrap();
/// # let asked_for_before: Vec<Message> = vec![from_value(state("apples", 1)).unwrap()];
///
/// let mut messages = Messages::default();
/// messages.apply(&edited);
/// // The answer to a question from before the edit.
/// messages.put(asked_for_before);
///
/// let bodies: Vec<_> = messages.iter().map(|message| message.body.as_str()).collect();
/// assert_eq!(bodies, ["pears"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Messages {
    held: BTreeMap<Seq, Message>,
    /// The newest changes to messages, by the message and then by the change: an answer that comes may be older.
    recent: BTreeMap<(Seq, Seq), Entry>,
    /// The same in the order in which they came.
    recent_order: VecDeque<(Seq, Seq)>,
}

impl Messages {
    /// Takes messages as the server told them at some time.
    pub fn put(&mut self, messages: impl IntoIterator<Item = Message>) {
        for mut message in messages {
            let seq = message.seq;
            for (_, entry) in self.recent.range((seq, 0)..=(seq, Seq::MAX)) {
                entry.apply_to(&mut message);
            }
            match self.held.entry(seq) {
                btree_map::Entry::Vacant(place) => {
                    place.insert(message);
                }
                btree_map::Entry::Occupied(mut held) if message.supersedes(held.get()) => {
                    held.insert(message);
                }
                btree_map::Entry::Occupied(_) => {}
            }
        }
    }

    /// Takes the next entry of the log; whether a message that is held came or changed.
    pub fn apply(&mut self, entry: &Entry) -> bool {
        if let Some(message) = entry.message() {
            let is_new = !self.held.contains_key(&message.seq);
            self.put([message.clone()]);
            return is_new;
        }
        let Some(about) = entry.about() else {
            return false;
        };
        self.remember(about, entry);
        let held = self.held.get_mut(&about);
        held.is_some_and(|message| entry.apply_to(message))
    }

    /// The message at this place.
    #[must_use]
    pub fn get(&self, seq: Seq) -> Option<&Message> {
        self.held.get(&seq)
    }

    /// All that are held, ascending by `seq`.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.held.values()
    }

    /// Those at these places, ascending by `seq`.
    pub fn range(
        &self,
        places: impl RangeBounds<Seq>,
    ) -> impl DoubleEndedIterator<Item = &Message> {
        self.held.range(places).map(|(_, message)| message)
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Forgets all messages but those at these places; they can be [`put`](Self::put) again. A reader whose history begins
    /// later than before (`me.history_from` of the row) keeps `history_from..`.
    pub fn retain(&mut self, places: impl RangeBounds<Seq>) {
        self.held.retain(|seq, _| places.contains(seq));
    }

    fn remember(&mut self, about: Seq, entry: &Entry) {
        let key = (about, entry.seq);
        if self.recent.insert(key, entry.clone()).is_none() {
            self.recent_order.push_back(key);
        }
        if self.recent_order.len() > MAX_RECENT
            && let Some(oldest) = self.recent_order.pop_front()
        {
            self.recent.remove(&oldest);
        }
    }
}
