//! How much is too much, and what one is told then.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Answer, Person, open, refusal, start, start_with};

fn assert_too_many(answer: &Answer) {
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (429, "rate_limited"),
        "{:?}",
        answer.body
    );
    assert_eq!(answer.body["retryable"], true);
    let seconds: u64 = answer.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let millis = answer.body["retry_after_ms"].as_u64().unwrap();
    assert_eq!(seconds, millis.div_ceil(1_000));
}

async fn try_to_say(person: &Person, group: &str) -> Answer {
    person
        .post(
            &format!("/conversations/{group}/messages"),
            json!({"client_id": Uuid::new_v4(), "body": "x"}),
        )
        .await
}

#[tokio::test]
async fn sends_are_counted_for_a_user_over_rest_and_all_sockets_together() {
    let running = start_with(&["--limits", "sends_per_second=1,send_burst=3"]).await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let group = ana.group("Lunch", &[&ben]).await;
    let send = || json!({"type": "send_message", "conversation_id": group, "client_id": Uuid::new_v4(), "body": "x"});
    let (mut phone, mut laptop) = (ana.connect().await, ana.connect().await);
    let mut refused = None;
    for _ in 0..10 {
        try_to_say(&ana, &group).await;
        phone.call(send()).await;
        let answer = laptop.call(send()).await;
        if answer["type"] == "error" {
            refused = Some(answer);
            break;
        }
    }
    let problem = &refused.expect("nothing was too much")["problem"];
    assert_eq!(problem["code"], "rate_limited");
    assert!(
        problem["retry_after_ms"].as_u64().unwrap() <= 1_000,
        "{problem}"
    );
    assert_too_many(&try_to_say(&ana, &group).await);
    assert_eq!(
        try_to_say(&ben, &group).await.status,
        201,
        "others are not held up"
    );
    laptop.settle().await;
}

