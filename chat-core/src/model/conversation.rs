//! Conversations as all their members see them.

use serde::{Deserialize, Serialize};

use super::{ConversationId, Message, Profile, Seq, Timestamp};

/// Between two people, or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// The one conversation of a pair of users.
    Direct,
    /// Any number of members, with a title and roles.
    Group,
}

/// How much of a conversation's history those see who join it later. It is decided when they join; what somebody can see
/// once, they see as long as they belong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// All of it.
    #[default]
    Shared,
    /// What happens from their joining on; whoever leaves and comes back begins anew.
    FromJoin,
}

/// A conversation: the half of a list row that is the same for everyone, but for the peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Conversation {
    /// Its name.
    pub id: ConversationId,
    /// Direct or group.
    pub kind: ConversationKind,
    /// The title of a group; direct conversations have none.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub title: Option<String>,
    /// What a group is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What those see who join a group later.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    #[serde(default)]
    pub history: History,
    /// In a direct conversation, the other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<Profile>,
    /// How many belong to it now.
    pub member_count: u64,
    /// The `seq` of the newest entry of its log; 0 when there is none.
    pub head_seq: Seq,
    /// The newest message that I can see; a stub if it was taken back.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub last_message: Option<Message>,
    /// When something last happened in it; lists are sorted by this.
    pub last_activity_at: Timestamp,
}

/// The title of a group: 1 to 100 characters, no control characters, not blank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Title(String);

impl Title {
    /// The longest title, in characters.
    pub const MAX_CHARS: usize = 100;

    /// The title as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Title {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err("a title needs at least one visible character");
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err("a title has at most 100 characters");
        }
        if text.chars().any(char::is_control) {
            return Err("a title has no control characters or line breaks");
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<Title> for String {
    fn from(title: Title) -> Self {
        title.0
    }
}

/// What a group is about: 1 to 500 characters, not blank, no control characters but line breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(String);

impl Topic {
    /// The longest topic, in characters.
    pub const MAX_CHARS: usize = 500;

    /// The topic as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Topic {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err("a topic needs at least one visible character; null takes it away");
        }
        if text.chars().count() > Self::MAX_CHARS {
            return Err("a topic has at most 500 characters");
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("a topic has no control characters");
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.0
    }
}
