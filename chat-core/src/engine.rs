//! What all handles and sessions share, and the tasks that keep it going.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::time::{sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::AnyPolicy,
    append::Appender,
    bus::{Incoming, NodeBus, Notice, Topic},
    directory::AnyDirectory,
    error::Error,
    hub::Hub,
    limits::Limits,
    model::{
        Availability, ConversationId, NodeId, Presence, Profile, Row, Settings, StoreEpoch, UserId,
    },
    nodes::{self, Heard, Nodes},
    presence::{Doubts, Part, Presences, hidden},
    protocol::rest::PatchSettings,
    source::HashMap,
    stats::{Counters, Stats},
    store::{AnyStore, StoreError, StoredRow},
    typing::Typing,
};

/// How often graces, expiries and idle rooms are looked at.
const TICK: Duration = Duration::from_millis(250);
/// For how long a node that goes waits until that is on its way to the others.
const GOODBYE: Duration = Duration::from_secs(1);

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

    fn blocks_changed(&self, user: UserId, other: UserId, blocked: bool) {
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

    /// Starts what keeps this node together with others on the same store.
    pub(crate) fn join_others(self: &Arc<Self>) {
        self.bus.follow(Topic::Nodes);
        self.bus.follow(Topic::Node(self.node));
        let (hub, stop) = (Arc::clone(&self.hub), self.stop.clone());
        self.tasks
            .spawn(async move { hub.run_comparisons(stop).await });
        self.tasks.spawn(listen_to_bus(Arc::downgrade(self)));
        self.tasks.spawn(give_signs_of_life(Arc::downgrade(self)));
        self.tasks.spawn(keep_lease(Arc::downgrade(self)));
    }

    /// Tells the others that this node goes.
    pub(crate) async fn leave_others(&self) {
        if !self.bus.is_shared() {
            return;
        }
        self.bus.tell(Notice::Leaving);
        let _ = timeout(GOODBYE, self.bus.flush()).await;
        if let Err(error) = self.store.end_lease(self.node).await {
            tracing::warn!(%error, "the lease of this node ends by itself");
        }
    }

    /// What another node tells.
    fn hear(&self, origin: NodeId, notice: Notice) {
        match notice {
            Notice::Entry { entry } => {
                self.counters
                    .heard(self.hub.is_followed(entry.conversation_id));
                self.hub.deliver(&[*entry]);
            }
            Notice::Cursors {
                conversation_id,
                user_id,
                cursors,
            } => self.hub.cursors_moved(conversation_id, user_id, cursors),
            Notice::Rows {
                conversation_id,
                user_ids,
            } => {
                for user in user_ids {
                    self.hub.row_changed(conversation_id, user);
                }
            }
            Notice::Settings { user_id } => self.doubts.add(user_id),
            Notice::Blocked {
                user_id,
                other_id,
                blocked,
            } => self.blocks_changed(user_id, other_id, blocked),
            Notice::Joined {
                conversation_id,
                user_id,
            } => self.hub.joined(conversation_id, user_id),
            Notice::Typing {
                conversation_id,
                user_id,
                typing,
            } => self.hear_typing(conversation_id, user_id, typing),
            Notice::Alive { number, presence } => self.hear_sign_of_life(origin, number, presence),
            Notice::Leaving => {
                self.nodes.forget(origin);
                self.presence.is_leaving(origin);
            }
            // Of a node that was not heard before, all will be asked.
            Notice::Presence { .. } | Notice::AllPresences { .. } | Notice::AskPresence { .. }
                if !self.nodes.are_with(origin) => {}
            Notice::Presence { version, changes } => {
                self.presence.changed_elsewhere(origin, version, changes);
            }
            Notice::AskPresence { .. } => self.presence.tell_all(origin),
            Notice::AllPresences {
                version,
                part,
                parts,
                users,
                ..
            } => {
                let part = Part {
                    version,
                    number: part,
                    of: parts,
                    users,
                };
                self.presence.all_elsewhere(origin, part);
            }
        }
    }

    fn hear_typing(&self, conversation: ConversationId, user: UserId, typing: bool) {
        if !typing {
            self.typing.stop(conversation, user, &self.hub);
        } else if self.hub.is_followed(conversation) {
            self.typing.start(conversation, user, &self.hub);
        }
    }

    fn hear_sign_of_life(&self, origin: NodeId, number: u64, presence: u64) {
        match self.nodes.heard(origin, number) {
            Heard::Again => {}
            Heard::New => tracing::info!(node = %origin, "another node is there"),
            Heard::AfterAGap => {
                tracing::warn!(node = %origin, "something that a node said is missing: it is read from the store");
                self.suspect_all();
            }
        }
        if self.presence.must_ask(origin, presence) {
            self.bus.tell(Notice::AskPresence { node_id: origin });
        }
    }

    /// Something that others said may be missing.
    fn suspect_all(&self) {
        self.hub.suspect_all();
        for user in self.presence.users() {
            self.doubts.add(user);
        }
    }

    /// Says that this node is there, and sees whether the others are heard.
    fn give_sign_of_life(&self) {
        let presence = self.presence.tell_others();
        let number = self.nodes.next_beat(self.bus.take_dropped());
        self.bus.tell(Notice::Alive { number, presence });
        let is_in_doubt = !self.nodes.are_all_heard();
        if self.hub.set_in_doubt(is_in_doubt) {
            if is_in_doubt {
                self.counters.doubted();
                tracing::warn!(
                    "the bus may not carry what others say: it is read from the store meanwhile"
                );
            } else {
                tracing::info!("the bus carries what others say");
                self.suspect_all();
            }
        }
    }

    /// Holds this node's lease, and lets those go whose lease is over.
    async fn renew_lease(&self) -> Result<(), StoreError> {
        self.store.renew_lease(self.node).await?;
        let leases = self.store.leases().await?;
        let dead: Vec<NodeId> = match leases {
            Some(leases) => {
                let silent = self.nodes.long_silent().into_iter();
                let dead = silent.filter(|node| !leases.contains(node)).collect();
                // One that was never heard may be beyond a bus that is split.
                let others = leases.into_iter().filter(|node| *node != self.node);
                self.nodes.wait_for(others);
                dead
            }
            None => self.nodes.given_up(),
        };
        for node in dead {
            tracing::warn!(%node, "a node is gone: its users are taken for gone, too");
            self.nodes.forget(node);
            self.presence.is_dead(node);
            // Of what it stored last, it may have told nobody.
            self.suspect_all();
        }
        Ok(())
    }
}

