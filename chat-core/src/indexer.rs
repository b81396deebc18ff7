//! Lets the store index what was said, a moment after it was said, so that nobody who sends waits for it.

use std::time::Duration;

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::store::AnyStore;

/// How long to wait after something was said: what is said until then is indexed with it, which is cheaper.
const MOMENT: Duration = Duration::from_millis(250);
/// How long to wait at least before the next step, for those who wait for the store meanwhile.
const PAUSE: Duration = Duration::from_millis(2);
/// How long to wait before a store that failed is asked again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// The way to call the task that has messages indexed.
///
/// Nothing depends on it but how long a search takes: what is not indexed is looked through by the store.
#[derive(Debug, Default)]
pub(crate) struct Indexer {
    called: Notify,
}

impl Indexer {
    /// Something may have been said.
    pub(crate) fn call(&self) {
        self.called.notify_one();
    }

    /// Has everything indexed that an earlier process left, and then what is said, until told to stop. Sleeps while nothing
    /// is said. Owned by the engine, which joins it.
    pub(crate) async fn run(&self, store: AnyStore, stop: CancellationToken) {
        self.call();
        while !stop.is_cancelled() {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.called.notified() => {}
            }
            let mut pause = MOMENT;
            let mut retry = RETRY.0;
            loop {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = sleep(pause) => {}
                }
                let begun = Instant::now();
                match store.index().await {
                    Ok(false) => break,
                    // Half of the time belongs to others.
                    Ok(true) => pause = begun.elapsed().max(PAUSE),
                    Err(error) => {
                        tracing::warn!(%error, "messages cannot be indexed now, they wait");
                        pause = retry;
                        retry = RETRY.1.min(retry * 2);
                    }
                }
            }
        }
    }
}
