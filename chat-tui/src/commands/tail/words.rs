//! What happened in a conversation, one sentence each: to be read by a person, or to one.

use std::collections::{HashMap, VecDeque};

use chat_core::model::{Change, Entry, History, Message, MessageId, Role, Timestamp, UserId};
use jiff::tz::TimeZone;

use super::super::{people::People, place::Place};
use crate::app::text::{Plain, fit};

/// So many messages are remembered, to say what somebody reacted to.
const MOST_REMEMBERED: usize = 1_000;
/// So much of a message says which one it is.
const EXCERPT: usize = 60;

/// Messages that were seen lately: whose, and how they begin.
#[derive(Debug, Default)]
pub(super) struct Seen {
    known: HashMap<MessageId, (UserId, Plain)>,
    order: VecDeque<MessageId>,
}

impl Seen {
    pub(super) fn remember(&mut self, message: &Message) {
        let body = Plain::line(&message.body);
        let excerpt = Plain::line(&fit(body.as_str(), EXCERPT));
        let about = (message.sender_id, excerpt);
        if self.known.insert(message.id, about).is_none() {
            self.order.push_back(message.id);
        }
        if self.order.len() > MOST_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn knows(&self, id: MessageId) -> bool {
        self.known.contains_key(&id)
    }

    pub(super) fn author(&self, id: MessageId) -> Option<UserId> {
        self.known.get(&id).map(|(author, _)| *author)
    }
}

/// What a sentence is made of.
#[derive(Debug)]
pub(super) struct Words<'a> {
    pub(super) people: &'a People,
    pub(super) seen: &'a Seen,
    pub(super) place: &'a Place,
    pub(super) zone: &'a TimeZone,
    pub(super) now: Timestamp,
}

