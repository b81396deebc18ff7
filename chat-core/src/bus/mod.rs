//! How nodes tell each other that something moved: a hint, never the truth.

mod local;
#[cfg(feature = "nats")]
pub mod nats;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub use local::LocalBus;
#[cfg(feature = "nats")]
pub use nats::NatsBus;
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use crate::model::{ConversationId, Entry, NodeId, Seq, Status, StoreEpoch, UserId};

/// Whom a notice is for: it is heard by the nodes that follow this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// All nodes.
    Nodes,
    /// One node.
    Node(NodeId),
    /// The nodes where somebody is connected who belongs to this conversation.
    Conversation(ConversationId),
    /// The nodes where this user is connected.
    User(UserId),
}

/// What one node tells the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The life of the store that it is about; nodes of another store pass over it.
    pub epoch: StoreEpoch,
    /// The node that speaks.
    pub origin: NodeId,
    /// What it says.
    pub notice: Notice,
}

/// What can be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// An entry is in the log. It is durable.
    Entry {
        /// The entry, whole.
        entry: Box<Entry>,
    },
    /// A member's cursors moved forward.
    Cursors {
        /// Where.
        conversation_id: ConversationId,
        /// Whose.
        user_id: UserId,
        /// To where.
        #[serde(flatten)]
        cursors: Cursors,
    },
    /// The rows of these users changed, for a reason that no entry tells.
    Rows {
        /// Of which conversation.
        conversation_id: ConversationId,
        /// Whose.
        user_ids: Vec<UserId>,
    },
    /// A user lets others know something else, which the store tells.
    Settings {
        /// Who.
        user_id: UserId,
    },
    /// A user blocked another one, or no longer does.
    Blocked {
        /// Who.
        user_id: UserId,
        /// Whom.
        other_id: UserId,
        /// Whether they are blocked now.
        blocked: bool,
    },
    /// A user has a conversation in their list from here on.
    Joined {
        /// Which.
        conversation_id: ConversationId,
        /// Who.
        user_id: UserId,
    },
    /// A user types, or no longer does.
    Typing {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_id: UserId,
        /// Whether they do.
        typing: bool,
    },
    /// The node is there, and the bus carries what it says: said several times a second.
    Alive {
        /// One more each time.
        number: u64,
        /// How many [`Notice::Presence`] it has said.
        presence: u64,
    },
    /// The node goes; its users may come back on others.
    Leaving,
    /// The presence of some of the node's users changed.
    Presence {
        /// One more each time, so that it is noticed when one is missing.
        version: u64,
        /// How they are seen, as far as this node knows.
        changes: Vec<(UserId, Status)>,
    },
    /// The node wants to know of all users of another one who are there.
    AskPresence {
        /// Of which.
        node_id: NodeId,
    },
    /// A part of the answer to [`Notice::AskPresence`].
    AllPresences {
        /// Who asked.
        node_id: NodeId,
        /// How many [`Notice::Presence`] are in it.
        version: u64,
        /// Which part, from 0.
        part: u32,
        /// How many there are.
        parts: u32,
        /// Those who are there.
        users: Vec<(UserId, Status)>,
    },
}

impl Notice {
    /// Whom it is for.
    #[must_use]
    pub fn topics(&self) -> SmallVec<[Topic; 2]> {
        match self {
            Self::Entry { entry } => smallvec![Topic::Conversation(entry.conversation_id)],
            Self::Cursors {
                conversation_id, ..
            }
            | Self::Rows {
                conversation_id, ..
            }
            | Self::Typing {
                conversation_id, ..
            } => smallvec![Topic::Conversation(*conversation_id)],
            Self::Settings { user_id } | Self::Joined { user_id, .. } => {
                smallvec![Topic::User(*user_id)]
            }
            Self::Blocked {
                user_id, other_id, ..
            } => smallvec![Topic::User(*user_id), Topic::User(*other_id)],
            Self::Alive { .. } | Self::Leaving | Self::Presence { .. } => smallvec![Topic::Nodes],
            Self::AskPresence { node_id } | Self::AllPresences { node_id, .. } => {
                smallvec![Topic::Node(*node_id)]
            }
        }
    }
}

/// To where a member's cursors moved; those that are absent did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursors {
    /// Up to where they have read. For themselves alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Seq>,
    /// Up to where the others are told that they have read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Seq>,
    /// Up to where a device of theirs has the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Seq>,
}

impl Cursors {
    /// Both movements in one.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            read: self.read.max(other.read),
            shown: self.shown.max(other.shown),
            delivered: self.delivered.max(other.delivered),
        }
    }

    /// What the others are told: who has read up to somewhere has it up to there, and that is not said twice.
    pub(crate) fn for_others(self) -> Self {
        Self {
            read: None,
            shown: self.shown,
            delivered: self.delivered.filter(|seq| Some(*seq) > self.shown),
        }
    }
}

/// What comes in from a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Incoming {
    /// Another node said this.
    Envelope(Envelope),
    /// Something may have been lost (a disconnect, an overflow, a missed probe): every room compares itself with the
    /// store.
    Suspect,
}

