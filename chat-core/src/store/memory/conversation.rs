//! One conversation in memory: its log, its members, and what a write does to them.

use std::collections::{BTreeMap, HashMap};

use crate::{
    access::{self, Scene},
    model::{
        Change, ClientId, Conversation, ConversationId, ConversationKind, Draft, Entry, Membership,
        Message, MessageId, Mine, Role, Row, Seq, Timestamp, Title, Unread, UserId,
    },
    store::{
        Act, Around, Committed, GroupRows, MemberRow, ReadCursor, Refusal, RowPlace, StoredRow,
        Write,
        recent::{self, Recent},
    },
};

#[derive(Debug)]
pub(super) struct StoredConversation {
    id: ConversationId,
    kind: ConversationKind,
    title: Option<Title>,
    last_activity_at: Timestamp,
    last_message_seq: Option<Seq>,
    /// The entry with `seq` n is at n - 1.
    log: Vec<Entry>,
    /// Former members too, so that their `rev` goes on rising.
    members: BTreeMap<UserId, Place>,
    /// How many of them are members now: each row says so, and a large group has many rows.
    member_count: u64,
    message_seqs: HashMap<MessageId, Seq>,
    sends: HashMap<(UserId, ClientId), Seq>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    role: Role,
    active: bool,
    /// They asked for this direct conversation, so they see it before anything is said in it.
    opened: bool,
    read_seq: Seq,
    rev: u64,
}

impl Place {
    fn new(role: Role, read_seq: Seq) -> Self {
        Self {
            role,
            active: true,
            opened: false,
            read_seq,
            rev: 1,
        }
    }

    fn mine(&self) -> Mine {
        Mine {
            role: self.role,
            read_seq: self.read_seq,
            rev: self.rev,
            pinned: false,
            muted: false,
            archived: false,
        }
    }
}

impl StoredConversation {
    fn new(id: ConversationId, kind: ConversationKind, at: Timestamp) -> Self {
        Self {
            id,
            kind,
            title: None,
            last_activity_at: at,
            last_message_seq: None,
            log: Vec::new(),
            members: BTreeMap::new(),
            member_count: 0,
            message_seqs: HashMap::new(),
            sends: HashMap::new(),
        }
    }

    pub(super) fn direct(id: ConversationId, pair: [UserId; 2], at: Timestamp) -> Self {
        let mut direct = Self::new(id, ConversationKind::Direct, at);
        for user in pair {
            direct.insert_member(user, Place::new(Role::Member, 0));
        }
        direct
    }

    pub(super) fn group(write: &Write, title: &Title, members: &[UserId]) -> (Self, Committed) {
        let mut group = Self::new(write.conversation_id, ConversationKind::Group, write.at);
        group.title = Some(title.clone());
        let mut entries = vec![group.join(write, write.author, Role::Owner)];
        for &user in members {
            if !group.members.contains_key(&user) {
                entries.push(group.join(write, user, Role::Member));
            }
        }
        (group, Committed::Appended(entries))
    }

    fn insert_member(&mut self, user: UserId, place: Place) {
        let former = self.members.insert(user, place);
        self.member_count += u64::from(former.is_none_or(|former| !former.active));
    }

    pub(super) fn open(&mut self, user: UserId) {
        if let Some(place) = self.members.get_mut(&user) {
            place.opened = true;
        }
    }

    pub(super) fn apply(&mut self, write: &Write) -> Result<Committed, Refusal> {
        let role = self
            .place(write.author)
            .ok_or(Refusal::ConversationNotFound)?
            .role;
        match &write.act {
            Act::CreateGroup { .. } => Err(Refusal::ConversationNotFound),
            Act::Send { id, draft } => self.send(write, *id, draft),
            Act::PutMember {
                user_id,
                role: wanted,
            } => {
                self.permit(write, role, Some(*user_id))?;
                Ok(self.put_member(write, *user_id, *wanted))
            }
            Act::RemoveMember { user_id } => {
                self.permit(write, role, Some(*user_id))?;
                Ok(self.remove_member(write, *user_id))
            }
            Act::Rename { title } => {
                self.permit(write, role, None)?;
                Ok(self.rename(write, title))
            }
            Act::MarkRead { seq } => Ok(self.mark_read(write.author, *seq)),
        }
    }

