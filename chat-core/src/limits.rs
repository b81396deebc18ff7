//! The bounds and timers of the engine.

use std::time::Duration;

/// Bounds and timers; `Limits::default()` is what the protocol promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message body, in characters.
    pub max_body_chars: usize,
    /// The most entries that a join replays; a cursor further behind is reset to the head.
    pub max_replay: usize,
    /// The most conversations one session may join.
    pub max_joined_conversations: usize,
    /// The most users one session may watch.
    pub max_watched_users: usize,
    /// Read cursors are told to the joined in conversations of up to this many members.
    pub max_members_for_reads: usize,
    /// Typing is told in conversations of up to this many members.
    pub max_members_for_typing: usize,
    /// After how long without a repeat somebody no longer types.
    pub typing_expiry: Duration,
    /// The least time between two `typing` frames of a conversation.
    pub typing_interval: Duration,
    /// The least time between two rows of the same conversation to the same session.
    pub row_interval: Duration,
    /// How long a user whose connection broke still counts as online.
    pub presence_grace: Duration,
    /// How often the last-seen time of connected users is noted, for the case that this node dies.
    pub presence_touch: Duration,
    /// The most entries a room keeps in memory.
    pub window_entries: usize,
    /// The most bytes of encoded entries a room keeps in memory.
    pub window_bytes: usize,
    /// How long a room without sessions stays in memory.
    pub room_idle: Duration,
    /// How long the store may take for anything, waiting for its turn included, before it counts as gone.
    pub store_patience: Duration,
    /// The most writes that go into one transaction.
    pub commit_batch: usize,
    /// The most writes that may wait for a transaction; beyond, callers wait.
    pub commit_queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_chars: 8_000,
            max_replay: 1_000,
            max_joined_conversations: 500,
            max_watched_users: 200,
            max_members_for_reads: 50,
            max_members_for_typing: 100,
            typing_expiry: Duration::from_secs(8),
            typing_interval: Duration::from_secs(1),
            row_interval: Duration::from_millis(250),
            presence_grace: Duration::from_secs(10),
            presence_touch: Duration::from_mins(1),
            window_entries: 1_024,
            window_bytes: 1 << 20,
            room_idle: Duration::from_mins(1),
            store_patience: Duration::from_millis(1_800),
            commit_batch: 256,
            commit_queue: 4_096,
        }
    }
}
