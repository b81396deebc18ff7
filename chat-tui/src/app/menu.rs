//! Menus: what can be done with something, each by its letter or by choosing it.

use chat_core::model::{ConversationId, UserId};

use super::{
    keymap::{Action, Context},
    text::Plain,
};

/// What a menu is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The selected message.
    Message,
    /// A conversation.
    Conversation(ConversationId),
    /// The role of a member.
    Role(ConversationId, UserId),
    /// Myself.
    Own,
}

/// What can be done now, in words that say how things are.
#[derive(Clone, Debug)]
pub struct Menu {
    /// What it is about.
    pub subject: Subject,
    /// What stands above it.
    pub title: Plain,
    /// What can be done.
    pub items: Vec<(Action, String)>,
    /// Which of them, from the top.
    pub selected: usize,
}

impl Menu {
    /// A menu with the first item selected.
    #[must_use]
    pub fn new(subject: Subject, title: &str, items: Vec<(Action, String)>) -> Self {
        Self {
            subject,
            title: Plain::line(title),
            items,
            selected: 0,
        }
    }

    /// Where the letters of its items are bound.
    #[must_use]
    pub const fn context(&self) -> Context {
        match self.subject {
            Subject::Message => Context::Messages,
            Subject::Conversation(_) => Context::Conversation,
            Subject::Role(..) => Context::Roles,
            Subject::Own => Context::Own,
        }
    }

    /// The action that a key chooses; moving the selection chooses nothing.
    pub fn key(&mut self, action: Option<Action>) -> Option<Action> {
        match action? {
            Action::Up => self.selected = self.selected.saturating_sub(1),
            Action::Down => {
                self.selected = (self.selected + 1).min(self.items.len().saturating_sub(1));
            }
            // In the menu of a message, the key that opened it chooses.
            Action::Enter | Action::Menu => {
                return self.items.get(self.selected).map(|(action, _)| *action);
            }
            action => {
                return self
                    .items
                    .iter()
                    .any(|(offered, _)| *offered == action)
                    .then_some(action);
            }
        }
        None
    }
}
