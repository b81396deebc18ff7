//! Who is there, here and on other nodes: users by their sessions, with a grace for broken connections, and when they were
//! last seen.

mod doubts;
mod elsewhere;
mod there;

use std::{collections::BTreeMap, mem, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

pub(crate) use self::{doubts::Doubts, elsewhere::Part};
use self::{elsewhere::Elsewhere, there::There};
use crate::{
    bus::{NodeBus, Notice},
    inbox::Inbox,
    limits::Limits,
    model::{NodeId, Presence, Settings, Status, Timestamp, UserId},
    source::{HashMap, HashSet},
    store::{AnyStore, StoreError},
};

/// How many users are told of in one notice.
const USERS_IN_A_NOTICE: usize = 2_000;

/// The presence of users: of those on this node, and of those elsewhere as their nodes tell it.
#[derive(Debug)]
pub(crate) struct Presences {
    store: AnyStore,
    bus: NodeBus,
    limits: Arc<Limits>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Those who are there, or whose grace has not run out; the invisible too.
    there: HashMap<UserId, There>,
    watched: HashMap<UserId, Watched>,
    /// Last-seen times that the store has not got yet.
    unsaved: HashMap<UserId, Timestamp>,
    touched: Option<Instant>,
    /// How many changes of settings were heard of.
    settings_seen: u64,
    /// How many blocks were heard of.
    blocks_seen: u64,
    elsewhere: Elsewhere,
    /// How users of this node are seen from here on, which the others have not been told; `None` where there are no others.
    untold: Option<BTreeMap<UserId, Status>>,
    /// How often the others were told of changes.
    version: u64,
}

/// Who is told of a user.
#[derive(Debug, Default)]
struct Watched {
    by: Vec<Arc<Inbox>>,
    /// Whom the user has blocked meanwhile.
    hidden_from: HashSet<UserId>,
}

/// How those see a user whom the user has blocked.
pub(crate) const fn hidden(user_id: UserId) -> Presence {
    Presence {
        user_id,
        status: Status::Offline,
        last_seen_at: None,
    }
}

impl Presences {
    pub(crate) fn new(store: AnyStore, bus: NodeBus, limits: Arc<Limits>) -> Self {
        let state = State {
            untold: bus.is_shared().then(BTreeMap::new),
            ..State::default()
        };
        Self {
            store,
            bus,
            limits,
            state: Mutex::new(state),
        }
    }

    /// To be asked before settings are read from the store: see [`connected`](Self::connected).
    pub(crate) fn settings_seen(&self) -> u64 {
        self.state.lock().settings_seen
    }

    /// One more session of this user, whose settings were read `as_of` then. If settings have changed since, they are to be
    /// read again, and this was nothing.
    pub(crate) fn connected(&self, user: UserId, settings: Settings, as_of: u64) -> bool {
        let mut state = self.state.lock();
        if state.settings_seen != as_of {
            return false;
        }
        state.change(user, Some(settings), |there| {
            there.settings = settings;
            there.connect();
        });
        true
    }

    /// One session less; after a goodbye the user is offline at once, else when the grace has run out.
    pub(crate) fn disconnected(&self, user: UserId, idle: bool, said_goodbye: bool) {
        #[cfg(any(test, feature = "bugs"))]
        if crate::bug::active(crate::bug::Bug::GhostPresence) {
            return;
        }
        let grace_ends = Instant::now() + self.limits.presence_grace;
        self.state.lock().change(user, None, |there| {
            if said_goodbye {
                there.say_goodbye(idle);
            } else {
                there.break_off(idle, grace_ends);
            }
        });
    }

    /// Nobody sits at one of the user's devices from here on, or somebody does again.
    pub(crate) fn set_idle(&self, user: UserId, idle: bool) {
        let mut state = self.state.lock();
        state.change(user, None, |there| there.set_idle(idle));
    }

    /// What this user lets others know is this from here on.
    pub(crate) fn set_settings(&self, user: UserId, settings: Settings) {
        let mut state = self.state.lock();
        state.settings_seen += 1;
        state.change(user, None, |there| there.settings = settings);
    }

    /// The same, as it was read from the store `as_of` then. If settings have changed since, they are to be read again, and
    /// this was nothing.
    pub(crate) fn settle(&self, user: UserId, settings: Settings, as_of: u64) -> bool {
        let mut state = self.state.lock();
        let is_newest = state.settings_seen == as_of;
        if is_newest {
            state.change(user, None, |there| there.settings = settings);
        }
        is_newest
    }

    /// What a connected user lets others know.
    pub(crate) fn settings(&self, user: UserId) -> Settings {
        let state = self.state.lock();
        let there = state.there.get(&user);
        there.map(|there| there.settings).unwrap_or_default()
    }

    /// Lets one who watches this user see them as offline from here on; or no longer, from the next change on.
    pub(crate) fn set_hidden(&self, user: UserId, viewer: UserId, is_hidden: bool) {
        let mut state = self.state.lock();
        state.blocks_seen += 1;
        let Some(watched) = state.watched.get_mut(&user) else {
            return;
        };
        if !is_hidden {
            watched.hidden_from.remove(&viewer);
            return;
        }
        for inbox in watched.by.iter().filter(|it| it.user_id == viewer) {
            inbox.presence_changed(hidden(user));
            watched.hidden_from.insert(viewer);
        }
    }

    /// To be asked before it is read from the store who has blocked whom: see [`watch`](Self::watch).
    pub(crate) fn blocks_seen(&self) -> u64 {
        self.state.lock().blocks_seen
    }

    /// Tells this session of each change of these users' presence. None of them has blocked the session's user, as was read
    /// `as_of` then; if somebody has blocked somebody since, that is to be read again, and this was nothing.
    pub(crate) fn watch(&self, users: &[UserId], inbox: &Arc<Inbox>, as_of: u64) -> bool {
        let mut state = self.state.lock();
        if state.blocks_seen != as_of {
            return false;
        }
        for user in users {
            let watched = state.watched.entry(*user).or_default();
            watched.hidden_from.remove(&inbox.user_id);
            watched.by.push(Arc::clone(inbox));
        }
        true
    }

    /// The opposite of [`watch`](Self::watch).
    pub(crate) fn unwatch(&self, user: UserId, inbox: &Arc<Inbox>) {
        let mut state = self.state.lock();
        if let Some(watched) = state.watched.get_mut(&user) {
            watched.by.retain(|other| !Arc::ptr_eq(other, inbox));
            if watched.by.is_empty() {
                state.watched.remove(&user);
            }
        }
    }

    /// The presence of these users now, as those see it who are not blocked.
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

    /// The users who are connected here.
    pub(crate) fn users(&self) -> Vec<UserId> {
        self.state.lock().there.keys().copied().collect()
    }

    /// How many users are there.
    pub(crate) fn count(&self) -> u64 {
        self.state.lock().there.len() as u64
    }

    fn absent(&self, users: &[UserId]) -> Vec<UserId> {
        let state = self.state.lock();
        let absent = users.iter().copied();
        absent
            .filter(|user| state.status(*user) == Status::Offline)
            .collect()
    }

    /// Tells the other nodes what changed here since; how often they were told by now.
    pub(crate) fn tell_others(&self) -> u64 {
        self.state.lock().tell_others(&self.bus)
    }

    /// Tells another node of all users of this one who are there.
    pub(crate) fn tell_all(&self, node_id: NodeId) {
        let mut state = self.state.lock();
        let version = state.tell_others(&self.bus);
        let there = state.there.iter();
        let there = there.map(|(user, there)| (*user, there.status()));
        let mut users: Vec<_> = there
            .filter(|(_, status)| *status != Status::Offline)
            .collect();
        users.sort_unstable();
        let parts = users.len().div_ceil(USERS_IN_A_NOTICE).max(1);
        let mut users = users.into_iter();
        for part in 0..parts {
            self.bus.tell(Notice::AllPresences {
                node_id,
                version,
                part: u32::try_from(part).unwrap_or(u32::MAX),
                parts: u32::try_from(parts).unwrap_or(u32::MAX),
                users: users.by_ref().take(USERS_IN_A_NOTICE).collect(),
            });
        }
    }

    /// Another node has told of this many changes; whether it is to be asked for all its users.
    pub(crate) fn must_ask(&self, node: NodeId, version: u64) -> bool {
        self.state.lock().elsewhere.must_ask(node, version)
    }

    /// The presence of some users of another node changed.
    pub(crate) fn changed_elsewhere(
        &self,
        node: NodeId,
        version: u64,
        changes: Vec<(UserId, Status)>,
    ) {
        let mut state = self.state.lock();
        let changes = state.elsewhere.next_changes(node, version, changes);
        state.change_elsewhere(node, changes);
    }

    /// A part of all users of another node.
    pub(crate) fn all_elsewhere(&self, node: NodeId, part: Part) {
        let mut state = self.state.lock();
        let changes = state.elsewhere.complete(node, part);
        state.change_elsewhere(node, changes);
    }

    /// Another node goes, and its users come back on others within a grace, or are gone.
    pub(crate) fn is_leaving(&self, node: NodeId) {
        let until = Instant::now() + self.limits.presence_grace;
        self.state.lock().elsewhere.let_leave(node, until);
    }

    /// Another node is dead, and those of its users who would have come back have.
    pub(crate) fn is_dead(&self, node: NodeId) {
        self.state.lock().elsewhere.let_leave(node, Instant::now());
    }

    /// What time brings: ends graces, and notes when those who are there were seen. To be called several times a second.
    pub(crate) fn tick(&self) {
        let mut state = self.state.lock();
        state.end_graces();
        while let Some((node, users)) = state.elsewhere.take_left() {
            let gone = users.into_iter().map(|user| (user, Status::Offline));
            state.change_elsewhere(node, gone.collect());
        }
        if state
            .touched
            .is_none_or(|at| at.elapsed() >= self.limits.presence_touch)
        {
            state.touched = Some(Instant::now());
            let now = Timestamp::now();
            let State { there, unsaved, .. } = &mut *state;
            let seen = there.iter().filter(|(_, there)| there.is_seen());
            unsaved.extend(seen.map(|(user, _)| (*user, now)));
        }
    }

    /// Everybody leaves: this node stops.
    pub(crate) async fn leave_all(&self) -> Result<(), StoreError> {
        {
            let mut state = self.state.lock();
            let users: Vec<_> = state.there.keys().copied().collect();
            for user in users {
                state.leave(user);
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
    /// How the user is seen, wherever they are.
    fn status(&self, user: UserId) -> Status {
        self.status_here(user).max(self.elsewhere.status(user))
    }

    /// How the user is seen by those on this node alone.
    fn status_here(&self, user: UserId) -> Status {
        self.there.get(&user).map_or(Status::Offline, There::status)
    }

    /// How the user is seen, if the store last saw them then.
    fn presence(&self, user_id: UserId, stored: Option<Timestamp>) -> Presence {
        let status = self.status(user_id);
        let last_seen_at = match status {
            Status::Offline => stored.max(self.unsaved.get(&user_id).copied()),
            _ => None,
        };
        Presence {
            user_id,
            status,
            last_seen_at,
        }
    }

    /// Changes something of a user who is there (or who comes, with these settings), and tells those who watch, if it is
    /// anything that they see.
    fn change(
        &mut self,
        user: UserId,
        newcomer: Option<Settings>,
        change: impl FnOnce(&mut There),
    ) {
        let (before, before_here) = (self.status(user), self.status_here(user));
        if let Some(settings) = newcomer {
            let new = || There::new(settings);
            self.there.entry(user).or_insert_with(new);
        }
        let Some(there) = self.there.get_mut(&user) else {
            return;
        };
        let seen_until = there.seen_until();
        change(there);
        if there.is_gone() {
            self.there.remove(&user);
        }
        let (after, after_here) = (self.status(user), self.status_here(user));
        if before_here != after_here
            && let Some(untold) = &mut self.untold
        {
            untold.insert(user, after_here);
        }
        if before == after {
            return;
        }
        if after == Status::Offline {
            // Becoming invisible and leaving look the same from here on.
            self.unsaved.insert(user, seen_until);
        }
        self.announce(self.presence(user, None));
    }

    fn tell_others(&mut self, bus: &NodeBus) -> u64 {
        let untold = self.untold.as_mut().map(mem::take).unwrap_or_default();
        let untold: Vec<_> = untold.into_iter().collect();
        for changes in untold.chunks(USERS_IN_A_NOTICE) {
            self.version += 1;
            bus.tell(Notice::Presence {
                version: self.version,
                changes: changes.to_vec(),
            });
        }
        self.version
    }

    /// These users of another node are seen so from here on.
    fn change_elsewhere(&mut self, node: NodeId, changes: Vec<(UserId, Status)>) {
        for (user, status) in changes {
            let before = self.status(user);
            self.elsewhere.set(node, user, status);
            if self.status(user) != before {
                self.announce(self.presence(user, Some(Timestamp::now())));
            }
        }
    }

    fn leave(&mut self, user: UserId) {
        self.change(user, None, |there| {
            *there = There::new(there.settings);
        });
    }

    fn end_graces(&mut self) {
        let now = Instant::now();
        let over = self.there.iter().filter(|(_, it)| it.is_grace_over(now));
        let over: Vec<_> = over.map(|(user, _)| *user).collect();
        for user in over {
            self.change(user, None, There::end_grace);
        }
    }

    /// Said under the lock, so that two changes reach a watcher in the order in which they happened.
    fn announce(&self, presence: Presence) {
        let Some(watched) = self.watched.get(&presence.user_id) else {
            return;
        };
        for inbox in &watched.by {
            if watched.hidden_from.is_empty() || !watched.hidden_from.contains(&inbox.user_id) {
                inbox.presence_changed(presence);
            }
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
