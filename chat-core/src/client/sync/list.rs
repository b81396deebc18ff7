//! The conversation list: read whole once, then kept current by what changed.

use std::collections::hash_map;

use super::{Call, CallId, Event};
use crate::{
    model::{ConversationId, Row, Seq},
    protocol::rest::{Page, RowChanges},
    source::{HashMap, HashSet},
};

/// The most rows that are named in one question for changes; a longer list is read whole again.
const MAX_KNOWN: usize = 1_000;

/// What the application was told of the list: enough to tell older from newer.
#[derive(Debug, Default)]
pub(super) struct List {
    known: HashMap<ConversationId, Known>,
    /// The application has the whole list.
    whole: bool,
    /// Two rows were seen of which neither is newer than the other, or one that may be gone: ask for the changes once more.
    doubt: bool,
    reading: Option<Reading>,
}

/// What is kept of a row.
#[derive(Clone, Copy, Debug)]
struct Known {
    head_seq: Seq,
    rev: u64,
    read_seq: Seq,
    member_count: u64,
}

impl From<&Row> for Known {
    fn from(row: &Row) -> Self {
        Self {
            head_seq: row.conversation.head_seq,
            rev: row.me.rev,
            read_seq: row.me.read_seq,
            member_count: row.conversation.member_count,
        }
    }
}

#[derive(Debug)]
struct Reading {
    call: CallId,
    what: What,
    /// Conversations that were told live since this began. Whatever was read of them is older, or is told live too.
    updated: HashSet<ConversationId>,
    removed: HashSet<ConversationId>,
}

#[derive(Debug)]
enum What {
    Whole(Rows),
    Changes,
}

/// Rows in the order in which they were first seen.
#[derive(Debug, Default)]
struct Rows {
    rows: Vec<Option<Row>>,
    places: HashMap<ConversationId, usize>,
}

impl Rows {
    fn put(&mut self, row: Row) {
        match self.places.entry(row.conversation.id) {
            hash_map::Entry::Vacant(place) => {
                place.insert(self.rows.len());
                self.rows.push(Some(row));
            }
            hash_map::Entry::Occupied(place) => {
                if let Some(held) = self.rows.get_mut(*place.get())
                    && held.as_ref().is_none_or(|held| row.supersedes(held))
                {
                    *held = Some(row);
                }
            }
        }
    }

    fn remove(&mut self, id: ConversationId) {
        if let Some(held) = self.places.get(&id).and_then(|at| self.rows.get_mut(*at)) {
            *held = None;
        }
    }
}

/// What follows from an answer.
#[derive(Debug)]
pub(super) enum Step {
    /// Not an answer to the present question.
    Stale,
    /// There is more to read.
    More(Call),
    /// Done; this is new, if anything is.
    Done(Option<Event>),
}

impl List {
    /// Begins to read what is new.
    pub(super) fn read(&mut self, call: CallId) -> Call {
        self.doubt = false;
        let whole = !self.whole || self.known.len() > MAX_KNOWN;
        self.reading = Some(Reading {
            call,
            what: if whole {
                What::Whole(Rows::default())
            } else {
                What::Changes
            },
            updated: HashSet::default(),
            removed: HashSet::default(),
        });
        if whole {
            return Call::Page { cursor: None };
        }
        let known = self
            .known
            .iter()
            .map(|(id, known)| (*id, known.head_seq, known.rev));
        Call::Changes(known.collect())
    }

    /// The server will not let this one be followed. Is it still in the list? The news of its end may be lost.
    pub(super) fn question(&mut self, id: ConversationId) {
        self.doubt |= self.known.contains_key(&id);
    }

    /// Whether it should be read once more.
    pub(super) fn in_doubt(&self) -> bool {
        self.doubt && self.reading.is_none()
    }

    /// Whether this is the question under way.
    pub(super) fn awaits(&self, call: CallId) -> bool {
        self.reading
            .as_ref()
            .is_some_and(|reading| reading.call == call)
    }

