//! One conversation that was opened: its timeline, the draft, the scroll position, who reads and types.

use std::collections::{HashMap, HashSet};

use chat_core::model::{ConversationId, Entry, Member, MessageId, Role, Seq, UserId};

use super::{
    composer::Composer,
    text::Plain,
    timeline::{ItemId, Sending, Timeline},
};
use crate::{event::Anchor, kept::KeptDraft};

/// Which part of the timeline is on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scroll {
    /// The newest, and whatever comes.
    #[default]
    Latest,
    /// This row is the uppermost, after going so many rows down from it.
    At(Anchor, isize),
}

/// Whether more entries of one side are being asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum More {
    /// No.
    #[default]
    Idle,
    /// Yes.
    Loading,
    /// They did not come, and why.
    Failed(Plain),
}

/// What the draft answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    /// The message.
    pub id: MessageId,
    /// Who said it.
    pub sender: UserId,
    /// Its beginning.
    pub text: Plain,
}

/// A message of mine that is being changed, and what was in the draft before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Editing {
    /// The message.
    pub id: MessageId,
    /// Its text until now.
    pub was: String,
    /// The draft that comes back.
    pub draft: String,
    /// What that answers.
    pub reply_to: Option<ReplyTo>,
}

/// How far a message of mine has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// The server has it.
    Sent,
    /// A device of everybody has it.
    Delivered,
    /// Everybody has read it.
    Read,
}

/// Who belongs to a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Belonging {
    /// Who.
    pub id: UserId,
    /// In what role.
    pub role: Role,
}

/// A conversation that was opened.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and all combinations occur"
)]
pub struct Chat {
    /// Which.
    pub id: ConversationId,
    /// What is said in it.
    pub timeline: Timeline,
    /// What I am about to say.
    pub composer: Composer,
    /// What that answers.
    pub reply_to: Option<ReplyTo>,
    /// The message of mine that the draft is to change.
    pub editing: Option<Editing>,
    /// Which part is on the screen.
    pub scroll: Scroll,
    /// The selected message.
    pub selected: Option<ItemId>,
    /// The selected message has to be brought onto the screen.
    pub reveal: bool,
    /// Up to where I had read when it was opened; what follows is new. It stays there until it is opened again.
    pub ruler: Option<Seq>,
    /// Up to where I have told the server that I read.
    pub marked: Seq,
    /// It was marked unread on purpose: what is seen is not read until it is opened again.
    pub kept_unread: bool,
    /// Who belongs to it, as far as they were asked for.
    pub members: Vec<Belonging>,
    /// Up to where each has read.
    pub reads: HashMap<UserId, Seq>,
    /// Up to where a device of each has it.
    pub deliveries: HashMap<UserId, Seq>,
    /// Who is typing.
    pub typing: Vec<UserId>,
    /// Whether older entries are being asked for.
    pub older: More,
    /// Whether newer ones are, after an earlier stretch.
    pub newer: More,
    /// Why it cannot be followed any more.
    pub closed: Option<Plain>,
    /// Long messages that are shown in full.
    pub unfolded: HashSet<ItemId>,
    /// The log is being followed.
    pub joined: bool,
    /// What is kept of the log on disk is being read.
    pub recalling: bool,
    /// What of the composer is on disk.
    pub kept: KeptDraft,
    /// The others have been told that I am typing.
    pub typing_told: bool,
}

impl Chat {
    /// Nothing of it is known yet.
    #[must_use]
    pub fn new(id: ConversationId) -> Self {
        Self {
            id,
            timeline: Timeline::default(),
            composer: Composer::default(),
            reply_to: None,
            editing: None,
            scroll: Scroll::Latest,
            selected: None,
            reveal: false,
            ruler: None,
            marked: 0,
            kept_unread: false,
            members: Vec::new(),
            reads: HashMap::new(),
            deliveries: HashMap::new(),
            typing: Vec::new(),
            older: More::Idle,
            newer: More::Idle,
            closed: None,
            unfolded: HashSet::new(),
            joined: false,
            recalling: false,
            kept: KeptDraft::default(),
            typing_told: false,
        }
    }

