//! How nodes tell each other that something moved: a hint, never the truth.

mod local;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

pub use local::LocalBus;
use serde::{Deserialize, Serialize};

use crate::model::{ConversationId, Entry, NodeId, Seq, UserId};

/// What one node tells the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The node that speaks; a node passes over what it said itself.
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

/// Carries hints between nodes that share a store.
///
/// A bus may lose, repeat and reorder: the engine repairs all three from the store. Losing every message costs latency,
/// never a message.
pub trait Bus: Send + Sync + 'static {
    /// Hands an envelope over and returns at once, whatever state the bus is in; what cannot be carried is dropped.
    fn publish(&self, envelope: Envelope);

    /// The next thing that came in. Cancellation safe: what was not returned comes with the next call.
    fn receive(&self) -> impl Future<Output = Incoming> + Send;
}

/// The object-safe twin of [`Bus`].
trait ErasedBus: Send + Sync {
    fn publish(&self, envelope: Envelope);
    fn receive(&self) -> Pin<Box<dyn Future<Output = Incoming> + Send + '_>>;
}

impl<B: Bus> ErasedBus for B {
    fn publish(&self, envelope: Envelope) {
        Bus::publish(self, envelope);
    }

    fn receive(&self) -> Pin<Box<dyn Future<Output = Incoming> + Send + '_>> {
        Box::pin(Bus::receive(self))
    }
}

/// Any bus, behind one pointer.
#[derive(Clone)]
pub(crate) struct AnyBus(Arc<dyn ErasedBus>);

impl AnyBus {
    pub(crate) fn new(bus: impl Bus) -> Self {
        Self(Arc::new(bus))
    }

    pub(crate) fn publish(&self, envelope: Envelope) {
        self.0.publish(envelope);
    }

    pub(crate) async fn receive(&self) -> Incoming {
        self.0.receive().await
    }
}

impl fmt::Debug for AnyBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyBus")
    }
}
