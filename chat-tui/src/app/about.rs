//! What there is to know of a message and of a person, and opening what a message links to.

use chat_core::model::{ConversationId, Seq, UserId};

use super::{App, Dialog, address::Address, keymap::Action, panels, text::Plain};
use crate::effect::Effect;

/// The addresses in a message.
#[derive(Debug)]
pub struct Addresses {
    /// All of them.
    pub all: Vec<Address>,
    /// Which of them, from the top.
    pub selected: usize,
}

/// A message about which more is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Details {
    /// Where.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
}

impl App {
    /// Shows where the links of the selected message lead, so that one of them can be opened.
    pub(super) fn open_addresses(&mut self) {
        let said = self.chat().and_then(|chat| chat.selected_said());
        let all = said.map_or_else(Vec::new, |(_, said)| Address::all_in(&said.body));
        if all.is_empty() {
            return self.tell("no link is in this message");
        }
        self.dialog = Some(Dialog::Addresses(Addresses { all, selected: 0 }));
    }

    pub(super) fn key_in_addresses(
        &mut self,
        action: Option<Action>,
        by: isize,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Dialog::Addresses(addresses)) = &mut self.dialog else {
            return;
        };
        panels::go(&mut addresses.selected, by, addresses.all.len());
        let chosen = addresses.all.get(addresses.selected).cloned();
        match (action, chosen) {
            (Some(Action::Enter), Some(address)) => {
                self.close_dialog();
                effects.push(Effect::OpenAddress(address));
            }
            (Some(Action::Copy), Some(address)) => {
                self.close_dialog();
                effects.push(Effect::Copy(address.as_str().to_owned()));
                self.tell("copied");
            }
            _ => {}
        }
    }

    /// An address was opened, or was copied instead, and why.
    pub(super) fn opened(&mut self, outcome: Result<(), Plain>) {
        match outcome {
            Ok(()) => self.tell("opened"),
            Err(why) => self.tell(&format!("copied instead of opened: {why}")),
        }
    }

    /// Shows when and by whom the selected message was said.
    pub(super) fn open_details(&mut self) {
        let Some(chat) = self.chat() else { return };
        let Some((seq, _)) = chat.selected_said() else {
            return;
        };
        let conversation = chat.id;
        let details = Details { conversation, seq };
        self.dialog = Some(Dialog::Details(details));
    }

    /// Shows who somebody is.
    pub(super) fn open_profile(&mut self, person: UserId, effects: &mut Vec<Effect>) {
        self.show_above(Dialog::Profile(person));
        effects.push(Effect::Person(person));
    }

    pub(super) fn key_in_profile(
        &mut self,
        person: UserId,
        action: Option<Action>,
        effects: &mut Vec<Effect>,
    ) {
        match action {
            Some(Action::Write | Action::Enter) => self.write_to(person, effects),
            Some(Action::Block) => self.toggle_block_of(person, effects),
            _ => {}
        }
    }

    /// The conversations in which somebody is known to be besides me, in the order of the list.
    #[must_use]
    pub fn in_common_with(&self, person: UserId) -> Vec<Plain> {
        let is_in = |id| {
            let chat = self.chat_of(id);
            chat.is_some_and(|chat| chat.members.iter().any(|member| member.id == person))
        };
        let items = self.list.all();
        let groups = items.filter(|item| item.peer.is_none() && is_in(item.id));
        groups.map(|item| item.name.clone()).collect()
    }
}
