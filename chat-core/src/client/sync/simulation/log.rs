//! A conversation at the simulated server: its log, the messages as they are now, and what it is to me.

use std::collections::BTreeMap;

use crate::model::{
    Change, ClientId, Conversation, ConversationId, ConversationKind, Draft, Emoji, Entry, History,
    Message, MessageId, Mine, Notify, Role, Row, Seq, Timestamp, Unread, UserId,
};

pub(super) struct Log {
    pub(super) id: ConversationId,
    me: UserId,
    title: String,
    pub(super) history: History,
    pub(super) entries: Vec<Entry>,
    messages: BTreeMap<Seq, Message>,
    pub(super) member: bool,
    pub(super) member_count: u64,
    /// Every place at which my history ever began, the present one last.
    pub(super) beginnings: Vec<Seq>,
    pub(super) read_seq: Seq,
    pub(super) delivered_seq: Seq,
    rev: u64,
}

impl Log {
    pub(super) fn new(me: UserId, history: History) -> Self {
        Self {
            id: ConversationId::new(),
            me,
            title: "Garden".to_owned(),
            history,
            entries: Vec::new(),
            messages: BTreeMap::new(),
            member: true,
            member_count: 2,
            beginnings: vec![1],
            read_seq: 0,
            delivered_seq: 0,
            rev: 1,
        }
    }

    pub(super) fn head(&self) -> Seq {
        self.entries.len() as Seq
    }

    pub(super) fn history_from(&self) -> Seq {
        self.beginnings.last().copied().unwrap_or(1)
    }

    /// The log after a cursor, as I can see it.
    pub(super) fn after(&self, cursor: Seq) -> Vec<Entry> {
        let from = self.history_from();
        let cursor = usize::try_from(cursor.max(from - 1)).unwrap();
        let entries = self.entries.iter().skip(cursor);
        entries.map(|entry| entry.clone().seen_from(from)).collect()
    }

    /// Messages as they are now, as far as I can see them.
    pub(super) fn visible(&self) -> impl DoubleEndedIterator<Item = &Message> {
        let seen = self.messages.range(self.history_from()..);
        seen.map(|(_, message)| message)
    }

    pub(super) fn accepted(&self, client_id: ClientId) -> Option<Message> {
        let mut messages = self.messages.values();
        messages
            .find(|message| message.client_id == client_id)
            .cloned()
    }

    fn append(&mut self, change: Change) -> Seq {
        let seq = self.head() + 1;
        self.entries.push(Entry {
            change,
            conversation_id: self.id,
            seq,
            at: Timestamp::from_millis(0),
        });
        seq
    }

    pub(super) fn say(&mut self, sender_id: UserId, draft: Draft) -> Message {
        let seq = self.head() + 1;
        let message = Message {
            id: MessageId::new(),
            conversation_id: self.id,
            seq,
            sender_id,
            client_id: draft.client_id,
            body: draft.body,
            reply_to: draft.reply_to,
            mentions: Vec::new(),
            mentions_everyone: false,
            reactions: Vec::new(),
            created_at: Timestamp::from_millis(0),
            edited_at: None,
            deleted_at: None,
            pinned_at: None,
            changed_seq: seq,
        };
        self.messages.insert(seq, message.clone());
        self.append(Change::NewMessage {
            message: message.clone(),
        });
        if sender_id == self.me {
            self.move_read(seq);
        }
        message
    }

    /// Changes the nth message that was not taken back; `change` says what becomes of it.
    fn change(
        &mut self,
        nth: usize,
        change: impl FnOnce(&mut Message) -> Box<dyn FnOnce(Message) -> Change>,
    ) {
        let seq = self.head() + 1;
        let alive = self.messages.values_mut();
        let mut alive: Vec<_> = alive.filter(|it| it.deleted_at.is_none()).collect();
        if alive.is_empty() {
            return;
        }
        let nth = nth % alive.len();
        let message = &mut *alive[nth];
        let entry = change(message);
        message.changed_seq = seq;
        let entry = entry(message.clone());
        self.append(entry);
    }

