//! What this node follows on the bus: the conversations of those who are connected here, and how far it knows each.

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::Entry},
    mem,
    ops::Bound,
    time::Duration,
};

use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{
    bus::{NodeBus, Topic},
    model::{ConversationId, Seq, UserId},
    source::{HashMap, HashSet},
    store::RowHead,
};

/// When somebody's rows are compared with the store after something new is followed for them: what is followed is heard a
/// moment later, everywhere.
const AFTER_FOLLOWING: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];

/// The conversations of those who are connected to this node. Nothing is kept where there is no other node.
#[derive(Debug)]
pub(super) struct Interest {
    bus: NodeBus,
    state: Mutex<State>,
    called: Notify,
}

#[derive(Debug, Default)]
struct State {
    users: BTreeMap<UserId, Rows>,
    conversations: HashMap<ConversationId, Known>,
    /// Whose rows are to be compared with the store, and when.
    due: BTreeSet<(Instant, UserId)>,
    /// Everybody's rows are to be compared with the store.
    all_are_due: bool,
    /// The bus may not carry: what others say is read from the store.
    is_in_doubt: bool,
}

/// The rows in one user's list.
#[derive(Debug, Default)]
struct Rows {
    /// With the `rev` that is known of each.
    revs: HashMap<ConversationId, u64>,
    /// They were read from the store.
    are_read: bool,
    /// How often a conversation came or went: what was read before that is not what there is.
    changes: u64,
}

/// A conversation that somebody here belongs to.
#[derive(Debug, Default)]
struct Known {
    users: SmallVec<[UserId; 2]>,
    /// `None` before anything was heard or read.
    head: Option<Seq>,
}

/// Users whose rows are about to be read.
#[derive(Debug)]
pub(super) struct Reading(Vec<(UserId, u64)>);

/// Where what was read differs from what was known.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Rows of one user that changed, came or went.
    pub(super) rows: Vec<(ConversationId, UserId)>,
    /// Conversations to which somebody no longer belongs.
    pub(super) left: Vec<ConversationId>,
    /// The heads of conversations, as they are in the store; whether that is news.
    pub(super) heads: Vec<(ConversationId, Seq, bool)>,
}

impl Interest {
    pub(super) fn new(bus: NodeBus) -> Self {
        Self {
            bus,
            state: Mutex::default(),
            called: Notify::new(),
        }
    }

    /// A user is connected: nothing is known of their rows until they are [read](Self::note).
    pub(super) fn enter(&self, user: UserId) {
        if self.bus.is_shared() {
            self.state.lock().users.entry(user).or_default();
            self.bus.follow(Topic::User(user));
        }
    }

    /// A user is no longer connected.
    pub(super) fn exit(&self, user: UserId) {
        let mut state = self.state.lock();
        let Some(rows) = state.users.remove(&user) else {
            return;
        };
        self.bus.unfollow(Topic::User(user));
        for conversation in rows.revs.into_keys() {
            state.forget(conversation, user, &self.bus);
        }
    }

    /// Whether a user's rows must be read before they can be told of.
    pub(super) fn is_unread(&self, user: UserId) -> bool {
        let state = self.state.lock();
        state.users.get(&user).is_some_and(|rows| !rows.are_read)
    }

    /// A user has this conversation in their list from here on.
    pub(super) fn joined(&self, conversation: ConversationId, user: UserId) {
        let mut state = self.state.lock();
        let State { users, .. } = &mut *state;
        let Some(rows) = users.get_mut(&user) else {
            return;
        };
        rows.changes += 1;
        if let Entry::Vacant(new) = rows.revs.entry(conversation) {
            new.insert(0);
            state.follow(conversation, user, &self.bus);
        }
        state.compare_soon(user);
        self.called.notify_one();
    }

    /// A user no longer has this conversation in their list.
    pub(super) fn left(&self, conversation: ConversationId, user: UserId) {
        let mut state = self.state.lock();
        if let Some(rows) = state.users.get_mut(&user) {
            rows.changes += 1;
            if rows.revs.remove(&conversation).is_some() {
                state.forget(conversation, user, &self.bus);
            }
        }
    }

    /// Nobody has this conversation in their list any more; who had until now.
    pub(super) fn ended(&self, conversation: ConversationId) -> Vec<UserId> {
        let users: Vec<_> = {
            let state = self.state.lock();
            let known = state.conversations.get(&conversation);
            known
                .into_iter()
                .flat_map(|it| it.users.iter().copied())
                .collect()
        };
        for user in &users {
            self.left(conversation, *user);
        }
        users
    }

    /// An entry was told here.
    pub(super) fn saw(&self, conversation: ConversationId, seq: Seq) {
        let mut state = self.state.lock();
        if let Some(known) = state.conversations.get_mut(&conversation) {
            known.head = known.head.max(Some(seq));
        }
    }

    /// Whether anybody here belongs to it.
    pub(super) fn is_followed(&self, conversation: ConversationId) -> bool {
        self.state.lock().conversations.contains_key(&conversation)
    }

    /// Has everybody's rows compared with the store.
    pub(super) fn doubt_all(&self) {
        self.state.lock().all_are_due = true;
        self.called.notify_one();
    }

