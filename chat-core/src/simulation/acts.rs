//! What people do in a run beside saying something: they change messages, come and go, and decide how they are seen.

use std::sync::Arc;

use super::script::{Script, attempt};
use crate::{
    NewGroup,
    model::{
        Availability, ConversationId, Emoji, History, Message, MineChanges, Notify, Title, UserId,
    },
    protocol::rest::PatchSettings,
    store::{Around, ConversationStore, MessageLog},
};

use super::store::at_once;

impl Script {
    fn any_user(&self) -> UserId {
        let users = &self.world.users;
        users[self.world.random().below(users.len())]
    }

    fn any_listed(&self, user: UserId) -> Option<ConversationId> {
        let conversations = self.world.listed(user);
        self.world.random().pick(&conversations)
    }

    /// One of the newest messages that the user can see.
    fn any_message(&self, user: UserId, conversation: ConversationId) -> Option<Message> {
        let log = &self.world.log;
        let from = at_once(log.membership(conversation, user))?.history_from;
        let newest = log.messages(conversation, Around::Newest, from, 10);
        self.world.random().pick(&at_once(newest))
    }

    pub(super) fn change_message(&mut self) {
        let user = self.any_user();
        let Some(conversation) = self.any_listed(user) else {
            return;
        };
        let Some(message) = self.any_message(user, conversation) else {
            return;
        };
        let text = self.text();
        let kind = self.world.random().below(10);
        let emoji = ["👍", "🎉"][self.world.random().below(2)];
        let world = Arc::clone(&self.world);
        self.callers.spawn(async move {
            let id = message.id;
            let done = attempt(&world, |chat| {
                let (text, emoji) = (text.clone(), Emoji::try_from(emoji.to_owned()).unwrap());
                async move {
                    match kind {
                        0..3 => chat.edit(user, conversation, id, text).await,
                        3 => chat.delete_message(user, conversation, id).await,
                        4..7 => chat.react(user, conversation, id, emoji).await,
                        7 => chat.unreact(user, conversation, id, emoji).await,
                        pin => chat.pin(user, conversation, id, pin == 8).await,
                    }
                }
            })
            .await;
            world.note(|| format!("change {kind} of {id}: {:?}", done.map(|it| it.is_ok())));
        });
    }

    pub(super) fn mark_unread(&mut self) {
        let user = self.any_user();
        let Some(conversation) = self.any_listed(user) else {
            return;
        };
        let read = at_once(self.world.log.membership(conversation, user));
        let read = read.map_or(0, |place| place.read_seq);
        let seq = read.saturating_sub(self.world.random().below(4) as u64);
        let world = Arc::clone(&self.world);
        world.history().sets_back(conversation, user);
        self.callers.spawn(async move {
            let done = attempt(&world, |chat| async move {
                chat.mark_unread(user, conversation, seq).await
            });
            let done = done.await;
            world.note(|| format!("{conversation} unread after {seq}: {done:?}"));
        });
    }

    /// Everybody sets a cursor back, when nothing goes wrong any more.
    pub(super) async fn mark_something_unread(&self) {
        for user in self.world.users.clone() {
            let Some(conversation) = self.any_listed(user) else {
                continue;
            };
            let head = at_once(self.world.log.head(conversation)).unwrap_or(0);
            self.world.history().sets_back(conversation, user);
            let set_back = |chat: crate::Chat| async move {
                chat.mark_read(user, conversation, head).await?;
                chat.mark_unread(user, conversation, head - 1).await
            };
            while !matches!(attempt(&self.world, set_back).await, Some(Ok(_))) {}
        }
    }

    pub(super) fn change_settings(&mut self) {
        let user = self.any_user();
        let Some(conversation) = self.any_listed(user) else {
            return;
        };
        let changes = {
            let mut random = self.world.random();
            MineChanges {
                pinned: Some(random.chance(30)),
                muted: random.chance(50).then_some(true),
                archived: None,
                notify: random.pick(&[None, Some(Notify::Mentions)]).flatten(),
            }
        };
        let world = Arc::clone(&self.world);
        self.callers.spawn(async move {
            let done = attempt(&world, |chat| async move {
                chat.update_mine(user, conversation, changes).await
            });
            let done = done.await.map(|row| row.is_ok());
            world.note(|| format!("settings of {conversation}: {done:?}"));
        });
    }

