//! The handles of the live connection: what an application asks of it, and what it hears.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Client, Event, task,
    wants::{Leaving, Opening, Wants},
};
use crate::model::{Availability, ClientId, ConversationId, Draft, Seq, UserId};

/// Events that may wait for the application; when they are as many, nothing more is read from the server.
const EVENTS: usize = 256;

/// How a live connection is to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveOptions {
    /// Tell the server of each message that arrives, in conversations of at most 50 members, so that its sender sees it as
    /// delivered. On by default.
    pub report_delivery: bool,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            report_delivery: true,
        }
    }
}

impl LiveOptions {
    /// The same with [`report_delivery`](Self::report_delivery) on or off.
    #[must_use]
    pub const fn report_delivery(mut self, on: bool) -> Self {
        self.report_delivery = on;
        self
    }
}

/// The live connection: what an application asks of it. All calls return at once; what comes of them comes as events.
///
/// What is asked for is kept, whether connected or not, and told to the server again after each reconnect. The
/// connection ends with [`close`](Self::close), when all clones of this are dropped, or when [`LiveEvents`] is dropped.
#[derive(Clone, Debug)]
pub struct Live {
    shared: Arc<Shared>,
    _open: Arc<OpenGuard>,
}

/// What happens, in order.
#[derive(Debug)]
pub struct LiveEvents {
    told: mpsc::Receiver<Told>,
    shared: Arc<Shared>,
}

/// What the handles and the task share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    wants: Mutex<Wants>,
    pub(super) wanted: Notify,
    pub(super) closing: CancellationToken,
    restores_seen: AtomicU64,
    leaving: Mutex<Leavings>,
    task: TaskTracker,
}

/// What the task tells the application.
#[derive(Debug)]
pub(super) enum Told {
    Event(Event),
    /// What follows is from after this leave.
    Left(ConversationId, Leaving),
}

/// Conversations that were left, until the task has done so.
#[derive(Debug, Default)]
struct Leavings {
    last: Leaving,
    under_way: HashMap<ConversationId, Leaving>,
}

/// Ends the connection when the last handle is gone.
#[derive(Debug)]
struct OpenGuard(CancellationToken);

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

pub(super) fn start(client: &Client, options: LiveOptions) -> (Live, LiveEvents) {
    let shared = Arc::new(Shared::default());
    let (sender, told) = mpsc::channel(EVENTS);
    shared.task.spawn(task::run(
        client.clone(),
        options,
        Arc::clone(&shared),
        sender,
    ));
    shared.task.close();
    let live = Live {
        _open: Arc::new(OpenGuard(shared.closing.clone())),
        shared: Arc::clone(&shared),
    };
    (live, LiveEvents { told, shared })
}

impl Shared {
    pub(super) fn take_wants(&self) -> Wants {
        self.wants.lock().take()
    }
}

impl Live {
    /// Follow this conversation's log: every entry after `after`, once, in order, across reconnects.
    ///
    /// Of a conversation that is open already nothing changes; to begin elsewhere, [`leave`](Self::leave) it first.
    /// After [`Event::Closed`] and [`Event::Restored`] it is not open any more.
    pub fn open(&self, conversation: ConversationId, after: Seq) {
        let opening = Opening {
            after,
            restores_seen: self.shared.restores_seen.load(Ordering::Acquire),
        };
        self.want(|wants| wants.open(conversation, opening));
    }

    /// No more of it: from now on no entry of it is told, until it is opened again.
    pub fn leave(&self, conversation: ConversationId) {
        // Held until the want is noted, so that of two leaves at once the one with the higher number is the later one.
        let mut leavings = self.shared.leaving.lock();
        leavings.last += 1;
        let leaving = leavings.last;
        leavings.under_way.insert(conversation, leaving);
        self.want(|wants| wants.leave(conversation, leaving));
    }

    /// Puts a message into the outbox. It is sent in order, again after each reconnect, until it is accepted
    /// ([`Event::Sent`]) or refused ([`Event::SendFailed`]). At most 10,000 wait; one more is refused.
    ///
    /// An application that keeps its own outbox on disk puts what is left there in again after a restart, with the same
    /// `client_id`: it has one effect however often it is sent.
    pub fn send(&self, conversation: ConversationId, draft: Draft) {
        self.want(|wants| wants.send(conversation, draft));
    }

