//! The other nodes: who is there, and whether the bus carries what is said.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::model::NodeId;

/// How often a node says that it is there.
pub(crate) const BEAT: Duration = Duration::from_millis(250);
/// How often a node renews its lease in the store.
pub(crate) const BETWEEN_RENEWALS: Duration = Duration::from_secs(2);
/// Without a sign of life for this long, the bus may not carry.
const SILENCE: Duration = Duration::from_millis(750);
/// Without a sign of life for this long, a node may have died.
const LONG_SILENCE: Duration = Duration::from_secs(8);
/// Where no store tells of leases, a node that is silent for this long has died.
const DEATH: Duration = Duration::from_secs(20);

/// Whoever claims to be one more is not believed.
const MOST_NODES: usize = 1_000;

/// The other nodes, as far as they were heard.
#[derive(Debug)]
pub(crate) struct Nodes(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Of the last sign of life that this node gave.
    number: u64,
    /// When one of those last came back.
    echoed: Instant,
    others: BTreeMap<NodeId, Other>,
}

#[derive(Debug)]
struct Other {
    heard: Instant,
    number: u64,
}

/// What a sign of life says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing new.
    Again,
    /// The node was not known.
    New,
    /// One before it is missing, so something else may be, too.
    AfterAGap,
}

impl Nodes {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            number: 0,
            echoed: Instant::now(),
            others: BTreeMap::new(),
        }))
    }

    /// The number of this node's next sign of life. One is left out where something else was dropped, so that the others
    /// know that they miss something.
    pub(crate) fn next_beat(&self, was_dropped: bool) -> u64 {
        let mut state = self.0.lock();
        state.number += 1 + u64::from(was_dropped);
        state.number
    }

    /// A sign of life of this node came back.
    pub(crate) fn echoed(&self) {
        self.0.lock().echoed = Instant::now();
    }

    /// Another node gave a sign of life.
    pub(crate) fn heard(&self, node: NodeId, number: u64) -> Heard {
        let heard = Instant::now();
        let mut state = self.0.lock();
        let is_full = state.others.len() >= MOST_NODES;
        let Some(other) = state.others.get_mut(&node) else {
            if is_full {
                return Heard::Again;
            }
            state.others.insert(node, Other { heard, number });
            return Heard::New;
        };
        let is_next = number <= other.number + 1;
        other.heard = heard;
        other.number = number.max(other.number);
        if is_next {
            Heard::Again
        } else {
            Heard::AfterAGap
        }
    }

    /// Whether a node gave a sign of life before.
    pub(crate) fn are_with(&self, node: NodeId) -> bool {
        self.0.lock().others.contains_key(&node)
    }

    /// A node is no more: it said so, or it died.
    pub(crate) fn forget(&self, node: NodeId) {
        self.0.lock().others.remove(&node);
    }

    /// Whether the bus carries between this node and all others that are known.
    pub(crate) fn are_all_heard(&self) -> bool {
        let state = self.0.lock();
        let mut others = state.others.values();
        state.echoed.elapsed() < SILENCE && others.all(|other| other.heard.elapsed() < SILENCE)
    }

    /// Nodes that may have died.
    pub(crate) fn long_silent(&self) -> Vec<NodeId> {
        self.silent(LONG_SILENCE)
    }

    /// Nodes that must have died, if nothing else is known of them.
    pub(crate) fn given_up(&self) -> Vec<NodeId> {
        self.silent(DEATH)
    }

    /// How many others there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.lock().others.len() as u64
    }

    fn silent(&self, longer_than: Duration) -> Vec<NodeId> {
        let state = self.0.lock();
        // What nobody hears says nothing of who is there.
        if state.echoed.elapsed() >= SILENCE {
            return Vec::new();
        }
        let silent = state.others.iter();
        let silent = silent.filter(|(_, other)| other.heard.elapsed() >= longer_than);
        silent.map(|(node, _)| *node).collect()
    }
}
