//! Sockets that stop reading: bounded memory of the process, nothing lost, and nobody else notices.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::support::{Client, PASSWORD, open, text};

const STUCK: usize = 64;
/// How many of them read in the end, all that there is.
const PATIENT: usize = 3;
const POSTERS: usize = 8;
/// Of 8,000 bytes each: more than 20 MB in all, of which the buffers of the two kernels hold a part.
const MESSAGES: usize = 2_640;
/// What the memory may grow by for each of them. Were it all kept for them, it would be more even if they shared it.
const MOST_KIB_EACH: usize = 128;

/// The program, on a file, with time enough for sockets that do nothing.
struct Process {
    child: Child,
    base: String,
    _directory: tempfile::TempDir,
}

impl Process {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("chat.db").display());
        let limits = "off,idle_timeout_ms=3600000,max_sockets_per_user=100";
        let mut child = Command::new(env!("CARGO_BIN_EXE_chat-server"))
            .env_clear()
            .args(["--listen", "127.0.0.1:0", "--metrics-listen", "off"])
            .args(["--database-url", &url])
            .args(["--limits", limits])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap();
        Self {
            child,
            base: format!("{address}/api/v1"),
            _directory: directory,
        }
    }

    /// The memory of the process that is in use.
    fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next());
        kib.unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

struct Person {
    id: String,
    token: String,
}

async fn post(
    http: &reqwest::Client,
    process: &Process,
    path: &str,
    token: &str,
    body: Value,
) -> Value {
    let request = http.post(format!("{}{path}", process.base)).json(&body);
    let answer = request.bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    answer.json().await.unwrap()
}

async fn register(http: &reqwest::Client, process: &Process, username: &str) -> Person {
    let body = json!({"username": username, "password": PASSWORD});
    let account = post(http, process, "/auth/register", "", body).await;
    Person {
        id: text(&account["user"]["id"]),
        token: text(&account["access_token"]),
    }
}

async fn joined(process: &Process, who: &Person, conversation: &str) -> Client {
    let headers = [("authorization", format!("Bearer {}", who.token))];
    let mut socket = open(&process.base, "/ws", &headers).await.unwrap();
    socket.join(conversation).await;
    socket
}

/// Says all messages, from several sockets at once.
async fn post_all(process: &Process, who: &Person, conversation: &str) {
    let mut posters = JoinSet::new();
    for _ in 0..POSTERS {
        let headers = [("authorization", format!("Bearer {}", who.token))];
        let mut socket = open(&process.base, "/ws", &headers).await.unwrap();
        let conversation = conversation.to_owned();
        posters.spawn(async move {
            for _ in 0..MESSAGES / POSTERS {
                let said = socket
                    .call(json!({
                        "type": "send_message",
                        "conversation_id": conversation,
                        "client_id": Uuid::new_v4(),
                        "body": "x".repeat(8_000),
                    }))
                    .await;
                assert_eq!(said["type"], "ack", "{said}");
            }
        });
    }
    posters.join_all().await;
}

/// Reads the log from after `cursor` up to `head`, each place once and none left out.
async fn read_log(socket: &mut Client, mut cursor: u64, head: u64) {
    while cursor < head {
        let message = socket.until("new_message").await;
        assert_eq!(message["seq"], cursor + 1, "a gap or a duplicate");
        cursor += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_stop_reading_cost_little_and_lose_nothing() {
    let process = Process::start();
    let http = reqwest::Client::new();
    let ana = register(&http, &process, "ana").await;
    let ben = register(&http, &process, "ben").await;
    let group = json!({"title": "Lunch", "member_ids": [ben.id]});
    let group = post(&http, &process, "/conversations", &ana.token, group).await;
    let group = text(&group["conversation"]["id"]);
    let (begin, all) = (2, MESSAGES as u64);

    // Once with those who read alone, so that whatever grows with the messages has grown.
    let mut reader = joined(&process, &ana, &group).await;
    tokio::join!(
        post_all(&process, &ana, &group),
        read_log(&mut reader, begin, begin + all)
    );
    // And with some who read behind, so that every connection to the database has filled its cache.
    let mut late = JoinSet::new();
    for _ in 0..POSTERS {
        let mut socket = joined(&process, &ana, &group).await;
        let group = group.clone();
        late.spawn(async move {
            let behind = begin + all - 900;
            let join =
                json!({"type": "join_conversation", "conversation_id": group, "after_seq": behind});
            assert_eq!(socket.call(join).await["reset"], false);
            read_log(&mut socket, behind, begin + all).await;
        });
    }
    late.join_all().await;
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        stuck.push(joined(&process, &ben, &group).await);
    }
    let before = process.resident_kib();
    tokio::join!(
        post_all(&process, &ana, &group),
        read_log(&mut reader, begin + all, begin + 2 * all)
    );
    let grown = process.resident_kib().saturating_sub(before);
    assert!(
        grown < STUCK * MOST_KIB_EACH,
        "{grown} KiB for {STUCK} sockets that do not read"
    );

    for mut patient in stuck.drain(..PATIENT) {
        read_log(&mut patient, begin + all, begin + 2 * all).await;
        // It goes on as if nothing had been.
        let said = json!({"client_id": Uuid::new_v4(), "body": "soup?"});
        let path = format!("/conversations/{group}/messages");
        let said = post(&http, &process, &path, &ana.token, said).await;
        let seq = said["seq"].as_u64().unwrap();
        patient
            .until_that(|frame| frame["type"] == "new_message" && frame["seq"] == seq)
            .await;
    }
}
