//! The store as one node reaches it: slow, refusing, losing its answers, and committing after it was given up.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::world::World;
use crate::{
    model::{
        ConversationId, Entry, Membership, Message, MessageId, NodeId, Seq, Settings, StoreEpoch,
        Timestamp, UserId,
    },
    store::{
        Around, Committed, ConversationStore, GroupRows, MemoryStore, MessageLog, PresenceStore,
        Refusal, RowHead, RowPlace, Search, StoreError, StoredRow, UserStore, Write,
    },
};

/// The line between one run of a node and the store, which is one for all nodes.
#[derive(Clone, Debug)]
pub(super) struct Line {
    world: Arc<World>,
    node: usize,
    weather: Arc<Mutex<(Weather, Instant)>>,
    /// The node was killed: nothing of it reaches the store any more, and no answer reaches it. So whatever is left of
    /// it in this process can do nothing that anybody could notice, at whatever await it was.
    dead: CancellationToken,
}

/// What goes wrong on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    Calm,
    Slow,
    Flaky,
    Down,
    /// Nothing moves for this long.
    Hung(Duration),
}

/// What becomes of one call; all is decided when it begins.
struct Fate {
    before: Duration,
    after: Duration,
    refused: bool,
    answer_lost: bool,
    /// The transaction is carried out this long after the node was told that the connection is lost.
    late: Option<Duration>,
}

/// A transaction whose answer is under way; dropped before that arrives, no node hears of it.
struct Unanswered<'a>(&'a World);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        self.0.was_committed_unheard();
    }
}

impl Line {
    pub(super) fn new(world: &Arc<World>, node: usize, dead: CancellationToken) -> Self {
        Self {
            world: Arc::clone(world),
            node,
            weather: Arc::new(Mutex::new((Weather::Calm, Instant::now()))),
            dead,
        }
    }

    pub(super) fn set_weather(&self, weather: Weather) {
        *self.weather.lock() = (weather, Instant::now());
    }

    fn fate(&self) -> Fate {
        let mut random = self.world.random();
        let (weather, _) = *self.weather.lock();
        let slowest = if weather == Weather::Slow { 300 } else { 3 };
        let percent = match weather {
            Weather::Calm | Weather::Slow | Weather::Hung(_) => 0,
            Weather::Flaky => 15,
            Weather::Down => 100,
        };
        Fate {
            before: random.millis(slowest),
            after: random.millis(slowest),
            refused: random.chance(percent),
            answer_lost: random.chance(percent),
            late: random.chance(percent / 3).then(|| random.millis(3_000)),
        }
    }

    /// A call that takes its time before and after the moment in which everything happens.
    async fn call<T>(
        &self,
        what: &'static str,
        act: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let fate = self.fate();
        self.reach(fate.before).await;
        if fate.refused {
            self.world
                .note(|| format!("n{} store {what}: refused", self.node));
            return Err(StoreError::unavailable("refused"));
        }
        let result = act.await;
        self.world.note(|| format!("n{} store {what}", self.node));
        let unanswered = Unanswered(&self.world);
        self.reach(fate.after).await;
        if !fate.answer_lost || what != "commit" {
            std::mem::forget(unanswered);
        }
        if fate.answer_lost {
            self.world
                .note(|| format!("n{} store {what}: answer lost", self.node));
            return Err(StoreError::unavailable("the connection was lost"));
        }
        result
    }

    async fn reach(&self, takes: Duration) {
        // Every step suspends, so that every await of the engine is one at which things can happen.
        tokio::task::yield_now().await;
        let (weather, since) = *self.weather.lock();
        if let Weather::Hung(time) = weather {
            sleep_until(since + time).await;
        }
        if !takes.is_zero() {
            sleep(takes).await;
        }
        if self.dead.is_cancelled() {
            self.world.was_committed_unheard();
            std::future::pending::<()>().await;
        }
    }

    fn store(&self) -> &MemoryStore {
        &self.world.log
    }

    /// What a contract gives "in any order" comes in any order.
    fn any_order<T, K: Ord>(&self, mut items: Vec<T>, key: impl FnMut(&T) -> K) -> Vec<T> {
        items.sort_by_key(key);
        self.world.random().shuffle(&mut items);
        items
    }
}

impl MessageLog for Line {
    async fn epoch(&self) -> Result<StoreEpoch, StoreError> {
        self.call("epoch", self.store().epoch()).await
    }

