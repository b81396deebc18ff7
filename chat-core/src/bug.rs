//! Bugs that can be built into the engine and its stores, to prove that the checks find them. For this project's own tests
//! only.

#[cfg(test)]
use std::cell::Cell;
#[cfg(feature = "bugs")]
use std::sync::OnceLock;

use tokio::sync::oneshot;

#[cfg(test)]
use crate::store::MessageLog as _;
use crate::{
    error::Error,
    model::{ClientId, ConversationId, Entry, Message, Seq, UserId},
    source::HashMap,
    store::{Act, AnyStore, Committed, Refusal, Write},
};

/// A way in which the engine or its store is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bug {
    /// A send is acknowledged while its transaction is still under way.
    AckBeforeCommit,
    /// A send that was accepted before is accepted again.
    NoDedupe,
    /// An entry is delivered while its transaction is still under way.
    PublishBeforeCommit,
    /// An entry that does not follow the last one is dropped, and nothing is read from the store.
    IgnoreBusGap,
    /// A session that joins after n is served from n + 2 on.
    ResumeOffByOne,
    /// Each unread message counts for two.
    DoubleUnread,
    /// Whoever breaks off stays online.
    GhostPresence,
    /// Who was removed is told what is said as before.
    LateRevocation,
    /// What happens to earlier messages is shown to those who may not see them.
    HiddenLeak,
    /// Nobody hears that a read cursor was set back.
    MarkUnreadLost,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::AckBeforeCommit,
        Self::NoDedupe,
        Self::PublishBeforeCommit,
        Self::IgnoreBusGap,
        Self::ResumeOffByOne,
        Self::DoubleUnread,
        Self::GhostPresence,
        Self::LateRevocation,
        Self::HiddenLeak,
        Self::MarkUnreadLost,
    ];

    /// The bug of this name, which is that of its variant.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| format!("{bug:?}") == name)
    }
}

#[cfg(feature = "bugs")]
static IN_THIS_PROCESS: OnceLock<Vec<Bug>> = OnceLock::new();

/// Builds these bugs into all engines of this process, for good: once, before there is any.
#[cfg(feature = "bugs")]
pub fn build_into_this_process(bugs: Vec<Bug>) {
    IN_THIS_PROCESS.get_or_init(|| bugs);
}

#[cfg(test)]
thread_local! {
    static ACTIVE: Cell<Option<Bug>> = const { Cell::new(None) };
    /// The log, for the bugs that foresee what a transaction will bring.
    static LOG: Cell<Option<crate::store::MemoryStore>> = const { Cell::new(None) };
}

/// Takes the bug out of this thread again.
#[cfg(test)]
pub(crate) struct BuiltIn(());

#[cfg(test)]
impl Drop for BuiltIn {
    fn drop(&mut self) {
        ACTIVE.set(None);
        LOG.take();
    }
}

/// Builds a bug into all engines of this thread.
#[cfg(test)]
pub(crate) fn build_in(bug: Option<Bug>, log: &crate::store::MemoryStore) -> BuiltIn {
    ACTIVE.set(bug);
    LOG.set(Some(log.clone()));
    BuiltIn(())
}

/// Whether the engines of this thread are wrong in this way.
#[cfg(test)]
pub(crate) fn active(bug: Bug) -> bool {
    ACTIVE.get() == Some(bug)
}

/// Whether the engines of this process are wrong in this way.
#[cfg(not(test))]
pub(crate) fn active(bug: Bug) -> bool {
    let built_in = IN_THIS_PROCESS.get();
    built_in.is_some_and(|bugs| bugs.contains(&bug))
}

type Asker = oneshot::Sender<Result<Result<Committed, Refusal>, Error>>;

/// [`Bug::AckBeforeCommit`]: answers the sends, and leaves askers behind to whom nobody listens.
pub(crate) async fn acknowledge_early(
    store: &AnyStore,
    writes: &[Write],
    mut askers: Vec<Asker>,
) -> Vec<Asker> {
    if active(Bug::AckBeforeCommit) {
        for (asker, foreseen) in askers.iter_mut().zip(foresee(store, writes).await) {
            if let Some(entry) = foreseen {
                let asker = std::mem::replace(asker, oneshot::channel().0);
                let _ = asker.send(Ok(Ok(Committed::Appended(vec![entry]))));
            }
        }
    }
    askers
}

/// [`Bug::PublishBeforeCommit`]: what is to be delivered before it is committed.
pub(crate) async fn publish_early(store: &AnyStore, writes: &[Write]) -> Vec<Entry> {
    if active(Bug::PublishBeforeCommit) {
        let foreseen = foresee(store, writes).await;
        foreseen.into_iter().flatten().collect()
    } else {
        Vec::new()
    }
}

/// [`Bug::NoDedupe`]: under which key a send is remembered.
pub(crate) fn forget_client_id(key: (UserId, ClientId)) -> (UserId, ClientId) {
    if active(Bug::NoDedupe) {
        (key.0, ClientId::new())
    } else {
        key
    }
}

/// [`Bug::DoubleUnread`].
pub(crate) fn double_unread(count: u64) -> u64 {
    count << u8::from(active(Bug::DoubleUnread))
}

/// [`Bug::ResumeOffByOne`].
pub(crate) fn resume_after(cursor: Seq) -> Seq {
    cursor + Seq::from(active(Bug::ResumeOffByOne))
}

/// [`Bug::HiddenLeak`]: from where on a reader is shown what happens to messages.
pub(crate) fn show_everything(history_from: Seq) -> Seq {
    if active(Bug::HiddenLeak) {
        0
    } else {
        history_from
    }
}

/// The entries that these writes will most likely become.
async fn foresee(store: &AnyStore, writes: &[Write]) -> Vec<Option<Entry>> {
    let mut heads: HashMap<ConversationId, Seq> = HashMap::default();
    let mut foreseen = Vec::with_capacity(writes.len());
    for write in writes {
        let conversation_id = write.conversation_id;
        if !heads.contains_key(&conversation_id)
            && let Some(head) = head(store, conversation_id).await
        {
            heads.insert(conversation_id, head);
        }
        foreseen.push(match (&write.act, heads.get_mut(&conversation_id)) {
            (Act::Send { id, draft, .. }, Some(head)) => {
                *head += 1;
                Some(Entry::of_message(&Message::new(write, *id, *head, draft)))
            }
            _ => None,
        });
    }
    foreseen
}

/// Where a log ends. In the simulation, whatever its store does.
#[cfg(test)]
async fn head(_: &AnyStore, conversation: ConversationId) -> Option<Seq> {
    let log = LOG.take()?;
    let head = log.head(conversation).await;
    LOG.set(Some(log));
    head.ok()?
}

/// Where a log ends.
#[cfg(not(test))]
async fn head(store: &AnyStore, conversation: ConversationId) -> Option<Seq> {
    store.head(conversation).await.ok()?
}
