//! The group-commit pipeline: what waits goes into one transaction.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

#[cfg(any(test, feature = "bugs"))]
use crate::bug;
use crate::{
    access::AnyPolicy,
    bus::{Cursors, NodeBus, Notice},
    error::Error,
    hub::Hub,
    indexer::Indexer,
    limits::Limits,
    model::{Change, ConversationId, Entry, UserId},
    stats::Counters,
    store::{Act, AnyStore, Committed, ReadCursor, Refusal, StoreError, Write},
};

/// The most users whom one notice names.
const MOST_IN_A_NOTICE: usize = 500;

type Outcome = Result<Result<Committed, Refusal>, Error>;

/// The writes that wait, and the way in.
///
/// All that becomes part of a log passes here, in one order: it is committed, acknowledged, and only then delivered. While
/// one transaction commits, the next one forms; nothing waits when nothing is under way.
#[derive(Debug)]
pub(crate) struct Appender {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
    patience: Duration,
}

#[derive(Debug)]
struct Waiting {
    write: Write,
    since: Instant,
    done: oneshot::Sender<Outcome>,
}

/// The other end, for the one task that commits.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) store: AnyStore,
    pub(crate) hub: Arc<Hub>,
    pub(crate) bus: NodeBus,
    pub(crate) policy: AnyPolicy,
    pub(crate) limits: Arc<Limits>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) indexer: Arc<Indexer>,
}

impl Appender {
    /// The way in, and what is to be handed to [`Committer::run`].
    pub(crate) fn new(limits: &Limits) -> (Self, Queue) {
        let (queue, waiting) = mpsc::channel(limits.commit_queue.max(1));
        (
            Self {
                queue: Mutex::new(Some(queue)),
                patience: limits.store_patience,
            },
            Queue(waiting),
        )
    }

    /// Waits for its place in a transaction and returns when that is durable, or when the store's time is over. Dropped
    /// after it was queued, the write still happens.
    pub(crate) async fn append(&self, write: Write) -> Result<Committed, Error> {
        let queue = self.queue.lock().clone().ok_or(Error::ShuttingDown)?;
        let (done, outcome) = oneshot::channel();
        let since = Instant::now();
        let place = match timeout_at(since + self.patience, queue.reserve_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(mpsc::error::SendError(()))) => return Err(Error::ShuttingDown),
            Err(_) => return Err(StoreError::NoAnswer(self.patience).into()),
        };
        // The way in is let go of: the committer ends when nobody holds it any more.
        drop(place.send(Waiting { write, since, done }));
        match outcome.await {
            Ok(outcome) => Ok(outcome??),
            // The committer ended without an answer: the runtime is going down.
            Err(oneshot::error::RecvError { .. }) => Err(Error::ShuttingDown),
        }
    }

    /// Takes no more writes; those that wait are still carried out.
    pub(crate) fn close(&self) {
        self.queue.lock().take();
    }

    /// Whether writes are taken and somebody carries them out.
    pub(crate) fn is_open(&self) -> bool {
        let queue = self.queue.lock();
        queue.as_ref().is_some_and(|queue| !queue.is_closed())
    }
}

/// The writes that wait.
#[derive(Debug)]
pub(crate) struct Queue(mpsc::Receiver<Waiting>);

