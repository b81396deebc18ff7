//! Whether a user is there, and what they let others know of it.

use serde::{Deserialize, Serialize};

use super::{Timestamp, UserId};

/// How available a user is to others; of several devices, the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// No device is connected, or the user is invisible.
    Offline,
    /// Devices are connected, but nobody sits at one.
    Idle,
    /// Somebody is there.
    Online,
    /// Somebody is there and does not want to be disturbed.
    Dnd,
}

/// A user's status as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Presence {
    /// Whose.
    pub user_id: UserId,
    /// What.
    pub status: Status,
    /// When they were last connected; absent while they are, and for those who never were.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub last_seen_at: Option<Timestamp>,
}

/// How a device wants its user to be seen: `set_presence`.
///
/// `Idle` is the device's own: it says that nobody sits there, and `Online` takes it back. The others are the user's, on all
/// devices and for as long as nothing else is said: `Dnd`, `Invisible`, and `Online` from a device that is not idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// As somebody who is there.
    #[default]
    Online,
    /// As somebody who is not at this device now.
    Idle,
    /// As somebody who does not want to be disturbed.
    Dnd,
    /// Exactly as somebody who is offline.
    Invisible,
}

/// Of the ways to be seen, those that a user can settle on.
#[cfg(feature = "openapi")]
pub(crate) fn lasting_availability() -> utoipa::openapi::schema::Object {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .description(Some("How I am seen while I am connected."))
        .enum_values(Some(["online", "dnd", "invisible"]))
        .build()
}
