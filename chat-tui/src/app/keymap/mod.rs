//! Which key does what where; the key bar and the help are made from this table.

mod key;
mod table;

use chat_core::model::{Availability, Role};

use super::composer::Motion;
pub use key::{Code, Key};
pub use table::BINDINGS;

/// What a key can be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is described in the table below, for the help"
)]
pub enum Action {
    Help,
    Redraw,
    Suspend,
    RetryNow,
    Interrupt,
    Quit,
    SignOut,
    Switcher,
    NewConversation,
    PreviousConversation,
    NextConversation,
    NextUnread,
    PageUp,
    PageDown,
    Latest,
    NextPane,
    PreviousPane,
    Send,
    Newline,
    Move(Motion),
    Delete(Motion),
    Up,
    Down,
    First,
    Last,
    Enter,
    Back,
    Reply,
    Resend,
    Edit,
    Discard,
    Mark,
    OtherForm,
    Yank,
    Search,
    Archived,
    ConversationMenu,
    OwnMenu,
    Members,
    Pins,
    Menu,
    Unfold,
    React,
    Unreact,
    PinMessage,
    Copy,
    Readers,
    MarkUnread,
    Answered,
    KeepOnTop,
    Mute,
    Archive,
    Notify,
    ToggleRead,
    Rename,
    Topic,
    History,
    Block,
    Leave,
    DeleteGroup,
    Add,
    ChangeRole,
    Remove,
    Ban,
    Role(Role),
    Available(Availability),
    Receipts,
    TellTyping,
    IdleAfter,
    RenameMe,
    SignIns,
    Yes,
    No,
}

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Always.
    Everywhere,
    /// While conversations are on the screen and no dialog is above them.
    Main,
    /// In the conversation list.
    List,
    /// While writing.
    Composer,
    /// While a message is selected.
    Messages,
    /// In a dialog.
    Dialog,
    /// While a name is offered for what is being written.
    Completion,
    /// In the menu of a conversation.
    Conversation,
    /// In the menu of what concerns me.
    Own,
    /// In the list of members.
    Members,
    /// In the menu of roles.
    Roles,
    /// When asked whether something is meant.
    Ask,
    /// On the sign-in screen.
    SignIn,
}

impl Context {
    /// As a heading of the help.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Main => "Conversations",
            Self::List => "In the list",
            Self::Composer => "While writing",
            Self::Messages => "On a selected message",
            Self::Dialog => "In a dialog",
            Self::Completion => "While a name is offered",
            Self::Conversation => "In the menu of a conversation",
            Self::Own => "In the menu about yourself",
            Self::Members => "In the list of members",
            Self::Roles => "In the menu of roles",
            Self::Ask => "When asked whether you mean it",
            Self::SignIn => "Signing in",
        }
    }
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Where.
    pub context: Context,
    /// By any of these keys; the first is the one that is shown in the key bar.
    pub keys: &'static [Key],
    /// What.
    pub action: Action,
    /// For the help.
    pub help: &'static str,
}

/// What the key does where these contexts hold; the first that knows it wins.
#[must_use]
pub fn lookup(contexts: &[Context], key: Key) -> Option<Action> {
    contexts.iter().find_map(|context| {
        BINDINGS
            .iter()
            .find(|b| b.context == *context && b.keys.contains(&key))
            .map(|b| b.action)
    })
}

/// The key to show for an action.
#[must_use]
pub fn key_for(context: Context, action: Action) -> Option<Key> {
    BINDINGS
        .iter()
        .find(|b| b.context == context && b.action == action)
        .and_then(|b| b.keys.first().copied())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_place() {
        let mut seen = HashSet::new();
        for binding in BINDINGS {
            for key in binding.keys {
                assert!(
                    seen.insert((binding.context, *key)),
                    "{key} {:?}",
                    binding.context
                );
            }
        }
    }

    #[test]
    fn no_key_hides_another_that_holds_at_the_same_time() {
        use Context::{Composer, Everywhere, List, Main, Messages};
        let stacks = [
            [List, Main, Everywhere],
            [Composer, Main, Everywhere],
            [Messages, Main, Everywhere],
        ];
        for stack in stacks {
            let mut seen = HashSet::new();
            let held = BINDINGS.iter().filter(|b| stack.contains(&b.context));
            for (key, binding) in held.flat_map(|b| b.keys.iter().map(move |key| (key, b))) {
                assert!(seen.insert(key), "{key}: {}", binding.help);
            }
        }
    }

    #[test]
    fn every_alt_key_has_a_twin_for_terminals_without_alt() {
        for binding in BINDINGS {
            let only_alt = binding.keys.iter().all(|key| key.alt);
            // Deleting a word forward is a convenience: moving and deleting back does the same.
            assert!(
                !only_alt || binding.action == Action::Delete(Motion::WordRight),
                "{}",
                binding.help
            );
        }
    }
}
