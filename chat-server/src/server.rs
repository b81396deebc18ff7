//! The server as a whole: bind, serve, drain, join.

use std::{io, net::SocketAddr, path::Path, pin::pin, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use chat_core::Chat;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{
    Api, Config, Database, DatabaseError, Settings,
    auth::{Accounts, KeyError, SettingUp, SigningKey},
    database::Opened,
    http::{self, accounts::Desk},
    limits,
};

/// Connections that wait to be accepted: a restart brings everybody back at once.
const BACKLOG: u32 = 4_096;
/// A client that sends no request, or half a one, is given up after this long.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// What the kernel holds of a socket that is read slowly; small, so that its progress can be seen.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// Requests and sockets get this long to end; then they are dropped.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// And the engine this long to finish what it accepted.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(8);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The key for access tokens cannot be used.
    #[error("{0}")]
    Key(String),
    /// The accounts cannot be opened.
    #[error("{0}")]
    Accounts(String),
    /// The engine did not start.
    #[error("the chat engine did not start: {0}")]
    Engine(#[from] chat_core::Error),
}

impl From<KeyError> for StartError {
    fn from(error: KeyError) -> Self {
        Self::Key(error.to_string())
    }
}

impl From<SettingUp> for StartError {
    fn from(error: SettingUp) -> Self {
        Self::Accounts(error.to_string())
    }
}

/// A running server. Dropping it without [`Server::join`] leaves it running until the runtime ends.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    chat: Chat,
    stopping: CancellationToken,
    serving: JoinHandle<()>,
}

impl Server {
    /// Opens everything and serves: when it returns, connections are accepted.
    pub async fn bind(config: Config) -> Result<Self, StartError> {
        if config.limits.sends_per_second == limits::UNLIMITED {
            tracing::warn!("the rates are lifted: anybody can keep this server busy");
        }
        let key = signing_key(&config)?;
        let database = config.database.open().await?;
        let accounts = Accounts::open(
            &database,
            key,
            config.registration,
            config.access_token_lifetime,
        )
        .await?;
        let chat = database
            .store_of(Chat::builder())
            .directory(accounts.clone())
            .limits(limits::engine_limits(&config.limits))
            .start()
            .await?;
        let settings = Settings {
            allow_origins: config.allow_origins,
            limits: config.limits,
            authentication_timeout: config.authentication_timeout,
        };
        let api = Api::new(chat.clone(), accounts.clone(), settings);
        let listener = listen(config.listen).map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;
        tracing::info!(%address, node = %chat.node_id(), "serving");
        let stopping = CancellationToken::new();
        let running = Running {
            routes: routes(&api, accounts),
            api,
            database,
            chat: chat.clone(),
            stopping: stopping.clone(),
        };
        Ok(Self {
            address,
            chat,
            stopping,
            serving: tokio::spawn(running.serve(listener)),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The engine that it serves.
    #[must_use]
    pub fn chat(&self) -> &Chat {
        &self.chat
    }

    /// Begins to stop: no new connections, sockets are told to come back elsewhere, requests are finished.
    pub fn shutdown(&self) {
        self.stopping.cancel();
    }

    /// Returns when the server has stopped; at most 30 seconds after [`Server::shutdown`].
    pub async fn join(self) {
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the server did not stop as it should");
        }
    }
}

fn signing_key(config: &Config) -> Result<SigningKey, StartError> {
    let beside = |path: &Path| path.with_extension("key.pem");
    match (&config.jwt_key_file, &config.database) {
        (Some(path), _) => Ok(SigningKey::load_or_create(path)?),
        (None, Database::Sqlite(path)) => Ok(SigningKey::load_or_create(&beside(path))?),
        (None, Database::Memory) => {
            SigningKey::ephemeral().map_err(|error| StartError::Key(error.to_string()))
        }
        (None, Database::Postgres(_)) => Err(StartError::Key(
            "with PostgreSQL, --jwt-key-file must be given: every node signs with the same key"
                .to_owned(),
        )),
    }
}

fn routes(api: &Api, accounts: Accounts) -> Router {
    let state = api.state().clone();
    let desk = Desk {
        accounts,
        state: state.clone(),
    };
    let below = http::chat_routes()
        .with_state(state.clone())
        .merge(http::account_routes().with_state(desk));
    let routes = Router::new()
        .nest("/api/v1", below)
        .merge(http::health_routes().with_state(state));
    http::finish(routes)
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
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

/// What the serving task owns.
struct Running {
    routes: Router,
    api: Api,
    chat: Chat,
    database: Opened,
    stopping: CancellationToken,
}

impl Running {
    async fn serve(self, listener: TcpListener) {
        let connections = TaskTracker::new();
        let given_up = CancellationToken::new();
        while let Some(accepted) = self.stopping.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    let connection =
                        serve_connection(stream, peer, self.routes.clone(), self.stopping.clone());
                    let given_up = given_up.clone();
                    connections.spawn(async move {
                        given_up.run_until_cancelled(connection).await;
                    });
                }
                Err(error) => refused_connection(&error).await,
            }
        }
        drop(listener);
        self.drain(&connections, &given_up).await;
    }

    async fn drain(self, connections: &TaskTracker, given_up: &CancellationToken) {
        connections.close();
        let both = async {
            tokio::join!(self.api.drain(), connections.wait());
        };
        if timeout(DRAIN_TIMEOUT, both).await.is_err() {
            tracing::warn!("some connections did not end in time and are dropped");
            given_up.cancel();
            connections.wait().await;
        }
        let finish = async {
            self.chat.shutdown().await;
            if let Err(error) = self.database.close().await {
                tracing::error!(%error, "the database did not close as it should");
            }
        };
        if timeout(ENGINE_TIMEOUT, finish).await.is_err() {
            tracing::warn!("the engine did not stop in time");
        }
        tracing::info!("stopped");
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
        .serve_connection(TokioIo::new(stream), service)
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
