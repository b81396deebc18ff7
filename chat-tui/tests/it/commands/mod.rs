//! The program without a screen, as a script runs it: against a real server, with homes of its own.

mod following;
mod sending;
mod signing_in;

use std::{net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use chat_core::{NewGroup, client::Client, model::ConversationId};
use chat_server::{Config, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

/// Nothing in these tests takes this long; it is there so that a failure is one.
const PATIENCE: Duration = Duration::from_mins(1);

const PASSWORD: &str = "correct horse battery";

/// A server with a database on disk, that can be stopped and started again; and a home for whoever uses it.
struct Setting {
    server: Option<Server>,
    address: SocketAddr,
    home: TempDir,
}

impl Setting {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let server = serve(&home, "127.0.0.1:0").await;
        Self {
            address: server.local_addr(),
            server: Some(server),
            home,
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn stop(&mut self) {
        let server = self.server.take().unwrap();
        server.shutdown();
        timeout(PATIENCE, server.join()).await.unwrap();
    }

    async fn start_again(&mut self) {
        let server = serve(&self.home, &self.address.to_string()).await;
        self.server = Some(server);
    }

    /// A profile that is signed in as somebody new of this name.
    async fn script(&self, name: &str) -> Script {
        let script = self.stranger(name);
        let registered = script.run_with(PASSWORD, &["register", name]).await;
        assert_eq!(registered.code, 0, "{}", registered.err);
        script
    }

    /// A profile that is signed in nowhere.
    fn stranger(&self, profile: &str) -> Script {
        Script {
            server: self.url(),
            profile: profile.to_owned(),
            home: self.home.path().to_owned(),
        }
    }

    /// The same person as a script's, on another device.
    async fn signed_in(&self, name: &str) -> Client {
        let client = Client::new(&self.url()).unwrap();
        client.login(name, PASSWORD).await.unwrap();
        client
    }

    /// Somebody who uses something else.
    async fn person(&self, name: &str) -> Client {
        let client = Client::new(&self.url()).unwrap();
        let display_name = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let registered = client.register(name, PASSWORD, Some(&display_name)).await;
        registered.unwrap();
        client
    }
}

async fn serve(home: &TempDir, listen: &str) -> Server {
    let database = format!("sqlite:{}", home.path().join("chat.db").display());
    let arguments = ["chat-server", "--listen", listen, "--limits", "off"];
    let config = Config::load(arguments.into_iter().chain(["--database-url", &database]));
    let config = Config {
        metrics_listen: None,
        ..config.unwrap()
    };
    Server::bind(config).await.unwrap()
}

/// A group of this title with these in it.
async fn group(owner: &Client, title: &str, members: &[&Client]) -> ConversationId {
    let members = members.iter().map(|it| it.user_id().unwrap()).collect();
    let group = NewGroup::new(title.to_owned().try_into().unwrap(), members);
    owner.create_group(group).await.unwrap().conversation.id
}

/// The program, run for one profile.
struct Script {
    server: String,
    profile: String,
    home: PathBuf,
}

/// What came of a run.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Vec<Value> {
        let lines = self.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Script {
    async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with("", arguments).await
    }

    async fn run_with(&self, input: &str, arguments: &[&str]) -> Ran {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().unwrap();
        // One that needs no input may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = timeout(PATIENCE, child.wait_with_output()).await.unwrap();
        let output = output.unwrap();
        Ran {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command().args(arguments).spawn().unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-tui"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("XDG_DATA_HOME", self.home.join("data"))
            .env("XDG_CONFIG_HOME", self.home.join("config"))
            // No keyring, whatever this machine has.
            .env("DBUS_SESSION_BUS_ADDRESS", self.no_bus())
            .env("CHAT_SERVER", &self.server)
            .env("CHAT_PROFILE", &self.profile)
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    fn no_bus(&self) -> String {
        format!("unix:path={}", self.home.join("no-bus").display())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home
            .join("data/chat-tui")
            .join(&self.profile)
            .join(name)
    }

    fn configure(&self, text: &str) {
        let directory = self.home.join("config/chat-tui");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("config.toml"), text).unwrap();
    }

    /// A run of `tail -f` that is being read.
    fn follow(&self, arguments: &[&str]) -> Following {
        let mut child = self.start(&[&["tail", "-f"], arguments].concat());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Following { child, lines }
    }
}

struct Following {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.unwrap();
        line.unwrap().unwrap()
    }

    /// What it says, without the time.
    async fn sentence(&mut self) -> String {
        let line = self.line().await;
        let (time, sentence) = line.split_once(' ').unwrap();
        assert_eq!((time.len(), &time[2..3]), (5, ":"), "{line}");
        sentence.to_owned()
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }
}
