//! What the application asked for since it was last looked at, merged so that it cannot grow without bound.

use std::collections::VecDeque;

use super::outbox;
use crate::{
    model::{Availability, ClientId, ConversationId, Draft, Seq, UserId},
    source::HashMap,
};

/// Calls of [`Live`](super::Live) that were not carried out yet.
#[derive(Debug, Default)]
pub(super) struct Wants {
    pub(super) follow: HashMap<ConversationId, FollowWant>,
    pub(super) sends: VecDeque<(ConversationId, Draft)>,
    /// Sends for which there was no room.
    pub(super) refused: VecDeque<(ConversationId, ClientId)>,
    pub(super) discards: Vec<ClientId>,
    pub(super) reads: HashMap<ConversationId, ReadMove>,
    pub(super) deliveries: HashMap<ConversationId, Seq>,
    /// What was said last of how the user wants to be seen, for all devices.
    pub(super) availability: Option<Availability>,
    /// Nobody sits at this device. Stays when the rest is taken.
    pub(super) idle: bool,
    pub(super) typing: HashMap<ConversationId, bool>,
    pub(super) watch: Option<Vec<UserId>>,
    pub(super) retry: bool,
}

/// What is to become of following one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FollowWant {
    Leave(Leaving),
    /// Opens it unless it is open.
    Open(Opening),
    /// Leaves it and opens it anew.
    Reopen(Leaving, Opening),
}

/// The number of a leave: what was heard before it was carried out is not told any more.
pub(super) type Leaving = u64;

/// From where, and how many [`Event::Restored`](super::Event::Restored) the application had seen when it said so: a
/// cursor from before one of them is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) after: Seq,
    pub(super) restores_seen: u64,
}

/// What becomes of my read cursor: set back at most to `back`, then moved forward at least to `forward`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadMove {
    pub(super) back: Option<Seq>,
    pub(super) forward: Seq,
}

impl Default for ReadMove {
    fn default() -> Self {
        Self::forward(0)
    }
}

impl ReadMove {
    pub(super) const fn forward(seq: Seq) -> Self {
        Self {
            back: None,
            forward: seq,
        }
    }

    pub(super) const fn back(seq: Seq) -> Self {
        Self {
            back: Some(seq),
            forward: 0,
        }
    }

    /// The one move that does what this and then `next` do.
    pub(super) fn then(self, next: Self) -> Self {
        let Some(back) = next.back else {
            return Self {
                forward: self.forward.max(next.forward),
                ..self
            };
        };
        Self {
            back: Some(self.back.map_or(back, |earlier| earlier.min(back))),
            forward: self.forward.min(back).max(next.forward),
        }
    }
}

impl Wants {
    /// Takes what was asked for; what lasts stays.
    pub(super) fn take(&mut self) -> Self {
        let rest = Self {
            idle: self.idle,
            ..Self::default()
        };
        std::mem::replace(self, rest)
    }

    pub(super) fn open(&mut self, conversation: ConversationId, opening: Opening) {
        let merged = match self.follow.get(&conversation) {
            Some(FollowWant::Open(earlier) | FollowWant::Reopen(_, earlier))
                if earlier.restores_seen == opening.restores_seen =>
            {
                return;
            }
            Some(FollowWant::Leave(leaving) | FollowWant::Reopen(leaving, _)) => {
                FollowWant::Reopen(*leaving, opening)
            }
            Some(FollowWant::Open(_)) | None => FollowWant::Open(opening),
        };
        self.follow.insert(conversation, merged);
    }

    pub(super) fn leave(&mut self, conversation: ConversationId, leaving: Leaving) {
        self.follow.insert(conversation, FollowWant::Leave(leaving));
    }

    pub(super) fn send(&mut self, conversation: ConversationId, draft: Draft) {
        if self.sends.len() < outbox::CAPACITY {
            self.sends.push_back((conversation, draft));
        } else if self.refused.len() < outbox::CAPACITY {
            self.refused.push_back((conversation, draft.client_id));
        } else {
            tracing::error!(client_id = %draft.client_id, "the outbox is full, and so is the list of refusals");
        }
    }

    pub(super) fn discard(&mut self, client_id: ClientId) {
        self.sends.retain(|(_, draft)| draft.client_id != client_id);
        if self.discards.len() < outbox::CAPACITY && !self.discards.contains(&client_id) {
            self.discards.push(client_id);
        }
    }

    pub(super) fn mark_read(&mut self, conversation: ConversationId, seq: Seq) {
        let wanted = self.reads.entry(conversation).or_default();
        *wanted = wanted.then(ReadMove::forward(seq));
    }

    pub(super) fn mark_unread(&mut self, conversation: ConversationId, seq: Seq) {
        let wanted = self.reads.entry(conversation).or_default();
        *wanted = wanted.then(ReadMove::back(seq));
    }

    pub(super) fn mark_delivered(&mut self, conversation: ConversationId, seq: Seq) {
        let wanted = self.deliveries.entry(conversation).or_default();
        *wanted = seq.max(*wanted);
    }

    pub(super) fn set_presence(&mut self, availability: Availability) {
        match availability {
            Availability::Idle => self.idle = true,
            Availability::Online if self.idle => self.idle = false,
            lasting => self.availability = Some(lasting),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moves() -> impl Strategy<Value = ReadMove> {
        let seq = 0..20u64;
        prop_oneof![
            seq.clone().prop_map(ReadMove::forward),
            seq.prop_map(ReadMove::back)
        ]
    }

    fn moved(cursor: Seq, by: ReadMove) -> Seq {
        by.back
            .map_or(cursor, |back| cursor.min(back))
            .max(by.forward)
    }

    proptest! {
        #[test]
        fn moves_that_are_merged_do_what_they_do_one_after_another(
            cursor in 0..20u64,
            moves in prop::collection::vec(moves(), 1..6),
        ) {
            let merged = moves.iter().copied().reduce(ReadMove::then).unwrap();
            let one_by_one = moves.into_iter().fold(cursor, moved);
            prop_assert_eq!(moved(cursor, merged), one_by_one);
        }
    }
}
