//! What keys and pastes do.

use chat_core::model::Draft;

use super::{
    App, Confirm, Dialog, Pane, Screen,
    chat::{Chat, Older, ReplyTo, Scroll},
    composer::Motion,
    conversations::preview,
    keymap::{Action, Code, Key, lookup},
    new_conversation::{NewConversation, Next},
    switcher::Switcher,
    text::Plain,
    timeline::{ItemId, Pending, Sending},
};
use crate::{effect::Effect, event::Anchor};

impl App {
    pub(super) fn key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        self.notice = None;
        let confirm = self.confirm.take();
        let action = lookup(self.contexts(), key);
        match action {
            Some(Action::Quit) => effects.push(Effect::Quit),
            Some(Action::Redraw) => effects.push(Effect::Redraw),
            Some(Action::Help) => {
                self.dialog = match self.dialog {
                    Some(Dialog::Help(_)) => None,
                    _ => Some(Dialog::Help(0)),
                };
            }
            Some(Action::RetryNow) => self.retry_now(effects),
            Some(Action::Interrupt) => self.interrupt(confirm, effects),
            Some(Action::SignOut) if confirm == Some(Confirm::SignOut) => {
                effects.push(Effect::SignOut);
            }
            Some(Action::SignOut) => {
                self.confirm = Some(Confirm::SignOut);
                self.tell("press F9 again to sign out");
            }
            action => self.key_by_place(key, action, effects),
        }
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
                Some(action) => self.act(action, effects),
                None => self.type_key(key, effects),
            },
        }
    }

    pub(super) fn paste(&mut self, text: &str, effects: &mut Vec<Effect>) {
        match (&mut self.dialog, &mut self.screen) {
            (Some(Dialog::Switcher(switcher)), _) => {
                switcher
                    .query
                    .insert(text.lines().next().unwrap_or_default());
            }
            (Some(Dialog::NewConversation(dialog)), _) => effects.extend(dialog.insert(text)),
            (Some(Dialog::Help(_)), _) | (None, Screen::Resuming(_)) => {}
            (None, Screen::SignIn(form)) => form.insert(text),
            (None, Screen::Main) => self.write(text, effects),
        }
    }

    fn retry_now(&mut self, effects: &mut Vec<Effect>) {
        match &mut self.screen {
            Screen::Resuming(resuming) => effects.extend(resuming.retry(self.now, true)),
            Screen::Main if !self.link.is_online() => effects.push(Effect::RetryNow),
            Screen::Main | Screen::SignIn(_) => {}
        }
    }

    /// Clears the draft; with nothing to clear, asks before it quits.
    fn interrupt(&mut self, confirm: Option<Confirm>, effects: &mut Vec<Effect>) {
        if confirm == Some(Confirm::Quit) {
            return effects.push(Effect::Quit);
        }
        if self.dialog.take().is_some() {
            return;
        }
        let draft = self
            .chat_mut()
            .map_or_else(String::new, |chat| chat.composer.take());
        if draft.is_empty() || !matches!(self.screen, Screen::Main) {
            self.confirm = Some(Confirm::Quit);
            self.tell("press ^C again to quit");
        } else {
            self.killed = draft;
            self.stop_typing(effects);
            self.tell("draft cleared · ^Y brings it back");
        }
    }

    fn act(&mut self, action: Action, effects: &mut Vec<Effect>) {
        match action {
            Action::Switcher => self.dialog = Some(Dialog::Switcher(Switcher::default())),
            Action::NewConversation => {
                self.dialog = Some(Dialog::NewConversation(NewConversation::default()));
            }
            Action::PreviousConversation => self.go_beside(-1, effects),
            Action::NextConversation => self.go_beside(1, effects),
            Action::NextUnread => match self.list.next_unread(self.open) {
                Some(id) => {
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
        if key.ctrl || key.alt || self.pane == Pane::Messages {
            return;
        }
        self.write(letter.encode_utf8(&mut [0; 4]), effects);
    }

    fn write(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat_mut() else { return };
        let before = chat.composer.text().len();
        chat.composer.insert(text);
        let taken = chat.composer.text().len() - before;
        chat.unselect();
        self.pane = Pane::Composer;
        if taken == 0 && text.len() > 16 {
            self.tell_error("the draft is full");
        }
        self.draft_changed(effects);
    }

    /// Tells the others that I am typing, or no longer.
    fn draft_changed(&mut self, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat_mut() else { return };
        if chat.composer.is_empty() {
            return self.stop_typing(effects);
        }
        chat.typing_told = true;
        effects.push(Effect::Typing(chat.id, true));
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
        let seen = self.seen;
        let rows = isize::try_from(seen.page.saturating_sub(2).max(1)).unwrap_or(1);
        let Some(chat) = self.chat_mut() else { return };
        if matches!(chat.older, Older::Failed(_)) && pages < 0 {
            chat.older = Older::Idle;
        }
        if seen.conversation == Some(chat.id) {
            chat.unselect();
            chat.scroll_by(pages * rows, seen.top);
            if self.pane == Pane::Messages {
                self.pane = Pane::Composer;
            }
        }
    }

    fn go_to_latest(&mut self) {
        if let Some(chat) = self.chat_mut() {
            chat.unselect();
            chat.scroll = Scroll::Latest;
            self.pane = Pane::Composer;
        }
    }

    /// To the first entry that was unread, or the oldest that is here.
    fn go_to_ruler(&mut self) {
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

    fn cycle_pane(&mut self, effects: &mut Vec<Effect>) {
        match self.pane {
            Pane::List => self.leave_list(effects),
            Pane::Composer | Pane::Messages => self.go_to_list(),
        }
    }

    fn go_to_list(&mut self) {
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
        let all = isize::try_from(self.list.len()).unwrap_or(isize::MAX);
        match action {
            Action::Up => self.list.move_selection(-1),
            Action::Down => self.list.move_selection(1),
            Action::First => self.list.move_selection(-all),
            Action::Last => self.list.move_selection(all),
            Action::Enter => self.open_selected(effects),
            Action::Back => self.leave_list(effects),
            _ => {}
        }
    }

    fn act_in_composer(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let columns = self.seen.draft_columns.max(1);
        let Some(chat) = self.chat_mut() else {
            if action == Action::Back {
                self.pane = Pane::List;
            }
            return;
        };
        let empty = chat.composer.is_empty();
        match action {
            Action::Send => self.send(effects),
            Action::Newline => self.write("\n", effects),
            Action::Yank => {
                let killed = self.killed.clone();
                self.write(&killed, effects);
            }
            Action::Up if empty => {
                chat.select_by(0);
                if chat.selected.is_some() {
                    self.pane = Pane::Messages;
                }
            }
            Action::Up => {
                chat.composer.go_row(false, columns);
            }
            Action::Down => {
                chat.composer.go_row(true, columns);
            }
            Action::Move(Motion::Home) if empty => self.go_to_ruler(),
            Action::Move(Motion::End) if empty => self.go_to_latest(),
            Action::Move(motion) => chat.composer.go(motion),
            Action::Delete(motion) => {
                let killed = chat.composer.delete(motion);
                if !matches!(motion, Motion::Left | Motion::Right) && !killed.is_empty() {
                    self.killed = killed;
                }
                self.draft_changed(effects);
            }
            Action::Back if chat.reply_to.take().is_none() => self.go_to_list(),
            _ => {}
        }
    }

    /// Shows the message at once, as not sent yet, and puts it into the outbox.
    fn send(&mut self, effects: &mut Vec<Effect>) {
        let max = self.max_body_chars;
        let Some(chat) = self.chat_mut() else { return };
        let body = chat.composer.text().trim_end();
        let body = body.trim_start_matches('\n').to_owned();
        if body.is_empty() {
            return;
        }
        if chat.closed.is_some() {
            return self.tell_error("this conversation cannot be written to any more");
        }
        let chars = body.chars().count();
        if chars > max {
            return self.tell_error(&format!(
                "too long: {chars} characters, and a message has at most {max}"
            ));
        }
        let (client_id, at) = (self.next_client_id(), self.now);
        self.stop_typing(effects);
        let Some(chat) = self.chat_mut() else { return };
        chat.composer.take();
        let draft = Draft {
            client_id,
            body,
            reply_to: chat.reply_to.take().map(|reply| reply.id),
        };
        chat.timeline.push_pending(Pending {
            body: Plain::text(&draft.body),
            draft: draft.clone(),
            at,
            state: Sending::Waiting,
        });
        chat.scroll = Scroll::Latest;
        effects.push(Effect::Send(chat.id, draft));
    }

    fn act_on_message(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat_mut() else {
            self.pane = Pane::List;
            return;
        };
        match action {
            Action::Up => chat.select_by(-1),
            Action::Down => chat.select_by(1),
            Action::Last | Action::Back => chat.unselect(),
            Action::Enter => {
                if let Some(selected) = chat.selected
                    && !chat.unfolded.remove(&selected)
                {
                    chat.unfolded.insert(selected);
                }
                return;
            }
            Action::Reply => match reply_to_selected(chat) {
                Some(reply) => {
                    chat.reply_to = Some(reply);
                    chat.unselect();
                }
                None => self.tell("only a message that was sent can be replied to"),
            },
            Action::Resend => self.resend(effects),
            Action::Edit => self.take_back(true, effects),
            Action::Discard => self.take_back(false, effects),
            _ => {}
        }
        if action == Action::Last {
            self.go_to_latest();
        }
        if self.chat().is_none_or(|chat| chat.selected.is_none()) {
            self.pane = Pane::Composer;
        }
    }

    fn resend(&mut self, effects: &mut Vec<Effect>) {
        let fresh = self.next_client_id();
        let online = self.link.is_online();
        let Some(chat) = self.chat_mut() else { return };
        let Some(ItemId::Pending(client_id)) = chat.selected else {
            return self.tell("this message was sent");
        };
        let Some(mut pending) = chat.timeline.remove_pending(client_id) else {
            return;
        };
        match pending.state {
            Sending::Failed { needs_new_id, .. } => {
                if needs_new_id {
                    pending.draft.client_id = fresh;
                }
                pending.state = Sending::Waiting;
                effects.push(Effect::Send(chat.id, pending.draft.clone()));
            }
            _ if !online => effects.push(Effect::RetryNow),
            _ => {}
        }
        chat.selected = Some(ItemId::Pending(pending.draft.client_id));
        chat.timeline.push_pending(pending);
    }

    /// Takes a message that was not sent off the screen: into the draft, or away.
    fn take_back(&mut self, edit: bool, effects: &mut Vec<Effect>) {
        let Some(chat) = self.chat_mut() else { return };
        let pending = match chat.selected {
            Some(ItemId::Pending(client_id)) => chat.timeline.remove_pending(client_id),
            _ => None,
        };
        let Some(pending) = pending else {
            return self.tell("this message was sent");
        };
        effects.push(Effect::Discard(pending.draft.client_id));
        chat.unselect();
        if edit {
            let draft = chat.composer.take();
            let gap = if draft.is_empty() { "" } else { "\n" };
            chat.composer
                .set(&format!("{}{gap}{draft}", pending.draft.body));
        } else {
            self.killed = pending.draft.body;
            self.tell("discarded · ^Y brings it back");
        }
    }

    fn key_in_dialog(&mut self, key: Key, action: Option<Action>, effects: &mut Vec<Effect>) {
        match &mut self.dialog {
            Some(Dialog::Help(line)) => match action {
                Some(Action::Up) => *line = line.saturating_sub(1),
                Some(Action::Down) => *line += 1,
                Some(Action::PageUp) => *line = line.saturating_sub(10),
                Some(Action::PageDown) => *line += 10,
                Some(Action::Back | Action::Enter) => self.dialog = None,
                _ => {}
            },
            Some(Dialog::Switcher(_)) => self.key_in_switcher(key, action, effects),
            Some(Dialog::NewConversation(dialog)) => match dialog.key(key, action) {
                Next::Stay(effect) => effects.extend(effect),
                Next::Close => self.dialog = None,
            },
            None => {}
        }
    }

    fn key_in_switcher(&mut self, key: Key, action: Option<Action>, effects: &mut Vec<Effect>) {
        let Some(Dialog::Switcher(switcher)) = &mut self.dialog else {
            return;
        };
        let matches = switcher.matches(&self.list);
        match action {
            Some(Action::Up) => switcher.selected = switcher.selected.saturating_sub(1),
            Some(Action::Down) => {
                switcher.selected = (switcher.selected + 1).min(matches.len().saturating_sub(1));
            }
            Some(Action::Delete(motion)) => {
                switcher.query.delete(motion);
                switcher.selected = 0;
            }
            Some(Action::Back) => self.dialog = None,
            Some(Action::Enter) => {
                if let Some(id) = matches.get(switcher.selected).copied() {
                    self.dialog = None;
                    self.open_conversation(id, effects);
                    self.pane = Pane::Composer;
                }
            }
            Some(_) => {}
            None => {
                if let Code::Char(letter) = key.code
                    && !key.ctrl
                    && !key.alt
                {
                    switcher.query.insert(letter.encode_utf8(&mut [0; 4]));
                    switcher.selected = 0;
                }
            }
        }
    }
}

fn reply_to_selected(chat: &Chat) -> Option<ReplyTo> {
    let ItemId::Entry(seq) = chat.selected? else {
        return None;
    };
    let said = chat
        .timeline
        .line(seq)?
        .said()
        .filter(|said| !said.deleted)?;
    Some(ReplyTo {
        id: said.id,
        sender: said.sender,
        text: preview(said.body.as_str()),
    })
}
