//! The socket: how it begins, what it carries in what order, and how it ends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};
use uuid::Uuid;

use crate::{
    auth::Forge,
    support::{Client, Person, open, refusal, start, start_with, text},
};

#[tokio::test]
async fn hello_announces_every_timer_and_limit() {
    let running = start_with(&["--limits", "max_body_chars=100,ping_interval_ms=5000"]).await;
    let ana = running.person("ana").await;
    let mut socket = ana.try_connect().await.unwrap();
    let hello = socket.frame().await;
    assert_eq!(
        (&hello["type"], &hello["user_id"]),
        (&json!("hello"), &json!(ana.id))
    );
    for name in ["session_id", "node_id", "epoch", "server_version"] {
        assert!(hello[name].is_string(), "{name}: {hello}");
    }
    assert!(hello["token_expires_in_ms"].as_u64().unwrap() > 590_000);
    let announced = [
        ("ping_interval_ms", 5_000),
        ("idle_timeout_ms", 45_000),
        ("max_body_chars", 100),
        ("max_frame_bytes", 65_536),
        ("typing_repeat_ms", 4_000),
        ("typing_expiry_ms", 8_000),
        ("max_watched_users", 200),
        ("max_joined_conversations", 500),
        ("max_replay", 1_000),
        ("sends_per_second", 10),
        ("send_burst", 30),
        ("frames_per_second", 50),
        ("frame_burst", 100),
        ("requests_per_second", 20),
        ("request_burst", 100),
        ("logins_per_quarter_hour", 5),
        ("max_sockets_per_user", 20),
    ];
    for (name, value) in announced {
        assert_eq!(hello[name], json!(value), "{name}");
    }
}

#[tokio::test]
async fn a_socket_without_a_header_says_who_it_is_in_its_first_frame() {
    let running = start().await;
    let ana = running.person("ana").await;
    let base = running.url("/api/v1");
    let mut socket = open(&base, "/ws", &[]).await.unwrap();
    socket
        .send(json!({"type": "authenticate", "token": ana.token, "ref": "a"}))
        .await;
    assert_eq!(socket.frame().await["type"], "hello");
    assert_eq!(socket.frame().await, json!({"type": "ack", "ref": "a"}));
    assert_eq!(socket.call(json!({"type": "ping"})).await["type"], "ack");

    let expired = Forge::of(&running, &ana).expired();
    let cases = [
        (
            json!({"type": "authenticate", "token": "x"}),
            "unauthenticated",
            4500,
        ),
        (
            json!({"type": "authenticate", "token": expired}),
            "token_expired",
            4401,
        ),
        (
            json!({"type": "join_conversation", "conversation_id": ana.id}),
            "unauthenticated",
            4500,
        ),
        (json!({"type": "authenticate"}), "malformed", 4500),
    ];
    for (frame, code, close) in cases {
        let mut socket = open(&base, "/ws", &[]).await.unwrap();
        socket.send(frame).await;
        assert_eq!(socket.frame().await["problem"]["code"], code);
        assert_eq!(socket.closed().await, close, "{code}");
    }
    let mut silent = open(&base, "/ws", &[]).await.unwrap();
    skip(11).await;
    assert_eq!(silent.closed().await, 4500, "silent for ten seconds");
}

/// Lets so many seconds pass for the timers of the server.
async fn skip(seconds: u64) {
    time::pause();
    time::advance(Duration::from_secs(seconds)).await;
    time::resume();
}

