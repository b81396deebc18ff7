//! What the engine asks of a store: three small traits, and the contracts that the conformance suite checks.
//!
//! An implementation writes plain `async fn`s. It is shared behind a reference, so it brings its own pool or lock.
//! Every future may be dropped at any await; a transaction that had not committed by then must leave nothing behind.

mod act;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod columns;
#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod decide;
mod erased;
mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
mod recent;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod remainder;
mod search;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::{future::Future, time::Duration};

pub use act::{Act, Committed, Mentions, ReadCursor, Refusal, Write};
pub(crate) use erased::AnyStore;
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
pub use search::words;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

use crate::model::{
    Conversation, ConversationId, Entry, Membership, Message, MessageId, Mine, NodeId, Row, Seq,
    Settings, StoreEpoch, Timestamp, Unread, UserId,
};

/// How long a node holds a lease that it does not renew.
const LEASE: Duration = Duration::from_secs(15);

/// A store could not do what it was asked; nothing of it was done, or (after a lost connection) it is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store is not to be had now; the same call may succeed later.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The disk did not keep what it was given. Nothing more is written until the store is opened anew; reads go on.
    #[error(
        "the disk did not keep what was written: check it, then restart; until then nothing more is written"
    )]
    DiskFailed,
    /// The store did not answer within this time. Whether what was asked takes place is not known.
    #[error("the store did not answer within {0:?}")]
    NoAnswer(Duration),
    /// What the store holds is not what was ever written to it.
    #[error("the store holds what it should not: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Wraps the error of a backend.
    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(source.into())
    }
}

/// Which messages of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// The newest.
    Newest,
    /// The newest of those before this place.
    Before(Seq),
    /// The oldest of those after this place.
    After(Seq),
    /// Half of them (rounded up) at or before this place, the rest after it; a short side is not made up by the other.
    Around(Seq),
}

