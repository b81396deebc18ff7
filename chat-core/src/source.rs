//! Where identifiers, the time of day and the order of maps come from.
//!
//! In a normal build these are the plain calls. The unit tests of this crate replace them on a thread of their own, so that
//! a simulation that goes wrong can be run again, bit by bit.

use uuid::Uuid;

#[cfg(test)]
pub(crate) use simulated::{HashMap, HashSet, Simulated, simulate};

#[cfg(not(test))]
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V>;
#[cfg(not(test))]
pub(crate) type HashSet<T> = std::collections::HashSet<T>;

/// A new identifier (UUID version 7).
pub(crate) fn uuid() -> Uuid {
    #[cfg(test)]
    if let Some(uuid) = simulated::uuid() {
        return uuid;
    }
    Uuid::now_v7()
}

/// Milliseconds since 1970, by this machine's clock.
pub(crate) fn unix_millis() -> i64 {
    #[cfg(test)]
    if let Some(millis) = simulated::unix_millis() {
        return millis;
    }
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod simulated {
    use std::{
        cell::RefCell,
        hash::{BuildHasherDefault, DefaultHasher},
    };

    use tokio::time::Instant;
    use uuid::Uuid;

    /// Maps whose order is the same in each run.
    pub(crate) type HashMap<K, V> =
        std::collections::HashMap<K, V, BuildHasherDefault<DefaultHasher>>;
    pub(crate) type HashSet<T> = std::collections::HashSet<T, BuildHasherDefault<DefaultHasher>>;

    /// 2026-01-01.
    const EPOCH: i64 = 1_767_225_600_000;

    struct Source {
        seed: u64,
        made: u64,
        began: Instant,
        /// How far the clock on the wall is off; it jumps, and nothing may depend on it.
        skew: i64,
    }

    thread_local! {
        static SOURCE: RefCell<Option<Source>> = const { RefCell::new(None) };
    }

    /// Ends the simulated source of this thread.
    pub(crate) struct Simulated(());

    impl Simulated {
        #[expect(clippy::unused_self, reason = "only who simulates may set the clock")]
        pub(crate) fn set_skew(&self, millis: i64) {
            SOURCE.with_borrow_mut(|source| {
                if let Some(source) = source {
                    source.skew = millis;
                }
            });
        }
    }

    impl Drop for Simulated {
        fn drop(&mut self) {
            SOURCE.take();
        }
    }

    /// From here on, what this thread takes from the source depends on the seed and tokio's paused clock alone.
    pub(crate) fn simulate(seed: u64) -> Simulated {
        SOURCE.set(Some(Source {
            seed,
            made: 0,
            began: Instant::now(),
            skew: 0,
        }));
        Simulated(())
    }

    impl Source {
        fn unix_millis(&self) -> i64 {
            let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
            EPOCH + self.skew + passed
        }
    }

    pub(super) fn unix_millis() -> Option<i64> {
        SOURCE.with_borrow(|source| source.as_ref().map(Source::unix_millis))
    }

    /// Counted within the random half, so that no two are equal whatever the clock does.
    pub(super) fn uuid() -> Option<Uuid> {
        SOURCE.with_borrow_mut(|source| {
            let source = source.as_mut()?;
            source.made += 1;
            let mut random = [0; 10];
            random[..2].copy_from_slice(&source.seed.to_be_bytes()[6..]);
            random[2..].copy_from_slice(&source.made.to_be_bytes());
            let millis = u64::try_from(source.unix_millis()).ok()?;
            Some(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
        })
    }
}
