//! The one place where the type of a store is erased, so that nothing else carries a type parameter.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{
    Around, Committed, ConversationStore, GroupRows, MessageLog, PresenceStore, Refusal, RowHead,
    RowPlace, Search, Store, StoreError, StoredRow, UserStore, Write,
};
use crate::model::{
    ConversationId, Entry, Membership, Message, MessageId, NodeId, Seq, Settings, StoreEpoch,
    Timestamp, UserId,
};

/// Any store, behind one pointer. It answers in time, if only with an error: a store that hangs is one that is gone.
#[derive(Clone)]
pub(crate) struct AnyStore {
    store: Arc<dyn ErasedStore>,
    patience: Duration,
}

impl AnyStore {
    pub(crate) fn new(store: impl Store) -> Self {
        Self {
            store: Arc::new(store),
            patience: Duration::from_hours(1),
        }
    }

    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Whoever waited for the commit waited before it began, so its time is counted from then.
    pub(crate) async fn commit(
        &self,
        writes: &[Write],
        waiting_since: Instant,
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        let deadline = waiting_since + self.patience;
        self.until(deadline, self.store.commit_batch(writes)).await
    }

    async fn in_time<T>(&self, answer: Answer<'_, T>) -> Result<T, StoreError> {
        self.until(Instant::now() + self.patience, answer).await
    }

    async fn until<T>(&self, deadline: Instant, answer: Answer<'_, T>) -> Result<T, StoreError> {
        timeout_at(deadline, answer)
            .await
            .unwrap_or(Err(StoreError::NoAnswer(self.patience)))
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyStore")
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Writes each method of the traits three times: in `ErasedStore`, the object-safe twin of [`Store`] with boxed answers;
/// in what implements that for every store; and in [`AnyStore`], for the engine to call.
macro_rules! erased {
    ($life:lifetime; $($trait:ident::$method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        trait ErasedStore: Send + Sync {
            fn commit_batch<$life>(
                &$life self,
                writes: &$life [Write],
            ) -> Answer<$life, Vec<Result<Committed, Refusal>>>;
            $(fn $method<$life>(&$life self, $($argument: $type),*) -> Answer<$life, $answer>;)*
        }

        impl<S: Store> ErasedStore for S {
            fn commit_batch<$life>(
                &$life self,
                writes: &$life [Write],
            ) -> Answer<$life, Vec<Result<Committed, Refusal>>> {
                Box::pin(MessageLog::commit(self, writes))
            }

            $(fn $method<$life>(&$life self, $($argument: $type),*) -> Answer<$life, $answer> {
                Box::pin($trait::$method(self, $($argument),*))
            })*
        }

        impl AnyStore {
            $(pub(crate) async fn $method<$life>(
                &$life self,
                $($argument: $type),*
            ) -> Result<$answer, StoreError> {
                self.in_time(self.store.$method($($argument),*)).await
            })*
        }
    };
}

erased! { 'a;
    MessageLog::epoch() -> StoreEpoch;
    MessageLog::head(conversation: ConversationId) -> Option<Seq>;
    MessageLog::entries_after(conversation: ConversationId, after: Seq, limit: usize) -> Vec<Entry>;
    MessageLog::messages(
        conversation: ConversationId, which: Around, history_from: Seq, limit: usize
    ) -> Vec<Message>;
    MessageLog::message(conversation: ConversationId, id: MessageId) -> Option<Message>;
    MessageLog::pinned(
        conversation: ConversationId, before: Seq, history_from: Seq, limit: usize
    ) -> Vec<Message>;
    MessageLog::search(
        user: UserId, search: &'a Search, after: Option<MessageId>, limit: usize
    ) -> Vec<Message>;
    MessageLog::index() -> bool;
    ConversationStore::direct(user: UserId, peer: UserId, at: Timestamp) -> (ConversationId, bool);
    ConversationStore::membership(conversation: ConversationId, user: UserId) -> Option<Membership>;
    ConversationStore::member_ids(conversation: ConversationId) -> Option<(Seq, Vec<UserId>)>;
    ConversationStore::members(
        conversation: ConversationId, after: Option<UserId>, limit: usize
    ) -> Vec<Membership>;
    ConversationStore::readers(
        conversation: ConversationId, seq: Seq, after: Option<UserId>, limit: usize
    ) -> Vec<Membership>;
    ConversationStore::banned(
        conversation: ConversationId, after: Option<UserId>, limit: usize
    ) -> Vec<UserId>;
    ConversationStore::rows(user: UserId, after: Option<RowPlace>, limit: usize) -> Vec<StoredRow>;
    ConversationStore::rows_of(user: UserId, conversations: &'a [ConversationId]) -> Vec<StoredRow>;
    ConversationStore::group_rows(
        conversation: ConversationId, users: &'a [UserId]
    ) -> Option<GroupRows>;
    ConversationStore::row_heads(user: UserId) -> Vec<RowHead>;
    ConversationStore::row_heads_of(users: &'a [UserId]) -> Vec<(UserId, RowHead)>;
    ConversationStore::sharing_with(user: UserId, others: &'a [UserId]) -> Vec<UserId>;
    PresenceStore::set_last_seen(seen: &'a [(UserId, Timestamp)]) -> ();
    PresenceStore::last_seen(users: &'a [UserId]) -> Vec<(UserId, Timestamp)>;
    PresenceStore::renew_lease(node: NodeId) -> ();
    PresenceStore::end_lease(node: NodeId) -> ();
    PresenceStore::leases() -> Option<Vec<NodeId>>;
    UserStore::settings(user: UserId) -> Settings;
    UserStore::set_settings(user: UserId, settings: Settings) -> ();
    UserStore::set_blocked(user: UserId, other: UserId, blocked: bool) -> bool;
    UserStore::blocked_by(user: UserId, after: Option<UserId>, limit: usize) -> Vec<UserId>;
    UserStore::blockers_of(user: UserId, others: &'a [UserId]) -> Vec<UserId>;
}
