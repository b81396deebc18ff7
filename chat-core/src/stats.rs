//! Numbers for whoever operates a chat: what there is now, and what has happened since the start.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use crate::bus::BusStats;

/// What there is on this node, and what has happened on it since it was started; see [`Chat::stats`](crate::Chat::stats).
///
/// Totals only rise. The numbers are read one after the other while everything goes on, so they need not fit each other to
/// the last digit.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Sessions that are open now.
    pub sessions: u64,
    /// Users who are connected to this node now, those included whose connection broke moments ago.
    pub users: u64,
    /// Rooms that are in memory now.
    pub rooms: u64,
    /// Rooms followed by sessions now: the sum over all sessions.
    pub attachments: u64,
    /// Batches that [`Session::next`](crate::Session::next) has handed out, in total.
    pub batches: u64,
    /// Frames in these batches, in total.
    pub frames: u64,
    /// Bytes of these frames, in total.
    pub bytes: u64,
    /// Reads of the store for sessions whose cursor lay before their room's window, in total.
    pub late_reads: u64,
    /// Times that a room compared itself with the store because something might have been missed, in total.
    pub repairs: u64,
    /// What has gone over the bus between the nodes.
    pub bus: BusStats,
    /// Other nodes on the same store that are heard, or were a moment ago.
    pub nodes: u64,
    /// The bus between the nodes does not carry now, as far as this node can tell: what others say is read from the store.
    pub in_doubt: bool,
    /// Times that the bus between the nodes was found not to carry, in total.
    pub doubts: u64,
    /// Entries that other nodes told of, in total.
    pub entries_heard: u64,
    /// Those of them that concerned nobody here, in total.
    pub entries_unneeded: u64,
    /// Transactions that were committed, in total.
    pub commits: u64,
    /// Transactions that failed, or of which it is not known, in total.
    pub commit_failures: u64,
    /// Writes that were accepted in these transactions, those that changed nothing included, in total.
    pub writes_committed: u64,
    /// Writes that were refused in these transactions, in total.
    pub writes_refused: u64,
    /// Writes whose time was over before they came into a transaction, in total.
    pub writes_late: u64,
    /// How many writes the transactions held.
    pub commit_writes: Histogram,
    /// How long the transactions took, in seconds.
    pub commit_seconds: Histogram,
}

/// How often values lay where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// The upper bounds of the buckets, ascending; a value on a bound is in that bucket.
    pub bounds: &'static [f64],
    /// How many values lay in each bucket and in none before it; the last one, which has no bound, holds the rest.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: f64,
}

impl Histogram {
    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

const WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
const SECONDS: [f64; 12] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
];

/// What is counted while the engine runs.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    sessions: AtomicUsize,
    handed_out: [HandedOut; HandedOut::SHARDS],
    late_reads: AtomicU64,
    repairs: AtomicU64,
    doubts: AtomicU64,
    entries_heard: AtomicU64,
    entries_unneeded: AtomicU64,
    commits: AtomicU64,
    commit_failures: AtomicU64,
    writes_committed: AtomicU64,
    writes_refused: AtomicU64,
    writes_late: AtomicU64,
    commit_writes: Buckets<{ WRITES.len() }>,
    commit_seconds: Buckets<{ SECONDS.len() }>,
}

/// What some of the sessions were handed out. Each in a cache line of its own, for sessions run on all processors at once.
#[derive(Debug, Default)]
#[repr(align(64))]
struct HandedOut {
    batches: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
}

impl HandedOut {
    const SHARDS: usize = 16;
}

#[derive(Debug)]
struct Buckets<const BOUNDS: usize> {
    counts: [AtomicU64; BOUNDS],
    beyond: AtomicU64,
    /// In millionths.
    sum: AtomicU64,
}

impl<const BOUNDS: usize> Default for Buckets<BOUNDS> {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            beyond: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }
}

impl<const BOUNDS: usize> Buckets<BOUNDS> {
    fn add(&self, bounds: &[f64; BOUNDS], value: f64, millionths: u64) {
        let bucket = bounds.iter().position(|bound| value <= *bound);
        let count = bucket.map_or(&self.beyond, |bucket| &self.counts[bucket]);
        add(count, 1);
        add(&self.sum, millionths);
    }

