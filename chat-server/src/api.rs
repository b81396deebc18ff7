//! The chat routes as a value: what they can be told, and how they are stopped.

use std::{sync::Arc, time::Duration};

use axum::Router;
use chat_core::{Chat, Limits, protocol::Announced};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    auth::{AnyAuthenticate, Authenticate},
    http,
    limits::{self, RateLimits},
    metrics::Metrics,
    state::{Shared, State},
    ws::Workers,
};

/// The chat routes with default settings, to be nested into an axum application at `/api/v1`.
///
/// REST and the socket (at `/ws`) of the protocol, without accounts: `authenticate` says who a bearer token belongs to.
pub fn router(chat: Chat, authenticate: impl Authenticate) -> Router {
    Api::new(chat, authenticate, Settings::default()).router()
}

/// What the chat routes can be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Pages whose scripts may open a socket, as `https://host[:port]`. Clients that are no browsers send no origin and
    /// are always welcome.
    pub allow_origins: Vec<String>,
    /// Timers and limits. Those that the engine has too are taken from the engine.
    pub limits: Announced,
    /// How long a socket may be open before it says who it is.
    pub authentication_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_origins: Vec::new(),
            limits: limits::defaults(&Limits::default()),
            authentication_timeout: Duration::from_secs(10),
        }
    }
}

/// The chat routes and the sockets that were opened through them; clones are handles to the same ones.
#[derive(Clone, Debug)]
pub struct Api {
    state: Shared,
}

impl Api {
    /// Routes to `chat` for those whom `authenticate` knows.
    pub fn new(chat: Chat, authenticate: impl Authenticate, settings: Settings) -> Self {
        let of_engine = limits::defaults(chat.limits());
        let announced = Announced {
            max_body_chars: of_engine.max_body_chars,
            typing_expiry_ms: of_engine.typing_expiry_ms,
            max_watched_users: of_engine.max_watched_users,
            max_joined_conversations: of_engine.max_joined_conversations,
            max_replay: of_engine.max_replay,
            ..settings.limits
        };
        let metrics = Metrics::new(chat.clone());
        let state = State {
            limits: RateLimits::new(&announced, &metrics),
            metrics,
            chat,
            authenticate: AnyAuthenticate::new(authenticate),
            announced,
            origins: settings.allow_origins,
            authentication_timeout: settings.authentication_timeout,
            draining: CancellationToken::new(),
            sockets: TaskTracker::new(),
            workers: Workers::default(),
        };
        Self {
            state: Arc::new(state),
        }
    }

    /// The routes, to be nested into an axum application at `/api/v1`.
    pub fn router(&self) -> Router {
        let (routes, _) = http::chat_routes().split_for_parts();
        let routes = routes.with_state(Arc::clone(&self.state));
        http::finish(routes, &self.state)
    }

    /// `/echo`, a socket without the protocol of this server, which says what it is told.
    #[cfg(feature = "autobahn")]
    #[doc(hidden)]
    pub fn echo(&self) -> Router {
        Router::new()
            .route("/echo", axum::routing::get(crate::ws::echo::upgrade))
            .with_state(Arc::clone(&self.state))
    }

    /// The API for people and programs to read: `/openapi.json`, `/docs`, `/docs/socket` and `/docs/errors`, where `prefix` is
    /// the path that [`router`](Self::router) is nested at.
    ///
    /// To be merged at the root of the application: the `type` of every problem is a path below `/docs/errors` there. Nothing
    /// depends on it.
    pub fn docs(&self, prefix: &str) -> Result<Router, serde_json::Error> {
        let described = OpenApiRouter::default().nest(prefix, http::chat_routes());
        let described = described.into_openapi();
        let document = http::openapi::document(&described, &self.state.announced)?;
        Ok(http::envelop(http::docs::routes(&document), &self.state))
    }

    /// What an operator asks of these routes, of the engine behind them and of the process, in the text format of
    /// Prometheus (`text/plain; version=0.0.4`): for a route that only operators reach.
    ///
    /// Reads a few files of the kernel, for which asynchronous code has `spawn_blocking`.
    #[must_use]
    pub fn metrics(&self) -> String {
        self.state.metrics.render()
    }

    /// Tells every socket to come back elsewhere, closes it, and returns when all are closed.
    ///
    /// Sockets that are opened later are told the same. Cancellation safe: call it again to go on waiting.
    pub async fn drain(&self) {
        self.state.draining.cancel();
        self.state.sockets.close();
        self.state.sockets.wait().await;
    }

    pub(crate) fn state(&self) -> &Shared {
        &self.state
    }
}
