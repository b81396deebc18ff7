//! A bus that loses, repeats, delays and reorders, and now and then says so.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::world::World;
use crate::{
    bus::{Bus, Envelope, Incoming, Notice, Topic},
    source::HashSet,
};

/// How a bus treats what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// Everything arrives, once, in any order.
    Perfect,
    /// What is lost is reported, sometimes late.
    Honest,
    /// Now and then something is lost that nobody ever knows of.
    Silent,
}

/// All that is on its way between the nodes.
#[derive(Debug, Default)]
pub(super) struct Wires {
    ports: Vec<Arc<PortState>>,
    /// Nodes that hear nothing and are not heard.
    isolated: Vec<bool>,
}

#[derive(Debug, Default)]
struct PortState {
    /// By the time at which it arrives, and a number that makes it unique.
    arriving: Mutex<BTreeMap<(Instant, u64), Incoming>>,
    /// What the node follows: nothing else reaches it.
    topics: Mutex<HashSet<Topic>>,
    more: Notify,
}

/// The end of the bus that one run of a node holds.
#[derive(Debug)]
pub(super) struct Port {
    world: Weak<World>,
    node: usize,
    state: Arc<PortState>,
    dead: CancellationToken,
}

impl Wires {
    /// Connects a node anew: what was on its way to its last run is lost.
    pub(super) fn connect(
        &mut self,
        world: &Arc<World>,
        node: usize,
        dead: CancellationToken,
    ) -> Port {
        if self.ports.len() <= node {
            self.ports.resize_with(node + 1, Arc::default);
            self.isolated.resize(node + 1, false);
        }
        self.ports[node] = Arc::default();
        Port {
            world: Arc::downgrade(world),
            node,
            state: Arc::clone(&self.ports[node]),
            dead,
        }
    }

    pub(super) fn isolate(&mut self, node: usize) {
        self.isolated[node] = true;
    }

    /// Both sides of a partition that ends are told that they may have missed something.
    pub(super) fn rejoin(&mut self, world: &World, node: usize) {
        if std::mem::take(&mut self.isolated[node]) {
            for port in &self.ports {
                let delay = world.random().millis(1_500);
                port.put(world, delay, Incoming::Suspect);
            }
        }
    }

    fn carry(&self, world: &World, from: usize, topic: Topic, envelope: &Envelope) {
        for (to, port) in self.ports.iter().enumerate() {
            if from == to || self.isolated[from] || self.isolated[to] {
                continue;
            }
            if !port.topics.lock().contains(&topic) {
                continue;
            }
            let mut random = world.random();
            let (lost, repeated) = match world.care() {
                Care::Perfect => (false, false),
                // One that is missing would give away what else is.
                _ if matches!(envelope.notice, Notice::Alive { .. }) => (false, false),
                Care::Honest | Care::Silent => (random.chance(15), random.chance(10)),
            };
            let (delay, later, reported) =
                (random.millis(60), random.millis(400), random.millis(3_000));
            drop(random);
            if lost {
                world.note(|| format!("bus n{from} to n{to}: lost"));
                if world.care() == Care::Honest {
                    port.put(world, reported, Incoming::Suspect);
                }
                continue;
            }
            port.put(world, delay, Incoming::Envelope(envelope.clone()));
            if repeated {
                port.put(world, later, Incoming::Envelope(envelope.clone()));
            }
        }
    }
}

impl PortState {
    fn put(&self, world: &World, delay: Duration, incoming: Incoming) {
        let number = world.random().next();
        let at = Instant::now() + delay;
        self.arriving.lock().insert((at, number), incoming);
        self.more.notify_one();
    }
}

impl Bus for Port {
    fn publish(&self, topic: Topic, envelope: Envelope) -> bool {
        if let Some(world) = self.world.upgrade().filter(|_| !self.dead.is_cancelled()) {
            world
                .wires
                .lock()
                .carry(&world, self.node, topic, &envelope);
        }
        true
    }

    fn follow(&self, topic: Topic) {
        self.state.topics.lock().insert(topic);
    }

    fn unfollow(&self, topic: Topic) {
        self.state.topics.lock().remove(&topic);
    }

    async fn receive(&self) -> Incoming {
        loop {
            if self.dead.is_cancelled() {
                std::future::pending::<()>().await;
            }
            let next = self.state.arriving.lock().keys().next().copied();
            match next {
                Some(key) if key.0 <= Instant::now() => {
                    if let Some(incoming) = self.state.arriving.lock().remove(&key) {
                        return incoming;
                    }
                }
                Some((at, _)) => {
                    tokio::select! {
                        biased;
                        () = sleep_until(at) => {}
                        () = self.state.more.notified() => {}
                    }
                }
                None => self.state.more.notified().await,
            }
        }
    }
}
