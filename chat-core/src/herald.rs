//! Tells the crowd of a giant room that something moved, a few at a time, so that small rooms need not wait.

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::room::{CROWD, Room};

/// How many are told at once while nobody else has anything to say: each step costs a processor the way to sleep and back.
const LONG_STEP: usize = 8 * CROWD;
/// For how long somebody who said something is taken to go on.
const BUSY: Duration = Duration::from_millis(5);

/// The rooms that have somebody left to tell.
///
/// Whoever is told becomes a task that is ready to run. Were thousands told at once, a small room's few would stand in line
/// behind all of them; told in steps, each step is worked off before the next one, and the rooms take turns.
#[derive(Debug, Default)]
pub(crate) struct Herald {
    rooms: Mutex<VecDeque<Arc<Room>>>,
    called: Notify,
    /// Counts what happens in small rooms.
    elsewhere: AtomicU64,
}

impl Herald {
    /// Takes on a room that is in nobody's hands.
    pub(crate) fn call(&self, room: Arc<Room>) {
        self.rooms.lock().push_back(room);
        self.called.notify_one();
    }

    /// Something happened in a room that is no crowd.
    pub(crate) fn note_others(&self) {
        self.elsewhere.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells until told to stop. Owned by the engine, which joins it.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let mut pace = Pace {
            seen: 0,
            busy_until: Instant::now(),
        };
        while !stop.is_cancelled() {
            let next = self.rooms.lock().pop_front();
            if let Some(room) = next {
                if room.tell_some(pace.step(self.elsewhere.load(Ordering::Relaxed))) {
                    self.rooms.lock().push_back(room);
                }
                behind_those_who_are_ready().await;
            } else {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = self.called.notified() => {}
                }
            }
        }
    }

    /// Tells at once whoever is left: the task has ended.
    pub(crate) fn finish(&self) {
        for room in mem::take(&mut *self.rooms.lock()) {
            while room.tell_some(LONG_STEP) {}
        }
    }
}

/// How many are told in one step: few while others speak, who would have to wait for them.
#[derive(Debug)]
struct Pace {
    seen: u64,
    busy_until: Instant,
}

impl Pace {
    fn step(&mut self, elsewhere: u64) -> usize {
        let now = Instant::now();
        if mem::replace(&mut self.seen, elsewhere) != elsewhere {
            self.busy_until = now + BUSY;
        }
        if now < self.busy_until {
            CROWD
        } else {
            LONG_STEP
        }
    }
}

/// Lets all tasks run that are ready now. A task that wakes itself while it runs goes to the end of its worker's queue,
/// whereas `yield_now` lets it wait until that worker has nothing to do, or for many tasks more.
pub(crate) async fn behind_those_who_are_ready() {
    let mut waited = false;
    poll_fn(|context| {
        if mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
