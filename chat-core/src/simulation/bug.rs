//! Bugs that can be built into the engine and its store, to prove that the checks find them.

use std::cell::Cell;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use crate::{
    error::Error,
    model::{ClientId, Entry, Message, Seq, UserId},
    source::HashMap,
    store::{Act, Committed, MemoryStore, MessageLog, Refusal, Write},
};

/// A way in which the engine or its store is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
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
    /// What happens to earlier messages is shown to those who may not see them.
    HiddenLeak,
    /// Nobody hears that a read cursor was set back.
    MarkUnreadLost,
}

thread_local! {
    static ACTIVE: Cell<Option<Bug>> = const { Cell::new(None) };
    /// The log, for the bugs that foresee what a transaction will bring.
    static LOG: Cell<Option<MemoryStore>> = const { Cell::new(None) };
}

/// Takes the bug out of this thread again.
pub(super) struct BuiltIn(());

impl Drop for BuiltIn {
    fn drop(&mut self) {
        ACTIVE.set(None);
        LOG.take();
    }
}

/// Builds a bug into all engines of this thread.
pub(super) fn build_in(bug: Option<Bug>, log: &MemoryStore) -> BuiltIn {
    ACTIVE.set(bug);
    LOG.set(Some(log.clone()));
    BuiltIn(())
}

/// Whether the engines of this thread are wrong in this way.
pub(crate) fn active(bug: Bug) -> bool {
    ACTIVE.get() == Some(bug)
}

type Asker = oneshot::Sender<Result<Result<Committed, Refusal>, Error>>;

/// [`Bug::AckBeforeCommit`]: answers the sends, and leaves askers behind to whom nobody listens.
pub(crate) fn acknowledge_early(writes: &[Write], mut askers: Vec<Asker>) -> Vec<Asker> {
    if active(Bug::AckBeforeCommit) {
        for (asker, foreseen) in askers.iter_mut().zip(foresee(writes)) {
            if let Some(entry) = foreseen {
                let asker = std::mem::replace(asker, oneshot::channel().0);
                let _ = asker.send(Ok(Ok(Committed::Appended(vec![entry]))));
            }
        }
    }
    askers
}

/// [`Bug::PublishBeforeCommit`]: what is to be delivered before it is committed.
pub(crate) fn publish_early(writes: &[Write]) -> Vec<Entry> {
    if active(Bug::PublishBeforeCommit) {
        foresee(writes).into_iter().flatten().collect()
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
fn foresee(writes: &[Write]) -> Vec<Option<Entry>> {
    let log = LOG.take();
    let mut heads = HashMap::default();
    let mut entry = |write: &Write| {
        let Act::Send { id, draft, .. } = &write.act else {
            return None;
        };
        let conversation_id = write.conversation_id;
        let known = log.as_ref()?.head(conversation_id).now_or_never()?.ok()??;
        let head = heads.entry(conversation_id).or_insert(known);
        *head += 1;
        Some(Entry::of_message(&Message::new(write, *id, *head, draft)))
    };
    let foreseen = writes.iter().map(&mut entry).collect();
    LOG.set(log);
    foreseen
}
