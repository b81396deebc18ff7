//! Opening and leaving conversations, and what is loaded of them.

use chat_core::{
    client::ClientError,
    model::{ConversationId, Entry, Row, UserId},
};

use super::{
    App, Dialog, FOLLOWED, PAGE, Pane,
    chat::{Chat, Older, Scroll},
    text::Plain,
    timeline::Line,
};
use crate::effect::Effect;

impl App {
    pub(super) fn older(
        &mut self,
        id: ConversationId,
        entries: Result<Vec<Entry>, ClientError>,
        effects: &mut Vec<Effect>,
    ) {
        self.seen.near_start = false;
        let Some(chat) = self.chats.get_mut(&id) else {
            return;
        };
        match entries {
            Ok(entries) => {
                let added = chat.timeline.prepend(&entries);
                chat.older = match added {
                    0 => Older::Failed(Plain::line("the server has no more of it")),
                    _ => Older::Idle,
                };
                let lines = chat.timeline.lines().iter().take(added);
                let people: Vec<UserId> = lines.flat_map(Line::people).collect();
                self.ask_for(people, effects);
            }
            Err(error) => chat.older = Older::Failed(Plain::line(&error.to_string())),
        }
    }

    pub(super) fn started(
        &mut self,
        row: Result<Box<Row>, ClientError>,
        effects: &mut Vec<Effect>,
    ) {
        match row {
            Ok(row) => {
                self.take_rows(std::slice::from_ref(&*row), &[], false, effects);
                self.dialog = None;
                self.open_conversation(row.conversation.id, effects);
                self.pane = Pane::Composer;
            }
            Err(error) => match &mut self.dialog {
                Some(Dialog::NewConversation(dialog)) => dialog.failed(&error),
                _ => self.tell_error(&error.to_string()),
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
        chat.unselect();
        chat.scroll = Scroll::Latest;
        chat.marked = chat.marked.max(read);
        chat.ruler = (unread > 0 && chat.marked < head).then_some(chat.marked);
        if !chat.joined {
            chat.joined = true;
            chat.closed = None;
            effects.push(Effect::Open(id, head.saturating_sub(PAGE)));
            effects.push(Effect::Members(id));
        }
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
        self.list.apply(rows, gone, snapshot);
        self.list_changed = true;
        let last = rows
            .iter()
            .filter_map(|row| row.conversation.last_message.as_ref());
        self.ask_for(last.map(|message| message.sender_id), effects);
    }

    pub(super) fn stop_typing(&mut self, effects: &mut Vec<Effect>) {
        if let Some(chat) = self.chat_mut()
            && std::mem::take(&mut chat.typing_told)
        {
            effects.push(Effect::Typing(chat.id, false));
        }
    }
}
