//! What an application makes of the events: rows, entries, and the messages of each conversation.

use std::collections::BTreeMap;

use crate::{
    client::{Event, Link, Messages},
    model::{ClientId, ConversationId, Entry, Message, Row, Seq, UserId},
    source::{HashMap, HashSet},
};

#[derive(Default)]
pub(super) struct App {
    pub(super) rows: BTreeMap<ConversationId, Row>,
    pub(super) open: HashSet<ConversationId>,
    pub(super) entries: HashMap<ConversationId, Vec<Entry>>,
    pub(super) messages: HashMap<ConversationId, Messages>,
    /// Conversations of which not all messages are held.
    pub(super) scrolled: HashSet<ConversationId>,
    /// Pages of messages that are on their way.
    pages: Vec<(ConversationId, Vec<Message>)>,
    pub(super) put_in: Vec<(ConversationId, ClientId)>,
    pub(super) sent: Vec<ClientId>,
    pub(super) failed: Vec<ClientId>,
    pub(super) reads: Vec<UserId>,
    pub(super) deliveries: Vec<UserId>,
    pub(super) online: bool,
    pub(super) restored: u64,
    pub(super) closed: Vec<ConversationId>,
}

impl App {
    /// `beginnings` are the places at which my history of a conversation ever began.
    pub(super) fn hear(&mut self, event: Event, beginnings: impl Fn(ConversationId) -> Vec<Seq>) {
        match event {
            Event::Link(link) => self.online = matches!(link, Link::Online(_)),
            Event::Rows {
                rows,
                gone,
                snapshot,
            } => self.hear_rows(rows, gone, snapshot),
            Event::Entry(entry) => {
                let log = self.entries.entry(entry.conversation_id).or_default();
                let expected = log.last().map_or(1, |last| last.seq + 1);
                assert!(
                    entry.seq == expected
                        || entry.seq > expected
                            && beginnings(entry.conversation_id).contains(&entry.seq),
                    "a gap or a duplicate: {} where {expected} was due",
                    entry.seq
                );
                self.messages
                    .entry(entry.conversation_id)
                    .or_default()
                    .apply(&entry);
                log.push(*entry);
            }
            Event::Sent(message) => {
                self.sent.push(message.client_id);
                let held = self.messages.entry(message.conversation_id);
                held.or_default().put([*message]);
            }
            Event::SendFailed { client_id, .. } => self.failed.push(client_id),
            Event::Restored => {
                self.restored += 1;
                self.rows.clear();
                self.open.clear();
                self.entries.clear();
                self.messages.clear();
                self.pages.clear();
            }
            Event::Closed {
                conversation_id, ..
            } => {
                self.open.remove(&conversation_id);
                self.closed.push(conversation_id);
            }
            Event::Read { user_id, .. } => self.reads.push(user_id),
            Event::Delivered { user_id, .. } => self.deliveries.push(user_id),
            _ => {}
        }
    }

    fn hear_rows(&mut self, rows: Vec<Row>, gone: Vec<ConversationId>, snapshot: bool) {
        if snapshot {
            let named = |id: &ConversationId| rows.iter().any(|row| row.conversation.id == *id);
            let unnamed = self.rows.keys().filter(|id| !named(id)).copied();
            for id in unnamed.collect::<Vec<_>>() {
                self.forget(id);
            }
            self.rows.clear();
        }
        for row in rows {
            let id = row.conversation.id;
            if let Some(older) = self.rows.get(&id) {
                assert!(row.supersedes(older), "the list went backwards");
            }
            self.begin_at(id, row.me.history_from);
            self.rows.insert(id, row);
        }
        for id in gone {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: ConversationId) {
        self.rows.remove(&id);
        self.entries.remove(&id);
        self.messages.remove(&id);
        self.pages.retain(|(of, _)| *of != id);
    }

    /// What was before my history is not mine to see any more.
    fn begin_at(&mut self, id: ConversationId, history_from: Seq) {
        if let Some(entries) = self.entries.get_mut(&id) {
            entries.retain(|entry| entry.seq >= history_from);
        }
        if let Some(messages) = self.messages.get_mut(&id) {
            messages.retain(history_from..);
        }
    }

    /// Asked the server for messages: this is what it answers.
    pub(super) fn ask(&mut self, id: ConversationId, page: Vec<Message>) {
        self.pages.push((id, page));
    }

    /// The nth page on its way arrives.
    pub(super) fn page_arrives(&mut self, nth: usize) {
        if self.pages.is_empty() {
            return;
        }
        let (id, page) = self.pages.remove(nth % self.pages.len());
        self.messages.entry(id).or_default().put(page);
        if let Some(row) = self.rows.get(&id) {
            self.begin_at(id, row.me.history_from);
        }
    }

    pub(super) fn waits_for_pages(&self) -> bool {
        !self.pages.is_empty()
    }

    /// The user scrolls: only this half of the messages is still held.
    pub(super) fn scroll(&mut self, id: ConversationId, newer_half: bool) {
        self.scrolled.insert(id);
        if let Some(messages) = self.messages.get_mut(&id) {
            let middle = messages.iter().nth(messages.len() / 2).map(|it| it.seq);
            match middle {
                Some(middle) if newer_half => messages.retain(middle..),
                Some(middle) => messages.retain(..middle),
                None => {}
            }
        }
    }
}
