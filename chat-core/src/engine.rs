//! What all handles and sessions share, and the tasks that keep it going.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::sleep;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::AnyPolicy,
    append::Appender,
    bus::{NodeBus, Notice},
    directory::AnyDirectory,
    error::Error,
    hub::Hub,
    limits::Limits,
    model::{
        Availability, ConversationId, NodeId, Presence, Profile, Row, Settings, StoreEpoch, UserId,
    },
    nodes::Nodes,
    presence::{Doubts, Presences, hidden},
    protocol::rest::PatchSettings,
    source::HashMap,
    stats::{Counters, Stats},
    store::{AnyStore, StoreError, StoredRow},
    typing::Typing,
};

/// How often graces, expiries and idle rooms are looked at.
const TICK: Duration = Duration::from_millis(250);

/// What all handles and sessions share.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) node: NodeId,
    pub(crate) epoch: StoreEpoch,
    pub(crate) limits: Arc<Limits>,
    pub(crate) store: AnyStore,
    pub(crate) bus: NodeBus,
    pub(crate) directory: AnyDirectory,
    pub(crate) policy: AnyPolicy,
    pub(crate) hub: Arc<Hub>,
    pub(crate) presence: Presences,
    pub(crate) doubts: Arc<Doubts>,
    pub(crate) nodes: Nodes,
    pub(crate) typing: Arc<Typing>,
    pub(crate) appender: Appender,
    pub(crate) counters: Arc<Counters>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// How somebody is shown whom the directory no longer knows.
pub(crate) fn unknown_user(id: UserId) -> Profile {
    Profile {
        id,
        username: "unknown".to_owned(),
        display_name: "Unknown user".to_owned(),
        presence: None,
    }
}

/// Whether others hear that a user with these settings types.
pub(crate) fn is_typing_told(settings: Settings) -> bool {
    settings.typing && settings.availability != Availability::Invisible
}

impl Engine {
    /// Does something that must not end half-way when its caller gives up: in a task of its own, which the engine joins.
    pub(crate) async fn to_its_end<T, F>(
        self: &Arc<Self>,
        act: impl FnOnce(Arc<Self>) -> F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        if self.stop.is_cancelled() {
            return Err(Error::ShuttingDown);
        }
        let done = self.tasks.spawn(act(Arc::clone(self)));
        done.await
            .unwrap_or_else(|ended| match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::ShuttingDown),
            })
    }

    /// The rows of these conversations in the user's list; those the user does not belong to are left out.
    pub(crate) async fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<Row>, Error> {
        if conversations.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.store.rows_of(user, conversations).await?;
        self.with_peers(user, rows).await
    }

    /// Names the peers of direct conversations.
    pub(crate) async fn with_peers(
        &self,
        user: UserId,
        rows: Vec<StoredRow>,
    ) -> Result<Vec<Row>, Error> {
        let profiles = self
            .profiles(user, rows.iter().filter_map(|row| row.peer_id))
            .await?;
        let named = rows.into_iter().map(|StoredRow { mut row, peer_id }| {
            row.conversation.peer = peer_id.map(|id| {
                let mut peer = profiles
                    .get(&id)
                    .cloned()
                    .unwrap_or_else(|| unknown_user(id));
                // Before the first message the other one is not told of the conversation, nor I of their presence.
                if row.conversation.last_message.is_none() && id != user {
                    peer.presence = None;
                }
                peer
            });
            row
        });
        Ok(named.collect())
    }

    /// Profiles in the order of these ids, of which there may be one more than asked for; whether there is.
    pub(crate) async fn page_of_profiles(
        &self,
        mut users: Vec<UserId>,
        limit: usize,
    ) -> Result<(Vec<Profile>, bool), Error> {
        let more = users.len() > limit;
        users.truncate(limit);
        let mut profiles = self.directory.profiles(users.iter().copied()).await?;
        let page = users.into_iter();
        let page = page.map(|id| profiles.remove(&id).unwrap_or_else(|| unknown_user(id)));
        Ok((page.collect(), more))
    }

    /// Changes what a user lets others know, in the store and for those who watch.
    pub(crate) async fn update_settings(
        &self,
        user: UserId,
        changes: PatchSettings,
    ) -> Result<Settings, Error> {
        let before = self.store.settings(user).await?;
        let settings = Settings {
            read_receipts: changes.read_receipts.unwrap_or(before.read_receipts),
            typing: changes.typing.unwrap_or(before.typing),
            availability: changes.availability.unwrap_or(before.availability),
        };
        if settings != before {
            self.store.set_settings(user, settings).await?;
        }
        self.presence.set_settings(user, settings);
        self.keep_typing_secret(user, settings);
        self.doubts.add(user);
        self.bus.tell(Notice::Settings { user_id: user });
        Ok(settings)
    }

    fn keep_typing_secret(&self, user: UserId, settings: Settings) {
        if !is_typing_told(settings) {
            for conversation_id in self.typing.stop_everywhere(user, &self.hub) {
                self.bus.tell(Notice::Typing {
                    conversation_id,
                    user_id: user,
                    typing: false,
                });
            }
        }
    }

    /// Lets others know what the store says that this user lets them know.
    async fn settle_settings(&self, user: UserId) -> Result<(), StoreError> {
        loop {
            let as_of = self.presence.settings_seen();
            let settings = self.store.settings(user).await?;
            if self.presence.settle(user, settings, as_of) {
                self.keep_typing_secret(user, settings);
                return Ok(());
            }
        }
    }

    /// Blocks or unblocks, in the store and for those who watch.
    pub(crate) async fn set_blocked(
        &self,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Result<bool, Error> {
        let changed = self.store.set_blocked(user, other, blocked).await?;
        self.blocks_changed(user, other, blocked);
        self.bus.tell(Notice::Blocked {
            user_id: user,
            other_id: other,
            blocked,
        });
        Ok(changed)
    }

    pub(crate) fn blocks_changed(&self, user: UserId, other: UserId, blocked: bool) {
        self.hub.blocks_changed(user, other);
        self.presence.set_hidden(user, other, blocked);
    }

    /// The presence of these users as `viewer` sees it: offline, where they have blocked the viewer.
    pub(crate) async fn presences(
        &self,
        viewer: UserId,
        users: &[UserId],
    ) -> Result<Vec<Presence>, Error> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let blockers = self.store.blockers_of(viewer, users).await?;
        let mut presences = self.presence.of(users).await?;
        for presence in &mut presences {
            if blockers.contains(&presence.user_id) {
                *presence = hidden(presence.user_id);
            }
        }
        Ok(presences)
    }

    /// What there is now, and what has happened.
    pub(crate) fn stats(&self) -> Stats {
        let (rooms, attachments) = self.hub.count_rooms();
        Stats {
            sessions: self.hub.count_sessions(),
            users: self.presence.count(),
            nodes: self.nodes.count(),
            bus: self.bus.stats(),
            in_doubt: self.hub.is_in_doubt(),
            rooms,
            attachments,
            ..self.counters.totals()
        }
    }

    /// Profiles with presence, for a viewer who may know it.
    pub(crate) async fn profiles(
        &self,
        viewer: UserId,
        users: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Profile>, Error> {
        let mut profiles = self.directory.profiles(users).await?;
        let ids: Vec<_> = profiles.keys().copied().collect();
        for presence in self.presences(viewer, &ids).await? {
            if let Some(profile) = profiles.get_mut(&presence.user_id) {
                profile.presence = Some(presence);
            }
        }
        Ok(profiles)
    }
}

