//! The page about the socket tells the truth: its commands are sent, and its frames are compared with real ones.

use std::collections::BTreeSet;

use chat_core::{
    model::Entry,
    protocol::{ClientCommand, ClientFrame, ServerFrame, Signal},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, Person, open, start, text};

const PAGE: &str = include_str!("../../docs/socket.md");
const GROUP: &str = "019aa5e8-0000-7000-8000-00000000000c";
const ANA: &str = "019aa5e8-0000-7000-8000-00000000000a";
const BEN: &str = "019aa5e8-0000-7000-8000-00000000000b";
/// It takes a store that lost entries.
const NEVER_MET: [&str; 1] = ["resync"];

/// An example, and whether it is the client who sends it.
struct Example {
    by_client: bool,
    json: String,
}

fn examples() -> Vec<Example> {
    let blocks = PAGE.split("```json ").skip(1);
    blocks
        .map(|block| {
            let (by, rest) = block.split_once('\n').unwrap();
            let (json, _) = rest.split_once("```").unwrap();
            Example {
                by_client: match by {
                    "client" => true,
                    "server" => false,
                    other => panic!("whose example is {other}?"),
                },
                json: json.to_owned(),
            }
        })
        .collect()
}

fn kind(frame: &Value) -> &str {
    frame["type"].as_str().unwrap()
}

#[test]
fn every_frame_has_an_example_that_can_be_read_and_written() {
    let (mut commands, mut frames) = (BTreeSet::new(), BTreeSet::new());
    for Example { by_client, json } in examples() {
        let shown: Value = serde_json::from_str(&json).unwrap();
        let again = if by_client {
            commands.insert(kind(&shown).to_owned());
            serde_json::to_value(ClientFrame::decode(&json).unwrap()).unwrap()
        } else {
            frames.insert(kind(&shown).to_owned());
            let frame = ServerFrame::decode(&json).unwrap();
            serde_json::to_value(frame.expect("a known type")).unwrap()
        };
        assert_eq!(again, shown);
    }
    assert_eq!(commands, ClientCommand::TYPES.map(str::to_owned).into());
    let known = Signal::TYPES.iter().chain(&Entry::TYPES);
    assert_eq!(frames, known.map(|it| (*it).to_owned()).collect());
}

/// Whether a real frame has the fields and the types of the shown one. What may be null may be null in either.
fn differs(shown: &Value, real: &Value, at: &str) -> Option<String> {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => {
            if !shown.keys().eq(real.keys()) {
                return Some(format!("{at}: {shown:?} is {real:?}"));
            }
            let fields = shown.iter().zip(real.values());
            let mut wrong =
                fields.filter_map(|((name, a), b)| differs(a, b, &format!("{at}.{name}")));
            wrong.next()
        }
        (Value::Array(shown), Value::Array(real)) => match (shown.first(), real.first()) {
            (Some(shown), Some(real)) => differs(shown, real, &format!("{at}[]")),
            _ => None,
        },
        (Value::Null, _)
        | (_, Value::Null)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_)) => None,
        _ => Some(format!("{at}: {shown} is {real}")),
    }
}

