//! A session that asks the store for what it has to tell, beside all else that happens on its socket.
//!
//! A question that is given up has to be asked again from its beginning, and costs the store a connection: on a socket where
//! commands come faster than the store answers, nothing would be told. So it goes on while they do.

use std::{future::Future, pin::Pin};

use chat_core::{Batch, Error, Session};
use tokio::sync::oneshot;

/// The session, and what it has to tell, if that is known by now.
type Told = (Box<Session>, Option<Result<Batch, Error>>);

pub(super) struct Asking {
    running: Pin<Box<dyn Future<Output = Told> + Send>>,
    stop: oneshot::Sender<()>,
}

impl Asking {
    pub(super) fn begin(mut session: Box<Session>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let running = Box::pin(async move {
            let told = tokio::select! {
                biased;
                told = session.next() => Some(told),
                _ = stopped => None,
            };
            (session, told)
        });
        Self { running, stop }
    }

    /// Waits for what it has to tell. Cancellation safe.
    pub(super) async fn told(&mut self) -> Told {
        (&mut self.running).await
    }

    /// Gives up, unless it is done. Returns at once.
    pub(super) async fn stop(self) -> Told {
        drop(self.stop);
        self.running.await
    }
}
