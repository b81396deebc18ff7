//! What other people see of a user.

use serde::{Deserialize, Serialize};

use super::{Presence, UserId};

/// The public face of a user, as the [`Directory`](crate::Directory) tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Who.
    pub id: UserId,
    /// The unique name they are found by.
    pub username: String,
    /// The name they are shown by.
    pub display_name: String,
    /// Whether they are there, where the asker may know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence: Option<Presence>,
}
