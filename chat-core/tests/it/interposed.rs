//! A store in memory whose every call somebody else has a hand in.

use chat_core::{
    model::{
        ConversationId, Entry, Membership, Message, MessageId, NodeId, Seq, Settings, StoreEpoch,
        Timestamp, UserId,
    },
    store::{
        Around, Committed, ConversationStore, GroupRows, MemoryStore, MessageLog, PresenceStore,
        Refusal, RowHead, RowPlace, Search, StoreError, StoredRow, UserStore, Write,
    },
};

use crate::forward::forward_store;

/// Does the work of a call, or something else.
pub(crate) trait Interpose: Send + Sync + 'static {
    fn call<T: Send>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;
}

/// A store in memory, and what its calls pass through.
#[derive(Clone, Debug, Default)]
pub(crate) struct InterposedStore<I> {
    pub(crate) inner: MemoryStore,
    pub(crate) calls: I,
}

macro_rules! interpose {
    ($store:expr, $method:ident($($argument:expr),*)) => {
        $store
            .calls
            .call(stringify!($method), $store.inner.$method($($argument),*))
            .await
    };
}

forward_store!(impl[I: Interpose] InterposedStore<I>, interpose);
