//! What other people see of a user.

use serde::{Deserialize, Serialize};

use super::{Availability, Presence, UserId};

/// The public face of a user, as the [`Directory`](crate::Directory) tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// What a user lets others know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// Others are told up to where I have read.
    pub read_receipts: bool,
    /// Others are told when I type.
    pub typing: bool,
    /// How I am seen while I am connected; never `idle`, which is a device's.
    #[cfg_attr(
        feature = "openapi",
        schema(schema_with = super::lasting_availability)
    )]
    pub availability: Availability,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            read_receipts: true,
            typing: true,
            availability: Availability::Online,
        }
    }
}
