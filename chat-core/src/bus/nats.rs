//! The bus over [NATS](https://nats.io): one subject for each topic, nothing kept, nothing waited for.
//!
//! Subjects are `chat.nodes`, `chat.node.ID`, `chat.conversation.ID` and `chat.user.ID`, with another first part if that is
//! chosen. Only core NATS is used: what it loses, the engine reads from the store.

use std::{
    fmt,
    future::poll_fn,
    io, mem,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client, ClientError, ConnectErrorKind, ConnectOptions, Event, Message, ServerAddr, ServerError,
    Subscriber,
};
use futures_util::{
    StreamExt as _,
    stream::{SelectAll, TakeUntil},
};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

use super::{Bus, BusStats, Envelope, Incoming, Topic};
use crate::source::HashMap;

/// How much may wait to be published while NATS is not there, or is slow. What comes then is dropped.
const OUTGOING: usize = 8_192;
/// How much of what came in may wait for the engine.
const INCOMING: usize = 1_024;
/// How much may wait in the client library, of each topic.
const OF_A_TOPIC: usize = 1_024;
/// A connection that is silent for about twice this long is given up. That nothing comes through is noticed long before.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest pause between two attempts to connect.
const SLOWEST_RECONNECT: Duration = Duration::from_millis(500);
/// Larger payloads are nobody's of ours.
const MAX_PAYLOAD: usize = 1 << 20;

/// How a [`NatsBus`] connects.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NatsOptions {
    /// The first part of all subjects: `chat`. Deployments that share NATS servers but no store need different ones.
    pub prefix: String,
    /// A file with credentials (`.creds`: a JWT and the seed of its key).
    pub credentials: Option<PathBuf>,
    /// A file with certificates (PEM) of authorities that servers' certificates may be from; else the system's.
    pub authorities: Option<PathBuf>,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            prefix: "chat".to_owned(),
            credentials: None,
            authorities: None,
        }
    }
}

/// Why there is no bus over NATS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// One of the addresses is none.
    #[error(
        "`{address}` is no address of a NATS server: write nats://HOST:4222, or tls://HOST:4222, and commas between several"
    )]
    Address {
        /// Which.
        address: String,
    },
    /// The prefix cannot be the beginning of a subject.
    #[error(
        "`{prefix}` cannot begin a NATS subject: use letters, digits, `-` and `_`, and dots between them"
    )]
    Prefix {
        /// Which.
        prefix: String,
    },
    /// A file cannot be used.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The client library refuses what it was given.
    #[error("NATS cannot be connected to: {0}")]
    Connect(#[from] async_nats::ConnectError),
}

/// A bus over NATS. Clones are handles to the same one, which ends with the last of them.
///
/// It connects, and connects again, by itself, for as long as it takes; while there is no connection, what is published is
/// dropped once much of it waits.
#[derive(Clone)]
pub struct NatsBus(Arc<Inner>);

struct Inner {
    client: Client,
    outgoing: mpsc::Sender<(Topic, Envelope)>,
    incoming: Mutex<mpsc::Receiver<Incoming>>,
    shared: Arc<Shared>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

/// What the tasks and the callbacks of the client library share with the handle.
#[derive(Debug, Default)]
struct Shared {
    /// Topics to be followed, or no longer, as it was last said of each.
    wanted: Mutex<HashMap<Topic, bool>>,
    /// Something may have been lost.
    suspect: AtomicBool,
    called: Notify,
    connected: AtomicBool,
    /// The servers do not let this node in, which was said.
    refused: AtomicBool,
    /// What was taken and is not with NATS yet.
    waiting: AtomicU64,
    published: AtomicU64,
    received: AtomicU64,
    dropped: AtomicU64,
    malformed: AtomicU64,
    topics: AtomicU64,
}

impl fmt::Debug for NatsBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NatsBus")
    }
}

