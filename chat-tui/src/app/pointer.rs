//! What the mouse does.

use super::{
    App, Dialog, Pane, Screen,
    keymap::{Action, Code, Key},
};
use crate::{
    effect::Effect,
    event::{Gesture, Spot},
};

/// So many rows are scrolled by one notch of the wheel.
const NOTCH: isize = 3;

impl App {
    pub(super) fn point(&mut self, gesture: Gesture, spot: Spot, effects: &mut Vec<Effect>) {
        self.somebody_is_here(effects);
        match gesture {
            Gesture::Press => {
                self.notice = None;
                self.quit_asked = false;
                self.press(spot, effects);
            }
            Gesture::WheelUp => self.turn(-1, spot, effects),
            Gesture::WheelDown => self.turn(1, spot, effects),
        }
    }

    /// The wheel scrolls what is under it.
    fn turn(&mut self, by: isize, spot: Spot, effects: &mut Vec<Effect>) {
        if self.dialog.is_some() {
            let (action, code) = if by < 0 {
                (Action::Up, Code::Up)
            } else {
                (Action::Down, Code::Down)
            };
            return self.key_in_dialog(Key::plain(code), Some(action), effects);
        }
        match spot {
            Spot::List | Spot::Conversation(_) => {
                let first = self.list_top.unwrap_or(self.seen.list_top);
                let last = self.list.len().saturating_sub(1);
                self.list_top = Some(first.saturating_add_signed(by * NOTCH).min(last));
            }
            Spot::Timeline | Spot::Message(_) => self.scroll_rows(by * NOTCH),
            _ => {}
        }
    }

    fn press(&mut self, spot: Spot, effects: &mut Vec<Effect>) {
        match spot {
            Spot::Key(key) => self.key(key, effects),
            Spot::Row(row) => self.press_row(row, effects),
            // What lies beneath a dialog waits until it is closed.
            _ if self.dialog.is_some() || !matches!(self.screen, Screen::Main) => {}
            Spot::Offer(row) => {
                if let Some(completion) = &mut self.completion {
                    completion.selected = row;
                    self.complete(Action::Enter, effects);
                }
            }
            Spot::Conversation(id) => {
                if self.open != Some(id) {
                    self.open_conversation(id, effects);
                }
                self.pane = Pane::Composer;
            }
            Spot::Message(id) => self.press_message(id),
            Spot::Draft { row, column } => {
                let columns = self.seen.draft_columns.max(1);
                self.pane = Pane::Composer;
                if let Some(chat) = self.chat_mut() {
                    chat.unselect();
                    chat.composer.go_to(row, column, columns);
                }
            }
            Spot::List | Spot::Timeline | Spot::Dialog => {}
        }
    }

    /// Selects a message; what is selected already shows what can be done with it.
    fn press_message(&mut self, id: super::timeline::ItemId) {
        let Some(chat) = self.chat_mut() else { return };
        let index = chat.timeline.index_of(id);
        if !index.is_some_and(|index| chat.timeline.is_message_at(index)) {
            return;
        }
        if self.pane == Pane::Messages && self.chat().is_some_and(|c| c.selected == Some(id)) {
            return self.open_message_menu();
        }
        self.pane = Pane::Messages;
        if let Some(chat) = self.chat_mut() {
            chat.select(Some(id));
        }
    }

    /// Selects a row of a dialog; in a menu, and where it is selected already, chooses it.
    fn press_row(&mut self, row: usize, effects: &mut Vec<Effect>) {
        let (selected, at_once) = match &mut self.dialog {
            Some(Dialog::Menu(menu)) => (&mut menu.selected, true),
            Some(Dialog::Switcher(switcher)) => (&mut switcher.selected, true),
            Some(Dialog::Search(search)) => (&mut search.selected, true),
            Some(Dialog::Inbox(inbox)) => (&mut inbox.selected, true),
            Some(Dialog::Pins(pins)) => (&mut pins.selected, true),
            Some(Dialog::NewConversation(dialog)) => (&mut dialog.selected, false),
            Some(Dialog::Members(members)) => (&mut members.selected, false),
            Some(Dialog::SignIns(places)) => (&mut places.selected, false),
            Some(Dialog::Addresses(addresses)) => (&mut addresses.selected, false),
            _ => return,
        };
        let again = std::mem::replace(selected, row) == row;
        if at_once || again {
            self.key_in_dialog(Key::plain(Code::Enter), Some(Action::Enter), effects);
        }
    }
}
