//! Which key does what where; the key bar and the help are made from this table.

use std::fmt;

use super::composer::Motion;

/// A key, as far as a terminal can tell keys apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which.
    pub code: Code,
    /// With Ctrl held.
    pub ctrl: bool,
    /// With Alt held.
    pub alt: bool,
}

/// The keys that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the key that its name says")]
pub enum Code {
    Char(char),
    F(u8),
    Enter,
    Esc,
    Tab,
    BackTab,
    Backspace,
    Delete,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
}

impl Key {
    /// The key alone.
    #[must_use]
    pub const fn plain(code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
        }
    }

    /// With Ctrl.
    #[must_use]
    pub const fn ctrl(code: Code) -> Self {
        Self {
            code,
            ctrl: true,
            alt: false,
        }
    }

    /// With Alt.
    #[must_use]
    pub const fn alt(code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: true,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("^")?;
        }
        if self.alt {
            f.write_str("Alt-")?;
        }
        match self.code {
            Code::Char(c) if self.ctrl => write!(f, "{}", c.to_ascii_uppercase()),
            Code::Char(c) => write!(f, "{c}"),
            Code::F(n) => write!(f, "F{n}"),
            Code::Enter => f.write_str("Enter"),
            Code::Esc => f.write_str("Esc"),
            Code::Tab => f.write_str("Tab"),
            Code::BackTab => f.write_str("Shift-Tab"),
            Code::Backspace => f.write_str("Backspace"),
            Code::Delete => f.write_str("Del"),
            Code::Up => f.write_str("↑"),
            Code::Down => f.write_str("↓"),
            Code::Left => f.write_str("←"),
            Code::Right => f.write_str("→"),
            Code::Home => f.write_str("Home"),
            Code::End => f.write_str("End"),
            Code::PageUp => f.write_str("PgUp"),
            Code::PageDown => f.write_str("PgDn"),
        }
    }
}

