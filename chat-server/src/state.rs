//! What every request and socket needs: the engine, who calls, and the limits.

use std::{sync::Arc, time::Duration};

use chat_core::{Chat, protocol::Announced};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::AnyAuthenticate,
    limits::{RateLimits, SocketLimits},
    metrics::Metrics,
    ws::Workers,
};

/// The state behind the chat routes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) chat: Chat,
    pub(crate) authenticate: AnyAuthenticate,
    pub(crate) announced: Announced,
    pub(crate) limits: RateLimits,
    pub(crate) metrics: Metrics,
    /// Pages whose scripts may open a socket.
    pub(crate) origins: Vec<String>,
    /// How long a socket may be open before it says who it is.
    pub(crate) authentication_timeout: Duration,
    /// Cancelled when the server drains.
    pub(crate) draining: CancellationToken,
    /// The tasks of the sockets.
    pub(crate) sockets: TaskTracker,
    /// Who writes to them.
    pub(crate) workers: Workers,
}

pub(crate) type Shared = Arc<State>;

impl State {
    pub(crate) fn socket_limits(&self) -> SocketLimits {
        SocketLimits::new(&self.announced, &self.metrics)
    }
}
