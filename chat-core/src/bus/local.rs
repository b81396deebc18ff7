//! The bus of a single node: there is nobody to tell.

use super::{Bus, Envelope, Incoming, Topic};

/// The bus of a single node.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalBus;

impl Bus for LocalBus {
    fn publish(&self, _: Topic, _: Envelope) -> bool {
        true
    }

    fn follow(&self, _: Topic) {}

    fn unfollow(&self, _: Topic) {}

    async fn receive(&self) -> Incoming {
        std::future::pending().await
    }

    fn is_shared(&self) -> bool {
        false
    }
}
