//! Whether a user is there.

use serde::{Deserialize, Serialize};

use super::{Timestamp, UserId};

/// How available a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// No device is connected.
    Offline,
    /// At least one device is connected.
    Online,
}

/// A user's status as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Whose.
    pub user_id: UserId,
    /// What.
    pub status: Status,
    /// When they were last connected; absent while they are, and for those who never were.
    pub last_seen_at: Option<Timestamp>,
}
