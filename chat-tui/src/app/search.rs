//! Searching: words, where to look for them, and what was found.

use chat_core::{
    client::ClientError,
    model::{ConversationId, Message, Seq, Timestamp, UserId},
    protocol::rest::Page,
};

use super::{
    composer::{Composer, Motion},
    fault,
    text::Plain,
};
use crate::{effect::Effect, event::Source};

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Where.
    pub conversation: ConversationId,
    /// Its place there.
    pub seq: Seq,
    /// Who said it.
    pub sender: UserId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub body: Plain,
}

impl Hit {
    /// Makes a message safe to show.
    #[must_use]
    pub fn new(message: &Message) -> Self {
        Self {
            conversation: message.conversation_id,
            seq: message.seq,
            sender: message.sender_id,
            at: message.created_at,
            body: Plain::text(&message.body),
        }
    }
}

/// The dialog.
#[derive(Debug)]
pub struct Search {
    /// The words.
    pub query: Composer,
    /// The conversation that was open.
    pub here: Option<ConversationId>,
    /// Only there.
    pub only_here: bool,
    /// What was found, the newest first.
    pub found: Vec<Hit>,
    /// Which of it, from the top.
    pub selected: usize,
    /// There is more of it.
    pub more: Option<String>,
    /// What went wrong.
    pub error: Option<Plain>,
    /// Where it was found.
    pub source: Source,
    ticket: u64,
    answered: u64,
    /// What is on its way goes on from what is here.
    goes_on: bool,
}

impl Search {
    /// Nothing is searched for yet.
    #[must_use]
    pub fn new(here: Option<ConversationId>) -> Self {
        Self {
            query: Composer::default(),
            here,
            only_here: false,
            found: Vec::new(),
            selected: 0,
            more: None,
            error: None,
            source: Source::Server,
            ticket: 0,
            answered: 0,
            goes_on: false,
        }
    }

    /// Typed or pasted text.
    pub fn insert(&mut self, text: &str) -> Option<Effect> {
        self.query.insert(text.lines().next().unwrap_or_default());
        self.search()
    }

    /// Deletes in what was typed.
    pub fn delete(&mut self, motion: Motion) -> Option<Effect> {
        self.query.delete(motion);
        self.search()
    }

    /// Everywhere, or only here.
    pub fn toggle_scope(&mut self) -> Option<Effect> {
        self.only_here = self.here.is_some() && !self.only_here;
        self.search()
    }

    /// Moves the selection; near the end of what was found, more is asked for.
    pub fn go(&mut self, by: isize) -> Option<Effect> {
        let last = self.found.len().saturating_sub(1);
        self.selected = self.selected.saturating_add_signed(by).min(last);
        let near_end = self.selected + 3 > last;
        if !near_end || self.searching() {
            return None;
        }
        let cursor = self.more.take()?;
        Some(self.ask(Some(cursor)))
    }

    fn search(&mut self) -> Option<Effect> {
        self.error = None;
        self.more = None;
        if self.words().is_empty() {
            self.found.clear();
            self.selected = 0;
            self.ticket += 1;
            self.answered = self.ticket;
            return None;
        }
        Some(self.ask(None))
    }

    fn ask(&mut self, cursor: Option<String>) -> Effect {
        self.ticket += 1;
        self.goes_on = cursor.is_some();
        Effect::Search {
            query: self.query.text().trim().to_owned(),
            conversation: self.here.filter(|_| self.only_here),
            cursor,
            ticket: self.ticket,
        }
    }

    /// The words, as the server takes them.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        chat_core::store::words(self.query.text())
    }

    /// Whether an answer is still on its way.
    #[must_use]
    pub fn searching(&self) -> bool {
        self.answered < self.ticket
    }

    /// What was found; an answer to an earlier question is passed over.
    pub fn answer(
        &mut self,
        ticket: u64,
        answer: Result<Page<Message>, ClientError>,
        source: Source,
    ) {
        if ticket != self.ticket {
            return;
        }
        self.answered = ticket;
        self.source = source;
        if !self.goes_on {
            self.found.clear();
            self.selected = 0;
        }
        match answer {
            Ok(page) => {
                self.found.extend(page.items.iter().map(Hit::new));
                self.more = page.next_cursor;
            }
            Err(error) => self.error = Some(fault::words(&error)),
        }
    }

    /// The selected one.
    #[must_use]
    pub fn chosen(&self) -> Option<&Hit> {
        self.found.get(self.selected)
    }
}