/// Brings in what other nodes tell. Ends with the engine.
async fn listen_to_bus(engine: Weak<Engine>) {
    let Some((bus, stop)) = engine
        .upgrade()
        .map(|engine| (engine.bus.clone(), engine.stop.clone()))
    else {
        return;
    };
    loop {
        let incoming = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            incoming = bus.receive() => incoming,
        };
        let Some(engine) = engine.upgrade() else {
            return;
        };
        match incoming {
            Incoming::Suspect => engine.suspect_all(),
            Incoming::Envelope(envelope) if envelope.origin == engine.node => {}
            Incoming::Envelope(envelope) => engine.hear(envelope.origin, envelope.notice),
        }
    }
}

/// Says several times a second that this node is there. Ends with the engine.
async fn give_signs_of_life(engine: Weak<Engine>) {
    while let Some(engine) = in_a_while(&engine, nodes::BEAT).await {
        engine.give_sign_of_life();
    }
}

/// Renews the lease of this node. Ends with the engine.
async fn keep_lease(engine: Weak<Engine>) {
    let mut pause = Duration::ZERO;
    while let Some(engine) = in_a_while(&engine, pause).await {
        if let Err(error) = engine.renew_lease().await {
            tracing::warn!(%error, "the lease of this node is renewed later");
        }
        pause = nodes::BETWEEN_RENEWALS;
    }
}

/// The engine after this time, if there still is one and it goes on.
async fn in_a_while(engine: &Weak<Engine>, pause: Duration) -> Option<Arc<Engine>> {
    let stop = engine.upgrade()?.stop.clone();
    stop.run_until_cancelled(sleep(pause)).await?;
    engine.upgrade()
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
    let Some(stop) = engine.upgrade().map(|engine| engine.stop.clone()) else {
        return;
    };
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = sleep(TICK) => {}
        }
        let Some(engine) = engine.upgrade() else {
            return;
        };
        if let Err(error) = engine.presence.save().await {
            tracing::warn!(%error, "last-seen times cannot be written down, they wait");
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Without a shutdown, the tasks must not outlive the last handle.
        self.stop.cancel();
    }
}
