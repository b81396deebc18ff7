//! What was seen during a run, judged as it is seen.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use tokio::time::Instant;

use super::{
    sight::{Sight, agrees},
    store::at_once,
};
use crate::{
    model::{ClientId, ConversationId, Draft, Entry, Message, Seq, UserId},
    store::{MemoryStore, MessageLog},
};

/// What is promised, by the names of the design.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Promise {
    /// G1: what was acknowledged is in the log.
    Durable,
    /// G2: a send has one effect, however often it is tried.
    OneEffect,
    /// G3: one dense order for all, which keeps that of each device and that of time.
    OneOrder,
    /// Nothing is shown or acknowledged that is not committed.
    CommittedFirst,
    /// G4: no silent gap and no duplicate.
    NoGap,
    /// G5: who is there is seen, and who is gone is not.
    Presence,
    /// G6: a stuck reader costs bounded memory and gets the newest state once.
    Bounded,
    /// G8: whoever asks hears something in time, whatever the store does.
    InTime,
    /// G10: rows and their unread counts are what their definition says.
    Rows,
    /// Nobody is shown what they may not see.
    Sight,
    /// When nothing is wrong any more, everything comes to rest.
    Rest,
}

/// A promise that was broken.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) promise: Promise,
    pub(super) what: String,
}

/// Who sends: a device or a direct caller.
pub(super) type Author = usize;

/// One message that somebody wanted to send.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) draft: Draft,
    /// The newest message of the conversation that anybody had been told is accepted when this was first sent.
    floor: Seq,
    pub(super) acknowledged: Option<Seq>,
}

#[derive(Debug)]
pub(super) struct History {
    began: Instant,
    log: MemoryStore,
    /// Told as it happens, to be read.
    loud: bool,
    /// Everything that happened, where it is to be compared.
    pub(super) lines: Option<Vec<String>>,
    pub(super) violations: Vec<Violation>,
    pub(super) acknowledged: BTreeMap<ConversationId, Seq>,
    pub(super) attempts: BTreeMap<(ConversationId, UserId, ClientId), Attempt>,
    /// In the order in which each of them was asked to send.
    pub(super) order: BTreeMap<(Author, ConversationId), Vec<(UserId, ClientId)>>,
    /// The furthest read cursor that was acknowledged.
    pub(super) reads: BTreeMap<(ConversationId, UserId), Seq>,
    /// Whose read cursors were set back at some time, perhaps.
    set_back: BTreeSet<(ConversationId, UserId)>,
    pub(super) sight: Sight,
    /// Groups that their owner deletes some day.
    pub(super) passing: Vec<ConversationId>,
    pub(super) deliveries: u64,
}

impl History {
    pub(super) fn new(log: MemoryStore, loud: bool, kept: bool) -> Self {
        Self {
            began: Instant::now(),
            log,
            loud,
            lines: kept.then(Vec::new),
            violations: Vec::new(),
            acknowledged: BTreeMap::new(),
            attempts: BTreeMap::new(),
            order: BTreeMap::new(),
            reads: BTreeMap::new(),
            set_back: BTreeSet::new(),
            sight: Sight::default(),
            passing: Vec::new(),
            deliveries: 0,
        }
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.loud || self.lines.is_some() {
            let line = shorten(&line());
            let line = format!("{:>9.3} {line}", self.began.elapsed().as_secs_f64());
            if self.loud {
                eprintln!("{line}");
            }
            if let Some(lines) = &mut self.lines {
                lines.push(line);
            }
        }
    }

    pub(super) fn violation(&mut self, promise: Promise, what: impl fmt::Display) {
        let what = what.to_string();
        self.note(|| format!("VIOLATION {promise:?}: {what}"));
        self.violations.push(Violation { promise, what });
    }

    /// Somebody begins to send. Trying again is not a new beginning.
    pub(super) fn sends(
        &mut self,
        author: Author,
        user: UserId,
        conversation: ConversationId,
        draft: &Draft,
    ) {
        let floor = self.acknowledged.get(&conversation).copied();
        let attempt = Attempt {
            draft: draft.clone(),
            floor: floor.unwrap_or(0),
            acknowledged: None,
        };
        let key = (conversation, user, draft.client_id);
        self.attempts.insert(key, attempt);
        let order = self.order.entry((author, conversation)).or_default();
        order.push((user, draft.client_id));
    }

