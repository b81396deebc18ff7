//! Who belongs to a conversation, and in what role.

use serde::{Deserialize, Serialize};

use super::{Profile, Seq, UserId};

/// What a member may do; see [`access`](crate::access).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
}

/// A member as shown to the other members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who they are.
    pub user: Profile,
    /// In what role.
    pub role: Role,
    /// Up to where they have read.
    pub read_seq: Seq,
}
