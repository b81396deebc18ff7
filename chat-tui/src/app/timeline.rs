//! What a conversation shows: a stretch of its log, and after it what I sent and is not in the log yet.

use std::collections::{HashMap, VecDeque};

use chat_core::model::{
    Change, ClientId, Draft, Entry, Message, MessageId, Role, Seq, Timestamp, UserId,
};

use super::text::Plain;

/// Beyond so many entries the oldest are let go; they can be asked for again.
const KEPT: usize = 5_000;
const KEPT_AFTER_TRIM: usize = 1_000;

/// One entry of the log, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its place.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Somebody said something.
    Said(Said),
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
    /// Something that this version does not know.
    Unknown,
}

/// A message of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its name.
    pub id: MessageId,
    /// Who.
    pub sender: UserId,
    /// The sender's name for it.
    pub client_id: ClientId,
    /// What.
    pub body: Plain,
    /// What it answers.
    pub reply_to: Option<MessageId>,
    /// It was taken back.
    pub deleted: bool,
    /// It was changed.
    pub edited: bool,
}

impl Line {
    /// Makes an entry of the log safe to show.
    #[must_use]
    pub fn new(entry: &Entry) -> Self {
        let what = match &entry.change {
            Change::NewMessage { message } => What::Said(Said::new(message)),
            Change::MemberJoined { user_id, by, .. } => What::Joined {
                user: *user_id,
                by: *by,
            },
            Change::MemberLeft { user_id, by } => What::Left {
                user: *user_id,
                by: *by,
            },
            Change::MemberRole { user_id, role, by } => What::Role {
                user: *user_id,
                role: *role,
                by: *by,
            },
            Change::ConversationRenamed { title, by } => What::Renamed {
                title: Plain::line(title),
                by: *by,
            },
            _ => What::Unknown,
        };
        Self {
            seq: entry.seq,
            at: entry.at,
            what,
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

    /// Everybody who has to be known by name to show it.
    pub fn people(&self) -> impl Iterator<Item = UserId> {
        let (first, second) = match &self.what {
            What::Said(said) => (Some(said.sender), None),
            What::Joined { user, by } | What::Left { user, by } | What::Role { user, by, .. } => {
                (Some(*user), Some(*by))
            }
            What::Renamed { by, .. } => (Some(*by), None),
            What::Unknown => (None, None),
        };
        first.into_iter().chain(second)
    }
}

impl Said {
    fn new(message: &Message) -> Self {
        Self {
            id: message.id,
            sender: message.sender_id,
            client_id: message.client_id,
            body: Plain::text(&message.body),
            reply_to: message.reply_to,
            deleted: message.deleted_at.is_some(),
            edited: message.edited_at.is_some(),
        }
    }
}

/// A message of mine that is not in the log yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// To the letter, for another try.
    pub draft: Draft,
    /// When it was sent.
    pub at: Timestamp,
    /// As it is shown.
    pub body: Plain,
    /// What has become of it.
    pub state: Sending,
}

/// What has become of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// In the outbox.
    Waiting,
    /// Accepted, at this place; its entry is on the way.
    Accepted(Seq),
    /// Refused.
    Failed {
        /// Why.
        reason: Plain,
        /// Another try has to go by another name.
        needs_new_id: bool,
    },
}

/// One thing to show: an entry of the log, or something on its way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemId {
    /// The entry at this place.
    Entry(Seq),
    /// The message that was sent under this name.
    Pending(ClientId),
}

/// A stretch of the log without holes, and what follows it.
#[derive(Debug, Default)]
pub struct Timeline {
    lines: VecDeque<Line>,
    places: HashMap<MessageId, Seq>,
    pending: Vec<Pending>,
}

impl Timeline {
    /// The entries held.
    #[must_use]
    pub fn lines(&self) -> &VecDeque<Line> {
        &self.lines
    }

    /// What is not in the log yet, oldest first.
    #[must_use]
    pub fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// The place of the oldest entry held.
    #[must_use]
    pub fn first_seq(&self) -> Option<Seq> {
        self.lines.front().map(|line| line.seq)
    }

    /// The place of the newest entry held.
    #[must_use]
    pub fn last_seq(&self) -> Option<Seq> {
        self.lines.back().map(|line| line.seq)
    }