#[tokio::test]
async fn a_handshake_is_refused_before_it_is_a_socket() {
    let running = start_with(&["--limits", "off", "--allow-origin", "https://chat.example"]).await;
    let ana = running.person("ana").await;
    let bearer = format!("Bearer {}", ana.token);
    let base = running.url("/api/v1");
    let with_token = format!("/ws?token={}", ana.token);
    let cases = [
        (
            "/ws",
            ("origin", "https://evil.example"),
            (403, "forbidden"),
        ),
        ("/ws", ("origin", "null"), (403, "forbidden")),
        (
            "/ws",
            ("origin", "https://chat.example.evil.example"),
            (403, "forbidden"),
        ),
        (&with_token, ("accept", "*/*"), (400, "malformed")),
        (
            "/ws",
            ("authorization", "Bearer x"),
            (401, "unauthenticated"),
        ),
        (
            "/ws",
            ("authorization", "Basic eDp5"),
            (401, "unauthenticated"),
        ),
        ("/ws", ("sec-websocket-version", "12"), (400, "malformed")),
        ("/ws", ("sec-websocket-key", "short"), (400, "malformed")),
        (
            "/ws",
            ("sec-websocket-protocol", "chat.v9"),
            (400, "malformed"),
        ),
    ];
    for (path, (name, value), (status, code)) in cases {
        let mut headers = vec![("authorization", bearer.clone())];
        headers.push((name, value.to_owned()));
        let refused = refusal(open(&base, path, &headers).await.err().unwrap());
        assert_eq!(refused, (status, code.to_owned()), "{name}: {value}");
    }
    let plain = ana.get("/ws").await;
    assert_eq!((plain.status.as_u16(), plain.code()), (400, "malformed"));

    let allowed = [
        ("authorization", bearer),
        ("origin", "https://chat.example".to_owned()),
        ("sec-websocket-protocol", "chat.v0, chat.v1".to_owned()),
        ("sec-websocket-extensions", "permessage-deflate".to_owned()),
    ];
    let mut socket = open(&base, "/ws", &allowed).await.unwrap();
    assert_eq!(socket.frame().await["type"], "hello");
}

#[tokio::test]
async fn commands_are_answered_one_by_one_in_their_order() {
    let running = start().await;
    let ana = running.person("ana").await;
    let group = ana.group("Notes", &[]).await;
    let mut socket = ana.connect().await;
    for n in 0..27 {
        let mut frame = match n % 3 {
            0 => {
                json!({"type": "send_message", "conversation_id": group, "client_id": Uuid::new_v4(), "body": n.to_string()})
            }
            1 => json!({"type": "mark_read", "conversation_id": group, "seq": 1}),
            _ => json!({"type": "join_conversation", "conversation_id": Uuid::new_v4()}),
        };
        frame["ref"] = json!(n.to_string());
        socket.send(frame).await;
    }
    let mut answered = Vec::new();
    while answered.len() < 27 {
        let frame = socket.until_that(|frame| !frame["ref"].is_null()).await;
        answered.push(text(&frame["ref"]));
    }
    let asked: Vec<String> = (0..27).map(|n| n.to_string()).collect();
    assert_eq!(answered, asked);
    let page = ana
        .get(&format!("/conversations/{group}/messages"))
        .await
        .body;
    let items = page["items"].as_array().unwrap().iter();
    let bodies: Vec<String> = items.map(|message| text(&message["body"])).collect();
    let sent: Vec<String> = (0..27).step_by(3).map(|n| n.to_string()).collect();
    assert_eq!(bodies, sent);
}

