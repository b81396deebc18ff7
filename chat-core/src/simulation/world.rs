//! Everything there is in a run: the store, the bus, the nodes, and the dice.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    bus::{Care, Wires},
    history::{Author, History, Promise},
    random::Random,
    store::{Line, Weather, at_once},
};
use crate::{
    Chat, Directory, Limits,
    model::{ConversationId, Profile, Seq, UserId},
    store::{ConversationStore, MemoryStore, StoreError},
};

/// Everything there is in a run.
#[derive(Debug)]
pub(crate) struct World {
    /// What the store holds: the truth.
    pub(super) log: MemoryStore,
    pub(super) wires: Mutex<Wires>,
    pub(super) nodes: Mutex<Vec<Option<Node>>>,
    /// Sessions that are open, by number.
    pub(super) sessions: Mutex<BTreeMap<u64, OpenSession>>,
    pub(super) users: Vec<UserId>,
    pub(super) limits: Limits,
    care: Care,
    healed: AtomicBool,
    unheard: AtomicBool,
    numbers: AtomicU64,
    random: Mutex<Random>,
    history: Mutex<History>,
}

/// One run of a node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) index: usize,
    pub(super) chat: Chat,
    pub(super) line: Line,
    pub(super) dead: CancellationToken,
}

/// A session as the node that serves it sees it.
#[derive(Clone, Debug)]
pub(super) struct OpenSession {
    pub(super) author: Author,
    pub(super) user: UserId,
    pub(super) node: usize,
    /// Up to where each joined conversation was served.
    pub(super) served: BTreeMap<ConversationId, Seq>,
}

/// A caller was cut off: whether the call had an effect is not known.
#[derive(Debug)]
pub(super) struct CutOff;

impl World {
    pub(super) fn new(seed: u64, loud: bool, kept: bool) -> Self {
        let mut random = Random::new(seed);
        let care = random.pick(&[Care::Perfect, Care::Honest, Care::Silent]);
        let log = MemoryStore::default();
        Self {
            wires: Mutex::default(),
            nodes: Mutex::default(),
            sessions: Mutex::default(),
            users: (0..5).map(|_| UserId::new()).collect(),
            limits: limits(&mut random),
            care: care.unwrap_or(Care::Perfect),
            healed: AtomicBool::new(false),
            unheard: AtomicBool::new(false),
            numbers: AtomicU64::new(0),
            random: Mutex::new(random),
            history: Mutex::new(History::new(log.clone(), loud, kept)),
            log,
        }
    }

