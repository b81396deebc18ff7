//! The group-commit pipeline: what waits goes into one transaction.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use crate::{
    access::AnyPolicy,
    bus::{AnyBus, Envelope, Notice},
    error::Error,
    hub::Hub,
    limits::Limits,
    model::{ConversationId, Entry, NodeId, Seq, UserId},
    store::{AnyStore, Committed, Refusal, Write},
    typing::Typing,
};

type Outcome = Result<Result<Committed, Refusal>, Error>;

/// The writes that wait, and the way in.
///
/// All that becomes part of a log passes here, in one order: it is committed, acknowledged, and only then delivered. While
/// one transaction commits, the next one forms; nothing waits when nothing is under way.
#[derive(Debug)]
pub(crate) struct Appender {
    queue: Mutex<Option<mpsc::Sender<Waiting>>>,
}

#[derive(Debug)]
struct Waiting {
    write: Write,
    done: oneshot::Sender<Outcome>,
}

/// The other end, for the one task that commits.
#[derive(Debug)]
pub(crate) struct Committer {
    pub(crate) node: NodeId,
    pub(crate) store: AnyStore,
    pub(crate) hub: Arc<Hub>,
    pub(crate) bus: AnyBus,
    pub(crate) policy: AnyPolicy,
    pub(crate) typing: Arc<Typing>,
    pub(crate) limits: Arc<Limits>,
}

impl Appender {
    /// The way in, and what is to be handed to [`Committer::run`].
    pub(crate) fn new(limits: &Limits) -> (Self, Queue) {
        let (queue, waiting) = mpsc::channel(limits.commit_queue.max(1));
        (
            Self {
                queue: Mutex::new(Some(queue)),
            },
            Queue(waiting),
        )
    }

    /// Waits for its place in a transaction and returns when that is durable. Dropped after it was queued, the write
    /// still happens.
    pub(crate) async fn append(&self, write: Write) -> Result<Committed, Error> {
        let queue = self.queue.lock().clone().ok_or(Error::ShuttingDown)?;
        let (done, outcome) = oneshot::channel();
        if queue.send(Waiting { write, done }).await.is_err() {
            return Err(Error::ShuttingDown);
        }
        drop(queue);
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
            let (writes, askers): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|w: Waiting| (w.write, w.done)).unzip();
            self.commit(&writes, askers).await;
        }
    }

    async fn commit(&self, writes: &[Write], askers: Vec<oneshot::Sender<Outcome>>) {
        #[cfg(test)]
        let askers = crate::simulation::bug::acknowledge_early(writes, askers);
        #[cfg(test)]
        self.publish(crate::simulation::bug::publish_early(writes));
        match self.store.commit(writes).await {
            Ok(results) => {
                let mut appended = Vec::with_capacity(results.len());
                let mut read = Vec::new();
                for ((write, asker), result) in writes.iter().zip(askers).zip(results) {
                    match &result {
                        Ok(Committed::Appended(entries)) => {
                            appended.extend(entries.iter().cloned());
                        }
                        Ok(Committed::Read(cursor)) if cursor.moved => {
                            read.push((write.conversation_id, write.author, cursor.seq));
                        }
                        _ => {}
                    }
                    // Whoever no longer waits has given up on the answer, not on the write.
                    let _ = asker.send(Ok(result));
                }
                self.publish(appended);
                self.tell_of_reading(read);
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    writes = writes.len(),
                    "nothing was committed"
                );
                let error = Arc::new(error);
                for asker in askers {
                    let _ = asker.send(Err(Error::Unavailable(Arc::clone(&error))));
                }
            }
        }
    }

    /// Lets entries that are durable be seen: here at once, elsewhere as the bus allows.
    fn publish(&self, entries: Vec<Entry>) {
        for entry in &entries {
            if let Some(message) = entry.message() {
                self.typing
                    .stop(entry.conversation_id, message.sender_id, &self.hub);
            }
        }
        self.hub.deliver(&entries);
        for entry in entries {
            self.policy.on_entry(&entry);
            self.tell_others(Notice::Entry {
                entry: Box::new(entry),
            });
        }
    }

    fn tell_of_reading(&self, cursors: Vec<(ConversationId, UserId, Seq)>) {
        for (conversation_id, user_id, seq) in cursors {
            self.hub.read_moved(conversation_id, user_id, seq);
            self.tell_others(Notice::Read {
                conversation_id,
                user_id,
                seq,
            });
        }
    }

    fn tell_others(&self, notice: Notice) {
        self.bus.publish(Envelope {
            origin: self.node,
            notice,
        });
    }
}
