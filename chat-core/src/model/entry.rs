//! The log of a conversation: everything durable that happened in it, one entry each.

use serde::{Deserialize, Serialize};

use super::{ConversationId, Message, Role, Seq, Timestamp, UserId};

/// One thing that happened in a conversation.
///
/// On the wire this is the socket's log frame: `{"type": "new_message", "message": {…}, "conversation_id": …, "seq": …,
/// "at": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What.
    #[serde(flatten)]
    pub change: Change,
    /// Where.
    pub conversation_id: ConversationId,
    /// Its place; dense, from 1.
    pub seq: Seq,
    /// When it was accepted.
    pub at: Timestamp,
}

/// What an entry changes, whole enough to be applied without asking further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// Somebody said something.
    NewMessage {
        /// What was said.
        message: Message,
    },
    /// Somebody belongs to the conversation from here on.
    MemberJoined {
        /// Who.
        user_id: UserId,
        /// In what role.
        role: Role,
        /// Who added them.
        by: UserId,
    },
    /// Somebody no longer belongs to it.
    MemberLeft {
        /// Who.
        user_id: UserId,
        /// Who removed them; themselves when they left.
        by: UserId,
    },
    /// A member has another role.
    MemberRole {
        /// Who.
        user_id: UserId,
        /// Which.
        role: Role,
        /// Who gave it.
        by: UserId,
    },
    /// The group has another title.
    ConversationRenamed {
        /// Which.
        title: String,
        /// Who gave it.
        by: UserId,
    },
}

impl Entry {
    /// Every `type` that an entry can have on the wire.
    pub(crate) const TYPES: [&str; 5] = [
        "new_message",
        "member_joined",
        "member_left",
        "member_role",
        "conversation_renamed",
    ];

    /// The entry that a message is.
    pub(crate) fn of_message(message: &Message) -> Self {
        Self {
            conversation_id: message.conversation_id,
            seq: message.seq,
            at: message.created_at,
            change: Change::NewMessage {
                message: message.clone(),
            },
        }
    }

    /// The message, if this entry is one.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match &self.change {
            Change::NewMessage { message } => Some(message),
            _ => None,
        }
    }
}
