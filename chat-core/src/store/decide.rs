//! What the writes of a batch do in a database, decided in memory from what was loaded for them.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::{
    access::{self, Scene},
    model::{
        Change, ClientId, ConversationId, ConversationKind, Draft, Entry, Message, MessageId, Role,
        Seq, Timestamp, Title, UserId,
    },
    store::{Act, Committed, ReadCursor, Refusal, Write},
};

/// One send of one user in one conversation.
pub(super) type SendKey = (ConversationId, UserId, ClientId);

/// All that the writes of a batch depend on; what they change is marked, to be stored afterwards.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) conversations: HashMap<ConversationId, Head>,
    pub(super) members: HashMap<(ConversationId, UserId), Place>,
    pub(super) sends: HashMap<SendKey, Message>,
    /// Those messages that exist among the ones replied to.
    pub(super) replied: HashSet<(ConversationId, MessageId)>,
}

/// What must be loaded before a batch can be decided, each once and in order.
#[derive(Debug, Default)]
pub(super) struct Needed {
    pub(super) conversations: BTreeSet<ConversationId>,
    /// Those that are to be made.
    pub(super) groups: BTreeSet<ConversationId>,
    /// The authors, and those that an act is about.
    pub(super) members: BTreeSet<(ConversationId, UserId)>,
    pub(super) sends: BTreeSet<SendKey>,
    pub(super) replied: BTreeSet<MessageId>,
}

impl Needed {
    pub(super) fn by(writes: &[Write]) -> Self {
        let mut needed = Self::default();
        for write in writes {
            let conversation = write.conversation_id;
            needed.conversations.insert(conversation);
            needed.members.insert((conversation, write.author));
            match &write.act {
                Act::CreateGroup { .. } => {
                    needed.groups.insert(conversation);
                }
                Act::Send { draft, .. } => {
                    let key = (conversation, write.author, draft.client_id);
                    needed.sends.insert(key);
                    needed.replied.extend(draft.reply_to);
                }
                Act::PutMember { user_id, .. } | Act::RemoveMember { user_id } => {
                    needed.members.insert((conversation, *user_id));
                }
                Act::Rename { .. } | Act::MarkRead { .. } => {}
            }
        }
        needed
    }
}

#[derive(Debug)]
pub(super) struct Head {
    pub(super) kind: ConversationKind,
    pub(super) title: Option<String>,
    pub(super) seq: Seq,
    /// 0 when there is none.
    pub(super) last_message_seq: Seq,
    pub(super) last_activity_at: Timestamp,
    pub(super) members: u64,
    pub(super) owners: u64,
    pub(super) changed: bool,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) role: Role,
    pub(super) active: bool,
    pub(super) read_seq: Seq,
    pub(super) rev: u64,
    pub(super) changed: bool,
}

impl Loaded {
    /// Decides one write, seeing what the earlier ones did; a refusal changes nothing.
    pub(super) fn apply(&mut self, write: &Write) -> Result<Committed, Refusal> {
        if let Act::CreateGroup { title, members } = &write.act {
            return self.create_group(write, title, members);
        }
        let head = self.conversations.get(&write.conversation_id);
        let author = self.place(write, write.author);
        let (Some(head), Some(author)) = (head, author) else {
            return Err(Refusal::ConversationNotFound);
        };
        let target = match write.act {
            Act::PutMember { user_id, .. } | Act::RemoveMember { user_id } => {
                self.place(write, user_id).map(|place| place.role)
            }
            _ => None,
        };
        let scene = Scene {
            kind: head.kind,
            author: (write.author, author.role),
            target,
            owners: head.owners,
            members: head.members,
        };
        access::permits(&scene, &write.act)?;
        match &write.act {
            Act::Send { id, draft } => self.send(write, *id, draft),
            Act::PutMember { user_id, role } => Ok(self.put_member(write, *user_id, target, *role)),
            Act::RemoveMember { user_id } => Ok(self.remove_member(write, *user_id)),
            Act::Rename { title } => Ok(self.rename(write, title)),
            Act::MarkRead { seq } => Ok(self.mark_read(write, *seq)),
            Act::CreateGroup { .. } => Err(Refusal::ConversationNotFound),
        }
    }

    fn create_group(
        &mut self,
        write: &Write,
        title: &Title,
        members: &[UserId],
    ) -> Result<Committed, Refusal> {
        let id = write.conversation_id;
        if self.conversations.contains_key(&id) {
            return Err(Refusal::ConversationNotFound);
        }
        let head = Head {
            kind: ConversationKind::Group,
            title: Some(title.as_str().to_owned()),
            seq: 0,
            last_message_seq: 0,
            last_activity_at: write.at,
            members: 0,
            owners: 0,
            changed: true,
        };
        self.conversations.insert(id, head);
        let mut entries = vec![self.join(write, write.author, Role::Owner)];
        for &user in members {
            if !self.members.contains_key(&(id, user)) {
                entries.push(self.join(write, user, Role::Member));
            }
        }
        Ok(Committed::Appended(entries))
    }

