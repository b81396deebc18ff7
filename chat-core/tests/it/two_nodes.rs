//! Two handles to one database, taken in turn: what one wrote, the other must know.

use std::sync::atomic::{AtomicUsize, Ordering};

use chat_core::{
    model::{ConversationId, Entry, Membership, Message, Seq, StoreEpoch, Timestamp, UserId},
    store::{
        Around, Committed, ConversationStore, MessageLog, PresenceStore, Refusal, RowPlace, Store,
        StoreError, StoredRow, Write,
    },
};

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

impl<S: Store> MessageLog for TwoNodes<S> {
    async fn epoch(&self) -> Result<StoreEpoch, StoreError> {
        self.next().epoch().await
    }

    async fn commit(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        self.next().commit(writes).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Option<Seq>, StoreError> {
        self.next().head(conversation).await
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.next().entries_after(conversation, after, limit).await
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.next().messages(conversation, which, limit).await
    }
}

impl<S: Store> ConversationStore for TwoNodes<S> {
    async fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Result<(ConversationId, bool), StoreError> {
        self.next().direct(user, peer, at).await
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Membership>, StoreError> {
        self.next().membership(conversation, user).await
    }

    async fn member_ids(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Seq, Vec<UserId>)>, StoreError> {
        self.next().member_ids(conversation).await
    }

    async fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        self.next().members(conversation, after, limit).await
    }

    async fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Result<Vec<StoredRow>, StoreError> {
        self.next().rows(user, after, limit).await
    }

    async fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<StoredRow>, StoreError> {
        self.next().rows_of(user, conversations).await
    }

    async fn row_heads(&self, user: UserId) -> Result<Vec<(ConversationId, Seq, u64)>, StoreError> {
        self.next().row_heads(user).await
    }

    async fn sharing_with(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        self.next().sharing_with(user, others).await
    }
}

impl<S: Store> PresenceStore for TwoNodes<S> {
    async fn set_last_seen(&self, seen: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        self.next().set_last_seen(seen).await
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        self.next().last_seen(users).await
    }
}