#[tokio::test]
async fn a_command_that_cannot_be_carried_out_says_why() {
    let running = start_with(&[
        "--limits",
        "off,max_joined_conversations=1,max_watched_users=1",
    ])
    .await;
    let (ana, eve) = (running.person("ana").await, running.person("eve").await);
    let (own, foreign) = (ana.group("Own", &[]).await, eve.group("Hers", &[]).await);
    let other = ana.group("Other", &[]).await;
    let mut socket = ana.connect().await;
    socket.join(&own).await;
    let id = Uuid::new_v4();
    let send = |conversation: &str, body: &str| json!({"type": "send_message", "conversation_id": conversation, "client_id": id, "body": body});
    let first = socket.call(send(&own, "once")).await;
    assert_eq!(first["message"]["body"], "once");
    assert_eq!(
        socket.call(send(&own, "once")).await["message"],
        first["message"]
    );
    let nowhere = Uuid::now_v7().to_string();
    let cases = [
        (send(&own, "other"), "client_id_reused"),
        (send(&foreign, "x"), "not_found"),
        (send(&nowhere, "x"), "not_found"),
        (
            json!({"type": "send_message", "conversation_id": own, "client_id": Uuid::new_v4(), "body": "\u{0}"}),
            "invalid",
        ),
        (
            json!({"type": "join_conversation", "conversation_id": other}),
            "limit_exceeded",
        ),
        (
            json!({"type": "mark_read", "conversation_id": foreign, "seq": 1}),
            "not_found",
        ),
        (
            json!({"type": "mark_read", "conversation_id": own, "seq": u64::MAX}),
            "invalid",
        ),
        (
            json!({"type": "typing_start", "conversation_id": other}),
            "not_found",
        ),
        (
            json!({"type": "watch_presence", "user_ids": [ana.id, eve.id]}),
            "limit_exceeded",
        ),
        (
            json!({"type": "authenticate", "token": "x"}),
            "unauthenticated",
        ),
        (json!({"type": "join_conversation"}), "malformed"),
        (json!({"type": "ping", "role": "admin"}), "unknown_field"),
        (json!({"type": "dance"}), "unknown_type"),
    ];
    for (command, code) in cases {
        let error = socket.call(command).await;
        assert_eq!(
            (&error["type"], &error["problem"]["code"]),
            (&json!("error"), &json!(code))
        );
    }
    let leave = json!({"type": "leave_conversation", "conversation_id": own});
    socket.call(leave).await;
    let mut problems = Vec::new();
    for conversation in [&foreign, &nowhere] {
        let join = json!({"type": "join_conversation", "conversation_id": conversation});
        problems.push(socket.call(join).await["problem"].clone());
    }
    assert_eq!(problems[0]["code"], "not_found");
    assert_eq!(problems[0], problems[1]);
}

#[tokio::test]
async fn a_join_replays_what_was_missed_without_gap_or_duplicate() {
    let running = start_with(&["--limits", "off,max_replay=20"]).await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let group = ana.group("Lunch", &[&ben]).await;
    for n in 3..=12 {
        ana.say(&group, &n.to_string()).await;
    }
    let mut socket = ben.connect().await;
    let join = |after: u64| json!({"type": "join_conversation", "conversation_id": group, "after_seq": after});
    let speaker = ana.clone();
    let speaking = async {
        for n in 13..=20 {
            speaker.say(&group, &n.to_string()).await;
        }
    };
    let hearing = async {
        assert_eq!(socket.call(join(5)).await["reset"], false);
        hear(&mut socket, 6..=20).await;
    };
    tokio::join!(speaking, hearing);

    for n in 21..=30 {
        ana.say(&group, &n.to_string()).await;
    }
    hear(&mut socket, 21..=30).await;
    let far_behind = socket.call(join(1)).await;
    assert_eq!(
        (&far_behind["reset"], &far_behind["head_seq"]),
        (&json!(true), &json!(30))
    );
    let from_the_future = socket.call(join(99)).await;
    assert_eq!(from_the_future["reset"], true);
    ana.say(&group, "31").await;
    hear(&mut socket, 31..=31).await;
}

/// The messages of these places come next, each with its place as its body.
async fn hear(socket: &mut Client, places: std::ops::RangeInclusive<u64>) {
    for place in places {
        let heard = socket.until("new_message").await;
        assert_eq!(heard["seq"], place);
        assert_eq!(heard["message"]["body"], place.to_string());
    }
}

