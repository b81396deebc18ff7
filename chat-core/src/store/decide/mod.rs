//! What the writes of a batch do in a database, decided in memory from what was loaded for them.

mod groups;
mod messages;
mod mine;

use std::collections::{BTreeSet, HashMap};

use crate::{
    access::{self, Blocked, Scene},
    model::{
        Change, ClientId, ConversationId, ConversationKind, Emoji, Entry, History, Message,
        MessageId, Notify, Role, Seq, Timestamp, UserId,
    },
    store::{Act, Committed, Mentions, Refusal, Write},
};

/// One send of one user in one conversation.
pub(in crate::store) type SendKey = (ConversationId, UserId, ClientId);
/// One message of one conversation.
pub(in crate::store) type MessageKey = (ConversationId, MessageId);
/// One user's emoji on a message.
pub(in crate::store) type ReactionKey = (ConversationId, MessageId, Emoji, UserId);

/// All that the writes of a batch depend on; what they change is marked, to be stored afterwards.
#[derive(Debug, Default)]
pub(in crate::store) struct Loaded {
    pub(in crate::store) conversations: HashMap<ConversationId, Head>,
    pub(in crate::store) members: HashMap<(ConversationId, UserId), Place>,
    /// Which message each of the sends has become.
    pub(in crate::store) sends: HashMap<SendKey, MessageId>,
    /// Those that were sent before, that are replied to, and that an act is about.
    pub(in crate::store) messages: HashMap<MessageKey, StoredMessage>,
    /// Whether they are there. Those that are not loaded are not.
    pub(in crate::store) reactions: HashMap<ReactionKey, StoredReaction>,
}

/// What must be loaded before a batch can be decided, each once and in order.
#[derive(Debug, Default)]
pub(in crate::store) struct Needed {
    pub(in crate::store) conversations: BTreeSet<ConversationId>,
    /// Those that are to be made.
    pub(in crate::store) groups: BTreeSet<ConversationId>,
    /// The authors, and those that an act is about or calls by name.
    pub(in crate::store) members: BTreeSet<(ConversationId, UserId)>,
    pub(in crate::store) sends: BTreeSet<SendKey>,
    /// Those that are replied to, or that an act is about.
    pub(in crate::store) messages: BTreeSet<MessageKey>,
    pub(in crate::store) reactions: BTreeSet<ReactionKey>,
}

impl Needed {
    pub(in crate::store) fn by(writes: &[Write]) -> Self {
        let mut needed = Self::default();
        for write in writes {
            let conversation = write.conversation_id;
            needed.conversations.insert(conversation);
            needed.members.insert((conversation, write.author));
            let message = write.act.message_id();
            needed.messages.extend(message.map(|id| (conversation, id)));
            let target = write.act.target();
            needed.members.extend(target.map(|id| (conversation, id)));
            match &write.act {
                Act::CreateGroup { .. } => {
                    needed.groups.insert(conversation);
                }
                Act::Send {
                    draft, mentions, ..
                } => {
                    let key = (conversation, write.author, draft.client_id);
                    needed.sends.insert(key);
                    let replied = draft.reply_to.map(|id| (conversation, id));
                    needed.messages.extend(replied);
                    needed.call(conversation, mentions);
                }
                Act::EditMessage { mentions, .. } => needed.call(conversation, mentions),
                Act::React { message_id, emoji } | Act::Unreact { message_id, emoji } => {
                    let key = (conversation, *message_id, emoji.clone(), write.author);
                    needed.reactions.insert(key);
                }
                _ => {}
            }
        }
        needed
    }

    fn call(&mut self, conversation: ConversationId, mentions: &Mentions) {
        let called = mentions.users.iter();
        self.members
            .extend(called.map(|user| (conversation, *user)));
    }
}

/// A conversation, as far as a batch depends on it.
#[derive(Debug)]
pub(in crate::store) struct Head {
    pub(in crate::store) kind: ConversationKind,
    pub(in crate::store) title: Option<String>,
    pub(in crate::store) topic: Option<String>,
    pub(in crate::store) history: History,
    /// All its memberships have ended, which is to be stored with it.
    pub(in crate::store) deleted: bool,
    pub(in crate::store) seq: Seq,
    /// 0 when there is none.
    pub(in crate::store) last_message_seq: Seq,
    pub(in crate::store) last_activity_at: Timestamp,
    pub(in crate::store) members: u64,
    pub(in crate::store) owners: u64,
    /// Who of the two of a direct conversation has blocked the other.
    pub(in crate::store) blockers: Vec<UserId>,
    pub(in crate::store) changed: bool,
}

/// A member, as far as a batch depends on them.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something of its own"
)]
pub(in crate::store) struct Place {
    pub(in crate::store) role: Role,
    pub(in crate::store) active: bool,
    pub(in crate::store) banned: bool,
    pub(in crate::store) read_seq: Seq,
    /// Only rises, whoever else stores it meanwhile.
    pub(in crate::store) shown_seq: Seq,
    /// Only rises, whoever else stores it meanwhile; it does not raise `rev`.
    pub(in crate::store) delivered_seq: Seq,
    pub(in crate::store) history_from: Seq,
    pub(in crate::store) rev: u64,
    pub(in crate::store) pinned: bool,
    pub(in crate::store) muted: bool,
    pub(in crate::store) archived: bool,
    pub(in crate::store) notify: Notify,
    pub(in crate::store) changed: bool,
}

