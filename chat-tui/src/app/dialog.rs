//! What stands above everything else, and what keys do there.

use super::{
    App,
    about::{Addresses, Details},
    ask::{Prompt, Question},
    composer::Motion,
    inbox::Inbox,
    input::HALF_A_PAGE,
    keymap::{Action, Code, Context, Key},
    menu::{Menu, Subject},
    new_conversation::{NewConversation, Next},
    panels::{self, Members, Pins, Readers, SignIns},
    reactions::Picker,
    search::Search,
    switcher::Switcher,
};
use crate::{deed::Deed, effect::Effect};
use chat_core::model::UserId;

/// What stands above everything else.
#[derive(Debug)]
pub enum Dialog {
    /// The keys, scrolled down by so many lines.
    Help(usize),
    /// What waits for the user.
    Inbox(Inbox),
    /// Going to a conversation by name.
    Switcher(Switcher),
    /// Starting a conversation, or adding people to one.
    NewConversation(NewConversation),
    /// What can be done with something.
    Menu(Menu),
    /// Whether something is meant.
    Ask(Question),
    /// A text that is asked for.
    Prompt(Prompt),
    /// An emoji for a message.
    React(Picker),
    /// The links in a message.
    Addresses(Addresses),
    /// More about a message.
    Details(Details),
    /// More about a person.
    Profile(UserId),
    /// Who has read a message.
    Readers(Readers),
    /// Pinned messages.
    Pins(Pins),
    /// Members of a group.
    Members(Members),
    /// Searching.
    Search(Search),
    /// Where I am signed in.
    SignIns(SignIns),
}

impl Dialog {
    /// Where the keys go while it stands there, the nearest first.
    #[must_use]
    pub const fn contexts(&self) -> &'static [Context] {
        use Context as C;
        match self {
            Self::Menu(menu) => match menu.context() {
                C::Messages => &[C::Dialog, C::Messages, C::Everywhere],
                C::Conversation => &[C::Conversation, C::Dialog, C::Everywhere],
                C::Roles => &[C::Roles, C::Dialog, C::Everywhere],
                _ => &[C::Own, C::Dialog, C::Everywhere],
            },
            Self::Ask(_) => &[C::Ask, C::Dialog, C::Everywhere],
            Self::Members(_) => &[C::Members, C::Dialog, C::Everywhere],
            Self::Help(_)
            | Self::Readers(_)
            | Self::Pins(_)
            | Self::SignIns(_)
            | Self::Addresses(_)
            | Self::Details(_)
            | Self::Profile(_) => &[C::Panel, C::Dialog, C::Everywhere],
            _ => &[C::Dialog, C::Everywhere],
        }
    }
}

impl App {
    /// Puts a dialog above the one that is there, which comes back afterwards.
    pub(super) fn show_above(&mut self, dialog: Dialog) {
        self.beneath.extend(self.dialog.take());
        self.dialog = Some(dialog);
    }

    pub(super) fn close_dialog(&mut self) {
        self.dialog = self.beneath.pop();
    }

    pub(super) fn close_dialogs(&mut self) {
        self.dialog = None;
        self.beneath.clear();
    }

    pub(super) fn key_in_dialog(
        &mut self,
        key: Key,
        action: Option<Action>,
        effects: &mut Vec<Effect>,
    ) {
        if action == Some(Action::Back) && !matches!(self.dialog, Some(Dialog::NewConversation(_)))
        {
            return self.close_dialog();
        }
        let by = match action {
            Some(Action::Up) => -1,
            Some(Action::Down) => 1,
            Some(Action::PageUp) => -10,
            Some(Action::PageDown) => 10,
            Some(Action::HalfUp) => -HALF_A_PAGE,
            Some(Action::HalfDown) => HALF_A_PAGE,
            Some(Action::First) => isize::MIN,
            Some(Action::Last) => isize::MAX,
            _ => 0,
        };
        match &mut self.dialog {
            Some(Dialog::Help(line) | Dialog::Readers(Readers { line, .. })) => {
                *line = line.saturating_add_signed(by);
                if action == Some(Action::Enter) {
                    self.close_dialog();
                }
            }
            Some(Dialog::Inbox(_)) => self.key_in_inbox(action, by, effects),
            Some(Dialog::Switcher(_)) => self.key_in_switcher(key, action, by, effects),
            Some(Dialog::Addresses(_)) => self.key_in_addresses(action, by, effects),
            Some(Dialog::Profile(person)) => {
                let person = *person;
                self.key_in_profile(person, action, effects);
            }
            Some(Dialog::Details(_)) if action == Some(Action::Enter) => self.close_dialog(),
            Some(Dialog::NewConversation(dialog)) => match dialog.key(key, action) {
                Next::Stay(effect) => effects.extend(effect),
                Next::Close => self.close_dialog(),
            },
            Some(Dialog::Menu(menu)) => {
                let subject = menu.subject;
                if let Some(chosen) = menu.key(action) {
                    self.close_dialog();
                    self.choose(subject, chosen, effects);
                }
            }
            Some(Dialog::Ask(_)) => self.answer(action, effects),
            Some(Dialog::Prompt(_)) => self.key_in_prompt(key, action, effects),
            Some(Dialog::React(_)) => self.key_in_picker(key, action, effects),
            Some(Dialog::Pins(pins)) => {
                panels::go(&mut pins.selected, by, pins.pins.items().len());
                let chosen = pins.pins.items().get(pins.selected);
                if let (Some(Action::Enter), Some(hit)) = (action, chosen) {
                    let (conversation, seq) = (hit.conversation, hit.seq);
                    self.close_dialogs();
                    self.go_to_message(conversation, seq, effects);
                }
            }
            Some(Dialog::Members(panel)) => {
                let (conversation, banned) = (panel.conversation, panel.banned.len());
                let all = self.chats.get(&conversation);
                let length = all.map_or(0, |chat| chat.members.len()) + banned;
                panels::go(&mut panel.selected, by, length);
                if let Some(action) = action {
                    self.act_in_members(action, effects);
                }
            }
            Some(Dialog::Search(_)) => self.key_in_search(key, action, by, effects),
            Some(Dialog::SignIns(panel)) => {
                panels::go(&mut panel.selected, by, panel.places.items().len());
                if action == Some(Action::Enter) {
                    self.end_sign_in();
                }
            }
            Some(Dialog::Details(_)) | None => {}
        }
    }