#[tokio::test]
async fn requests_are_counted_by_user_and_without_one_by_address() {
    let running = start_with(&["--limits", "requests_per_second=1,request_burst=5"]).await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let mut last = ana.get("/users/me").await;
    for _ in 0..6 {
        last = ana.get("/users/me").await;
    }
    assert_too_many(&last);
    assert_eq!(ben.get("/users/me").await.status, 200);

    let mut stranger = ana.clone();
    stranger.token = "x".to_owned();
    let mut last = stranger.get("/users/me").await;
    for _ in 0..6 {
        last = stranger.get("/users/me").await;
    }
    assert_too_many(&last);
    let spoofed = running
        .http
        .get(running.url("/api/v1/users/me"))
        .header("x-forwarded-for", "203.0.113.9")
        .send()
        .await
        .unwrap();
    assert_eq!(
        spoofed.status(),
        429,
        "an address that is only claimed is not believed"
    );
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_counted_for_itself() {
    let flags = [
        "--trusted-proxies",
        "127.0.0.0/8",
        "--limits",
        "request_burst=5,requests_per_second=1",
    ];
    let running = start_with(&flags).await;
    let from = async |address: &str| {
        let request = running.http.get(running.url("/api/v1/users/me"));
        let request = request.header("x-forwarded-for", address);
        request.send().await.unwrap().status().as_u16()
    };
    let mut last = 0;
    for _ in 0..7 {
        last = from("198.51.100.1, 203.0.113.9").await;
    }
    assert_eq!(last, 429);
    assert_eq!(from("203.0.113.10").await, 401, "somebody else");
}

#[tokio::test]
async fn signing_in_is_tried_five_times_in_a_quarter_of_an_hour() {
    let running = start_with(&[]).await;
    running.person("ana").await;
    let wrong = |name: &str| {
        running.post(
            "/api/v1/auth/login",
            json!({"username": name, "password": "wrong wrong wrong"}),
        )
    };
    for _ in 0..5 {
        assert_eq!(wrong("ana").await.code(), "wrong_credentials");
    }
    let too_many = wrong("Ana").await;
    assert_too_many(&too_many);
    assert!(too_many.body["retry_after_ms"].as_u64().unwrap() > 60_000);
    assert_eq!(
        wrong("ben").await.code(),
        "wrong_credentials",
        "another account"
    );
    let mut last = String::new();
    for n in 0..30 {
        last = wrong(&format!("user{n}")).await.code().to_owned();
    }
    assert_eq!(last, "rate_limited", "thirty from one address");
}

#[tokio::test]
async fn a_hasty_socket_is_told_to_slow_down_and_closed_when_it_goes_on() {
    let running = start_with(&["--limits", "frames_per_second=1,frame_burst=10"]).await;
    let ana = running.person("ana").await;
    let mut socket = ana.connect().await;
    for n in 0..12 {
        socket
            .send(json!({"type": "ping", "ref": n.to_string()}))
            .await;
    }
    let refused = socket.until("error").await;
    assert_eq!(refused["problem"]["code"], "rate_limited");
    assert!(
        refused["ref"].is_string() && refused["problem"]["retry_after_ms"].is_u64(),
        "{refused}"
    );
    for _ in 0..40 {
        if futures_util::SinkExt::send(
            &mut socket.stream,
            json!({"type": "ping"}).to_string().into(),
        )
        .await
        .is_err()
        {
            break;
        }
    }
    assert_eq!(socket.closed().await, 4529);

    let mut pinger = ana.connect().await;
    for _ in 0..40 {
        let ping = tokio_tungstenite::tungstenite::Message::Ping("x".into());
        if futures_util::SinkExt::send(&mut pinger.stream, ping)
            .await
            .is_err()
        {
            break;
        }
    }
    assert_eq!(pinger.closed().await, 4529, "control frames are frames");
}

#[tokio::test]
async fn a_user_has_a_bounded_number_of_sockets() {
    let running = start_with(&["--limits", "off,max_sockets_per_user=2"]).await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let (mut first, _second) = (ana.connect().await, ana.connect().await);
    let refused = refusal(ana.try_connect().await.err().unwrap());
    assert_eq!(refused, (429, "rate_limited".to_owned()));
    let mut third = open(&running.url("/api/v1"), "/ws", &[]).await.unwrap();
    third
        .send(json!({"type": "authenticate", "token": ana.token}))
        .await;
    assert_eq!(third.frame().await["problem"]["code"], "rate_limited");
    assert_eq!(third.closed().await, 4529);
    ben.connect().await;

    first.stream.close(None).await.unwrap();
    first.closed().await;
    let again = async {
        while ana.try_connect().await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, again)
        .await
        .unwrap();
}

#[tokio::test]
async fn lifted_rates_hold_nobody_up() {
    let running = start().await;
    let ana = running.person("ana").await;
    let group = ana.group("Load", &[]).await;
    let mut socket = ana.connect().await;
    for n in 0..200 {
        socket
            .send(json!({"type": "ping", "ref": format!("p{n}")}))
            .await;
        assert_eq!(try_to_say(&ana, &group).await.status, 201);
    }
    let answers = socket.settle().await;
    assert!(answers.iter().all(|frame: &Value| frame["type"] != "error"));
}

#[tokio::test]
async fn each_limit_is_announced() {
    let running = start_with(&[]).await;
    let ana = running.person("ana").await;
    let mut socket = ana.try_connect().await.unwrap();
    let hello = socket.until("hello").await;
    for (name, value) in [
        ("max_body_chars", 8_000),
        ("max_frame_bytes", 64 * 1024),
        ("sends_per_second", 10),
        ("send_burst", 30),
        ("frames_per_second", 50),
        ("frame_burst", 100),
        ("requests_per_second", 20),
        ("request_burst", 100),
        ("logins_per_quarter_hour", 5),
        ("max_sockets_per_user", 20),
        ("max_joined_conversations", 500),
        ("max_watched_users", 200),
        ("max_replay", 1_000),
        ("ping_interval_ms", 20_000),
        ("idle_timeout_ms", 45_000),
    ] {
        assert_eq!(hello[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_message_has_at_most_so_many_characters_over_rest_and_the_socket() {
    let running = start().await;
    let ana = running.person("ana").await;
    let group = ana.group("Long", &[]).await;
    let mut socket = ana.connect().await;
    // Characters are counted, however many bytes they take.
    let (longest, longer) = ("\u{1f980}".repeat(8_000), "a".repeat(8_001));
    let path = format!("/conversations/{group}/messages");
    let message = |body: &str| json!({"client_id": Uuid::new_v4(), "body": body});
    let command = |body: &str| {
        let mut command = message(body);
        command["type"] = json!("send_message");
        command["conversation_id"] = json!(group);
        command
    };
    assert_eq!(ana.post(&path, message(&longest)).await.status, 201);
    assert_eq!(socket.call(command(&longest)).await["type"], "ack");
    let refused = ana.post(&path, message(&longer)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "invalid"));
    let refused = socket.call(command(&longer)).await;
    assert_eq!(refused["problem"]["code"], "invalid", "{refused}");
    let sent = ana.say(&group, "short").await;
    let edit = format!("{path}/{}", sent["id"].as_str().unwrap());
    let edited = ana.request(Method::PATCH, &edit, Some(json!({"body": longer})));
    assert_eq!(edited.await.code(), "invalid");

    let body = json!({"client_id": Uuid::new_v4(), "body": "a".repeat(65 * 1024)});
    let refused = ana.post(&path, body.clone()).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (413, "too_large")
    );
    socket.send(body).await;
    assert_eq!(socket.closed().await, 1009);
}

#[tokio::test]
async fn an_edit_counts_as_a_message() {
    let running = start_with(&["--limits", "sends_per_second=1,send_burst=3"]).await;
    let ana = running.person("ana").await;
    let group = ana.group("Typo", &[]).await;
    let sent = ana.say(&group, "tpyo").await;
    let path = format!(
        "/conversations/{group}/messages/{}",
        sent["id"].as_str().unwrap()
    );
    let edit = || ana.request(Method::PATCH, &path, Some(json!({"body": "typo"})));
    assert_eq!(edit().await.status, 200);
    let mut last = edit().await;
    for _ in 0..10 {
        if last.status == 429 {
            break;
        }
        last = edit().await;
    }
    assert_too_many(&last);
}

#[tokio::test]
async fn an_address_makes_a_bounded_number_of_accounts() {
    let running = start_with(&["--limits", "logins_per_quarter_hour=1"]).await;
    let refused = json!({"username": "ana", "password": "short"});
    for _ in 0..60 {
        let answer = running.post("/api/v1/auth/register", refused.clone());
        assert_eq!(answer.await.code(), "invalid");
    }
    assert_too_many(&running.post("/api/v1/auth/register", refused).await);
}

#[tokio::test]
async fn a_socket_follows_a_bounded_number_of_conversations() {
    let running = start_with(&["--limits", "off,max_joined_conversations=2"]).await;
    let ana = running.person("ana").await;
    let (one, two, three) = (
        ana.group("1", &[]).await,
        ana.group("2", &[]).await,
        ana.group("3", &[]).await,
    );
    let mut socket = ana.connect().await;
    socket.join(&one).await;
    socket.join(&two).await;
    let join = json!({"type": "join_conversation", "conversation_id": three});
    let refused = socket.call(join.clone()).await;
    assert_eq!(refused["problem"]["code"], "limit_exceeded", "{refused}");
    let leave = json!({"type": "leave_conversation", "conversation_id": one});
    assert_eq!(socket.call(leave).await["type"], "ack");
    assert_eq!(socket.call(join).await["type"], "ack");
}
