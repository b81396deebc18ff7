//! Users of whose settings it is not certain that this node has the newest.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::model::UserId;

/// Users whose settings are to be read from the store again, because they changed.
///
/// Of two changes at the same time, here or on two nodes, the store says which was the last one, and not the order in which
/// this node hears of them.
#[derive(Debug, Default)]
pub(crate) struct Doubts {
    users: Mutex<BTreeSet<UserId>>,
    called: Notify,
}

impl Doubts {
    pub(crate) fn add(&self, user: UserId) {
        self.users.lock().insert(user);
        self.called.notify_one();
    }

    /// Takes one out, as soon as there is one. Cancellation safe.
    pub(crate) async fn next(&self) -> UserId {
        loop {
            if let Some(user) = self.users.lock().pop_first() {
                return user;
            }
            self.called.notified().await;
        }
    }
}
