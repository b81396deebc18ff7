//! What keys and pastes do.

use super::{
    App, Dialog, Pane, Screen,
    ask::Question,
    chat::{More, Scroll},
    keymap::{Action, Code, Context, Key, Preset},
    new_conversation::NewConversation,
    search::Search,
    timeline::ItemId,
};
use crate::{effect::Effect, event::Anchor};

/// So many places count as half a page where one place is not one row.
pub(super) const HALF_A_PAGE: isize = 8;

impl App {
    pub(super) fn key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        self.notice = None;
        self.somebody_is_here(effects);
        let quit_asked = std::mem::take(&mut self.quit_asked);
        let open = self.open;
        let action = self.keymap.lookup(self.contexts(), key);
        match action {
            Some(action) if self.act_everywhere(action, quit_asked, effects) => {}
            action => self.key_by_place(key, action, effects),
        }
        if self.open != open {
            self.list_top = None;
        }
    }

    /// Does what can be done always; false if the action is none of that.
    pub(super) fn act_everywhere(
        &mut self,
        action: Action,
        quit_asked: bool,
        effects: &mut Vec<Effect>,
    ) -> bool {
        match action {
            Action::Quit => effects.push(Effect::Quit),
            Action::Redraw => effects.push(Effect::Redraw),
            Action::Suspend => effects.push(Effect::Suspend),
            Action::Help if matches!(self.dialog, Some(Dialog::Help(_))) => self.close_dialog(),
            Action::Help => self.show_above(Dialog::Help(0)),
            Action::RetryNow => self.retry_now(effects),
            Action::Interrupt => self.interrupt(quit_asked, effects),
            _ => return false,
        }
        true
    }

    fn key_by_place(&mut self, key: Key, action: Option<Action>, effects: &mut Vec<Effect>) {
        if self.dialog.is_some() {
            return self.key_in_dialog(key, action, effects);
        }
        match &mut self.screen {
            Screen::SignIn(form) => effects.extend(form.key(key, action)),
            Screen::Resuming(_) if action == Some(Action::Back) => {
                effects.push(Effect::Forget);
                self.ask_to_sign_in(None);
            }
            Screen::Resuming(_) => {}
            Screen::Main => match action {
                Some(action) if self.completion.is_some() => self.complete(action, effects),
                Some(action) => self.act(action, effects),
                None => self.type_key(key, effects),
            },
        }
    }

    pub(super) fn paste(&mut self, text: &str, effects: &mut Vec<Effect>) {
        self.somebody_is_here(effects);
        match &mut self.screen {
            _ if self.dialog.is_some() => self.paste_in_dialog(text, effects),
            Screen::Resuming(_) => {}
            Screen::SignIn(form) => form.insert(text),
            Screen::Main => self.write(text, effects),
        }
    }

    fn retry_now(&mut self, effects: &mut Vec<Effect>) {
        match &mut self.screen {
            Screen::Resuming(resuming) => effects.extend(resuming.retry(self.now, true)),
            Screen::Main if !self.link.is_online() => self.connect_now(effects),
            Screen::Main | Screen::SignIn(_) => {}
        }
    }

    /// Clears the draft; with nothing to clear, asks before it quits.
    fn interrupt(&mut self, quit_asked: bool, effects: &mut Vec<Effect>) {
        if quit_asked {
            return effects.push(Effect::Quit);
        }
        if self.dialog.is_some() {
            return self.close_dialogs();
        }
        self.completion = None;
        let draft = self
            .chat_mut()
            .map_or_else(String::new, |chat| chat.composer.clear());
        if draft.is_empty() || !matches!(self.screen, Screen::Main) {
            self.quit_asked = true;
            let key = self.keymap.name_of(Context::Everywhere, Action::Interrupt);
            self.tell(&format!("press {key} again to quit"));
        } else {
            self.killed = draft;
            self.stop_typing(effects);
            self.tell_with_yank("draft cleared · {} brings it back");
        }
    }

    pub(super) fn act(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::Switcher => self.open_switcher("", effects),
            Action::Commands => self.open_switcher(">", effects),
            Action::Editor | Action::Undo | Action::Redo if self.open.is_some() => {
                self.act_in_composer(action, effects);
            }
            Action::NewConversation => {
                self.dialog = Some(Dialog::NewConversation(NewConversation::default()));
            }
            Action::Search => self.dialog = Some(Dialog::Search(Search::new(self.open))),
            Action::ConversationMenu => self.open_conversation_menu(),
            Action::OwnMenu => self.open_own_menu(effects),
            Action::Members => self.open_members(effects),
            Action::Pins => self.open_pins(effects),
            Action::Archived => self.toggle_archived(),
            Action::SignOut => {
                self.dialog = Some(Dialog::Ask(Question::sign_out()));
            }
            Action::PreviousConversation => self.go_beside(-1, effects),
            Action::NextConversation => self.go_beside(1, effects),
            Action::Inbox => self.open_inbox(),
            Action::NextUnread => match self.list.next_unread(self.open) {
                Some(id) => {
                    self.list.release();
                    self.open_conversation(id, effects);
                    self.pane = Pane::Composer;
                }
                None => self.tell("nothing else is unread"),
            },
            Action::PageUp => self.scroll_page(-1),
            Action::PageDown => self.scroll_page(1),
            Action::Latest => self.go_to_latest(),
            Action::NextPane | Action::PreviousPane => self.cycle_pane(effects),
            action => match self.pane {
                Pane::List => self.act_in_list(action, effects),
                Pane::Composer => self.act_in_composer(action, effects),
                Pane::Messages => self.act_on_message(action, effects),
            },
        }
    }

    /// A key that is bound to nothing writes, if it is a letter.
    fn type_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Code::Char(letter) = key.code else { return };
        // Where letters are commands, one that is none does not begin a message.
        let in_list = self.pane == Pane::List && self.keymap.preset() == Preset::Vim;
        if key.ctrl || key.alt || self.pane == Pane::Messages || in_list {
            return;
        }
        self.write(letter.encode_utf8(&mut [0; 4]), effects);
    }

    fn go_beside(&mut self, by: isize, effects: &mut Vec<Effect>) {
        if let Some(open) = self.open {
            self.list.select(open);
        }
        self.list.move_selection(by);
        if let Some(id) = self.list.selected() {
            self.open_conversation(id, effects);
            self.pane = Pane::Composer;
        }
    }

    fn scroll_page(&mut self, pages: isize) {
        let page = self.seen.page.saturating_sub(2).max(1);
        self.scroll_rows(pages * isize::try_from(page).unwrap_or(1));
    }

    pub(super) fn scroll_rows(&mut self, rows: isize) {
        let seen = self.seen;
        let Some(chat) = self.chat_mut() else { return };
        let side = if rows < 0 {
            &mut chat.older
        } else {
            &mut chat.newer
        };
        if matches!(side, More::Failed(_)) {
            *side = More::Idle;
        }
        if seen.conversation == Some(chat.id) {
            chat.unselect();
            chat.scroll_by(rows, seen.top);
            if self.pane == Pane::Messages {
                self.pane = Pane::Composer;
            }
        }
    }

    pub(super) fn go_to_latest(&mut self) {
        if let Some(chat) = self.chat_mut() {
            chat.go_live();
            self.pane = Pane::Composer;
        }
    }

    /// To the first entry that was unread, or the oldest that is here.
    pub(super) fn go_to_ruler(&mut self) {
        let me = self.me;
        let Some(chat) = self.chat_mut() else { return };
        let Some(first) = chat.timeline.first_seq() else {
            return;
        };
        let seq = chat.first_unread(me).unwrap_or(first);
        let anchor = Anchor {
            item: ItemId::Entry(seq),
            row: isize::MIN,
        };
        chat.scroll = Scroll::At(anchor, 0);
    }

    fn toggle_archived(&mut self) {
        let shown = !self.list.shows_archived();
        self.list.show_archived(shown);
        let text = match (shown, self.list.archived()) {
            (_, 0) => "nothing is archived",
            (true, _) => "what is archived stands at the end of the list",
            (false, _) => "what is archived is hidden",
        };
        self.tell(text);
    }

    fn cycle_pane(&mut self, effects: &mut Vec<Effect>) {
        match self.pane {
            Pane::List => self.leave_list(effects),
            Pane::Composer | Pane::Messages => self.go_to_list(),
        }
    }

    pub(super) fn go_to_list(&mut self) {
        self.list_top = None;
        if let Some(chat) = self.chat_mut() {
            chat.unselect();
        }
        if let Some(open) = self.open {
            self.list.select(open);
        }
        self.pane = Pane::List;
    }

    fn leave_list(&mut self, effects: &mut Vec<Effect>) {
        if self.open.is_some() {
            self.pane = Pane::Composer;
        } else {
            self.open_selected(effects);
        }
    }

    fn open_selected(&mut self, effects: &mut Vec<Effect>) {
        if let Some(id) = self.list.selected() {
            if self.open != Some(id) {
                self.open_conversation(id, effects);
            }
            self.pane = Pane::Composer;
        }
    }

    fn act_in_list(&mut self, action: Action, effects: &mut Vec<Effect>) {
        self.list_top = None;
        let all = isize::try_from(self.list.len()).unwrap_or(isize::MAX);
        match action {
            Action::Up => self.list.move_selection(-1),
            Action::Down => self.list.move_selection(1),
            Action::First => {
                self.list.release();
                self.list.move_selection(-all);
            }
            Action::Last => self.list.move_selection(all),
            Action::HalfUp => self.list.move_selection(-HALF_A_PAGE),
            Action::HalfDown => self.list.move_selection(HALF_A_PAGE),
            Action::Enter => self.open_selected(effects),
            Action::Back => self.leave_list(effects),
            _ => {}
        }
    }
}
