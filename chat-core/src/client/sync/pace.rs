//! What goes out goes no faster than the server allows.

use std::time::{Duration, Instant};

/// A bucket that fills at three quarters of the announced rate: the server's must not run empty because clocks differ.
#[derive(Debug)]
pub(super) struct Pace {
    tokens: f64,
    burst: f64,
    per_second: f64,
    at: Instant,
    /// Something waits for room.
    waiting: bool,
}

impl Pace {
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = (f64::from(burst) * 0.75).max(1.0);
        Self {
            tokens: burst,
            burst,
            per_second: (f64::from(per_second) * 0.75).max(0.5),
            at: now,
            waiting: false,
        }
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.at = now;
        self.waiting = self.tokens < 1.0;
        !self.waiting
    }

    /// Takes the room for one.
    pub(super) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// When there is room for what waits for it.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let lacking = (1.0 - self.tokens).max(0.0);
        let wait = Duration::from_secs_f64(lacking / self.per_second);
        self.waiting
            .then(|| self.at + wait + Duration::from_millis(1))
    }
}
