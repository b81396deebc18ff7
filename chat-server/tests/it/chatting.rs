//! What a chat is for, step by step: each through the public interface.

use serde_json::{Value, json};

use crate::support::{Person, Running, open, refusal, start, text};

/// Ana and Ben, in a group of Ana's.
async fn two_in_a_group(running: &Running) -> (Person, Person, String) {
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let group = ana.group("Lunch", &[&ben]).await;
    (ana, ben, group)
}

#[tokio::test]
async fn the_handshake_takes_a_valid_token_and_refuses_expired_forged_and_missing_ones() {
    let running = start().await;
    let ana = running.person("ana").await;
    let tokens = crate::auth::Forge::of(&running, &ana);

    ana.connect().await;

    let (head, signature) = ana.token.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{head}.{other}{}", &signature[1..]);
    for (token, code) in [
        (tokens.expired(), "token_expired"),
        (forged, "unauthenticated"),
    ] {
        let mut caller = ana.clone();
        caller.token = token;
        let refused = refusal(caller.try_connect().await.err().unwrap());
        assert_eq!(refused, (401, code.to_owned()));
    }

    let mut silent = open(&running.url("/api/v1"), "/ws", &[]).await.unwrap();
    silent.send(json!({"type": "ping", "ref": "1"})).await;
    let error = silent.frame().await;
    assert_eq!(error["problem"]["code"], "unauthenticated", "{error}");
    assert_eq!(silent.closed().await, 4500);
}

#[tokio::test]
async fn a_user_is_online_on_connect_and_offline_with_last_seen_on_disconnect() {
    let running = start().await;
    let (ana, ben, _group) = two_in_a_group(&running).await;
    let mut watcher = ana.connect().await;
    let watch = json!({"type": "watch_presence", "user_ids": [ben.id]});
    assert_eq!(watcher.call(watch).await["type"], "ack");
    let presence = watcher.until("presence").await;
    assert_eq!(presence["status"], "offline");
    assert_eq!(presence["last_seen_at"], Value::Null);

    let mut socket = ben.connect().await;
    let presence = watcher.until("presence").await;
    assert_eq!(
        (&presence["user_id"], &presence["status"]),
        (&json!(ben.id), &json!("online"))
    );
    let profile = ana.get(&format!("/users/{}", ben.id)).await;
    assert_eq!(
        profile.body["presence"]["status"], "online",
        "{:?}",
        profile.body
    );

    socket.stream.close(None).await.unwrap();
    let presence = watcher.until("presence").await;
    assert_eq!(presence["status"], "offline");
    assert!(presence["last_seen_at"].is_string(), "{presence}");
    let profile = ana.get(&format!("/users/{}", ben.id)).await;
    assert_eq!(
        profile.body["presence"]["last_seen_at"],
        presence["last_seen_at"]
    );
}

#[tokio::test]
async fn who_joins_gets_the_log_and_who_leaves_gets_no_more_of_it() {
    let running = start().await;
    let (ana, ben, group) = two_in_a_group(&running).await;
    ana.say(&group, "before").await;
    let mut socket = ben.connect().await;

    let ack = socket.join(&group).await;
    let newest = ack["head_seq"].as_u64().unwrap();
    assert_eq!(ack["reset"], false);
    ana.say(&group, "while").await;
    let heard = socket.until("new_message").await;
    assert_eq!(
        (&heard["message"]["body"], &heard["seq"]),
        (&json!("while"), &json!(newest + 1))
    );

    let leave = json!({"type": "leave_conversation", "conversation_id": group});
    assert_eq!(socket.call(leave).await["type"], "ack");
    ana.say(&group, "after").await;
    let updated = socket
        .until_that(|frame| frame["row"]["conversation"]["last_message"]["body"] == "after")
        .await;
    assert_eq!(updated["type"], "conversation_updated");
    assert!(
        socket
            .settle()
            .await
            .iter()
            .all(|frame| frame["type"] != "new_message")
    );
}

