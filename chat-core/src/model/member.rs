//! Who belongs to a conversation, and in what role.

use serde::{Deserialize, Serialize};

use super::{Profile, Seq, UserId};

/// What a member may do; see [`access`](crate::access).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads, writes, leaves.
    Member,
    /// Also adds and removes members and changes the title.
    Admin,
    /// Also appoints and dismisses admins and owners.
    Owner,
}

/// One user's place in one conversation, as the store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Who.
    pub user_id: UserId,
    /// In what role.
    pub role: Role,
    /// Up to where they have read.
    pub read_seq: Seq,
    /// Up to where others are told that they have read: never behind what they were told before, and it stays where it is
    /// while they read privately.
    pub shown_seq: Seq,
    /// Up to where a device of theirs has the log; never before `shown_seq`.
    pub delivered_seq: Seq,
    /// The first entry that they can see.
    pub history_from: Seq,
}

/// A member as shown to the other members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// Who they are.
    pub user: Profile,
    /// In what role.
    pub role: Role,
    /// Up to where they have read, as far as they tell.
    pub read_seq: Seq,
    /// Up to where a device of theirs has the log.
    pub delivered_seq: Seq,
}
