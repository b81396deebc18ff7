//! How far somebody has come, told over the socket: beside everything else, and without a word getting lost.

use chat_core::testing::PrivatePostgres;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};
use uuid::Uuid;

use crate::support::{Client, PATIENCE, Person, Running, start_on, text};

/// Frames whose answers are not waited for, numbered by their place.
async fn write(socket: &mut Client, frames: Vec<Value>) {
    for (nth, mut frame) in frames.into_iter().enumerate() {
        frame["ref"] = json!(format!("frame {nth}"));
        socket.send(frame).await;
    }
}

/// So many answers, by what they are to.
async fn answers(socket: &mut Client, count: usize) -> Vec<(String, Value)> {
    let mut answers = Vec::new();
    while answers.len() < count {
        let is_answer = |frame: &Value| {
            let is_numbered = |it: &str| it.starts_with("frame ");
            frame["ref"].as_str().is_some_and(is_numbered)
        };
        let frame = socket.until_that(is_answer).await;
        answers.push((text(&frame["ref"]), frame));
    }
    answers
}

fn mark(kind: &str, conversation: &str, seq: u64) -> Value {
    json!({"type": kind, "conversation_id": conversation, "seq": seq})
}

fn back(conversation: &str, seq: u64) -> Value {
    json!({"type": "mark_read", "conversation_id": conversation, "seq": seq, "unread": true})
}

fn message(conversation: &str) -> Value {
    json!({"type": "send_message", "conversation_id": conversation, "client_id": Uuid::new_v4(), "body": "Hi"})
}

async fn read_seq(person: &Person, conversation: &str) -> u64 {
    let row = person.get(&format!("/conversations/{conversation}")).await;
    row.body["me"]["read_seq"].as_u64().unwrap()
}

/// Ana with a socket, and groups in which Ben said something.
async fn scene(
    groups: usize,
    said: usize,
) -> (PrivatePostgres, Running, Person, Client, Vec<String>) {
    let postgres = PrivatePostgres::start(&[]).unwrap();
    let url = postgres.database().await.unwrap();
    let running = start_on(&url, &["--limits", "off"]).await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let mut places = Vec::new();
    for nth in 0..groups {
        let group = ben.group(&format!("Room {nth}"), &[&ana]).await;
        for nth in 0..said {
            ben.say(&group, &nth.to_string()).await;
        }
        places.push(group);
    }
    let socket = ana.connect().await;
    (postgres, running, ana, socket, places)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_does_not_stand_behind_all_that_its_device_has_read() {
    let (postgres, running, ana, mut socket, places) = scene(12, 5).await;
    // The head is at 7: two came, and five things were said.
    let mut frames = Vec::new();
    for seq in 3..=7 {
        for place in &places {
            frames.push(mark("mark_delivered", place, seq));
            frames.push(mark("mark_read", place, seq));
        }
    }
    frames.push(message(&places[0]));
    let (count, before) = (frames.len(), running.server.chat().stats().commits);
    postgres.freeze().unwrap();
    write(&mut socket, frames).await;
    postgres.thaw().unwrap();

    let all = answers(&mut socket, count).await;
    assert!(all.iter().all(|(_, it)| it["type"] == "ack"), "{all:#?}");
    let answered = all.iter().map(|it| it.0.clone());
    let asked = (0..count).map(|nth| format!("frame {nth}"));
    assert!(answered.eq(asked), "each is answered once, in its order");
    for place in &places[1..] {
        assert_eq!(read_seq(&ana, place).await, 7);
    }
    let commits = running.server.chat().stats().commits - before;
    assert!(
        commits * 4 < count as u64,
        "{commits} transactions for one message"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_set_back_stays_behind_what_was_read_before_and_before_what_is_read_after() {
    let (postgres, running, ana, mut socket, places) = scene(1, 8).await;
    let place = &places[0];
    for (frames, is) in [
        (vec![mark("mark_read", place, 9), back(place, 4)], 4),
        (vec![back(place, 3), mark("mark_read", place, 6)], 6),
        (
            vec![
                mark("mark_read", place, 10),
                back(place, 2),
                mark("mark_read", place, 5),
            ],
            5,
        ),
        (vec![message(place), back(place, 2)], 2),
        (vec![back(place, 1), message(place)], 12),
    ] {
        let (told, count) = (format!("{frames:?}"), frames.len());
        postgres.freeze().unwrap();
        write(&mut socket, frames).await;
        sleep(Duration::from_millis(100)).await;
        postgres.thaw().unwrap();
        let all = answers(&mut socket, count).await;
        assert!(all.iter().all(|(_, it)| it["type"] == "ack"), "{all:#?}");
        assert_eq!(read_seq(&ana, place).await, is, "{told}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_marked_before_a_goodbye_is_kept() {
    let (_postgres, running, ana, mut socket, places) = scene(8, 3).await;
    for place in &places {
        socket.send(mark("mark_read", place, 5)).await;
    }
    socket.stream.close(None).await.unwrap();
    let until = Instant::now() + PATIENCE;
    for place in &places {
        while read_seq(&ana, place).await != 5 {
            assert!(Instant::now() < until, "it is lost");
            sleep(Duration::from_millis(50)).await;
        }
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_that_cannot_be_is_refused_and_takes_no_other_with_it() {
    let (_postgres, running, ana, mut socket, places) = scene(2, 1).await;
    let frames = vec![
        mark("mark_read", &places[0], 3),
        mark("mark_read", &places[0], u64::MAX),
        mark("mark_read", &Uuid::now_v7().to_string(), 1),
        mark("mark_delivered", &places[1], 3),
    ];
    write(&mut socket, frames).await;
    let mut all = answers(&mut socket, 4).await;
    all.sort_by(|one, other| one.0.cmp(&other.0));
    let codes = all.iter().map(|(_, it)| it["problem"]["code"].as_str());
    let codes: Vec<_> = codes.collect();
    assert_eq!(
        codes,
        [None, Some("invalid"), Some("not_found"), None],
        "{all:#?}"
    );
    assert_eq!(read_seq(&ana, &places[0]).await, 3);
    running.stop().await;
}