#[tokio::test]
async fn a_post_persists_and_reaches_the_joined_and_the_list_of_every_member() {
    let running = start().await;
    let (ana, ben, group) = two_in_a_group(&running).await;
    let cid = running.person("cid").await;
    let member = format!("/conversations/{group}/members/{}", cid.id);
    assert_eq!(ana.put(&member, json!({})).await.status, 201);
    let (mut joined, mut not_joined) = (ben.connect().await, cid.connect().await);
    joined.join(&group).await;

    let message = ana.say(&group, "Soup?").await;

    let heard = joined.until("new_message").await;
    assert_eq!(heard["message"], message);
    assert_eq!(heard["conversation_id"], json!(group));
    for socket in [&mut joined, &mut not_joined] {
        let updated = socket
            .until_that(|frame| frame["row"]["conversation"]["last_message"]["id"] == message["id"])
            .await;
        assert_eq!(updated["type"], "conversation_updated");
        assert_eq!(updated["row"]["unread"]["count"], 1, "{updated}");
    }
    assert!(
        not_joined
            .settle()
            .await
            .iter()
            .all(|frame| frame["type"] != "new_message")
    );
    let history = ben.get(&format!("/conversations/{group}/messages")).await;
    assert_eq!(history.body["items"], json!([message]));
}

#[tokio::test]
async fn a_new_message_moves_its_conversation_to_the_top_with_its_text_time_and_unread() {
    let running = start().await;
    let (ana, ben, older) = two_in_a_group(&running).await;
    ana.say(&older, "first").await;
    let newer = ana.group("Dinner", &[&ben]).await;
    ana.say(&newer, "second").await;
    let ids = |list: &Value| -> Vec<String> {
        let rows = list["items"].as_array().unwrap().iter();
        rows.map(|row| text(&row["conversation"]["id"])).collect()
    };
    let before = ben.get("/conversations").await.body;
    assert_eq!(ids(&before), [newer.clone(), older.clone()]);

    let message = ana.say(&older, "third").await;

    let after = ben.get("/conversations").await.body;
    assert_eq!(ids(&after), [older, newer]);
    let row = &after["items"][0];
    assert_eq!(row["conversation"]["last_message"]["body"], "third");
    assert_eq!(
        row["conversation"]["last_activity_at"],
        message["created_at"]
    );
    assert_eq!(
        row["unread"],
        json!({"count": 2, "capped": false, "mentions": 0})
    );
}

#[tokio::test]
async fn reading_a_conversation_is_told_to_the_joined_and_to_my_other_devices() {
    let running = start().await;
    let (ana, ben, group) = two_in_a_group(&running).await;
    let message = ana.say(&group, "Read me").await;
    let (mut author, mut phone, mut laptop) = (
        ana.connect().await,
        ben.connect().await,
        ben.connect().await,
    );
    author.join(&group).await;

    let mark = json!({"type": "mark_read", "conversation_id": group, "seq": message["seq"]});
    assert_eq!(phone.call(mark).await["type"], "ack");

    for socket in [&mut author, &mut laptop] {
        let by_ben = json!({"type": "read", "conversation_id": group, "user_id": ben.id, "seq": message["seq"]});
        socket.until_that(|frame| *frame == by_ben).await;
    }
    let row = ben.get(&format!("/conversations/{group}")).await.body;
    assert_eq!(
        (&row["me"]["read_seq"], &row["unread"]["count"]),
        (&message["seq"], &json!(0))
    );
}

#[tokio::test]
async fn typing_starts_and_stops_for_the_others_who_joined() {
    let running = start().await;
    let (ana, ben, group) = two_in_a_group(&running).await;
    let (mut typist, mut reader) = (ana.connect().await, ben.connect().await);
    typist.join(&group).await;
    reader.join(&group).await;
    for (command, who) in [
        ("typing_start", json!([ana.id])),
        ("typing_stop", json!([])),
    ] {
        let command = json!({"type": command, "conversation_id": group});
        assert_eq!(typist.call(command).await["type"], "ack");
        let typing = reader.until("typing").await;
        assert_eq!(typing["user_ids"], who);
    }
}
