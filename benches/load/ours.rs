//! Our server with people in it: accounts, a group, and their sockets.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::{
    frames::{self, Frames},
    http,
    process::Server,
};

/// Lifts what would be in the way of a load test, and sends no pings into it.
const LIMITS: &str =
    "off,max_sockets_per_user=10000,idle_timeout_ms=3600000,ping_interval_ms=3000000";

/// Where the server keeps what is said.
#[derive(Clone, Debug)]
pub(crate) enum Store {
    Memory,
    Sqlite(PathBuf),
    Postgres {
        url: String,
        key: PathBuf,
    },
    /// One of several nodes on the same database, with where its numbers are asked for.
    Shared {
        url: String,
        key: PathBuf,
        nats: String,
        metrics: u16,
    },
}

#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// A server with some people.
#[derive(Debug)]
pub(crate) struct Ours {
    pub(crate) server: Server,
    pub(crate) people: Vec<Person>,
}

impl Ours {
    pub(crate) fn start(
        program: &Path,
        store: &Store,
        people: usize,
        pinned: bool,
    ) -> anyhow::Result<Self> {
        let mut ours = Self {
            server: start_server(program, store, pinned)?,
            people: Vec::new(),
        };
        ours.register(people)?;
        Ok(ours)
    }

    fn register(&mut self, people: usize) -> anyhow::Result<()> {
        let mut stream = self.connect()?;
        for number in 0..people {
            let body = json!({"username": format!("user{number:05}"), "password": "correct horse battery"});
            let path = "/api/v1/auth/register";
            let made = http::call(&mut stream, "POST", path, None, &body.to_string())?;
            self.people.push(Person {
                id: text(&made, "/user/id")?,
                token: text(&made, "/access_token")?,
            });
        }
        Ok(())
    }

    pub(crate) fn connect(&self) -> anyhow::Result<TcpStream> {
        connect(self.server.port)
    }

    /// A group of these people; its id.
    pub(crate) fn group(&self, people: &[Person]) -> anyhow::Result<String> {
        let (owner, others) = people.split_first().context("a group has somebody in it")?;
        let others: Vec<&str> = others.iter().map(|it| it.id.as_str()).collect();
        let body = json!({"title": "load", "member_ids": others}).to_string();
        let path = "/api/v1/conversations";
        let token = Some(owner.token.as_str());
        let row = http::call(&mut self.connect()?, "POST", path, token, &body)?;
        text(&row, "/conversation/id")
    }

    /// A socket of a person who has joined the conversation: the number of its next entry, and what was read beyond that.
    pub(crate) fn join(
        &self,
        person: &Person,
        conversation: &str,
    ) -> anyhow::Result<(TcpStream, u64, Vec<u8>)> {
        join_at(self.server.port, person, conversation)
    }
}

/// A server on this store.
pub(crate) fn start_server(program: &Path, store: &Store, pinned: bool) -> anyhow::Result<Server> {
    let mut command = Command::new(program);
    command
        .args(["--listen", "127.0.0.1:0"])
        .args(["--limits", LIMITS]);
    let metrics = match store {
        Store::Shared { metrics, .. } => format!("127.0.0.1:{metrics}"),
        _ => "off".to_owned(),
    };
    command.args(["--metrics-listen", &metrics]);
    match store {
        Store::Memory => command.args(["--database-url", "memory:"]),
        Store::Sqlite(path) => {
            command.args(["--database-url", &format!("sqlite:{}", path.display())])
        }
        Store::Postgres { url, key } => command
            .args(["--database-url", url])
            .arg("--jwt-key-file")
            .arg(key),
        Store::Shared { url, key, nats, .. } => command
            .args(["--database-url", url])
            .args(["--nats-url", nats])
            .arg("--jwt-key-file")
            .arg(key),
    };
    Server::start(command, pinned)
}

/// A socket of a person at the server on this port who has joined the conversation: the number of its next entry, and what
/// was read beyond that.
pub(crate) fn join_at(
    port: u16,
    person: &Person,
    conversation: &str,
) -> anyhow::Result<(TcpStream, u64, Vec<u8>)> {
    let mut stream = connect(port)?;
    let early = http::upgrade(&mut stream, "/api/v1/ws", Some(&person.token))?;
    join(stream, early, conversation)
}

/// Joins a conversation over a socket that was just opened.
pub(crate) fn join(
    mut stream: TcpStream,
    mut read: Vec<u8>,
    conversation: &str,
) -> anyhow::Result<(TcpStream, u64, Vec<u8>)> {
    let join = json!({"type": "join_conversation", "conversation_id": conversation, "ref": "j"});
    stream.write_all(&frames::text(&join.to_string()))?;
    let mut buffer = [0; 4_096];
    loop {
        if let Some(end) = end_of_ack(&read) {
            let early = read.split_off(end);
            let head = number_after(&read, b"\"head_seq\":").context("an ack without head_seq")?;
            return Ok((stream, head + 1, early));
        }
        let more = stream.read(&mut buffer)?;
        if more == 0 {
            bail!("a socket was closed: {}", String::from_utf8_lossy(&read));
        }
        read.extend_from_slice(&buffer[..more]);
    }
}

/// What comes after the answer belongs to whoever counts.
fn end_of_ack(bytes: &[u8]) -> Option<usize> {
    let (mut frames, mut is_ack) = (Frames::default(), false);
    let end = bytes.iter().position(|byte| {
        frames.read(&[*byte], |frame, _| {
            is_ack = frame.starts_with(br#"{"type":"ack""#);
        });
        is_ack
    });
    end.map(|last| last + 1)
}

pub(crate) fn connect(port: u16) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The number that follows `key`, if both are there as a whole.
pub(crate) fn number_after(bytes: &[u8], key: &[u8]) -> Option<u64> {
    let at = bytes.windows(key.len()).position(|it| it == key)? + key.len();
    let digits = bytes[at..]
        .iter()
        .take_while(|it| it.is_ascii_digit())
        .count();
    (at + digits < bytes.len()).then(|| number(&bytes[at..at + digits]))
}

pub(crate) fn number(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |sum, digit| {
        10 * sum + u64::from(digit.wrapping_sub(b'0'))
    })
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    Ok(found
        .with_context(|| format!("no {pointer} in {value}"))?
        .to_owned())
}
