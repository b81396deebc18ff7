//! A store in memory whose every call somebody else has a hand in.

use chat_core::{
    model::{ConversationId, Entry, Membership, Message, Seq, StoreEpoch, Timestamp, UserId},
    store::{
        Around, Committed, ConversationStore, GroupRows, MemoryStore, MessageLog, PresenceStore,
        Refusal, RowPlace, StoreError, StoredRow, Write,
    },
};

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

impl<I: Interpose> MessageLog for InterposedStore<I> {
    async fn epoch(&self) -> Result<StoreEpoch, StoreError> {
        self.calls.call("epoch", self.inner.epoch()).await
    }

    async fn commit(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        self.calls.call("commit", self.inner.commit(writes)).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Option<Seq>, StoreError> {
        self.calls.call("head", self.inner.head(conversation)).await
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.calls
            .call(
                "entries_after",
                self.inner.entries_after(conversation, after, limit),
            )
            .await
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.calls
            .call("messages", self.inner.messages(conversation, which, limit))
            .await
    }
}

impl<I: Interpose> ConversationStore for InterposedStore<I> {
    async fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Result<(ConversationId, bool), StoreError> {
        self.calls
            .call("direct", self.inner.direct(user, peer, at))
            .await
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Membership>, StoreError> {
        self.calls
            .call("membership", self.inner.membership(conversation, user))
            .await
    }

    async fn member_ids(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Seq, Vec<UserId>)>, StoreError> {
        self.calls
            .call("member_ids", self.inner.member_ids(conversation))
            .await
    }

    async fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        self.calls
            .call("members", self.inner.members(conversation, after, limit))
            .await
    }

    async fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Result<Vec<StoredRow>, StoreError> {
        self.calls
            .call("rows", self.inner.rows(user, after, limit))
            .await
    }

    async fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<StoredRow>, StoreError> {
        self.calls
            .call("rows_of", self.inner.rows_of(user, conversations))
            .await
    }

    async fn group_rows(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Option<GroupRows>, StoreError> {
        self.calls
            .call("group_rows", self.inner.group_rows(conversation, users))
            .await
    }

    async fn row_heads(&self, user: UserId) -> Result<Vec<(ConversationId, Seq, u64)>, StoreError> {
        self.calls
            .call("row_heads", self.inner.row_heads(user))
            .await
    }

    async fn sharing_with(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        self.calls
            .call("sharing_with", self.inner.sharing_with(user, others))
            .await
    }
}

impl<I: Interpose> PresenceStore for InterposedStore<I> {
    async fn set_last_seen(&self, seen: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        self.calls
            .call("set_last_seen", self.inner.set_last_seen(seen))
            .await
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        self.calls
            .call("last_seen", self.inner.last_seen(users))
            .await
    }
}
