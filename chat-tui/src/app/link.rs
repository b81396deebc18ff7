//! The state of the connection, as it is always shown.

use chat_core::model::Timestamp;

use super::text::Plain;

/// The state of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// A connection is being made.
    #[default]
    Connecting,
    /// Everything on the screen is up to date.
    Online,
    /// Not connected.
    Waiting {
        /// When the next try is.
        until: Timestamp,
        /// What went wrong.
        reason: Plain,
    },
}

impl LinkState {
    /// Whether presence and the like can be vouched for.
    #[must_use]
    pub fn is_online(&self) -> bool {
        *self == Self::Online
    }
}

/// Whole seconds until then, at least 0.
#[must_use]
pub fn seconds_until(until: Timestamp, now: Timestamp) -> i64 {
    let millis = until.as_millis().saturating_sub(now.as_millis());
    (millis.saturating_add(999) / 1_000).max(0)
}
