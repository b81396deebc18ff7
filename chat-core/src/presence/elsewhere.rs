//! Who is there on other nodes, as these tell it.

use std::{collections::BTreeMap, mem, time::Duration};

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::{
    model::{NodeId, Status, UserId},
    source::{HashMap, HashSet},
};

/// For how long an answer of another node is waited for before it is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// A node that claims to have more users than fit into these is not believed.
const MOST_PARTS: u32 = 1_000;

/// Who is there on other nodes.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    /// Where each user is who is there, and how they are seen there.
    users: HashMap<UserId, SmallVec<[(NodeId, Status); 1]>>,
    nodes: BTreeMap<NodeId, Node>,
}

/// One other node.
#[derive(Debug, Default)]
struct Node {
    /// How many of its changes are known here.
    version: u64,
    /// What came so far of the answer to a question for all its users.
    answer: Option<Answer>,
    /// When it was last asked for all its users.
    asked: Option<Instant>,
    /// It has gone; its users are taken for gone at this time, if they do not come back elsewhere.
    leaves: Option<Instant>,
}

/// The parts of an answer.
#[derive(Debug)]
struct Answer {
    version: u64,
    parts: u32,
    users: Vec<(UserId, Status)>,
}

/// A part of all users of a node who are there.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) version: u64,
    pub(crate) number: u32,
    pub(crate) of: u32,
    pub(crate) users: Vec<(UserId, Status)>,
}

impl Elsewhere {
    /// How the user is seen by those on the other nodes alone.
    pub(super) fn status(&self, user: UserId) -> Status {
        let places = self.users.get(&user).into_iter().flatten();
        let statuses = places.map(|(_, status)| *status);
        statuses.max().unwrap_or(Status::Offline)
    }

    /// A node has made so many changes; whether it is to be asked for all its users, because some are missing here.
    pub(super) fn must_ask(&mut self, node: NodeId, version: u64) -> bool {
        let known = self.nodes.entry(node).or_default();
        let asked = known.asked.is_some_and(|at| at.elapsed() < PATIENCE);
        if known.version == version || known.leaves.is_some() || asked {
            return false;
        }
        known.asked = Some(Instant::now());
        true
    }

    /// Takes note of a node's next changes: those that are to be made, if none is missing before them.
    pub(super) fn next_changes(
        &mut self,
        node: NodeId,
        version: u64,
        changes: Vec<(UserId, Status)>,
    ) -> Vec<(UserId, Status)> {
        let known = self.nodes.entry(node).or_default();
        if version != known.version + 1 {
            return Vec::new();
        }
        known.version = version;
        changes
    }

    /// Takes note of a part of all users of a node; with the last one, what is to be changed.
    pub(super) fn complete(&mut self, node: NodeId, part: Part) -> Vec<(UserId, Status)> {
        let known = self.nodes.entry(node).or_default();
        if part.of > MOST_PARTS {
            return Vec::new();
        }
        if part.number == 0 {
            known.answer = Some(Answer {
                version: part.version,
                parts: 0,
                users: Vec::new(),
            });
        }
        let Some(answer) = &mut known.answer else {
            return Vec::new();
        };
        if answer.version != part.version || answer.parts != part.number {
            known.answer = None;
            return Vec::new();
        }
        answer.parts += 1;
        answer.users.extend(part.users);
        if answer.parts < part.of {
            return Vec::new();
        }
        let users = mem::take(&mut answer.users);
        known.answer = None;
        if part.version < known.version {
            return Vec::new();
        }
        known.version = part.version;
        known.leaves = None;
        let there: HashSet<UserId> = users.iter().map(|(user, _)| *user).collect();
        let gone = self.users_of(node).into_iter();
        let gone = gone.filter(|user| !there.contains(user));
        let gone = gone.map(|user| (user, Status::Offline));
        gone.chain(users).collect()
    }

    /// How the user is seen on one other node from here on.
    pub(super) fn set(&mut self, node: NodeId, user: UserId, status: Status) {
        let places = self.users.entry(user).or_default();
        places.retain(|(place, _)| *place != node);
        if status != Status::Offline {
            places.push((node, status));
        }
        if places.is_empty() {
            self.users.remove(&user);
        }
    }

    /// A node goes, and its users may come back on others until then.
    pub(super) fn let_leave(&mut self, node: NodeId, until: Instant) {
        if let Some(known) = self.nodes.get_mut(&node) {
            known.leaves.get_or_insert(until);
        }
    }

    /// Forgets a node that has left by now; its users, who are to be seen as gone.
    pub(super) fn take_left(&mut self) -> Option<(NodeId, Vec<UserId>)> {
        let now = Instant::now();
        let mut nodes = self.nodes.iter();
        let left = nodes.find(|(_, known)| known.leaves.is_some_and(|at| at <= now));
        let node = left.map(|(node, _)| *node)?;
        self.nodes.remove(&node);
        Some((node, self.users_of(node)))
    }

    fn users_of(&self, node: NodeId) -> Vec<UserId> {
        let users = self.users.iter();
        let there = users.filter(|(_, places)| places.iter().any(|(place, _)| *place == node));
        there.map(|(user, _)| *user).collect()
    }
}