    /// A sender learns that a message was accepted.
    pub(super) fn acknowledged(&mut self, message: &Message) {
        self.note(|| format!("acknowledged {}#{}", message.client_id, message.seq));
        let stored = self.entry(message.conversation_id, message.seq);
        if !stored.is_some_and(|stored| agrees(&Entry::of_message(message), &stored)) {
            self.violation(
                Promise::CommittedFirst,
                format!("{message:?} was acknowledged, but is not what the log has there"),
            );
        }
        let known = self
            .acknowledged
            .entry(message.conversation_id)
            .or_default();
        *known = message.seq.max(*known);
        let key = (
            message.conversation_id,
            message.sender_id,
            message.client_id,
        );
        let Some(attempt) = self.attempts.get_mut(&key) else {
            return self.violation(Promise::OneEffect, format!("nobody sent {message:?}"));
        };
        let (floor, earlier) = (attempt.floor, attempt.acknowledged);
        attempt.acknowledged = Some(message.seq);
        if message.seq <= floor {
            let what = format!("{message:?} comes before {floor}, acknowledged before it was sent");
            self.violation(Promise::OneOrder, what);
        }
        if earlier.is_some_and(|earlier| earlier != message.seq) {
            let what = format!("{message:?} was acknowledged before, as {earlier:?}");
            self.violation(Promise::OneEffect, what);
        }
    }

    /// A reader learns where their cursor is.
    pub(super) fn read(&mut self, conversation: ConversationId, user: UserId, seq: Seq) {
        if !self.set_back.contains(&(conversation, user)) {
            let known = self.reads.entry((conversation, user)).or_default();
            *known = seq.max(*known);
        }
    }

    /// A reader sets their cursor back: where it is from here on depends on what comes first.
    pub(super) fn sets_back(&mut self, conversation: ConversationId, user: UserId) {
        self.set_back.insert((conversation, user));
        self.reads.remove(&(conversation, user));
    }

    /// A session is given an entry.
    pub(super) fn served(&mut self, to: &dyn fmt::Display, user: UserId, entry: &Entry) {
        let Some(stored) = self.entry(entry.conversation_id, entry.seq) else {
            return;
        };
        if !self.sight.allows(&self.log, user, entry, &stored) {
            let what = format!("{to} must not see {entry:?}, which is {stored:?}");
            self.violation(Promise::Sight, what);
        }
    }

    /// Somebody is given an entry whose turn is after `cursor`.
    pub(super) fn delivered(&mut self, to: &dyn fmt::Display, cursor: Seq, entry: &Entry) {
        self.deliveries += 1;
        self.note(|| format!("{to} gets {}#{}", entry.conversation_id, entry.seq));
        if entry.seq != cursor + 1 {
            let what = format!(
                "{to} was at {cursor} of {} and gets {}",
                entry.conversation_id, entry.seq
            );
            self.violation(Promise::NoGap, what);
        }
        let stored = self.entry(entry.conversation_id, entry.seq);
        if !stored.as_ref().is_some_and(|it| agrees(entry, it)) {
            let what = format!("{to} gets {entry:?}, the log has {stored:?}");
            self.violation(Promise::CommittedFirst, what);
        }
    }

    fn entry(&self, conversation: ConversationId, seq: Seq) -> Option<Entry> {
        at_once(self.log.entries_after(conversation, seq.checked_sub(1)?, 1)).pop()
    }
}

/// Identifiers by what makes them differ: they are counted.
fn shorten(line: &str) -> String {
    let mut rest = line;
    let mut short = String::with_capacity(line.len());
    while let Some(at) = rest.find("-8000-") {
        let (before, id) = (at.checked_sub(18), rest.get(at + 6..at + 18));
        let (Some(before), Some(id)) = (before, id) else {
            break;
        };
        short.push_str(&rest[..before]);
        short.push('<');
        short.push_str(id.trim_start_matches('0'));
        short.push('>');
        rest = &rest[at + 18..];
    }
    short + rest
}