    /// Takes the next entry of the log; false if it was here.
    pub fn apply(&mut self, entry: &Entry, me: Option<UserId>) -> bool {
        if !self.timeline.apply(entry, me) {
            return false;
        }
        if let Some(message) = entry.message() {
            self.typing.retain(|user| *user != message.sender_id);
            // Whoever answers has read what stands above.
            self.read_by(message.sender_id, entry.seq);
            if Some(message.sender_id) == me {
                self.kept_unread = false;
            }
            let was = ItemId::Pending(message.client_id);
            if Some(message.sender_id) == me {
                self.follow(was, ItemId::Entry(entry.seq));
            }
        }
        if self.timeline.is_aside() || (self.scroll == Scroll::Latest && self.selected.is_none()) {
            self.timeline.trim();
        }
        true
    }

    /// What was selected, unfolded or on top under one name goes on under another.
    fn follow(&mut self, was: ItemId, is: ItemId) {
        if self.selected == Some(was) {
            self.selected = Some(is);
        }
        if self.unfolded.remove(&was) {
            self.unfolded.insert(is);
        }
        if let Scroll::At(anchor, _) = &mut self.scroll
            && anchor.item == was
        {
            anchor.item = is;
        }
    }

    /// Takes over who belongs to it and up to where they have read.
    pub fn set_members(&mut self, members: &[Member]) {
        let belonging = members.iter().map(|member| Belonging {
            id: member.user.id,
            role: member.role,
        });
        self.members = belonging.collect();
        for member in members {
            self.read_by(member.user.id, member.read_seq);
            self.delivered_to(member.user.id, member.delivered_seq);
        }
    }

    /// Somebody has read up to here; false if that is no news.
    pub fn read_by(&mut self, user: UserId, seq: Seq) -> bool {
        let read = self.reads.entry(user).or_default();
        let news = seq > *read;
        *read = seq.max(*read);
        news
    }

    /// A device of somebody has it up to here; false if that is no news.
    pub fn delivered_to(&mut self, user: UserId, seq: Seq) -> bool {
        let delivered = self.deliveries.entry(user).or_default();
        let news = seq > *delivered;
        *delivered = seq.max(*delivered);
        news
    }

    fn others(&self, me: Option<UserId>) -> impl Iterator<Item = UserId> {
        let members = self.members.iter().map(|member| member.id);
        members.filter(move |user| Some(*user) != me)
    }

    /// Who but me has read up to here.
    pub fn readers(&self, seq: Seq, me: Option<UserId>) -> impl Iterator<Item = UserId> {
        self.others(me)
            .filter(move |user| self.reads.get(user).is_some_and(|read| *read >= seq))
    }

    /// What has become of my message at this place with all others.
    #[must_use]
    pub fn receipt(&self, seq: Seq, me: Option<UserId>) -> Receipt {
        let reached = |by: &HashMap<UserId, Seq>, user: &UserId| {
            by.get(user).is_some_and(|place| *place >= seq)
        };
        if self.others(me).next().is_none() {
            Receipt::Sent
        } else if self.others(me).all(|user| reached(&self.reads, &user)) {
            Receipt::Read
        } else if self
            .others(me)
            .all(|user| reached(&self.reads, &user) || reached(&self.deliveries, &user))
        {
            Receipt::Delivered
        } else {
            Receipt::Sent
        }
    }

    /// The first message that was unread when this was opened, if what is held reaches back to it.
    #[must_use]
    pub fn first_unread(&self, me: Option<UserId>) -> Option<Seq> {
        let read = self.ruler?;
        let first = self
            .timeline
            .first_seq()
            .filter(|first| *first <= read + 1)?;
        let index = usize::try_from(read + 1 - first).ok()?;
        let mut unread = self.timeline.lines().iter().skip(index);
        let message =
            unread.find(|line| line.said().is_some_and(|said| Some(said.sender) != me))?;
        Some(message.seq)
    }

    /// Selects the newest message, or the one so many messages on from the selected; past the newest, none.
    pub fn select_by(&mut self, by: isize) {
        let Some(selected) = self.selected.and_then(|id| self.timeline.index_of(id)) else {
            let newest = (0..self.timeline.len()).rev();
            return self.select_first_of(newest);
        };
        if by < 0 {
            return self.select_first_of((0..selected).rev());
        }
        let next = (selected + 1..self.timeline.len()).find(|at| self.timeline.is_message_at(*at));
        match next {
            Some(at) => self.select(self.timeline.id_at(at)),
            None if self.timeline.is_aside() => {}
            None => {
                self.unselect();
                self.scroll = Scroll::Latest;
            }
        }
    }