    pub(super) fn edit(&mut self, nth: usize) {
        let body = format!("edited as {}", self.head() + 1);
        self.change(nth, |message| {
            message.body = body;
            message.edited_at = Some(Timestamp::from_millis(0));
            Box::new(|message| Change::MessageEdited { message })
        });
    }

    pub(super) fn delete(&mut self, nth: usize, by: UserId) {
        self.change(nth, |message| {
            message.erase(Timestamp::from_millis(0));
            Box::new(move |message| Change::MessageDeleted { message, by })
        });
    }

    pub(super) fn toggle_pin(&mut self, nth: usize, by: UserId) {
        self.change(nth, |message| {
            if message.pinned_at.take().is_some() {
                return Box::new(move |message| Change::MessageUnpinned { message, by });
            }
            message.pinned_at = Some(Timestamp::from_millis(0));
            Box::new(move |message| Change::MessagePinned { message, by })
        });
    }

    pub(super) fn toggle_reaction(&mut self, nth: usize, emoji: &Emoji, user_id: UserId) {
        self.change(nth, |message| {
            let there = message.reaction(emoji).user_ids.contains(&user_id);
            if there {
                message.remove_reaction(emoji, user_id);
            } else {
                message.add_reaction(emoji, user_id);
            }
            let reaction = message.reaction(emoji);
            Box::new(move |message| {
                let (message_id, message_seq) = (message.id, message.seq);
                if there {
                    Change::ReactionRemoved {
                        message_id,
                        message_seq,
                        user_id,
                        reaction,
                    }
                } else {
                    Change::ReactionAdded {
                        message_id,
                        message_seq,
                        user_id,
                        reaction,
                    }
                }
            })
        });
    }

    pub(super) fn rename(&mut self, by: UserId) {
        self.title = format!("Garden {}", self.head() + 1);
        let title = self.title.clone();
        self.append(Change::ConversationRenamed { title, by });
    }

    pub(super) fn delete_whole(&mut self, by: UserId) {
        self.append(Change::ConversationDeleted { by });
        self.member = false;
        self.rev += 1;
    }

    /// I am removed, or added again.
    pub(super) fn toggle_member(&mut self, by: UserId) {
        let user_id = self.me;
        self.member = !self.member;
        self.rev += 1;
        if !self.member {
            self.append(Change::MemberLeft {
                user_id,
                by,
                banned: false,
            });
            return;
        }
        let seq = self.append(Change::MemberJoined {
            user_id,
            role: Role::Member,
            by,
        });
        if self.history == History::FromJoin {
            self.beginnings.push(seq);
        }
        self.read_seq = seq;
    }

    /// The store is restored from a backup, without the newest message.
    pub(super) fn lose_newest(&mut self) {
        self.entries.pop();
        self.messages.pop_last();
        self.delivered_seq = self.delivered_seq.min(self.head());
        self.read_seq = self.read_seq.min(self.head());
    }

    /// Puts my read cursor somewhere; whether that moved it.
    pub(super) fn move_read(&mut self, seq: Seq) -> bool {
        let moved = self.read_seq != seq;
        self.rev += u64::from(moved);
        self.read_seq = seq;
        moved
    }

    pub(super) fn row(&self) -> Row {
        let unread = self.visible().filter(|message| {
            message.seq > self.read_seq
                && message.sender_id != self.me
                && message.deleted_at.is_none()
        });
        Row {
            conversation: Conversation {
                id: self.id,
                kind: ConversationKind::Group,
                title: Some(self.title.clone()),
                topic: None,
                history: self.history,
                peer: None,
                member_count: self.member_count,
                head_seq: self.head(),
                last_message: self.visible().next_back().cloned(),
                last_activity_at: Timestamp::from_millis(0),
            },
            me: Mine {
                role: Role::Member,
                read_seq: self.read_seq,
                rev: self.rev,
                pinned: false,
                muted: false,
                archived: false,
                notify: Notify::All,
                history_from: self.history_from(),
            },
            unread: Unread::from_count(unread.count() as u64, 0),
        }
    }
}
