//! Who is typing where: forgotten by itself, told at most once a second a conversation.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    hub::Hub,
    limits::Limits,
    model::{ConversationId, UserId},
    source::HashMap,
};

/// Who is typing, on this node.
#[derive(Debug)]
pub(crate) struct Typing {
    limits: Arc<Limits>,
    conversations: Mutex<HashMap<ConversationId, Typists>>,
}

#[derive(Debug, Default)]
struct Typists {
    /// Until when each of them counts as typing.
    until: BTreeMap<UserId, Instant>,
    /// When the joined were last told.
    told: Option<Instant>,
    /// The set changed since.
    changed: bool,
}

impl Typing {
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self {
            limits,
            conversations: Mutex::default(),
        }
    }

    /// This user types, until the expiry unless it is said again.
    pub(crate) fn start(&self, conversation: ConversationId, user: UserId, hub: &Hub) {
        let until = Instant::now() + self.limits.typing_expiry;
        self.change(conversation, hub, |typists| {
            typists.until.insert(user, until).is_none()
        });
    }

    /// This user types no longer.
    pub(crate) fn stop(&self, conversation: ConversationId, user: UserId, hub: &Hub) {
        // Said with every message: nothing is made for a conversation in which nobody types.
        if self.conversations.lock().contains_key(&conversation) {
            self.change(conversation, hub, |typists| {
                typists.until.remove(&user).is_some()
            });
        }
    }

    /// This user types nowhere any longer; where they did.
    pub(crate) fn stop_everywhere(&self, user: UserId, hub: &Hub) -> Vec<ConversationId> {
        let typists = |typists: &Typists| typists.until.contains_key(&user);
        let everywhere: Vec<_> = {
            let conversations = self.conversations.lock();
            let in_them = conversations.iter().filter(|(_, it)| typists(it));
            in_them.map(|(id, _)| *id).collect()
        };
        for conversation in &everywhere {
            self.stop(*conversation, user, hub);
        }
        everywhere
    }

    /// Who types now, by id.
    pub(crate) fn who(&self, conversation: ConversationId) -> Vec<UserId> {
        let conversations = self.conversations.lock();
        conversations
            .get(&conversation)
            .map(|typists| typists.until.keys().copied().collect())
            .unwrap_or_default()
    }

    /// What time brings: expiries, and sets that changed too soon after they were told.
    pub(crate) fn tick(&self, hub: &Hub) {
        let now = Instant::now();
        let mut to_tell = Vec::new();
        self.conversations.lock().retain(|conversation, typists| {
            let before = typists.until.len();
            typists.until.retain(|_, until| *until > now);
            typists.changed |= typists.until.len() < before;
            if typists.may_be_told(now, &self.limits) {
                to_tell.push(*conversation);
            }
            let recent = typists
                .told
                .is_some_and(|at| now - at < self.limits.typing_interval);
            typists.changed || recent || !typists.until.is_empty()
        });
        for conversation in to_tell {
            hub.typing_changed(conversation);
        }
    }

    fn change(
        &self,
        conversation: ConversationId,
        hub: &Hub,
        change: impl FnOnce(&mut Typists) -> bool,
    ) {
        let tell = {
            let mut conversations = self.conversations.lock();
            let typists = conversations.entry(conversation).or_default();
            typists.changed |= change(typists);
            typists.may_be_told(Instant::now(), &self.limits)
        };
        if tell {
            hub.typing_changed(conversation);
        }
    }
}

impl Typists {
    /// Whether there is news and it is not too soon; if so, it counts as told.
    fn may_be_told(&mut self, now: Instant, limits: &Limits) -> bool {
        let too_soon = self
            .told
            .is_some_and(|at| now - at < limits.typing_interval);
        if !self.changed || too_soon {
            return false;
        }
        self.changed = false;
        self.told = Some(now);
        true
    }
}
