//! How I want to be seen: told once, but for idleness, which each connection is told anew.

use std::time::Instant;

use crate::model::Availability;

#[derive(Debug, Default)]
pub(super) struct OwnPresence {
    /// For all devices, not accepted yet.
    lasting: Option<Availability>,
    idle: bool,
    /// This connection was told of being idle.
    told_idle: bool,
    under_way: Option<Saying>,
    hold: Option<Instant>,
}

/// What is told at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saying {
    Idle(bool),
    Lasting(Availability),
}

impl Saying {
    pub(super) fn status(self) -> Availability {
        match self {
            Self::Idle(true) => Availability::Idle,
            Self::Idle(false) => Availability::Online,
            Self::Lasting(availability) => availability,
        }
    }
}

impl OwnPresence {
    pub(super) fn want(&mut self, lasting: Option<Availability>, idle: bool) {
        self.lasting = lasting.or(self.lasting);
        self.idle = idle;
    }

    /// What to tell now.
    pub(super) fn next(&self, now: Instant) -> Option<Saying> {
        if self.under_way.is_some() || self.hold.is_some_and(|until| now < until) {
            return None;
        }
        match self.lasting {
            // Of an idle device it would only say that it is idle no more.
            Some(Availability::Online) if self.told_idle => Some(Saying::Idle(false)),
            Some(lasting) => Some(Saying::Lasting(lasting)),
            None => (self.idle != self.told_idle).then_some(Saying::Idle(self.idle)),
        }
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.hold
    }

    pub(super) fn started(&mut self, saying: Saying) {
        self.under_way = Some(saying);
    }

    /// It was accepted, or refused for good.
    pub(super) fn finished(&mut self) {
        match self.under_way.take() {
            Some(Saying::Idle(idle)) => self.told_idle = idle,
            Some(Saying::Lasting(told)) if self.lasting == Some(told) => self.lasting = None,
            Some(Saying::Lasting(_)) | None => {}
        }
    }

    pub(super) fn postponed(&mut self, until: Instant) {
        self.under_way = None;
        self.hold = Some(until);
    }

    pub(super) fn disconnected(&mut self) {
        self.under_way = None;
        self.hold = None;
        self.told_idle = false;
    }
}