/// What a key can be bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is described in the table below, for the help"
)]
pub enum Action {
    Help,
    Redraw,
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

const fn c(letter: char) -> Key {
    Key::ctrl(Code::Char(letter))
}

const fn a(letter: char) -> Key {
    Key::alt(Code::Char(letter))
}

const fn l(letter: char) -> Key {
    Key::plain(Code::Char(letter))
}

const fn k(code: Code) -> Key {
    Key::plain(code)
}

const fn bind(
    context: Context,
    keys: &'static [Key],
    action: Action,
    help: &'static str,
) -> Binding {
    Binding {
        context,
        keys,
        action,
        help,
    }
}

/// All bindings, in the order of the help.
pub const BINDINGS: &[Binding] = &{
    use Action as A;
    use Context::{Composer, Dialog, Everywhere, List, Main, Messages, SignIn};
    [
        bind(Main, &[c('k')], A::Switcher, "go to a conversation by name"),
        bind(Main, &[c('t')], A::NewConversation, "start a conversation"),
        bind(
            Main,
            &[c('g'), a('a')],
            A::NextUnread,
            "next unread conversation",
        ),
        bind(
            Main,
            &[c('p'), Key::alt(Code::Up)],
            A::PreviousConversation,
            "conversation above",
        ),
        bind(
            Main,
            &[c('n'), Key::alt(Code::Down)],
            A::NextConversation,
            "conversation below",
        ),
        bind(
            Main,
            &[k(Code::Tab), k(Code::F(6))],
            A::NextPane,
            "next pane",
        ),
        bind(Main, &[k(Code::BackTab)], A::PreviousPane, "previous pane"),
        bind(Main, &[k(Code::PageUp)], A::PageUp, "scroll back"),
        bind(Main, &[k(Code::PageDown)], A::PageDown, "scroll forward"),
        bind(
            Main,
            &[Key::ctrl(Code::End), Key::alt(Code::End)],
            A::Latest,
            "to the newest message",
        ),
        bind(
            Main,
            &[k(Code::F(9))],
            A::SignOut,
            "sign out, when pressed twice",
        ),
        bind(Composer, &[k(Code::Enter)], A::Send, "send"),
        bind(
            Composer,
            &[c('j'), Key::alt(Code::Enter)],
            A::Newline,
            "new line",
        ),
        bind(
            Composer,
            &[k(Code::Up)],
            A::Up,
            "row above; in an empty draft, select a message",
        ),
        bind(Composer, &[k(Code::Down)], A::Down, "row below"),
        bind(
            Composer,
            &[k(Code::Left), c('b')],
            A::Move(Motion::Left),
            "left",
        ),
        bind(
            Composer,
            &[k(Code::Right), c('f')],
            A::Move(Motion::Right),
            "right",
        ),
        bind(
            Composer,
            &[Key::ctrl(Code::Left), a('b'), Key::alt(Code::Left)],
            A::Move(Motion::WordLeft),
            "word left",
        ),
        bind(
            Composer,
            &[Key::ctrl(Code::Right), a('f'), Key::alt(Code::Right)],
            A::Move(Motion::WordRight),
            "word right",
        ),
        bind(
            Composer,
            &[c('a'), k(Code::Home)],
            A::Move(Motion::Home),
            "start of line; Home in an empty draft, to the unread",
        ),
        bind(
            Composer,
            &[c('e'), k(Code::End)],
            A::Move(Motion::End),
            "end of line; End in an empty draft, to the newest",
        ),
        bind(
            Composer,
            &[k(Code::Backspace), c('h')],
            A::Delete(Motion::Left),
            "delete back",
        ),
        bind(
            Composer,
            &[k(Code::Delete), c('d')],
            A::Delete(Motion::Right),
            "delete forward",
        ),
        bind(
            Composer,
            &[c('w'), Key::alt(Code::Backspace)],
            A::Delete(Motion::WordLeft),
            "delete word",
        ),
        bind(
            Composer,
            &[a('d')],
            A::Delete(Motion::WordRight),
            "delete word forward",
        ),
        bind(
            Composer,
            &[c('u')],
            A::Delete(Motion::Home),
            "delete to start of line",
        ),
        bind(Composer, &[c('y')], A::Yank, "bring back what was cleared"),
        bind(
            Composer,
            &[k(Code::Esc)],
            A::Back,
            "drop the reply, or go to the list",
        ),
        bind(List, &[k(Code::Up), l('k')], A::Up, "up"),
        bind(List, &[k(Code::Down), l('j')], A::Down, "down"),
        bind(List, &[k(Code::Home)], A::First, "first"),
        bind(List, &[k(Code::End)], A::Last, "last"),
        bind(List, &[k(Code::Enter), k(Code::Right)], A::Enter, "open"),
        bind(List, &[k(Code::Esc)], A::Back, "back to the conversation"),
        bind(Messages, &[k(Code::Up), l('k')], A::Up, "older"),
        bind(Messages, &[k(Code::Down), l('j')], A::Down, "newer"),
        bind(Messages, &[l('r')], A::Reply, "reply"),
        bind(Messages, &[l('t')], A::Resend, "try again to send"),
        bind(Messages, &[l('e')], A::Edit, "edit what was not sent"),
        bind(Messages, &[l('d')], A::Discard, "discard what was not sent"),
        bind(
            Messages,
            &[k(Code::Enter)],
            A::Enter,
            "unfold or fold a long message",
        ),
        bind(Messages, &[k(Code::End)], A::Last, "to the newest message"),
        bind(Messages, &[k(Code::Esc)], A::Back, "back to writing"),
        bind(Dialog, &[k(Code::Up), c('p')], A::Up, "up"),
        bind(Dialog, &[k(Code::Down), c('n')], A::Down, "down"),
        bind(Dialog, &[k(Code::PageUp)], A::PageUp, "scroll back"),
        bind(Dialog, &[k(Code::PageDown)], A::PageDown, "scroll forward"),
        bind(
            Dialog,
            &[k(Code::Tab)],
            A::Mark,
            "add the person to a group, or remove them",
        ),
        bind(Dialog, &[k(Code::Enter)], A::Enter, "choose"),
        bind(Dialog, &[k(Code::Esc)], A::Back, "close"),
        bind(
            Dialog,
            &[k(Code::Backspace), c('h')],
            A::Delete(Motion::Left),
            "delete back",
        ),
        bind(Dialog, &[c('u')], A::Delete(Motion::Home), "delete all"),
        bind(
            Dialog,
            &[c('w')],
            A::Delete(Motion::WordLeft),
            "delete word",
        ),
        bind(SignIn, &[k(Code::Enter)], A::Enter, "sign in"),
        bind(
            SignIn,
            &[k(Code::Tab), k(Code::Down)],
            A::Down,
            "next field",
        ),
        bind(
            SignIn,
            &[k(Code::BackTab), k(Code::Up)],
            A::Up,
            "previous field",
        ),
        bind(
            SignIn,
            &[k(Code::F(2)), c('r')],
            A::OtherForm,
            "make an account instead, or sign in instead",
        ),
        bind(
            SignIn,
            &[k(Code::Esc)],
            A::Back,
            "stop waiting for the server",
        ),
        bind(
            SignIn,
            &[k(Code::Left), c('b')],
            A::Move(Motion::Left),
            "left",
        ),
        bind(
            SignIn,
            &[k(Code::Right), c('f')],
            A::Move(Motion::Right),
            "right",
        ),
        bind(
            SignIn,
            &[c('a'), k(Code::Home)],
            A::Move(Motion::Home),
            "start of field",
        ),
        bind(
            SignIn,
            &[c('e'), k(Code::End)],
            A::Move(Motion::End),
            "end of field",
        ),
        bind(
            SignIn,
            &[k(Code::Backspace), c('h')],
            A::Delete(Motion::Left),
            "delete back",
        ),
        bind(
            SignIn,
            &[k(Code::Delete)],
            A::Delete(Motion::Right),
            "delete forward",
        ),
        bind(
            SignIn,
            &[c('w')],
            A::Delete(Motion::WordLeft),
            "delete word",
        ),
        bind(
            SignIn,
            &[c('u')],
            A::Delete(Motion::Home),
            "empty the field",
        ),
        bind(Everywhere, &[k(Code::F(1))], A::Help, "this help"),
        bind(Everywhere, &[k(Code::F(5))], A::RetryNow, "connect now"),
        bind(Everywhere, &[c('l')], A::Redraw, "draw the screen anew"),
        bind(
            Everywhere,
            &[c('c')],
            A::Interrupt,
            "clear the draft; quit when pressed twice",
        ),
        bind(Everywhere, &[c('q')], A::Quit, "quit"),
    ]
};

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