/// Sends the commands of the page in their order; returns what was answered to each, by its `ref`.
async fn replay(socket: &mut Client, real: impl Fn(&str) -> String, group: &str) -> Vec<Value> {
    let mut heard = Vec::new();
    for example in examples().iter().filter(|example| example.by_client) {
        let command: Value = serde_json::from_str(&real(&example.json)).unwrap();
        let reference = command["ref"].clone();
        socket.send(command.clone()).await;
        loop {
            let frame = socket.frame().await;
            heard.push(frame.clone());
            if frame["ref"] == reference {
                let wanted = if reference == "3" { "error" } else { "ack" };
                assert_eq!(frame["type"], wanted, "{command}: {frame}");
                break;
            }
        }
        if command["type"] == "leave_conversation" {
            socket.join(group).await;
        }
    }
    heard
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one conversation from its beginning to its end"
)]
async fn the_page_shows_frames_as_they_are() {
    let running = start().await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let (dan, eve) = (running.person("dan").await, running.person("eve").await);
    let group = ana.group("Soup", &[&ben]).await;
    let mut bens = ben.connect().await;
    bens.join(&group).await;
    let mut anas = open(&running.url("/api/v1"), "/ws", &[]).await.unwrap();
    let real = |json: &str| {
        let token = json
            .find("eyJ")
            .map(|from| &json[from..json[from..].find('"').unwrap() + from]);
        let json = json.replace(token.unwrap_or("eyJ"), &ana.token);
        json.replace(GROUP, &group)
            .replace(ANA, &ana.id)
            .replace(BEN, &ben.id)
    };
    let mut heard = replay(&mut anas, real, &group).await;

    let said = bens.until("new_message").await;
    let path = format!("/conversations/{group}");
    let message = format!("{path}/messages/{}", text(&said["message"]["id"]));
    heard.push(said);
    let mut row = bens.until("conversation_updated").await;
    while row["row"]["conversation"]["last_message"].is_null() {
        row = bens.until("conversation_updated").await;
    }
    heard.push(row);
    for (command, frame) in [
        (
            json!({"type": "typing_start", "conversation_id": group}),
            "typing",
        ),
        (
            json!({"type": "mark_delivered", "conversation_id": group, "seq": 3}),
            "delivered",
        ),
        (
            json!({"type": "mark_read", "conversation_id": group, "seq": 3}),
            "read",
        ),
    ] {
        assert_eq!(bens.call(command).await["type"], "ack");
        let by_ben = |it: &Value| {
            it["type"] == frame
                && (it["user_id"] == json!(ben.id) || it["user_ids"] == json!([ben.id]))
        };
        heard.push(anas.until_that(by_ben).await);
    }
    let old = ana.say(&group, "Old").await;
    let old = format!("{path}/messages/{}", text(&old["id"]));
    let dans = format!("{path}/members/{}", dan.id);
    let steps: Vec<(&Person, Method, String, Value, &str)> = vec![
        (
            &ana,
            Method::PATCH,
            message.clone(),
            json!({"body": "Soup! @ben"}),
            "message_edited",
        ),
        (
            &ben,
            Method::PUT,
            format!("{message}/reactions/👍"),
            Value::Null,
            "reaction_added",
        ),
        (
            &ben,
            Method::DELETE,
            format!("{message}/reactions/👍"),
            Value::Null,
            "reaction_removed",
        ),
        (
            &ana,
            Method::PUT,
            format!("{message}/pin"),
            Value::Null,
            "message_pinned",
        ),
        (
            &ana,
            Method::DELETE,
            format!("{message}/pin"),
            Value::Null,
            "message_unpinned",
        ),
        (
            &ana,
            Method::DELETE,
            message.clone(),
            Value::Null,
            "message_deleted",
        ),
        (&ana, Method::PUT, dans.clone(), json!({}), "member_joined"),
        (
            &ana,
            Method::PUT,
            dans.clone(),
            json!({"role": "admin"}),
            "member_role",
        ),
        (
            &ana,
            Method::DELETE,
            format!("{dans}?ban=true"),
            Value::Null,
            "member_left",
        ),
        (
            &ana,
            Method::PATCH,
            path.clone(),
            json!({"title": "Lunch"}),
            "conversation_renamed",
        ),
        (
            &ana,
            Method::PATCH,
            path.clone(),
            json!({"topic": "Where to, and when"}),
            "conversation_topic",
        ),
        (
            &ana,
            Method::PATCH,
            path.clone(),
            json!({"history": "from_join"}),
            "conversation_history",
        ),
    ];
    for (who, method, path, body, frame) in steps {
        let body = Some(body).filter(|body| !body.is_null());
        let answer = who.request(method, &path, body).await;
        assert!(answer.status.is_success(), "{path}: {:?}", answer.body);
        heard.push(bens.until(frame).await);
    }
    ana.put(&format!("{path}/members/{}", eve.id), json!({}))
        .await;
    let mut eves = eve.connect().await;
    eves.join(&group).await;
    ana.request(Method::PATCH, &old, Some(json!({"body": "New"})))
        .await;
    heard.push(eves.until("hidden").await);
    ana.request(Method::DELETE, &path, None).await;
    heard.push(bens.until("conversation_deleted").await);
    heard.push(bens.until("conversation_removed").await);
    running.server.shutdown();
    heard.push(bens.until("reconnect").await);

    for example in examples().iter().filter(|example| !example.by_client) {
        let shown: Value = serde_json::from_str(&example.json).unwrap();
        if NEVER_MET.contains(&kind(&shown)) {
            continue;
        }
        let same_kind = heard.iter().filter(|frame| {
            frame["type"] == shown["type"]
                && (shown["ref"].is_null() || frame["ref"] == shown["ref"])
        });
        let wrong: Vec<_> = same_kind
            .map(|real| differs(&shown, real, kind(&shown)))
            .collect();
        assert!(wrong.contains(&None), "{}: {wrong:?}", example.json);
    }
}
