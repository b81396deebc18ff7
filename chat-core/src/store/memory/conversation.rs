//! One conversation in memory: its log, its members, and what they see of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    model::{
        Change, ClientId, Conversation, ConversationId, ConversationKind, Emoji, Entry, History,
        Membership, Message, MessageId, Mine, Notify, Role, Row, Seq, Timestamp, Title, Topic,
        Unread, UserId,
    },
    store::{
        Around, Committed, GroupRows, MemberRow, RowPlace, Search, StoredRow, Write,
        recent::{self, Recent},
        search,
    },
};

#[derive(Debug)]
pub(super) struct StoredConversation {
    pub(super) id: ConversationId,
    pub(super) kind: ConversationKind,
    pub(super) title: Option<Title>,
    pub(super) topic: Option<Topic>,
    pub(super) history: History,
    pub(super) deleted: bool,
    pub(super) last_activity_at: Timestamp,
    pub(super) last_message_seq: Option<Seq>,
    /// The entry with `seq` n is at n - 1; messages and reactions in it are as they were.
    pub(super) log: Vec<Entry>,
    /// Messages as they are now.
    pub(super) messages: BTreeMap<Seq, Message>,
    pub(super) message_seqs: HashMap<MessageId, Seq>,
    /// Former members too, so that their `rev` goes on rising.
    pub(super) members: BTreeMap<UserId, Place>,
    /// How many of them are members now: each row says so, and a large group has many rows.
    pub(super) member_count: u64,
    /// What was sent, with its place and its text as it was then.
    pub(super) sends: HashMap<(UserId, ClientId), (Seq, String)>,
    pub(super) reactions: BTreeSet<(Seq, Emoji, UserId)>,
}

#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something of its own"
)]
pub(super) struct Place {
    pub(super) role: Role,
    pub(super) active: bool,
    pub(super) banned: bool,
    /// They asked for this direct conversation, so they see it before anything is said in it.
    pub(super) opened: bool,
    pub(super) read_seq: Seq,
    pub(super) shown_seq: Seq,
    pub(super) delivered_seq: Seq,
    pub(super) history_from: Seq,
    pub(super) rev: u64,
    pub(super) pinned: bool,
    pub(super) muted: bool,
    pub(super) archived: bool,
    pub(super) notify: Notify,
}

impl Place {
    /// Of somebody who has everything up to `seq`.
    pub(super) fn new(role: Role, seq: Seq, history_from: Seq) -> Self {
        Self {
            role,
            active: true,
            banned: false,
            opened: false,
            read_seq: seq,
            shown_seq: seq,
            delivered_seq: seq,
            history_from,
            rev: 1,
            pinned: false,
            muted: false,
            archived: false,
            notify: Notify::All,
        }
    }

    fn mine(&self) -> Mine {
        Mine {
            role: self.role,
            read_seq: self.read_seq,
            rev: self.rev,
            pinned: self.pinned,
            muted: self.muted,
            archived: self.archived,
            notify: self.notify,
            history_from: self.history_from,
        }
    }

    fn membership(&self, user_id: UserId) -> Membership {
        Membership {
            user_id,
            role: self.role,
            read_seq: self.read_seq,
            shown_seq: self.shown_seq,
            delivered_seq: self.delivered_seq,
            history_from: self.history_from,
        }
    }
}

impl StoredConversation {
    pub(super) fn new(id: ConversationId, kind: ConversationKind, at: Timestamp) -> Self {
        Self {
            id,
            kind,
            title: None,
            topic: None,
            history: History::Shared,
            deleted: false,
            last_activity_at: at,
            last_message_seq: None,
            log: Vec::new(),
            messages: BTreeMap::new(),
            message_seqs: HashMap::new(),
            members: BTreeMap::new(),
            member_count: 0,
            sends: HashMap::new(),
            reactions: BTreeSet::new(),
        }
    }

    pub(super) fn direct(id: ConversationId, pair: [UserId; 2], at: Timestamp) -> Self {
        let mut direct = Self::new(id, ConversationKind::Direct, at);
        for user in pair {
            direct.insert_member(user, Place::new(Role::Member, 0, 1));
        }
        direct
    }

    pub(super) fn insert_member(&mut self, user: UserId, place: Place) {
        let former = self.members.insert(user, place);
        self.member_count += u64::from(former.is_none_or(|former| !former.active));
    }