/// The durable logs, one a conversation.
pub trait MessageLog: Send + Sync + 'static {
    /// The life of this store: made when it was first opened, the same ever after, another one after a restore.
    fn epoch(&self) -> impl Future<Output = Result<StoreEpoch, StoreError>> + Send;

    /// Carries out a batch of writes, in order, in one transaction, and returns once it is durable.
    ///
    /// - Answers one result for each write, in the same order. A refused write changes nothing and does not disturb the
    ///   others. On `Err` no write of the batch has happened, or (connection lost while committing) it is not known.
    /// - Appended entries take the next `seq` of their conversation: dense from 1, given inside the transaction under a
    ///   lock on the conversation, so that two batches never interleave in one conversation.
    /// - Checks inside the same transaction, in this order: the conversation exists, was not deleted, and the author is a
    ///   member ([`Refusal::ConversationNotFound`]); for a `Send`, `client_id` was not used by this author in this
    ///   conversation (else [`Committed::Repeated`] when `body` and `reply_to` are those that were accepted then, whatever
    ///   became of the message since, and [`Refusal::ClientIdReused`] when not); the message that is replied to, or that
    ///   the act is about, is one of this conversation that the author can see ([`Refusal::ReplyNotFound`],
    ///   [`Refusal::MessageNotFound`]); [`access::permits`](crate::access::permits); the message that the act is about was
    ///   not deleted ([`Refusal::MessageDeleted`], but deleting it again is `Unchanged`). Writes see the effects of earlier
    ///   ones in their batch.
    /// - A `client_id` is remembered for ever.
    /// - `CreateGroup` with an id that exists: [`Refusal::ConversationNotFound`].
    /// - A `Send` moves the author's three cursors to the message and raises their `rev`, and makes a direct conversation
    ///   visible in both lists.
    /// - Every entry sets `head_seq`. Those that are messages, members and what a group is called set `last_activity_at`
    ///   to `max(present value, at)`; those that change a message do not.
    /// - An entry that changes a message sets its `changed_seq` to its own `seq`. Of mentions, those are kept who are members
    ///   then and not the author. Deleting leaves the stub: no body, mentions, reactions or pin. A reaction that is there
    ///   already, one that is not there to be taken away, a body that is the present one, and a pin that is as asked
    ///   are `Unchanged`.
    /// - `PutMember` of somebody new starts their membership with all cursors at the `seq` before the entry (of a former
    ///   member, `shown_seq` and `delivered_seq` stay where they were if that is further) and fresh settings; of a former
    ///   member too (their `rev` goes on rising), and of everybody in a new group. Their `history_from` is 1, or the `seq`
    ///   of the entry where the conversation's history is `FromJoin` at that time. Changing a role, and removing, raise the
    ///   `rev` of that user. With the role they have (or `None`) it is `Unchanged`; so is `Update` to what is there, part
    ///   by part: title, topic, history, in this order.
    /// - `DeleteConversation` ends all memberships and raises the `rev` of those who had one; afterwards the conversation is
    ///   as if it were not there. Its log stays in the store.
    /// - `MarkRead` moves the author's read cursor to `seq`, or to the head where that is before; never back; with `shown`
    ///   their `shown_seq` too, and always their `delivered_seq`. `MarkUnread` moves the read cursor back to `seq`, or to the
    ///   entry before `history_from` where that is later; never forward. A read cursor that moved raises `rev`.
    ///   `MarkDelivered` moves `delivered_seq`, never back, and raises nothing.
    /// - `UpdateMine` raises `rev` if anything changes, and answers `Unchanged` if nothing does. `LiftBan` raises the `rev` of
    ///   the user, and is `Unchanged` for those who are not banned.
    fn commit(
        &self,
        writes: &[Write],
    ) -> impl Future<Output = Result<Vec<Result<Committed, Refusal>>, StoreError>> + Send;

    /// The newest `seq` of a conversation, 0 when its log is empty; `None` when there is no such conversation.
    fn head(
        &self,
        conversation: ConversationId,
    ) -> impl Future<Output = Result<Option<Seq>, StoreError>> + Send;

    /// At most `limit` entries after `after`, ascending without a hole. Messages and reactions in them are as they are now.
    /// To be read as it is by nobody: [`Entry::seen_from`] hides what a member must not see.
    fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Entry>, StoreError>> + Send;

    /// At most `limit` messages, ascending by `seq`, as they are now, and none before `history_from`. Deleted ones are among
    /// them, as stubs.
    fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        history_from: Seq,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Message>, StoreError>> + Send;

    /// One message as it is now; `None` where there is none of this id in this conversation.
    fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> impl Future<Output = Result<Option<Message>, StoreError>> + Send;

    /// At most `limit` pinned messages with a `seq` before `before` and none before `history_from`, descending by `seq`.
    fn pinned(
        &self,
        conversation: ConversationId,
        before: Seq,
        history_from: Seq,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Message>, StoreError>> + Send;

    /// At most `limit` messages that contain what is searched for, of those that `user` can see now (a member, and from their
    /// `history_from` on), as they are now, the newest first: descending by `(created_at, id)`, and after the message `after`
    /// in this order, whether that still contains it or not. Deleted messages are never found.
    fn search(
        &self,
        user: UserId,
        search: &Search,
        after: Option<MessageId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Message>, StoreError>> + Send;

    /// Indexes some of the messages that are not indexed yet; whether there may be more.
    ///
    /// For stores that leave it until after the commit: the engine asks them a moment later, and once when it starts, until
    /// nothing is left. [`search`](Self::search) does not depend on it: whatever was acknowledged is found, as it is then,
    /// whether it is indexed or not. Each call does a bounded amount of work, in transactions of its own. Broken off or
    /// repeated, by any number of callers and nodes at once, it changes nothing that could be noticed. As provided, it does
    /// nothing: everything is indexed when it is committed.
    fn index(&self) -> impl Future<Output = Result<bool, StoreError>> + Send {
        async { Ok(false) }
    }
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Words as [`words`] makes them; a message contains them all, the last one as the beginning of a word. Never empty.
    pub words: Vec<String>,
    /// Only here.
    pub conversation: Option<ConversationId>,
    /// Only by this sender.
    pub from: Option<UserId>,
    /// Only what was accepted before.
    pub before: Option<Timestamp>,
}

/// A row as the store knows it: without names, which are the directory's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRow {
    /// The row; `conversation.peer` is empty.
    pub row: Row,
    /// In a direct conversation, the other one (oneself, in one's conversation with oneself).
    pub peer_id: Option<UserId>,
}

