//! The one place where the type of a store is erased, so that nothing else carries a type parameter.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{
    Around, Committed, ConversationStore, GroupRows, MessageLog, PresenceStore, Refusal, RowPlace,
    Store, StoreError, StoredRow, Write,
};
use crate::model::{
    ConversationId, Entry, Membership, Message, Seq, StoreEpoch, Timestamp, UserId,
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

/// The object-safe twin of [`Store`]: the same methods, boxed.
trait ErasedStore: Send + Sync {
    fn epoch(&self) -> Answer<'_, StoreEpoch>;
    fn commit<'a>(&'a self, writes: &'a [Write]) -> Answer<'a, Vec<Result<Committed, Refusal>>>;
    fn head(&self, conversation: ConversationId) -> Answer<'_, Option<Seq>>;
    fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Answer<'_, Vec<Entry>>;
    fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Answer<'_, Vec<Message>>;
    fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Answer<'_, (ConversationId, bool)>;
    fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Answer<'_, Option<Membership>>;
    fn member_ids(&self, conversation: ConversationId) -> Answer<'_, Option<(Seq, Vec<UserId>)>>;
    fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<Membership>>;
    fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Answer<'_, Vec<StoredRow>>;
    fn rows_of<'a>(
        &'a self,
        user: UserId,
        conversations: &'a [ConversationId],
    ) -> Answer<'a, Vec<StoredRow>>;
    fn group_rows<'a>(
        &'a self,
        conversation: ConversationId,
        users: &'a [UserId],
    ) -> Answer<'a, Option<GroupRows>>;
    fn row_heads(&self, user: UserId) -> Answer<'_, Vec<(ConversationId, Seq, u64)>>;
    fn sharing_with<'a>(&'a self, user: UserId, others: &'a [UserId]) -> Answer<'a, Vec<UserId>>;
    fn set_last_seen<'a>(&'a self, seen: &'a [(UserId, Timestamp)]) -> Answer<'a, ()>;
    fn last_seen<'a>(&'a self, users: &'a [UserId]) -> Answer<'a, Vec<(UserId, Timestamp)>>;
}

impl<S: Store> ErasedStore for S {
    fn epoch(&self) -> Answer<'_, StoreEpoch> {
        Box::pin(MessageLog::epoch(self))
    }

    fn commit<'a>(&'a self, writes: &'a [Write]) -> Answer<'a, Vec<Result<Committed, Refusal>>> {
        Box::pin(MessageLog::commit(self, writes))
    }

    fn head(&self, conversation: ConversationId) -> Answer<'_, Option<Seq>> {
        Box::pin(MessageLog::head(self, conversation))
    }

    fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Answer<'_, Vec<Entry>> {
        Box::pin(MessageLog::entries_after(self, conversation, after, limit))
    }

    fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Answer<'_, Vec<Message>> {
        Box::pin(MessageLog::messages(self, conversation, which, limit))
    }

    fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Answer<'_, (ConversationId, bool)> {
        Box::pin(ConversationStore::direct(self, user, peer, at))
    }

    fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Answer<'_, Option<Membership>> {
        Box::pin(ConversationStore::membership(self, conversation, user))
    }

    fn member_ids(&self, conversation: ConversationId) -> Answer<'_, Option<(Seq, Vec<UserId>)>> {
        Box::pin(ConversationStore::member_ids(self, conversation))
    }

    fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<Membership>> {
        Box::pin(ConversationStore::members(self, conversation, after, limit))
    }

    fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Answer<'_, Vec<StoredRow>> {
        Box::pin(ConversationStore::rows(self, user, after, limit))
    }

    fn rows_of<'a>(
        &'a self,
        user: UserId,
        conversations: &'a [ConversationId],
    ) -> Answer<'a, Vec<StoredRow>> {
        Box::pin(ConversationStore::rows_of(self, user, conversations))
    }

    fn group_rows<'a>(
        &'a self,
        conversation: ConversationId,
        users: &'a [UserId],
    ) -> Answer<'a, Option<GroupRows>> {
        Box::pin(ConversationStore::group_rows(self, conversation, users))
    }

    fn row_heads(&self, user: UserId) -> Answer<'_, Vec<(ConversationId, Seq, u64)>> {
        Box::pin(ConversationStore::row_heads(self, user))
    }

    fn sharing_with<'a>(&'a self, user: UserId, others: &'a [UserId]) -> Answer<'a, Vec<UserId>> {
        Box::pin(ConversationStore::sharing_with(self, user, others))
    }

    fn set_last_seen<'a>(&'a self, seen: &'a [(UserId, Timestamp)]) -> Answer<'a, ()> {
        Box::pin(PresenceStore::set_last_seen(self, seen))
    }

    fn last_seen<'a>(&'a self, users: &'a [UserId]) -> Answer<'a, Vec<(UserId, Timestamp)>> {
        Box::pin(PresenceStore::last_seen(self, users))
    }
}

/// The methods of the traits, once more, for the engine to call.
impl AnyStore {
    pub(crate) async fn epoch(&self) -> Result<StoreEpoch, StoreError> {
        self.in_time(self.store.epoch()).await
    }

    /// Whoever waited for the commit waited before it began, so its time is counted from then.
    pub(crate) async fn commit(
        &self,
        writes: &[Write],
        waiting_since: Instant,
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        let deadline = waiting_since + self.patience;
        self.until(deadline, self.store.commit(writes)).await
    }

    pub(crate) async fn head(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Seq>, StoreError> {
        self.in_time(self.store.head(conversation)).await
    }

    pub(crate) async fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.in_time(self.store.entries_after(conversation, after, limit))
            .await
    }

    pub(crate) async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.in_time(self.store.messages(conversation, which, limit))
            .await
    }

    pub(crate) async fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Result<(ConversationId, bool), StoreError> {
        self.in_time(self.store.direct(user, peer, at)).await
    }

    pub(crate) async fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Membership>, StoreError> {
        self.in_time(self.store.membership(conversation, user))
            .await
    }

    pub(crate) async fn member_ids(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Seq, Vec<UserId>)>, StoreError> {
        self.in_time(self.store.member_ids(conversation)).await
    }

    pub(crate) async fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        self.in_time(self.store.members(conversation, after, limit))
            .await
    }

    pub(crate) async fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Result<Vec<StoredRow>, StoreError> {
        self.in_time(self.store.rows(user, after, limit)).await
    }

    pub(crate) async fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<StoredRow>, StoreError> {
        self.in_time(self.store.rows_of(user, conversations)).await
    }

    pub(crate) async fn group_rows(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Option<GroupRows>, StoreError> {
        self.in_time(self.store.group_rows(conversation, users))
            .await
    }

    pub(crate) async fn row_heads(
        &self,
        user: UserId,
    ) -> Result<Vec<(ConversationId, Seq, u64)>, StoreError> {
        self.in_time(self.store.row_heads(user)).await
    }

    pub(crate) async fn sharing_with(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        self.in_time(self.store.sharing_with(user, others)).await
    }

    pub(crate) async fn set_last_seen(
        &self,
        seen: &[(UserId, Timestamp)],
    ) -> Result<(), StoreError> {
        self.in_time(self.store.set_last_seen(seen)).await
    }

    pub(crate) async fn last_seen(
        &self,
        users: &[UserId],
    ) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        self.in_time(self.store.last_seen(users)).await
    }
}
