//! A store of one's own: here one that tells how much is written, around another one. It passes the same suite.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chat_core::{
    Chat,
    model::{
        ClientId, ConversationId, Draft, Entry, Membership, Message, MessageId, Seq, Settings,
        StoreEpoch, Timestamp, UserId,
    },
    store::{
        Around, Committed, ConversationStore, MemoryStore, MessageLog, PresenceStore, Refusal,
        RowPlace, Search, StoreError, StoredRow, UserStore, Write,
    },
};

/// Counts what is committed. Anything that implements the four traits is a store: plain `async fn`s, no macros.
#[derive(Clone, Default)]
struct CountingStore {
    inner: MemoryStore,
    transactions: Arc<AtomicUsize>,
    entries: Arc<AtomicUsize>,
}

impl MessageLog for CountingStore {
    async fn commit(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        let results = self.inner.commit(writes).await?;
        let appended = |result: &Result<Committed, Refusal>| match result {
            Ok(Committed::Appended(entries)) => entries.len(),
            _ => 0,
        };
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.entries
            .fetch_add(results.iter().map(appended).sum(), Ordering::Relaxed);
        Ok(results)
    }

    async fn epoch(&self) -> Result<StoreEpoch, StoreError> {
        self.inner.epoch().await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Option<Seq>, StoreError> {
        self.inner.head(conversation).await
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.inner.entries_after(conversation, after, limit).await
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        history_from: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let messages = self
            .inner
            .messages(conversation, which, history_from, limit);
        messages.await
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, StoreError> {
        self.inner.message(conversation, id).await
    }

    async fn pinned(
        &self,
        conversation: ConversationId,
        before: Seq,
        history_from: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let pinned = self.inner.pinned(conversation, before, history_from, limit);
        pinned.await
    }

    async fn search(
        &self,
        user: UserId,
        search: &Search,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        self.inner.search(user, search, after, limit).await
    }
}

impl ConversationStore for CountingStore {
    async fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Result<(ConversationId, bool), StoreError> {
        self.inner.direct(user, peer, at).await
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Membership>, StoreError> {
        self.inner.membership(conversation, user).await
    }

    async fn member_ids(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Seq, Vec<UserId>)>, StoreError> {
        self.inner.member_ids(conversation).await
    }

    async fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        self.inner.members(conversation, after, limit).await
    }

    async fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Result<Vec<StoredRow>, StoreError> {
        self.inner.rows(user, after, limit).await
    }

    async fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<StoredRow>, StoreError> {
        self.inner.rows_of(user, conversations).await
    }

    async fn readers(
        &self,
        conversation: ConversationId,
        seq: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        self.inner.readers(conversation, seq, after, limit).await
    }

    async fn banned(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.inner.banned(conversation, after, limit).await
    }

    async fn row_heads(&self, user: UserId) -> Result<Vec<(ConversationId, Seq, u64)>, StoreError> {
        self.inner.row_heads(user).await
    }

    async fn sharing_with(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        self.inner.sharing_with(user, others).await
    }
}

impl PresenceStore for CountingStore {
    async fn set_last_seen(&self, seen: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        self.inner.set_last_seen(seen).await
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        self.inner.last_seen(users).await
    }
}

impl UserStore for CountingStore {
    async fn settings(&self, user: UserId) -> Result<Settings, StoreError> {
        self.inner.settings(user).await
    }

    async fn set_settings(&self, user: UserId, settings: Settings) -> Result<(), StoreError> {
        self.inner.set_settings(user, settings).await
    }

    async fn set_blocked(
        &self,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Result<bool, StoreError> {
        self.inner.set_blocked(user, other, blocked).await
    }

    async fn blocked_by(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        self.inner.blocked_by(user, after, limit).await
    }

    async fn blockers_of(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        self.inner.blockers_of(user, others).await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let store = CountingStore::default();
    let chat = Chat::builder().store(store.clone()).start().await?;
    let (ana, ben) = (UserId::new(), UserId::new());
    let (row, _) = chat.direct(ana, ben).await?;
    let mut sends = tokio::task::JoinSet::new();
    for n in 0..1_000 {
        let (chat, conversation) = (chat.clone(), row.conversation.id);
        let draft = Draft {
            client_id: ClientId::new(),
            body: n.to_string(),
            reply_to: None,
        };
        sends.spawn(async move { chat.send(ana, conversation, draft).await });
    }
    while let Some(sent) = sends.join_next().await {
        sent??;
    }
    chat.shutdown().await;
    let (entries, transactions) = (
        store.entries.load(Ordering::Relaxed),
        store.transactions.load(Ordering::Relaxed),
    );
    #[expect(clippy::print_stdout, reason = "this is all that the example is for")]
    {
        println!("{entries} messages in {transactions} transactions");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::CountingStore;

    chat_core::store_conformance!(counting_store, || async { (CountingStore::default(), ()) });
}
