//! The client library against the real server: what its applications see.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use chat_core::{
    client::{Client, ClientError, Event, Link, Live, LiveEvents},
    model::{
        ClientId, ConversationId, Draft, Entry, Message, Presence, Role, Row, Seq, Status, Title,
        UserId,
    },
    protocol::ErrorCode,
    store::Around,
};
use chat_server::{Config, Server};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::support::{PASSWORD, PATIENCE};

/// A server that can be stopped, and started again on the same file and port.
struct Home {
    dir: TempDir,
    address: SocketAddr,
    flags: Vec<&'static str>,
    server: Option<Server>,
}

impl Home {
    async fn start(flags: &[&'static str]) -> Self {
        let mut home = Self {
            dir: tempfile::tempdir().unwrap(),
            address: "127.0.0.1:0".parse().unwrap(),
            flags: flags.to_vec(),
            server: None,
        };
        home.open(|_| {}).await;
        home
    }

    async fn open(&mut self, change: impl FnOnce(&mut Config)) {
        let listen = self.address.to_string();
        let database = format!("sqlite:{}", self.dir.path().join("chat.db").display());
        let own = ["chat-server", "--listen", &listen, "--database-url"];
        let all = [&own[..], &[&database], &self.flags].concat();
        let mut config = Config::load(all).unwrap();
        change(&mut config);
        let server = Server::bind(config).await.unwrap();
        self.address = server.local_addr();
        self.server = Some(server);
    }

    async fn stop(&mut self) {
        let server = self.server.take().unwrap();
        server.shutdown();
        timeout(PATIENCE, server.join()).await.unwrap();
    }

    fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.address)).unwrap()
    }

    async fn person(&self, username: &str) -> Client {
        let client = self.client();
        client.register(username, PASSWORD, None).await.unwrap();
        client
    }
}

