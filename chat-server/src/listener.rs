//! Accepting connections and serving HTTP on them, whoever is at the other end.

use std::{io, net::SocketAddr, pin::pin, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::stream::Stream;

/// Connections that wait to be accepted: a restart brings everybody back at once.
const BACKLOG: u32 = 4_096;
/// A client that sends no request, or half a one, is given up after this long.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// What the kernel holds of a socket that is read slowly; small, so that its progress can be seen.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;

/// Listens at this address; what arrives waits until it is accepted.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `routes` on all connections, each in a task of `connections`, until `stopping`; then no more are accepted, and those
/// there are end after the request that is under way. When `given_up`, they are dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    routes: Router,
    stopping: &CancellationToken,
    given_up: &CancellationToken,
    connections: &TaskTracker,
) {
    while let Some(accepted) = stopping.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                let connection = serve_connection(stream, peer, routes.clone(), stopping.clone());
                let given_up = given_up.clone();
                connections.spawn(async move {
                    given_up.run_until_cancelled(connection).await;
                });
            }
            Err(error) => refused_connection(&error).await,
        }
    }
}

/// Some errors concern one connection that is already gone; others, such as too many open files, last a while.
async fn refused_connection(error: &io::Error) {
    let of_that_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    );
    if !of_that_connection {
        tracing::error!(%error, "connections cannot be accepted");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    stopping: CancellationToken,
) {
    // Without this, small frames wait for the acknowledgement of those before them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "a connection was gone at once");
        return;
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(Stream::Plain(stream)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended badly");
    }
}
