//! Up to where this device has each log: the highest place of each, told at most once a second.

use std::time::{Duration, Instant};

use crate::{
    model::{ConversationId, Seq},
    source::HashMap,
};

/// Deliveries are told in conversations of at most so many members.
pub(super) const MAX_MEMBERS: u64 = 50;

const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Deliveries(HashMap<ConversationId, Mark>);

#[derive(Debug, Default)]
struct Mark {
    wanted: Seq,
    told: Seq,
    under_way: Option<Seq>,
    not_before: Option<Instant>,
}

impl Mark {
    fn is_due(&self) -> bool {
        self.under_way.is_none() && self.wanted > self.told
    }
}

impl Deliveries {
    pub(super) fn want(&mut self, conversation: ConversationId, seq: Seq) {
        let mark = self.0.entry(conversation).or_default();
        mark.wanted = mark.wanted.max(seq);
    }

    /// A place to be told now.
    pub(super) fn next(&self, now: Instant) -> Option<(ConversationId, Seq)> {
        let (id, mark) = self
            .0
            .iter()
            .find(|(_, mark)| mark.is_due() && mark.not_before.is_none_or(|at| at <= now))?;
        Some((*id, mark.wanted))
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        let due = self.0.values().filter(|mark| mark.is_due());
        due.filter_map(|mark| mark.not_before).min()
    }

    pub(super) fn started(&mut self, conversation: ConversationId, seq: Seq, now: Instant) {
        if let Some(mark) = self.0.get_mut(&conversation) {
            mark.under_way = Some(seq);
            mark.not_before = Some(now + INTERVAL);
        }
    }

    /// It was accepted, or refused for good.
    pub(super) fn finished(&mut self, conversation: ConversationId) {
        if let Some(mark) = self.0.get_mut(&conversation)
            && let Some(seq) = mark.under_way.take()
        {
            mark.told = mark.told.max(seq);
        }
    }

    pub(super) fn postponed(&mut self, conversation: ConversationId, until: Instant) {
        if let Some(mark) = self.0.get_mut(&conversation) {
            mark.under_way = None;
            mark.not_before = Some(until);
        }
    }

    pub(super) fn disconnected(&mut self) {
        for mark in self.0.values_mut() {
            mark.under_way = None;
            mark.not_before = None;
        }
    }

    pub(super) fn forget(&mut self, conversation: ConversationId) {
        self.0.remove(&conversation);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