    /// Does what was chosen in a menu.
    fn choose(&mut self, subject: Subject, chosen: Action, effects: &mut Vec<Effect>) {
        match (subject, chosen) {
            (Subject::Message, action) => self.act_on_message(action, effects),
            (Subject::Conversation(id), action) => self.act_on_conversation(id, action, effects),
            (Subject::Role(id, user), Action::Role(role)) => {
                effects.push(Effect::Do(Deed::Role(id, user, role)));
            }
            (Subject::Role(..), _) => {}
            (Subject::Own, action) => self.act_on_myself(action, effects),
        }
    }

    fn answer(&mut self, action: Option<Action>, effects: &mut Vec<Effect>) {
        let yes = match action {
            Some(Action::Yes | Action::Enter) => true,
            Some(Action::No) => false,
            _ => return,
        };
        if let (true, Some(Dialog::Ask(question))) = (yes, &self.dialog) {
            effects.push(question.then.clone());
        }
        self.close_dialog();
    }

    fn key_in_prompt(&mut self, key: Key, action: Option<Action>, effects: &mut Vec<Effect>) {
        let Some(Dialog::Prompt(prompt)) = &mut self.dialog else {
            return;
        };
        match action {
            Some(Action::Enter) => {
                if let Some(deed) = prompt.enter() {
                    effects.push(Effect::Do(deed));
                    self.close_dialog();
                }
                return;
            }
            Some(Action::Delete(motion)) => drop(prompt.value.delete(motion)),
            Some(Action::Move(motion)) => prompt.value.go(motion),
            Some(_) => {}
            None => insert_letter(key, |text| prompt.value.insert(text)),
        }
        prompt.error = None;
    }

    fn key_in_picker(&mut self, key: Key, action: Option<Action>, effects: &mut Vec<Effect>) {
        let Some(Dialog::React(picker)) = &mut self.dialog else {
            return;
        };
        match action {
            Some(Action::Up | Action::Move(Motion::Left)) => picker.go(-1),
            Some(Action::Down | Action::Mark | Action::Move(Motion::Right)) => picker.go(1),
            Some(Action::Delete(motion)) => picker.delete(motion),
            Some(Action::Enter) => {
                if let Some(Dialog::React(picker)) = self.dialog.take() {
                    self.close_dialog();
                    self.react(&picker, effects);
                }
            }
            Some(_) => {}
            None => insert_letter(key, |text| picker.insert(text)),
        }
    }

    fn key_in_search(
        &mut self,
        key: Key,
        action: Option<Action>,
        by: isize,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Dialog::Search(search)) = &mut self.dialog else {
            return;
        };
        match action {
            _ if by != 0 => effects.extend(search.go(by)),
            Some(Action::Mark) => effects.extend(search.toggle_scope()),
            Some(Action::Delete(motion)) => effects.extend(search.delete(motion)),
            Some(Action::Move(motion)) => search.query.go(motion),
            Some(Action::Enter) => {
                if let Some(hit) = search.chosen() {
                    let (conversation, seq) = (hit.conversation, hit.seq);
                    self.close_dialogs();
                    self.go_to_message(conversation, seq, effects);
                }
            }
            Some(_) => {}
            None => insert_letter(key, |text| effects.extend(search.insert(text))),
        }
    }

    pub(super) fn paste_in_dialog(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let line = text.lines().next().unwrap_or_default();
        match &mut self.dialog {
            Some(Dialog::Switcher(_)) => self.write_in_switcher(line, effects),
            Some(Dialog::NewConversation(dialog)) => effects.extend(dialog.insert(line)),
            Some(Dialog::Prompt(prompt)) => prompt.value.insert(line),
            Some(Dialog::React(picker)) => picker.insert(line),
            Some(Dialog::Search(search)) => effects.extend(search.insert(line)),
            _ => {}
        }
    }
}

/// A key that is bound to nothing writes, if it is a letter.
fn insert_letter(key: Key, insert: impl FnOnce(&str)) {
    if let Code::Char(letter) = key.code
        && !key.ctrl
        && !key.alt
    {
        insert(letter.encode_utf8(&mut [0; 4]));
    }
}
