//! Who may see what of a log, worked out from the log itself.

use std::collections::BTreeMap;

use super::store::at_once;
use crate::{
    model::{Change, ConversationId, Entry, History, Seq, UserId},
    store::{MemoryStore, MessageLog},
};

/// Who belonged to which conversation from when to when, as far as it was asked.
#[derive(Debug, Default)]
pub(super) struct Sight {
    logs: BTreeMap<ConversationId, Stays>,
}

#[derive(Debug, Default)]
struct Stays {
    read: Seq,
    history: History,
    of: BTreeMap<UserId, Vec<Stay>>,
}

#[derive(Clone, Copy, Debug)]
struct Stay {
    history_from: Seq,
    until: Seq,
}

impl Stays {
    fn read(&mut self, entry: &Entry) {
        let seq = entry.seq;
        match &entry.change {
            Change::MemberJoined { user_id, .. } => {
                let history_from = match self.history {
                    History::Shared => 1,
                    History::FromJoin => seq,
                };
                self.of.entry(*user_id).or_default().push(Stay {
                    history_from,
                    until: Seq::MAX,
                });
            }
            Change::MemberLeft { user_id, .. } => {
                end(self.of.entry(*user_id).or_default(), seq);
            }
            Change::ConversationDeleted { .. } => {
                self.of.values_mut().for_each(|stays| end(stays, seq));
            }
            Change::ConversationHistory { history, .. } => self.history = *history,
            _ => {}
        }
        self.read = seq;
    }
}

fn end(stays: &mut [Stay], seq: Seq) {
    if let Some(last) = stays.last_mut() {
        last.until = last.until.min(seq);
    }
}

impl Sight {
    /// A group begins with this history.
    pub(super) fn founded(&mut self, conversation: ConversationId, history: History) {
        self.logs.entry(conversation).or_default().history = history;
    }

    /// Whether this entry may be served so to the user's session; `stored` is what it really is.
    pub(super) fn allows(
        &mut self,
        log: &MemoryStore,
        user: UserId,
        told: &Entry,
        stored: &Entry,
    ) -> bool {
        let id = told.conversation_id;
        let stays = self.logs.entry(id).or_default();
        for entry in at_once(log.entries_after(id, stays.read, usize::MAX)) {
            stays.read(&entry);
        }
        // In a direct conversation nobody joins, and both see everything.
        if stays.of.is_empty() {
            return told.change != Change::Hidden {};
        }
        let of = stays.of.get(&user).into_iter().flatten();
        let mut there = of.filter(|stay| (stay.history_from..=stay.until).contains(&told.seq));
        let is_hidden = told.change == Change::Hidden {};
        there.any(|stay| {
            let is_before = stored
                .about()
                .is_some_and(|about| about < stay.history_from);
            is_before == is_hidden
        })
    }
}

/// Whether what somebody was told is what the log has at this place. Messages in the log are as they are now.
pub(super) fn agrees(told: &Entry, stored: &Entry) -> bool {
    let same_place = told.seq == stored.seq && told.at == stored.at;
    let same_change = match (&told.change, &stored.change) {
        (Change::Hidden {}, _) => stored.about().is_some(),
        (
            Change::ReactionAdded {
                message_id: told,
                user_id: by,
                ..
            },
            Change::ReactionAdded {
                message_id: stored,
                user_id,
                ..
            },
        )
        | (
            Change::ReactionRemoved {
                message_id: told,
                user_id: by,
                ..
            },
            Change::ReactionRemoved {
                message_id: stored,
                user_id,
                ..
            },
        ) => told == stored && by == user_id,
        (told_change, stored_change) => {
            let same_kind =
                std::mem::discriminant(told_change) == std::mem::discriminant(stored_change);
            match (told.message_state(), stored.message_state()) {
                (Some(told), Some(stored)) => {
                    same_kind
                        && told.id == stored.id
                        && (told == stored || told.changed_seq < stored.changed_seq)
                }
                _ => told_change == stored_change,
            }
        }
    };
    same_place && same_change
}
