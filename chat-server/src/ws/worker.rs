//! One task for each processor, which writes what the sessions of its sockets have to tell.

use std::{
    fmt, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use chat_core::Batch;
use parking_lot::Mutex;
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::{unconstrained, yield_now},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::line::Line;

/// How many sockets are written to before other tasks of the same processor get their turn, and it is looked at what has
/// arrived: a tenth of a millisecond. Whoever says something to a crowd would else wait until all of it has the last message.
const TURN: usize = 32;

/// The workers of one server. They are started with the first socket, and end when this is dropped.
#[derive(Default)]
pub(crate) struct Workers {
    started: OnceLock<Started>,
    next: AtomicUsize,
}

struct Started {
    workers: Vec<Worker>,
    _stop: DropGuard,
}

impl Workers {
    /// Who is to write for one more socket; they take turns.
    pub(super) fn next(&self, tasks: &TaskTracker, draining: &CancellationToken) -> Worker {
        let started = self.started.get_or_init(|| {
            let stop = draining.child_token();
            let processors = Handle::current().metrics().num_workers();
            let workers: Vec<_> = (0..processors).map(|_| Worker::default()).collect();
            for worker in &workers {
                tasks.spawn(unconstrained(worker.clone().run(stop.clone())));
            }
            Started {
                workers,
                _stop: stop.drop_guard(),
            }
        });
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        started.workers[next % started.workers.len()].clone()
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Workers")
    }
}

/// A handle to one worker: to its list of those for whom there may be something to write.
#[derive(Clone, Debug, Default)]
pub(super) struct Worker(Arc<Calls>);

#[derive(Debug, Default)]
struct Calls {
    lines: Mutex<Vec<Arc<Line>>>,
    called: Notify,
}

impl Worker {
    /// Has a socket written to, in its turn.
    pub(super) fn call(&self, line: &Arc<Line>) {
        let was_idle = {
            let mut lines = self.0.lines.lock();
            lines.push(Arc::clone(line));
            lines.len() == 1
        };
        if was_idle {
            self.0.called.notify_one();
        }
    }

    /// Works until told to stop. All that is marked while others are written to is written with the same call.
    async fn run(self, stop: CancellationToken) {
        let mut lines = Vec::new();
        let mut batch = Batch::default();
        while stop
            .run_until_cancelled(self.0.called.notified())
            .await
            .is_some()
        {
            mem::swap(&mut lines, &mut *self.0.lines.lock());
            for (served, line) in lines.drain(..).enumerate() {
                if served % TURN == TURN - 1 {
                    yield_now().await;
                }
                serve(&line, &mut batch);
            }
        }
    }
}

/// A bug that one socket meets ends that socket, and not all those that it shares a worker with.
fn serve(line: &Arc<Line>, batch: &mut Batch) {
    let told = catch_unwind(AssertUnwindSafe(|| line.tell(batch)));
    if told.is_err() {
        batch.clear();
        line.give_up();
    }
}
