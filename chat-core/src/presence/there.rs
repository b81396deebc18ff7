//! One user on this node: their devices, and what others see of them.

use tokio::time::Instant;

use crate::model::{Availability, Settings, Status, Timestamp};

/// Somebody who is there, or whose grace has not run out.
#[derive(Debug)]
pub(super) struct There {
    sessions: usize,
    /// At how many of them nobody sits.
    idle: usize,
    lingering: Option<Lingering>,
    pub(super) settings: Settings,
}

/// A session broke off, and may be back.
#[derive(Clone, Copy, Debug)]
struct Lingering {
    since: Timestamp,
    until: Instant,
    idle: bool,
}

impl There {
    /// Nobody yet: the first session is to be added.
    pub(super) const fn new(settings: Settings) -> Self {
        Self {
            sessions: 0,
            idle: 0,
            lingering: None,
            settings,
        }
    }

    pub(super) fn status(&self) -> Status {
        let present = self.sessions > self.idle || self.lingering.is_some_and(|it| !it.idle);
        match self.settings.availability {
            Availability::Invisible => Status::Offline,
            _ if self.is_gone() => Status::Offline,
            Availability::Dnd => Status::Dnd,
            _ if present => Status::Online,
            _ => Status::Idle,
        }
    }

    pub(super) const fn is_gone(&self) -> bool {
        self.sessions == 0 && self.lingering.is_none()
    }

    /// Whether a device is connected, and others may know it.
    pub(super) fn is_seen(&self) -> bool {
        self.sessions > 0 && self.status() != Status::Offline
    }

    /// When they were last connected, if they go now.
    pub(super) fn seen_until(&self) -> Timestamp {
        let broke_off = self.lingering.filter(|_| self.sessions == 0);
        broke_off.map_or_else(Timestamp::now, |it| it.since)
    }

    pub(super) fn connect(&mut self) {
        self.sessions += 1;
        self.lingering = None;
    }

    /// A session ends with a goodbye. With the last one they are gone, whatever broke off before.
    pub(super) fn say_goodbye(&mut self, idle: bool) {
        self.end_session(idle);
        if self.sessions == 0 {
            self.lingering = None;
        }
    }

    /// A session breaks off; it counts until the grace is over.
    pub(super) fn break_off(&mut self, idle: bool, grace_ends: Instant) {
        self.end_session(idle);
        self.lingering = Some(Lingering {
            since: Timestamp::now(),
            until: grace_ends,
            idle: idle && self.lingering.is_none_or(|before| before.idle),
        });
    }

    fn end_session(&mut self, idle: bool) {
        self.sessions = self.sessions.saturating_sub(1);
        self.idle -= usize::from(idle && self.idle > 0);
    }

    /// One of the devices is idle from here on, or no longer.
    pub(super) fn set_idle(&mut self, idle: bool) {
        if idle {
            self.idle += 1;
        } else {
            self.idle = self.idle.saturating_sub(1);
        }
    }

    pub(super) fn is_grace_over(&self, now: Instant) -> bool {
        self.lingering.is_some_and(|it| it.until <= now)
    }

    pub(super) fn end_grace(&mut self) {
        self.lingering = None;
    }
}