impl StoredRow {
    /// The half that is this member's own.
    fn of(self, user_id: UserId) -> MemberRow {
        MemberRow {
            user_id,
            me: self.row.me,
            unread: self.row.unread,
        }
    }
}

/// The newest `seq` of a conversation and the `rev` of a member's own half: by these it is known whether a row changed.
pub type RowHead = (ConversationId, Seq, u64);

/// A place in a user's list, for paging: where the last page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlace {
    /// Of the last row.
    pub pinned: bool,
    /// Of the last row.
    pub last_activity_at: Timestamp,
    /// Of the last row.
    pub id: ConversationId,
}

/// The rows of one group in the lists of several of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRows {
    /// What they share; without a peer.
    pub conversation: Conversation,
    /// What each of them has for themselves, in any order.
    pub rows: Vec<MemberRow>,
}

/// One member's own half of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// Whose.
    pub user_id: UserId,
    /// Their half.
    pub me: Mine,
    /// What they have not read.
    pub unread: Unread,
}

/// Who belongs to which conversation, and how their lists look.
///
/// "Visible" means: a member, and the conversation is a group or has at least one message, or the user opened it with
/// [`ConversationStore::direct`].
pub trait ConversationStore: Send + Sync + 'static {
    /// The one direct conversation of `user` and `peer` (they may be the same), made if there is none; whether it was.
    ///
    /// Any number of callers at once, from either side, get the same one, and one of them `true`. It becomes visible to
    /// `user`; to `peer` only with its first message.
    fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> impl Future<Output = Result<(ConversationId, bool), StoreError>> + Send;

    /// The user's place in the conversation; `None` for outsiders, former members and where there is no conversation.
    fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> impl Future<Output = Result<Option<Membership>, StoreError>> + Send;

    /// Who belongs to it, and the `head_seq` as of which they do, read in one snapshot; `None` where there is none.
    fn member_ids(
        &self,
        conversation: ConversationId,
    ) -> impl Future<Output = Result<Option<(Seq, Vec<UserId>)>, StoreError>> + Send;

    /// At most `limit` members with ids after `after`, ascending by id.
    fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Membership>, StoreError>> + Send;

    /// At most `limit` visible rows after `after`: pinned first, then newest activity, then greatest id. A constant
    /// number of queries.
    fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<StoredRow>, StoreError>> + Send;

    /// The rows of these conversations, visible or not, in any order; those the user does not belong to are left out.
    /// A constant number of queries.
    fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> impl Future<Output = Result<Vec<StoredRow>, StoreError>> + Send;

    /// The rows of one group in the lists of these users; those who do not belong to it are left out. `None` where there is
    /// no such conversation, and perhaps where none of them belongs to it.
    ///
    /// This is how the rows of a crowd are told after each of its messages: a store that can should answer with a constant
    /// number of queries. As provided, it asks [`rows_of`](Self::rows_of) for each user.
    fn group_rows(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> impl Future<Output = Result<Option<GroupRows>, StoreError>> + Send {
        async move {
            let mut group: Option<GroupRows> = None;
            for &user_id in users {
                for row in self.rows_of(user_id, &[conversation]).await? {
                    let shared = || GroupRows {
                        conversation: row.row.conversation.clone(),
                        rows: Vec::with_capacity(users.len()),
                    };
                    let rows = &mut group.get_or_insert_with(shared).rows;
                    rows.push(row.of(user_id));
                }
            }
            Ok(group)
        }
    }

    /// At most `limit` members whose `shown_seq` is at least `seq`, with ids after `after`, ascending by id.
    fn readers(
        &self,
        conversation: ConversationId,
        seq: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Membership>, StoreError>> + Send;

    /// At most `limit` users who are banned, with ids after `after`, ascending by id.
    fn banned(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<UserId>, StoreError>> + Send;

    /// `(id, head_seq, rev)` of every visible row, in any order.
    fn row_heads(
        &self,
        user: UserId,
    ) -> impl Future<Output = Result<Vec<RowHead>, StoreError>> + Send;

    /// The same of several users, each row with whose it is, in any order.
    ///
    /// With it nodes that share the store find out what they missed: such a store should answer with a constant number of
    /// queries. As provided, it asks [`row_heads`](Self::row_heads) for each user.
    fn row_heads_of(
        &self,
        users: &[UserId],
    ) -> impl Future<Output = Result<Vec<(UserId, RowHead)>, StoreError>> + Send {
        async move {
            let mut heads = Vec::new();
            for &user in users {
                let of_one = self.row_heads(user).await?.into_iter();
                heads.extend(of_one.map(|head| (user, head)));
            }
            Ok(heads)
        }
    }

    /// Those of `others` who now share a conversation with `user` (who shares one with themselves), in any order.
    fn sharing_with(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> impl Future<Output = Result<Vec<UserId>, StoreError>> + Send;
}

/// When users were last there, and which nodes are.
pub trait PresenceStore: Send + Sync + 'static {
    /// Notes when users were last connected; an earlier time than the noted one changes nothing.
    fn set_last_seen(
        &self,
        seen: &[(UserId, Timestamp)],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// When these users were last connected, in any order; those who never were are left out.
    fn last_seen(
        &self,
        users: &[UserId],
    ) -> impl Future<Output = Result<Vec<(UserId, Timestamp)>, StoreError>> + Send;

    /// This node is there, and holds its lease from now on for 15 seconds by the store's clock.
    ///
    /// For stores that several nodes share. As provided, nothing is kept.
    fn renew_lease(&self, node: NodeId) -> impl Future<Output = Result<(), StoreError>> + Send {
        let _ = node;
        async { Ok(()) }
    }

    /// This node goes, and holds no lease any more. As provided, nothing is kept.
    fn end_lease(&self, node: NodeId) -> impl Future<Output = Result<(), StoreError>> + Send {
        let _ = node;
        async { Ok(()) }
    }

    /// The nodes that hold a lease now, in any order; `None`, as provided, where that is not kept: then whoever is not heard on
    /// the bus for 20 seconds is taken for dead, and nodes that have never heard each other do not know that they should.
    fn leases(&self) -> impl Future<Output = Result<Option<Vec<NodeId>>, StoreError>> + Send {
        async { Ok(None) }
    }
}

/// What users decided for themselves, beyond a single conversation.
pub trait UserStore: Send + Sync + 'static {
    /// What the user lets others know; the default for those who never said.
    fn settings(&self, user: UserId) -> impl Future<Output = Result<Settings, StoreError>> + Send;

    /// Replaces the settings.
    fn set_settings(
        &self,
        user: UserId,
        settings: Settings,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Lets `user` block `other`, or no longer; whether that changes anything. From then on every `commit` sees it.
    fn set_blocked(
        &self,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// At most `limit` users whom `user` has blocked, with ids after `after`, ascending by id.
    fn blocked_by(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<UserId>, StoreError>> + Send;

    /// Those of `others` who have blocked `user`, in any order.
    fn blockers_of(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> impl Future<Output = Result<Vec<UserId>, StoreError>> + Send;
}

/// All that the engine keeps; implemented by whatever implements the four parts.
pub trait Store: MessageLog + ConversationStore + PresenceStore + UserStore {}

impl<S: MessageLog + ConversationStore + PresenceStore + UserStore> Store for S {}
