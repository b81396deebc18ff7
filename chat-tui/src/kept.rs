//! What is kept between two runs: the user's own words, and what was last heard from the server.

use chat_core::model::{ConversationId, Draft, Entry, MessageId, Profile, Row, Timestamp, UserId};
use serde::{Deserialize, Serialize};

/// What was on disk when the client started.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Who I was; without it nothing was kept.
    pub me: Option<Profile>,
    /// The conversation list.
    pub rows: Vec<Row>,
    /// Everybody who was met.
    pub people: Vec<Profile>,
    /// What is still to be sent, in order.
    pub outbox: Vec<Queued>,
    /// What stood in the composers.
    pub drafts: Vec<(ConversationId, KeptDraft)>,
}

/// A message in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Where.
    pub conversation: ConversationId,
    /// What, and under which name.
    pub draft: Draft,
    /// When it was sent.
    pub at: Timestamp,
    /// Why it was refused, if it was.
    pub refusal: Option<Refusal>,
}

/// Why a message cannot be sent as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In words.
    pub reason: String,
    /// Another try has to go by another name.
    pub needs_new_id: bool,
}

/// What stands in the composer of one conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptDraft {
    /// The text to the letter.
    pub body: String,
    /// What it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<KeptReply>,
    /// The message that it is to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editing: Option<KeptEdit>,
}

/// What a draft answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptReply {
    /// The message.
    pub id: MessageId,
    /// Who said it.
    pub sender: UserId,
    /// Its beginning.
    pub text: String,
}

/// A message that is being changed, and what was in the draft before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptEdit {
    /// The message.
    pub id: MessageId,
    /// Its text until now.
    pub was: String,
    /// The draft that comes back.
    pub draft: String,
    /// What that answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<KeptReply>,
}

impl KeptDraft {
    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body.is_empty() && self.reply_to.is_none() && self.editing.is_none()
    }
}

/// Something that was heard from the server and is worth keeping.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    /// Rows of the list that are new or changed.
    Rows {
        /// The rows.
        rows: Vec<Row>,
        /// No longer in the list.
        gone: Vec<ConversationId>,
        /// `rows` is the whole list.
        snapshot: bool,
    },
    /// Entries of a log, in order.
    Entries(Vec<Entry>),
    /// People.
    People(Vec<Profile>),
    /// Who I am.
    Me(Profile),
}
