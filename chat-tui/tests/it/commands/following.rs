//! `tail`: all that is said, once each and in order, for programs and for people.

use std::process::Stdio;

use chat_core::model::{ClientId, Draft, Emoji};
use tokio::{process::Command, time::timeout};

use super::{PATIENCE, Setting, group};

fn saying(body: &str) -> Draft {
    Draft {
        client_id: ClientId::new(),
        body: body.to_owned(),
        reply_to: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_in_sentences() {
    let setting = Setting::new().await;
    let script = setting.script("bot").await;
    let (ana, bo) = (setting.person("ana").await, setting.person("bo").await);
    let bot = setting.signed_in("bot").await;
    let release = group(&ana, "Release", &[&bot]).await;
    ana.send(release, &saying("before\nthe start"))
        .await
        .unwrap();

    let mut following = script.follow(&["Release"]);
    assert_eq!(
        following.sentence().await,
        "Ana in #Release: before the start"
    );
    let message = ana
        .send(release, &saying("it is \u{1b}[31mred"))
        .await
        .unwrap();
    let said = following.sentence().await;
    assert!(said.starts_with("Ana in #Release: it is "), "{said}");
    assert!(!said.contains('\u{1b}'));
    let answer = Draft {
        reply_to: Some(message.id),
        ..saying("it is")
    };
    bot.send(release, &answer).await.unwrap();
    let told = following.sentence().await;
    assert_eq!(told, "You in #Release, answering Ana: it is");
    ana.edit_message(release, message.id, "it is green")
        .await
        .unwrap();
    let told = following.sentence().await;
    assert_eq!(told, "Ana edited a message in #Release: it is green");
    let thumb = Emoji::try_from("👍".to_owned()).unwrap();
    bot.react(release, message.id, &thumb).await.unwrap();
    bot.unreact(release, message.id, &thumb).await.unwrap();
    ana.pin(release, message.id).await.unwrap();
    for told in [
        "You reacted 👍 to a message by Ana in #Release: it is green",
        "You took 👍 back from a message by Ana in #Release: it is green",
        "Ana pinned a message in #Release: it is green",
    ] {
        assert_eq!(following.sentence().await, told);
    }
    ana.delete_message(release, message.id).await.unwrap();
    let bo_id = bo.user_id().unwrap();
    ana.put_member(release, bo_id, None).await.unwrap();
    bo.leave(release).await.unwrap();
    for told in [
        "Ana deleted a message in #Release",
        "Ana added Bo to #Release",
        "Bo left #Release",
    ] {
        assert_eq!(following.sentence().await, told);
    }
    ana.remove_member(release, bot.user_id().unwrap())
        .await
        .unwrap();
    // Nothing is left to follow.
    let ended = timeout(PATIENCE, following.child.wait()).await.unwrap();
    assert_eq!(ended.unwrap().code(), Some(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_json_has_what_is_documented() {
    let setting = Setting::new().await;
    let script = setting.script("bot").await;
    let ana = setting.person("ana").await;
    let bot = setting.signed_in("bot").await;
    let direct = ana
        .direct(bot.user_id().unwrap())
        .await
        .unwrap()
        .conversation;
    let hostile = "a\u{1b}]0;b\u{7}\u{9b}2J\u{202e}c\r\n\"d\\";
    let first = ana.send(direct.id, &saying("plane")).await.unwrap();
    let edited = ana
        .edit_message(direct.id, first.id, "plain")
        .await
        .unwrap();
    let last = ana.send(direct.id, &saying(hostile)).await.unwrap();

    let ran = script
        .run(&["tail", "@ana", "--after", "0", "--json"])
        .await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let acts = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
    assert!(!ran.out.contains(acts), "{:?}", ran.out);
    let lines = ran.json();
    let types: Vec<_> = lines.iter().map(|line| &line["type"]).collect();
    assert_eq!(types, ["new_message", "message_edited", "new_message"]);
    let me = ana.me().await.unwrap();
    for (line, seq) in lines.iter().zip(1..) {
        assert_eq!(line["conversation_id"], direct.id.to_string());
        assert_eq!(line["seq"], seq);
        assert!(line["at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(line["conversation"], "@ana");
        let author = serde_json::json!({ "id": me.id, "username": "ana", "display_name": "Ana" });
        assert_eq!(line["author"], author);
    }
    assert_eq!(lines[1]["message"], serde_json::to_value(edited).unwrap());
    assert_eq!(lines[2]["message"], serde_json::to_value(last).unwrap());
    // What was said before comes as it is now.
    let before = script.run(&["tail", "--json"]).await.json();
    let bodies: Vec<_> = before.iter().map(|line| &line["message"]["body"]).collect();
    assert_eq!(bodies, ["plain", hostile]);
    assert!(before.iter().all(|line| line["type"] == "new_message"));
    // And a place in the log leads on from there.
    let rest = script
        .run(&["tail", "@ana", "--after", "1", "--json"])
        .await
        .json();
    assert_eq!(rest, lines[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_messages_are_those_of_all_conversations_together() {
    let setting = Setting::new().await;
    let script = setting.script("bot").await;
    let ana = setting.person("ana").await;
    let bot = setting.signed_in("bot").await;
    let (one, two) = (
        group(&ana, "One", &[&bot]).await,
        group(&ana, "Two", &[&bot]).await,
    );
    for number in 0..250 {
        let place = if number % 5 == 0 { one } else { two };
        ana.send(place, &saying(&number.to_string())).await.unwrap();
    }
    let bodies = async |arguments: &[&str]| -> Vec<u32> {
        let ran = script.run(&[&["tail", "--json"], arguments].concat()).await;
        assert_eq!(ran.code, 0, "{}", ran.err);
        let lines = ran.json();
        let body = |line: &serde_json::Value| line["message"]["body"].as_str().unwrap().parse();
        lines.iter().map(|line| body(line).unwrap()).collect()
    };
    assert_eq!(bodies(&["-n", "7"]).await, (243..250).collect::<Vec<_>>());
    assert_eq!(bodies(&["-n", "240"]).await, (10..250).collect::<Vec<_>>());
    assert_eq!(bodies(&["-n", "2", "One"]).await, [240, 245]);
    assert_eq!(bodies(&["-n", "1", "One", "#Two"]).await, [249]);
    assert_eq!(bodies(&["-n", "0"]).await, [0_u32; 0]);
    let wrong = script.run(&["tail", "--after", "3"]).await;
    assert_eq!(wrong.code, 2);
    let nowhere = script.run(&["tail", "On"]).await;
    assert_eq!(nowhere.code, 6);
    assert!(nowhere.err.contains("One"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_leaves_no_gap_and_repeats_nothing() {
    let mut setting = Setting::new().await;
    let script = setting.script("bot").await;
    let ana = setting.person("ana").await;
    let bot = setting.signed_in("bot").await;
    let release = group(&ana, "Release", &[&bot]).await;
    ana.send(release, &saying("0")).await.unwrap();
    let mut one = script.follow(&["Release", "--json"]);
    let mut all = script.follow(&["--json"]);
    for following in [&mut one, &mut all] {
        assert_eq!(following.json().await["message"]["body"], "0");
    }
    for round in 0..2 {
        for number in 1..=5 {
            let body = (round * 10 + number).to_string();
            ana.send(release, &saying(&body)).await.unwrap();
        }
        setting.stop().await;
        setting.start_again().await;
        for number in 6..=10 {
            let body = (round * 10 + number).to_string();
            ana.send(release, &saying(&body)).await.unwrap();
        }
    }
    for following in [&mut one, &mut all] {
        for number in 1..=20 {
            let line = following.json().await;
            assert_eq!(line["message"]["body"], number.to_string());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_begins_while_all_are_followed_is_told_from_its_first_message() {
    let setting = Setting::new().await;
    let script = setting.script("bot").await;
    let ana = setting.person("ana").await;
    let bot = setting.signed_in("bot").await;
    let old = group(&ana, "Old", &[]).await;
    ana.send(old, &saying("before you came")).await.unwrap();
    let mark = group(&ana, "Mark", &[&bot]).await;
    let mut following = script.follow(&[]);
    // It follows as soon as it has told this one.
    ana.send(mark, &saying("go")).await.unwrap();
    assert_eq!(following.sentence().await, "Ana in #Mark: go");

    let direct = ana
        .direct(bot.user_id().unwrap())
        .await
        .unwrap()
        .conversation;
    ana.send(direct.id, &saying("psst")).await.unwrap();
    assert_eq!(following.sentence().await, "Ana to you: psst");
    ana.put_member(old, bot.user_id().unwrap(), None)
        .await
        .unwrap();
    ana.send(old, &saying("welcome")).await.unwrap();
    assert_eq!(following.sentence().await, "Ana added you to #Old");
    assert_eq!(following.sentence().await, "Ana in #Old: welcome");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_out_while_following_is_told_so() {
    let setting = Setting::new().await;
    let script = setting.script("bot").await;
    setting.person("ana").await;
    script.run(&["send", "@ana", "one"]).await;
    let mut following = script.follow(&[]);
    assert_eq!(following.sentence().await, "You to Ana: one");
    assert_eq!(script.run(&["logout"]).await.code, 0);
    let ended = timeout(PATIENCE, following.child.wait_with_output()).await;
    let ended = ended.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(3));
    let told = String::from_utf8(ended.stderr).unwrap();
    assert!(told.contains("chat-tui login"), "{told}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_silence_when_it_is_told_to_or_when_nobody_reads_any_more() {
    let setting = Setting::new().await;
    let script = setting.script("bot").await;
    setting.person("ana").await;
    script
        .run_with("one\ntwo\n", &["send", "@ana", "--each-line"])
        .await;

    for signal in ["TERM", "INT", "HUP"] {
        let mut following = script.follow(&[]);
        assert_eq!(following.sentence().await, "You to Ana: one");
        let pid = following.child.id().unwrap().to_string();
        let told = Command::new("kill")
            .args(["-s", signal, &pid])
            .status()
            .await;
        assert!(told.unwrap().success());
        let ended = timeout(PATIENCE, following.child.wait_with_output()).await;
        let ended = ended.unwrap().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{signal}");
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
    }
    for arguments in [&["tail"][..], &["tail", "-f"], &["conversations"]] {
        let mut child = script.start(arguments);
        // As `head -1` does, and no other line is ever said.
        drop(child.stdout.take());
        let ended = timeout(PATIENCE, child.wait_with_output()).await;
        let ended = ended.unwrap().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
    }
    // A reader who is stuck does not keep it from ending.
    let long = "x".repeat(4_000);
    let lines = format!("{long}\n").repeat(40);
    let sent = script.run_with(&lines, &["send", "@ana", "--each-line"]);
    assert_eq!(sent.await.code, 0);
    let mut stuck = script.follow(&["-n", "40"]);
    stuck.line().await;
    let pid = stuck.child.id().unwrap().to_string();
    Command::new("kill").arg(&pid).status().await.unwrap();
    let ended = timeout(PATIENCE, stuck.child.wait()).await.unwrap();
    assert_eq!(ended.unwrap().code(), Some(0));
    let closed = script
        .command()
        .arg("whoami")
        .stdout(Stdio::null())
        .status();
    assert!(closed.await.unwrap().success());
}
