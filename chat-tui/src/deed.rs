//! What the user asks the server to do, beyond sending: each is done or refused as a whole.

use chat_core::model::{
    ConversationId, Emoji, History, MessageId, MineChanges, Notify, Role, SignInId, Title, Topic,
    UserId,
};
use chat_core::protocol::rest::PatchSettings;

/// One thing to be done at the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Change the text of my message.
    Edit {
        /// Where.
        conversation: ConversationId,
        /// Which.
        message: MessageId,
        /// The new text.
        body: String,
    },
    /// Take a message back.
    Delete(ConversationId, MessageId),
    /// Put an emoji on a message, or take it away.
    React {
        /// Where.
        conversation: ConversationId,
        /// Which message.
        message: MessageId,
        /// Which emoji.
        emoji: Emoji,
        /// Whether it is to be there.
        on: bool,
    },
    /// Pin a message, or take its pin away.
    Pin(ConversationId, MessageId, bool),
    /// Change what a conversation is to me.
    Mine(ConversationId, MineChanges),
    /// Give a group another title.
    Rename(ConversationId, Title),
    /// Give a group another topic, or none.
    Topic(ConversationId, Option<Topic>),
    /// Decide what those see who join later.
    History(ConversationId, History),
    /// Add these people to a group.
    Add(ConversationId, Vec<UserId>),
    /// Give a member another role.
    Role(ConversationId, UserId, Role),
    /// Remove a member, or leave.
    Remove(ConversationId, UserId),
    /// Remove somebody for good.
    Ban(ConversationId, UserId),
    /// Let somebody be added again.
    LiftBan(ConversationId, UserId),
    /// Delete a group for everyone.
    DeleteGroup(ConversationId),
    /// Block somebody, or no longer.
    Block(UserId, bool),
    /// Change what I let others know.
    Settings(PatchSettings),
    /// Change how others see me.
    RenameMe(String),
    /// Sign out on another device.
    EndSignIn(SignInId),
}

impl Deed {
    /// What did not happen when it failed.
    #[must_use]
    pub const fn undone(&self) -> &'static str {
        match self {
            Self::Delete(..) => "not deleted",
            Self::React { on: true, .. } => "no reaction",
            Self::React { on: false, .. } => "the reaction stays",
            Self::Pin(_, _, true) => "not pinned",
            Self::Pin(_, _, false) => "still pinned",
            Self::Mine(..) | Self::Settings(_) => "not set",
            Self::Rename(..) | Self::RenameMe(_) => "not renamed",
            Self::Edit { .. } | Self::Topic(..) | Self::History(..) => "not changed",
            Self::Add(..) => "not added",
            Self::Role(..) => "no other role",
            Self::Remove(..) => "not removed",
            Self::Ban(..) => "not banned",
            Self::LiftBan(..) => "still banned",
            Self::DeleteGroup(_) => "the group was not deleted",
            Self::Block(_, true) => "not blocked",
            Self::Block(_, false) => "still blocked",
            Self::EndSignIn(_) => "not signed out there",
        }
    }

    /// What to say when it is done, where nothing on the screen says so.
    #[must_use]
    pub fn done(&self) -> Option<&'static str> {
        match self {
            Self::Mine(_, changes) if changes.notify.is_some() => match changes.notify {
                Some(Notify::All) => Some("you hear of every message"),
                Some(Notify::Mentions) => Some("you hear of it when you are called by name"),
                _ => Some("you hear nothing of it"),
            },
            Self::Mine(_, changes) => match (changes.muted, changes.archived, changes.pinned) {
                (Some(true), ..) => Some("muted: it makes no noise"),
                (Some(false), ..) => Some("no longer muted"),
                (_, Some(true), _) => Some("archived: it is out of the list"),
                (_, Some(false), _) => Some("back in the list"),
                (.., Some(true)) => Some("kept on top of the list"),
                (.., Some(false)) => Some("no longer kept on top"),
                _ => None,
            },
            Self::Ban(..) => Some("banned: they cannot be added again until you lift the ban"),
            Self::LiftBan(..) => Some("the ban is lifted: they can be added again"),
            Self::Block(_, true) => Some("blocked: neither of you can write here"),
            Self::Block(_, false) => Some("no longer blocked"),
            Self::Settings(_) => Some("set"),
            Self::EndSignIn(_) => Some("signed out there"),
            Self::RenameMe(_) => Some("others see the new name"),
            _ => None,
        }
    }
}
