//! The inbox: what was not sent, and what is unread, from all conversations.

use std::collections::HashSet;

use chat_core::model::{ClientId, ConversationId};

use super::{
    App, Dialog, Pane,
    conversations::Item,
    keymap::Action,
    panels,
    timeline::{ItemId, Sending},
};
use crate::effect::Effect;

/// The dialog. What is in it stays in its place while it is open; what comes meanwhile comes last.
#[derive(Debug, Default)]
pub struct Inbox {
    /// From the top.
    pub items: Vec<Waiting>,
    /// Which of it.
    pub selected: usize,
}

/// Something that waits for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// A message of theirs was refused.
    Refused(ConversationId, ClientId),
    /// Somebody said something.
    Unread(ConversationId),
}

impl App {
    pub(super) fn open_inbox(&mut self) {
        self.dialog = Some(Dialog::Inbox(Inbox::default()));
        self.fill_inbox();
    }

    /// What has come since goes to the end.
    pub(super) fn fill_inbox(&mut self) {
        let Some(Dialog::Inbox(inbox)) = &self.dialog else {
            return;
        };
        let here: HashSet<Waiting> = inbox.items.iter().copied().collect();
        let mut new = self.what_waits();
        new.retain(|waiting| !here.contains(waiting));
        if let Some(Dialog::Inbox(inbox)) = &mut self.dialog {
            inbox.items.extend(new);
        }
    }

    /// What was not sent, then mentions, then what else makes itself heard, then the rest.
    fn what_waits(&self) -> Vec<Waiting> {
        let mut refused = Vec::new();
        for chat in self.chats.values() {
            let pending = chat.timeline.pending().iter();
            let failed = pending.filter(|pending| matches!(pending.state, Sending::Failed { .. }));
            refused.extend(failed.map(|pending| (pending.at, chat.id, pending.draft.client_id)));
        }
        refused.sort_unstable();
        let refused = refused
            .into_iter()
            .map(|(_, id, name)| Waiting::Refused(id, name));
        let mut unread: Vec<&Item> = self
            .list
            .all()
            .filter(|item| self.unread(item).0 > 0)
            .collect();
        // Stable: among equals the order of the list.
        unread.sort_by_key(|item| match item.heard() {
            (_, mentions) if mentions > 0 => 0,
            (count, _) if count > 0 => 1,
            _ => 2,
        });
        let unread = unread.into_iter().map(|item| Waiting::Unread(item.id));
        refused.chain(unread).collect()
    }

    pub(super) fn key_in_inbox(
        &mut self,
        action: Option<Action>,
        by: isize,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Dialog::Inbox(inbox)) = &mut self.dialog else {
            return;
        };
        panels::go(&mut inbox.selected, by, inbox.items.len());
        let chosen = inbox.items.get(inbox.selected).copied();
        if let (Some(Action::Enter), Some(waiting)) = (action, chosen) {
            self.close_dialogs();
            self.go_to_waiting(waiting, effects);
        }
    }

    fn go_to_waiting(&mut self, waiting: Waiting, effects: &mut Vec<Effect>) {
        match waiting {
            Waiting::Unread(id) => {
                self.open_conversation(id, effects);
                self.pane = Pane::Composer;
            }
            Waiting::Refused(id, name) if self.list.get(id).is_some() => {
                self.open_conversation(id, effects);
                if let Some(chat) = self.chat_mut() {
                    chat.select(Some(ItemId::Pending(name)));
                    self.pane = Pane::Messages;
                }
            }
            Waiting::Refused(id, name) => {
                // The conversation is gone; the words are not.
                let chat = self.chats.get_mut(&id);
                if let Some(pending) = chat.and_then(|chat| chat.timeline.remove_pending(name)) {
                    self.killed = pending.draft.body;
                    effects.push(Effect::Discard(name));
                    self.tell_with_yank(
                        "that conversation is gone · {} puts your words into a draft",
                    );
                }
            }
        }
    }
}
