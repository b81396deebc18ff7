//! The rows of a session's list: which are due, looking them up, telling each at its pace.

use std::sync::Arc;

use tokio::time::Instant;

use super::Session;
use crate::{
    error::Error,
    frame::Frame,
    model::{ConversationId, Row},
    protocol::Signal,
    row_marks::RowMark,
};

/// How many rows are looked up at once.
const ROWS_AT_ONCE: usize = 50;

/// A row as it was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct ToldRow {
    /// When it was asked for.
    as_of: Instant,
    /// When a row of the same conversation may next be told.
    next: Instant,
    matters_until: Instant,
}

impl ToldRow {
    fn matters(&self, now: Instant) -> bool {
        self.matters_until > now
    }
}

/// Changed rows as the store knew them at some time; a row that is not there is gone.
pub(super) struct LookedUp {
    as_of: Instant,
    rows: Vec<(ConversationId, Option<Row>)>,
}

impl LookedUp {
    /// The store was not asked.
    pub(super) fn nothing() -> Self {
        Self {
            as_of: Instant::now(),
            rows: Vec::new(),
        }
    }
}

impl Session {
    /// Whether a row may be due: one was marked anew, or it is time for one that was held back.
    pub(super) fn are_rows_due(&self) -> bool {
        let Some(rows) = self.signals.as_ref().map(|signals| &signals.rows) else {
            return false;
        };
        let is_time = || self.rows_due.is_none_or(|due| due <= Instant::now());
        !rows.is_empty() && (rows.is_news() || is_time())
    }

    /// Looks up the changed rows whose time has come, all with one look at the store. A row that is not there is gone.
    pub(super) async fn look_up_rows(&mut self) -> Result<LookedUp, Error> {
        let as_of = Instant::now();
        let changed = self.marked_rows().filter_map(|(id, mark)| {
            let due = self.is_row_due(id, as_of) && !self.may_tell_known(id, mark);
            due.then_some(id)
        });
        let ids: Vec<_> = changed.take(ROWS_AT_ONCE).collect();
        let rows = self.engine.rows_of(self.user_id(), &ids).await?;
        let found = |id| rows.iter().find(|row| row.conversation.id == id).cloned();
        let rows = ids.into_iter().map(|id| (id, found(id))).collect();
        Ok(LookedUp { as_of, rows })
    }

    /// Whether a row is due that the store has to be asked for.
    pub(super) fn must_look_up_rows(&self) -> bool {
        let now = Instant::now();
        self.marked_rows()
            .any(|(id, mark)| self.is_row_due(id, now) && !self.may_tell_known(id, mark))
    }

    fn marked_rows(&self) -> impl Iterator<Item = (ConversationId, &RowMark)> {
        self.signals.iter().flat_map(|signals| signals.rows.iter())
    }

    fn is_row_due(&self, conversation: ConversationId, now: Instant) -> bool {
        let told = self.rows_told.get(&conversation);
        told.is_none_or(|told| told.next <= now)
    }

    /// Whether a row is known, and not from before what was told last.
    fn may_tell_known(&self, conversation: ConversationId, mark: &RowMark) -> bool {
        let told = self.rows_told.get(&conversation);
        match mark {
            RowMark::Changed => false,
            RowMark::Known { as_of, .. } => told.is_none_or(|told| told.as_of < *as_of),
        }
    }

    /// Renders the rows whose time has come.
    pub(super) fn render_rows(&mut self, looked_up: LookedUp) {
        self.rows_told
            .retain(|_, told| told.matters(looked_up.as_of));
        for (conversation_id, row) in looked_up.rows {
            self.signals().rows.remove(conversation_id);
            if let Some(row) = row {
                self.tell_row(row, looked_up.as_of);
            } else if self.is_reading_the_end_of(conversation_id) {
                // Told of with the last entry.
            } else {
                // The store knows before the entry that says so has come here.
                self.leave(conversation_id);
                self.ready
                    .push(Frame::of_signal(&Signal::ConversationRemoved {
                        conversation_id,
                    }));
            }
        }
        // After those that were looked up: what is older than these is not told beside them.
        self.render_known_rows();
        if let Some(signals) = &mut self.signals {
            signals.rows.settle_news();
        }
        self.rows_due = self.next_row_at();
    }

    /// Renders the rows whose time has come that were looked up for this session.
    fn render_known_rows(&mut self) {
        let now = Instant::now();
        let known = self.marked_rows().filter_map(|(id, mark)| {
            let due = self.is_row_due(id, now) && self.may_tell_known(id, mark);
            due.then_some(id)
        });
        let known: Vec<_> = known.collect();
        for id in known {
            if let Some(RowMark::Known {
                as_of,
                conversation,
                me,
                unread,
            }) = self.signals().rows.remove(id)
            {
                let conversation = Arc::unwrap_or_clone(conversation);
                let row = Row {
                    conversation,
                    me,
                    unread,
                };
                self.tell_row(row, as_of);
            }
        }
    }

    /// The conversation was deleted, and its last entries are on their way.
    fn is_reading_the_end_of(&self, conversation: ConversationId) -> bool {
        #[cfg(any(test, feature = "bugs"))]
        if crate::bug::active(crate::bug::Bug::LateRevocation) {
            return true;
        }
        let joined = self.joined.get(&conversation);
        joined.is_some_and(|it| it.room.is_over() && !it.is_detached())
    }

    /// Whoever was removed and added again while nothing was told does not follow any more, and has to join anew.
    fn tell_of_removal(&mut self, conversation_id: ConversationId) {
        let joined = self.joined.get(&conversation_id);
        if let Some(detached) = joined.filter(|it| it.is_detached()).cloned() {
            self.forget(&detached);
        }
        if self.removed.remove(&conversation_id) {
            self.ready
                .push(Frame::of_signal(&Signal::ConversationRemoved {
                    conversation_id,
                }));
        }
    }

    fn tell_row(&mut self, row: Row, as_of: Instant) {
        self.tell_of_removal(row.conversation.id);
        let limits = &self.engine.limits;
        let now = Instant::now();
        let told = ToldRow {
            as_of,
            next: now + limits.row_interval,
            // Nothing that is known from before can come later than the store answers, and the steps of a crowd take.
            matters_until: now + limits.row_interval.max(2 * limits.store_patience),
        };
        self.rows_told.insert(row.conversation.id, told);
        let row = Box::new(row);
        self.ready
            .push(Frame::of_signal(&Signal::ConversationUpdated { row }));
    }

    /// When the next row that is held back may be told.
    fn next_row_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let told = |id| self.rows_told.get(&id);
        self.marked_rows()
            .map(|(id, _)| told(id).map_or(now, |told| told.next))
            .min()
    }
}