    pub(super) fn page(&mut self, call: CallId, next_call: CallId, page: Page<Row>) -> Step {
        let Some(reading) = self.reading.as_mut().filter(|reading| reading.call == call) else {
            return Step::Stale;
        };
        let What::Whole(rows) = &mut reading.what else {
            return Step::Stale;
        };
        for row in page.items {
            if !reading.removed.contains(&row.conversation.id) {
                rows.put(row);
            }
        }
        if let Some(cursor) = page.next_cursor {
            reading.call = next_call;
            let cursor = Some(cursor);
            return Step::More(Call::Page { cursor });
        }
        let rows: Vec<Row> = std::mem::take(&mut rows.rows)
            .into_iter()
            .flatten()
            .collect();
        self.reading = None;
        self.whole = true;
        self.known = rows
            .iter()
            .map(|row| (row.conversation.id, row.into()))
            .collect();
        Step::Done(Some(Event::Rows {
            rows,
            gone: Vec::new(),
            snapshot: true,
        }))
    }

    pub(super) fn changes(&mut self, call: CallId, changes: RowChanges) -> Step {
        if !self.awaits(call) {
            return Step::Stale;
        }
        let Some(reading) = self.reading.take() else {
            return Step::Stale;
        };
        let mut rows = Vec::new();
        for row in changes.rows {
            if !reading.removed.contains(&row.conversation.id) && self.accept(&row) {
                rows.push(row);
            }
        }
        let mut gone = Vec::new();
        for id in changes.gone {
            if !reading.updated.contains(&id) && self.known.remove(&id).is_some() {
                gone.push(id);
            }
        }
        let news = !rows.is_empty() || !gone.is_empty();
        Step::Done(news.then_some(Event::Rows {
            rows,
            gone,
            snapshot: false,
        }))
    }

    /// A row that was sent live.
    pub(super) fn updated(&mut self, row: Row) -> Option<Event> {
        if let Some(reading) = &mut self.reading {
            reading.updated.insert(row.conversation.id);
            // A page read before the removal is told apart from this row by its lower `head_seq` or `rev`.
            reading.removed.remove(&row.conversation.id);
            if let What::Whole(rows) = &mut reading.what {
                rows.put(row);
                return None;
            }
        }
        if !self.whole || !self.accept(&row) {
            return None;
        }
        Some(Event::Rows {
            rows: vec![row],
            gone: Vec::new(),
            snapshot: false,
        })
    }

    /// A removal that was sent live.
    pub(super) fn removed(&mut self, id: ConversationId) -> Option<Event> {
        if let Some(reading) = &mut self.reading {
            reading.updated.remove(&id);
            reading.removed.insert(id);
            if let What::Whole(rows) = &mut reading.what {
                rows.remove(id);
                return None;
            }
        }
        self.known.remove(&id)?;
        Some(Event::Rows {
            rows: Vec::new(),
            gone: vec![id],
            snapshot: false,
        })
    }

    /// The connection is lost, and with it what was being read.
    pub(super) fn disconnected(&mut self) {
        self.reading = None;
        self.doubt = false;
    }

    /// The server cannot say what changed: the next reading is of the whole list.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Up to where I have read, by the newest row.
    pub(super) fn read_seq(&self, id: ConversationId) -> Option<Seq> {
        self.known.get(&id).map(|known| known.read_seq)
    }

    /// How many belong to a conversation, by the newest row.
    pub(super) fn member_count(&self, id: ConversationId) -> Option<u64> {
        self.known.get(&id).map(|known| known.member_count)
    }

    fn accept(&mut self, row: &Row) -> bool {
        let new = Known::from(row);
        match self.known.entry(row.conversation.id) {
            hash_map::Entry::Vacant(unknown) => {
                unknown.insert(new);
                true
            }
            hash_map::Entry::Occupied(mut known) => {
                let old = *known.get();
                let newer = new.head_seq >= old.head_seq && new.rev >= old.rev;
                if newer {
                    known.insert(new);
                } else if new.head_seq > old.head_seq || new.rev > old.rev {
                    self.doubt = true;
                }
                newer
            }
        }
    }
}