impl NatsBus {
    /// Begins to connect to one of these servers, and does not wait for it: `nats://HOST:4222` or, for TLS, `tls://HOST:4222`,
    /// several with commas between them. A user and password in the first one, or a token, are for all of them
    /// (`nats://USER:PASSWORD@HOST:4222`, `nats://TOKEN@HOST:4222`).
    pub async fn connect(servers: &str, options: NatsOptions) -> Result<Self, NatsError> {
        let servers = addresses(servers)?;
        let subjects = Subjects::below(options.prefix)?;
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let mut connecting = ConnectOptions::new()
            .name("chat")
            .no_echo()
            .retry_on_initial_connect()
            .max_reconnects(None)
            .ping_interval(PING_INTERVAL)
            .connection_timeout(CONNECTION_TIMEOUT)
            .subscription_capacity(OF_A_TOPIC)
            .reconnect_delay_callback(|attempts| {
                let factor = u32::try_from(attempts).unwrap_or(u32::MAX);
                let pause = Duration::from_millis(50).saturating_mul(factor);
                pause.min(SLOWEST_RECONNECT)
            })
            .event_callback(move |event| {
                told.note(&event);
                async {}
            });
        connecting = match servers.first().map(|it| (it.username(), it.password())) {
            Some((Some(user), Some(password))) => {
                connecting.user_and_password(decoded(user), decoded(password))
            }
            Some((Some(token), None)) => connecting.token(decoded(token)),
            _ => connecting,
        };
        if let Some(path) = options.credentials {
            let read = connecting.credentials_file(&path).await;
            connecting = read.map_err(|source| NatsError::File { path, source })?;
        }
        if let Some(path) = options.authorities {
            std::fs::metadata(&path).map_err(|source| NatsError::File {
                path: path.clone(),
                source,
            })?;
            connecting = connecting.add_root_certificates(path);
        }
        let client = connecting.connect(servers).await?;

        let (outgoing, to_publish) = mpsc::channel(OUTGOING);
        let (received, incoming) = mpsc::channel(INCOMING);
        let publishing = publish(
            client.clone(),
            subjects.clone(),
            to_publish,
            Arc::clone(&shared),
        );
        let receiving = Receiving {
            client: client.clone(),
            subjects,
            shared: Arc::clone(&shared),
            followed: HashMap::default(),
            streams: SelectAll::new(),
        };
        Ok(Self(Arc::new(Inner {
            client,
            outgoing,
            incoming: Mutex::new(incoming),
            shared,
            _tasks: [
                AbortOnDropHandle::new(tokio::spawn(publishing)),
                AbortOnDropHandle::new(tokio::spawn(receiving.run(received))),
            ],
        })))
    }
}

impl Bus for NatsBus {
    fn publish(&self, topic: Topic, envelope: Envelope) -> bool {
        let shared = &self.0.shared;
        shared.waiting.fetch_add(1, Ordering::AcqRel);
        let taken = self.0.outgoing.try_send((topic, envelope)).is_ok();
        if !taken {
            shared.waiting.fetch_sub(1, Ordering::AcqRel);
            shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    fn follow(&self, topic: Topic) {
        self.0.shared.want(topic, true);
    }

    fn unfollow(&self, topic: Topic) {
        self.0.shared.want(topic, false);
    }

    async fn receive(&self) -> Incoming {
        let next = poll_fn(|context| self.0.incoming.lock().poll_recv(context)).await;
        match next {
            Some(incoming) => incoming,
            // The runtime is going down.
            None => std::future::pending().await,
        }
    }

    fn stats(&self) -> BusStats {
        let shared = &self.0.shared;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        BusStats {
            connected: shared.connected.load(Ordering::Relaxed),
            published: get(&shared.published),
            received: get(&shared.received),
            dropped: get(&shared.dropped),
            malformed: get(&shared.malformed),
            topics: get(&shared.topics),
        }
    }

    async fn flush(&self) {
        const LOOK: Duration = Duration::from_millis(2);
        let shared = &self.0.shared;
        while shared.waiting.load(Ordering::Acquire) > 0 {
            sleep(LOOK).await;
        }
        let _ = self.0.client.flush().await;
    }
}

impl Shared {
    fn want(&self, topic: Topic, followed: bool) {
        self.wanted.lock().insert(topic, followed);
        self.called.notify_one();
    }

    fn note(&self, event: &Event) {
        match event {
            Event::Connected => {
                self.connected.store(true, Ordering::Relaxed);
                self.refused.store(false, Ordering::Relaxed);
                tracing::info!("NATS is connected");
            }
            Event::Disconnected | Event::Closed => {
                self.connected.store(false, Ordering::Relaxed);
                tracing::warn!("NATS is not connected");
            }
            Event::SlowConsumer(_) => {
                tracing::warn!("NATS had more for this node than it could take: some was dropped");
            }
            other if is_refusal(other) => {
                // It is tried again and again, since whoever looks after NATS may let this node in yet.
                if !self.refused.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        event = %other,
                        "NATS does not let this node in: its credentials, or its user and password, are not accepted"
                    );
                }
                return;
            }
            other => {
                tracing::warn!(event = %other, "NATS says something");
                return;
            }
        }
        self.suspect.store(true, Ordering::Release);
        self.called.notify_one();
    }
}

/// Whether a server does not want this client, or no longer.
fn is_refusal(event: &Event) -> bool {
    let attempt = |kind: ConnectErrorKind| kind.to_string();
    match event {
        Event::ServerError(ServerError::AuthorizationViolation) => true,
        // The library tells why it could not connect in words only.
        Event::ClientError(ClientError::Other(why)) => {
            *why == attempt(ConnectErrorKind::AuthorizationViolation)
                || *why == attempt(ConnectErrorKind::Authentication)
        }
        _ => false,
    }
}

