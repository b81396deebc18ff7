//! What all handles and sessions share, and the tasks that keep it going.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::AnyPolicy,
    append::Appender,
    bus::{AnyBus, Envelope, Incoming, Notice},
    directory::AnyDirectory,
    error::Error,
    hub::Hub,
    limits::Limits,
    model::{ConversationId, NodeId, Profile, Row, StoreEpoch, UserId},
    presence::Presences,
    source::HashMap,
    store::{AnyStore, StoredRow},
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
    pub(crate) bus: AnyBus,
    pub(crate) directory: AnyDirectory,
    pub(crate) policy: AnyPolicy,
    pub(crate) hub: Arc<Hub>,
    pub(crate) presence: Presences,
    pub(crate) typing: Arc<Typing>,
    pub(crate) appender: Appender,
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
            .profiles(rows.iter().filter_map(|row| row.peer_id))
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

    /// Profiles with presence, for those who may know it.
    pub(crate) async fn profiles(
        &self,
        users: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Profile>, Error> {
        let mut profiles = self.directory.profiles(users).await?;
        let ids: Vec<_> = profiles.keys().copied().collect();
        if !ids.is_empty() {
            for presence in self.presence.of(&ids).await? {
                if let Some(profile) = profiles.get_mut(&presence.user_id) {
                    profile.presence = Some(presence);
                }
            }
        }
        Ok(profiles)
    }
}

/// Brings in what other nodes tell. Ends with the engine.
pub(crate) async fn listen_to_bus(engine: Weak<Engine>) {
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
            Incoming::Suspect => engine.hub.suspect_all(),
            Incoming::Envelope(envelope) if envelope.origin == engine.node => {}
            Incoming::Envelope(Envelope {
                notice: Notice::Entry { entry },
                ..
            }) => engine.hub.deliver(&[*entry]),
            Incoming::Envelope(Envelope {
                notice:
                    Notice::Read {
                        conversation_id,
                        user_id,
                        seq,
                    },
                ..
            }) => engine.hub.read_moved(conversation_id, user_id, seq),
        }
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

/// Writes down when users were last seen, at its own pace: a store that hangs holds up nothing else. Ends with the engine.
pub(crate) async fn note_last_seen(engine: Weak<Engine>) {
    let Some(stop) = engine.upgrade().map(|engine| engine.stop.clone()) else {
        return;
    };
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
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
