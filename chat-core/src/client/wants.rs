//! What the application asked for since it was last looked at, merged so that it cannot grow without bound.

use std::collections::VecDeque;

use super::outbox;
use crate::{
    model::{ClientId, ConversationId, Draft, Seq, UserId},
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
    pub(super) reads: HashMap<ConversationId, Seq>,
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

impl Wants {
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
        *wanted = seq.max(*wanted);
    }
}