    fn permit(&self, write: &Write, role: Role, target: Option<UserId>) -> Result<(), Refusal> {
        let roles = || self.active().map(|(_, place)| place.role);
        let scene = Scene {
            kind: self.kind,
            author: (write.author, role),
            target: target
                .and_then(|user| self.place(user))
                .map(|place| place.role),
            owners: count(roles().filter(|role| *role == Role::Owner)),
            members: count(roles()),
        };
        access::permits(&scene, &write.act)
    }

    fn send(&mut self, write: &Write, id: MessageId, draft: &Draft) -> Result<Committed, Refusal> {
        let send = (write.author, draft.client_id);
        #[cfg(test)]
        let send = crate::simulation::bug::forget_client_id(send);
        if let Some(earlier) = self.sends.get(&send).and_then(|seq| self.message(*seq)) {
            let same = earlier.body == draft.body && earlier.reply_to == draft.reply_to;
            return if same {
                Ok(Committed::Repeated(earlier.clone()))
            } else {
                Err(Refusal::ClientIdReused)
            };
        }
        if let Some(replied) = draft.reply_to
            && !self.message_seqs.contains_key(&replied)
        {
            return Err(Refusal::ReplyNotFound);
        }
        let seq = self.head() + 1;
        let message = Message {
            id,
            conversation_id: self.id,
            seq,
            sender_id: write.author,
            client_id: draft.client_id,
            body: draft.body.clone(),
            reply_to: draft.reply_to,
            mentions: Vec::new(),
            reactions: Vec::new(),
            created_at: write.at,
            edited_at: None,
            deleted_at: None,
        };
        self.sends.insert(send, seq);
        self.message_seqs.insert(id, seq);
        self.last_message_seq = Some(seq);
        if let Some(author) = self.members.get_mut(&write.author) {
            author.read_seq = seq;
            author.rev += 1;
        }
        Ok(self.append(write, Change::NewMessage { message }))
    }

    fn put_member(&mut self, write: &Write, user: UserId, wanted: Option<Role>) -> Committed {
        match self.members.get_mut(&user) {
            Some(place) if place.active => match wanted {
                Some(role) if role != place.role => {
                    place.role = role;
                    place.rev += 1;
                    let by = write.author;
                    self.append(
                        write,
                        Change::MemberRole {
                            user_id: user,
                            role,
                            by,
                        },
                    )
                }
                _ => Committed::Unchanged,
            },
            _ => {
                let role = wanted.unwrap_or(Role::Member);
                Committed::Appended(vec![self.join(write, user, role)])
            }
        }
    }

    fn remove_member(&mut self, write: &Write, user: UserId) -> Committed {
        if let Some(place) = self.members.get_mut(&user) {
            self.member_count -= u64::from(place.active);
            place.active = false;
            place.rev += 1;
        }
        let by = write.author;
        self.append(write, Change::MemberLeft { user_id: user, by })
    }

    fn rename(&mut self, write: &Write, title: &Title) -> Committed {
        if self.title.as_ref() == Some(title) {
            return Committed::Unchanged;
        }
        self.title = Some(title.clone());
        let (title, by) = (title.as_str().to_owned(), write.author);
        self.append(write, Change::ConversationRenamed { title, by })
    }

    fn join(&mut self, write: &Write, user: UserId, role: Role) -> Entry {
        let former = self.members.get(&user).map_or(0, |former| former.rev);
        let mut place = Place::new(role, self.head());
        place.rev += former;
        self.insert_member(user, place);
        let by = write.author;
        self.push(
            write.at,
            Change::MemberJoined {
                user_id: user,
                role,
                by,
            },
        )
    }

    fn append(&mut self, write: &Write, change: Change) -> Committed {
        Committed::Appended(vec![self.push(write.at, change)])
    }

    fn push(&mut self, at: Timestamp, change: Change) -> Entry {
        let entry = Entry {
            conversation_id: self.id,
            seq: self.head() + 1,
            at,
            change,
        };
        self.log.push(entry.clone());
        self.last_activity_at = self.last_activity_at.max(at);
        entry
    }

    fn mark_read(&mut self, user: UserId, seq: Seq) -> Committed {
        let seq = seq.min(self.head());
        let Some(place) = self.members.get_mut(&user) else {
            return Committed::Unchanged;
        };
        let moved = seq > place.read_seq;
        if moved {
            place.read_seq = seq;
            place.rev += 1;
        }
        Committed::Read(ReadCursor {
            seq: place.read_seq,
            moved,
        })
    }

    pub(super) fn head(&self) -> Seq {
        self.log.len() as Seq
    }

    pub(super) fn entries_after(&self, after: Seq) -> impl DoubleEndedIterator<Item = &Entry> {
        let start = usize::try_from(after).map_or(self.log.len(), |n| n.min(self.log.len()));
        self.log[start..].iter()
    }