    fn send(&mut self, write: &Write, id: MessageId, draft: &Draft) -> Result<Committed, Refusal> {
        let conversation_id = write.conversation_id;
        let key = (conversation_id, write.author, draft.client_id);
        if let Some(earlier) = self.sends.get(&key) {
            let same = earlier.body == draft.body && earlier.reply_to == draft.reply_to;
            return if same {
                Ok(Committed::Repeated(earlier.clone()))
            } else {
                Err(Refusal::ClientIdReused)
            };
        }
        if let Some(replied) = draft.reply_to
            && !self.replied.contains(&(conversation_id, replied))
        {
            return Err(Refusal::ReplyNotFound);
        }
        let entry = self.append(write, |seq| Change::NewMessage {
            message: Message {
                id,
                conversation_id,
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
            },
        });
        if let Some(head) = self.conversations.get_mut(&conversation_id) {
            head.last_message_seq = entry.seq;
        }
        self.change(write, write.author, |author| author.read_seq = entry.seq);
        if let Some(message) = entry.message() {
            self.sends.insert(key, message.clone());
        }
        self.replied.insert((conversation_id, id));
        Ok(Committed::Appended(vec![entry]))
    }

    fn put_member(
        &mut self,
        write: &Write,
        user_id: UserId,
        present: Option<Role>,
        wanted: Option<Role>,
    ) -> Committed {
        let by = write.author;
        let entry = match (present, wanted) {
            (None, wanted) => self.join(write, user_id, wanted.unwrap_or(Role::Member)),
            (Some(present), Some(role)) if present != role => {
                self.count_owner(write, present, role);
                self.change(write, user_id, |place| place.role = role);
                self.append(write, |_| Change::MemberRole { user_id, role, by })
            }
            (Some(_), _) => return Committed::Unchanged,
        };
        Committed::Appended(vec![entry])
    }

    fn remove_member(&mut self, write: &Write, user_id: UserId) -> Committed {
        let mut was_owner = false;
        self.change(write, user_id, |place| {
            place.active = false;
            was_owner = place.role == Role::Owner;
        });
        if let Some(head) = self.conversations.get_mut(&write.conversation_id) {
            head.members = head.members.saturating_sub(1);
            head.owners = head.owners.saturating_sub(u64::from(was_owner));
        }
        let by = write.author;
        Committed::Appended(vec![
            self.append(write, |_| Change::MemberLeft { user_id, by }),
        ])
    }

    fn rename(&mut self, write: &Write, title: &Title) -> Committed {
        let title = title.as_str().to_owned();
        if let Some(head) = self.conversations.get_mut(&write.conversation_id) {
            if head.title.as_ref() == Some(&title) {
                return Committed::Unchanged;
            }
            head.title = Some(title.clone());
        }
        let by = write.author;
        Committed::Appended(vec![
            self.append(write, |_| Change::ConversationRenamed { title, by }),
        ])
    }

    fn mark_read(&mut self, write: &Write, seq: Seq) -> Committed {
        let head = self.conversations.get(&write.conversation_id);
        let seq = seq.min(head.map_or(0, |head| head.seq));
        let before = self.place(write, write.author).map_or(0, |it| it.read_seq);
        let moved = seq > before;
        if moved {
            self.change(write, write.author, |author| author.read_seq = seq);
        }
        Committed::Read(ReadCursor {
            seq: seq.max(before),
            moved,
        })
    }

    fn join(&mut self, write: &Write, user_id: UserId, role: Role) -> Entry {
        let by = write.author;
        let entry = self.append(write, |_| Change::MemberJoined { user_id, role, by });
        if let Some(head) = self.conversations.get_mut(&write.conversation_id) {
            head.members += 1;
            head.owners += u64::from(role == Role::Owner);
        }
        let key = (write.conversation_id, user_id);
        let former_rev = self.members.get(&key).map_or(0, |former| former.rev);
        let place = Place {
            role,
            active: true,
            read_seq: entry.seq - 1,
            rev: former_rev + 1,
            changed: true,
        };
        self.members.insert(key, place);
        entry
    }

    /// Gives the entry its place. Only called for a conversation that is there.
    fn append(&mut self, write: &Write, change: impl FnOnce(Seq) -> Change) -> Entry {
        let head = self.conversations.get_mut(&write.conversation_id);
        let seq = head.map_or(1, |head| {
            head.seq += 1;
            head.last_activity_at = head.last_activity_at.max(write.at);
            head.changed = true;
            head.seq
        });
        Entry {
            conversation_id: write.conversation_id,
            seq,
            at: write.at,
            change: change(seq),
        }
    }

    fn count_owner(&mut self, write: &Write, before: Role, after: Role) {
        if let Some(head) = self.conversations.get_mut(&write.conversation_id) {
            head.owners += u64::from(after == Role::Owner);
            head.owners = head.owners.saturating_sub(u64::from(before == Role::Owner));
        }
    }

    /// Changes a user's half of a conversation, which raises its `rev`.
    fn change(&mut self, write: &Write, user: UserId, change: impl FnOnce(&mut Place)) {
        if let Some(place) = self.members.get_mut(&(write.conversation_id, user)) {
            change(place);
            place.rev += 1;
            place.changed = true;
        }
    }

    fn place(&self, write: &Write, user: UserId) -> Option<&Place> {
        let place = self.members.get(&(write.conversation_id, user));
        place.filter(|place| place.active)
    }
}
