//! The log of a conversation: everything durable that happened in it, one entry each.

use serde::{Deserialize, Serialize};

use super::{ConversationId, History, Message, MessageId, Reaction, Role, Seq, Timestamp, UserId};

/// One thing that happened in a conversation.
///
/// On the wire this is the socket's log frame: `{"type": "new_message", "message": {…}, "conversation_id": …, "seq": …,
/// "at": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// Somebody said something.
    NewMessage {
        /// What was said.
        message: Message,
    },
    /// The text of a message was changed.
    MessageEdited {
        /// The message as it is from here on.
        message: Message,
    },
    /// A message was taken back.
    MessageDeleted {
        /// The stub that is left of it.
        message: Message,
        /// Who took it back.
        by: UserId,
    },
    /// Somebody put an emoji on a message.
    ReactionAdded {
        /// Which message.
        message_id: MessageId,
        /// Its place in the log.
        message_seq: Seq,
        /// Who.
        user_id: UserId,
        /// All reactions with this emoji as they are from here on.
        reaction: Reaction,
    },
    /// Somebody took an emoji from a message.
    ReactionRemoved {
        /// Which message.
        message_id: MessageId,
        /// Its place in the log.
        message_seq: Seq,
        /// Who.
        user_id: UserId,
        /// All reactions with this emoji as they are from here on; with the count 0 there are none.
        reaction: Reaction,
    },
    /// A message was pinned.
    MessagePinned {
        /// The message as it is from here on.
        message: Message,
        /// Who pinned it.
        by: UserId,
    },
    /// A message is no longer pinned.
    MessageUnpinned {
        /// The message as it is from here on.
        message: Message,
        /// Who took the pin away.
        by: UserId,
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
        /// They are not to be added again until the ban is lifted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        banned: bool,
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
    /// The group has another topic.
    ConversationTopic {
        /// Which; none if it was taken away.
        #[cfg_attr(feature = "openapi", schema(required = true))]
        topic: Option<String>,
        /// Who gave it.
        by: UserId,
    },
    /// Those who join from here on see another part of the history.
    ConversationHistory {
        /// Which.
        history: History,
        /// Who decided so.
        by: UserId,
    },
    /// The group is no more; nothing follows.
    ConversationDeleted {
        /// Who deleted it.
        by: UserId,
    },
    /// Something happened to a message from before the reader's history: that it did is all they are told.
    Hidden {},
}

impl Entry {
    /// Every `type` that an entry can have on the wire.
    pub const TYPES: [&str; 15] = [
        "new_message",
        "message_edited",
        "message_deleted",
        "reaction_added",
        "reaction_removed",
        "message_pinned",
        "message_unpinned",
        "member_joined",
        "member_left",
        "member_role",
        "conversation_renamed",
        "conversation_topic",
        "conversation_history",
        "conversation_deleted",
        "hidden",
    ];

    /// The entry that a message was accepted with.
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

    /// The message, if this entry is a new one.
    #[must_use]
    pub fn message(&self) -> Option<&Message> {
        match &self.change {
            Change::NewMessage { message } => Some(message),
            _ => None,
        }
    }

    /// The state of a message that this entry brings: a new one, or one that was changed.
    #[must_use]
    pub fn message_state(&self) -> Option<&Message> {
        match &self.change {
            Change::NewMessage { message }
            | Change::MessageEdited { message }
            | Change::MessageDeleted { message, .. }
            | Change::MessagePinned { message, .. }
            | Change::MessageUnpinned { message, .. } => Some(message),
            _ => None,
        }
    }

    /// The place of the earlier message that this entry changes, if it changes one.
    #[must_use]
    pub fn about(&self) -> Option<Seq> {
        match &self.change {
            Change::ReactionAdded { message_seq, .. }
            | Change::ReactionRemoved { message_seq, .. } => Some(*message_seq),
            _ => self
                .message_state()
                .map(|message| message.seq)
                .filter(|seq| *seq != self.seq),
        }
    }

    /// Brings a message that this entry is about to the state from here on; whether that changed it. A state that is as new
    /// already stays as it is, and so does any other message.
    pub fn apply_to(&self, message: &mut Message) -> bool {
        if self.seq <= message.changed_seq {
            return false;
        }
        match &self.change {
            Change::ReactionAdded {
                message_id,
                reaction,
                ..
            }
            | Change::ReactionRemoved {
                message_id,
                reaction,
                ..
            } if *message_id == message.id => {
                message.put_reaction(reaction);
                message.changed_seq = self.seq;
                true
            }
            _ => match self.message_state() {
                Some(state) if state.id == message.id => {
                    message.clone_from(state);
                    true
                }
                _ => false,
            },
        }
    }

    /// The entry as somebody reads it whose history begins at `history_from`.
    #[must_use]
    pub fn seen_from(self, history_from: Seq) -> Self {
        if self.about().is_none_or(|about| about >= history_from) {
            return self;
        }
        Self {
            change: Change::Hidden {},
            ..self
        }
    }
}
