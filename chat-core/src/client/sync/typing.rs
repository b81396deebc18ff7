//! My own typing: told at once, repeated no more often than the server asks for.

use std::time::{Duration, Instant};

use crate::{model::ConversationId, source::HashMap};

#[derive(Debug, Default)]
pub(super) struct Typing(HashMap<ConversationId, Instant>);

impl Typing {
    /// A key was pressed: whether that is to be told now.
    pub(super) fn start(
        &mut self,
        conversation: ConversationId,
        repeat: Duration,
        now: Instant,
    ) -> bool {
        let told = self.0.get(&conversation);
        let due = told.is_none_or(|at| now.saturating_duration_since(*at) >= repeat);
        if due {
            self.0.insert(conversation, now);
        }
        due
    }

    /// No more: whether anybody was told otherwise.
    pub(super) fn stop(&mut self, conversation: ConversationId) -> bool {
        self.0.remove(&conversation).is_some()
    }

    pub(super) fn disconnected(&mut self) {
        self.0.clear();
    }
}
