//! Servers that come to NATS with credentials: a JWT that an operator vouches for, and the seed of its key.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

use chat_core::testing::{NatsOperator, PrivateNats, PrivatePostgres};
use chat_server::Config;
use tokio::{
    task::spawn_blocking,
    time::{Duration, sleep, timeout},
};

use crate::{
    process::{Process, command, refused},
    support::{PATIENCE, Running, start_configured},
};

async fn node(database: &str, nats: &PrivateNats, files: &Path, name: &str) -> Running {
    let (key, credentials) = (files.join("jwt.pem"), files.join(name));
    let [key, credentials] = [&key, &credentials].map(|it| it.to_str().unwrap());
    let mut config = Config::load([
        "chat-server",
        "--listen",
        "127.0.0.1:0",
        "--database-url",
        database,
        "--jwt-key-file",
        key,
        "--nats-url",
        &nats.url(),
        "--nats-credentials",
        credentials,
    ])
    .unwrap();
    config.metrics_listen = None;
    start_configured(config, tempfile::tempdir().unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_on_nodes_with_credentials_hear_each_other() {
    let postgres = PrivatePostgres::start(&[]).unwrap();
    let database = postgres.database().await.unwrap();
    let operator = NatsOperator::new();
    let nats = PrivateNats::start_for(&operator).unwrap();
    let files = tempfile::tempdir().unwrap();
    for name in ["here.creds", "there.creds"] {
        let credentials = operator.credentials().unwrap();
        fs::write(files.path().join(name), credentials).unwrap();
    }
    let here = node(&database, &nats, files.path(), "here.creds").await;
    let there = node(&database, &nats, files.path(), "there.creds").await;
    for node in [&here, &there] {
        let hears = async {
            loop {
                let stats = node.server.chat().stats();
                if stats.nodes == 1 && !stats.in_doubt {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, hears).await.unwrap();
    }
    let (ana, ben) = (here.person("ana").await, there.person("ben").await);
    let group = ana.group("Lunch", &[&ben]).await;
    let mut socket = ben.connect().await;
    socket.join(&group).await;
    for nth in 0..20 {
        ana.say(&group, &nth.to_string()).await;
        let frame = socket.until("new_message").await;
        assert_eq!(frame["message"]["body"], nth.to_string().as_str());
    }
    let heard = there.server.chat().stats().entries_heard;
    assert!(heard > 0, "NATS told nothing");
    here.stop().await;
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_do_not_hold_are_said_to_be_those() {
    let postgres = PrivatePostgres::start(&[]).unwrap();
    let database = postgres.database().await.unwrap();
    let nats = PrivateNats::start_for(&NatsOperator::new()).unwrap();
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("node.creds");
    let server = || {
        let mut server = command();
        server
            .args(["--listen", "127.0.0.1:0", "--database-url", &database])
            .args(["--nats-url", &nats.url()])
            .arg("--jwt-key-file")
            .arg(files.path().join("jwt.pem"))
            .arg("--nats-credentials")
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        server
    };

    fs::write(&file, "these are none").unwrap();
    let mut without = server();
    let ended = spawn_blocking(move || without.output().unwrap()).await;
    refused(&ended.unwrap(), "node.creds: cannot parse user JWT");

    // Those of somebody whom the server does not know. It may yet be told: so the node serves, by way of the database.
    let others = NatsOperator::new().credentials().unwrap();
    fs::write(&file, others).unwrap();
    let mut stranger = server().spawn().unwrap();
    let said = BufReader::new(stranger.stderr.take().unwrap());
    let mut listening = String::new();
    let mut stdout = BufReader::new(stranger.stdout.take().unwrap());
    stdout.read_line(&mut listening).unwrap();
    let process = Process {
        child: stranger,
        base: String::new(),
    };
    assert!(listening.starts_with("listening on "), "{listening}");
    let lines = spawn_blocking(move || {
        let mut lines = said.lines().map_while(Result::ok);
        lines.find(|line| line.contains("NATS does not let this node in"))
    });
    let line = timeout(PATIENCE, lines).await.unwrap().unwrap();
    assert!(line.is_some(), "it says why");
    drop(process);
}