/// Looks at what time brings, several times a second. Ends with the engine.
pub(crate) async fn keep_time(engine: Weak<Engine>) {
    let Some(stop) = engine.upgrade().map(|engine| engine.stop.clone()) else {
        return;
    };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let Some(engine) = engine.upgrade() else {
            return;
        };
        engine.typing.tick(&engine.hub);
        engine.hub.retire_idle_rooms();
        engine.presence.tick();
    }
}

/// Reads the settings of users who changed them. Ends with the engine.
pub(crate) async fn settle_settings(engine: Weak<Engine>) {
    let Some((doubts, stop)) = engine
        .upgrade()
        .map(|engine| (Arc::clone(&engine.doubts), engine.stop.clone()))
    else {
        return;
    };
    loop {
        let user = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            user = doubts.next() => user,
        };
        let Some(engine) = engine.upgrade() else {
            return;
        };
        if let Err(error) = engine.settle_settings(user).await {
            tracing::warn!(%error, "the settings of a user are read again later");
            doubts.add(user);
            sleep(TICK).await;
        }
    }
}

/// Writes down when users were last seen, at its own pace: a store that hangs holds up nothing else. Ends with the engine.
pub(crate) async fn note_last_seen(engine: Weak<Engine>) {
    while let Some(engine) = in_a_while(&engine, TICK).await {
        if let Err(error) = engine.presence.save().await {
            tracing::warn!(%error, "last-seen times cannot be written down, they wait");
        }
    }
}

/// The engine after this time, if there still is one and it goes on.
pub(crate) async fn in_a_while(engine: &Weak<Engine>, pause: Duration) -> Option<Arc<Engine>> {
    let stop = engine.upgrade()?.stop.clone();
    stop.run_until_cancelled(sleep(pause)).await?;
    engine.upgrade()
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Without a shutdown, the tasks must not outlive the last handle.
        self.stop.cancel();
    }
}
