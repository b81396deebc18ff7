//! Everything that can go wrong for a person, over REST and the socket: the same problem for the same thing.

use std::collections::BTreeSet;

use chat_core::protocol::{ErrorCode, Problem};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    auth::Forge,
    support::{Client, PASSWORD, Person, Running, open, start_with},
};

/// These take another server to meet, or an application that fails: `mount` and `deadlines` do.
const ELSEWHERE: [ErrorCode; 5] = [
    ErrorCode::Refused,
    ErrorCode::Unavailable,
    ErrorCode::ShuttingDown,
    ErrorCode::Timeout,
    ErrorCode::Internal,
];

/// The code of a problem, of which everything that follows from the code is as the table of errors says.
fn code_of(problem: &Value) -> ErrorCode {
    let problem: Problem = serde_json::from_value(problem.clone()).unwrap();
    let mut expected = Problem::new(problem.code, problem.detail.clone());
    expected.request_id.clone_from(&problem.request_id);
    expected.retry_after_ms = problem.retry_after_ms;
    expected.errors.clone_from(&problem.errors);
    assert_eq!(problem, expected);
    assert!(!problem.detail.is_empty());
    assert_eq!(
        problem.retry_after_ms.is_some(),
        matches!(problem.status, 429 | 503)
    );
    problem.code
}

struct Scene {
    running: Running,
    ana: Person,
    ben: Person,
    group: String,
    message: String,
    sent: Value,
}

impl Scene {
    async fn new() -> Self {
        let running = start_with(&["--limits", "logins_per_quarter_hour=2"]).await;
        let (ana, ben) = (running.person("ana").await, running.person("ben").await);
        let group = ana.group("Lunch", &[&ben]).await;
        let sent = ana.say(&group, "Soup?").await;
        Self {
            message: sent["id"].as_str().unwrap().to_owned(),
            running,
            ana,
            ben,
            group,
            sent,
        }
    }
}

#[tokio::test]
async fn each_error_over_rest_is_the_one_of_its_code() {
    let scene = Scene::new().await;
    let (ana, ben) = (&scene.ana, &scene.ben);
    let path = format!("/conversations/{}", scene.group);
    let reused = json!({"client_id": scene.sent["client_id"], "body": "Else"});
    let mut expired = ana.clone();
    expired.token = Forge::of(&scene.running, ana).expired();
    let mut nobody = ana.clone();
    nobody.token = "x".to_owned();
    let account = |name: &str| json!({"username": name, "password": PASSWORD});
    let wrong = json!({"username": "ana", "password": "not the password"});
    let calls: Vec<(&Person, Method, String, Option<Value>)> = vec![
        (ana, Method::POST, "/conversations".into(), Some(json!([]))),
        (
            ana,
            Method::POST,
            "/conversations".into(),
            Some(json!({"title": "", "member_ids": []})),
        ),
        (ana, Method::GET, "/conversations?x=1".into(), None),
        (&nobody, Method::GET, "/users/me".into(), None),
        (&expired, Method::GET, "/users/me".into(), None),
        (
            ben,
            Method::PATCH,
            path.clone(),
            Some(json!({"title": "Mine"})),
        ),
        (
            ana,
            Method::GET,
            format!("/conversations/{}", Uuid::now_v7()),
            None,
        ),
        (ana, Method::DELETE, "/conversations".into(), None),
        (ana, Method::POST, "/conversations".into(), None),
        (
            ana,
            Method::POST,
            "/conversations".into(),
            Some(json!("x".repeat(70_000))),
        ),
        (
            ana,
            Method::POST,
            "/auth/register".into(),
            Some(account("ben")),
        ),
        (ana, Method::POST, format!("{path}/messages"), Some(reused)),
        (
            ana,
            Method::DELETE,
            format!("{path}/members/{}", ana.id),
            None,
        ),
        (ana, Method::POST, "/auth/login".into(), Some(wrong.clone())),
        (ana, Method::POST, "/auth/login".into(), Some(wrong.clone())),
        (ana, Method::POST, "/auth/login".into(), Some(wrong)),
    ];
    let mut met = BTreeSet::new();
    for (who, method, path, body) in calls {
        let answer = who.request(method, &path, body).await;
        let code = code_of(&answer.body);
        assert_eq!(answer.status.as_u16(), code.status(), "{path}");
        met.insert(code.as_str());
    }
    let reactions = format!("{path}/messages/{}/reactions", scene.message);
    for n in 0..=20 {
        let emoji = char::from_u32(0x1F600 + n).unwrap();
        let reaction = format!("{reactions}/{emoji}");
        let answer = ana.request(Method::PUT, &reaction, None).await;
        if n == 20 {
            met.insert(code_of(&answer.body).as_str());
        } else {
            assert_eq!(answer.status, 204, "{emoji}");
        }
    }
    let closed = start_with(&["--registration", "closed"]).await;
    let answer = closed.post("/api/v1/auth/register", account("cid")).await;
    met.insert(code_of(&answer.body).as_str());

    // `auth` lets a refresh token be stolen; a frame has a type that is not known only on the socket.
    let elsewhere = ELSEWHERE
        .into_iter()
        .chain([ErrorCode::RefreshReused, ErrorCode::UnknownType]);
    met.extend(elsewhere.map(ErrorCode::as_str));
    let all: BTreeSet<_> = ErrorCode::ALL.into_iter().map(ErrorCode::as_str).collect();
    assert_eq!(met, all);
}

