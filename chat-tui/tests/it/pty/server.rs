//! A real server: a process that can be killed, and starts anew on the same address and data.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Stdio},
};

use chat_core::{
    NewGroup,
    client::Client,
    model::{ClientId, ConversationId, Draft, Title, UserId},
};
use chat_server::{Config, Server as ChatServer};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::again;

pub(crate) const PASSWORD: &str = "correct horse battery staple";
const LISTEN: &str = "CHAT_LISTEN";
const DATABASE: &str = "CHAT_DATABASE_URL";

/// A server process on a directory of its own, and somebody who sends for the other people.
pub(crate) struct Server {
    directory: TempDir,
    process: Option<Child>,
    address: SocketAddr,
    runtime: Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (process, address) = spawn(&directory, ([127, 0, 0, 1], 0).into());
        Self {
            directory,
            process: Some(process),
            address,
            runtime: Runtime::new().unwrap(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.is_none(), "it is killed");
        let (process, _) = spawn(&self.directory, self.address);
        self.process = Some(process);
    }

    /// Makes an account.
    pub(crate) fn person(&self, username: &str, display_name: &str) -> Person<'_> {
        self.try_person(username, display_name)
            .expect("an ordinary name")
    }

    /// Makes an account with a name that the server may refuse.
    pub(crate) fn try_person(&self, username: &str, display_name: &str) -> Option<Person<'_>> {
        let client = Client::new(&self.url()).unwrap();
        let registered = client.register(username, PASSWORD, Some(display_name));
        let id = self.runtime.block_on(registered).ok()?.id;
        Some(Person {
            server: self,
            id,
            client,
        })
    }

    /// Somebody who has an account.
    pub(crate) fn sign_in(&self, username: &str) -> Person<'_> {
        let client = Client::new(&self.url()).unwrap();
        let id = self
            .runtime
            .block_on(client.login(username, PASSWORD))
            .unwrap()
            .id;
        Person {
            server: self,
            id,
            client,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _gone = process.kill();
            let _gone = process.wait();
        }
    }
}

/// Somebody who uses the server without a terminal.
pub(crate) struct Person<'a> {
    server: &'a Server,
    pub(crate) id: UserId,
    client: Client,
}

impl Person<'_> {
    pub(crate) fn direct(&self, peer: UserId) -> ConversationId {
        let row = self.server.runtime.block_on(self.client.direct(peer));
        row.unwrap().conversation.id
    }

    /// Starts a group with a title that may be refused.
    pub(crate) fn try_group(&self, title: &str, members: Vec<UserId>) -> Option<ConversationId> {
        let title = Title::try_from(title.to_owned()).ok()?;
        let group = self.client.create_group(NewGroup::new(title, members));
        Some(self.server.runtime.block_on(group).ok()?.conversation.id)
    }

    pub(crate) fn says(&self, conversation: ConversationId, text: &str) {
        let draft = Draft {
            client_id: ClientId::from_uuid(Uuid::now_v7()),
            body: text.to_owned(),
            reply_to: None,
        };
        let sent = self.client.send(conversation, &draft);
        self.server.runtime.block_on(sent).unwrap();
    }

    /// Everything that was said, in its order.
    pub(crate) fn said_in(&self, conversation: ConversationId) -> Vec<String> {
        let events = self.client.events(conversation, 0, 1_000);
        let events = self.server.runtime.block_on(events).unwrap();
        let messages = events.items.into_iter();
        messages
            .filter_map(|entry| Some(entry.message()?.body.clone()))
            .collect()
    }
}

fn spawn(directory: &TempDir, listen: SocketAddr) -> (Child, SocketAddr) {
    let url = format!("sqlite:{}", directory.path().join("chat.db").display());
    let mut process = again::server()
        .env(LISTEN, listen.to_string())
        .env(DATABASE, url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("listening on ")?.1.parse().unwrap()));
    (process, address.expect("it says where it listens"))
}

/// The settings of the process that is the server.
pub(crate) struct Serve(Config);

impl Serve {
    pub(crate) fn from_environment() -> Self {
        let arguments = ["chat-server", "--limits", "off", "--metrics-listen", "off"];
        Self(Config::load(arguments.map(std::ffi::OsString::from)).unwrap())
    }
}

/// Serves as long as the process that asked for it lives.
pub(crate) async fn serve(Serve(config): Serve) {
    let server = ChatServer::bind(config).await.unwrap();
    println!("listening on {}", server.local_addr());
    let over = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    drop(over.await);
    server.shutdown();
    server.join().await;
}
