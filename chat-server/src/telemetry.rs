//! The log, to standard error: as text or JSON, with a span for each request and connection.

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
};

use axum::http::Method;
use tracing::{Span, field, info_span};
use tracing_subscriber::EnvFilter;
use uuid::Uuid;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

impl Default for LogFormat {
    /// Text on a terminal, JSON else.
    fn default() -> Self {
        if io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

/// Sends the log of this process to standard error; `filter` is written as in `RUST_LOG`.
///
/// The error says what is wrong with the filter, or that the process has a log already.
pub fn init(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("the log filter `{filter}` cannot be read: {error}"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let done = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    done.map_err(|error| error.to_string())
}

/// The span in which one request is handled. What is logged in it bears the id that its sender was given.
pub(crate) fn request_span(request_id: Uuid, method: &Method, route: Option<&str>) -> Span {
    info_span!("request", %request_id, %method, route, status = field::Empty)
}

/// The span in which one socket is served, whoever opened it; it outlives the request that did.
pub(crate) fn connection_span(peer: Option<SocketAddr>) -> Span {
    let span = info_span!(
        parent: None,
        "connection",
        peer = field::Empty,
        session_id = field::Empty,
        user_id = field::Empty
    );
    if let Some(peer) = peer {
        span.record("peer", field::display(peer));
    }
    span
}