    /// Takes the next entry; one that is here already changes nothing and gives false.
    pub fn apply(&mut self, entry: &Entry, me: Option<UserId>) -> bool {
        if self.last_seq().is_some_and(|last| entry.seq <= last) {
            return false;
        }
        if self.last_seq().is_some_and(|last| entry.seq > last + 1) {
            // A stretch with a hole would show as if it had none. What is before it can be asked for.
            self.clear_log();
        }
        let line = Line::new(entry);
        if let Some(said) = line.said() {
            self.places.insert(said.id, line.seq);
            if Some(said.sender) == me {
                self.pending
                    .retain(|pending| pending.draft.client_id != said.client_id);
            }
        }
        self.lines.push_back(line);
        true
    }

    /// Puts older entries before those held; what does not join them without a hole is left out.
    pub fn prepend(&mut self, entries: &[Entry]) -> usize {
        let mut added = 0;
        for entry in entries.iter().rev() {
            if self.first_seq().is_some_and(|first| entry.seq + 1 == first) {
                let line = Line::new(entry);
                if let Some(said) = line.said() {
                    self.places.insert(said.id, line.seq);
                }
                self.lines.push_front(line);
                added += 1;
            }
        }
        added
    }

    /// Lets the oldest go when there are far too many.
    pub fn trim(&mut self) {
        if self.lines.len() <= KEPT {
            return;
        }
        for line in self.lines.drain(..self.lines.len() - KEPT_AFTER_TRIM) {
            if let Some(said) = line.said() {
                self.places.remove(&said.id);
            }
        }
    }

    /// Forgets the log, not what is still to be sent.
    pub fn clear_log(&mut self) {
        self.lines.clear();
        self.places.clear();
    }

    /// The entry at this place.
    #[must_use]
    pub fn line(&self, seq: Seq) -> Option<&Line> {
        let first = self.first_seq()?;
        let index = usize::try_from(seq.checked_sub(first)?).ok()?;
        self.lines.get(index)
    }

    /// A message by its name, if it is among those held.
    #[must_use]
    pub fn message(&self, id: MessageId) -> Option<&Said> {
        self.line(*self.places.get(&id)?)?.said()
    }

    /// Shows a message that was just sent.
    pub fn push_pending(&mut self, pending: Pending) {
        self.pending.push(pending);
    }

    /// A message that is not in the log yet.
    #[must_use]
    pub fn find_pending(&self, client_id: ClientId) -> Option<&Pending> {
        self.pending.iter().find(|p| p.draft.client_id == client_id)
    }

    /// Takes away a message that is not in the log yet.
    pub fn remove_pending(&mut self, client_id: ClientId) -> Option<Pending> {
        let at = self
            .pending
            .iter()
            .position(|p| p.draft.client_id == client_id)?;
        Some(self.pending.remove(at))
    }

    /// The server accepted a message. Its entry may be here already, or be never asked for.
    pub fn accepted(&mut self, message: &Message, entries_follow: bool) {
        let here = self.last_seq().is_some_and(|last| message.seq <= last);
        if here || !entries_follow {
            self.remove_pending(message.client_id);
        } else {
            self.set_state(message.client_id, Sending::Accepted(message.seq));
        }
    }

    /// Changes what has become of a message.
    pub fn set_state(&mut self, client_id: ClientId, state: Sending) {
        if let Some(pending) = self
            .pending
            .iter_mut()
            .find(|p| p.draft.client_id == client_id)
        {
            pending.state = state;
        }
    }

    /// How many things there are to show.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len() + self.pending.len()
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The thing at this index, oldest first.
    #[must_use]
    pub fn id_at(&self, index: usize) -> Option<ItemId> {
        if let Some(line) = self.lines.get(index) {
            return Some(ItemId::Entry(line.seq));
        }
        self.pending
            .get(index.checked_sub(self.lines.len())?)
            .map(|pending| ItemId::Pending(pending.draft.client_id))
    }

    /// The index of a thing, oldest first.
    #[must_use]
    pub fn index_of(&self, id: ItemId) -> Option<usize> {
        match id {
            ItemId::Entry(seq) => {
                let index = usize::try_from(seq.checked_sub(self.first_seq()?)?).ok()?;
                (index < self.lines.len()).then_some(index)
            }
            ItemId::Pending(client_id) => self
                .pending
                .iter()
                .position(|p| p.draft.client_id == client_id)
                .map(|at| self.lines.len() + at),
        }
    }
}
