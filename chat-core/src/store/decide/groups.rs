//! What is done to groups: made, described, ended; their members added, removed, banned.

use super::{Head, Loaded, Place};
use crate::{
    model::{Change, ConversationKind, Entry, History, Notify, Role, Title, Topic, UserId},
    store::{Committed, Refusal, Write},
};

impl Loaded {
    pub(super) fn create_group(
        &mut self,
        write: &Write,
        title: &Title,
        topic: Option<&Topic>,
        history: History,
        members: &[UserId],
    ) -> Result<Committed, Refusal> {
        let id = write.conversation_id;
        if self.conversations.contains_key(&id) {
            return Err(Refusal::ConversationNotFound);
        }
        let head = Head {
            kind: ConversationKind::Group,
            title: Some(title.as_str().to_owned()),
            topic: topic.map(|topic| topic.as_str().to_owned()),
            history,
            deleted: false,
            seq: 0,
            last_message_seq: 0,
            last_activity_at: write.at,
            members: 0,
            owners: 0,
            blockers: Vec::new(),
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

    /// A message that the author can see.
    pub(super) fn put_member(
        &mut self,
        write: &Write,
        user_id: UserId,
        wanted: Option<Role>,
    ) -> Committed {
        let by = write.author;
        let present = self.place(write, user_id).map(|place| place.role);
        let entry = match (present, wanted) {
            (None, wanted) => self.join(write, user_id, wanted.unwrap_or(Role::Member)),
            (Some(present), Some(role)) if present != role => {
                self.count_owner(write, present, role);
                self.change_place(write, user_id, |place| place.role = role);
                self.append(write, |_| Change::MemberRole { user_id, role, by })
            }
            (Some(_), _) => return Committed::Unchanged,
        };
        Committed::Appended(vec![entry])
    }

    pub(super) fn remove_member(
        &mut self,
        write: &Write,
        user_id: UserId,
        banned: bool,
    ) -> Committed {
        let mut was_owner = false;
        self.change_place(write, user_id, |place| {
            place.active = false;
            place.banned = banned;
            was_owner = place.role == Role::Owner;
        });
        if let Some(head) = self.conversations.get_mut(&write.conversation_id) {
            head.members = head.members.saturating_sub(1);
            head.owners = head.owners.saturating_sub(u64::from(was_owner));
        }
        let by = write.author;
        let left = self.append(write, |_| Change::MemberLeft {
            user_id,
            by,
            banned,
        });
        Committed::Appended(vec![left])
    }

    pub(super) fn lift_ban(&mut self, write: &Write, user: UserId) -> Committed {
        let place = self.members.get(&(write.conversation_id, user));
        if !place.is_some_and(|place| place.banned) {
            return Committed::Unchanged;
        }
        self.change_place(write, user, |place| place.banned = false);
        Committed::Changed
    }

    pub(super) fn update(
        &mut self,
        write: &Write,
        title: Option<&Title>,
        topic: Option<&Option<Topic>>,
        history: Option<History>,
    ) -> Committed {
        let by = write.author;
        let mut changes = Vec::new();
        if let Some(head) = self.conversations.get_mut(&write.conversation_id) {
            let title = title.map(|title| title.as_str().to_owned());
            if let Some(title) = title.filter(|new| head.title.as_ref() != Some(new)) {
                head.title = Some(title.clone());
                changes.push(Change::ConversationRenamed { title, by });
            }
            let topic = topic.map(|topic| topic.clone().map(String::from));
            if let Some(topic) = topic.filter(|new| head.topic != *new) {
                head.topic.clone_from(&topic);
                changes.push(Change::ConversationTopic { topic, by });
            }
            if let Some(history) = history.filter(|new| head.history != *new) {
                head.history = history;
                changes.push(Change::ConversationHistory { history, by });
            }
        }
        if changes.is_empty() {
            return Committed::Unchanged;
        }
        let changes = changes.into_iter();
        Committed::Appended(
            changes
                .map(|change| self.append(write, |_| change))
                .collect(),
        )
    }

    pub(super) fn delete(&mut self, write: &Write) -> Committed {
        let conversation = write.conversation_id;
        for (key, place) in &mut self.members {
            if key.0 == conversation && place.active {
                place.active = false;
                place.rev += 1;
                place.changed = true;
            }
        }
        if let Some(head) = self.conversations.get_mut(&conversation) {
            head.deleted = true;
            head.members = 0;
            head.owners = 0;
        }
        let by = write.author;
        let deleted = self.append(write, |_| Change::ConversationDeleted { by });
        Committed::Appended(vec![deleted])
    }

    pub(super) fn join(&mut self, write: &Write, user_id: UserId, role: Role) -> Entry {
        let by = write.author;
        let entry = self.append(write, |_| Change::MemberJoined { user_id, role, by });
        let mut history_from = 1;
        if let Some(head) = self.conversations.get_mut(&write.conversation_id) {
            head.members += 1;
            head.owners += u64::from(role == Role::Owner);
            if head.history == History::FromJoin {
                history_from = entry.seq;
            }
        }
        let key = (write.conversation_id, user_id);
        let former = self.members.get(&key);
        let seq = entry.seq - 1;
        let place = Place {
            role,
            active: true,
            banned: false,
            read_seq: seq,
            shown_seq: former.map_or(seq, |former| former.shown_seq.max(seq)),
            delivered_seq: former.map_or(seq, |former| former.delivered_seq.max(seq)),
            history_from,
            rev: former.map_or(0, |former| former.rev) + 1,
            pinned: false,
            muted: false,
            archived: false,
            notify: Notify::All,
            changed: true,
        };
        self.members.insert(key, place);
        entry
    }

    /// Gives the entry its place. Only called for a conversation that is there.
    pub(super) fn count_owner(&mut self, write: &Write, before: Role, after: Role) {
        if let Some(head) = self.conversations.get_mut(&write.conversation_id) {
            head.owners += u64::from(after == Role::Owner);
            head.owners = head.owners.saturating_sub(u64::from(before == Role::Owner));
        }
    }
}