    /// Takes a message out of the outbox that was not accepted yet. It may have been accepted meanwhile: then
    /// [`Event::Sent`] still comes. Otherwise nothing more is heard of it.
    pub fn discard(&self, client_id: ClientId) {
        self.want(|wants| wants.discard(client_id));
    }

    /// Moves my read cursor forward; told to the server at most once a second for each conversation. Where it is comes with
    /// the row, `me.read_seq`.
    pub fn mark_read(&self, conversation: ConversationId, seq: Seq) {
        self.want(|wants| wants.mark_read(conversation, seq));
    }

    /// Sets my read cursor back on purpose, so that what comes after `seq` counts as unread on all my devices. What was said
    /// last of this and [`mark_read`](Self::mark_read) holds.
    pub fn mark_unread(&self, conversation: ConversationId, seq: Seq) {
        self.want(|wants| wants.mark_unread(conversation, seq));
    }

    /// Says that this device has the log up to here. Done for each message that arrives, unless
    /// [`LiveOptions::report_delivery`] is off.
    pub fn mark_delivered(&self, conversation: ConversationId, seq: Seq) {
        self.want(|wants| wants.mark_delivered(conversation, seq));
    }

    /// How I want to be seen.
    ///
    /// [`Idle`](Availability::Idle) is said of this device: it is said again after each reconnect, until
    /// [`Online`](Availability::Online) takes it back. Anything else is said of me, once, and holds on all devices until
    /// another thing is said; how it stands is in [`Hello::availability`](crate::protocol::Hello::availability) and in
    /// [`Client::settings`].
    pub fn set_presence(&self, availability: Availability) {
        self.want(|wants| wants.set_presence(availability));
    }

    /// I am typing (to be called at every key), or no longer. Told only while online and the conversation is open, and
    /// no more often than the server asks for.
    pub fn typing(&self, conversation: ConversationId, typing: bool) {
        self.want(|wants| {
            wants.typing.insert(conversation, typing);
        });
    }

    /// Replaces the set of users whose presence is told; kept across reconnects. Of more than the server's
    /// `max_watched_users`, the first ones are watched.
    pub fn watch_presence(&self, users: Vec<UserId>) {
        self.want(|wants| wants.watch = Some(users));
    }

    /// Reconnect now instead of waiting; also after [`Link::SignedOut`](super::Link::SignedOut), once the client has
    /// signed in again.
    pub fn retry_now(&self) {
        self.want(|wants| wants.retry = true);
    }

    /// Closes the socket cleanly and waits until the connection's task has ended. When dropped before that, the
    /// closing goes on.
    pub async fn close(self) {
        self.shared.closing.cancel();
        self.shared.task.wait().await;
    }

    fn want(&self, ask: impl FnOnce(&mut Wants)) {
        ask(&mut self.shared.wants.lock());
        self.shared.wanted.notify_one();
    }
}

impl LiveEvents {
    /// The next event; `None` after the end. Cancellation safe.
    ///
    /// Nothing is lost when this is called late: the connection then stops reading. The server ends a connection that
    /// reads nothing for `idle_timeout_ms`; what was missed comes after the reconnect.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.told.recv().await? {
                Told::Left(conversation, leaving) => self.left(conversation, leaving),
                Told::Event(event) if self.is_of_what_was_left(&event) => {}
                Told::Event(event) => {
                    if event == Event::Restored {
                        self.shared.restores_seen.fetch_add(1, Ordering::AcqRel);
                    }
                    return Some(event);
                }
            }
        }
    }

    fn left(&self, conversation: ConversationId, leaving: Leaving) {
        let under_way = &mut self.shared.leaving.lock().under_way;
        if under_way.get(&conversation) == Some(&leaving) {
            under_way.remove(&conversation);
        }
    }

    /// Whether an event was on its way when the application left its conversation. It may have opened it again since,
    /// and would take it for one of the new opening.
    fn is_of_what_was_left(&self, event: &Event) -> bool {
        let conversation = match event {
            Event::Entry(entry) => entry.conversation_id,
            Event::Closed {
                conversation_id, ..
            } => *conversation_id,
            _ => return false,
        };
        let leaving = self.shared.leaving.lock();
        leaving.under_way.contains_key(&conversation)
    }
}