impl Words<'_> {
    /// `12:03 Ana in #Release: …`; `None` if there is nothing to say of it.
    pub(super) fn line(&self, entry: &Entry) -> Option<String> {
        let sentence = self.sentence(entry)?;
        Some(format!("{} {sentence}", self.time(entry.at)))
    }

    /// `12:03` today, else with the date.
    fn time(&self, at: Timestamp) -> String {
        let local = |at: Timestamp| {
            jiff::Timestamp::from_millisecond(at.as_millis())
                .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
                .to_zoned(self.zone.clone())
        };
        let then = local(at);
        let format = if then.date() == local(self.now).date() {
            "%H:%M"
        } else {
            "%Y-%m-%d %H:%M"
        };
        then.strftime(format).to_string()
    }

    fn sentence(&self, entry: &Entry) -> Option<String> {
        Some(match &entry.change {
            Change::NewMessage { message } => self.said(message),
            Change::MessageEdited { message } => format!(
                "{} edited a message {}: {}",
                self.name(message.sender_id),
                self.there(message.sender_id),
                Plain::line(&message.body)
            ),
            Change::MessageDeleted { message, by } => {
                format!(
                    "{} deleted {} {}",
                    self.name(*by),
                    self.one_of(message, *by),
                    self.there(*by)
                )
            }
            Change::ReactionAdded {
                message_id,
                user_id,
                reaction,
                ..
            } => format!(
                "{} reacted {} to {}",
                self.name(*user_id),
                Plain::line(reaction.emoji.as_str()),
                self.which(*message_id, *user_id)
            ),
            Change::ReactionRemoved {
                message_id,
                user_id,
                reaction,
                ..
            } => format!(
                "{} took {} back from {}",
                self.name(*user_id),
                Plain::line(reaction.emoji.as_str()),
                self.which(*message_id, *user_id)
            ),
            Change::MessagePinned { message, by } => format!(
                "{} pinned {} {}: {}",
                self.name(*by),
                self.one_of(message, *by),
                self.there(*by),
                Plain::line(&fit(Plain::line(&message.body).as_str(), EXCERPT))
            ),
            Change::MessageUnpinned { message, by } => format!(
                "{} took the pin from {} {}",
                self.name(*by),
                self.one_of(message, *by),
                self.there(*by)
            ),
            Change::Hidden {} => return None,
            change => self.about_the_group(change)?,
        })
    }

    fn said(&self, message: &Message) -> String {
        let by = message.sender_id;
        let answering =
            message
                .reply_to
                .map_or_else(String::new, |id| match self.seen.author(id) {
                    Some(author) if author == by => ", adding to an own message".to_owned(),
                    Some(author) => format!(", answering {}", self.people.whom(author)),
                    None => ", answering a message".to_owned(),
                });
        let who = format!("{} {}{answering}", self.name(by), self.there(by));
        if message.deleted_at.is_some() {
            return format!("{who}: (deleted)");
        }
        let edited = if message.edited_at.is_some() {
            " (edited)"
        } else {
            ""
        };
        format!("{who}: {}{edited}", Plain::line(&message.body))
    }

    fn about_the_group(&self, change: &Change) -> Option<String> {
        let group = self.place_name();
        Some(match change {
            Change::MemberJoined { user_id, by, .. } if user_id == by => {
                format!("{} joined {group}", self.name(*user_id))
            }
            Change::MemberJoined { user_id, by, .. } => {
                format!(
                    "{} added {} to {group}",
                    self.name(*by),
                    self.people.whom(*user_id)
                )
            }
            Change::MemberLeft { user_id, by, .. } if user_id == by => {
                format!("{} left {group}", self.name(*user_id))
            }
            Change::MemberLeft {
                user_id,
                by,
                banned,
            } => {
                let what = if *banned { "banned" } else { "removed" };
                format!(
                    "{} {what} {} from {group}",
                    self.name(*by),
                    self.people.whom(*user_id)
                )
            }
            Change::MemberRole { user_id, role, by } => {
                let role = match role {
                    Role::Owner => "an owner",
                    Role::Admin => "an admin",
                    Role::Member => "a member",
                };
                let whom = self.people.whom(*user_id);
                format!("{} made {whom} {role} of {group}", self.name(*by))
            }
            Change::ConversationRenamed { title, by } => {
                format!("{} named a group #{}", self.name(*by), Plain::line(title))
            }
            Change::ConversationTopic {
                topic: Some(topic),
                by,
            } => format!(
                "{} set the topic of {group}: {}",
                self.name(*by),
                Plain::line(topic)
            ),
            Change::ConversationTopic { topic: None, by } => {
                format!("{} took the topic of {group} away", self.name(*by))
            }
            Change::ConversationHistory {
                history: History::Shared,
                by,
            } => format!(
                "{} lets newcomers to {group} see what was said before",
                self.name(*by)
            ),
            Change::ConversationHistory { by, .. } => {
                format!(
                    "{} lets newcomers to {group} see only what follows",
                    self.name(*by)
                )
            }
            Change::ConversationDeleted { by } => format!("{} deleted {group}", self.name(*by)),
            _ => return None,
        })
    }

    fn name(&self, id: UserId) -> Plain {
        self.people.name(id)
    }

    fn place_name(&self) -> String {
        match self.place {
            Place::Group(title) => format!("#{title}"),
            Place::With(peer) => format!("the chat with {}", self.people.name(peer.id)),
        }
    }

    /// Where somebody did something: `in #Release`, `to you`.
    fn there(&self, by: UserId) -> String {
        match self.place {
            Place::Group(title) => format!("in #{title}"),
            Place::With(peer) if self.people.is_me(by) => {
                format!("to {}", self.people.name(peer.id))
            }
            Place::With(_) => "to you".to_owned(),
        }
    }

    /// `a message`, and whose if it is not their own.
    fn one_of(&self, message: &Message, by: UserId) -> String {
        if message.sender_id == by {
            "a message".to_owned()
        } else {
            format!("a message by {}", self.people.whom(message.sender_id))
        }
    }

    /// Which message somebody reacted to.
    fn which(&self, id: MessageId, by: UserId) -> String {
        let group = match self.place {
            Place::Group(_) => format!(" in {}", self.place_name()),
            Place::With(_) => String::new(),
        };
        match self.seen.known.get(&id) {
            Some((author, excerpt)) if *author == by => format!("an own message{group}: {excerpt}"),
            Some((author, excerpt)) => {
                format!(
                    "a message by {}{group}: {excerpt}",
                    self.people.whom(*author)
                )
            }
            None => format!("a message{group}"),
        }
    }
}
