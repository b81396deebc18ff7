//! What must be true at the end of a run.

use std::collections::BTreeMap;

use super::{
    device::App,
    history::{History, Promise},
    script::Script,
    store::at_once,
    world::OpenSession,
};
use crate::{
    model::{Availability, ConversationId, Entry, Message, Row, Seq, Status, Unread, UserId},
    store::{Around, ConversationStore, MemoryStore, MessageLog, UserStore},
};

impl Script {
    /// The store holds what was acknowledged, once, in an order that everybody could have seen.
    pub(super) fn check_log(&self) {
        for conversation in self.conversations() {
            check_log_of(conversation, &self.world.log, &mut self.world.history());
        }
        let mut history = self.world.history();
        check_order(&mut history);
        for ((conversation, user), read) in history.reads.clone() {
            let place = at_once(self.world.log.membership(conversation, user));
            if place.is_some_and(|place| place.read_seq < read) {
                let what = format!("{user} had read {conversation} up to {read}: {place:?}");
                history.violation(Promise::Durable, what);
            }
        }
    }

    /// What somebody was told is accepted has reached everybody else.
    pub(super) fn check_acknowledged(&self) {
        let acknowledged = self.world.history().acknowledged.clone();
        for (number, open) in self.world.sessions.lock().clone() {
            for conversation in self.world.listed(open.user) {
                // That they belong to it may be what nobody heard.
                let Some(served) = open.served.get(&conversation) else {
                    continue;
                };
                let known = acknowledged.get(&conversation);
                if Some(served) < known {
                    let what = format!(
                        "session {number} on n{} was served {served:?} of {conversation}, where {known:?} was acknowledged",
                        open.node
                    );
                    self.world.violation(Promise::NoGap, what);
                }
            }
        }
    }

    /// Everybody has everything, and sees it as it is.
    pub(super) fn check_everybody(&self) {
        self.check_sessions();
        for device in &self.devices {
            let app = device.app.lock();
            let listed = self.world.listed(device.user);
            for conversation in &listed {
                let cursor = app.kept.cursors.get(conversation);
                let head = self.head(*conversation);
                if cursor != Some(&head) {
                    let what =
                        format!("{app} is at {cursor:?} of {conversation}, which has {head}");
                    self.world.violation(Promise::NoGap, what);
                }
            }
            self.check_messages(&app, device.user);
            let (mut seen, is) = (app.rows.clone(), self.rows(device.user));
            if !self.world.everything_was_heard() || !self.world.losses_are_known() {
                // Nothing is said any more where it was deleted, so nobody finds out.
                let deleted = |id| {
                    at_once(self.world.log.member_ids(id)).is_some_and(|(_, ids)| ids.is_empty())
                };
                seen.retain(|id, _| !deleted(*id));
            }
            for row in seen.values_mut() {
                // Names are the directory's, and who is there is looked at apart.
                row.conversation.peer = None;
            }
            if seen != is {
                let wrong = seen.iter().filter(|(id, row)| is.get(id) != Some(row));
                let missing = is.iter().filter(|(id, _)| !seen.contains_key(id));
                let wrong: Vec<_> = wrong.chain(missing).map(|(_, row)| row).collect();
                let what = format!("{app} sees {wrong:?}, and it is {is:?}");
                self.world.violation(Promise::Rows, what);
            }
        }
        self.check_presence();
    }

    /// What an application made of the log is what there is.
    fn check_messages(&self, app: &App, user: UserId) {
        let log = &self.world.log;
        for conversation in self.world.listed(user) {
            let Some(place) = at_once(log.membership(conversation, user)) else {
                continue;
            };
            let from = place.history_from;
            let is = at_once(log.messages(conversation, Around::Newest, from, usize::MAX));
            let seen = app.kept.messages.get(&conversation);
            for message in is {
                let seen = seen.and_then(|seen| seen.get(&message.seq));
                if seen != Some(&message) {
                    let what = format!("{app} sees {seen:?}, and it is {message:?}");
                    self.world.violation(Promise::NoGap, what);
                }
            }
        }
    }

    /// What each session was served, whatever the client library makes of it.
    fn check_sessions(&self) {
        let sessions = self.world.sessions.lock().clone();
        for (number, open) in sessions {
            for conversation in self.world.listed(open.user) {
                let (head, served) = (self.head(conversation), open.served.get(&conversation));
                if served != Some(&head) {
                    let what = format!(
                        "session {number} on n{} was served {served:?} of {conversation}, which has {head}",
                        open.node
                    );
                    self.world.violation(Promise::NoGap, what);
                }
            }
        }
    }