    pub(super) fn random(&self) -> MutexGuard<'_, Random> {
        self.random.lock()
    }

    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock()
    }

    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        self.history().note(line);
    }

    pub(super) fn violation(&self, promise: Promise, what: impl std::fmt::Display) {
        self.history().violation(promise, what);
    }

    /// Somebody who acts beside everybody else, and must not panic.
    pub(super) fn spawn(self: &Arc<Self>, act: impl Future<Output = ()> + Send + 'static) {
        let world = Arc::clone(self);
        tokio::spawn(async move {
            if AssertUnwindSafe(act).catch_unwind().await.is_err() {
                world.violation(Promise::Rest, "somebody panicked");
            }
        });
    }

    /// Never twice the same.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// How the bus of this run treats what it is given; nothing goes wrong any more once it is healed.
    pub(super) fn care(&self) -> Care {
        if self.is_healed() {
            Care::Perfect
        } else {
            self.care
        }
    }

    /// Something may have been committed without any node hearing of it, or with one that tells no other.
    pub(super) fn was_committed_unheard(&self) {
        self.unheard.store(true, Ordering::Relaxed);
    }

    pub(super) fn everything_was_heard(&self) -> bool {
        !self.unheard.load(Ordering::Relaxed)
    }

    /// Whether whoever missed something on the bus knows that something may be missing.
    pub(super) fn losses_are_known(&self) -> bool {
        self.care != Care::Silent
    }

    pub(super) fn is_healed(&self) -> bool {
        self.healed.load(Ordering::Relaxed)
    }

    /// Starts a node that is down.
    pub(super) async fn start(self: &Arc<Self>, index: usize) {
        let dead = CancellationToken::new();
        let line = Line::new(self, index, dead.clone());
        let chat = loop {
            let port = self.wires.lock().connect(self, index, dead.clone());
            let builder = Chat::builder().store(line.clone()).bus(port);
            let builder = builder.directory(Names(self.users.clone()));
            match builder.limits(self.limits.clone()).start().await {
                Ok(chat) => break chat,
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        };
        self.note(|| format!("n{index} starts"));
        self.nodes.lock()[index] = Some(Node {
            index,
            chat,
            line,
            dead,
        });
    }

    /// A node is no more, from one moment to the next, whatever was under way in it.
    pub(super) fn kill(&self, index: usize) {
        if let Some(node) = self.nodes.lock()[index].take() {
            self.note(|| format!("n{index} is killed"));
            node.dead.cancel();
        }
    }

    /// A node stops in an orderly way, beside everything else.
    pub(super) fn stop(self: &Arc<Self>, index: usize) {
        if let Some(node) = self.nodes.lock()[index].take() {
            self.note(|| format!("n{index} stops"));
            let world = Arc::clone(self);
            self.spawn(async move {
                node.chat.shutdown().await;
                world.note(|| format!("n{index} has stopped"));
                // Whoever still asks it something finds nobody there.
                sleep(Duration::from_secs(1)).await;
                node.dead.cancel();
            });
        }
    }

    /// Any node that is up.
    pub(super) fn any_node(&self) -> Option<Node> {
        let nodes: Vec<Node> = self.nodes.lock().iter().flatten().cloned().collect();
        self.random().pick(&nodes)
    }

    /// Nothing goes wrong any more.
    pub(super) async fn heal(self: &Arc<Self>) {
        self.note(|| "everything is healed".to_owned());
        self.healed.store(true, Ordering::Relaxed);
        let count = self.nodes.lock().len();
        for index in 0..count {
            self.wires.lock().rejoin(self, index);
            let node = self.nodes.lock()[index].clone();
            match node {
                Some(node) => node.line.set_weather(Weather::Calm),
                None => self.start(index).await,
            }
        }
    }

    /// The conversations whose rows are in a user's list.
    pub(super) fn listed(&self, user: UserId) -> Vec<ConversationId> {
        let heads = at_once(self.log.row_heads(user));
        let mut ids: Vec<_> = heads.into_iter().map(|(id, ..)| id).collect();
        ids.sort_unstable();
        ids
    }
}

/// Everybody is called by their number.
struct Names(Vec<UserId>);

impl Names {
    fn profile(&self, id: UserId) -> Option<Profile> {
        let number = self.0.iter().position(|user| *user == id)?;
        let name = format!("u{number}");
        Some(Profile {
            id,
            username: name.clone(),
            display_name: name,
            presence: None,
        })
    }
}

impl Directory for Names {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let known = users.iter().filter_map(|user| self.profile(*user));
        Ok(known.collect())
    }

    async fn by_username(&self, names: &[String]) -> Result<Vec<Profile>, StoreError> {
        let all = self.0.iter().filter_map(|user| self.profile(*user));
        Ok(all.filter(|it| names.contains(&it.username)).collect())
    }
}

impl Node {
    /// Asks this node something. The caller may give up at any await, and the node may die at any.
    pub(super) async fn ask<T>(&self, call: impl Future<Output = T>) -> Result<T, CutOff> {
        tokio::select! {
            biased;
            () = self.dead.cancelled() => Err(CutOff),
            answer = call => Ok(answer),
        }
    }
}

/// Small ones, so that windows overflow, replays are too long and queues are full in a small world.
fn limits(random: &mut Random) -> Limits {
    Limits {
        max_replay: 3 + random.below(60),
        window_entries: 2 + random.below(30),
        window_bytes: 1_000 + random.below(20_000),
        commit_batch: 1 + random.below(16),
        commit_queue: 1 + random.below(16),
        room_idle: Duration::from_secs(1) + random.millis(20_000),
        presence_grace: Duration::from_secs(1) + random.millis(10_000),
        presence_touch: Duration::from_secs(5),
        ..Limits::default()
    }
}
