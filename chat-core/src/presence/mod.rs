//! Who is there: users by their sessions, with a grace for broken connections, and when they were last seen.

use std::{mem, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    inbox::Inbox,
    limits::Limits,
    model::{Presence, Status, Timestamp, UserId},
    source::{HashMap, HashSet},
    store::{AnyStore, StoreError},
};

/// The presence of the users of this node.
#[derive(Debug)]
pub(crate) struct Presences {
    store: AnyStore,
    limits: Arc<Limits>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those who are there, or whose grace has not run out.
    there: HashMap<UserId, There>,
    watchers: HashMap<UserId, Vec<Arc<Inbox>>>,
    /// Last-seen times that the store has not got yet.
    unsaved: HashMap<UserId, Timestamp>,
    touched: Option<Instant>,
}

#[derive(Debug, Default)]
struct There {
    sessions: usize,
    /// The last session broke off at this time; the grace ends at that instant.
    leaving: Option<(Timestamp, Instant)>,
}

impl Presences {
    pub(crate) fn new(store: AnyStore, limits: Arc<Limits>) -> Self {
        Self {
            store,
            limits,
            state: Mutex::default(),
        }
    }

    /// One more session of this user.
    pub(crate) fn connected(&self, user: UserId) {
        let mut state = self.state.lock();
        let is_news = !state.there.contains_key(&user);
        let there = state.there.entry(user).or_default();
        there.sessions += 1;
        there.leaving = None;
        if is_news {
            state.announce(Presence {
                user_id: user,
                status: Status::Online,
                last_seen_at: None,
            });
        }
    }

    /// One session less; after a goodbye the user is offline at once, else when the grace has run out.
    pub(crate) fn disconnected(&self, user: UserId, said_goodbye: bool) {
        let mut state = self.state.lock();
        let Some(there) = state.there.get_mut(&user) else {
            return;
        };
        there.sessions = there.sessions.saturating_sub(1);
        #[cfg(test)]
        if crate::simulation::bug::active(crate::simulation::bug::Bug::GhostPresence) {
            return;
        }
        if there.sessions > 0 {
            return;
        }
        let now = Timestamp::now();
        if said_goodbye {
            state.leave(user, now);
        } else {
            there.leaving = Some((now, Instant::now() + self.limits.presence_grace));
        }
    }

    /// Tells this session of each change of the user's presence.
    pub(crate) fn watch(&self, user: UserId, inbox: &Arc<Inbox>) {
        self.state
            .lock()
            .watchers
            .entry(user)
            .or_default()
            .push(Arc::clone(inbox));
    }

    /// The opposite of [`watch`](Self::watch).
    pub(crate) fn unwatch(&self, user: UserId, inbox: &Arc<Inbox>) {
        let mut state = self.state.lock();
        if let Some(watchers) = state.watchers.get_mut(&user) {
            watchers.retain(|other| !Arc::ptr_eq(other, inbox));
            if watchers.is_empty() {
                state.watchers.remove(&user);
            }
        }
    }

    /// The presence of these users now.
    pub(crate) async fn of(&self, users: &[UserId]) -> Result<Vec<Presence>, StoreError> {
        let absent = self.absent(users);
        let seen: HashMap<_, _> = match absent.as_slice() {
            [] => HashMap::default(),
            absent => self.store.last_seen(absent).await?.into_iter().collect(),
        };
        let state = self.state.lock();
        Ok(users
            .iter()
            .map(|user| state.presence(*user, seen.get(user).copied()))
            .collect())
    }

    fn absent(&self, users: &[UserId]) -> Vec<UserId> {
        let state = self.state.lock();
        let absent = users.iter().filter(|user| !state.there.contains_key(user));
        absent.copied().collect()
    }

    /// What time brings: ends graces, and notes when those who are there were seen. To be called several times a second.
    pub(crate) fn tick(&self) {
        let mut state = self.state.lock();
        state.end_graces();
        if state
            .touched
            .is_none_or(|at| at.elapsed() >= self.limits.presence_touch)
        {
            state.touched = Some(Instant::now());
            let now = Timestamp::now();
            let connected: Vec<_> = state
                .there
                .iter()
                .filter(|(_, t)| t.sessions > 0)
                .map(|(user, _)| *user)
                .collect();
            state
                .unsaved
                .extend(connected.into_iter().map(|user| (user, now)));
        }
    }

    /// Everybody leaves: this node stops.
    pub(crate) async fn leave_all(&self) -> Result<(), StoreError> {
        {
            let mut state = self.state.lock();
            let (now, users): (_, HashSet<_>) =
                (Timestamp::now(), state.there.keys().copied().collect());
            for user in users {
                state.leave(user, now);
            }
        }
        self.save().await
    }

    /// Writes down the last-seen times that wait; they go on waiting if the store fails.
    pub(crate) async fn save(&self) -> Result<(), StoreError> {
        let unsaved: Vec<_> = self
            .state
            .lock()
            .unsaved
            .iter()
            .map(|(user, at)| (*user, *at))
            .collect();
        if unsaved.is_empty() {
            return Ok(());
        }
        self.store.set_last_seen(&unsaved).await?;
        let mut state = self.state.lock();
        for (user, saved) in unsaved {
            if state.unsaved.get(&user) == Some(&saved) {
                state.unsaved.remove(&user);
            }
        }
        Ok(())
    }
}

impl State {
    fn presence(&self, user_id: UserId, stored: Option<Timestamp>) -> Presence {
        if self.there.contains_key(&user_id) {
            return Presence {
                user_id,
                status: Status::Online,
                last_seen_at: None,
            };
        }
        let last_seen_at = stored.max(self.unsaved.get(&user_id).copied());
        Presence {
            user_id,
            status: Status::Offline,
            last_seen_at,
        }
    }

    fn leave(&mut self, user: UserId, at: Timestamp) {
        self.there.remove(&user);
        self.unsaved.insert(user, at);
        self.announce(Presence {
            user_id: user,
            status: Status::Offline,
            last_seen_at: Some(at),
        });
    }

    fn end_graces(&mut self) {
        let now = Instant::now();
        let over = |there: &There| {
            there
                .leaving
                .filter(|(_, until)| *until <= now)
                .map(|(at, _)| at)
        };
        let gone: Vec<_> = self
            .there
            .iter()
            .filter_map(|(user, there)| Some((*user, over(there)?)))
            .collect();
        for (user, at) in gone {
            self.leave(user, at);
        }
    }

    /// Said under the lock, so that two changes reach a watcher in the order in which they happened.
    fn announce(&self, presence: Presence) {
        for inbox in self.watchers.get(&presence.user_id).into_iter().flatten() {
            inbox.presence_changed(presence);
        }
    }
}

impl Drop for Presences {
    fn drop(&mut self) {
        let unsaved = mem::take(&mut self.state.get_mut().unsaved);
        if !unsaved.is_empty() {
            tracing::warn!(
                users = unsaved.len(),
                "last-seen times were not written down: the chat was not shut down"
            );
        }
    }
}
