//! Messages: what a sender hands in, and what everyone reads.

use serde::{Deserialize, Serialize};

use super::{ClientId, ConversationId, MessageId, Seq, Timestamp, UserId};

/// A message that is not accepted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The sender's name for this send; the same one again is the same send.
    pub client_id: ClientId,
    /// The text, stored and returned to the letter.
    pub body: String,
    /// The message of the same conversation that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
}

/// A message in its present state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its name for ever.
    pub id: MessageId,
    /// Where it was said.
    pub conversation_id: ConversationId,
    /// Its place in the log of the conversation.
    pub seq: Seq,
    /// Who said it.
    pub sender_id: UserId,
    /// The sender's own name for it.
    pub client_id: ClientId,
    /// What was said.
    pub body: String,
    /// What it answers.
    pub reply_to: Option<MessageId>,
    /// Who is called by name in it.
    #[serde(default)]
    pub mentions: Vec<UserId>,
    /// What people put on it.
    #[serde(default)]
    pub reactions: Vec<Reaction>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its text was last changed.
    pub edited_at: Option<Timestamp>,
    /// When it was taken back; its body is then empty.
    pub deleted_at: Option<Timestamp>,
}

/// One emoji on a message, and who put it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// Which.
    pub emoji: String,
    /// By how many.
    pub count: u64,
    /// By whom, the first few.
    pub user_ids: Vec<UserId>,
}
