//! The other nodes: who is there, and whether the bus carries what they say.

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
    others: BTreeMap<NodeId, Other>,
}

#[derive(Debug)]
struct Other {
    /// When it last gave a sign of life, or since when one is waited for.
    heard: Instant,
    /// Of its last sign of life; `None` before the first.
    number: Option<u64>,
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

    /// Another node gave a sign of life.
    pub(crate) fn heard(&self, node: NodeId, number: u64) -> Heard {
        let heard = Instant::now();
        let mut state = self.0.lock();
        let is_full = state.others.len() >= MOST_NODES;
        let Some(other) = state.others.get_mut(&node) else {
            if is_full {
                return Heard::Again;
            }
            let number = Some(number);
            state.others.insert(node, Other { heard, number });
            return Heard::New;
        };
        other.heard = heard;
        let known = other
            .number
            .replace(other.number.max(Some(number)).unwrap_or(number));
        match known {
            None => Heard::New,
            Some(known) if number <= known + 1 => Heard::Again,
            Some(_) => Heard::AfterAGap,
        }
    }

    /// These nodes are there, says the store: those that were never heard are waited for from now on.
    pub(crate) fn wait_for(&self, nodes: impl IntoIterator<Item = NodeId>) {
        let mut state = self.0.lock();
        let heard = Instant::now();
        for node in nodes {
            if state.others.len() < MOST_NODES {
                let waited_for = Other {
                    heard,
                    number: None,
                };
                state.others.entry(node).or_insert(waited_for);
            }
        }
    }

    /// Whether a node gave a sign of life before.
    pub(crate) fn are_with(&self, node: NodeId) -> bool {
        let state = self.0.lock();
        let known = state.others.get(&node);
        known.is_some_and(|it| it.number.is_some())
    }

    /// A node is no more: it said so, or it died.
    pub(crate) fn forget(&self, node: NodeId) {
        self.0.lock().others.remove(&node);
    }

    /// Whether the bus carries between this node and all others that are known.
    pub(crate) fn are_all_heard(&self) -> bool {
        let state = self.0.lock();
        let mut others = state.others.values();
        others.all(|other| other.heard.elapsed() < SILENCE)
    }

    /// Nodes that may have died.
    pub(crate) fn long_silent(&self) -> Vec<NodeId> {
        self.silent(LONG_SILENCE)
    }

    /// Nodes that must have died, if nothing else is known of them.
    pub(crate) fn given_up(&self) -> Vec<NodeId> {
        let is_anybody_heard = {
            let state = self.0.lock();
            let mut others = state.others.values();
            others.any(|other| other.heard.elapsed() < SILENCE)
        };
        // Where nobody is heard, it is rather the bus that has died.
        if is_anybody_heard {
            self.silent(DEATH)
        } else {
            Vec::new()
        }
    }

    /// How many others there are.
    pub(crate) fn count(&self) -> u64 {
        let state = self.0.lock();
        let heard = state.others.values().filter(|it| it.number.is_some());
        heard.count() as u64
    }

    fn silent(&self, longer_than: Duration) -> Vec<NodeId> {
        let state = self.0.lock();
        let silent = state.others.iter();
        let silent = silent.filter(|(_, other)| other.heard.elapsed() >= longer_than);
        silent.map(|(node, _)| *node).collect()
    }
}
