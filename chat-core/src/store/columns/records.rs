//! Entries and messages as the rows that the SQL stores make of them.

use uuid::Uuid;

use super::{
    codes::{
        CONVERSATION_DELETED, CONVERSATION_HISTORY, CONVERSATION_RENAMED, CONVERSATION_TOPIC,
        EVERYONE, MEMBER_JOINED, MEMBER_LEFT, MEMBER_ROLE, MESSAGE_DELETED, MESSAGE_EDITED,
        MESSAGE_PINNED, MESSAGE_UNPINNED, NEW_MESSAGE, REACTION_ADDED, REACTION_REMOVED,
        history_code, role_code,
    },
    number,
};
use crate::{
    model::{Change, Entry, Message, MessageId, Reaction, Timestamp, UserId},
    store::decide::{BodyDigest, StoredMessage},
};

/// An entry as a row of `chat_entries`.
pub(in crate::store) struct EntryRecord<'e> {
    pub(in crate::store) conversation_id: Uuid,
    pub(in crate::store) seq: i64,
    pub(in crate::store) kind: i64,
    pub(in crate::store) at: i64,
    pub(in crate::store) author_id: Uuid,
    pub(in crate::store) user_id: Option<Uuid>,
    pub(in crate::store) role: Option<i64>,
    /// A title or a topic.
    pub(in crate::store) title: Option<&'e str>,
    pub(in crate::store) history: Option<i64>,
    pub(in crate::store) banned: Option<bool>,
    /// The earlier message that it changes.
    pub(in crate::store) target_seq: Option<i64>,
    pub(in crate::store) emoji: Option<&'e str>,
    /// What makes it a message.
    pub(in crate::store) message: Option<MessageRecord<'e>>,
}

/// The columns of a message that can change, and those that cannot, in a row of `chat_entries`.
pub(in crate::store) struct MessageRecord<'m> {
    pub(in crate::store) conversation_id: Uuid,
    pub(in crate::store) seq: i64,
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "in SQLite, mentions are stored from the message")
    )]
    pub(in crate::store) author_id: Uuid,
    pub(in crate::store) message_id: Uuid,
    pub(in crate::store) client_id: Uuid,
    pub(in crate::store) body: &'m str,
    pub(in crate::store) reply_to: Option<Uuid>,
    pub(in crate::store) edited_at: Option<i64>,
    pub(in crate::store) deleted_at: Option<i64>,
    pub(in crate::store) pinned_at: Option<i64>,
    pub(in crate::store) changed_seq: i64,
    pub(in crate::store) sent_digest: Option<&'m [u8]>,
    /// Their ids one after the other.
    pub(in crate::store) mentions: Option<Vec<u8>>,
    pub(in crate::store) mentions_everyone: bool,
    /// JSON.
    pub(in crate::store) reactions: Option<String>,
}

impl<'e> EntryRecord<'e> {
    /// `message`: of a new message, how the batch leaves it.
    pub(in crate::store) fn new(entry: &'e Entry, message: Option<&'e StoredMessage>) -> Self {
        let change = &entry.change;
        let (kind, author) = match change {
            Change::NewMessage { message } => (NEW_MESSAGE, message.sender_id),
            Change::MessageEdited { message } => (MESSAGE_EDITED, message.sender_id),
            Change::MessageDeleted { by, .. } => (MESSAGE_DELETED, *by),
            Change::ReactionAdded { user_id, .. } => (REACTION_ADDED, *user_id),
            Change::ReactionRemoved { user_id, .. } => (REACTION_REMOVED, *user_id),
            Change::MessagePinned { by, .. } => (MESSAGE_PINNED, *by),
            Change::MessageUnpinned { by, .. } => (MESSAGE_UNPINNED, *by),
            Change::MemberJoined { by, .. } => (MEMBER_JOINED, *by),
            Change::MemberLeft { by, .. } => (MEMBER_LEFT, *by),
            Change::MemberRole { by, .. } => (MEMBER_ROLE, *by),
            Change::ConversationRenamed { by, .. } => (CONVERSATION_RENAMED, *by),
            Change::ConversationTopic { by, .. } => (CONVERSATION_TOPIC, *by),
            Change::ConversationHistory { by, .. } => (CONVERSATION_HISTORY, *by),
            Change::ConversationDeleted { by } => (CONVERSATION_DELETED, *by),
            // What is hidden from a reader is in no store.
            Change::Hidden {} => (-1, UserId::from_uuid(EVERYONE)),
        };
        let (user, role) = match *change {
            Change::MemberJoined { user_id, role, .. }
            | Change::MemberRole { user_id, role, .. } => (Some(user_id), Some(role)),
            Change::MemberLeft { user_id, .. } => (Some(user_id), None),
            _ => (None, None),
        };
        let title = match change {
            Change::ConversationRenamed { title, .. } => Some(title.as_str()),
            Change::ConversationTopic { topic, .. } => topic.as_deref(),
            _ => None,
        };
        let emoji = match change {
            Change::ReactionAdded { reaction, .. } | Change::ReactionRemoved { reaction, .. } => {
                Some(reaction.emoji.as_str())
            }
            _ => None,
        };
        Self {
            conversation_id: entry.conversation_id.as_uuid(),
            seq: number(entry.seq),
            kind,
            at: entry.at.as_millis(),
            author_id: author.as_uuid(),
            user_id: user.map(UserId::as_uuid),
            role: role.map(role_code),
            title,
            history: match *change {
                Change::ConversationHistory { history, .. } => Some(history_code(history)),
                _ => None,
            },
            banned: match *change {
                Change::MemberLeft { banned, .. } => Some(banned),
                _ => None,
            },
            target_seq: entry.about().map(number),
            emoji,
            message: message.map(MessageRecord::new),
        }
    }
}

impl<'m> MessageRecord<'m> {
    pub(in crate::store) fn new(stored: &'m StoredMessage) -> Self {
        let message = &stored.message;
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        let mentions = message.mentions.iter();
        let mentions: Vec<u8> = mentions.flat_map(|id| id.as_uuid().into_bytes()).collect();
        Self {
            conversation_id: message.conversation_id.as_uuid(),
            seq: number(message.seq),
            author_id: message.sender_id.as_uuid(),
            message_id: message.id.as_uuid(),
            client_id: message.client_id.as_uuid(),
            body: &message.body,
            reply_to: message.reply_to.map(MessageId::as_uuid),
            edited_at: millis(message.edited_at),
            deleted_at: millis(message.deleted_at),
            pinned_at: millis(message.pinned_at),
            changed_seq: number(message.changed_seq),
            sent_digest: stored.sent_digest.as_ref().map(BodyDigest::as_slice),
            mentions: Some(mentions).filter(|mentions| !mentions.is_empty()),
            mentions_everyone: message.mentions_everyone,
            reactions: json_of(&message.reactions),
        }
    }
}

/// Whom a message calls, as the rows of `chat_mentions` say it: everyone, or one by one.
pub(in crate::store) fn called_by(message: &Message) -> Vec<Uuid> {
    if message.mentions_everyone {
        return vec![EVERYONE];
    }
    message.mentions.iter().map(|id| id.as_uuid()).collect()
}

fn json_of(reactions: &[Reaction]) -> Option<String> {
    if reactions.is_empty() {
        return None;
    }
    serde_json::to_string(reactions).ok()
}
