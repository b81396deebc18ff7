//! What goes out goes no faster than the server allows.

use std::time::{Duration, Instant};

/// A bucket that fills at three quarters of the announced rate: the server's must not run empty because clocks differ.
#[derive(Debug)]
pub(super) struct Pace {
    tokens: f64,
    burst: f64,
    per_second: f64,
    at: Instant,
    /// So many are waited for.
    waiting: Option<f64>,
}

impl Pace {
    pub(super) fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = (f64::from(burst) * 0.75).max(1.0);
        Self {
            tokens: burst,
            burst,
            per_second: (f64::from(per_second) * 0.75).max(0.5),
            at: now,
            waiting: None,
        }
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        self.reaches(1.0, now)
    }

    /// Whether half of the room is free: for what can wait until nothing else needs it.
    pub(super) fn has_room_to_spare(&mut self, now: Instant) -> bool {
        self.reaches((self.burst / 2.0).max(1.0), now)
    }

    /// Nothing waits any more, until it is asked for room again.
    pub(super) fn look_anew(&mut self) {
        self.waiting = None;
    }

    fn reaches(&mut self, tokens: f64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.burst);
        self.at = now;
        let reached = self.tokens >= tokens;
        let least = self.waiting.map_or(tokens, |waiting| waiting.min(tokens));
        self.waiting = (!reached).then_some(least);
        reached
    }

    /// Takes the room for one.
    pub(super) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// When there is room for what waits for it.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let lacking = (self.waiting? - self.tokens).max(0.0);
        let wait = Duration::from_secs_f64(lacking / self.per_second);
        Some(self.at + wait + Duration::from_millis(1))
    }
}