    pub(super) fn messages(&self, which: Around, limit: usize) -> Vec<Message> {
        let newest_to = |seq: Seq, limit| {
            let until = usize::try_from(seq).map_or(self.log.len(), |n| n.min(self.log.len()));
            let messages = self.log[..until].iter().rev().filter_map(Entry::message);
            let mut page: Vec<Message> = messages.take(limit).cloned().collect();
            page.reverse();
            page
        };
        let oldest_after = |seq: Seq, limit| {
            let messages = self.entries_after(seq).filter_map(Entry::message);
            messages.take(limit).cloned().collect::<Vec<_>>()
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

    fn message(&self, seq: Seq) -> Option<&Message> {
        let index = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.log.get(index)?.message()
    }

    fn place(&self, user: UserId) -> Option<&Place> {
        self.members.get(&user).filter(|place| place.active)
    }

    fn active(&self) -> impl Iterator<Item = (UserId, &Place)> {
        let active = self.members.iter().filter(|(_, place)| place.active);
        active.map(|(user, place)| (*user, place))
    }

    pub(super) fn memberships(&self) -> impl Iterator<Item = Membership> {
        self.active().map(|(user_id, place)| Membership {
            user_id,
            role: place.role,
            read_seq: place.read_seq,
        })
    }

    pub(super) fn membership(&self, user: UserId) -> Option<Membership> {
        let place = self.place(user)?;
        Some(Membership {
            user_id: user,
            role: place.role,
            read_seq: place.read_seq,
        })
    }

    pub(super) fn rev(&self, user: UserId) -> u64 {
        self.members.get(&user).map_or(0, |place| place.rev)
    }

    pub(super) fn is_visible_to(&self, user: UserId) -> bool {
        self.place(user).is_some_and(|place| {
            self.kind == ConversationKind::Group || self.last_message_seq.is_some() || place.opened
        })
    }

    pub(super) fn row_place(&self) -> RowPlace {
        RowPlace {
            pinned: false,
            last_activity_at: self.last_activity_at,
            id: self.id,
        }
    }

    fn shared(&self) -> Conversation {
        Conversation {
            id: self.id,
            kind: self.kind,
            title: self.title.clone().map(String::from),
            peer: None,
            member_count: self.member_count,
            head_seq: self.head(),
            last_message: self
                .last_message_seq
                .and_then(|seq| self.message(seq).cloned()),
            last_activity_at: self.last_activity_at,
        }
    }

    pub(super) fn row(&self, user: UserId) -> Option<StoredRow> {
        let place = self.place(user)?;
        let row = Row {
            conversation: self.shared(),
            me: place.mine(),
            unread: self.unread(user, place.read_seq),
        };
        Some(StoredRow {
            row,
            peer_id: self.peer_of(user),
        })
    }

    pub(super) fn group_rows(&self, users: &[UserId]) -> GroupRows {
        let messages = self.log.iter().rev().filter_map(Entry::message);
        let present = messages.filter(|message| message.deleted_at.is_none());
        let newest_first = present.map(|message| (message.seq, message.sender_id));
        let recent = Recent::new(newest_first.take(recent::MOST));
        let row = |user: &UserId| {
            let place = self.place(*user)?;
            let unread = recent.unread(*user, place.read_seq);
            Some(MemberRow {
                user_id: *user,
                me: place.mine(),
                unread: unread.unwrap_or_else(|| self.unread(*user, place.read_seq)),
            })
        };
        GroupRows {
            conversation: self.shared(),
            rows: users.iter().filter_map(row).collect(),
        }
    }

    fn unread(&self, user: UserId, read_seq: Seq) -> Unread {
        let after = self.entries_after(read_seq).filter_map(Entry::message);
        let unread =
            after.filter(|message| message.sender_id != user && message.deleted_at.is_none());
        let enough = usize::try_from(Unread::CAP + 1).unwrap_or(usize::MAX);
        let unread = count(unread.take(enough));
        #[cfg(test)]
        let unread = crate::simulation::bug::double_unread(unread);
        Unread::from_count(unread, 0)
    }

    fn peer_of(&self, user: UserId) -> Option<UserId> {
        if self.kind == ConversationKind::Group {
            return None;
        }
        let other = self.members.keys().find(|member| **member != user);
        Some(other.copied().unwrap_or(user))
    }
}

fn count(items: impl Iterator) -> u64 {
    items.count() as u64
}