    /// Whether the bus may not carry. With the end of that, everybody's rows are compared once more.
    pub(super) fn set_in_doubt(&self, is_in_doubt: bool) -> bool {
        let mut state = self.state.lock();
        let is_news = state.is_in_doubt != is_in_doubt;
        if is_news {
            state.is_in_doubt = is_in_doubt;
            state.all_are_due = true;
            drop(state);
            self.called.notify_one();
        }
        is_news
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.state.lock().is_in_doubt
    }

    /// Whether everybody's rows are to be compared; asking clears the note.
    pub(super) fn take_all_are_due(&self) -> bool {
        mem::take(&mut self.state.lock().all_are_due)
    }

    /// Completes when something is to be compared that was not before, or at this time.
    pub(super) async fn called_until(&self, until: Instant) {
        let first = self.state.lock().due.first().map(|(at, _)| *at);
        let until = first.map_or(until, |first| first.min(until));
        let _ = timeout_at(until, self.called.notified()).await;
    }

    /// Those whose rows are to be compared now, at most so many.
    pub(super) fn take_due(&self, most: usize) -> Vec<UserId> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let mut users = BTreeSet::new();
        while users.len() < most && state.due.first().is_some_and(|(at, _)| *at <= now) {
            users.extend(state.due.pop_first().map(|(_, user)| user));
        }
        users.into_iter().collect()
    }

    /// The rows of these users are still to be compared.
    pub(super) fn put_back(&self, users: &[UserId]) {
        let now = Instant::now();
        self.state
            .lock()
            .due
            .extend(users.iter().map(|user| (now, *user)));
    }

    /// The next users after this one, at most so many.
    pub(super) fn users_after(&self, after: Option<UserId>, most: usize) -> Vec<UserId> {
        let state = self.state.lock();
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let users = state.users.range((after, Bound::Unbounded));
        users.map(|(user, _)| *user).take(most).collect()
    }

    /// The rows of these users are about to be read.
    pub(super) fn read(&self, users: &[UserId]) -> Reading {
        let state = self.state.lock();
        let of = |user: &UserId| Some((*user, state.users.get(user)?.changes));
        Reading(users.iter().filter_map(of).collect())
    }

    /// Takes note of these users' rows as they were read. A user whose rows changed meanwhile is left for a moment later.
    pub(super) fn note(&self, reading: &Reading, read: &[(UserId, RowHead)]) -> Differences {
        let mut of: BTreeMap<UserId, Vec<RowHead>> = BTreeMap::new();
        for (user, row) in read {
            of.entry(*user).or_default().push(*row);
        }
        let mut state = self.state.lock();
        let mut differences = Differences::default();
        for (user, changes) in &reading.0 {
            let rows = of.remove(user).unwrap_or_default();
            state.note(*user, *changes, &rows, &self.bus, &mut differences);
        }
        drop(state);
        self.called.notify_one();
        differences
    }
}

impl State {
    fn note(
        &mut self,
        user: UserId,
        changes: u64,
        read: &[RowHead],
        bus: &NodeBus,
        differences: &mut Differences,
    ) {
        let Some(rows) = self.users.get_mut(&user) else {
            return;
        };
        if rows.changes != changes {
            self.compare_soon(user);
            return;
        }
        let is_first = !rows.are_read;
        rows.are_read = true;
        let mut gone: HashSet<ConversationId> = rows.revs.keys().copied().collect();
        let mut new = Vec::new();
        for &(conversation, _, rev) in read {
            gone.remove(&conversation);
            let known = rows.revs.insert(conversation, rev);
            if known.is_none() {
                new.push(conversation);
            }
            if known != Some(rev) && !is_first {
                differences.rows.push((conversation, user));
            }
        }
        for conversation in &gone {
            rows.revs.remove(conversation);
        }
        // The user themselves is followed from a moment ago on, too.
        let is_something_new = is_first || !new.is_empty();
        for conversation in new {
            self.follow(conversation, user, bus);
        }
        for conversation in gone {
            self.forget(conversation, user, bus);
            differences.rows.push((conversation, user));
            differences.left.push(conversation);
        }
        for &(conversation, head, _) in read {
            if let Some(known) = self.conversations.get_mut(&conversation) {
                // Of what nobody here had before, nobody here can have missed anything.
                let is_news = known.head.is_some_and(|known| known < head);
                known.head = known.head.max(Some(head));
                differences.heads.push((conversation, head, is_news));
            }
        }
        if is_something_new {
            self.compare_soon(user);
        }
    }

    fn follow(&mut self, conversation: ConversationId, user: UserId, bus: &NodeBus) {
        let known = self.conversations.entry(conversation).or_default();
        known.users.push(user);
        if known.users.len() == 1 {
            bus.follow(Topic::Conversation(conversation));
        }
    }

    fn forget(&mut self, conversation: ConversationId, user: UserId, bus: &NodeBus) {
        let Some(known) = self.conversations.get_mut(&conversation) else {
            return;
        };
        known.users.retain(|other| *other != user);
        if known.users.is_empty() {
            self.conversations.remove(&conversation);
            bus.unfollow(Topic::Conversation(conversation));
        }
    }

    fn compare_soon(&mut self, user: UserId) {
        let now = Instant::now();
        self.due
            .extend(AFTER_FOLLOWING.map(|after| (now + after, user)));
    }
}
