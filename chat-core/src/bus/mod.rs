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
    /// A read cursor moved.
    Read {
        /// Where.
        conversation_id: ConversationId,
        /// Whose.
        user_id: UserId,
        /// To where.
        seq: Seq,
    },
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
