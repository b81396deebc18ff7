//! All that can be bound, with its keys in the plain preset, in the order of the help.

use chat_core::model::{Availability, Role};

use super::{Action, Code, Context, Key};
use crate::app::composer::Motion;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) context: Context,
    pub(super) keys: &'static [Key],
    pub(super) action: Action,
    pub(super) help: &'static str,
}

pub(super) const fn c(letter: char) -> Key {
    Key::ctrl(Code::Char(letter))
}

pub(super) const fn a(letter: char) -> Key {
    Key::alt(Code::Char(letter))
}

pub(super) const fn l(letter: char) -> Key {
    Key::plain(Code::Char(letter))
}

pub(super) const fn k(code: Code) -> Key {
    Key::plain(code)
}

const fn bind(context: Context, keys: &'static [Key], action: Action, help: &'static str) -> Row {
    Row {
        context,
        keys,
        action,
        help,
    }
}

/// The table. What has no key here can be given one in `keys.toml`, and is a command in any case where it can be one.
pub(super) const TABLE: &[Row] = &{
    use Action as A;
    use Context::{
        Ask, Completion, Composer, Conversation, Dialog, Everywhere, List, Main, Members, Messages,
        Own, Panel, Roles, SignIn,
    };
    [
        bind(
            Main,
            &[c('k')],
            A::Switcher,
            "go to a conversation, a person or a command",
        ),
        bind(Main, &[k(Code::F(10))], A::Commands, "all commands"),
        bind(Main, &[c('t')], A::NewConversation, "start a conversation"),
        bind(Main, &[c('f'), k(Code::F(3))], A::Search, "search"),
        bind(
            Main,
            &[c('o'), k(Code::F(4))],
            A::ConversationMenu,
            "menu of this conversation",
        ),
        bind(Main, &[k(Code::F(7))], A::Members, "members"),
        bind(Main, &[k(Code::F(8))], A::Pins, "pinned messages"),
        bind(
            Main,
            &[c('x'), k(Code::F(2))],
            A::OwnMenu,
            "your status, settings and sign-ins",
        ),
        bind(
            Main,
            &[c('r')],
            A::Archived,
            "show what is archived, or hide it",
        ),
        bind(
            Main,
            &[c('g'), a('a')],
            A::NextUnread,
            "next unread conversation",
        ),
        bind(
            Main,
            &[c('b'), a('i')],
            A::Inbox,
            "what is unread anywhere, and what was not sent",
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
        bind(Main, &[k(Code::F(9))], A::SignOut, "sign out"),
        bind(Composer, &[k(Code::Enter)], A::Send, "send"),
        bind(
            Composer,
            &[c('j'), Key::alt(Code::Enter)],
            A::Newline,
            "new line",
        ),
        bind(Composer, &[c('_'), a('z')], A::Undo, "undo"),
        bind(Composer, &[c(']'), a('_')], A::Redo, "redo"),
        bind(
            Composer,
            &[c('v'), a('e')],
            A::Editor,
            "write in your $EDITOR",
        ),
        bind(
            Composer,
            &[k(Code::Up)],
            A::Up,
            "row above; from the first: select a message",
        ),
        bind(Composer, &[k(Code::Down)], A::Down, "row below"),
        bind(Composer, &[k(Code::Left)], A::Move(Motion::Left), "left"),
        bind(Composer, &[k(Code::Right)], A::Move(Motion::Right), "right"),
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
            &[k(Code::Home), c('a')],
            A::Move(Motion::Home),
            "start of line; empty draft: first unread",
        ),
        bind(
            Composer,
            &[k(Code::End), c('e')],
            A::Move(Motion::End),
            "end of line; empty draft: newest message",
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
        bind(
            Composer,
            &[],
            A::Delete(Motion::End),
            "delete to end of line",
        ),
        bind(Composer, &[c('y')], A::Yank, "bring back what was cleared"),
        bind(
            Composer,
            &[k(Code::Esc)],
            A::Back,
            "drop the reply or the edit, or go to the list",
        ),
        bind(
            Composer,
            &[],
            A::ToMessages,
            "drop the reply or the edit, or select a message",
        ),
        bind(
            Completion,
            &[k(Code::Tab), k(Code::Enter)],
            A::Enter,
            "take the name",
        ),
        bind(Completion, &[k(Code::Up)], A::Up, "name above"),
        bind(Completion, &[k(Code::Down)], A::Down, "name below"),
        bind(Completion, &[k(Code::Esc)], A::Back, "no name"),
        bind(List, &[k(Code::Up), l('k')], A::Up, "up"),
        bind(List, &[k(Code::Down), l('j')], A::Down, "down"),
        bind(List, &[k(Code::Home)], A::First, "first"),
        bind(List, &[k(Code::End)], A::Last, "last"),
        bind(List, &[], A::HalfUp, "half a page up"),
        bind(List, &[], A::HalfDown, "half a page down"),
        bind(List, &[k(Code::Enter), k(Code::Right)], A::Enter, "open"),
        bind(List, &[k(Code::Esc)], A::Back, "back to the conversation"),
        bind(Messages, &[k(Code::Up), l('k')], A::Up, "older"),
        bind(Messages, &[k(Code::Down), l('j')], A::Down, "newer"),
        bind(Messages, &[], A::Newer, "newer, and no further"),
        bind(Messages, &[], A::HalfUp, "half a page up"),
        bind(Messages, &[], A::HalfDown, "half a page down"),
        bind(Messages, &[], A::First, "to the oldest message here"),
        bind(
            Messages,
            &[k(Code::Enter)],
            A::Menu,
            "all that can be done with it",
        ),
        bind(Messages, &[l('r')], A::Reply, "reply"),
        bind(Messages, &[l('+'), l('=')], A::React, "react"),
        bind(Messages, &[l('-')], A::Unreact, "take your reaction away"),
        bind(Messages, &[l('e')], A::Edit, "edit your own"),
        bind(
            Messages,
            &[l('d'), k(Code::Delete)],
            A::Discard,
            "delete; discard what was not sent",
        ),
        bind(Messages, &[l('t')], A::Resend, "try again to send"),
        bind(
            Messages,
            &[l('p')],
            A::PinMessage,
            "pin, or take the pin away",
        ),
        bind(Messages, &[l('c'), l('y')], A::Copy, "copy the text"),
        bind(Messages, &[l('o')], A::OpenLink, "open a link in it"),
        bind(Messages, &[l('i')], A::Details, "when, by whom, its name"),
        bind(Messages, &[l('s')], A::Sender, "who said it"),
        bind(Messages, &[l('w')], A::Readers, "who has read it"),
        bind(Messages, &[l('u')], A::MarkUnread, "mark unread from here"),
        bind(
            Messages,
            &[l('g')],
            A::Answered,
            "go to the message it answers",
        ),
        bind(
            Messages,
            &[l(' ')],
            A::Unfold,
            "unfold or fold a long message",
        ),
        bind(Messages, &[k(Code::End)], A::Last, "to the newest message"),
        bind(Messages, &[k(Code::Esc)], A::Back, "back to writing"),
        bind(Messages, &[], A::ToList, "to the list"),
        bind(Dialog, &[k(Code::Up), c('p')], A::Up, "up"),
        bind(Dialog, &[k(Code::Down), c('n')], A::Down, "down"),
        bind(Dialog, &[k(Code::PageUp)], A::PageUp, "scroll back"),
        bind(Dialog, &[k(Code::PageDown)], A::PageDown, "scroll forward"),
        bind(
            Dialog,
            &[k(Code::Tab)],
            A::Mark,
            "choose one more; search everywhere or only here",
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
        bind(Dialog, &[k(Code::Left)], A::Move(Motion::Left), "left"),
        bind(Dialog, &[k(Code::Right)], A::Move(Motion::Right), "right"),
        bind(
            Dialog,
            &[k(Code::Home)],
            A::Move(Motion::Home),
            "start of field",
        ),
        bind(
            Dialog,
            &[k(Code::End)],
            A::Move(Motion::End),
            "end of field",
        ),
        bind(
            Dialog,
            &[c('w')],
            A::Delete(Motion::WordLeft),
            "delete word",
        ),
        bind(Panel, &[l('k')], A::Up, "up"),
        bind(Panel, &[l('j')], A::Down, "down"),
        bind(Panel, &[], A::HalfUp, "half a page up"),
        bind(Panel, &[], A::HalfDown, "half a page down"),
        bind(Panel, &[], A::First, "to the top"),
        bind(Panel, &[], A::Last, "to the bottom"),
        bind(Panel, &[l('w')], A::Write, "write to this person"),
        bind(Panel, &[l('c'), l('y')], A::Copy, "copy the selected link"),
        bind(
            Panel,
            &[l('b')],
            A::Block,
            "block this person, or no longer",
        ),
        bind(
            Conversation,
            &[l('p')],
            A::KeepOnTop,
            "keep on top of the list, or not",
        ),
        bind(Conversation, &[l('m')], A::Mute, "mute, or not"),
        bind(
            Conversation,
            &[l('a')],
            A::Archive,
            "archive, or bring back",
        ),
        bind(
            Conversation,
            &[l('n')],
            A::Notify,
            "what makes itself heard",
        ),
        bind(
            Conversation,
            &[l('u')],
            A::ToggleRead,
            "mark read or unread",
        ),
        bind(Conversation, &[l('w')], A::Members, "members"),
        bind(Conversation, &[l('i')], A::Pins, "pinned messages"),
        bind(Conversation, &[l('r')], A::Rename, "rename"),
        bind(Conversation, &[l('t')], A::Topic, "topic"),
        bind(
            Conversation,
            &[l('h')],
            A::History,
            "what newcomers see of before",
        ),
        bind(Conversation, &[l('b')], A::Block, "block, or no longer"),
        bind(Conversation, &[l('o')], A::Profile, "about this person"),
        bind(Conversation, &[l('l')], A::Leave, "leave"),
        bind(
            Conversation,
            &[l('x')],
            A::DeleteGroup,
            "delete for everyone",
        ),
        bind(Members, &[l('a')], A::Add, "add people"),
        bind(Members, &[l('i')], A::Profile, "about this person"),
        bind(Members, &[l('r')], A::ChangeRole, "give another role"),
        bind(Members, &[l('k')], A::Remove, "remove"),
        bind(Members, &[l('b')], A::Ban, "ban, or lift the ban"),
        bind(Members, &[l('l')], A::Leave, "leave"),
        bind(Roles, &[l('m')], A::Role(Role::Member), "a member"),
        bind(Roles, &[l('a')], A::Role(Role::Admin), "an admin"),
        bind(Roles, &[l('o')], A::Role(Role::Owner), "an owner"),
        bind(
            Own,
            &[l('o')],
            A::Available(Availability::Online),
            "be seen as online",
        ),
        bind(
            Own,
            &[l('i')],
            A::Available(Availability::Idle),
            "as idle, until the next key",
        ),
        bind(
            Own,
            &[l('d')],
            A::Available(Availability::Dnd),
            "as not to be disturbed",
        ),
        bind(
            Own,
            &[l('v')],
            A::Available(Availability::Invisible),
            "not at all",
        ),
        bind(
            Own,
            &[l('r')],
            A::Receipts,
            "tell others what you have read, or not",
        ),
        bind(
            Own,
            &[l('t')],
            A::TellTyping,
            "tell others when you type, or not",
        ),
        bind(Own, &[l('a')], A::IdleAfter, "when you count as idle"),
        bind(Own, &[l('k')], A::Keys, "the set of keys"),
        bind(
            Own,
            &[l('m')],
            A::Mouse,
            "use the mouse, or leave it to the terminal",
        ),
        bind(Own, &[l('n')], A::RenameMe, "your name"),
        bind(Own, &[l('s')], A::SignIns, "where you are signed in"),
        bind(Own, &[l('q')], A::SignOut, "sign out here"),
        bind(Ask, &[l('y')], A::Yes, "yes"),
        bind(Ask, &[l('n')], A::No, "no"),
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
            &[c('z')],
            A::Suspend,
            "back to the shell; its command fg comes back here",
        ),
        bind(
            Everywhere,
            &[c('c')],
            A::Interrupt,
            "clear the draft; quit when pressed twice",
        ),
        bind(Everywhere, &[c('q')], A::Quit, "quit"),
    ]
};