/// Publishes what waits, until there can be nothing more.
async fn publish(
    client: Client,
    subjects: Subjects,
    mut waiting: mpsc::Receiver<(Topic, Envelope)>,
    shared: Arc<Shared>,
) {
    while let Some((topic, envelope)) = waiting.recv().await {
        let payload = match serde_json::to_vec(&envelope) {
            Ok(payload) => payload,
            Err(error) => {
                tracing::error!(%error, "a notice cannot be written");
                shared.waiting.fetch_sub(1, Ordering::AcqRel);
                continue;
            }
        };
        match client.publish(subjects.of(topic), payload.into()).await {
            Ok(()) => shared.published.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, "a notice was not published");
                shared.dropped.fetch_add(1, Ordering::Relaxed)
            }
        };
        shared.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What is received from NATS.
struct Receiving {
    client: Client,
    subjects: Subjects,
    shared: Arc<Shared>,
    /// By dropping its value, a topic is followed no longer.
    followed: HashMap<Topic, oneshot::Sender<()>>,
    streams: SelectAll<TakeUntil<Subscriber, oneshot::Receiver<()>>>,
}

impl Receiving {
    async fn run(mut self, received: mpsc::Sender<Incoming>) {
        loop {
            self.follow_what_is_wanted().await;
            if self.shared.suspect.swap(false, Ordering::AcqRel)
                && received.send(Incoming::Suspect).await.is_err()
            {
                return;
            }
            let message = tokio::select! {
                biased;
                () = self.shared.called.notified() => continue,
                Some(message) = self.streams.next() => message,
            };
            let Some(envelope) = self.subjects.read(&message) else {
                self.shared.malformed.fetch_add(1, Ordering::Relaxed);
                let (subject, bytes) = (message.subject, message.payload.len());
                tracing::warn!(%subject, bytes, "what came from NATS is no notice");
                continue;
            };
            self.shared.received.fetch_add(1, Ordering::Relaxed);
            let incoming = Incoming::Envelope(envelope);
            if received.send(incoming).await.is_err() {
                return;
            }
        }
    }

    async fn follow_what_is_wanted(&mut self) {
        let wanted = mem::take(&mut *self.shared.wanted.lock());
        for (topic, followed) in wanted {
            if !followed {
                self.followed.remove(&topic);
            } else if !self.followed.contains_key(&topic) {
                match self.client.subscribe(self.subjects.of(topic)).await {
                    Ok(subscriber) => {
                        let (until, end) = oneshot::channel();
                        self.streams.push(subscriber.take_until(end));
                        self.followed.insert(topic, until);
                    }
                    Err(error) => {
                        tracing::error!(%error, ?topic, "a topic cannot be followed");
                    }
                }
            }
        }
        let topics = self.followed.len() as u64;
        self.shared.topics.store(topics, Ordering::Relaxed);
    }
}

/// The subjects of topics.
#[derive(Clone, Debug)]
struct Subjects(Arc<str>);

impl Subjects {
    fn below(prefix: String) -> Result<Self, NatsError> {
        let is_part = |part: &str| {
            let mut characters = part.chars();
            !part.is_empty()
                && characters.all(|it| it.is_ascii_alphanumeric() || ['-', '_'].contains(&it))
        };
        if prefix.split('.').all(is_part) {
            Ok(Self(prefix.into()))
        } else {
            Err(NatsError::Prefix { prefix })
        }
    }

    fn of(&self, topic: Topic) -> String {
        let prefix = &self.0;
        match topic {
            Topic::Nodes => format!("{prefix}.nodes"),
            Topic::Node(id) => format!("{prefix}.node.{id}"),
            Topic::Conversation(id) => format!("{prefix}.conversation.{id}"),
            Topic::User(id) => format!("{prefix}.user.{id}"),
        }
    }

    /// What came in, if it is what a node says on this subject.
    fn read(&self, message: &Message) -> Option<Envelope> {
        if message.payload.len() > MAX_PAYLOAD {
            return None;
        }
        let envelope: Envelope = serde_json::from_slice(&message.payload).ok()?;
        let topics = envelope.notice.topics();
        let mut subjects = topics.iter().map(|topic| self.of(*topic));
        let is_in_its_place = subjects.any(|subject| subject == message.subject.as_str());
        is_in_its_place.then_some(envelope)
    }
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

fn addresses(servers: &str) -> Result<Vec<ServerAddr>, NatsError> {
    let servers = servers.split(',').map(str::trim);
    let parse = |address: &str| {
        let parsed = address.parse().ok().filter(|it: &ServerAddr| {
            !it.host().is_empty() && ["nats", "tls"].contains(&it.scheme())
        });
        // A password in it is for nobody to read.
        let shown = address.rsplit('@').next().unwrap_or_default();
        parsed.ok_or_else(|| NatsError::Address {
            address: shown.to_owned(),
        })
    };
    servers.map(parse).collect()
}
