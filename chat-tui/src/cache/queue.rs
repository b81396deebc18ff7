//! What waits to be written: put in without waiting, taken out all at once by the one task that writes.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// A queue between whoever has something to be written and the task that writes it.
#[derive(Debug)]
pub(super) struct Queue<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    waiting: Mutex<Waiting<T>>,
    changed: Notify,
    written: Notify,
}

#[derive(Debug)]
struct Waiting<T> {
    items: Vec<T>,
    /// What was taken is being written.
    under_way: bool,
    closed: bool,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            waiting: Mutex::new(Waiting {
                items: Vec::new(),
                under_way: false,
                closed: false,
            }),
            changed: Notify::new(),
            written: Notify::new(),
        }))
    }

    /// Lets what waits be changed, in whatever way keeps it bounded.
    pub(super) fn change(&self, change: impl FnOnce(&mut Vec<T>)) {
        change(&mut self.lock().items);
        self.0.changed.notify_one();
    }

    /// Nothing follows any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.0.changed.notify_one();
    }

    /// All that waits, as soon as there is anything; none after the end. What was taken before is written now.
    pub(super) async fn take(&self) -> Option<Vec<T>> {
        loop {
            {
                let mut waiting = self.lock();
                waiting.under_way = !waiting.items.is_empty();
                if waiting.under_way {
                    return Some(mem::take(&mut waiting.items));
                }
                self.0.written.notify_waiters();
                if waiting.closed {
                    return None;
                }
            }
            self.0.changed.notified().await;
        }
    }

    /// Waits until nothing is left to be written.
    pub(super) async fn is_written(&self) {
        loop {
            let written = self.0.written.notified();
            {
                let waiting = self.lock();
                if waiting.items.is_empty() && !waiting.under_way {
                    return;
                }
            }
            written.await;
        }
    }

    /// Whether nothing follows any more.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        // Nothing that is done under the lock leaves it half done.
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