#[tokio::test]
async fn each_error_over_the_socket_is_the_one_of_its_code() {
    let scene = Scene::new().await;
    let mut socket = scene.ana.connect().await;
    let cases = [
        (json!({"type": "ping", "x": 1}), "unknown_field"),
        (json!({"type": "dance"}), "unknown_type"),
        (json!({"type": "typing_start"}), "malformed"),
        (
            json!({"type": "send_message", "conversation_id": scene.group, "client_id": Uuid::new_v4(), "body": " "}),
            "invalid",
        ),
        (
            json!({"type": "send_message", "conversation_id": scene.group, "client_id": scene.sent["client_id"], "body": "Else"}),
            "client_id_reused",
        ),
        (
            json!({"type": "join_conversation", "conversation_id": Uuid::now_v7()}),
            "not_found",
        ),
        (
            json!({"type": "watch_presence", "user_ids": vec![scene.ben.id.clone(); 201]}),
            "limit_exceeded",
        ),
        (
            json!({"type": "authenticate", "token": "x"}),
            "unauthenticated",
        ),
        (
            json!({"type": "authenticate", "token": Forge::of(&scene.running, &scene.ana).expired()}),
            "token_expired",
        ),
    ];
    for (command, code) in cases {
        let error = socket.call(command.clone()).await;
        assert_eq!(error["type"], "error", "{command}");
        assert_eq!(code_of(&error["problem"]).as_str(), code, "{command}");
    }
    at_odds(&scene, &mut socket).await;

    let mut haste = None;
    for _ in 0..300 {
        let answer = socket.call(json!({"type": "ping"})).await;
        if answer["type"] == "error" {
            haste = Some(answer);
            break;
        }
    }
    let haste = haste.expect("nothing was too much");
    assert_eq!(code_of(&haste["problem"]), ErrorCode::RateLimited);

    let mut silent = open(&scene.running.url("/api/v1"), "/ws", &[])
        .await
        .unwrap();
    silent.send(json!({"type": "ping"})).await;
    let error = silent.frame().await;
    assert_eq!(code_of(&error["problem"]), ErrorCode::Unauthenticated);
}

/// Whoever is blocked is not permitted to write, and who blocks cannot either.
async fn at_odds(scene: &Scene, socket: &mut Client) {
    let (ana, ben) = (&scene.ana, &scene.ben);
    let row = ana.put(&format!("/direct/{}", ben.id), json!({})).await;
    let send = || json!({"type": "send_message", "conversation_id": row.body["conversation"]["id"], "client_id": Uuid::new_v4(), "body": "Hi"});
    let block = |who: &Person| format!("/users/me/blocks/{}", who.id);
    ben.request(Method::PUT, &block(ana), None).await;
    let error = socket.call(send()).await;
    assert_eq!(code_of(&error["problem"]), ErrorCode::Forbidden);
    ana.request(Method::PUT, &block(ben), None).await;
    let error = socket.call(send()).await;
    assert_eq!(code_of(&error["problem"]), ErrorCode::Conflict);
}
