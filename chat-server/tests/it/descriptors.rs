//! A process that runs out of file descriptors: whoever is new is turned away, and whoever is there notices nothing.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::{
    process::{Process, command_with_descriptors, new_group, register},
    support::{Client, PATIENCE, open, text},
};

const DESCRIPTORS: usize = 256;
const RESERVE: usize = 16;
/// Between two lines in the log about the same.
const QUIET: Duration = Duration::from_secs(10);

/// The program with few descriptors, and somebody in a group who is connected in both ways.
struct Scene {
    process: Process,
    directory: tempfile::TempDir,
    began: Instant,
    token: String,
    group: String,
    socket: Client,
    /// A connection for requests that is kept open.
    kept: Connection,
}

impl Scene {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command_with_descriptors(u32::try_from(DESCRIPTORS).unwrap());
        command
            .env("CHAT_METRICS_LISTEN", "127.0.0.1:0")
            .env("CHAT_LOG", "info")
            .stderr(std::fs::File::create(directory.path().join("log")).unwrap());
        let process = Process::start_as(command, directory.path(), "127.0.0.1:0");
        let http = reqwest::Client::new();
        let account = register(&http, &process.base, "ana").await;
        let token = text(&account["access_token"]);
        let group = new_group(&http, &process.base, &token).await;
        let bearer = format!("Bearer {token}");
        let mut socket = open(&process.base, "/ws", &[("authorization", bearer)])
            .await
            .unwrap();
        socket.join(&group).await;
        let kept = Connection::open(&process).await.unwrap();
        Self {
            process,
            directory,
            began: Instant::now(),
            token,
            group,
            socket,
            kept,
        }
    }

    fn log(&self) -> Vec<Value> {
        let log = std::fs::read_to_string(self.directory.path().join("log")).unwrap();
        let lines = log.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    /// How often the log has said this.
    fn said(&self, what: &str) -> usize {
        let lines = self.log();
        let messages = lines.iter().filter_map(|line| line["message"].as_str());
        messages.filter(|message| message.contains(what)).count()
    }

    /// What is counted of connections that were turned away.
    async fn turned_away(&self) -> f64 {
        let lines = self.log();
        let line = lines
            .iter()
            .find(|line| line["message"] == "serving metrics");
        let address = text(&line.unwrap()["address"]);
        let metrics = reqwest::get(format!("http://{address}/metrics")).await;
        let metrics = metrics.unwrap().text().await.unwrap();
        let sample = "chat_connections_unserved_total{why=\"no_descriptor\"} ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(sample));
        line.unwrap().parse().unwrap()
    }

    /// A message over the connection that is kept open reaches the socket that is.
    async fn all_is_well(&mut self) {
        let client_id = Uuid::new_v4().to_string();
        let body = json!({"client_id": client_id, "body": "Lunch?"}).to_string();
        let request = format!(
            "POST /api/v1/conversations/{}/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.group,
            self.token,
            body.len()
        );
        let answer = self.kept.ask(&request).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        let mine = |frame: &Value| frame["message"]["client_id"] == client_id.as_str();
        self.socket.until_that(mine).await;
    }

    /// Connections that are served and stay, until there are no more to be had.
    async fn fill(&self) -> Vec<Connection> {
        let mut held = Vec::new();
        while let Some(connection) = Connection::open(&self.process).await {
            held.push(connection);
            assert!(held.len() < DESCRIPTORS);
        }
        held
    }

    /// What is open with a number among the last ones, such as `socket:[1]`.
    fn open_in_the_reserve(&self) -> Vec<String> {
        let directory = format!("/proc/{}/fd", self.process.child.id());
        let numbers = DESCRIPTORS - RESERVE..DESCRIPTORS;
        let links = numbers.filter_map(|n| std::fs::read_link(format!("{directory}/{n}")).ok());
        links.map(|link| link.display().to_string()).collect()
    }

    fn limit(&self, descriptors: usize) {
        let pid = self.process.child.id().to_string();
        let limit = format!("--nofile={descriptors}:{DESCRIPTORS}");
        let set = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(set.unwrap().success());
    }

    /// Processor time that the process has taken, in hundredths of a second.
    fn processor(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.child.id()));
        let stat = stat.unwrap();
        let (_, behind) = stat.rsplit_once(") ").unwrap();
        let times = behind.split_whitespace().skip(11).take(2);
        times.map(|time| time.parse::<u64>().unwrap()).sum()
    }
}