/// Passes bytes on to a server, and breaks its connections: the nth after `n * step` bytes, until `most` were broken.
struct Breaker {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Breaker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Breaker {
    async fn start(server: SocketAddr, step: usize, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            for nth in 1.. {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(server).await.unwrap();
                let left = if nth > most { usize::MAX } else { nth * step };
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
struct App {
    /// Reconnects at once instead of waiting.
    impatient: bool,
    live: Live,
    events: LiveEvents,
    links: Vec<Link>,
    rows: HashMap<ConversationId, Row>,
    entries: HashMap<ConversationId, Vec<Entry>>,
    sent: Vec<Message>,
    failed: HashMap<ClientId, ErrorCode>,
    closed: HashMap<ConversationId, ErrorCode>,
    reads: HashMap<UserId, Seq>,
    presence: HashMap<UserId, Presence>,
    typing: HashMap<ConversationId, Vec<UserId>>,
}

impl App {
    /// An application that is online.
    async fn start(client: &Client) -> Self {
        let (live, events) = client.live();
        let mut app = Self::new(live, events);
        app.until(App::is_online).await;
        app
    }

    fn new(live: Live, events: LiveEvents) -> Self {
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
            presence: HashMap::new(),
            typing: HashMap::new(),
        }
    }

    fn is_online(&self) -> bool {
        matches!(self.links.last(), Some(Link::Online(_)))
    }

    async fn until(&mut self, wanted: impl Fn(&Self) -> bool) {
        while !wanted(self) {
            let event = timeout(PATIENCE, self.events.next()).await;
            let event = event.expect("what is waited for did not happen").unwrap();
            self.hear(event);
        }
    }

    fn hear(&mut self, event: Event) {
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

    fn heard(&self, conversation: ConversationId) -> Vec<String> {
        let log = self.entries.get(&conversation);
        let messages = log.into_iter().flatten().filter_map(Entry::message);
        messages.map(|message| message.body.clone()).collect()
    }
}

fn draft(body: impl Into<String>) -> Draft {
    Draft {
        client_id: ClientId::new(),
        body: body.into(),
        reply_to: None,
    }
}

fn title(text: &str) -> Title {
    Title::try_from(text.to_owned()).unwrap()
}

async fn id(client: &Client) -> UserId {
    client.me().await.unwrap().id
}

/// A group of these two.
async fn group(owner: &Client, member: &Client) -> ConversationId {
    let members = vec![id(member).await];
    let row = owner.create_group(title("Garden"), members).await.unwrap();
    row.conversation.id
}

fn numbered(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn every_call_is_understood() {
    let home = Home::start(&["--limits", "off"]).await;
    let ada = home.client();
    let me = ada.register("ada", PASSWORD, Some("Ada")).await.unwrap();
    assert_eq!(me.display_name, "Ada");
    assert_eq!(
        ada.rename_me("Ada L.").await.unwrap().display_name,
        "Ada L."
    );
    let bob = home.person("bob").await;
    let bob_id = id(&bob).await;
    assert_eq!(ada.user(bob_id).await.unwrap().username, "bob");
    let found = ada.find_users("bo", None).await.unwrap();
    assert_eq!(found.items.len(), 1);

    let direct = ada.direct(bob_id).await.unwrap();
    assert_eq!(ada.direct(bob_id).await.unwrap(), direct);
    let garden = group(&ada, &bob).await;
    let renamed = ada.rename(garden, title("Orchard")).await.unwrap();
    assert_eq!(renamed.conversation.title.as_deref(), Some("Orchard"));
    let admin = ada.put_member(garden, bob_id, Some(Role::Admin)).await;
    assert_eq!(admin.unwrap().role, Role::Admin);
    assert_eq!(ada.members(garden, None).await.unwrap().items.len(), 2);

    let say = draft("apples");
    let said = ada.send(garden, &say).await.unwrap();
    assert_eq!(ada.send(garden, &say).await.unwrap(), said);
    for which in [
        Around::Newest,
        Around::Before(said.seq + 1),
        Around::After(said.seq - 1),
        Around::Around(said.seq),
    ] {
        let messages = bob.messages(garden, which, 10).await.unwrap();
        assert_eq!(messages, std::slice::from_ref(&said), "{which:?}");
    }
    let log = bob.events(garden, 0, 200).await.unwrap();
    assert_eq!(log.head_seq, said.seq);
    assert_eq!(log.items.last().and_then(Entry::message), Some(&said));
    assert_eq!(bob.conversation(garden).await.unwrap().unread.count, 1);
    assert_eq!(bob.mark_read(garden, said.seq).await.unwrap(), said.seq);
    assert_eq!(bob.conversation(garden).await.unwrap().unread.count, 0);
    let changes = bob.changes(Vec::new()).await.unwrap();
    let rows = bob.conversations(None).await.unwrap();
    assert_eq!(changes.rows.len(), rows.items.len());
    bob.remove_member(garden, bob_id).await.unwrap();
    let error = bob.conversation(garden).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::NotFound));

    let later = home.client();
    let refresh_token = ada.tokens().unwrap().refresh_token;
    later.resume(&refresh_token).await.unwrap();
    assert_eq!(id(&later).await, me.id);
    later.logout().await.unwrap();
    assert_eq!(later.me().await, Err(ClientError::SignedOut));
    let wrong = later.login("ada", "not the password").await.unwrap_err();
    assert_eq!(wrong.code(), Some(ErrorCode::WrongCredentials));
    later.login("ada", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn the_list_follows_what_happens() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let mut app = App::start(&bob).await;
    assert!(app.rows.is_empty());

    let garden = group(&ada, &bob).await;
    let said = ada.send(garden, &draft("apples")).await.unwrap();
    app.until(|app| {
        app.rows
            .get(&garden)
            .is_some_and(|row| row.unread.count == 1)
    })
    .await;
    assert_eq!(
        app.rows[&garden].conversation.last_message,
        Some(said.clone())
    );
    app.live.mark_read(garden, said.seq);
    app.until(|app| app.rows[&garden].unread.count == 0).await;
    ada.rename(garden, title("Orchard")).await.unwrap();
    let orchard = Some("Orchard".to_owned());
    app.until(|app| app.rows[&garden].conversation.title == orchard)
        .await;

    let direct = ada.direct(id(&bob).await).await.unwrap().conversation.id;
    ada.send(direct, &draft("pears")).await.unwrap();
    app.until(|app| app.rows.contains_key(&direct)).await;
    ada.remove_member(garden, id(&bob).await).await.unwrap();
    app.until(|app| !app.rows.contains_key(&garden)).await;
    let fresh = bob.conversations(None).await.unwrap().items;
    assert_eq!(app.rows.into_values().collect::<Vec<_>>(), fresh);
}

#[tokio::test]
async fn a_restart_of_the_server_loses_and_repeats_nothing() {
    let mut home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let (mut ada_app, mut bob_app) = (App::start(&ada).await, App::start(&bob).await);
    ada_app.live.open(garden, 0);
    bob_app.live.open(garden, 0);

    for round in 0..3 {
        for body in numbered(round * 100..round * 100 + 50) {
            ada_app.live.send(garden, draft(body));
        }
        // In the middle of it.
        let some = usize::try_from(round * 100 + 10).unwrap();
        ada_app.until(|app| app.sent.len() >= some).await;
        home.stop().await;
        for body in numbered(round * 100 + 50..round * 100 + 100) {
            ada_app.live.send(garden, draft(body));
        }
        home.open(|_| {}).await;
        let all = usize::try_from(round * 100 + 100).unwrap();
        ada_app.until(|app| app.sent.len() >= all).await;
    }
    for app in [&mut ada_app, &mut bob_app] {
        app.until(|app| app.heard(garden).len() >= 300).await;
        assert_eq!(app.heard(garden), numbered(0..300));
        assert_eq!(app.entries[&garden][0].seq, 1);
        app.until(|app| app.rows[&garden].conversation.head_seq == 302)
            .await;
    }
    let sent: Vec<_> = ada_app.sent.iter().map(|m| m.body.clone()).collect();
    assert_eq!(sent, numbered(0..300));
    let fresh = bob.conversations(None).await.unwrap().items;
    assert_eq!(bob_app.rows.into_values().collect::<Vec<_>>(), fresh);
    let signed_out = |link: &Link| matches!(link, Link::SignedOut { .. });
    assert!(!ada_app.links.iter().any(signed_out));
}

#[tokio::test]
async fn a_connection_that_breaks_anywhere_loses_and_repeats_nothing() {
    const MESSAGES: u32 = 300;
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let breaker = Breaker::start(home.address, 97, 60).await;
    let flaky = Client::new(&format!("http://{}", breaker.address)).unwrap();
    while flaky.login("bob", PASSWORD).await.is_err() {}
    let (live, events) = flaky.live();
    let mut app = App::new(live, events);
    app.impatient = true;
    app.live.open(garden, 0);
    for body in numbered(0..MESSAGES) {
        app.live.send(garden, draft(body));
    }
    let all = MESSAGES as usize;
    app.until(|app| app.sent.len() >= all && app.heard(garden).len() >= all)
        .await;
    assert_eq!(app.heard(garden), numbered(0..MESSAGES));
    assert_eq!(app.sent.len(), all);
    let broken = |link: &&Link| matches!(link, Link::Waiting { .. });
    assert!(app.links.iter().filter(broken).count() > 10);
}

#[tokio::test]
async fn a_slow_application_loses_nothing() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut app = App::start(&bob).await;
    app.live.open(garden, 0);
    for body in numbered(0..600) {
        ada.send(garden, &draft(body)).await.unwrap();
    }
    app.until(|app| app.heard(garden).len() == 300).await;
    // What is on its way of the first opening is not taken for the second.
    app.live.leave(garden);
    app.live.open(garden, 0);
    app.entries.clear();
    app.until(|app| app.heard(garden).len() == 600).await;
    assert_eq!(app.heard(garden), numbered(0..600));
    assert_eq!(app.entries[&garden][0].seq, 1);
    assert_eq!(app.links.len(), 2, "{:?}", app.links);
}

#[tokio::test]
async fn who_is_far_behind_reads_it_all_nevertheless() {
    let home = Home::start(&["--limits", "off,max_replay=5"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    for body in numbered(0..450) {
        ada.send(garden, &draft(body)).await.unwrap();
    }
    let mut app = App::start(&bob).await;
    app.live.open(garden, 0);
    ada.send(garden, &draft("450")).await.unwrap();
    app.until(|app| app.heard(garden).len() == 451).await;
    assert_eq!(app.heard(garden), numbered(0..451));
    ada.send(garden, &draft("451")).await.unwrap();
    app.until(|app| app.heard(garden).len() == 452).await;
}

#[tokio::test]
async fn a_sender_within_the_limits_of_the_server_is_never_cut_off() {
    let limits = "sends_per_second=20,send_burst=4,frames_per_second=40,frame_burst=8";
    let home = Home::start(&["--limits", limits]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut devices = [App::start(&ada).await, App::start(&ada).await];
    for app in &mut devices {
        for body in numbered(0..12) {
            app.live.send(garden, draft(body));
        }
    }
    for app in &mut devices {
        app.until(|app| app.sent.len() == 12).await;
        let sent: Vec<_> = app.sent.iter().map(|m| m.body.clone()).collect();
        assert_eq!(sent, numbered(0..12));
        assert_eq!(app.links.len(), 2, "{:?}", app.links);
    }
}

#[tokio::test]
async fn people_see_each_other_read_type_and_come_and_go() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let (ada_id, bob_id) = (id(&ada).await, id(&bob).await);
    let garden = group(&ada, &bob).await;
    let mut ada_app = App::start(&ada).await;
    ada_app.live.open(garden, 0);
    ada_app.live.watch(vec![bob_id]);
    let status = |app: &App, user| app.presence.get(&user).map(|presence| presence.status);
    ada_app
        .until(|app| status(app, bob_id) == Some(Status::Offline))
        .await;

    let mut bob_app = App::start(&bob).await;
    bob_app.live.open(garden, 0);
    ada_app
        .until(|app| status(app, bob_id) == Some(Status::Online))
        .await;
    let said = ada.send(garden, &draft("apples")).await.unwrap();
    bob_app.until(|app| app.heard(garden) == ["apples"]).await;
    bob_app.live.mark_read(garden, said.seq);
    ada_app
        .until(|app| app.reads.get(&bob_id) == Some(&said.seq))
        .await;
    bob_app.live.typing(garden, true);
    ada_app
        .until(|app| app.typing.get(&garden) == Some(&vec![bob_id]))
        .await;
    bob_app.live.typing(garden, false);
    ada_app
        .until(|app| app.typing.get(&garden) == Some(&Vec::new()))
        .await;
    bob_app.live.close().await;
    ada_app
        .until(|app| status(app, bob_id) == Some(Status::Offline))
        .await;
    assert!(ada_app.presence[&bob_id].last_seen_at.is_some());
    assert!(!ada_app.presence.contains_key(&ada_id));
}

#[tokio::test]
async fn what_is_refused_is_told_once_and_does_not_hold_up_the_rest() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut app = App::start(&ada).await;
    let nowhere = ConversationId::new();
    app.live.open(nowhere, 0);
    app.until(|app| app.closed.contains_key(&nowhere)).await;
    assert_eq!(app.closed[&nowhere], ErrorCode::NotFound);

    let (first, lost, long) = (draft("first"), draft("lost"), draft("x".repeat(9_000)));
    let reused = Draft {
        body: "another".to_owned(),
        ..first.clone()
    };
    ada.send(garden, &first).await.unwrap();
    app.live.send(nowhere, lost.clone());
    app.live.send(garden, long.clone());
    app.live.send(garden, reused.clone());
    app.live.send(garden, draft("last"));
    app.until(|app| app.sent.len() == 1 && app.failed.len() == 3)
        .await;
    assert_eq!(app.sent[0].body, "last");
    assert_eq!(app.failed[&lost.client_id], ErrorCode::NotFound);
    assert_eq!(app.failed[&long.client_id], ErrorCode::Invalid);
    assert_eq!(app.failed[&reused.client_id], ErrorCode::ClientIdReused);

    app.live.open(garden, 0);
    app.until(|app| app.heard(garden).len() == 2).await;
    bob.remove_member(garden, id(&bob).await).await.unwrap();
    ada.remove_member(garden, id(&ada).await).await.unwrap();
    app.until(|app| app.closed.contains_key(&garden)).await;
}

#[tokio::test]
async fn the_token_is_renewed_without_a_new_connection() {
    let mut home = Home::start(&["--limits", "off"]).await;
    home.stop().await;
    home.open(|config| config.access_token_lifetime = Duration::from_secs(1))
        .await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut tokens = ada.refresh_tokens();
    let mut app = App::start(&ada).await;
    // The server closes a socket 5 s after its token ran out: these are more.
    for _ in 0..9 {
        timeout(PATIENCE, tokens.changed()).await.unwrap().unwrap();
    }
    app.live.send(garden, draft("still here"));
    app.until(|app| app.sent.len() == 1).await;
    assert_eq!(app.links.len(), 2, "{:?}", app.links);
}

#[tokio::test]
async fn a_server_that_drains_is_come_back_to() {
    let mut home = Home::start(&[]).await;
    let ada = home.person("ada").await;
    let mut app = App::start(&ada).await;
    home.stop().await;
    app.until(|app| matches!(app.links.last(), Some(Link::Waiting { .. })))
        .await;
    home.open(|_| {}).await;
    app.live.retry_now();
    app.until(App::is_online).await;
}

#[tokio::test]
async fn whoever_signs_out_hears_so_and_can_sign_in_again() {
    let home = Home::start(&[]).await;
    let ada = home.person("ada").await;
    let mut app = App::start(&ada).await;
    ada.logout().await.unwrap();
    app.until(|app| matches!(app.links.last(), Some(Link::SignedOut { .. })))
        .await;
    ada.login("ada", PASSWORD).await.unwrap();
    app.live.retry_now();
    app.until(App::is_online).await;
    app.live.close().await;
}
