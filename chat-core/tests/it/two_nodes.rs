//! Two handles to one database, taken in turn: what one wrote, the other must know.

use std::sync::atomic::{AtomicUsize, Ordering};

use chat_core::{
    model::{
        ConversationId, Entry, Membership, Message, MessageId, NodeId, Seq, Settings, StoreEpoch,
        Timestamp, UserId,
    },
    store::{
        Around, Committed, ConversationStore, GroupRows, MessageLog, PresenceStore, Refusal,
        RowHead, RowPlace, Search, Store, StoreError, StoredRow, UserStore, Write,
    },
};

use crate::forward::forward_store;

/// Every call goes to the node that the call before did not go to.
pub(crate) struct TwoNodes<S> {
    nodes: [S; 2],
    calls: AtomicUsize,
}

impl<S> TwoNodes<S> {
    pub(crate) fn new(one: S, other: S) -> Self {
        Self {
            nodes: [one, other],
            calls: AtomicUsize::new(0),
        }
    }

    fn next(&self) -> &S {
        &self.nodes[self.calls.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

macro_rules! ask_next {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        $store.next().$method($($argument),*).await
    };
}

forward_store!(impl[S: Store] TwoNodes<S>, ask_next);
