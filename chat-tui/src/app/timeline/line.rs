//! One entry of a log, ready to be shown.

use chat_core::model::{
    Change, ClientId, Emoji, Entry, History, Message, MessageId, Reaction, Role, Seq, Timestamp,
    UserId,
};

use crate::app::text::Plain;

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its place.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// What it shows.
    pub what: What,
    /// What it makes of an earlier message.
    pub about: Option<Box<About>>,
}

/// What an entry shows by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody said something.
    Said(Box<Said>),
    /// A message was pinned, or is no longer.
    Pinned {
        /// Its beginning.
        excerpt: Plain,
        /// Whether it is pinned from here on.
        pinned: bool,
        /// Who did it.
        by: UserId,
    },
    /// Somebody belongs to the conversation from here on.
    Joined {
        /// Who.
        user: UserId,
        /// Who added them.
        by: UserId,
    },
    /// Somebody no longer does.
    Left {
        /// Who.
        user: UserId,
        /// Who removed them; themselves when they left.
        by: UserId,
        /// They cannot be added again until the ban is lifted.
        banned: bool,
    },
    /// Somebody has another role.
    Role {
        /// Who.
        user: UserId,
        /// Which.
        role: Role,
        /// Who gave it.
        by: UserId,
    },
    /// Another title.
    Renamed {
        /// Which.
        title: Plain,
        /// Who gave it.
        by: UserId,
    },
    /// Another topic.
    Topic {
        /// Which; none if it was taken away.
        topic: Option<Plain>,
        /// Who gave it.
        by: UserId,
    },
    /// Those who join later see another part of what was said.
    History {
        /// Which.
        history: History,
        /// Who decided so.
        by: UserId,
    },
    /// The group is no more.
    Ended {
        /// Who deleted it.
        by: UserId,
    },
    /// Something that only the message shows to which it happened, or nobody who reads here.
    Nothing,
    /// Something that this version does not know.
    Unknown,
}

/// A message of the log as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and nearly all combinations occur"
)]
pub struct Said {
    /// Its name.
    pub id: MessageId,
    /// Who.
    pub sender: UserId,
    /// The sender's name for it.
    pub client_id: ClientId,
    /// What.
    pub body: Plain,
    /// To the letter, where that is something else.
    raw: Option<Box<str>>,
    /// What it answers.
    pub reply_to: Option<MessageId>,
    /// Whom it calls by name.
    pub mentions: Vec<UserId>,
    /// It calls everyone.
    pub everyone: bool,
    /// What people put on it.
    pub reactions: Vec<Chip>,
    /// It was taken back.
    pub deleted: bool,
    /// It was changed.
    pub edited: bool,
    /// It is pinned.
    pub pinned: bool,
    /// The entry that made it what it is.
    changed_seq: Seq,
}

/// One emoji on a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chip {
    /// To the letter.
    pub emoji: Emoji,
    /// As it is shown.
    pub shown: Plain,
    /// By how many.
    pub count: u64,
    /// By whom, as far as they are named.
    pub users: Vec<UserId>,
}

/// What an entry makes of an earlier message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The place of that message.
    pub target: Seq,
    news: News,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum News {
    State(Said),
    Reaction(Chip),
}

impl Line {
    /// Makes an entry of the log safe to show.
    #[must_use]
    pub fn new(entry: &Entry) -> Self {
        Self {
            seq: entry.seq,
            at: entry.at,
            what: What::new(&entry.change),
            about: About::new(entry).map(Box::new),
        }
    }

    /// The message, if it is one.
    #[must_use]
    pub fn said(&self) -> Option<&Said> {
        match &self.what {
            What::Said(said) => Some(said),
            _ => None,
        }
    }

    pub(super) fn said_mut(&mut self) -> Option<&mut Said> {
        match &mut self.what {
            What::Said(said) => Some(said),
            _ => None,
        }
    }

    /// Whether there is anything to see of it.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        self.what != What::Nothing
    }

    /// Everybody who has to be known by name to show it.
    pub fn people(&self) -> impl Iterator<Item = UserId> {
        let (first, second) = match &self.what {
            What::Said(said) => (Some(said.sender), None),
            What::Joined { user, by }
            | What::Left { user, by, .. }
            | What::Role { user, by, .. } => (Some(*user), Some(*by)),
            What::Pinned { by, .. }
            | What::Renamed { by, .. }
            | What::Topic { by, .. }
            | What::History { by, .. }
            | What::Ended { by } => (Some(*by), None),
            What::Nothing | What::Unknown => (None, None),
        };
        let called = self.said().map(|said| said.mentions.as_slice());
        let called = called.unwrap_or_default().iter().copied();
        first.into_iter().chain(second).chain(called)
    }
}