/// What has gone over a bus since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusStats {
    /// There is a connection now.
    pub connected: bool,
    /// Notices that were sent on their way.
    pub published: u64,
    /// Notices that came in.
    pub received: u64,
    /// Notices that were dropped because they could not be carried in time.
    pub dropped: u64,
    /// What came in and was no notice, or in a place where it does not belong.
    pub malformed: u64,
    /// Topics that are followed now.
    pub topics: u64,
}

/// Carries hints between nodes that share a store.
///
/// A bus may lose, repeat and reorder: the engine repairs all three from the store. Losing every message costs latency,
/// never a message. Whether what a node publishes comes back to itself makes no difference.
pub trait Bus: Send + Sync + 'static {
    /// Hands an envelope over and returns at once, whatever state the bus is in; what cannot be carried is dropped.
    /// `false` when it was: the engine then lets the other nodes know that they miss something.
    fn publish(&self, topic: Topic, envelope: Envelope) -> bool;

    /// Lets this node hear what is published on a topic from now on, or as soon as that can be. Returns at once.
    fn follow(&self, topic: Topic);

    /// The opposite of [`follow`](Self::follow).
    fn unfollow(&self, topic: Topic);

    /// The next thing that came in. Cancellation safe: what was not returned comes with the next call.
    fn receive(&self) -> impl Future<Output = Incoming> + Send;

    /// Completes when what was published is on its way, or cannot be. The engine waits for it at its end.
    fn flush(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// What has gone over it. As provided, nothing is counted.
    fn stats(&self) -> BusStats {
        BusStats::default()
    }

    /// Whether there may be other nodes. A bus of a single node is told nothing and followed nowhere.
    fn is_shared(&self) -> bool {
        true
    }
}

/// The object-safe twin of [`Bus`].
trait ErasedBus: Send + Sync {
    fn publish(&self, topic: Topic, envelope: Envelope) -> bool;
    fn follow(&self, topic: Topic);
    fn unfollow(&self, topic: Topic);
    fn receive(&self) -> Pin<Box<dyn Future<Output = Incoming> + Send + '_>>;
    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    fn stats(&self) -> BusStats;
    fn is_shared(&self) -> bool;
}

impl<B: Bus> ErasedBus for B {
    fn publish(&self, topic: Topic, envelope: Envelope) -> bool {
        Bus::publish(self, topic, envelope)
    }

    fn follow(&self, topic: Topic) {
        Bus::follow(self, topic);
    }

    fn unfollow(&self, topic: Topic) {
        Bus::unfollow(self, topic);
    }

    fn receive(&self) -> Pin<Box<dyn Future<Output = Incoming> + Send + '_>> {
        Box::pin(Bus::receive(self))
    }

    fn flush(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(Bus::flush(self))
    }

    fn stats(&self) -> BusStats {
        Bus::stats(self)
    }

    fn is_shared(&self) -> bool {
        Bus::is_shared(self)
    }
}

/// This node's end of any bus, behind one pointer. On the bus of a single node nothing is said and nobody is followed.
#[derive(Clone)]
pub(crate) struct NodeBus {
    bus: Arc<dyn ErasedBus>,
    epoch: StoreEpoch,
    node: NodeId,
    is_shared: bool,
    /// Something that was said here was dropped.
    dropped: Arc<AtomicBool>,
}

/// Any bus, before it is known whose.
pub(crate) struct AnyBus(Arc<dyn ErasedBus>);

impl AnyBus {
    pub(crate) fn new(bus: impl Bus) -> Self {
        Self(Arc::new(bus))
    }

    pub(crate) fn of(self, node: NodeId, epoch: StoreEpoch) -> NodeBus {
        NodeBus {
            is_shared: self.0.is_shared(),
            bus: self.0,
            epoch,
            node,
            dropped: Arc::default(),
        }
    }
}

impl NodeBus {
    /// Whether there may be other nodes.
    pub(crate) const fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub(crate) fn tell(&self, notice: Notice) {
        if !self.is_shared {
            return;
        }
        let mut topics = notice.topics();
        let envelope = Envelope {
            epoch: self.epoch,
            origin: self.node,
            notice,
        };
        let last = topics.pop();
        let mut taken = true;
        for topic in topics {
            taken &= self.bus.publish(topic, envelope.clone());
        }
        if let Some(topic) = last {
            taken &= self.bus.publish(topic, envelope);
        }
        if !taken {
            self.dropped.store(true, Ordering::Relaxed);
        }
    }

    /// Whether something was dropped since this was last asked.
    pub(crate) fn take_dropped(&self) -> bool {
        self.dropped.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn follow(&self, topic: Topic) {
        if self.is_shared {
            self.bus.follow(topic);
        }
    }

    pub(crate) fn unfollow(&self, topic: Topic) {
        if self.is_shared {
            self.bus.unfollow(topic);
        }
    }

    /// The next thing that concerns this store.
    pub(crate) async fn receive(&self) -> Incoming {
        loop {
            match self.bus.receive().await {
                Incoming::Envelope(envelope) if envelope.epoch != self.epoch => {}
                incoming => return incoming,
            }
        }
    }

    pub(crate) async fn flush(&self) {
        self.bus.flush().await;
    }

    pub(crate) fn stats(&self) -> BusStats {
        self.bus.stats()
    }
}

impl fmt::Debug for AnyBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyBus")
    }
}

impl fmt::Debug for NodeBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeBus({})", self.node)
    }
}