    /// Selects the message so many messages from the selected, or the last on the way: never none.
    pub fn select_within(&mut self, by: isize) {
        let Some(selected) = self.selected.and_then(|id| self.timeline.index_of(id)) else {
            return self.select_by(0);
        };
        let steps = by.unsigned_abs();
        let is_message = |at: &usize| self.timeline.is_message_at(*at);
        let target = if by < 0 {
            (0..selected).rev().filter(is_message).take(steps).last()
        } else {
            let newer = selected + 1..self.timeline.len();
            newer.filter(is_message).take(steps).last()
        };
        if let Some(at) = target {
            self.select(self.timeline.id_at(at));
        }
    }

    fn select_first_of(&mut self, mut candidates: impl Iterator<Item = usize>) {
        if let Some(at) = candidates.find(|at| self.timeline.is_message_at(*at)) {
            self.select(self.timeline.id_at(at));
        }
    }

    /// Selects an item and brings it onto the screen.
    pub fn select(&mut self, id: Option<ItemId>) {
        self.selected = id;
        self.reveal = id.is_some();
    }

    /// Selects an entry and shows it in the middle of so many rows.
    pub fn show_in_middle(&mut self, seq: Seq, rows: usize) {
        let item = ItemId::Entry(seq);
        self.select(Some(item));
        let half = isize::try_from(rows / 2).unwrap_or(0);
        self.scroll = Scroll::At(Anchor { item, row: 0 }, -half);
    }

    /// Counts what comes after this place as unread, until the conversation is opened again.
    pub fn keep_unread(&mut self, seq: Seq) {
        self.marked = seq;
        self.ruler = Some(seq);
        self.kept_unread = true;
    }

    /// Shows the live end again, its newest at the bottom.
    pub fn go_live(&mut self) {
        self.unselect();
        self.timeline.go_live();
        self.scroll = Scroll::Latest;
        self.older = More::Idle;
        self.newer = More::Idle;
    }

    /// The draft is no longer to change a message: what was in it before comes back.
    pub fn stop_editing(&mut self) -> Option<Editing> {
        let editing = self.editing.take()?;
        self.composer.set(&editing.draft);
        self.reply_to.clone_from(&editing.reply_to);
        Some(editing)
    }

    /// No message is selected any more.
    pub fn unselect(&mut self) {
        self.selected = None;
        self.reveal = false;
    }

    /// Scrolls by rows, from what was last seen on top.
    pub fn scroll_by(&mut self, rows: isize, top: Option<(Anchor, isize)>) {
        self.scroll = match (self.scroll, top) {
            (Scroll::At(anchor, by), _) => Scroll::At(anchor, by + rows),
            (Scroll::Latest, Some(_)) if rows >= 0 => Scroll::Latest,
            (Scroll::Latest, Some((anchor, below))) => Scroll::At(anchor, rows - below),
            (Scroll::Latest, None) => Scroll::Latest,
        };
    }

    /// Forgets the log; drafts, and what is still to be sent, stay.
    pub fn forget_log(&mut self) {
        self.timeline.clear_log();
        self.scroll = Scroll::Latest;
        self.unselect();
        self.unfolded.clear();
        self.typing.clear();
        self.older = More::Idle;
        self.newer = More::Idle;
        self.joined = false;
    }

    /// Whether there is anything here that only this client knows.
    #[must_use]
    pub fn holds_own_words(&self) -> bool {
        !self.composer.is_empty() || self.editing.is_some() || !self.timeline.pending().is_empty()
    }

    /// What of mine still waits in the outbox.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let waits = |state: &Sending| matches!(state, Sending::Waiting);
        self.timeline
            .pending()
            .iter()
            .filter(|pending| waits(&pending.state))
            .count()
    }
}

/// A role in words.
#[must_use]
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Member => "a member",
        Role::Admin => "an admin",
        Role::Owner => "an owner",
    }
}