    pub(super) fn change_availability(&mut self) {
        let (user, world) = (self.any_user(), Arc::clone(&self.world));
        let availability = self.any_availability();
        self.callers.spawn(async move {
            let changes = seen_as(availability);
            let call = |chat: crate::Chat| async move { chat.update_settings(user, changes).await };
            let done = attempt(&world, call).await;
            world.note(|| format!("{user} is seen as {availability:?}: {done:?}"));
        });
    }

    fn any_availability(&self) -> Availability {
        let all = [
            Availability::Online,
            Availability::Dnd,
            Availability::Invisible,
        ];
        all[self.world.random().below(all.len())]
    }

    /// Everybody decides once more how to be seen, when nothing goes wrong any more: what a node that failed has left behind
    /// in the store, no other one was told.
    pub(super) async fn settle_availabilities(&self) {
        for user in self.world.users.clone() {
            let changes = seen_as(self.any_availability());
            let set = |chat: crate::Chat| async move { chat.update_settings(user, changes).await };
            while !matches!(attempt(&self.world, set).await, Some(Ok(_))) {}
        }
    }

    pub(super) fn change_membership(&mut self) {
        let owner = self.world.users[1];
        let group = self.coming_and_going[self.world.random().below(2)];
        let kind = self.world.random().below(12);
        let others = self.world.users[2..].to_vec();
        let user = self.world.random().pick(&others).unwrap_or(owner);
        let world = Arc::clone(&self.world);
        self.callers.spawn(async move {
            let done = attempt(&world, |chat| async move {
                match kind {
                    0..6 => chat.put_member(owner, group, user, None).await.map(drop),
                    6..9 => chat.remove_member(owner, group, user, false).await,
                    9 => chat.remove_member(owner, group, user, true).await,
                    10 => chat.lift_ban(owner, group, user).await,
                    _ => chat.remove_member(user, group, user, false).await,
                }
            })
            .await;
            world.note(|| format!("membership {kind} of {user}: {done:?}"));
        });
    }

    pub(super) fn change_group(&mut self) {
        let title = self.text()[..4].to_owned();
        let (owner, group) = (self.world.users[1], self.coming_and_going[0]);
        let kind = self.world.random().below(3);
        let world = Arc::clone(&self.world);
        self.callers.spawn(async move {
            let done = attempt(&world, |chat| {
                let title = Title::try_from(format!("group {title}")).ok();
                async move {
                    let (title, history) = match kind {
                        0 => (title, None),
                        1 => (None, Some(History::Shared)),
                        _ => (None, Some(History::FromJoin)),
                    };
                    chat.update(owner, group, title, None, history).await
                }
            });
            let done = done.await.map(|row| row.is_ok());
            world.note(|| format!("group changed, {kind}: {done:?}"));
        });
    }

    /// A group for a while, which its owner deletes again.
    pub(super) fn found_or_delete_group(&mut self) {
        let owner = self.world.users[0];
        let founded = self.world.history().passing.clone();
        let victim = self.world.random().pick(&founded);
        let world = Arc::clone(&self.world);
        if let Some(group) = victim.filter(|_| world.random().chance(60)) {
            self.callers.spawn(async move {
                let done = attempt(&world, |chat| async move {
                    chat.delete_conversation(owner, group).await
                });
                let done = done.await;
                world.note(|| format!("{group} deleted: {done:?}"));
            });
            return;
        }
        let others = self.world.users[1..4].to_vec();
        self.callers.spawn(async move {
            let made = attempt(&world, |chat| {
                let title = Title::try_from("passing".to_owned()).unwrap();
                let group = NewGroup::new(title, others.clone());
                async move { chat.create_group(owner, group).await }
            });
            if let Some(Ok(row)) = made.await {
                world.history().passing.push(row.conversation.id);
            }
        });
    }
}

fn seen_as(availability: Availability) -> PatchSettings {
    PatchSettings {
        availability: Some(availability),
        ..PatchSettings::default()
    }
}
