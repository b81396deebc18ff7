//! Rows of a conversation list: a conversation, and what it is to me.

use serde::{Deserialize, Serialize};

use super::{Conversation, Role, Seq};

/// One conversation in one user's list.
///
/// A row replaces an older one of the same conversation when neither `conversation.head_seq` nor `me.rev` went
/// backwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Row {
    /// What everybody sees.
    pub conversation: Conversation,
    /// What only I see.
    pub me: Mine,
    /// What I have not read.
    pub unread: Unread,
}

impl Row {
    /// Whether this row may take the place of `older`: neither half is behind.
    #[must_use]
    pub fn supersedes(&self, older: &Self) -> bool {
        self.conversation.head_seq >= older.conversation.head_seq && self.me.rev >= older.me.rev
    }
}

/// The private half of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mine {
    /// My role.
    pub role: Role,
    /// Up to where I have read.
    pub read_seq: Seq,
    /// Rises with every change to this half.
    pub rev: u64,
    /// Kept on top of the list.
    pub pinned: bool,
    /// Makes no noise.
    pub muted: bool,
    /// Out of sight.
    pub archived: bool,
    /// What of it makes itself heard.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    #[serde(default)]
    pub notify: Notify,
    /// The first entry of the log that I can see; 1 for all.
    pub history_from: Seq,
}

/// What of a conversation makes itself heard, where it is not muted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    /// Every message.
    #[default]
    All,
    /// Messages that call me by name.
    Mentions,
    /// Nothing.
    Nothing,
}

/// Changes to my own settings of a conversation; what is absent stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct MineChanges {
    /// Keep it on top of the list.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::protocol::rest::present"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub pinned: Option<bool>,
    /// Make no noise.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::protocol::rest::present"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub muted: Option<bool>,
    /// Put it out of sight.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::protocol::rest::present"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub archived: Option<bool>,
    /// What makes itself heard.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::protocol::rest::present"
    )]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub notify: Option<Notify>,
}

/// How much I have not read: messages after my cursor that are not mine and not deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unread {
    /// How many; exact up to [`Unread::CAP`].
    pub count: u64,
    /// There are more than `count` says.
    pub capped: bool,
    /// How many of them call me by name.
    pub mentions: u64,
}

impl Unread {
    /// Counting stops here.
    pub const CAP: u64 = 1_000;

    /// From the number of unread messages found by a count that may have stopped after `CAP + 1`.
    #[must_use]
    pub fn from_count(found: u64, mentions: u64) -> Self {
        Self {
            count: found.min(Self::CAP),
            capped: found > Self::CAP,
            mentions,
        }
    }
}