/// A message as it is, or as it will be.
#[derive(Clone, Debug)]
pub(in crate::store) struct StoredMessage {
    pub(in crate::store) message: Message,
    /// Of the text that was sent, once it is no longer the one that is there.
    pub(in crate::store) sent_digest: Option<BodyDigest>,
    pub(in crate::store) is_new: bool,
    /// It was there before and is to be stored as it is now, with whom it calls.
    pub(in crate::store) changed: bool,
}

/// A SHA-256 digest of a text.
pub(in crate::store) type BodyDigest = [u8; 32];

#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct StoredReaction {
    pub(in crate::store) present: bool,
    /// It is to be stored, or removed.
    pub(in crate::store) changed: bool,
}

impl Loaded {
    /// Takes in a message that is in the store.
    pub(in crate::store) fn insert_message(
        &mut self,
        message: Message,
        sent_digest: Option<BodyDigest>,
    ) {
        let stored = StoredMessage {
            sent_digest,
            is_new: false,
            changed: false,
            message,
        };
        let key = (stored.message.conversation_id, stored.message.id);
        self.messages.insert(key, stored);
    }

    /// Messages that were in the store and are to be replaced there.
    pub(in crate::store) fn changed_messages(&self) -> impl Iterator<Item = &StoredMessage> {
        let messages = self.messages.values();
        messages.filter(|stored| stored.changed && !stored.is_new)
    }

    /// Messages that are to be stored for the first time, as the last write of the batch leaves them.
    pub(in crate::store) fn new_messages(&self) -> impl Iterator<Item = &StoredMessage> {
        self.messages.values().filter(|stored| stored.is_new)
    }

    /// Decides one write, seeing what the earlier ones did; a refusal changes nothing.
    pub(in crate::store) fn apply(&mut self, write: &Write) -> Result<Committed, Refusal> {
        if let Act::CreateGroup {
            title,
            topic,
            history,
            members,
        } = &write.act
        {
            return self.create_group(write, title, topic.as_ref(), *history, members);
        }
        if !self.conversations.contains_key(&write.conversation_id) {
            return Err(Refusal::ConversationNotFound);
        }
        self.place(write, write.author)
            .ok_or(Refusal::ConversationNotFound)?;
        if let Act::Send { draft, .. } = &write.act {
            if let Some(repeated) = self.sent_before(write, draft) {
                return repeated;
            }
            let replied = draft.reply_to.map(|id| self.seen(write, id));
            if replied.is_some_and(|seen| seen.is_err()) {
                return Err(Refusal::ReplyNotFound);
            }
        }
        let message = match write.act.message_id() {
            Some(id) => Some(self.seen(write, id)?.clone()),
            None => None,
        };
        self.permit(write, message.as_ref())?;
        let deletes = matches!(write.act, Act::DeleteMessage { .. });
        match message {
            Some(message) if message.deleted_at.is_some() && deletes => Ok(Committed::Unchanged),
            Some(message) if message.deleted_at.is_some() => Err(Refusal::MessageDeleted),
            Some(message) => self.change_message(write, message),
            None => Ok(self.change(write)),
        }
    }

    fn permit(&self, write: &Write, message: Option<&Message>) -> Result<(), Refusal> {
        let head = self.conversations.get(&write.conversation_id);
        let author = self.place(write, write.author);
        let (Some(head), Some(author)) = (head, author) else {
            return Err(Refusal::ConversationNotFound);
        };
        let target = write.act.target();
        let key = target.map(|user| (write.conversation_id, user));
        let target_place = key.and_then(|key| self.members.get(&key));
        let scene = Scene {
            kind: head.kind,
            author: (write.author, author.role),
            target: target_place.filter(|it| it.active).map(|it| it.role),
            target_banned: target_place.is_some_and(|place| place.banned),
            sender: message.map(|message| message.sender_id),
            blocked: Blocked::of(write.author, &head.blockers),
            owners: head.owners,
            members: head.members,
        };
        access::permits(&scene, &write.act)
    }

    fn change(&mut self, write: &Write) -> Committed {
        match &write.act {
            Act::Send {
                id,
                draft,
                mentions,
            } => self.send(write, *id, draft, mentions),
            Act::PutMember { user_id, role } => self.put_member(write, *user_id, *role),
            Act::RemoveMember { user_id, ban } => self.remove_member(write, *user_id, *ban),
            Act::LiftBan { user_id } => self.lift_ban(write, *user_id),
            Act::Update {
                title,
                topic,
                history,
            } => self.update(write, title.as_ref(), topic.as_ref(), *history),
            Act::DeleteConversation => self.delete(write),
            Act::UpdateMine { changes } => self.update_mine(write, *changes),
            Act::MarkRead { seq, shown } => self.mark_read(write, *seq, *shown),
            Act::MarkUnread { seq } => self.mark_unread(write, *seq),
            Act::MarkDelivered { seq } => self.mark_delivered(write, *seq),
            _ => Committed::Unchanged,
        }
    }

    fn append(&mut self, write: &Write, change: impl FnOnce(Seq) -> Change) -> Entry {
        let head = self.conversations.get_mut(&write.conversation_id);
        let seq = head.map_or(1, |head| {
            head.seq += 1;
            head.changed = true;
            head.seq
        });
        let entry = Entry {
            conversation_id: write.conversation_id,
            seq,
            at: write.at,
            change: change(seq),
        };
        if entry.about().is_none()
            && let Some(head) = self.conversations.get_mut(&write.conversation_id)
        {
            head.last_activity_at = head.last_activity_at.max(write.at);
        }
        entry
    }

    /// Changes a user's half of a conversation, which raises its `rev`.
    fn change_place(&mut self, write: &Write, user: UserId, change: impl FnOnce(&mut Place)) {
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
