//! What writes do to a conversation in memory.

use super::conversation::{Place, StoredConversation, count};
use crate::{
    access::{self, Blocked, Scene},
    model::{
        Change, ConversationKind, Draft, Emoji, Entry, History, Message, MessageId, MineChanges,
        Reaction, Role, Seq, Title, Topic, UserId,
    },
    store::{Act, Committed, Mentions, ReadCursor, Refusal, Write},
};

impl StoredConversation {
    pub(super) fn group(
        write: &Write,
        title: &Title,
        topic: Option<&Topic>,
        history: History,
        members: &[UserId],
    ) -> (Self, Committed) {
        let mut group = Self::new(write.conversation_id, ConversationKind::Group, write.at);
        group.title = Some(title.clone());
        group.topic = topic.cloned();
        group.history = history;
        let mut entries = vec![group.join(write, write.author, Role::Owner)];
        for &user in members {
            if !group.members.contains_key(&user) {
                entries.push(group.join(write, user, Role::Member));
            }
        }
        (group, Committed::Appended(entries))
    }

    /// `blockers`: who of the two of a direct conversation has blocked the other.
    pub(super) fn apply(
        &mut self,
        write: &Write,
        blockers: &[UserId],
    ) -> Result<Committed, Refusal> {
        if self.place(write.author).is_none() {
            return Err(Refusal::ConversationNotFound);
        }
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
            Some(id) => Some(self.seen(write, id)?),
            None => None,
        };
        self.permit(write, blockers)?;
        let deletes = matches!(write.act, Act::DeleteMessage { .. });
        match message {
            Some(message) if message.deleted_at.is_some() && deletes => Ok(Committed::Unchanged),
            Some(message) if message.deleted_at.is_some() => Err(Refusal::MessageDeleted),
            Some(message) => self.change_message(write, message),
            None => Ok(self.change(write)),
        }
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
            Act::LiftBan { user_id } => self.lift_ban(*user_id),
            Act::Update {
                title,
                topic,
                history,
            } => self.update(write, title.as_ref(), topic.as_ref(), *history),
            Act::DeleteConversation => self.delete(write),
            Act::UpdateMine { changes } => self.update_mine(write.author, *changes),
            Act::MarkRead { seq, shown } => self.mark_read(write.author, *seq, *shown),
            Act::MarkUnread { seq } => self.mark_unread(write.author, *seq),
            Act::MarkDelivered { seq } => self.mark_delivered(write.author, *seq),
            _ => Committed::Unchanged,
        }
    }

    fn permit(&self, write: &Write, blockers: &[UserId]) -> Result<(), Refusal> {
        if matches!(write.act, Act::CreateGroup { .. }) {
            return Err(Refusal::ConversationNotFound);
        }
        let author = self.place(write.author);
        let author = author.ok_or(Refusal::ConversationNotFound)?;
        let target = write.act.target();
        let roles = || self.active().map(|(_, place)| place.role);
        let sender = write.act.message_id().and_then(|id| self.message(id));
        let scene = Scene {
            kind: self.kind,
            author: (write.author, author.role),
            target: target.and_then(|user| self.place(user)).map(|it| it.role),
            target_banned: target
                .and_then(|user| self.members.get(&user))
                .is_some_and(|place| place.banned),
            sender: sender.map(|message| message.sender_id),
            blocked: Blocked::of(write.author, blockers),
            owners: count(roles().filter(|role| *role == Role::Owner)),
            members: count(roles()),
        };
        access::permits(&scene, &write.act)
    }

    /// A message that the author can see.
    fn seen(&self, write: &Write, id: MessageId) -> Result<Message, Refusal> {
        let from = self
            .place(write.author)
            .map_or(Seq::MAX, |it| it.history_from);
        let message = self.message(id).filter(|message| message.seq >= from);
        message.cloned().ok_or(Refusal::MessageNotFound)
    }

    fn sent_before(&self, write: &Write, draft: &Draft) -> Option<Result<Committed, Refusal>> {
        let send = (write.author, draft.client_id);
        #[cfg(any(test, feature = "bugs"))]
        let send = crate::bug::forget_client_id(send);
        let (seq, body) = self.sends.get(&send)?;
        let message = self.messages.get(seq)?;
        let same = *body == draft.body && message.reply_to == draft.reply_to;
        Some(if same {
            Ok(Committed::Repeated(message.clone()))
        } else {
            Err(Refusal::ClientIdReused)
        })
    }

    fn send(
        &mut self,
        write: &Write,
        id: MessageId,
        draft: &Draft,
        mentions: &Mentions,
    ) -> Committed {
        let seq = self.head() + 1;
        let mut message = Message::new(write, id, seq, draft);
        self.call(write, &mut message, mentions);
        let send = (write.author, draft.client_id);
        #[cfg(any(test, feature = "bugs"))]
        let send = crate::bug::forget_client_id(send);
        self.sends.insert(send, (seq, draft.body.clone()));
        self.message_seqs.insert(id, seq);
        self.messages.insert(seq, message.clone());
        self.last_message_seq = Some(seq);
        if let Some(author) = self.members.get_mut(&write.author) {
            author.read_seq = seq;
            author.shown_seq = seq;
            author.delivered_seq = seq;
            author.rev += 1;
        }
        self.append(write, Change::NewMessage { message })
    }

    fn call(&self, write: &Write, message: &mut Message, mentions: &Mentions) {
        let role = self.place(write.author).map(|place| place.role);
        message.call(mentions, role, |user| self.place(user).is_some());
    }

    fn change_message(
        &mut self,
        write: &Write,
        mut message: Message,
    ) -> Result<Committed, Refusal> {
        let (by, seq) = (write.author, message.seq);
        message.changed_seq = self.head() + 1;
        let change = match &write.act {
            Act::EditMessage { body, .. } if *body == message.body => {
                return Ok(Committed::Unchanged);
            }
            Act::EditMessage { body, mentions, .. } => {
                message.body.clone_from(body);
                message.edited_at = Some(write.at);
                self.call(write, &mut message, mentions);
                let message = message.clone();
                Change::MessageEdited { message }
            }
            Act::DeleteMessage { .. } => {
                message.erase(write.at);
                self.reactions.retain(|(of, ..)| *of != seq);
                let message = message.clone();
                Change::MessageDeleted { message, by }
            }
            Act::Pin { pinned, .. } if message.pinned_at.is_some() == *pinned => {
                return Ok(Committed::Unchanged);
            }
            Act::Pin { pinned, .. } => {
                message.pinned_at = pinned.then_some(write.at);
                let message = message.clone();
                if *pinned {
                    Change::MessagePinned { message, by }
                } else {
                    Change::MessageUnpinned { message, by }
                }
            }
            Act::React { emoji, .. } => match self.react(by, &mut message, emoji)? {
                Some(change) => change,
                None => return Ok(Committed::Unchanged),
            },
            Act::Unreact { emoji, .. } => match self.unreact(by, &mut message, emoji) {
                Some(change) => change,
                None => return Ok(Committed::Unchanged),
            },
            _ => return Ok(Committed::Unchanged),
        };
        self.messages.insert(seq, message);
        Ok(self.append(write, change))
    }

    fn react(
        &mut self,
        user_id: UserId,
        message: &mut Message,
        emoji: &Emoji,
    ) -> Result<Option<Change>, Refusal> {
        let key = (message.seq, emoji.clone(), user_id);
        if self.reactions.contains(&key) {
            return Ok(None);
        }
        let is_new = message.reaction(emoji).count == 0;
        if is_new && message.reactions.len() >= Reaction::MAX_EMOJI {
            return Err(Refusal::TooManyReactions);
        }
        self.reactions.insert(key);
        message.add_reaction(emoji, user_id);
        Ok(Some(Change::ReactionAdded {
            message_id: message.id,
            message_seq: message.seq,
            user_id,
            reaction: message.reaction(emoji),
        }))
    }

    fn unreact(&mut self, user_id: UserId, message: &mut Message, emoji: &Emoji) -> Option<Change> {
        let was_there = self
            .reactions
            .remove(&(message.seq, emoji.clone(), user_id));
        was_there.then(|| {
            message.remove_reaction(emoji, user_id);
            Change::ReactionRemoved {
                message_id: message.id,
                message_seq: message.seq,
                user_id,
                reaction: message.reaction(emoji),
            }
        })
    }

    fn put_member(&mut self, write: &Write, user: UserId, wanted: Option<Role>) -> Committed {
        match self.members.get_mut(&user) {
            Some(place) if place.active => match wanted {
                Some(role) if role != place.role => {
                    place.role = role;
                    place.rev += 1;
                    let (user_id, by) = (user, write.author);
                    self.append(write, Change::MemberRole { user_id, role, by })
                }
                _ => Committed::Unchanged,
            },
            _ => {
                let role = wanted.unwrap_or(Role::Member);
                Committed::Appended(vec![self.join(write, user, role)])
            }
        }
    }

    fn remove_member(&mut self, write: &Write, user_id: UserId, banned: bool) -> Committed {
        if let Some(place) = self.members.get_mut(&user_id) {
            self.member_count -= u64::from(place.active);
            place.active = false;
            place.banned = banned;
            place.rev += 1;
        }
        let by = write.author;
        self.append(
            write,
            Change::MemberLeft {
                user_id,
                by,
                banned,
            },
        )
    }

    fn lift_ban(&mut self, user: UserId) -> Committed {
        match self.members.get_mut(&user) {
            Some(place) if place.banned => {
                place.banned = false;
                place.rev += 1;
                Committed::Changed
            }
            _ => Committed::Unchanged,
        }
    }

    fn update(
        &mut self,
        write: &Write,
        title: Option<&Title>,
        topic: Option<&Option<Topic>>,
        history: Option<History>,
    ) -> Committed {
        let by = write.author;
        let mut entries = Vec::new();
        if let Some(new) = title.filter(|new| self.title.as_ref() != Some(*new)) {
            self.title = Some(new.clone());
            let title = new.as_str().to_owned();
            entries.push(self.push(write.at, Change::ConversationRenamed { title, by }));
        }
        if let Some(new) = topic.filter(|new| self.topic != **new) {
            self.topic.clone_from(new);
            let topic = new.clone().map(String::from);
            entries.push(self.push(write.at, Change::ConversationTopic { topic, by }));
        }
        if let Some(history) = history.filter(|new| self.history != *new) {
            self.history = history;
            entries.push(self.push(write.at, Change::ConversationHistory { history, by }));
        }
        if entries.is_empty() {
            Committed::Unchanged
        } else {
            Committed::Appended(entries)
        }
    }

    fn delete(&mut self, write: &Write) -> Committed {
        for place in self.members.values_mut().filter(|place| place.active) {
            place.active = false;
            place.rev += 1;
        }
        self.member_count = 0;
        self.deleted = true;
        let by = write.author;
        self.append(write, Change::ConversationDeleted { by })
    }

    fn update_mine(&mut self, user: UserId, changes: MineChanges) -> Committed {
        let Some(place) = self.members.get_mut(&user) else {
            return Committed::Unchanged;
        };
        let before = (place.pinned, place.muted, place.archived, place.notify);
        let after = (
            changes.pinned.unwrap_or(place.pinned),
            changes.muted.unwrap_or(place.muted),
            changes.archived.unwrap_or(place.archived),
            changes.notify.unwrap_or(place.notify),
        );
        if before == after {
            return Committed::Unchanged;
        }
        (place.pinned, place.muted, place.archived, place.notify) = after;
        place.rev += 1;
        Committed::Changed
    }

    fn mark_read(&mut self, user: UserId, seq: Seq, shown: bool) -> Committed {
        let seq = seq.min(self.head());
        self.move_cursors(user, |place| {
            place.read_seq = seq.max(place.read_seq);
            if shown {
                place.shown_seq = seq.max(place.shown_seq);
            }
            place.delivered_seq = seq.max(place.delivered_seq);
        })
    }

    fn mark_unread(&mut self, user: UserId, seq: Seq) -> Committed {
        self.move_cursors(user, |place| {
            let seq = seq.max(place.history_from - 1);
            place.read_seq = seq.min(place.read_seq);
        })
    }

    fn mark_delivered(&mut self, user: UserId, seq: Seq) -> Committed {
        let seq = seq.min(self.head());
        self.move_cursors(user, |place| {
            place.delivered_seq = seq.max(place.delivered_seq);
        })
    }

    fn move_cursors(&mut self, user: UserId, change: impl FnOnce(&mut Place)) -> Committed {
        let Some(place) = self.members.get_mut(&user) else {
            return Committed::Unchanged;
        };
        let before = *place;
        change(place);
        let moved = place.read_seq != before.read_seq;
        place.rev += u64::from(moved);
        let changed = |before, after| (before != after).then_some(after);
        Committed::Read(ReadCursor {
            seq: place.read_seq,
            moved,
            shown: changed(before.shown_seq, place.shown_seq),
            delivered: changed(before.delivered_seq, place.delivered_seq),
        })
    }

    fn join(&mut self, write: &Write, user_id: UserId, role: Role) -> Entry {
        let (head, by) = (self.head(), write.author);
        let history_from = match self.history {
            History::Shared => 1,
            History::FromJoin => head + 1,
        };
        let mut place = Place::new(role, head, history_from);
        if let Some(former) = self.members.get(&user_id) {
            place.rev += former.rev;
            place.shown_seq = former.shown_seq.max(head);
            place.delivered_seq = former.delivered_seq.max(head);
        }
        self.insert_member(user_id, place);
        self.push(write.at, Change::MemberJoined { user_id, role, by })
    }
}
