//! The server as a whole: bind, serve, drain, join.

use std::{io, net::SocketAddr, path::Path, time::Duration};

use axum::Router;
use chat_core::{
    Chat,
    bus::{
        NatsBus,
        nats::{NatsError, NatsOptions},
    },
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    Api, Config, Database, DatabaseError, Settings,
    auth::{Accounts, KeyError, SettingUp, SigningKey},
    database::Opened,
    http::{self, accounts::Desk},
    limits,
    listener::{self, Certificates, Listener, TlsError},
    metrics::{self, Connections},
};

/// Descriptors that clients leave to the database, to metrics and to whatever else must go on.
const RESERVED_DESCRIPTORS: u64 = 16;
/// Those that metrics leave in turn.
const RESERVED_FROM_METRICS: u64 = 8;

/// Requests and sockets get this long to end; then they are dropped.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// And a scrape that is under way, which is the last one, this long.
const LAST_SCRAPE: Duration = Duration::from_secs(1);
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
    /// The address for metrics cannot be listened on.
    #[error(
        "cannot listen on {address} for metrics: {source}; give another address with --metrics-listen, or `off`"
    )]
    MetricsListen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The bus between the nodes cannot be used.
    #[error(transparent)]
    Nats(#[from] NatsError),
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The key for access tokens cannot be used.
    #[error("{0}")]
    Key(String),
    /// The accounts cannot be opened.
    #[error("{0}")]
    Accounts(String),
    /// The engine did not start.
    #[error("the chat engine did not start: {0}")]
    Engine(#[from] chat_core::Error),
    /// The description of the API cannot be written.
    #[error("the description of the API cannot be written: {0}")]
    Document(#[from] serde_json::Error),
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
    metrics_address: Option<SocketAddr>,
    certificates: Option<Certificates>,
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
        let certificates = config.tls.clone().map(Certificates::load).transpose()?;
        let key = signing_key(&config)?;
        let database = config.database.open().await?;
        let accounts = Accounts::open(
            &database,
            key,
            config.registration,
            config.access_token_lifetime,
        )
        .await?;
        let mut chat = database
            .store_of(Chat::builder())
            .directory(accounts.clone())
            .limits(limits::engine_limits(&config.limits));
        if let Some(bus) = bus(&config).await? {
            chat = chat.bus(bus);
        }
        let chat = chat.start().await?;
        let settings = Settings {
            allow_origins: config.allow_origins,
            limits: config.limits,
            authentication_timeout: config.authentication_timeout,
        };
        let api = Api::new(chat.clone(), accounts.clone(), settings);
        let counted = api.state().metrics.connections.clone();
        let listening = Listener::bind(
            config.listen,
            certificates.clone(),
            RESERVED_DESCRIPTORS,
            counted,
        );
        let listener = listening.map_err(|source| StartError::Listen {
            address: config.listen,
            source,
        })?;
        let listener = listener.behind(config.trusted_proxies);
        let metrics = config.metrics_listen.map(listen_for_metrics).transpose()?;
        let (address, metrics_address) = (
            listener.local_addr(),
            metrics.as_ref().map(Listener::local_addr),
        );
        if certificates.is_none() && !address.ip().is_loopback() {
            tracing::warn!(
                "passwords and tokens arrive in the clear, unless something in front speaks TLS"
            );
        }
        tracing::info!(%address, node = %chat.node_id(), "serving");
        if let Some(address) = metrics_address {
            tracing::info!(%address, "serving metrics");
        }
        let stopping = CancellationToken::new();
        let running = Running {
            routes: routes(&api, accounts.clone())?,
            accounts,
            api,
            database,
            chat: chat.clone(),
            stopping: stopping.clone(),
        };
        Ok(Self {
            address,
            metrics_address,
            certificates,
            chat,
            stopping,
            serving: tokio::spawn(running.serve(listener, metrics)),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The URL that it serves at.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match self.certificates {
            Some(_) => "https",
            None => "http",
        };
        format!("{scheme}://{}", self.address)
    }

    /// Reads the files of the certificate again, for connections from now on. If they cannot be used, the old certificate stays.
    /// Without TLS there is nothing to read.
    pub fn reload_certificate(&self) -> Result<(), TlsError> {
        self.certificates
            .as_ref()
            .map_or(Ok(()), Certificates::reload)
    }

    /// Where it serves metrics, if it does.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics_address
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

/// The way to the other nodes, if there may be some.
async fn bus(config: &Config) -> Result<Option<NatsBus>, NatsError> {
    let Some(servers) = &config.nats_url else {
        return Ok(None);
    };
    let mut options = NatsOptions::default();
    options.credentials.clone_from(&config.nats_credentials);
    options.authorities.clone_from(&config.nats_ca);
    NatsBus::connect(servers, options).await.map(Some)
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

fn routes(api: &Api, accounts: Accounts) -> serde_json::Result<Router> {
    let state = api.state().clone();
    let desk = Desk {
        accounts,
        state: state.clone(),
    };
    let below = http::chat_routes()
        .with_state(state.clone())
        .merge(http::account_routes().with_state(desk));
    let (routes, described) = OpenApiRouter::default()
        .nest("/api/v1", below)
        .merge(http::health_routes().with_state(state.clone()))
        .split_for_parts();
    let document = http::openapi::document(&described, &state.announced)?;
    let routes = routes.merge(http::docs::routes(&document));
    Ok(http::finish(routes, &state))
}

fn listen_for_metrics(address: SocketAddr) -> Result<Listener, StartError> {
    let uncounted = Connections::default();
    Listener::bind(address, None, RESERVED_FROM_METRICS, uncounted)
        .map_err(|source| StartError::MetricsListen { address, source })
}

/// What the serving task owns.
struct Running {
    routes: Router,
    api: Api,
    accounts: Accounts,
    chat: Chat,
    database: Opened,
    stopping: CancellationToken,
}

impl Running {
    /// Metrics are served until all else has ended: a drain is a thing to be watched.
    async fn serve(self, listener: Listener, metrics: Option<Listener>) {
        let drained = CancellationToken::new();
        let scraped = serve_metrics(metrics, self.api.clone(), drained.clone());
        let served = async {
            self.serve_clients(listener).await;
            drained.cancel();
        };
        tokio::join!(served, scraped);
        tracing::info!("stopped");
    }

    async fn serve_clients(self, listener: Listener) {
        let connections = TaskTracker::new();
        let given_up = CancellationToken::new();
        let (accounts, stopping) = (self.accounts.clone(), self.stopping.clone());
        connections.spawn(async move { accounts.follow_revocations(stopping).await });
        let routes = self.routes.clone();
        listener::serve(listener, routes, &self.stopping, &given_up, &connections).await;
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
    }
}

async fn serve_metrics(listener: Option<Listener>, api: Api, stopping: CancellationToken) {
    let Some(listener) = listener else {
        return;
    };
    let (connections, given_up) = (TaskTracker::new(), CancellationToken::new());
    let routes = metrics::routes(api);
    listener::serve(listener, routes, &stopping, &given_up, &connections).await;
    connections.close();
    if timeout(LAST_SCRAPE, connections.wait()).await.is_err() {
        given_up.cancel();
        connections.wait().await;
    }
}
