//! Opening and leaving conversations, and what is loaded of them.

use chat_core::{
    client::ClientError,
    model::{Availability, ConversationId, Entry, Row, UserId},
};

use super::{
    App, Dialog, FOLLOWED, Pane, Screen,
    chat::{Chat, More},
    fault,
    timeline::Line,
};
use crate::effect::{Effect, Page};

impl App {
    /// Takes in a stretch of a log that was asked for.
    pub(super) fn stretch(
        &mut self,
        id: ConversationId,
        page: Page,
        entries: Result<Vec<Entry>, ClientError>,
        effects: &mut Vec<Effect>,
    ) {
        self.seen.near_start = false;
        self.seen.near_end = false;
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        let outcome = match &entries {
            Ok(_) => More::Idle,
            Err(error) => More::Failed(fault::words(error)),
        };
        match page {
            Page::Older => chat.older = outcome,
            Page::Newer => chat.newer = outcome,
            Page::At(_) => {
                chat.older = More::Idle;
                chat.newer = More::Idle;
            }
        }
        let Ok(entries) = entries else {
            if let (Page::At(_) | Page::Newer, Err(error)) = (page, entries) {
                self.tell_error(&format!(
                    "these messages did not come: {}",
                    fault::words(&error)
                ));
            }
            return;
        };
        match page {
            Page::Older => {
                if chat.timeline.prepend(&entries) == 0 {
                    chat.older = More::Failed(fault::nothing_more());
                }
            }
            Page::Newer => {
                if chat.timeline.append(&entries) == 0 {
                    chat.newer = More::Failed(fault::nothing_more());
                }
            }
            Page::At(seq) => self.show_stretch(id, seq, &entries),
        }
        let people: Vec<UserId> = entries
            .iter()
            .flat_map(|entry| Line::new(entry).people().collect::<Vec<_>>())
            .collect();
        self.ask_for(people, effects);
    }

    fn show_stretch(&mut self, id: ConversationId, seq: u64, entries: &[Entry]) {
        if self.open != Some(id) {
            return;
        }
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        if entries
            .iter()
            .any(|entry| entry.seq == seq && entry.message().is_some())
        {
            chat.timeline.go_to(entries);
            chat.show_in_middle(seq, self.seen.page);
            self.pane = Pane::Messages;
            self.notice = None;
        } else {
            self.tell_error("that message cannot be seen any more");
        }
    }

    pub(super) fn started(
        &mut self,
        row: Result<Box<Row>, ClientError>,
        effects: &mut Vec<Effect>,
    ) {
        match row {
            Ok(row) => {
                self.moving.insert(row.conversation.id);
                self.take_rows(std::slice::from_ref(&*row), &[], false, effects);
                self.close_dialogs();
                self.open_conversation(row.conversation.id, effects);
                self.pane = Pane::Composer;
            }
            Err(error) => match &mut self.dialog {
                Some(Dialog::NewConversation(dialog)) => dialog.failed(&error),
                _ => self.tell_error(fault::words(&error).as_str()),
            },
        }
    }

    /// Puts a conversation on the screen and follows it.
    pub(super) fn open_conversation(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        let Some(item) = self.list.get(id) else {
            return;
        };
        let (head, read, unread) = (item.head_seq, item.read_seq, item.unread.count);
        self.stop_typing(effects);
        self.list.select(id);
        self.open = Some(id);
        let chat = self.chats.entry(id).or_insert_with(|| Chat::new(id));
        chat.go_live();
        chat.kept_unread = false;
        chat.marked = chat.marked.max(read);
        chat.ruler = (unread > 0 && chat.marked < head).then_some(chat.marked);
        if !chat.joined && !chat.recalling {
            chat.recalling = true;
            chat.closed = None;
            effects.push(Effect::Recall(id));
        }
        self.completion = None;
        self.list_changed = true;
        self.recent.retain(|other| *other != id);
        self.recent.push_front(id);
        if self.recent.len() > FOLLOWED
            && let Some(left) = self.recent.pop_back()
        {
            self.forget(left, effects);
        }
    }

    /// Follows a conversation no longer; what only this client knows of it stays.
    pub(super) fn forget(&mut self, id: ConversationId, effects: &mut Vec<Effect>) {
        if let Some(chat) = self.chats.get_mut(&id) {
            if chat.joined {
                effects.push(Effect::Leave(id));
            }
            chat.forget_log();
            if !chat.holds_own_words() {
                self.chats.remove(&id);
            }
        }
    }

    pub(super) fn take_rows(
        &mut self,
        rows: &[Row],
        gone: &[ConversationId],
        snapshot: bool,
        effects: &mut Vec<Effect>,
    ) {
        for row in rows {
            if let Some(peer) = &row.conversation.peer {
                self.people.learn(peer);
            }
        }
        let before = self.loudness(rows);
        self.follow_cursors(rows);
        self.hold_list_in_use();
        self.list.apply(rows, gone, snapshot);
        if rows
            .iter()
            .any(|row| self.moving.remove(&row.conversation.id))
        {
            self.list.release();
        }
        self.list_changed = true;
        if snapshot {
            self.follow_all(effects);
        } else {
            effects.extend(self.notify(&before));
        }
        let last = rows
            .iter()
            .filter_map(|row| row.conversation.last_message.as_ref());
        self.ask_for(last.map(|message| message.sender_id), effects);
    }

    /// How much makes itself heard, mentions counted apart; not while I do not want to be disturbed.
    fn heard(&self) -> (u64, u64) {
        if self.own.availability == Availability::Dnd {
            return (0, 0);
        }
        self.list.heard()
    }

    /// What is told outside of the screen: how much is unread, and whose client this is.
    #[must_use]
    pub fn title(&self) -> String {
        let name = match (&self.screen, self.me) {
            (Screen::Main, Some(me)) => self.people.name(me),
            _ => return "chat".to_owned(),
        };
        match self.heard() {
            (0, _) => format!("{name} — chat"),
            (unread, 0) => format!("({unread}) {name} — chat"),
            (unread, mentions) => format!("({unread} @{mentions}) {name} — chat"),
        }
    }

    /// Where my read cursor went on another device: on, or back on purpose.
    fn follow_cursors(&mut self, rows: &[Row]) {
        for row in rows {
            let (id, read) = (row.conversation.id, row.me.read_seq);
            let (Some(chat), Some(item)) = (self.chats.get_mut(&id), self.list.get(id)) else {
                continue;
            };
            if !item.gives_way_to(row) {
                continue;
            }
            if read < item.read_seq {
                chat.keep_unread(read);
            } else if !chat.kept_unread {
                chat.marked = chat.marked.max(read);
            }
        }
    }

    pub(super) fn stop_typing(&mut self, effects: &mut Vec<Effect>) {
        if let Some(chat) = self.chat_mut()
            && std::mem::take(&mut chat.typing_told)
        {
            effects.push(Effect::Typing(chat.id, false));
        }
    }
}
