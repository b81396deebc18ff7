//! Where others leave marks for a session: what moved, by key, each held once.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::{
    bus::Cursors,
    model::{ConversationId, Presence, Seq, UserId},
    room::Attachment,
    row_marks::{RowMark, RowMarks},
    source::{HashMap, HashSet},
};

/// Rooms that moved. Of nearly all sessions it is one at a time, and this is looked at for each delivery.
pub(crate) type Moved = SmallVec<[Arc<Attachment>; 2]>;

/// The end of a session that others reach: they leave marks here, and the session looks.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) user_id: UserId,
    marks: Mutex<Marks>,
}

/// What moved since the session last looked.
#[derive(Debug, Default)]
struct Marks {
    moved: Moved,
    signals: Option<Box<Signals>>,
    closed: bool,
    waker: Option<Waker>,
}

/// Keys of state and ephemera that changed. Each is held once, so their number is bounded by what there is.
///
/// Other people's cursors never go back, so the furthest is the newest. One's own is what was said last.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pub(crate) rows: RowMarks,
    pub(crate) own_reads: HashMap<ConversationId, Seq>,
    pub(crate) reads: HashMap<(ConversationId, UserId), Seq>,
    pub(crate) deliveries: HashMap<(ConversationId, UserId), Seq>,
    pub(crate) presence: HashMap<UserId, Presence>,
    pub(crate) typing: HashSet<ConversationId>,
}

impl Inbox {
    pub(crate) fn new(user_id: UserId) -> Self {
        Self {
            user_id,
            marks: Mutex::default(),
        }
    }

    pub(crate) fn room_moved(&self, attachment: Arc<Attachment>) {
        self.leave_mark(|marks| marks.moved.push(attachment));
    }

    pub(crate) fn row_changed(&self, conversation: ConversationId) {
        self.mark_row(conversation, RowMark::Changed);
    }

    pub(crate) fn mark_row(&self, conversation: ConversationId, mark: RowMark) {
        self.leave_mark(|marks| marks.signals().rows.mark(conversation, mark));
    }

    /// The user's own read cursor moved forward.
    pub(crate) fn own_read_moved(&self, conversation: ConversationId, seq: Seq) {
        self.leave_mark(|marks| {
            marks.signals().own_reads.insert(conversation, seq);
        });
    }

    /// Cursors of another member moved.
    pub(crate) fn cursors_moved(
        &self,
        conversation: ConversationId,
        user: UserId,
        cursors: Cursors,
    ) {
        self.leave_mark(|marks| marks.signals().note_cursors(conversation, user, cursors));
    }

    pub(crate) fn presence_changed(&self, presence: Presence) {
        self.leave_mark(|marks| {
            marks.signals().presence.insert(presence.user_id, presence);
        });
    }

    pub(crate) fn typing_changed(&self, conversation: ConversationId) {
        self.leave_mark(|marks| {
            marks.signals().typing.insert(conversation);
        });
    }

    pub(crate) fn close(&self) {
        self.leave_mark(|marks| marks.closed = true);
    }

    /// Moves what was marked to where the session looks; whether it was told that this was all. The next mark wakes `waker`,
    /// if there is one.
    pub(crate) fn take_marks(
        &self,
        moved: &mut Moved,
        signals: &mut Option<Box<Signals>>,
        waker: Option<&Waker>,
    ) -> bool {
        let mut marks = self.marks.lock();
        if let Some(waker) = waker {
            marks.wake_next(waker);
        }
        if moved.is_empty() {
            mem::swap(moved, &mut marks.moved);
        } else {
            moved.append(&mut marks.moved);
        }
        match (signals, marks.signals.take()) {
            (Some(signals), Some(newer)) => signals.merge(*newer),
            (signals, Some(newer)) => *signals = Some(newer),
            (_, None) => {}
        }
        mem::take(&mut marks.closed)
    }

    /// How many marks wait.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        let marks = self.marks.lock();
        marks.moved.len() + marks.signals.as_ref().map_or(0, |signals| signals.len())
    }

    /// Ready when something is marked; else the task is woken by the next mark.
    pub(crate) fn poll_marked(&self, context: &Context<'_>) -> Poll<()> {
        let mut marks = self.marks.lock();
        if !marks.is_empty() {
            return Poll::Ready(());
        }
        marks.wake_next(context.waker());
        Poll::Pending
    }

    /// Leaves a mark and wakes the session, if it sleeps.
    fn leave_mark(&self, mark: impl FnOnce(&mut Marks)) {
        let waker = {
            let mut marks = self.marks.lock();
            mark(&mut marks);
            marks.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Marks {
    fn wake_next(&mut self, whom: &Waker) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(whom),
            none => *none = Some(whom.clone()),
        }
    }

    fn signals(&mut self) -> &mut Signals {
        self.signals.get_or_insert_default()
    }

    fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.signals.is_none() && !self.closed
    }
}

impl Signals {
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let cursors = self.own_reads.len() + self.reads.len() + self.deliveries.len();
        self.rows.len() + cursors + self.presence.len() + self.typing.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.has_others_than_rows()
    }

    pub(crate) fn has_others_than_rows(&self) -> bool {
        let no_cursors =
            self.own_reads.is_empty() && self.reads.is_empty() && self.deliveries.is_empty();
        !(no_cursors && self.presence.is_empty() && self.typing.is_empty())
    }

    /// Notes where another member's cursors are.
    pub(crate) fn note_cursors(
        &mut self,
        conversation: ConversationId,
        user: UserId,
        cursors: Cursors,
    ) {
        let key = (conversation, user);
        if let Some(seq) = cursors.shown {
            keep_furthest(&mut self.reads, key, seq);
        }
        if let Some(seq) = cursors.delivered {
            keep_furthest(&mut self.deliveries, key, seq);
        }
    }

    fn merge(&mut self, newer: Self) {
        self.rows.merge(newer.rows);
        self.own_reads.extend(newer.own_reads);
        for (key, seq) in newer.reads {
            keep_furthest(&mut self.reads, key, seq);
        }
        for (key, seq) in newer.deliveries {
            keep_furthest(&mut self.deliveries, key, seq);
        }
        self.presence.extend(newer.presence);
        self.typing.extend(newer.typing);
    }
}

type Cursor = (ConversationId, UserId);

fn keep_furthest(cursors: &mut HashMap<Cursor, Seq>, cursor: Cursor, seq: Seq) {
    let furthest = cursors.entry(cursor).or_default();
    *furthest = seq.max(*furthest);
}
