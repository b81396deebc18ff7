//! Who is measured beside our server: how each is started, and how it is spoken to.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    frames, http,
    ours::{connect, number, number_after},
    process::Server,
};

/// Digits of the number with which a payload begins.
const DIGITS: usize = 16;

/// How a message looks on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Ours,
    /// Frames without a handshake.
    Bare,
    WebSocket,
    SocketIo,
}

impl Dialect {
    /// The number of the message that a frame begins with, if it is one.
    pub(crate) fn number(self, head: &[u8]) -> Option<u64> {
        const EVENT: &[u8] = br#"42["new_message",""#;
        match self {
            Self::Ours => head
                .starts_with(br#"{"type":"new_message""#)
                .then(|| number_after(head.get(100..)?, b"\"seq\":"))?,
            Self::Bare | Self::WebSocket => Some(number(head.get(..DIGITS)?)),
            Self::SocketIo => {
                let text = head.strip_prefix(EVENT)?;
                Some(number(text.get(..DIGITS)?))
            }
        }
    }

    /// What a publisher sends to have message `number`, of so many bytes, sent to everybody. Ours takes more than that.
    pub(crate) fn publish(self, number: u64, bytes: usize) -> Vec<u8> {
        let text = payload(number, bytes);
        match self {
            Self::SocketIo => frames::text(&format!(r#"42["publish","{text}"]"#)),
            // What arrives is what is sent on.
            Self::Bare => frames::unmasked(text.as_bytes()),
            Self::Ours | Self::WebSocket => frames::text(&text),
        }
    }
}

/// A number, and as many other bytes as are wanted.
pub(crate) fn payload(number: u64, bytes: usize) -> String {
    format!("{number:016}{}", "x".repeat(bytes.saturating_sub(DIGITS)))
}

/// Another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// One `send` for each delivery: the least there can be where nothing waits.
    BareEach,
    /// One `send` for all that waits for a receiver: the least there can be in a burst.
    BareMerged,
    /// `WebSocketServer` of Bun, which is uWebSockets: `publish()` to a topic.
    Bun,
    /// tokio-tungstenite with its own settings, a task and a `tokio::sync::broadcast` receiver each: the usual chat example.
    Tungstenite,
    Socketioxide,
    /// socket.io on Node.
    SocketIo,
}

impl Peer {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BareEach => "a bare `send` each",
            Self::BareMerged => "a bare `send`, merged",
            Self::Bun => "Bun (uWebSockets)",
            Self::Tungstenite => "tungstenite + broadcast",
            Self::Socketioxide => "socketioxide",
            Self::SocketIo => "socket.io (Node)",
        }
    }

    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::BareEach | Self::BareMerged => Dialect::Bare,
            Self::Bun | Self::Tungstenite => Dialect::WebSocket,
            Self::Socketioxide | Self::SocketIo => Dialect::SocketIo,
        }
    }

    /// Starts it on the first processor.
    pub(crate) fn start(self, places: &Places) -> anyhow::Result<Server> {
        let command = match self {
            Self::BareEach => places.binary("peer-bare", Some("each")),
            Self::BareMerged => places.binary("peer-bare", Some("merged")),
            Self::Tungstenite => places.binary("peer-tungstenite", None),
            Self::Socketioxide => places.binary("peer-socketioxide", None),
            Self::Bun => places.script("node_modules/@oven/bun-linux-x64/bin/bun", "bun.js")?,
            Self::SocketIo => places.script("node", "socketio.js")?,
        };
        Server::start(command, true)
    }

    /// A connection to it, as a receiver or as the publisher; what was read too early.
    pub(crate) fn join(self, port: u16) -> anyhow::Result<(TcpStream, Vec<u8>)> {
        let mut stream = connect(port)?;
        let early = match self.dialect() {
            Dialect::Bare | Dialect::Ours => Vec::new(),
            Dialect::WebSocket => http::upgrade(&mut stream, "/", None)?,
            Dialect::SocketIo => {
                let path = "/socket.io/?EIO=4&transport=websocket";
                let early = http::upgrade(&mut stream, path, None)?;
                until(&mut stream, early, b"pingInterval")?;
                stream.write_all(&frames::text("40"))?;
                until(&mut stream, Vec::new(), b"40{")?;
                Vec::new()
            }
        };
        Ok((stream, early))
    }
}

/// Reads until something was said.
fn until(stream: &mut TcpStream, mut read: Vec<u8>, what: &[u8]) -> anyhow::Result<()> {
    let mut buffer = [0; 4_096];
    while !read.windows(what.len()).any(|it| it == what) {
        let more = stream.read(&mut buffer)?;
        if more == 0 {
            bail!("closed after {}", String::from_utf8_lossy(&read));
        }
        read.extend_from_slice(&buffer[..more]);
    }
    Ok(())
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Of this workspace's release binaries.
    pub(crate) binaries: PathBuf,
    /// Of the scripts that other runtimes run.
    pub(crate) scripts: PathBuf,
    /// Where their packages are installed.
    pub(crate) packages: PathBuf,
}

impl Places {
    fn binary(&self, name: &str, argument: Option<&str>) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        command.args(argument);
        command
    }

    /// A script beside its packages, which are installed if they are not there.
    fn script(&self, runtime: &str, script: &str) -> anyhow::Result<Command> {
        self.install()?;
        let installed = self.packages.join(runtime);
        let runtime = if installed.exists() {
            installed
        } else {
            Path::new(runtime).to_owned()
        };
        let mut command = Command::new(runtime);
        command.arg(self.packages.join(script));
        Ok(command)
    }

    fn install(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.packages)?;
        for file in ["package.json", "package-lock.json", "bun.js", "socketio.js"] {
            std::fs::copy(self.scripts.join(file), self.packages.join(file))
                .with_context(|| format!("{file} is missing"))?;
        }
        if self.packages.join("node_modules").exists() {
            return Ok(());
        }
        let installed = Command::new("npm")
            .args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--silent",
            ])
            .current_dir(&self.packages)
            .status()
            .context("npm cannot be started")?;
        anyhow::ensure!(installed.success(), "npm did not install the packages");
        Ok(())
    }
}
