//! Chooses the parts of an engine and starts it.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    access::{AnyPolicy, NoPolicy, Policy},
    append::{Appender, Committer},
    bus::{AnyBus, Bus, LocalBus},
    chat::Chat,
    directory::{AnyDirectory, Directory, OpenDirectory},
    engine::{self, Engine},
    error::Error,
    herald::Herald,
    hub::Hub,
    indexer::Indexer,
    limits::Limits,
    model::NodeId,
    nodes::Nodes,
    presence::Presences,
    stats::Counters,
    store::{AnyStore, MemoryStore, Store},
    typing::Typing,
};

/// Chooses the parts of a [`Chat`].
///
/// What is not chosen has a default: a [`MemoryStore`], the bus of a single node, a directory in which everybody exists,
/// no policy, the protocol's limits.
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    store: Option<AnyStore>,
    bus: Option<AnyBus>,
    directory: Option<AnyDirectory>,
    policy: Option<AnyPolicy>,
    limits: Limits,
}

impl Builder {
    /// Where conversations are kept.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(AnyStore::new(store));
        self
    }

    /// How nodes that share a store tell each other of what happens.
    pub fn bus(mut self, bus: impl Bus) -> Self {
        self.bus = Some(AnyBus::new(bus));
        self
    }

    /// Who the users are.
    pub fn directory(mut self, directory: impl Directory) -> Self {
        self.directory = Some(AnyDirectory::new(directory));
        self
    }

    /// Who may say what, and who hears of it.
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policy = Some(AnyPolicy::new(policy));
        self
    }

    /// Bounds and timers.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Starts the engine's tasks on the current tokio runtime. Fails when the store does not answer.
    pub async fn start(self) -> Result<Chat, Error> {
        let store = self
            .store
            .unwrap_or_else(|| AnyStore::new(MemoryStore::default()));
        let directory = self
            .directory
            .unwrap_or_else(|| AnyDirectory::new(OpenDirectory));
        let policy = self.policy.unwrap_or_else(|| AnyPolicy::new(NoPolicy));
        let limits = Arc::new(self.limits);
        let store = store.with_patience(limits.store_patience);
        let directory = directory.with_patience(limits.store_patience);
        let node = NodeId::new();
        let epoch = store.epoch().await?;
        let bus = self.bus.unwrap_or_else(|| AnyBus::new(LocalBus));
        let bus = bus.of(node, epoch);

        let herald = Arc::<Herald>::default();
        let indexer = Arc::<Indexer>::default();
        let counters = Arc::<Counters>::default();
        let typing = Arc::new(Typing::new(Arc::clone(&limits)));
        let hub = Arc::new(Hub::new(
            store.clone(),
            bus.clone(),
            Arc::clone(&typing),
            Arc::clone(&herald),
            Arc::clone(&limits),
            Arc::clone(&counters),
        ));
        let presence = Presences::new(store.clone(), bus.clone(), Arc::clone(&limits));
        let (appender, queue) = Appender::new(&limits);
        let committer = Committer {
            store: store.clone(),
            hub: Arc::clone(&hub),
            bus: bus.clone(),
            policy: policy.clone(),
            limits: Arc::clone(&limits),
            counters: Arc::clone(&counters),
            indexer: Arc::clone(&indexer),
        };
        let engine = Arc::new(Engine {
            node,
            epoch,
            limits,
            store,
            bus,
            directory,
            policy,
            hub,
            presence,
            doubts: Arc::default(),
            nodes: Nodes::new(),
            typing,
            appender,
            counters,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });

        // Each task ends with `stop` or with the queue; `Chat::shutdown` waits for all of them.
        engine.tasks.spawn(committer.run(queue));
        let (hub, stop) = (Arc::clone(&engine.hub), engine.stop.clone());
        engine
            .tasks
            .spawn(async move { hub.run_errands(stop).await });
        let (hub, stop) = (Arc::clone(&engine.hub), engine.stop.clone());
        engine.tasks.spawn(async move { hub.run_rows(stop).await });
        if engine.bus.is_shared() {
            engine.join_others();
        }
        let stop = engine.stop.clone();
        engine.tasks.spawn(async move { herald.run(stop).await });
        let (store, stop) = (engine.store.clone(), engine.stop.clone());
        engine
            .tasks
            .spawn(async move { indexer.run(store, stop).await });
        engine
            .tasks
            .spawn(engine::keep_time(Arc::downgrade(&engine)));
        engine
            .tasks
            .spawn(engine::note_last_seen(Arc::downgrade(&engine)));
        engine
            .tasks
            .spawn(engine::settle_settings(Arc::downgrade(&engine)));
        Ok(Chat::new(engine))
    }
}
