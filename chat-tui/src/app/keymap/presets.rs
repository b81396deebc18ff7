//! Sets of keys for fingers that know another program: what differs from the plain one.

use serde::{Deserialize, Serialize};

use super::{
    Action as A, Code, Context, Key,
    table::{a, c, k, l},
};
use crate::app::composer::Motion;

/// A set of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Arrows, Enter, Esc and the keys of shells.
    #[default]
    Plain,
    /// Messages and the list as in vim; writing is inserting, and Esc leads out of it.
    Vim,
    /// Moving, deleting and leaving as in Emacs, with single keys in place of chords.
    Emacs,
}

impl Preset {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Vim => "vim",
            Self::Emacs => "emacs",
        }
    }

    /// The one after it, and around.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Plain => Self::Vim,
            Self::Vim => Self::Emacs,
            Self::Emacs => Self::Plain,
        }
    }

    /// In these places these actions have these keys, and no others.
    pub(super) const fn changes(self) -> &'static [Change] {
        match self {
            Self::Plain => &[],
            Self::Vim => VIM,
            Self::Emacs => EMACS,
        }
    }
}

type Change = (Context, A, &'static [Key]);

const VIM: &[Change] = &{
    use Context::{Composer, List, Messages, Panel};
    [
        (Composer, A::Back, &[]),
        (Composer, A::ToMessages, &[k(Code::Esc)]),
        (List, A::First, &[k(Code::Home), l('g')]),
        (List, A::Last, &[k(Code::End), l('G')]),
        (List, A::HalfUp, &[c('u')]),
        (List, A::HalfDown, &[c('d')]),
        (List, A::Enter, &[k(Code::Enter), k(Code::Right), l('l')]),
        (List, A::Back, &[l('i'), k(Code::Esc)]),
        (List, A::Search, &[l('/')]),
        (List, A::Commands, &[l(':')]),
        (List, A::ConversationMenu, &[l('m')]),
        (List, A::NextUnread, &[l('n')]),
        (Messages, A::Newer, &[l('j')]),
        (Messages, A::Down, &[k(Code::Down)]),
        (Messages, A::First, &[l('g'), k(Code::Home)]),
        (Messages, A::Last, &[l('G'), k(Code::End)]),
        (Messages, A::HalfUp, &[c('u')]),
        (Messages, A::HalfDown, &[c('d')]),
        (Messages, A::Answered, &[l('*')]),
        (Messages, A::Details, &[l('K')]),
        (Messages, A::Back, &[l('i'), l('a')]),
        (Messages, A::ToList, &[k(Code::Esc), l('h')]),
        (Messages, A::Search, &[l('/')]),
        (Messages, A::Commands, &[l(':')]),
        (Messages, A::NextUnread, &[l('n')]),
        (Panel, A::HalfUp, &[c('u')]),
        (Panel, A::HalfDown, &[c('d')]),
        (Panel, A::First, &[l('g'), k(Code::Home)]),
        (Panel, A::Last, &[l('G'), k(Code::End)]),
    ]
};

const EMACS: &[Change] = &{
    use Context::{Completion, Composer, Dialog, List, Main, Messages, SignIn};
    const CANCEL: &[Key] = &[k(Code::Esc), c('g')];
    const UP: &[Key] = &[k(Code::Up), c('p')];
    const DOWN: &[Key] = &[k(Code::Down), c('n')];
    const LEFT: &[Key] = &[k(Code::Left), c('b')];
    const RIGHT: &[Key] = &[k(Code::Right), c('f')];
    [
        (Main, A::Switcher, &[c('x')]),
        (Main, A::Inbox, &[k(Code::F(11)), a('i')]),
        (Main, A::Commands, &[a('x'), k(Code::F(10))]),
        (Main, A::OwnMenu, &[k(Code::F(2))]),
        (Main, A::Search, &[c('s'), k(Code::F(3))]),
        (Main, A::NextUnread, &[a('a'), k(Code::F(12))]),
        (
            Main,
            A::PreviousConversation,
            &[Key::alt(Code::Up), a('p'), Key::ctrl(Code::Up)],
        ),
        (
            Main,
            A::NextConversation,
            &[Key::alt(Code::Down), a('n'), Key::ctrl(Code::Down)],
        ),
        (Main, A::PageUp, &[k(Code::PageUp), a('v')]),
        (Main, A::PageDown, &[k(Code::PageDown), c('v')]),
        (
            Main,
            A::Latest,
            &[Key::ctrl(Code::End), Key::alt(Code::End), a('>')],
        ),
        (Composer, A::Editor, &[c('\\'), a('e')]),
        (Composer, A::Up, UP),
        (Composer, A::Down, DOWN),
        (Composer, A::Move(Motion::Left), LEFT),
        (Composer, A::Move(Motion::Right), RIGHT),
        (Composer, A::Delete(Motion::End), &[c('k')]),
        (Composer, A::Back, CANCEL),
        (Completion, A::Up, UP),
        (Completion, A::Down, DOWN),
        (Completion, A::Back, CANCEL),
        (List, A::Up, &[k(Code::Up), c('p'), l('k')]),
        (List, A::Down, &[k(Code::Down), c('n'), l('j')]),
        (List, A::Back, CANCEL),
        (Messages, A::Up, &[k(Code::Up), c('p'), l('k')]),
        (Messages, A::Down, &[k(Code::Down), c('n'), l('j')]),
        (Messages, A::Back, CANCEL),
        (Dialog, A::Back, CANCEL),
        (Dialog, A::PageUp, &[k(Code::PageUp), a('v')]),
        (Dialog, A::PageDown, &[k(Code::PageDown), c('v')]),
        (Dialog, A::Move(Motion::Left), LEFT),
        (Dialog, A::Move(Motion::Right), RIGHT),
        (Dialog, A::Move(Motion::Home), &[k(Code::Home), c('a')]),
        (Dialog, A::Move(Motion::End), &[k(Code::End), c('e')]),
        (SignIn, A::Up, &[k(Code::BackTab), k(Code::Up), c('p')]),
        (SignIn, A::Down, &[k(Code::Tab), k(Code::Down), c('n')]),
    ]
};