    fn read(&self, bounds: &'static [f64; BOUNDS]) -> Histogram {
        let counts = self.counts.iter().chain([&self.beyond]).map(get);
        Histogram {
            bounds,
            counts: counts.collect(),
            sum: Duration::from_micros(get(&self.sum)).as_secs_f64(),
        }
    }
}

impl Counters {
    /// The number of a session that begins.
    pub(crate) fn next_session(&self) -> usize {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }

    /// A batch was handed out to the session of this number.
    pub(crate) fn handed_out(&self, session: usize, frames: usize, bytes: usize) {
        let shard = &self.handed_out[session % HandedOut::SHARDS];
        add(&shard.batches, 1);
        add(&shard.frames, frames as u64);
        add(&shard.bytes, bytes as u64);
    }

    pub(crate) fn read_late(&self) {
        add(&self.late_reads, 1);
    }

    pub(crate) fn repaired(&self) {
        add(&self.repairs, 1);
    }

    /// The bus does not carry, it seems.
    pub(crate) fn doubted(&self) {
        add(&self.doubts, 1);
    }

    /// Another node told of an entry.
    pub(crate) fn heard(&self, is_needed: bool) {
        add(&self.entries_heard, 1);
        add(&self.entries_unneeded, u64::from(!is_needed));
    }

    /// A transaction took this long.
    pub(crate) fn committed(&self, accepted: usize, refused: usize, took: Duration) {
        add(&self.commits, 1);
        add(&self.writes_committed, accepted as u64);
        add(&self.writes_refused, refused as u64);
        let writes = u32::try_from(accepted + refused).unwrap_or(u32::MAX);
        self.commit_writes
            .add(&WRITES, writes.into(), u64::from(writes) * 1_000_000);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.commit_seconds
            .add(&SECONDS, took.as_secs_f64(), micros);
    }

    pub(crate) fn commit_failed(&self) {
        add(&self.commit_failures, 1);
    }

    pub(crate) fn was_late(&self) {
        add(&self.writes_late, 1);
    }

    /// The totals; what there is now is left at 0.
    pub(crate) fn totals(&self) -> Stats {
        let handed_out = |number: fn(&HandedOut) -> &AtomicU64| {
            let shards = self.handed_out.iter().map(number);
            shards.map(get).sum()
        };
        Stats {
            batches: handed_out(|shard| &shard.batches),
            frames: handed_out(|shard| &shard.frames),
            bytes: handed_out(|shard| &shard.bytes),
            late_reads: get(&self.late_reads),
            repairs: get(&self.repairs),
            doubts: get(&self.doubts),
            entries_heard: get(&self.entries_heard),
            entries_unneeded: get(&self.entries_unneeded),
            commits: get(&self.commits),
            commit_failures: get(&self.commit_failures),
            writes_committed: get(&self.writes_committed),
            writes_refused: get(&self.writes_refused),
            writes_late: get(&self.writes_late),
            commit_writes: self.commit_writes.read(&WRITES),
            commit_seconds: self.commit_seconds.read(&SECONDS),
            ..Stats::default()
        }
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_once_where_it_lies() {
        let counters = Counters::default();
        counters.committed(1, 0, Duration::from_micros(250));
        counters.committed(2, 1, Duration::from_millis(2));
        counters.committed(300, 0, Duration::from_secs(3));
        let stats = counters.totals();
        assert_eq!(stats.commits, 3);
        assert_eq!((stats.writes_committed, stats.writes_refused), (303, 1));
        let writes = &stats.commit_writes;
        assert_eq!(writes.counts, [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert!((writes.sum - 304.0).abs() < 1e-9, "{}", writes.sum);
        let seconds = &stats.commit_seconds;
        assert_eq!(seconds.counts, [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(
            (seconds.count(), seconds.counts.len()),
            (3, seconds.bounds.len() + 1)
        );
        assert!((seconds.sum - 3.002_25).abs() < 1e-9, "{}", seconds.sum);
    }
}
