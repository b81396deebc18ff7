//! What a socket's task and the worker that writes for it share: the connection, what waits to be written, and the session.

use std::{
    io, mem,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use chat_core::{Batch, Session, TryNext};
use futures_util::task::{ArcWake, waker_ref};
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use super::{outbox::Outbox, transport::Transport, worker::Worker};
use crate::metrics::Counted;

/// An open connection.
///
/// Whoever leaves a mark for its session wakes it, which puts it into its worker's hands: the worker takes what the session
/// has to tell and writes it, without any task being woken. What has to be waited for, the store or a peer that does not
/// read, is left to the socket's task.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) transport: Transport,
    worker: Worker,
    state: Mutex<State>,
    /// Counts the peers that do not take what is written to them.
    stalled: Gauge,
}

#[derive(Debug)]
struct State {
    /// Not here before the socket is authenticated, and while the task asks the store with it.
    session: Option<Box<Session>>,
    outbox: Outbox,
    /// The session has something to tell for which the store must be asked.
    asks: bool,
    /// When the session has something to tell that nobody wakes for.
    due: Option<Instant>,
    /// The peer took no more: from then on, each byte that it takes is one that it has read.
    blocked: Option<Counted>,
    /// When the peer last read something that had to wait for it.
    read_at: Instant,
    broken: bool,
    /// There is something new that only the task can do.
    calls: bool,
    task: Option<Waker>,
}

/// What there is to do for the task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tasks {
    /// Something waits to be written.
    pub(super) writing: bool,
    /// The session is to be asked for what comes next.
    pub(super) asks: bool,
    /// And at the latest at this time.
    pub(super) due: Option<Instant>,
    /// The connection broke.
    pub(super) broken: bool,
}

impl Line {
    pub(super) fn new(transport: Transport, worker: Worker, stalled: Gauge) -> Arc<Self> {
        Arc::new(Self {
            transport,
            worker,
            state: Mutex::new(State {
                session: None,
                outbox: Outbox::default(),
                asks: false,
                due: None,
                blocked: None,
                read_at: Instant::now(),
                broken: false,
                calls: false,
                task: None,
            }),
            stalled,
        })
    }

    /// Writes what the session has to tell, as far as that can be done at once. `batch` lends its memory.
    pub(super) fn tell(self: &Arc<Self>, batch: &mut Batch) {
        let task = {
            let state = &mut *self.state.lock();
            let due = state.due;
            state.tell(self, batch);
            if state.is_for_the_task() || state.due != due {
                state.call()
            } else {
                None
            }
        };
        task.into_iter().for_each(Waker::wake);
    }

    /// Gives up this connection, because telling went wrong.
    pub(super) fn give_up(&self) {
        let task = {
            let mut state = self.state.lock();
            state.broken = true;
            state.call()
        };
        task.into_iter().for_each(Waker::wake);
    }

    /// Ready when there is something new that only the task can do.
    pub(super) fn poll_called(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if mem::take(&mut state.calls) {
            return Poll::Ready(());
        }
        match &mut state.task {
            Some(task) => task.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }

    pub(super) fn tasks(&self) -> Tasks {
        let state = self.state.lock();
        Tasks {
            writing: state.outbox.is_writing(),
            asks: state.asks,
            due: state.due,
            broken: state.broken,
        }
    }

    /// Takes the session out; until it is back, nobody tells what it has to say.
    pub(super) fn take_session(&self) -> Option<Box<Session>> {
        let mut state = self.state.lock();
        state.asks = false;
        state.due = None;
        state.session.take()
    }

    /// Puts the session (back), and tells at once what was marked meanwhile.
    pub(super) fn put_session(self: &Arc<Self>, session: Box<Session>) {
        self.state.lock().session = Some(session);
        self.tell(&mut Batch::default());
    }

    /// Adds a piece behind all that waits. The task is to [`poll_write`](Self::poll_write).
    pub(super) fn push(&self, piece: Bytes) {
        self.state.lock().outbox.push(piece);
    }

    /// Writes a batch behind all that waits, or lets it wait there.
    pub(super) fn write(&self, mut batch: Batch) -> io::Result<()> {
        let mut state = self.state.lock();
        state.outbox.write(&self.transport, &mut batch)
    }

    pub(super) fn backlog(&self) -> usize {
        self.state.lock().outbox.backlog()
    }

    pub(super) fn read_at(&self) -> Instant {
        self.state.lock().read_at
    }

    /// Writes what waits, and tells what the session had to hold back meanwhile.
    pub(super) fn poll_write(self: &Arc<Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut state = self.state.lock();
            let progress = state.outbox.poll_write(&self.transport, context);
            if progress.is_pending() && state.blocked.is_none() {
                state.blocked = Some(Counted::new(&self.stalled));
            }
            let progress = ready!(progress)?;
            if progress.bytes > 0 && state.blocked.take().is_some() {
                state.read_at = Instant::now();
            }
            if progress.is_all {
                drop(state);
                self.tell(&mut Batch::default());
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl State {
    fn tell(&mut self, line: &Arc<Line>, batch: &mut Batch) {
        let Some(session) = &mut self.session else {
            return;
        };
        // While something waits to be written, nothing is added to it: a slow reader costs one batch, and what it
        // misses waits in the log.
        while !self.outbox.is_writing() && !self.broken {
            let found = session.try_next(&waker_ref(line), batch);
            if self.outbox.write(&line.transport, batch).is_err() {
                batch.clear();
                self.broken = true;
            }
            self.asks = found == TryNext::Ask;
            if found != TryNext::FramesAndMore {
                break;
            }
        }
        self.due = session.due();
    }

    /// Calls the task, which is to be woken if it waits.
    fn call(&mut self) -> Option<Waker> {
        self.calls = true;
        self.task.take()
    }

    fn is_for_the_task(&self) -> bool {
        self.asks || self.broken || self.outbox.is_writing()
    }
}

impl ArcWake for Line {
    fn wake_by_ref(line: &Arc<Self>) {
        line.worker.call(line);
    }
}
