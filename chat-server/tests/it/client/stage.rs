//! A server, a network that breaks, and an application that puts together what it hears.

use std::{collections::HashMap, net::SocketAddr};

use chat_core::{
    NewGroup,
    client::{Client, Event, Link, Live, LiveEvents},
    model::{ClientId, ConversationId, Draft, Entry, Message, Presence, Row, Seq, Title, UserId},
    protocol::ErrorCode,
};
use chat_server::{Config, Server};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::support::{PASSWORD, PATIENCE};

/// A server that can be stopped, and started again on the same file and port.
pub(super) struct Home {
    dir: TempDir,
    pub(super) address: SocketAddr,
    flags: Vec<&'static str>,
    server: Option<Server>,
}

impl Home {
    pub(super) async fn start(flags: &[&'static str]) -> Self {
        let mut home = Self {
            dir: tempfile::tempdir().unwrap(),
            address: "127.0.0.1:0".parse().unwrap(),
            flags: flags.to_vec(),
            server: None,
        };
        home.open(|_| {}).await;
        home
    }

    pub(super) async fn open(&mut self, change: impl FnOnce(&mut Config)) {
        let listen = self.address.to_string();
        let database = format!("sqlite:{}", self.dir.path().join("chat.db").display());
        let own = [
            "chat-server",
            "--listen",
            &listen,
            "--metrics-listen",
            "off",
            "--database-url",
        ];
        let all = [&own[..], &[&database], &self.flags].concat();
        let mut config = Config::load(all).unwrap();
        change(&mut config);
        let server = Server::bind(config).await.unwrap();
        self.address = server.local_addr();
        self.server = Some(server);
    }

    pub(super) async fn stop(&mut self) {
        let server = self.server.take().unwrap();
        server.shutdown();
        timeout(PATIENCE, server.join()).await.unwrap();
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.address)).unwrap()
    }

    pub(super) async fn person(&self, username: &str) -> Client {
        let client = self.client();
        client.register(username, PASSWORD, None).await.unwrap();
        client
    }
}

/// Passes bytes on to a server, and breaks connections.
pub(super) struct Breaker {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Breaker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Breaker {
    /// Breaks the nth connection after `n * step` bytes, until `most` were broken.
    pub(super) async fn start(server: SocketAddr, step: usize, most: usize) -> Self {
        Self::with(server, move |nth| (nth <= most).then_some(nth * step)).await
    }

    /// Breaks the nth connection after so many bytes, if any.
    pub(super) async fn with(
        server: SocketAddr,
        mut bytes: impl FnMut(usize) -> Option<usize> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            for nth in 1.. {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(server).await.unwrap();
                let left = bytes(nth).unwrap_or(usize::MAX);
                connections.spawn(pass_on(client, server, left));
            }
        });
        Self { address, task }
    }
}

async fn pass_on(mut client: TcpStream, mut server: TcpStream, mut left: usize) {
    let (mut up, mut down) = ([0; 1_024], [0; 1_024]);
    while left > 0 {
        let (read, to, bytes) = tokio::select! {
            read = client.read(&mut up) => (read, &mut server, &up),
            read = server.read(&mut down) => (read, &mut client, &down),
        };
        let Ok(read @ 1..) = read else { return };
        let passed = read.min(left);
        left -= passed;
        if to.write_all(&bytes[..passed]).await.is_err() {
            return;
        }
    }
}

/// An application: everything it was told, put together.
pub(super) struct App {
    /// Reconnects at once instead of waiting.
    pub(super) impatient: bool,
    pub(super) live: Live,
    pub(super) events: LiveEvents,
    pub(super) links: Vec<Link>,
    pub(super) rows: HashMap<ConversationId, Row>,
    pub(super) entries: HashMap<ConversationId, Vec<Entry>>,
    pub(super) sent: Vec<Message>,
    pub(super) failed: HashMap<ClientId, ErrorCode>,
    pub(super) closed: HashMap<ConversationId, ErrorCode>,
    pub(super) reads: HashMap<UserId, Seq>,
    pub(super) deliveries: HashMap<UserId, Seq>,
    pub(super) presence: HashMap<UserId, Presence>,
    pub(super) typing: HashMap<ConversationId, Vec<UserId>>,
}

