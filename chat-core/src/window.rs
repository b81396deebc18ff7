//! A contiguous stretch of encoded entries that ends at the head of a log.

use std::{collections::VecDeque, mem, sync::Arc};

use crate::{
    batch::{Batch, Chunk, OpenChunk},
    frame::Frame,
    limits::Limits,
    model::{Entry, Seq},
};

/// The most entries that readers share as one piece.
const CHUNK_ENTRIES: usize = 64;
/// The most bytes of such a piece, unless a single entry is larger.
const CHUNK_BYTES: usize = 64 * 1024;

/// The newest entries of a log, in pieces that readers share.
///
/// What is pushed becomes readable with [`seal`](Window::seal), so that entries which come together are one piece: a
/// reader then takes them with one count of a reference instead of one for each.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// The `seq` of the first entry that is kept; where none is, of the one to come. 0 is "nothing is known".
    first: Seq,
    chunks: VecDeque<Arc<Chunk>>,
    /// Entries and bytes in `chunks`.
    entries: usize,
    bytes: usize,
    /// Pushed and not yet sealed.
    open: OpenChunk,
}

/// What became of an entry that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is the new head.
    Appended,
    /// It was known already.
    Known,
    /// Entries before it are missing: they must be read from the store first.
    Gap,
}

/// Where a reader stands after reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// At the head.
    Current,
    /// The budget is used up, there is more.
    More,
    /// The window no longer reaches back to the cursor: the store has what comes next.
    Behind,
}

impl Window {
    /// An empty window on a log whose newest entry is `head`.
    pub(crate) fn starting_after(head: Seq) -> Self {
        Self {
            first: head + 1,
            ..Self::default()
        }
    }

    /// The newest entry known here; `None` before the first was seen.
    pub(crate) fn head(&self) -> Option<Seq> {
        (self.first > 0).then(|| self.first + (self.entries + self.open.len()) as Seq - 1)
    }

    /// Takes an entry, if it is the next one.
    pub(crate) fn push(&mut self, entry: &Entry, frame: Frame, limits: &Limits) -> Pushed {
        let seq = entry.seq;
        match self.head() {
            None => self.first = seq,
            Some(head) if seq <= head => return Pushed::Known,
            Some(head) if seq > head + 1 => return Pushed::Gap,
            Some(_) => {}
        }
        let size = frame.json().len();
        let full = self.open.len() >= CHUNK_ENTRIES.min(limits.window_entries);
        if full || (self.open.bytes() + size > CHUNK_BYTES && self.open.len() > 0) {
            self.seal(limits);
        }
        self.open.push(entry, frame);
        Pushed::Appended
    }

    /// Makes what was pushed readable, and lets go of the oldest where it is too much.
    pub(crate) fn seal(&mut self, limits: &Limits) {
        if self.open.len() > 0 {
            let first = self.first + self.entries as Seq;
            let chunk = mem::take(&mut self.open).seal(first);
            self.entries += chunk.frames().len();
            self.bytes += chunk.bytes();
            self.chunks.push_back(Arc::new(chunk));
        }
        while self.entries > limits.window_entries || self.bytes > limits.window_bytes {
            let Some(oldest) = self.chunks.pop_front() else {
                break;
            };
            self.first += oldest.frames().len() as Seq;
            self.entries -= oldest.frames().len();
            self.bytes -= oldest.bytes();
        }
    }

    /// Adds what comes after `cursor` to the batch, up to the budget and as it is seen from `history_from` on, and moves the
    /// cursor.
    pub(crate) fn read(
        &self,
        cursor: &mut Seq,
        history_from: Seq,
        budget: &mut Budget,
        batch: &mut Batch,
    ) -> Reading {
        let readable = self.first + self.entries as Seq;
        if self.first == 0 || *cursor >= readable - 1 {
            return Reading::Current;
        }
        if *cursor + 1 < self.first {
            return Reading::Behind;
        }
        // Most readers are near the head, so the search begins there.
        let newer = self
            .chunks
            .iter()
            .rev()
            .take_while(|chunk| chunk.first() > *cursor + 1)
            .count();
        for chunk in self.chunks.range(self.chunks.len() - newer - 1..) {
            let from = usize::try_from(*cursor + 1 - chunk.first()).unwrap_or(usize::MAX);
            let taken = budget.take(chunk, from);
            if taken > 0 {
                batch.share(chunk, from..from + taken, history_from);
                *cursor += taken as Seq;
            }
            if from + taken < chunk.frames().len() {
                return Reading::More;
            }
        }
        Reading::Current
    }
}

/// How much one batch may still hold: always at least one frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    bytes: usize,
    untouched: bool,
}

impl Budget {
    pub(crate) const fn of_bytes(bytes: usize) -> Self {
        Self {
            bytes,
            untouched: true,
        }
    }

    /// How many frames of the chunk may be taken from this place on.
    fn take(&mut self, chunk: &Chunk, from: usize) -> usize {
        if chunk.bytes() <= self.bytes {
            self.bytes -= chunk.bytes();
            self.untouched = false;
            return chunk.frames().len() - from;
        }
        let fits = |frame: &&Frame| {
            let size = frame.json().len();
            let fits = size <= self.bytes || self.untouched;
            if fits {
                self.bytes = self.bytes.saturating_sub(size);
                self.untouched = false;
            }
            fits
        };
        chunk.frames()[from..].iter().take_while(fits).count()
    }
}
