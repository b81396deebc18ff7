//! The program: what it says when it cannot start, how it stops, and what survives when it is killed.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering},
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
};
use uuid::Uuid;

use crate::support::{PASSWORD, PATIENCE, open, sql, text};

pub fn command() -> Command {
    quiet(Command::new(env!("CARGO_BIN_EXE_chat-server")))
}

/// The program in a network of this name.
pub fn command_in(network: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{network}"));
    command.arg(env!("CARGO_BIN_EXE_chat-server"));
    quiet(command)
}

/// The program, with as many descriptors as this and no more.
pub fn command_with_descriptors(most: u32) -> Command {
    let mut command = Command::new("sh");
    let limited = format!("ulimit -n {most} && exec \"$0\" \"$@\"");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_chat-server")]);
    quiet(command)
}

fn quiet(mut command: Command) -> Command {
    command
        .env_clear()
        .env("CHAT_LOG", "warn")
        .env("CHAT_METRICS_LISTEN", "off");
    command
}

/// A running server process, killed when dropped.
pub struct Process {
    pub child: Child,
    pub base: String,
}

impl Process {
    pub fn start(directory: &Path, listen: &str) -> Self {
        Self::start_as(command(), directory, listen)
    }

    pub fn start_as(mut command: Command, directory: &Path, listen: &str) -> Self {
        let url = format!("sqlite:{}", directory.join("chat.db").display());
        let mut child = command
            .args([
                "--listen",
                listen,
                "--database-url",
                &url,
                "--limits",
                "off",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line
            .trim()
            .strip_prefix("listening on ")
            .expect("one line says where");
        Self {
            child,
            base: format!("{address}/api/v1"),
        }
    }

    fn terminate(&self) {
        self.signal("-TERM");
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

pub fn refused(output: &Output, hint: &str) {
    let line = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert!(
        line.contains(hint) && line.trim().lines().count() == 1,
        "{line}"
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn an_impossible_setting_is_one_line_and_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", directory.path().join("chat.db").display());
    let key = directory.path().join("key.pem");
    std::fs::write(&key, "no key").unwrap();
    let broken = directory.path().join("broken.db");
    std::fs::write(&broken, "this is not a database, it only looks like a file").unwrap();
    let broken = format!("sqlite:{}", broken.display());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (arguments, hint) in [
        (&["--colour", "blue"][..], "--colour"),
        (&["--listen", "everywhere"], "--listen"),
        (
            &["--database-url", "postgres://localhost/chat"],
            "--jwt-key-file",
        ),
        (&["--limits", "speed=1"], "speed"),
        (&["--log", "chat=loudest"], "loudest"),
        (
            &[
                "--database-url",
                &database,
                "--jwt-key-file",
                key.to_str().unwrap(),
            ],
            "chmod 600",
        ),
        (&["--database-url", &broken], "broken.db"),
        (&["--database-url", "memory:", "--listen", &taken], &taken),
        (
            &[
                "--database-url",
                "memory:",
                "--listen",
                "127.0.0.1:0",
                "--metrics-listen",
                &taken,
            ],
            "--metrics-listen, or `off`",
        ),
        (&["--metrics-listen", "on"], "--metrics-listen"),
    ] {
        refused(&command().args(arguments).output().unwrap(), hint);
    }
    refused(
        &command()
            .env("CHAT_REGISTRATION", "perhaps")
            .output()
            .unwrap(),
        "--registration",
    );
    let help = command().arg("--help").output().unwrap();
    assert!(help.status.success());
    assert!(
        String::from_utf8(help.stdout)
            .unwrap()
            .contains("--database-url")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_drains_the_server_and_it_exits_with_0() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path(), "127.0.0.1:0");
    let http = reqwest::Client::new();
    let account = register(&http, &process.base, "ana").await;
    let bearer = format!("Bearer {}", text(&account["access_token"]));
    let mut socket = open(&process.base, "/ws", &[("authorization", bearer)])
        .await
        .unwrap();
    socket.until("hello").await;

    process.terminate();

    socket.until("reconnect").await;
    assert_eq!(socket.closed().await, 1001);
    drop(socket);
    let ended =
        tokio::task::spawn_blocking(move || process.child.wait().map(|status| status.code()));
    let status = tokio::time::timeout(PATIENCE, ended)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(status, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_does_not_wait_for_anybody() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path(), "127.0.0.1:0");
    let address = process.base.strip_prefix("http://").unwrap();
    let address = address.split('/').next().unwrap().to_owned();
    let mut unfinished = tokio::net::TcpStream::connect(&address).await.unwrap();
    let begun = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    unfinished.write_all(begun.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    unfinished.read_exact(&mut go_on).await.unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100 "));

    process.terminate();
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(
        process.child.try_wait().unwrap().is_none(),
        "it waits for the request"
    );
    process.terminate();

    let ended = tokio::task::spawn_blocking(move || process.child.wait());
    let status = tokio::time::timeout(PATIENCE, ended).await.unwrap();
    assert_eq!(status.unwrap().unwrap().code(), Some(1));
}

pub async fn register(http: &reqwest::Client, base: &str, username: &str) -> Value {
    let body = json!({"username": username, "password": PASSWORD});
    let answer = http
        .post(format!("{base}/auth/register"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    answer.json().await.unwrap()
}

pub async fn new_group(http: &reqwest::Client, base: &str, token: &str) -> String {
    let body = json!({"title": "Crash", "member_ids": []});
    let request = http
        .post(format!("{base}/conversations"))
        .bearer_auth(token)
        .json(&body);
    let row: Value = request.send().await.unwrap().json().await.unwrap();
    text(&row["conversation"]["id"])
}

/// Every entry of a log, which has each place once and none left out.
async fn whole_log(http: &reqwest::Client, url: &str, token: &str) -> Vec<Value> {
    let mut log = Vec::new();
    loop {
        let after = log.len();
        let page = http
            .get(format!("{url}?after_seq={after}&limit=200"))
            .bearer_auth(token);
        let page: Value = page.send().await.unwrap().json().await.unwrap();
        for entry in page["items"].as_array().unwrap() {
            log.push(entry.clone());
            assert_eq!(entry["seq"], log.len());
        }
        if log.len() == after {
            assert_eq!(page["head_seq"], after);
            return log;
        }
    }
}

/// Sends until the server is gone. What was acknowledged, and the one send of which nobody knows.
async fn send_until_killed(
    http: reqwest::Client,
    url: String,
    token: String,
    acknowledged: Arc<AtomicBool>,
) -> (HashMap<Uuid, Value>, Option<Uuid>) {
    let mut accepted = HashMap::new();
    loop {
        let client_id = Uuid::new_v4();
        let body = json!({"client_id": client_id, "body": client_id.to_string()});
        let sent = http.post(&url).bearer_auth(&token).json(&body).send().await;
        let Ok(answer) = sent else {
            return (accepted, Some(client_id));
        };
        assert_eq!(answer.status(), StatusCode::CREATED);
        let Ok(message) = answer.json::<Value>().await else {
            return (accepted, Some(client_id));
        };
        accepted.insert(client_id, message);
        if accepted.len() >= 20 {
            acknowledged.store(true, Ordering::Release);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_exactly_once_and_nothing_is_invented() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path(), "127.0.0.1:0");
    let http = reqwest::Client::new();
    let base = process.base.clone();
    let account = register(&http, &base, "ana").await;
    let token = text(&account["access_token"]);
    let group = new_group(&http, &base, &token).await;
    let url = format!("{base}/conversations/{group}/messages");

    let mut senders = JoinSet::new();
    let mut warm = Vec::new();
    for _ in 0..6 {
        let acknowledged = Arc::new(AtomicBool::new(false));
        warm.push(Arc::clone(&acknowledged));
        senders.spawn(send_until_killed(
            http.clone(),
            url.clone(),
            token.clone(),
            acknowledged,
        ));
    }
    let all_warm = async {
        while !warm.iter().all(|flag| flag.load(Ordering::Acquire)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, all_warm).await.unwrap();
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    let mut accepted = HashMap::new();
    let mut unknown = Vec::new();
    for (mine, open_end) in senders.join_all().await {
        accepted.extend(mine);
        unknown.extend(open_end);
    }

    let listen = base
        .strip_prefix("http://")
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    let again = Process::start(directory.path(), listen);
    assert_eq!(again.base, base);
    let log = whole_log(
        &http,
        &format!("{base}/conversations/{group}/events"),
        &token,
    )
    .await;
    let mut stored: HashMap<Uuid, Value> = HashMap::new();
    for message in log
        .iter()
        .filter(|entry| entry["type"] == "new_message")
        .map(|entry| &entry["message"])
    {
        let client_id = text(&message["client_id"]).parse().unwrap();
        assert!(
            stored.insert(client_id, message.clone()).is_none(),
            "{message} came twice"
        );
    }
    for (client_id, message) in &accepted {
        assert_eq!(
            stored.get(client_id),
            Some(message),
            "an acknowledged message"
        );
    }
    for client_id in stored.keys() {
        let sent = accepted.contains_key(client_id) || unknown.contains(client_id);
        assert!(sent, "{client_id} was never sent");
    }

    // Whoever does not know whether it was accepted sends it again, and it is there once.
    for client_id in unknown {
        let body = json!({"client_id": client_id, "body": client_id.to_string()});
        let retried = http
            .post(&url)
            .bearer_auth(&token)
            .json(&body)
            .send()
            .await
            .unwrap();
        let expected = if stored.contains_key(&client_id) {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        assert_eq!(retried.status(), expected);
    }
}

/// What a process has logged, line by line.
fn log_lines(log: &str) -> Vec<Value> {
    let lines = log.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

const WRONG: &str = "wrong-password-of-ana";
const BODY: &str = "a message for nobody else";

/// What a server has logged while somebody used it, and what they were told.
struct Logged {
    log: String,
    account: Value,
    hello: Value,
    /// The ids of the request that sent a message, and of one that failed.
    sent: String,
    failed: String,
}

async fn use_a_server_that_logs() -> Logged {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut command = command();
    command
        .env("CHAT_LOG", "debug")
        .stderr(std::fs::File::create(&log).unwrap());
    let mut process = Process::start_as(command, directory.path(), "127.0.0.1:0");
    let (http, base) = (reqwest::Client::new(), process.base.clone());
    let account = register(&http, &base, "ana").await;
    let (token, refresh) = (
        text(&account["access_token"]),
        text(&account["refresh_token"]),
    );
    let group = new_group(&http, &base, &token).await;
    let post = async |path: &str, body: Value| {
        let request = http.post(format!("{base}{path}")).bearer_auth(&token);
        let answer = request.json(&body).send().await.unwrap();
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        (answer.status().as_u16(), id)
    };
    let messages = format!("/conversations/{group}/messages");
    let (status, sent) = post(
        &messages,
        json!({"client_id": Uuid::new_v4(), "body": BODY}),
    )
    .await;
    assert_eq!(status, 201);
    post("/auth/login", json!({"username": "ana", "password": WRONG})).await;
    post(
        &messages,
        json!({"client_id": Uuid::new_v4(), "body": BODY, "x": BODY}),
    )
    .await;
    let forged = format!("{token}x");
    let refused = http.get(format!("{base}/users/me")).bearer_auth(&forged);
    assert_eq!(refused.send().await.unwrap().status(), 401);

    let mut socket = open(&base, "/ws", &[]).await.unwrap();
    socket
        .send(json!({"type": "authenticate", "token": token}))
        .await;
    let hello = socket.until("hello").await;
    socket.join(&group).await;
    let command = json!({"type": "send_message", "conversation_id": group, "client_id": Uuid::new_v4(), "body": BODY});
    assert_eq!(socket.call(command).await["type"], "ack");
    socket.stream.close(None).await.unwrap();
    socket.closed().await;

    sql(
        &directory.path().join("chat.db"),
        "DROP TABLE refresh_tokens",
    )
    .await;
    let (status, failed) = post("/auth/logout", json!({"refresh_token": refresh})).await;
    assert_eq!(status, 503);
    process.terminate();
    tokio::task::spawn_blocking(move || process.child.wait().unwrap())
        .await
        .unwrap();

    Logged {
        log: std::fs::read_to_string(&log).unwrap(),
        account,
        hello,
        sent,
        failed,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_each_request_and_connection_apart_and_keeps_secrets() {
    let logged = use_a_server_that_logs().await;
    let lines = log_lines(&logged.log);
    let of_request = |id: &str| {
        let lines = lines.iter().filter(|line| line["span"]["request_id"] == id);
        lines.collect::<Vec<_>>()
    };
    let answered = of_request(&logged.sent);
    let span = &answered.last().expect("the request was logged")["span"];
    assert_eq!(
        [
            &span["name"],
            &span["method"],
            &span["route"],
            &span["status"]
        ],
        [
            &json!("request"),
            &json!("POST"),
            &json!("/api/v1/conversations/{id}/messages"),
            &json!(201)
        ]
    );
    let failure = of_request(&logged.failed);
    let failure = failure.iter().find(|line| line["level"] == "ERROR");
    let failure = failure.expect("the error was logged where it happened");
    assert!(
        failure["cause"]
            .as_str()
            .unwrap()
            .contains("refresh_tokens"),
        "{failure}"
    );
    let connection = lines.iter().find(|line| {
        line["span"]["name"] == "connection"
            && line["span"]["session_id"] == logged.hello["session_id"]
    });
    let span = &connection.expect("the connection was logged")["span"];
    assert_eq!(span["user_id"], logged.account["user"]["id"]);
    assert!(
        span["peer"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{span}"
    );

    let [token, refresh] =
        ["access_token", "refresh_token"].map(|name| text(&logged.account[name]));
    for secret in [PASSWORD, WRONG, BODY, &token, &refresh, "$argon2"] {
        assert!(!logged.log.contains(secret), "{secret} is in the log");
    }
}
