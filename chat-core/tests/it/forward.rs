//! Stores that hand each call on to another one.

/// Implements the traits of a store: each call becomes `$hand_on!(self, method(arguments))`.
macro_rules! forward_store {
    (impl[$($generics:tt)*] $store:ty, $hand_on:ident) => {
        $crate::forward::forward_store! { @impl [$($generics)*] $store, $hand_on;
            MessageLog::epoch() -> StoreEpoch;
            MessageLog::commit(writes: &[Write]) -> Vec<Result<Committed, Refusal>>;
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
                user: UserId, search: &Search, after: Option<MessageId>, limit: usize
            ) -> Vec<Message>;
            ---
            ConversationStore::direct(user: UserId, peer: UserId, at: Timestamp) -> (ConversationId, bool);
            ConversationStore::membership(conversation: ConversationId, user: UserId) -> Option<Membership>;
            ConversationStore::member_ids(conversation: ConversationId) -> Option<(Seq, Vec<UserId>)>;
            ConversationStore::members(
                conversation: ConversationId, after: Option<UserId>, limit: usize
            ) -> Vec<Membership>;
            ConversationStore::rows(user: UserId, after: Option<RowPlace>, limit: usize) -> Vec<StoredRow>;
            ConversationStore::rows_of(user: UserId, conversations: &[ConversationId]) -> Vec<StoredRow>;
            ConversationStore::group_rows(
                conversation: ConversationId, users: &[UserId]
            ) -> Option<GroupRows>;
            ConversationStore::readers(
                conversation: ConversationId, seq: Seq, after: Option<UserId>, limit: usize
            ) -> Vec<Membership>;
            ConversationStore::banned(
                conversation: ConversationId, after: Option<UserId>, limit: usize
            ) -> Vec<UserId>;
            ConversationStore::row_heads(user: UserId) -> Vec<RowHead>;
            ConversationStore::row_heads_of(users: &[UserId]) -> Vec<(UserId, RowHead)>;
            ConversationStore::sharing_with(user: UserId, others: &[UserId]) -> Vec<UserId>;
            ---
            PresenceStore::set_last_seen(seen: &[(UserId, Timestamp)]) -> ();
            PresenceStore::last_seen(users: &[UserId]) -> Vec<(UserId, Timestamp)>;
            PresenceStore::renew_lease(node: NodeId) -> ();
            PresenceStore::end_lease(node: NodeId) -> ();
            PresenceStore::leases() -> Option<Vec<NodeId>>;
            ---
            UserStore::settings(user: UserId) -> Settings;
            UserStore::set_settings(user: UserId, settings: Settings) -> ();
            UserStore::set_blocked(user: UserId, other: UserId, blocked: bool) -> bool;
            UserStore::blocked_by(user: UserId, after: Option<UserId>, limit: usize) -> Vec<UserId>;
            UserStore::blockers_of(user: UserId, others: &[UserId]) -> Vec<UserId>;
        }
    };
    (@impl $generics:tt $store:ty, $hand_on:ident; $($trait:ident::$method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* $(--- $($rest:tt)*)?) => {
        $crate::forward::forward_store! { @one $generics $store, $hand_on; $($trait)*; $($method($($argument: $type),*) -> $answer;)* }
        $($crate::forward::forward_store! { @impl $generics $store, $hand_on; $($rest)* })?
    };
    (@one [$($generics:tt)*] $store:ty, $hand_on:ident; $trait:ident $($same:ident)*; $($method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl<$($generics)*> $trait for $store {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                $hand_on!(self, $method($($argument),*))
            })*
        }
    };
}

pub(crate) use forward_store;