impl Committer {
    /// Commits until the queue is closed and empty. Owned by the engine, which joins it.
    pub(crate) async fn run(self, Queue(mut waiting): Queue) {
        let most = self.limits.commit_batch.max(1);
        let mut batch = Vec::with_capacity(most);
        while waiting.recv_many(&mut batch, most).await > 0 {
            self.refuse_late(&mut batch);
            // Whoever had to wait for room in the queue may stand behind somebody who came later.
            let Some(since) = batch.iter().map(|waiting| waiting.since).min() else {
                continue;
            };
            let (writes, askers): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|w: Waiting| (w.write, w.done)).unzip();
            #[cfg(any(test, feature = "bugs"))]
            let askers = bug::acknowledge_early(&self.store, &writes, askers).await;
            #[cfg(any(test, feature = "bugs"))]
            self.publish(bug::publish_early(&self.store, &writes).await);
            let begun = Instant::now();
            match self.store.commit(&writes, since).await {
                Ok(results) => {
                    let accepted = results.iter().filter(|result| result.is_ok()).count();
                    let refused = results.len() - accepted;
                    self.counters.committed(accepted, refused, begun.elapsed());
                    self.settle(&writes, askers, results);
                }
                Err(error) => self.fail(&writes, askers, error),
            }
            self.indexer.call();
        }
    }

    /// Answers those whose time was over before their turn came: the store was busy with failing. Nothing of what they
    /// asked happens, so that after a long outage no write appears that was given up long ago.
    fn refuse_late(&self, batch: &mut Vec<Waiting>) {
        let patience = self.limits.store_patience;
        for late in batch.extract_if(.., |waiting| waiting.since.elapsed() >= patience) {
            self.counters.was_late();
            let error = StoreError::NoAnswer(patience);
            let _ = late.done.send(Err(error.into()));
        }
    }

    fn settle(
        &self,
        writes: &[Write],
        askers: Vec<oneshot::Sender<Outcome>>,
        results: Vec<Result<Committed, Refusal>>,
    ) {
        let mut appended = Vec::with_capacity(results.len());
        let mut again = Vec::new();
        let mut of_their_own = Vec::new();
        for ((write, asker), result) in writes.iter().zip(askers).zip(results) {
            match &result {
                Ok(Committed::Appended(entries)) => appended.extend(entries.iter().cloned()),
                Ok(Committed::Read(cursor)) => of_their_own.push((write, Some(*cursor))),
                Ok(Committed::Changed | Committed::Unchanged) if is_of_their_own(&write.act) => {
                    of_their_own.push((write, None));
                }
                // It is in the log, perhaps through a commit whose answer never came: then nobody was told, here or
                // elsewhere. Whoever knows it drops it.
                Ok(Committed::Repeated(message)) => again.push(Entry::of_message(message)),
                Ok(Committed::Unchanged) => self.hub.suspect(write.conversation_id),
                _ => {}
            }
            // Whoever no longer waits has given up on the answer, not on the write.
            let _ = asker.send(Ok(result));
        }
        self.publish(appended);
        self.publish_again(again);
        for (write, cursor) in of_their_own {
            match cursor {
                Some(cursor) => self.tell_of_cursors(write, cursor),
                None => self.tell_of_rows(write.conversation_id, vec![write.author]),
            }
        }
    }

    /// Whether the writes are in the log is not known: the rooms are compared with the store when it answers again.
    fn fail(&self, writes: &[Write], askers: Vec<oneshot::Sender<Outcome>>, error: StoreError) {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            writes = writes.len(),
            "a batch was not acknowledged"
        );
        self.counters.commit_failed();
        let error = Arc::new(error);
        for asker in askers {
            let _ = asker.send(Err(Error::Unavailable(Arc::clone(&error))));
        }
        for write in writes {
            self.hub.suspect(write.conversation_id);
            self.hub.rows_changed(write.conversation_id);
            if is_of_their_own(&write.act) {
                self.tell_of_rows(write.conversation_id, vec![write.author]);
            }
        }
    }

    /// Lets entries that are durable be seen: here at once, elsewhere as the bus allows.
    fn publish(&self, entries: Vec<Entry>) {
        let ends = |entry: &&Entry| matches!(entry.change, Change::ConversationDeleted { .. });
        let ended = entries.iter().filter(ends).map(|it| it.conversation_id);
        // Who belonged there is known no longer when they have heard of it.
        let ended: Vec<_> = ended.map(|id| (id, self.hub.known_members(id))).collect();
        self.hub.deliver(&entries);
        for entry in entries {
            self.policy.on_entry(&entry);
            self.tell_others(entry);
        }
        for (conversation, members) in ended {
            for some in members.chunks(MOST_IN_A_NOTICE) {
                self.tell_of_rows(conversation, some.to_vec());
            }
        }
    }

    fn publish_again(&self, entries: Vec<Entry>) {
        self.hub.deliver(&entries);
        for entry in entries {
            self.tell_others(entry);
        }
    }

    fn tell_of_cursors(&self, write: &Write, cursor: ReadCursor) {
        let (conversation_id, user_id) = (write.conversation_id, write.author);
        let is_set_back = matches!(write.act, Act::MarkUnread { .. });
        if cursor.moved && is_set_back {
            #[cfg(any(test, feature = "bugs"))]
            if bug::active(bug::Bug::MarkUnreadLost) {
                return;
            }
            return self.tell_of_rows(conversation_id, vec![user_id]);
        }
        let cursors = Cursors {
            read: cursor.moved.then_some(cursor.seq),
            shown: cursor.shown,
            delivered: cursor.delivered,
        };
        if cursors != Cursors::default() {
            self.hub.cursors_moved(conversation_id, user_id, cursors);
            self.bus.tell(Notice::Cursors {
                conversation_id,
                user_id,
                cursors,
            });
        }
    }

    /// Tells of rows that changed for a reason that no entry tells.
    fn tell_of_rows(&self, conversation_id: ConversationId, user_ids: Vec<UserId>) {
        for user in &user_ids {
            self.hub.row_changed(conversation_id, *user);
        }
        self.bus.tell(Notice::Rows {
            conversation_id,
            user_ids,
        });
    }

    /// Tells other nodes of an entry; and those of somebody who did not belong there before, that they do.
    fn tell_others(&self, entry: Entry) {
        if !self.bus.is_shared() {
            return;
        }
        let conversation_id = entry.conversation_id;
        match entry.change {
            Change::MemberJoined { user_id, .. } => self.bus.tell(Notice::Joined {
                conversation_id,
                user_id,
            }),
            Change::NewMessage { .. } if entry.seq == 1 => self.hub.tell_of_new(conversation_id),
            _ => {}
        }
        self.bus.tell(Notice::Entry {
            entry: Box::new(entry),
        });
    }
}

/// Whether it changes the author's own half of a row, and nothing else.
const fn is_of_their_own(act: &Act) -> bool {
    matches!(
        act,
        Act::UpdateMine { .. } | Act::MarkRead { .. } | Act::MarkUnread { .. }
    )
}