    async fn commit(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        let fate = self.fate();
        if let (Some(late), false) = (fate.late, fate.refused) {
            self.reach(fate.before).await;
            let (world, node, writes) = (Arc::clone(&self.world), self.node, writes.to_vec());
            tokio::spawn(async move {
                sleep(late).await;
                world.note(|| format!("n{node} store commit {}: late", writes.len()));
                world.was_committed_unheard();
                world.log.commit(&writes).await
            });
            return Err(StoreError::unavailable("the connection was lost"));
        }
        self.call("commit", self.store().commit(writes)).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Option<Seq>, StoreError> {
        self.call("head", self.store().head(conversation)).await
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let entries = self.store().entries_after(conversation, after, limit);
        self.call("entries", entries).await
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        history_from: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let store = self.store();
        let messages = store.messages(conversation, which, history_from, limit);
        self.call("messages", messages).await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, StoreError> {
        let message = self.store().message(conversation, id);
        self.call("message", message).await
    }

    async fn pinned(
        &self,
        conversation: ConversationId,
        before: Seq,
        history_from: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let store = self.store();
        let pinned = store.pinned(conversation, before, history_from, limit);
        self.call("pinned", pinned).await
    }

    async fn search(
        &self,
        user: UserId,
        search: &Search,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let found = self.store().search(user, search, after, limit);
        self.call("search", found).await
    }
}

impl ConversationStore for Line {
    async fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Result<(ConversationId, bool), StoreError> {
        self.call("direct", self.store().direct(user, peer, at))
            .await
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Membership>, StoreError> {
        let membership = self.store().membership(conversation, user);
        self.call("membership", membership).await
    }

    async fn member_ids(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Seq, Vec<UserId>)>, StoreError> {
        let ids = self.store().member_ids(conversation);
        self.call("member_ids", ids).await
    }

    async fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        let members = self.store().members(conversation, after, limit);
        self.call("members", members).await
    }

    async fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Result<Vec<StoredRow>, StoreError> {
        self.call("rows", self.store().rows(user, after, limit))
            .await
    }

    async fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<StoredRow>, StoreError> {
        let rows = self.store().rows_of(user, conversations);
        let rows = self.call("rows_of", rows).await?;
        Ok(self.any_order(rows, |stored| stored.row.conversation.id))
    }

    async fn group_rows(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Option<GroupRows>, StoreError> {
        let rows = self.store().group_rows(conversation, users);
        let found = self.call("group_rows", rows).await?;
        Ok(found.map(|group| GroupRows {
            rows: self.any_order(group.rows, |row| row.user_id),
            ..group
        }))
    }

    async fn readers(
        &self,
        conversation: ConversationId,
        seq: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        let readers = self.store().readers(conversation, seq, after, limit);
        self.call("readers", readers).await
    }

    async fn banned(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let banned = self.store().banned(conversation, after, limit);
        self.call("banned", banned).await
    }

    async fn row_heads(&self, user: UserId) -> Result<Vec<RowHead>, StoreError> {
        let heads = self.call("row_heads", self.store().row_heads(user)).await?;
        Ok(self.any_order(heads, |head| *head))
    }

    async fn row_heads_of(&self, users: &[UserId]) -> Result<Vec<(UserId, RowHead)>, StoreError> {
        let heads = self.store().row_heads_of(users);
        let heads = self.call("row_heads_of", heads).await?;
        Ok(self.any_order(heads, |head| *head))
    }

    async fn sharing_with(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let sharing = self.store().sharing_with(user, others);
        let sharing = self.call("sharing_with", sharing).await?;
        Ok(self.any_order(sharing, |user| *user))
    }
}

impl PresenceStore for Line {
    async fn set_last_seen(&self, seen: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        self.call("set_last_seen", self.store().set_last_seen(seen))
            .await
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        let seen = self
            .call("last_seen", self.store().last_seen(users))
            .await?;
        Ok(self.any_order(seen, |seen| *seen))
    }

    async fn renew_lease(&self, node: NodeId) -> Result<(), StoreError> {
        self.call("renew_lease", self.store().renew_lease(node))
            .await
    }

    async fn end_lease(&self, node: NodeId) -> Result<(), StoreError> {
        self.call("end_lease", self.store().end_lease(node)).await
    }

    async fn leases(&self) -> Result<Option<Vec<NodeId>>, StoreError> {
        let leases = self.call("leases", self.store().leases()).await?;
        Ok(leases.map(|leases| self.any_order(leases, |node| *node)))
    }
}

impl UserStore for Line {
    async fn settings(&self, user: UserId) -> Result<Settings, StoreError> {
        self.call("settings", self.store().settings(user)).await
    }

    async fn set_settings(&self, user: UserId, settings: Settings) -> Result<(), StoreError> {
        self.call("set_settings", self.store().set_settings(user, settings))
            .await
    }

    async fn set_blocked(
        &self,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Result<bool, StoreError> {
        let set = self.store().set_blocked(user, other, blocked);
        self.call("set_blocked", set).await
    }

    async fn blocked_by(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let blocked = self.store().blocked_by(user, after, limit);
        self.call("blocked_by", blocked).await
    }

    async fn blockers_of(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let blockers = self.store().blockers_of(user, others);
        let blockers = self.call("blockers_of", blockers).await?;
        Ok(self.any_order(blockers, |user| *user))
    }
}

/// What the store in memory answers, which it does at once.
pub(super) fn at_once<T>(answer: impl Future<Output = Result<T, StoreError>>) -> T {
    answer.now_or_never().unwrap().unwrap()
}
