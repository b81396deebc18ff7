//! What can be done to a conversation, and what becomes of it.

use crate::model::{
    ConversationId, Draft, Emoji, Entry, History, Message, MessageId, MineChanges, Role, Seq,
    Timestamp, Title, Topic, UserId,
};

/// One change to one conversation that waits to become part of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Who does it.
    pub author: UserId,
    /// When it was accepted.
    pub at: Timestamp,
    /// What.
    pub act: Act,
}

/// What a [`Write`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Act {
    /// Makes the group, with the author as its owner; `members` join after the owner, in this order.
    CreateGroup {
        /// Its title.
        title: Title,
        /// What it is about.
        topic: Option<Topic>,
        /// What those see who join later.
        history: History,
        /// The others. The author and repetitions among them are passed over.
        members: Vec<UserId>,
    },
    /// Says something.
    Send {
        /// The name the message will have, made for it: no other message has it.
        id: MessageId,
        /// What.
        draft: Draft,
        /// Whom it calls.
        mentions: Mentions,
    },
    /// Changes the text of a message.
    EditMessage {
        /// Which.
        message_id: MessageId,
        /// The new text.
        body: String,
        /// Whom it calls now.
        mentions: Mentions,
    },
    /// Takes a message back; a stub stays in its place.
    DeleteMessage {
        /// Which.
        message_id: MessageId,
    },
    /// Puts an emoji on a message.
    React {
        /// On which.
        message_id: MessageId,
        /// Which.
        emoji: Emoji,
    },
    /// Takes the author's emoji from a message.
    Unreact {
        /// From which.
        message_id: MessageId,
        /// Which.
        emoji: Emoji,
    },
    /// Pins a message, or takes its pin away.
    Pin {
        /// Which.
        message_id: MessageId,
        /// Whether it is to be pinned.
        pinned: bool,
    },
    /// Makes somebody a member, or gives a member this role.
    PutMember {
        /// Who.
        user_id: UserId,
        /// `None`: a newcomer becomes a plain member, a member keeps the role they have.
        role: Option<Role>,
    },
    /// Ends a membership; of oneself, this is leaving.
    RemoveMember {
        /// Whose.
        user_id: UserId,
        /// They are not to be added again until this is lifted.
        ban: bool,
    },
    /// Lets somebody be added again who was banned.
    LiftBan {
        /// Whom.
        user_id: UserId,
    },
    /// Changes what a group is called and how it is; what is absent stays as it is.
    Update {
        /// Its title.
        title: Option<Title>,
        /// Its topic; `Some(None)` takes it away.
        topic: Option<Option<Topic>>,
        /// What those see who join from here on.
        history: Option<History>,
    },
    /// Ends a group for everyone.
    DeleteConversation,
    /// Changes the author's own settings of the conversation. No entry comes of it.
    UpdateMine {
        /// How.
        changes: MineChanges,
    },
    /// Moves the author's read cursor forward. No entry comes of it: it waits here so that a crowd that reads shares the
    /// transactions of those who write.
    MarkRead {
        /// To where; beyond the head means the head.
        seq: Seq,
        /// Whether others are told.
        shown: bool,
    },
    /// Sets the author's read cursor back on purpose. No entry comes of it.
    MarkUnread {
        /// To where: this is the last entry that counts as read.
        seq: Seq,
    },
    /// Notes that a device of the author has the log up to here. No entry comes of it.
    MarkDelivered {
        /// To where; beyond the head means the head.
        seq: Seq,
    },
}

impl Act {
    /// The message that this is about.
    pub(crate) fn message_id(&self) -> Option<MessageId> {
        match self {
            Self::EditMessage { message_id, .. }
            | Self::DeleteMessage { message_id }
            | Self::React { message_id, .. }
            | Self::Unreact { message_id, .. }
            | Self::Pin { message_id, .. } => Some(*message_id),
            _ => None,
        }
    }

    /// The user that this is about, the author apart.
    pub(crate) fn target(&self) -> Option<UserId> {
        match self {
            Self::PutMember { user_id, .. }
            | Self::RemoveMember { user_id, .. }
            | Self::LiftBan { user_id } => Some(*user_id),
            _ => None,
        }
    }
}

/// Whom a message calls by name, as far as its text and the directory tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Users, in the order of the text. Those who are not members, and the author, are passed over.
    pub users: Vec<UserId>,
    /// Everyone; it counts where the author is admin or owner.
    pub everyone: bool,
}

/// What became of a [`Write`] that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is in the log: these entries, ascending. Only a new group and an [`Act::Update`] can have several.
    Appended(Vec<Entry>),
    /// A send that was accepted before under the same `client_id`, with the same content: that message, as it is now.
    Repeated(Message),
    /// Where the author's cursors are now.
    Read(ReadCursor),
    /// It is done, and durable, and in no log: the author's settings, or a ban that was lifted.
    Changed,
    /// All was as asked already; nothing was appended.
    Unchanged,
}

/// The author's cursors after [`Act::MarkRead`], [`Act::MarkUnread`] or [`Act::MarkDelivered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadCursor {
    /// Where the read cursor is now.
    pub seq: Seq,
    /// Whether this moved it.
    pub moved: bool,
    /// Up to where others are now told that the author has read, if this moved it.
    pub shown: Option<Seq>,
    /// Up to where a device of the author now has the log, if this moved it.
    pub delivered: Option<Seq>,
}

/// Why a [`Write`] was not accepted. The other writes of its batch are not touched by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such conversation, or the author does not belong to it.
    #[error("no such conversation")]
    ConversationNotFound,
    /// The user that the act is about does not belong to it.
    #[error("no such member")]
    MemberNotFound,
    /// `reply_to` names no message of this conversation.
    #[error("the message replied to is not in this conversation")]
    ReplyNotFound,
    /// The author's role does not permit the act; see [`access`](crate::access).
    #[error("your role does not permit this")]
    Forbidden,
    /// Direct conversations have no titles, roles or comings and goings.
    #[error("this is not possible in a direct conversation")]
    NotInDirect,
    /// A group without an owner would remain, with other members in it.
    #[error("a group keeps at least one owner: appoint another one first")]
    LastOwner,
    /// There is no such message in this conversation, or the author cannot see it.
    #[error("no such message")]
    MessageNotFound,
    /// The message was taken back.
    #[error("the message was deleted")]
    MessageDeleted,
    /// The message has as many different emoji as it may have.
    #[error("a message takes at most 20 different emoji")]
    TooManyReactions,
    /// The user that is to be added was banned.
    #[error("this user is banned here: lift the ban first")]
    Banned,
    /// The other one of the direct conversation has blocked the author, who is not told so.
    #[error("you cannot write here")]
    Blocked,
    /// The author has blocked the other one of the direct conversation.
    #[error("you have blocked this user: unblock them first")]
    Blocking,
    /// The `client_id` was accepted before with another body or `reply_to`.
    #[error("this client_id was used for another message")]
    ClientIdReused,
}
