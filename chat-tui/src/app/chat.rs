//! One conversation that was opened: its timeline, the draft, the scroll position, who reads and types.

use std::collections::{HashMap, HashSet};

use chat_core::model::{ConversationId, Entry, Member, MessageId, Role, Seq, UserId};

use super::{
    composer::Composer,
    text::Plain,
    timeline::{ItemId, Sending, Timeline},
};
use crate::event::Anchor;

/// Which part of the timeline is on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scroll {
    /// The newest, and whatever comes.
    #[default]
    Latest,
    /// This row is the uppermost, after going so many rows down from it.
    At(Anchor, isize),
}

/// Whether older entries are being asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Older {
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

/// A conversation that was opened.
#[derive(Debug)]
pub struct Chat {
    /// Which.
    pub id: ConversationId,
    /// What is said in it.
    pub timeline: Timeline,
    /// What I am about to say.
    pub composer: Composer,
    /// What that answers.
    pub reply_to: Option<ReplyTo>,
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
    /// Who belongs to it.
    pub members: Vec<UserId>,
    /// Up to where each has read.
    pub reads: HashMap<UserId, Seq>,
    /// Who is typing.
    pub typing: Vec<UserId>,
    /// Whether older entries are being asked for.
    pub older: Older,
    /// Why it cannot be followed any more.
    pub closed: Option<Plain>,
    /// Long messages that are shown in full.
    pub unfolded: HashSet<ItemId>,
    /// The log is being followed.
    pub joined: bool,
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
            scroll: Scroll::Latest,
            selected: None,
            reveal: false,
            ruler: None,
            marked: 0,
            members: Vec::new(),
            reads: HashMap::new(),
            typing: Vec::new(),
            older: Older::Idle,
            closed: None,
            unfolded: HashSet::new(),
            joined: false,
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
            let was = ItemId::Pending(message.client_id);
            if Some(message.sender_id) == me {
                self.follow(was, ItemId::Entry(entry.seq));
            }
        }
        if self.scroll == Scroll::Latest && self.selected.is_none() {
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
        self.members = members.iter().map(|member| member.user.id).collect();
        for member in members {
            self.read_by(member.user.id, member.read_seq);
        }
    }

    /// Somebody has read up to here; false if that is no news.
    pub fn read_by(&mut self, user: UserId, seq: Seq) -> bool {
        let read = self.reads.entry(user).or_default();
        let news = seq > *read;
        *read = seq.max(*read);
        news
    }

    /// Who but me has read up to here.
    pub fn readers(&self, seq: Seq, me: Option<UserId>) -> impl Iterator<Item = UserId> {
        self.members
            .iter()
            .copied()
            .filter(move |user| Some(*user) != me)
            .filter(move |user| self.reads.get(user).is_some_and(|read| *read >= seq))
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

    /// Selects the newest item, or the one so many places on from the selected; past the newest, none.
    pub fn select_by(&mut self, by: isize) {
        let last = match self.timeline.len() {
            0 => return,
            len => len - 1,
        };
        let index = match self.selected.and_then(|id| self.timeline.index_of(id)) {
            Some(index) => index.saturating_add_signed(by),
            None => last,
        };
        self.selected = self.timeline.id_at(index);
        self.reveal = self.selected.is_some();
        if self.selected.is_none() {
            self.scroll = Scroll::Latest;
        }
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
        self.older = Older::Idle;
        self.joined = false;
    }

    /// Whether there is anything here that only this client knows.
    #[must_use]
    pub fn holds_own_words(&self) -> bool {
        !self.composer.is_empty() || !self.timeline.pending().is_empty()
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