#[tokio::test]
async fn a_token_is_renewed_in_place_and_only_by_one_of_the_same_sign_in() {
    let running = start().await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let mut short = ana.clone();
    short.token = Forge::of(&running, &ana).expiring_in(-3);

    let mut expiring = short.connect().await;
    let mut renewed = short.connect().await;
    let ack = renewed
        .call(json!({"type": "authenticate", "token": ana.token}))
        .await;
    assert_eq!(ack["type"], "ack");
    assert_eq!(
        expiring.closed().await,
        4401,
        "a few seconds after the token ran out"
    );
    renewed.settle().await;

    let error = renewed
        .call(json!({"type": "authenticate", "token": ben.token}))
        .await;
    assert_eq!(error["problem"]["code"], "unauthenticated");
    assert_eq!(renewed.closed().await, 4500);
}

#[tokio::test]
async fn a_socket_is_pinged_and_closed_when_nothing_is_heard() {
    let running = start().await;
    let ana = running.person("ana").await;
    let mut socket = ana.connect().await;
    socket.settle().await;
    // The pings arrive while nobody reads here, so that no pong goes back.
    skip(46).await;
    assert_eq!(socket.closed().await, 4408);
}

#[tokio::test]
async fn a_reader_that_does_not_read_for_a_while_misses_nothing() {
    let running = start().await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let group = ana.group("Flood", &[&ben]).await;
    let mut slow = ben.connect().await;
    slow.join(&group).await;
    let long = "x".repeat(8_000);
    // About 8 MB: more than the buffers of the kernel on both ends.
    for _ in 0..1_000 {
        ana.say(&group, &long).await;
    }
    for place in 3..1_003 {
        let heard = slow.until("new_message").await;
        assert_eq!(heard["seq"], place);
    }
    slow.settle().await;
}

#[tokio::test]
async fn a_draining_server_sends_its_clients_elsewhere() {
    let running = start().await;
    let ana = running.person("ana").await;
    let group = ana.group("Notes", &[]).await;
    let mut socket = ana.connect().await;
    let unauthenticated = open(&running.url("/api/v1"), "/ws", &[]).await.unwrap();
    let send = json!({"type": "send_message", "conversation_id": group, "client_id": Uuid::new_v4(), "body": "last", "ref": "last"});
    socket.send(send).await;
    socket.until_that(|frame| frame["ref"] == "last").await;

    running.server.shutdown();

    let reconnect = socket.until("reconnect").await;
    assert!(
        reconnect["after_ms"].as_u64().unwrap() < 2_000,
        "{reconnect}"
    );
    assert_eq!(socket.closed().await, 1001);
    let mut unauthenticated = unauthenticated;
    assert_eq!(unauthenticated.closed().await, 1001);
    running.stop().await;
}

#[tokio::test]
async fn what_breaks_the_rules_of_websocket_is_closed_with_its_code() {
    let running = start().await;
    let ana = running.person("ana").await;
    let masked = |head: &[u8], length: usize| -> Vec<u8> {
        let mut bytes = head.to_vec();
        bytes.extend([0; 4]);
        bytes.extend(std::iter::repeat_n(0x61, length));
        bytes
    };
    let mut huge = vec![0x81, 0xff];
    huge.extend((1_u64 << 62).to_be_bytes());
    let mut too_big = vec![0x81, 0xff];
    too_big.extend(65_537_u64.to_be_bytes());
    let cases: [(&str, Vec<u8>, u16); 11] = [
        ("a binary frame", masked(&[0x82, 0x81], 1), 1003),
        (
            "text that is no UTF-8",
            [masked(&[0x81, 0x82], 0), vec![0xff, 0xff]].concat(),
            1007,
        ),
        ("more than 64 KiB", masked(&too_big, 65_537), 1009),
        (
            "a declared length beyond all reason",
            masked(&huge, 0),
            1009,
        ),
        ("no mask", vec![0x81, 0x01, 0x61], 1002),
        ("a reserved bit", masked(&[0xc1, 0x81], 1), 1002),
        ("a reserved opcode", masked(&[0x83, 0x81], 1), 1002),
        ("a fragmented ping", masked(&[0x09, 0x80], 0), 1002),
        ("a long ping", masked(&[0x89, 0xfe, 0x00, 0x7e], 126), 1002),
        ("a continuation of nothing", masked(&[0x80, 0x81], 1), 1002),
        ("a message of endless empty fragments", endless(), 1008),
    ];
    for (what, bytes, code) in cases {
        let mut socket = ana.connect().await;
        write_raw(&mut socket, &bytes).await;
        assert_eq!(socket.closed().await, code, "{what}");
    }
    still_works(&ana).await;
}