/// A connection for requests.
struct Connection(TcpStream);

impl Connection {
    /// A connection that is served; `None` when it is turned away.
    async fn open(process: &Process) -> Option<Self> {
        let mut connection = Self::begin(process).await;
        let answer = connection.healthy().await?;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        Some(connection)
    }

    async fn begin(process: &Process) -> Self {
        let address = process.base.strip_prefix("http://").unwrap();
        let address = address.split('/').next().unwrap();
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn healthy(&mut self) -> Option<String> {
        self.ask("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await
    }

    /// The answer to a request, all of which fits into one piece; `None` when the connection is closed.
    async fn ask(&mut self, request: &str) -> Option<String> {
        self.0.write_all(request.as_bytes()).await.ok()?;
        let mut answer = vec![0; 16 * 1024];
        let read = timeout(PATIENCE, self.0.read(&mut answer)).await.unwrap();
        answer.truncate(read.ok().filter(|read| *read > 0)?);
        Some(String::from_utf8(answer).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_new_is_turned_away_while_all_else_goes_on() {
    const NEW: usize = 50;
    let mut scene = Scene::new().await;
    let mut held = scene.fill().await;
    assert!(held.len() > DESCRIPTORS / 2, "{} were served", held.len());
    for _ in 0..NEW {
        assert!(Connection::open(&scene.process).await.is_none());
    }
    let reserve = scene.open_in_the_reserve();
    let of_clients = reserve.iter().any(|link| link.starts_with("socket:"));
    assert!(!of_clients && reserve.len() < RESERVE / 2, "{reserve:?}");
    scene.all_is_well().await;
    assert!(held[0].healthy().await.is_some());
    assert!(scene.turned_away().await >= 50.0);
    // It says so, and then for a while no more.
    let said = scene.said("turned away");
    let most = 1 + scene.began.elapsed().as_secs() / QUIET.as_secs();
    assert!(
        (1..=usize::try_from(most).unwrap()).contains(&said),
        "{said}"
    );

    held.truncate(100);
    let again = async { while Connection::open(&scene.process).await.is_none() {} };
    timeout(PATIENCE, again)
        .await
        .expect("nobody is served again");
    scene.all_is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_not_one_descriptor_is_left_the_spare_one_turns_away() {
    let mut scene = Scene::new().await;
    let held = scene.fill().await;
    let before = scene.turned_away().await;
    // Numbers go from 0 without a gap now, so this many is what there is.
    scene.limit(DESCRIPTORS - RESERVE);
    for _ in 0..20 {
        assert!(Connection::open(&scene.process).await.is_none());
    }
    scene.limit(DESCRIPTORS);
    assert!(scene.turned_away().await >= before + 20.0);
    scene.all_is_well().await;
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_can_be_accepted_it_waits_without_spinning() {
    let mut scene = Scene::new().await;
    scene.limit(8);
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(Connection::begin(&scene.process).await);
    }
    scene.all_is_well().await;
    let before = scene.processor();
    sleep(Duration::from_secs(1)).await;
    let taken = scene.processor() - before;
    assert!(taken < 50, "{taken} of 100 hundredths of a second");
    assert!(scene.said("cannot be accepted") >= 1);

    scene.limit(DESCRIPTORS);
    for mut connection in waiting {
        assert!(connection.healthy().await.is_some());
    }
    scene.all_is_well().await;
}