    pub(super) fn open(&mut self, user: UserId) {
        if let Some(place) = self.members.get_mut(&user) {
            place.opened = true;
        }
    }

    pub(super) fn head(&self) -> Seq {
        self.log.len() as Seq
    }

    /// The entries after a place; messages and reactions in them are as they are now.
    pub(super) fn entries_after(&self, after: Seq) -> impl Iterator<Item = Entry> {
        let start = usize::try_from(after).map_or(self.log.len(), |n| n.min(self.log.len()));
        self.log[start..]
            .iter()
            .map(|entry| self.as_it_is_now(entry))
    }

    fn as_it_is_now(&self, entry: &Entry) -> Entry {
        let mut entry = entry.clone();
        let about = entry.about().unwrap_or(entry.seq);
        let Some(now) = self.messages.get(&about) else {
            return entry;
        };
        match &mut entry.change {
            Change::NewMessage { message }
            | Change::MessageEdited { message }
            | Change::MessageDeleted { message, .. }
            | Change::MessagePinned { message, .. }
            | Change::MessageUnpinned { message, .. } => *message = now.clone(),
            Change::ReactionAdded { reaction, .. } | Change::ReactionRemoved { reaction, .. } => {
                *reaction = now.reaction(&reaction.emoji);
            }
            _ => {}
        }
        entry
    }

    pub(super) fn messages(&self, which: Around, history_from: Seq, limit: usize) -> Vec<Message> {
        let newest_to = |seq: Seq, limit| {
            let end = seq.saturating_add(1).max(history_from);
            let messages = self.messages.range(history_from..end).rev();
            let mut page: Vec<_> = messages.map(|(_, it)| it.clone()).take(limit).collect();
            page.reverse();
            page
        };
        let oldest_after = |seq: Seq, limit| {
            let from = seq.saturating_add(1).max(history_from);
            let messages = self.messages.range(from..).map(|(_, it)| it.clone());
            messages.take(limit).collect::<Vec<_>>()
        };
        match which {
            Around::Newest => newest_to(Seq::MAX, limit),
            Around::Before(seq) => newest_to(seq.saturating_sub(1), limit),
            Around::After(seq) => oldest_after(seq, limit),
            Around::Around(seq) => {
                let mut page = newest_to(seq, limit.div_ceil(2));
                page.extend(oldest_after(seq, limit / 2));
                page
            }
        }
    }