fn endless() -> Vec<u8> {
    let mut bytes = vec![0x01, 0x80, 0, 0, 0, 0];
    for _ in 0..60_000 {
        bytes.extend([0x00, 0x80, 0, 0, 0, 0]);
    }
    bytes
}

#[tokio::test]
async fn a_message_that_does_not_end_is_not_waited_for() {
    let running = start().await;
    let ana = running.person("ana").await;
    let mut socket = ana.connect().await;
    socket.settle().await;
    write_raw(&mut socket, &[0x01, 0x81, 0, 0, 0, 0, 0x61]).await;
    // Others are answered: the fragment has been seen.
    still_works(&ana).await;

    time::pause();
    time::advance(Duration::from_secs(41)).await;
    time::resume();

    assert_eq!(socket.closed().await, 1008);
}

#[tokio::test]
async fn each_ping_is_answered_once_in_order_and_between_what_else_there_is_to_say() {
    let running = start().await;
    let ana = running.person("ana").await;
    let mut socket = ana.connect().await;
    socket.settle().await;
    let mut bytes = Vec::new();
    for number in 0..40 {
        bytes.extend([0x89, 0x81, 0, 0, 0, 0, number]);
        let command = format!(r#"{{"type":"ping","ref":"{number}"}}"#);
        let length = u8::try_from(command.len()).unwrap();
        bytes.extend([0x81, 0x80 | length, 0, 0, 0, 0]);
        bytes.extend(command.as_bytes());
    }
    write_raw(&mut socket, &bytes).await;
    let (mut pongs, mut acks) = (Vec::new(), Vec::new());
    while pongs.len() + acks.len() < 80 {
        match socket.stream.next().await.unwrap().unwrap() {
            Message::Pong(payload) => pongs.push(payload[0]),
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                acks.push(frame["ref"].as_str().unwrap().parse::<u8>().unwrap());
            }
            other => panic!("{other:?}"),
        }
    }
    let expected: Vec<u8> = (0..40).collect();
    assert_eq!((pongs, acks), (expected.clone(), expected));
}

async fn write_raw(socket: &mut Client, bytes: &[u8]) {
    use tokio::io::AsyncWriteExt;
    // The server may close while the rest of a long violation is still on its way.
    let _closed = socket.stream.get_mut().write_all(bytes).await;
}

async fn still_works(person: &Person) {
    person.connect().await.settle().await;
}

#[tokio::test]
async fn malformed_frames_are_borne_nine_times_a_minute() {
    let running = start().await;
    let ana = running.person("ana").await;
    let mut socket = ana.connect().await;
    let bad = [
        "",
        "{",
        "[]",
        "\"\u{1f980}\"",
        "{\"type\":7}",
        "{\"a\":1,\"a\":2}",
    ];
    for frame in bad.iter().cycle().take(9) {
        socket.send_raw(Message::text(*frame)).await;
        let error = socket.until("error").await;
        assert_eq!(error["problem"]["code"], "malformed", "{frame}");
    }
    socket.settle().await;
    socket.send_raw(Message::text("{")).await;
    assert_eq!(socket.closed().await, 4501);
}

#[tokio::test]
async fn a_goodbye_is_answered() {
    let running = start().await;
    let mut socket = running.person("ana").await.connect().await;
    let goodbye = tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    socket
        .stream
        .send(Message::Close(Some(goodbye)))
        .await
        .unwrap();
    assert_eq!(socket.closed().await, 1000);
}
