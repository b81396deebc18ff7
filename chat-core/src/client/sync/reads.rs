//! My read cursors: what becomes of each, told at most once a second.

use std::time::{Duration, Instant};

use crate::{
    client::wants::ReadMove,
    model::{ConversationId, Seq},
    source::HashMap,
};

const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Reads(HashMap<ConversationId, Mark>);

#[derive(Debug, Default)]
struct Mark {
    wanted: Option<ReadMove>,
    under_way: Option<ReadMove>,
    not_before: Option<Instant>,
    /// It was set back on this connection: a row may still tell of the cursor before that.
    set_back: bool,
}

/// One command of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadStep {
    pub(super) seq: Seq,
    pub(super) unread: bool,
}

impl From<ReadStep> for ReadMove {
    fn from(step: ReadStep) -> Self {
        if step.unread {
            Self::back(step.seq)
        } else {
            Self::forward(step.seq)
        }
    }
}

impl Mark {
    fn is_due(&self) -> bool {
        self.under_way.is_none() && self.wanted.is_some()
    }

    fn step(&self) -> Option<ReadStep> {
        let wanted = self.wanted?;
        Some(match wanted.back {
            Some(seq) => ReadStep { seq, unread: true },
            None => ReadStep {
                seq: wanted.forward,
                unread: false,
            },
        })
    }

    fn start(&mut self, step: ReadStep) {
        let forward = self.wanted.map_or(0, |wanted| wanted.forward);
        self.under_way = Some(step.into());
        self.wanted = (step.unread && forward > 0).then(|| ReadMove::forward(forward));
        self.set_back |= step.unread;
    }

    /// What was under way is to be done again, before all else.
    fn halt(&mut self) {
        if let Some(first) = self.under_way.take() {
            self.wanted = Some(self.wanted.map_or(first, |wanted| first.then(wanted)));
        }
    }
}

impl Reads {
    /// `read_seq` is where the cursor is by the newest row.
    pub(super) fn want(
        &mut self,
        conversation: ConversationId,
        wanted: ReadMove,
        read_seq: Option<Seq>,
    ) {
        let mark = self.0.entry(conversation).or_default();
        let idle = mark.wanted.is_none() && mark.under_way.is_none() && !mark.set_back;
        if idle && wanted.back.is_none() && read_seq.is_some_and(|at| at >= wanted.forward) {
            return;
        }
        mark.wanted = Some(mark.wanted.map_or(wanted, |earlier| earlier.then(wanted)));
    }

    /// A command to be told now.
    pub(super) fn next(&self, now: Instant) -> Option<(ConversationId, ReadStep)> {
        let (id, mark) = self
            .0
            .iter()
            .find(|(_, mark)| mark.is_due() && mark.not_before.is_none_or(|at| at <= now))?;
        Some((*id, mark.step()?))
    }

    /// A command that was not told yet, whatever the time.
    pub(super) fn untold(&mut self) -> Option<(ConversationId, ReadStep)> {
        let (id, mark) = self.0.iter_mut().find(|(_, mark)| mark.wanted.is_some())?;
        mark.under_way = None;
        Some((*id, mark.step()?))
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        let due = self.0.values().filter(|mark| mark.is_due());
        due.filter_map(|mark| mark.not_before).min()
    }

    pub(super) fn started(&mut self, conversation: ConversationId, step: ReadStep, now: Instant) {
        if let Some(mark) = self.0.get_mut(&conversation) {
            mark.start(step);
            mark.not_before = Some(now + INTERVAL);
        }
    }

    /// It was accepted, or refused for good.
    pub(super) fn finished(&mut self, conversation: ConversationId) {
        if let Some(mark) = self.0.get_mut(&conversation) {
            mark.under_way = None;
        }
    }

    pub(super) fn postponed(&mut self, conversation: ConversationId, until: Instant) {
        if let Some(mark) = self.0.get_mut(&conversation) {
            mark.halt();
            mark.not_before = Some(until);
        }
    }

    pub(super) fn disconnected(&mut self) {
        self.0.retain(|_, mark| {
            mark.halt();
            mark.not_before = None;
            mark.set_back = false;
            mark.wanted.is_some()
        });
    }

    pub(super) fn forget(&mut self, conversation: ConversationId) {
        self.0.remove(&conversation);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
