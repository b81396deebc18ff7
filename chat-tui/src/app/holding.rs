//! When the conversation list holds still, and when what moved in it goes where it belongs.

use chat_core::model::Timestamp;

use super::{App, Dialog, Pane, Screen};

/// So long after the last key a conversation counts as being used.
const IN_USE_MS: i64 = 10_000;

impl App {
    /// The list is held before rows come into it that would move others under the user's hand.
    pub(super) fn hold_list_in_use(&mut self) {
        if self.uses_list() || self.uses_conversation() {
            self.list.hold();
        } else {
            self.list.release();
        }
    }

    /// Somebody looks at the list, or may press a key in it the next moment.
    fn uses_list(&self) -> bool {
        let above = matches!(self.dialog, Some(Dialog::Switcher(_) | Dialog::Inbox(_)));
        let in_list = self.pane == Pane::List && matches!(self.screen, Screen::Main);
        self.focused && !self.own.idle && (in_list || above)
    }

    fn uses_conversation(&self) -> bool {
        let used_until = self.own.last_key().as_millis() + IN_USE_MS;
        self.focused && self.open.is_some() && self.now.as_millis() < used_until
    }

    /// When what moved goes where it belongs, if no key is pressed until then.
    pub(super) fn moves_at(&self) -> Option<Timestamp> {
        let waits = self.list.moved() > 0 && !self.uses_list();
        let at = self.own.last_key().as_millis() + IN_USE_MS;
        waits.then(|| Timestamp::from_millis(at))
    }

    /// Whether anything moved.
    pub(super) fn move_if_idle(&mut self) -> bool {
        let may = !self.uses_list() && !self.uses_conversation();
        may && self.list.release()
    }
}