    pub(super) fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(self.message_seqs.get(&id)?)
    }

    pub(super) fn pinned(&self, before: Seq, history_from: Seq) -> impl Iterator<Item = &Message> {
        let until = before.max(history_from);
        let seen = self.messages.range(history_from..until).rev();
        seen.map(|(_, it)| it).filter(|it| it.pinned_at.is_some())
    }

    /// What this user can see of what is searched for.
    pub(super) fn found(&self, user: UserId, searched: &Search) -> impl Iterator<Item = &Message> {
        let from = self
            .place(user)
            .map_or(Seq::MAX, |place| place.history_from);
        let elsewhere = searched.conversation.is_some_and(|id| id != self.id);
        let seen = self.messages.range(from..).map(|(_, message)| message);
        seen.filter(move |message| {
            !elsewhere
                && message.deleted_at.is_none()
                && searched
                    .from
                    .is_none_or(|sender| sender == message.sender_id)
                && searched
                    .before
                    .is_none_or(|before| message.created_at < before)
                && search::contains(&search::words(&message.body), &searched.words)
        })
    }

    pub(super) fn place(&self, user: UserId) -> Option<&Place> {
        self.members.get(&user).filter(|place| place.active)
    }

    pub(super) fn active(&self) -> impl Iterator<Item = (UserId, &Place)> {
        let active = self.members.iter().filter(|(_, place)| place.active);
        active.map(|(user, place)| (*user, place))
    }

    pub(super) fn banned(&self) -> impl Iterator<Item = UserId> {
        let banned = self.members.iter().filter(|(_, place)| place.banned);
        banned.map(|(user, _)| *user)
    }

    pub(super) fn memberships(&self) -> impl Iterator<Item = Membership> {
        self.active().map(|(user, place)| place.membership(user))
    }

    pub(super) fn membership(&self, user: UserId) -> Option<Membership> {
        self.place(user).map(|place| place.membership(user))
    }

    pub(super) fn rev(&self, user: UserId) -> u64 {
        self.members.get(&user).map_or(0, |place| place.rev)
    }

    pub(super) fn is_visible_to(&self, user: UserId) -> bool {
        self.place(user).is_some_and(|place| {
            self.kind == ConversationKind::Group || self.last_message_seq.is_some() || place.opened
        })
    }

    pub(super) fn row_place(&self, user: UserId) -> RowPlace {
        RowPlace {
            pinned: self.members.get(&user).is_some_and(|place| place.pinned),
            last_activity_at: self.last_activity_at,
            id: self.id,
        }
    }

    fn shared(&self, history_from: Seq) -> Conversation {
        let last_message = self.last_message_seq.filter(|seq| *seq >= history_from);
        Conversation {
            id: self.id,
            kind: self.kind,
            title: self.title.clone().map(String::from),
            topic: self.topic.clone().map(String::from),
            history: self.history,
            peer: None,
            member_count: self.member_count,
            head_seq: self.head(),
            last_message: last_message.and_then(|seq| self.messages.get(&seq).cloned()),
            last_activity_at: self.last_activity_at,
        }
    }

    pub(super) fn row(&self, user: UserId) -> Option<StoredRow> {
        let place = self.place(user)?;
        let row = Row {
            conversation: self.shared(place.history_from),
            me: place.mine(),
            unread: self.unread(user, place.read_seq),
        };
        Some(StoredRow {
            row,
            peer_id: self.peer_of(user),
        })
    }

    /// The rows of those of these users who see the newest message, and the others.
    pub(super) fn group_rows(&self, users: &[UserId]) -> (GroupRows, Vec<UserId>) {
        let present = self.messages.values().rev();
        let present = present.filter(|message| message.deleted_at.is_none());
        let newest_first = present.map(|message| (message.seq, message.sender_id));
        let recent = Recent::new(newest_first.take(recent::MOST));
        let mut left_out = Vec::new();
        let mut rows = Vec::with_capacity(users.len());
        for &user_id in users {
            let Some(place) = self.place(user_id) else {
                continue;
            };
            if self
                .last_message_seq
                .is_some_and(|seq| seq < place.history_from)
            {
                left_out.push(user_id);
                continue;
            }
            let unread = recent.unread(user_id, place.read_seq);
            let all = self.unread(user_id, place.read_seq);
            rows.push(MemberRow {
                user_id,
                me: place.mine(),
                unread: Unread {
                    mentions: all.mentions,
                    ..unread.unwrap_or(all)
                },
            });
        }
        let conversation = self.shared(0);
        (GroupRows { conversation, rows }, left_out)
    }

    fn unread(&self, user: UserId, read_seq: Seq) -> Unread {
        let after = self.messages.range(read_seq.saturating_add(1)..);
        let unread = after
            .map(|(_, message)| message)
            .filter(|message| message.sender_id != user && message.deleted_at.is_none());
        let calls_me =
            |message: &&Message| message.mentions_everyone || message.mentions.contains(&user);
        let mentions = count(unread.clone().filter(calls_me));
        let enough = usize::try_from(Unread::CAP + 1).unwrap_or(usize::MAX);
        let unread = count(unread.take(enough));
        #[cfg(any(test, feature = "bugs"))]
        let unread = crate::bug::double_unread(unread);
        Unread::from_count(unread, mentions)
    }

    pub(super) fn peer_of(&self, user: UserId) -> Option<UserId> {
        if self.kind == ConversationKind::Group {
            return None;
        }
        let other = self.members.keys().find(|member| **member != user);
        Some(other.copied().unwrap_or(user))
    }

    pub(super) fn append(&mut self, write: &Write, change: Change) -> Committed {
        Committed::Appended(vec![self.push(write.at, change)])
    }

    pub(super) fn push(&mut self, at: Timestamp, change: Change) -> Entry {
        let entry = Entry {
            conversation_id: self.id,
            seq: self.head() + 1,
            at,
            change,
        };
        self.log.push(entry.clone());
        if entry.about().is_none() {
            self.last_activity_at = self.last_activity_at.max(at);
        }
        entry
    }
}

pub(super) fn count(items: impl Iterator) -> u64 {
    items.count() as u64
}
