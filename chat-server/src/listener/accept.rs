//! The accept loop: it waits for nobody, sheds what there are no descriptors for, and never spins.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    DEADLINES, Listener,
    connection::{self, Site},
    descriptors::{Descriptors, exhausted},
};
use crate::metrics::{Connections, Unserved};

/// Between two attempts when nothing can be accepted; short, since those in the backlog wait as long.
const RETRY: Duration = Duration::from_millis(50);
/// Between two lines in the log about the same.
const QUIET: Duration = Duration::from_secs(10);

/// Serves `routes` on all connections, each in a task of `connections`, until `stopping`; then no more are accepted, and those
/// there are end after the request that is under way. When `given_up`, they are dropped.
pub(crate) async fn serve(
    listener: Listener,
    routes: Router,
    stopping: &CancellationToken,
    given_up: &CancellationToken,
    connections: &TaskTracker,
) {
    let Listener {
        tcp,
        tls,
        descriptors,
        connections: counters,
        proxies,
        ..
    } = listener;
    let mut shedding = Shedding {
        descriptors,
        counters: counters.clone(),
        said: None,
    };
    let site = Arc::new(Site {
        routes,
        tls,
        proxies,
        deadlines: DEADLINES,
        counters,
        stopping: stopping.clone(),
    });
    while let Some(accepted) = stopping.run_until_cancelled(tcp.accept()).await {
        match accepted {
            Ok((stream, _)) if shedding.descriptors.too_few_beside(&stream) => shedding.shed(),
            Ok((stream, peer)) => {
                site.counters.accepted();
                let connection = connection::serve(stream, peer, Arc::clone(&site));
                let given_up = given_up.clone();
                connections.spawn(async move {
                    given_up.run_until_cancelled(connection).await;
                });
            }
            Err(error) if of_that_connection(&error) => {}
            Err(error) => shedding.refuse_one(&tcp, &error).await,
        }
    }
}

/// Some errors concern one connection, which is already gone; others, such as too many open files, last a while.
fn of_that_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// Turning away those for whom there is no descriptor.
struct Shedding {
    descriptors: Descriptors,
    counters: Connections,
    /// When the log was told.
    said: Option<Instant>,
}

impl Shedding {
    /// A connection was closed as soon as it was accepted: its client learns at once that it has to go elsewhere.
    fn shed(&mut self) {
        self.counters.unserved(Unserved::NoDescriptor);
        self.complain(|| {
            tracing::error!(
                "connections are turned away: all descriptors but the reserve are in use; raise the limit (`ulimit -n`)"
            );
        });
    }

    /// Nothing can be accepted. With the spare descriptor one of those who wait can be turned away, unless somebody else is
    /// quicker; otherwise it may be better in a moment.
    async fn refuse_one(&mut self, tcp: &TcpListener, error: &io::Error) {
        if exhausted(error) && self.descriptors.release_spare() {
            let turned_away = match timeout(RETRY, tcp.accept()).await {
                Ok(Ok((stream, _))) => {
                    drop(stream);
                    true
                }
                Ok(Err(_)) | Err(_) => false,
            };
            self.descriptors.take_spare(tcp);
            if turned_away {
                return self.shed();
            }
        }
        self.complain(|| tracing::error!(%error, "connections cannot be accepted"));
        tokio::time::sleep(RETRY).await;
        self.descriptors.take_spare(tcp);
    }

    fn complain(&mut self, log: impl FnOnce()) {
        let now = Instant::now();
        if self.said.is_none_or(|said| now - said >= QUIET) {
            self.said = Some(now);
            log();
        }
    }
}