    /// Those who are connected to any node are seen online on all; those who are gone, on none.
    fn check_presence(&self) {
        let sessions = self.world.sessions.lock().clone();
        for device in &self.devices {
            let app = device.app.lock();
            let own = sessions.values().find(|it| it.author == device.author);
            let Some(OpenSession { node, .. }) = own else {
                continue;
            };
            for (user, told) in &app.presence {
                let is_there = sessions.values().any(|open| open.user == *user);
                let settings = at_once(self.world.log.settings(*user));
                let status = match settings.availability {
                    _ if !is_there => Status::Offline,
                    Availability::Invisible => Status::Offline,
                    Availability::Dnd => Status::Dnd,
                    _ => Status::Online,
                };
                if told.status != status {
                    let what = format!("{app} on n{node} sees {told:?}, who is {status:?}");
                    self.world.violation(Promise::Presence, what);
                }
            }
        }
    }

    /// Every node tells the same log.
    pub(super) async fn check_nodes(&self) {
        let nodes: Vec<_> = self.world.nodes.lock().iter().flatten().cloned().collect();
        for node in nodes {
            let (reader, lobby) = (self.world.users[0], self.lobby);
            let told = node.chat.events(reader, lobby, 0, usize::MAX).await;
            let is = at_once(self.world.log.entries_after(lobby, 0, usize::MAX));
            if told.map(|events| events.items).ok().as_ref() != Some(&is) {
                let what = format!("n{} tells another log", node.index);
                self.world.violation(Promise::OneOrder, what);
            }
        }
    }

    fn head(&self, conversation: ConversationId) -> Seq {
        at_once(self.world.log.head(conversation)).unwrap_or(0)
    }

    /// A user's list, its unread counts computed from their definition.
    fn rows(&self, user: UserId) -> BTreeMap<ConversationId, Row> {
        let log = &self.world.log;
        let stored = at_once(log.rows_of(user, &self.world.listed(user)));
        let rows = stored.into_iter().map(|stored| {
            let mut row = stored.row;
            let id = row.conversation.id;
            let after = at_once(log.entries_after(id, row.me.read_seq, usize::MAX));
            let messages = after.iter().filter_map(Entry::message);
            let others = |it: &&Message| it.sender_id != user && it.deleted_at.is_none();
            let unread: Vec<_> = messages.filter(others).collect();
            let calls_me = |it: &&&Message| it.mentions_everyone || it.mentions.contains(&user);
            let mentions = unread.iter().filter(calls_me).count();
            row.unread = Unread::from_count(unread.len() as u64, mentions as u64);
            (id, row)
        });
        rows.collect()
    }
}

fn check_log_of(conversation: ConversationId, log: &MemoryStore, history: &mut History) {
    let entries = at_once(log.entries_after(conversation, 0, usize::MAX));
    let dense = entries.iter().zip(1..).all(|(entry, n)| entry.seq == n);
    if !dense {
        history.violation(Promise::OneOrder, format!("{conversation} has a hole"));
    }
    let mut seen = BTreeMap::new();
    for message in entries.iter().filter_map(Entry::message) {
        let name = (conversation, message.sender_id, message.client_id);
        if let Some(earlier) = seen.insert(name, message.seq) {
            let what = format!("{message:?} is in the log as {earlier}, too");
            history.violation(Promise::OneEffect, what);
        }
        let wanted = history.attempts.get(&name);
        let is_changed = message.edited_at.is_some() || message.deleted_at.is_some();
        if wanted.is_none_or(|it| it.draft.body != message.body && !is_changed) {
            let what = format!("nobody sent {message:?}");
            history.violation(Promise::OneEffect, what);
        }
    }
    let mut lost = Vec::new();
    for (name, attempt) in &history.attempts {
        if name.0 == conversation
            && attempt.acknowledged.is_some()
            && attempt.acknowledged != seen.get(name).copied()
        {
            lost.push(format!(
                "{attempt:?} was acknowledged, the log has {:?}",
                seen.get(name)
            ));
        }
    }
    for what in lost {
        history.violation(Promise::Durable, what);
    }
}

/// What one device sent, in the order in which it was asked to.
fn check_order(history: &mut History) {
    let mut broken = Vec::new();
    for ((author, conversation), order) in &history.order {
        let places = order.iter().filter_map(|(user, client_id)| {
            let name = (*conversation, *user, *client_id);
            history.attempts.get(&name)?.acknowledged
        });
        let places: Vec<Seq> = places.collect();
        if !places.is_sorted() {
            broken.push(format!("author {author} in {conversation}: {places:?}"));
        }
    }
    for what in broken {
        history.violation(Promise::OneOrder, what);
    }
}