impl App {
    /// An application that is online.
    pub(super) async fn start(client: &Client) -> Self {
        let (live, events) = client.live();
        let mut app = Self::new(live, events);
        app.until(App::is_online).await;
        app
    }

    pub(super) fn new(live: Live, events: LiveEvents) -> Self {
        Self {
            impatient: false,
            live,
            events,
            links: Vec::new(),
            rows: HashMap::new(),
            entries: HashMap::new(),
            sent: Vec::new(),
            failed: HashMap::new(),
            closed: HashMap::new(),
            reads: HashMap::new(),
            deliveries: HashMap::new(),
            presence: HashMap::new(),
            typing: HashMap::new(),
        }
    }

    pub(super) fn is_online(&self) -> bool {
        matches!(self.links.last(), Some(Link::Online(_)))
    }

    pub(super) async fn until(&mut self, wanted: impl Fn(&Self) -> bool) {
        while !wanted(self) {
            let event = timeout(PATIENCE, self.events.next()).await;
            let event = event.expect("what is waited for did not happen").unwrap();
            self.hear(event);
        }
    }

    pub(super) fn hear(&mut self, event: Event) {
        match event {
            Event::Link(link) => {
                if self.impatient && matches!(link, Link::Waiting { .. }) {
                    self.live.retry_now();
                }
                self.links.push(link);
            }
            Event::Rows {
                rows,
                gone,
                snapshot,
            } => {
                if snapshot {
                    self.rows.clear();
                }
                self.rows
                    .extend(rows.into_iter().map(|row| (row.conversation.id, row)));
                for id in gone {
                    self.rows.remove(&id);
                }
            }
            Event::Entry(entry) => {
                let log = self.entries.entry(entry.conversation_id).or_default();
                if let Some(last) = log.last() {
                    assert_eq!(entry.seq, last.seq + 1, "a gap or a duplicate");
                }
                log.push(*entry);
            }
            Event::Sent(message) => self.sent.push(*message),
            Event::SendFailed {
                client_id, problem, ..
            } => {
                self.failed.insert(client_id, problem.code);
            }
            Event::Closed {
                conversation_id,
                problem,
            } => {
                self.closed.insert(conversation_id, problem.code);
            }
            Event::Read { user_id, seq, .. } => {
                self.reads.insert(user_id, seq);
            }
            Event::Delivered { user_id, seq, .. } => {
                self.deliveries.insert(user_id, seq);
            }
            Event::Presence(presence) => {
                self.presence.insert(presence.user_id, presence);
            }
            Event::Typing {
                conversation_id,
                user_ids,
            } => {
                self.typing.insert(conversation_id, user_ids);
            }
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn heard(&self, conversation: ConversationId) -> Vec<String> {
        let log = self.entries.get(&conversation);
        let messages = log.into_iter().flatten().filter_map(Entry::message);
        messages.map(|message| message.body.clone()).collect()
    }
}

pub(super) fn draft(body: impl Into<String>) -> Draft {
    Draft {
        client_id: ClientId::new(),
        body: body.into(),
        reply_to: None,
    }
}

pub(super) fn title(text: &str) -> Title {
    Title::try_from(text.to_owned()).unwrap()
}

pub(super) async fn id(client: &Client) -> UserId {
    client.me().await.unwrap().id
}

/// A group of these two.
pub(super) async fn group(owner: &Client, member: &Client) -> ConversationId {
    let members = vec![id(member).await];
    let row = owner
        .create_group(NewGroup::new(title("Garden"), members))
        .await
        .unwrap();
    row.conversation.id
}

pub(super) fn numbered(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}
