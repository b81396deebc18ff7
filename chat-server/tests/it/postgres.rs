//! The server on PostgreSQL: the same accounts and conversations, through the database's outages too.

use std::{sync::LazyLock, time::Duration};

use chat_core::testing::PrivatePostgres;
use chat_server::{Config, Database, PostgresUrl};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use crate::support::{PASSWORD, PATIENCE, Running, start_configured, start_on, text};

/// What a caller waits for at most while the database is gone, and how soon all goes on when it is back: with the slack
/// that a busy machine needs, these are safety nets and no measurements.
const SOON: Duration = Duration::from_secs(10);

static POSTGRES: LazyLock<PrivatePostgres> = LazyLock::new(|| PrivatePostgres::start(&[]).unwrap());

async fn start_in(postgres: &PrivatePostgres) -> Running {
    let url = postgres.database().await.unwrap();
    start_on(&url, &["--limits", "off"]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_and_sign_ins_work_as_they_do_elsewhere() {
    let running = start_in(&POSTGRES).await;
    let ana = running.person("ana").await;
    let taken = json!({"username": "Ana", "password": PASSWORD});
    let refused = running.post("/api/v1/auth/register", taken).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    let wrong = json!({"username": "ana", "password": "not this one, sorry"});
    let refused = running.post("/api/v1/auth/login", wrong).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let login = json!({"username": "ana", "password": PASSWORD});
    let again = running.post("/api/v1/auth/login", login).await;
    assert_eq!(again.status, StatusCode::OK, "{:?}", again.body);
    let tablet = running.signed_in(&again.body);

    let old = json!({"refresh_token": tablet.refresh_token});
    let refreshed = running.post("/api/v1/auth/refresh", old).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{:?}", refreshed.body);
    let newest = text(&refreshed.body["refresh_token"]);
    let out = json!({"refresh_token": newest});
    let gone = running.post("/api/v1/auth/logout", out.clone()).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{:?}", gone.body);
    let refused = running.post("/api/v1/auth/refresh", out).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        tablet.get("/users/me").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(ana.get("/users/me").await.status, StatusCode::OK);

    running.person("anna_b").await;
    running.person("ben").await;
    let renamed = json!({"display_name": "Ana-María"});
    let me = ana.request(Method::PATCH, "/users/me", Some(renamed)).await;
    assert_eq!(me.status, StatusCode::OK, "{:?}", me.body);
    for (text, found) in [("AN", vec!["ana", "anna_b"]), ("maría", vec!["ana"])] {
        let answer = ana.get(&format!("/users?query={text}")).await;
        let users = answer.body["items"].as_array().unwrap();
        let names: Vec<_> = users
            .iter()
            .map(|user| user["username"].as_str().unwrap())
            .collect();
        assert_eq!(names, found, "{text}");
    }
    running.stop().await;
}

/// What can happen to a database.
#[derive(Clone, Copy)]
enum Outage {
    Hangs,
    Stops,
    IsKilled,
}

impl Outage {
    fn begin(self, postgres: &PrivatePostgres) {
        match self {
            Self::Hangs => postgres.freeze().unwrap(),
            Self::Stops => postgres.stop_immediately().unwrap(),
            Self::IsKilled => postgres.kill().unwrap(),
        }
    }

    fn end(self, postgres: &PrivatePostgres) {
        match self {
            Self::Hangs => postgres.thaw().unwrap(),
            Self::Stops | Self::IsKilled => postgres.start_again().unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_gone_callers_hear_so_soon_and_sockets_stay() {
    // A server of its own: others are not to lose theirs.
    let postgres = PrivatePostgres::start(&[]).unwrap();
    let running = start_in(&postgres).await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let group = ana.group("Lunch", &[&ben]).await;
    let mut socket = ben.connect().await;
    socket.join(&group).await;
    ana.say(&group, "before").await;
    let frame = socket.until("new_message").await;
    assert_eq!(frame["message"]["body"], "before");

    let messages = format!("/conversations/{group}/messages");
    for (round, outage) in [Outage::Hangs, Outage::Stops, Outage::IsKilled]
        .into_iter()
        .enumerate()
    {
        outage.begin(&postgres);
        let message = json!({"client_id": Uuid::new_v4(), "body": format!("round {round}")});
        for _ in 0..2 {
            let since = Instant::now();
            let refused = ana.post(&messages, message.clone()).await;
            assert_eq!(
                refused.status,
                StatusCode::SERVICE_UNAVAILABLE,
                "{:?}",
                refused.body
            );
            assert_eq!(refused.code(), "unavailable");
            assert!(since.elapsed() < SOON);
        }
        let list = ana.get("/conversations").await;
        assert_eq!(
            list.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{:?}",
            list.body
        );
        let ready = running.request(Method::GET, "/readyz", None).await;
        assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
        let login = json!({"username": "ana", "password": PASSWORD});
        let login = running.post("/api/v1/auth/login", login).await;
        assert_eq!(
            login.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{:?}",
            login.body
        );
        let answer = socket.call(json!({"type": "ping"})).await;
        assert_eq!(answer["type"], "ack", "the socket stays: {answer}");

        outage.end(&postgres);
        let since = Instant::now();
        loop {
            let answer = ana.post(&messages, message.clone()).await;
            if [StatusCode::CREATED, StatusCode::OK].contains(&answer.status) {
                break;
            }
            assert_eq!(
                answer.status,
                StatusCode::SERVICE_UNAVAILABLE,
                "{:?}",
                answer.body
            );
            assert!(since.elapsed() < PATIENCE, "it is not back");
        }
        let wanted = format!("round {round}");
        let frame = socket.until("new_message").await;
        assert_eq!(
            frame["message"]["body"],
            wanted.as_str(),
            "once, and in order"
        );
    }
    let history = ana.get(&format!("{messages}?limit=10")).await;
    let items = history.body["items"].as_array().unwrap();
    let bodies: Vec<_> = items
        .iter()
        .map(|item| item["body"].as_str().unwrap())
        .collect();
    assert_eq!(bodies, ["before", "round 0", "round 1", "round 2"]);
    running.stop().await;
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_refused_with_a_line_that_says_why() {
    use chat_server::{Config, Server};
    let off = PrivatePostgres::start(&["fsync=off"]).unwrap();
    let unsafe_url = off.database().await.unwrap();
    let missing = POSTGRES.url("nowhere");
    let key = tempfile::tempdir().unwrap();
    let key_file = key.path().join("jwt.pem");
    let key_file = key_file.to_str().unwrap();
    for (url, key, hint) in [
        (unsafe_url.as_str(), Some(key_file), "fsync = off"),
        (&missing, Some(key_file), "nowhere"),
        ("postgres://127.0.0.1:1/chat", Some(key_file), "127.0.0.1:1"),
        (
            "postgres://[",
            Some(key_file),
            "postgres://user:password@host",
        ),
        (&missing, None, "--jwt-key-file"),
    ] {
        let mut flags = vec![
            "chat-server",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            url,
        ];
        flags.extend(key.into_iter().flat_map(|key| ["--jwt-key-file", key]));
        let refused = Server::bind(Config::load(flags).unwrap())
            .await
            .unwrap_err();
        assert!(refused.to_string().contains(hint), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_may_start_on_a_new_database_at_once() {
    let url = POSTGRES.database().await.unwrap();
    let starting = (0..5).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { start_on(&url, &[]).await })
    });
    let starting: Vec<_> = starting.collect();
    for node in starting {
        node.await.unwrap().stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_signed_out_on_one_node_is_signed_out_on_all() {
    let url = POSTGRES.database().await.unwrap();
    let one = start_on(&url, &["--limits", "off"]).await;
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database: Database::Postgres(PostgresUrl::new(&url)),
        jwt_key_file: Some(one.key_file()),
        ..Config::default()
    };
    let other = start_configured(config, tempfile::tempdir().unwrap()).await;
    let ana = one.person("ana").await;
    let login = json!({"username": "ana", "password": PASSWORD});
    let there = other.signed_in(&other.post("/api/v1/auth/login", login).await.body);
    let mut socket = there.connect().await;
    let listed = ana.get("/auth/sessions").await;
    let ids = listed.body["items"].as_array().unwrap().iter();
    let elsewhere = ids.filter(|sign_in| sign_in["current"] == false);
    let elsewhere: Vec<String> = elsewhere.map(|sign_in| text(&sign_in["id"])).collect();
    assert_eq!(elsewhere.len(), 1, "{:?}", listed.body);

    let path = format!("/auth/sessions/{}", elsewhere[0]);
    let ended = ana.request(Method::DELETE, &path, None).await;

    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(socket.closed().await, 4502);
    let refused = there.get("/users/me").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    one.stop().await;
    other.stop().await;
}
