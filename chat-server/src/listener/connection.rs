//! The task of one connection: from its first byte to its end, or until it is no longer HTTP.

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{HeaderValue, Request, StatusCode, header},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncBufReadExt,
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{
    Certificates, Deadlines, ProxyNetwork,
    pace::Pace,
    proxies,
    wire::{self, Framing},
};
use crate::{
    http::error::ContradictoryLength,
    metrics::{Connections, Unserved},
    stream::Stream,
};

const MAX_HEADERS: usize = 64;
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What all connections of a listener have in common.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) routes: Router,
    pub(super) tls: Option<Certificates>,
    pub(super) proxies: Vec<ProxyNetwork>,
    pub(super) deadlines: Deadlines,
    pub(super) counters: Connections,
    pub(super) stopping: CancellationToken,
}

/// Serves one connection to its end. When the listener stops, it ends after the request that is under way.
pub(super) async fn serve(tcp: TcpStream, peer: SocketAddr, site: Arc<Site>) {
    let opened = site.stopping.run_until_cancelled(open(tcp, &site)).await;
    let ended = match opened {
        None => return,
        // On the heap, so that the task of whoever says nothing is small.
        Some(Ok(stream)) => Box::pin(wire::watch(serve_http(stream, peer, &site))).await,
        Some(Err(unopened)) => {
            site.counters.unserved(unopened.counted_as());
            return tracing::debug!(error = %unopened, %peer, "a connection was given up");
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended badly");
    }
}

/// Why a connection was never served.
#[derive(Debug, thiserror::Error)]
enum Unopened {
    #[error("it was gone at once: {0}")]
    Gone(#[from] io::Error),
    #[error("nothing came")]
    Silent,
    #[error("TLS was not agreed on: {0}")]
    Handshake(io::Error),
    #[error("TLS was not agreed on in time")]
    SlowHandshake,
}

impl Unopened {
    fn counted_as(&self) -> Unserved {
        match self {
            Self::Gone(_) | Self::Silent => Unserved::Silent,
            Self::Handshake(_) | Self::SlowHandshake => Unserved::Handshake,
        }
    }
}

/// Waits for a client to say something. Until then, nothing is kept for it but its descriptor and this.
async fn open(tcp: TcpStream, site: &Site) -> Result<Stream, Unopened> {
    // Without this, small frames wait for the acknowledgement of those before them.
    tcp.set_nodelay(true)?;
    let first_byte = timeout(site.deadlines.first_byte, tcp.peek(&mut [0])).await;
    if first_byte.map_err(|_silent| Unopened::Silent)?? == 0 {
        return Err(Unopened::Silent);
    }
    let Some(certificates) = &site.tls else {
        return Ok(Stream::Plain(tcp));
    };
    let handshake = Box::pin(certificates.acceptor().accept(tcp));
    let handshake = timeout(site.deadlines.handshake, handshake).await;
    let handshake = handshake.map_err(|_late| Unopened::SlowHandshake)?;
    let mut tls = Box::new(handshake.map_err(Unopened::Handshake)?);
    let first_byte = timeout(site.deadlines.first_byte, tls.fill_buf()).await;
    first_byte.map_err(|_silent| Unopened::Silent)??;
    Ok(Stream::Tls(tls))
}

async fn serve_http(stream: Stream, peer: SocketAddr, site: &Site) -> hyper::Result<()> {
    let secure = matches!(stream, Stream::Tls(_));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let framing = wire::next_request();
        let client = proxies::client(&site.proxies, peer, request.headers());
        let extensions = request.extensions_mut();
        extensions.insert(ConnectInfo(client));
        if framing == Framing::Contradictory {
            extensions.insert(ContradictoryLength);
        }
        let answering = site.routes.clone().oneshot(request.map(Body::new));
        async move {
            let mut response = answering.await?;
            finish(&mut response, secure, framing);
            wire::answering();
            Ok::<_, Infallible>(response)
        }
    });
    let Deadlines {
        head,
        next_request,
        answer,
        ..
    } = site.deadlines;
    let connection = http1::Builder::new()
        .timer(Pace::new(head, next_request))
        .header_read_timeout(head)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut stuck = pin!(answer_not_taken(answer));
    let mut stopping = pin!(site.stopping.cancelled());
    let mut stops = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = stuck.as_mut() => {
                tracing::debug!(%peer, "a connection was given up: its answers are not taken");
                return Ok(());
            }
            () = stopping.as_mut(), if !stops => {
                stops = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// What is said of the connection rather than of what was asked.
fn finish(response: &mut Response, secure: bool, framing: Framing) {
    const A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");
    let upgrades = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, A_YEAR);
    }
    if framing != Framing::Length && !upgrades {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Returns when the client has not taken an answer for so long. Looks now and then, which costs less than a timer for each answer.
async fn answer_not_taken(limit: Duration) {
    loop {
        sleep(limit / 4).await;
        if wire::answering_since().is_some_and(|since| Instant::now() - since >= limit) {
            return;
        }
    }
}
