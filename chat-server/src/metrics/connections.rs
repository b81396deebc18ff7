//! Connections, as the listener sees them.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// Why a connection was closed before it was served.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unserved {
    /// There was no descriptor for it, the reserve aside.
    NoDescriptor,
    /// Nothing came.
    Silent,
    /// TLS was not agreed on.
    Handshake,
}

impl Unserved {
    const ALL: [Self; 3] = [Self::NoDescriptor, Self::Silent, Self::Handshake];

    fn label(self) -> Why {
        Why {
            why: match self {
                Self::NoDescriptor => "no_descriptor",
                Self::Silent => "silent",
                Self::Handshake => "handshake",
            },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    why: &'static str,
}

/// The counters of the listener; clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    accepted: Counter,
    unserved: Family<Why, Counter>,
}

impl Default for Connections {
    fn default() -> Self {
        let unserved = Family::<Why, Counter>::default();
        for why in Unserved::ALL {
            drop(unserved.get_or_create(&why.label()));
        }
        Self {
            accepted: Counter::default(),
            unserved,
        }
    }
}

impl Connections {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "chat_connections_accepted",
            "Connections that were accepted",
            self.accepted.clone(),
        );
        registry.register(
            "chat_connections_unserved",
            "Connections that were closed before a request, by why: no descriptor was left, nothing came, or TLS was not agreed on",
            self.unserved.clone(),
        );
    }

    pub(crate) fn accepted(&self) {
        self.accepted.inc();
    }

    pub(crate) fn unserved(&self, why: Unserved) {
        self.unserved.get_or_create(&why.label()).inc();
    }
}