impl What {
    fn new(change: &Change) -> Self {
        match change {
            Change::NewMessage { message } => Self::Said(Box::new(Said::new(message))),
            Change::MessagePinned { message, by } | Change::MessageUnpinned { message, by } => {
                Self::Pinned {
                    excerpt: excerpt(&message.body),
                    pinned: matches!(change, Change::MessagePinned { .. }),
                    by: *by,
                }
            }
            Change::MessageEdited { .. }
            | Change::MessageDeleted { .. }
            | Change::ReactionAdded { .. }
            | Change::ReactionRemoved { .. }
            | Change::Hidden {} => Self::Nothing,
            Change::MemberJoined { user_id, by, .. } => Self::Joined {
                user: *user_id,
                by: *by,
            },
            Change::MemberLeft {
                user_id,
                by,
                banned,
            } => Self::Left {
                user: *user_id,
                by: *by,
                banned: *banned,
            },
            Change::MemberRole { user_id, role, by } => Self::Role {
                user: *user_id,
                role: *role,
                by: *by,
            },
            Change::ConversationRenamed { title, by } => Self::Renamed {
                title: Plain::line(title),
                by: *by,
            },
            Change::ConversationTopic { topic, by } => Self::Topic {
                topic: topic.as_deref().map(excerpt),
                by: *by,
            },
            Change::ConversationHistory { history, by } => Self::History {
                history: *history,
                by: *by,
            },
            Change::ConversationDeleted { by } => Self::Ended { by: *by },
            _ => Self::Unknown,
        }
    }
}

impl About {
    fn new(entry: &Entry) -> Option<Self> {
        let target = entry.about()?;
        let news = match &entry.change {
            Change::ReactionAdded { reaction, .. } | Change::ReactionRemoved { reaction, .. } => {
                News::Reaction(Chip::new(reaction))
            }
            _ => News::State(Said::new(entry.message_state()?)),
        };
        Some(Self { target, news })
    }
}

impl Said {
    /// Makes a message safe to show.
    #[must_use]
    pub fn new(message: &Message) -> Self {
        let body = Plain::text(&message.body);
        let raw = (body.as_str() != message.body).then(|| message.body.as_str().into());
        Self {
            id: message.id,
            sender: message.sender_id,
            client_id: message.client_id,
            body,
            raw,
            reply_to: message.reply_to,
            mentions: message.mentions.clone(),
            everyone: message.mentions_everyone,
            reactions: message.reactions.iter().map(Chip::new).collect(),
            deleted: message.deleted_at.is_some(),
            edited: message.edited_at.is_some(),
            pinned: message.pinned_at.is_some(),
            changed_seq: message.changed_seq,
        }
    }

    /// The text to the letter.
    #[must_use]
    pub fn raw(&self) -> &str {
        self.raw.as_deref().unwrap_or(self.body.as_str())
    }

    /// The emoji that this user put on it, as far as it is known.
    pub fn reactions_of(&self, user: Option<UserId>) -> impl Iterator<Item = &Chip> {
        self.reactions.iter().filter(move |chip| chip.is_by(user))
    }

    /// Takes in what became of it with the entry at this place, unless it knows better.
    pub(super) fn hear(&mut self, seq: Seq, about: &About) {
        match &about.news {
            News::State(state) if state.changed_seq >= self.changed_seq => {
                // A body that is the same stays the very same text, which is laid out already.
                let body = (state.body == self.body).then(|| self.body.clone());
                *self = state.clone();
                self.body = body.unwrap_or_else(|| state.body.clone());
            }
            News::Reaction(chip) if seq > self.changed_seq => {
                self.changed_seq = seq;
                self.put(chip);
            }
            _ => {}
        }
    }

    fn put(&mut self, chip: &Chip) {
        let at = self
            .reactions
            .iter()
            .position(|other| other.emoji == chip.emoji);
        match at {
            Some(at) if chip.count == 0 => drop(self.reactions.remove(at)),
            Some(at) => self.reactions[at].clone_from(chip),
            None if chip.count == 0 => {}
            None => self.reactions.push(chip.clone()),
        }
    }
}

impl Chip {
    fn new(reaction: &Reaction) -> Self {
        Self {
            emoji: reaction.emoji.clone(),
            shown: Plain::line(reaction.emoji.as_str()),
            count: reaction.count,
            users: reaction.user_ids.clone(),
        }
    }

    /// Whether this user is among those who are named.
    #[must_use]
    pub fn is_by(&self, user: Option<UserId>) -> bool {
        user.is_some_and(|user| self.users.contains(&user))
    }
}

/// The beginning of a text in one line: no list shows more of it.
#[must_use]
pub fn excerpt(text: &str) -> Plain {
    let end = text.floor_char_boundary(text.len().min(400));
    let words: Vec<&str> = text[..end].split_whitespace().collect();
    Plain::line(&words.join(" "))
}
