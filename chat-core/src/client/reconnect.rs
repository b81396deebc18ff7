//! When to try again: full jitter under a bound that doubles.

use std::time::Duration;

use uuid::Uuid;

const FIRST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(30);

/// The waits between attempts that fail one after another.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    jitter: Jitter,
}

impl Backoff {
    pub(super) fn new(jitter: Jitter) -> Self {
        Self {
            failures: 0,
            jitter,
        }
    }

    /// The next wait: anything up to 0.5 s, 1 s, 2 s … 30 s.
    pub(super) fn next(&mut self) -> Duration {
        let bound = FIRST.saturating_mul(1 << self.failures.min(10)).min(MOST);
        self.failures = self.failures.saturating_add(1);
        self.jitter.up_to(bound)
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(super) fn jitter(&mut self) -> &mut Jitter {
        &mut self.jitter
    }
}

/// Random durations; not for secrets.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new() -> Self {
        Self::seeded(Uuid::new_v4().as_u64_pair().1)
    }

    pub(super) fn seeded(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(super) fn up_to(&mut self, bound: Duration) -> Duration {
        // xorshift64: one state word, never zero because the seed is not.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let share =
            f64::from(u32::try_from(self.0 >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        bound.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_spread_under_a_bound_that_doubles_to_thirty_seconds() {
        let mut backoff = Backoff::new(Jitter::seeded(7));
        for failures in 0..12u32 {
            let bound = Duration::from_millis(500 * 2u64.pow(failures)).min(MOST);
            let waits: Vec<_> = (0..50)
                .map(|_| {
                    backoff.failures = failures;
                    backoff.next()
                })
                .collect();
            assert!(waits.iter().all(|wait| *wait <= bound));
            assert!(waits.iter().any(|wait| *wait > bound / 2));
            assert!(waits.iter().any(|wait| *wait < bound / 2));
        }
    }

    #[test]
    fn success_starts_the_count_anew() {
        let mut backoff = Backoff::new(Jitter::seeded(7));
        for _ in 0..100 {
            backoff.next();
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
