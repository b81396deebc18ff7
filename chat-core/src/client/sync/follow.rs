//! One opened conversation: a cursor on its log, and what came ahead of it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::CallId;
use crate::{
    model::{Entry, Seq},
    protocol::rest::Events,
};

/// Entries kept while those before them are fetched; what comes beyond is fetched too.
const MAX_AHEAD: usize = 1_000;
/// How long an entry that is known to exist may take before it is fetched.
const OVERDUE: Duration = Duration::from_secs(3);

/// How far the server serves this conversation's log on the present connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not joined.
    Apart,
    /// Asked to.
    Joining,
    /// Joined.
    Live,
}

/// An opened conversation.
#[derive(Debug)]
pub(super) struct Follow {
    cursor: Seq,
    /// Entries that came before their turn.
    ahead: BTreeMap<Seq, Entry>,
    pub(super) stage: Stage,
    /// Whether entries are missing that must be fetched.
    missing: bool,
    /// The fetch under way.
    pub(super) paging: Option<CallId>,
    /// An entry with this `seq` is known to exist …
    expected: Seq,
    /// … and is fetched if it has not come by then.
    overdue_at: Option<Instant>,
    /// Nothing is asked of the server before this time.
    pub(super) hold: Option<Instant>,
    failures: u32,
}

impl Follow {
    pub(super) fn new(after: Seq) -> Self {
        Self {
            cursor: after,
            ahead: BTreeMap::new(),
            stage: Stage::Apart,
            missing: false,
            paging: None,
            expected: after,
            overdue_at: None,
            hold: None,
            failures: 0,
        }
    }

    pub(super) fn cursor(&self) -> Seq {
        self.cursor
    }

    /// Takes an entry from wherever it comes; `deliver` gets those whose turn it is.
    pub(super) fn take(&mut self, entry: Entry, now: Instant, deliver: &mut Vec<Entry>) {
        if entry.seq <= self.cursor {
            return;
        }
        if entry.seq == self.cursor.saturating_add(1) {
            self.advance(entry, deliver);
            self.take_ahead(now, deliver);
            return;
        }
        self.missing = true;
        self.ahead.entry(entry.seq).or_insert(entry);
        if self.ahead.len() > MAX_AHEAD {
            self.ahead.pop_last();
        }
    }

    /// What I can see of the log begins after this place: what is before it will never come.
    pub(super) fn begin_after(&mut self, place: Seq, now: Instant, deliver: &mut Vec<Entry>) {
        if place > self.cursor {
            self.cursor = place;
            self.take_ahead(now, deliver);
        }
    }

    fn take_ahead(&mut self, now: Instant, deliver: &mut Vec<Entry>) {
        while let Some(first) = self.ahead.first_entry() {
            if *first.key() > self.cursor.saturating_add(1) {
                break;
            }
            let entry = first.remove();
            if entry.seq > self.cursor {
                self.advance(entry, deliver);
            }
        }
        self.watch_for_overdue(now);
    }

    fn advance(&mut self, entry: Entry, deliver: &mut Vec<Entry>) {
        self.cursor = entry.seq;
        self.failures = 0;
        deliver.push(entry);
    }

    /// The log is known to reach this far.
    pub(super) fn expect(&mut self, head: Seq, now: Instant) {
        if head > self.expected {
            self.expected = head;
            if self.overdue_at.is_none() {
                self.watch_for_overdue(now);
            }
        }
    }

    fn watch_for_overdue(&mut self, now: Instant) {
        self.overdue_at = (self.expected > self.cursor).then(|| now + OVERDUE);
    }

    /// What the server keeps from us must be fetched before it is joined again.
    pub(super) fn fetch_then_join(&mut self) {
        self.stage = Stage::Apart;
        self.missing = true;
    }

    /// Looks at the clock: an overdue entry counts as missing.
    pub(super) fn check_overdue(&mut self, now: Instant) {
        if self.overdue_at.is_some_and(|at| at <= now) {
            self.overdue_at = None;
            self.missing |= self.expected > self.cursor;
        }
    }

    /// Whether a fetch should begin now.
    pub(super) fn wants_page(&self, now: Instant) -> bool {
        self.missing && self.paging.is_none() && !self.held(now)
    }

    /// Whether a join should be asked for now.
    pub(super) fn wants_join(&self, now: Instant) -> bool {
        self.stage == Stage::Apart && !self.missing && !self.held(now)
    }

    fn held(&self, now: Instant) -> bool {
        self.hold.is_some_and(|until| now < until)
    }

    /// Takes a fetched page. It has no hole, so that where it begins later than was asked, the log does.
    pub(super) fn page(&mut self, page: Events, now: Instant, deliver: &mut Vec<Entry>) {
        self.paging = None;
        let before = self.cursor;
        if let Some(first) = page.items.first() {
            self.begin_after(first.seq.saturating_sub(1), now, deliver);
        }
        for entry in page.items {
            self.take(entry, now, deliver);
        }
        self.expected = self.expected.max(page.head_seq);
        self.missing = self.cursor < page.head_seq || !self.ahead.is_empty();
        if self.missing && self.cursor == before {
            self.postpone(now, None);
        }
    }

    /// Something failed that may succeed later.
    pub(super) fn postpone(&mut self, now: Instant, after: Option<Duration>) {
        let wait = Duration::from_millis(500).saturating_mul(1 << self.failures.min(6));
        self.failures = self.failures.saturating_add(1);
        self.hold = Some(now + after.unwrap_or(wait));
    }

    /// What is left when the connection is lost: the cursor.
    pub(super) fn disconnected(&mut self) {
        *self = Self::new(self.cursor);
    }

    /// When something may have to be done if nothing arrives.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let wanted = self.missing || self.stage == Stage::Apart;
        let held = self.hold.filter(|_| wanted && self.paging.is_none());
        held.into_iter().chain(self.overdue_at).min()
    }
}
