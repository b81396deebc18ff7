//! `send` and `conversations`: what a script says is there once, or the script is told that it is not.

use chat_core::store::Around;
use uuid::Uuid;

use super::{Setting, group};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_says_is_there_when_it_ends_to_the_letter() {
    let setting = Setting::new().await;
    let (script, ana) = (setting.script("bot").await, setting.person("ana").await);

    let sent = script.run(&["send", "@ana", "from an argument"]).await;
    assert_eq!((sent.code, sent.out.as_str()), (0, ""));
    let input = "  several\n\tlines \u{1f980}\n\n";
    assert_eq!(script.run_with(input, &["send", "@Ana"]).await.code, 0);
    let input = "line one\n\n  \nline two\nlast without an end";
    let sent = script
        .run_with(input, &["send", "@ana", "--each-line", "--json"])
        .await;
    assert_eq!(sent.code, 0);

    let row = ana.conversations(None).await.unwrap().items.remove(0);
    let messages = ana.messages(row.conversation.id, Around::Newest, 50).await;
    let messages = messages.unwrap();
    let bodies: Vec<&str> = messages.iter().map(|it| it.body.as_str()).collect();
    let said = [
        "from an argument",
        "  several\n\tlines \u{1f980}\n",
        "line one",
        "line two",
        "last without an end",
    ];
    assert_eq!(bodies, said);
    // What is printed is the message as the server has it.
    let printed = sent.json();
    assert_eq!(printed.len(), 3);
    for (printed, message) in printed.iter().zip(&messages[2..]) {
        assert_eq!(*printed, serde_json::to_value(message).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_client_id_again_says_it_once_and_an_answer_names_what_it_answers() {
    let setting = Setting::new().await;
    let (script, ana) = (setting.script("bot").await, setting.person("ana").await);
    let me = script.run(&["whoami", "--json"]).await.json().remove(0);
    let bot = me["id"].as_str().unwrap().parse().unwrap();
    let conversation = ana.direct(bot).await.unwrap().conversation.id;
    let (id, client_id) = (conversation.to_string(), Uuid::new_v4().to_string());
    let arguments = ["send", &id, "once", "--client-id", &client_id, "--json"];
    let first = script.run(&arguments).await.json().remove(0);
    let second = script.run(&arguments).await.json().remove(0);
    assert_eq!(first, second);

    let to = first["id"].as_str().unwrap();
    let answer = script
        .run(&["send", &id, "more", "--reply-to", to, "--json"])
        .await;
    assert_eq!(answer.json()[0]["reply_to"], first["id"]);

    let reused = script
        .run(&["send", &id, "another", "--client-id", &client_id])
        .await;
    assert_eq!(reused.code, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_server_that_is_away_for_a_moment_arrives_once() {
    let mut setting = Setting::new().await;
    let script = setting.script("bot").await;
    setting.person("ana").await;
    script.run(&["send", "@ana", "first"]).await;
    setting.stop().await;
    let sending = script.start(&["send", "@ana", "second"]);
    // It meets nobody at first, or it comes late: either way the message has to be there.
    tokio::task::yield_now().await;
    setting.start_again().await;
    let sent = sending.wait_with_output().await.unwrap();
    assert!(sent.status.success(), "{sent:?}");
    let read = script.run(&["tail", "@ana", "--json"]).await.json();
    let bodies: Vec<_> = read.iter().map(|it| &it["message"]["body"]).collect();
    assert_eq!(bodies, ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_said_ends_with_a_code_and_a_word_on_what_to_do() {
    let mut setting = Setting::new().await;
    let (script, ana) = (setting.script("bot").await, setting.person("ana").await);
    let member = setting.signed_in("bot").await;
    let one = group(&ana, "Twins", &[&member]).await;
    let two = group(&ana, "Twins", &[&member]).await;
    group(&ana, "Release", &[&member]).await;

    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["send", "Release", " "], 2, &["nothing to send"]),
        (&["send"], 2, &["<CONVERSATION>"]),
        (
            &["send", "Release", "x", "--timeout", "0"],
            2,
            &["--timeout"],
        ),
        (&["send", "Relea", "x"], 6, &["Relea", "Release"]),
        (&["send", "@an", "x"], 6, &["an", "@ana (Ana)"]),
        (&["send", "@a", "x"], 6, &["nobody"]),
        (
            &["send", "Twins", "x"],
            6,
            &[&one.to_string(), &two.to_string()],
        ),
        (
            &["send", "019aa5e8-0000-7000-8000-000000000001", "x"],
            6,
            &["chat-tui conversations"],
        ),
        (&["send", "Release", &"x".repeat(100_000)], 5, &["not sent"]),
        (
            &["--server", "nonsense", "send", "Release", "x"],
            2,
            &["nonsense"],
        ),
    ];
    for (arguments, code, words) in cases {
        let ran = script.run(arguments).await;
        assert_eq!((ran.code, ran.out.as_str()), (*code, ""), "{}", ran.err);
        for word in *words {
            assert!(ran.err.contains(word), "{word}: {}", ran.err);
        }
    }
    let stranger = setting.stranger("nobody");
    let ran = stranger.run(&["send", "Release", "x"]).await;
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("chat-tui login"));

    // A title as `tail` writes it is one, too.
    assert_eq!(script.run(&["send", "#Release", "x"]).await.code, 0);
    setting.stop().await;
    let id = Uuid::new_v4().to_string();
    let arguments = ["send", "Release", "x", "--timeout", "1", "--client-id", &id];
    let ran = script.run(&arguments).await;
    assert_eq!(ran.code, 4);
    assert!(
        ran.err.contains(&format!("--client-id {id}")),
        "{}",
        ran.err
    );
    let lines = script.run_with(
        "a\nb\n",
        &["send", "Release", "--each-line", "--timeout", "1"],
    );
    assert_eq!(lines.await.code, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_tells_what_is_unread_and_takes_every_name_that_it_prints() {
    let setting = Setting::new().await;
    let (script, ana) = (setting.script("bot").await, setting.person("ana").await);
    let member = setting.signed_in("bot").await;
    let release = group(&ana, "Release", &[&member]).await;
    let writer = setting.script("writer").await;
    let added = writer.run(&["whoami", "--json"]).await.json().remove(0);
    let id = added["id"].as_str().unwrap().parse().unwrap();
    ana.put_member(release, id, None).await.unwrap();
    writer
        .run_with("hello\n@bot look", &["send", "Release", "--each-line"])
        .await;
    script.run(&["send", "@ana", "hello"]).await;

    let list = script.run(&["conversations"]).await;
    let lines: Vec<Vec<&str>> = list
        .out
        .lines()
        .map(|it| it.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0][..3], ["0", "0", "@ana"]);
    assert_eq!(lines[1][..], ["2", "1", "Release", &release.to_string()]);
    for line in &lines {
        for name in &line[2..] {
            assert_eq!(script.run(&["tail", name]).await.code, 0, "{name}");
        }
    }
    let unread = script
        .run(&["conversations", "--unread", "--json"])
        .await
        .json();
    assert_eq!(unread.len(), 1);
    let row = &unread[0];
    assert_eq!(row["name"], "Release");
    assert_eq!(row["conversation"]["id"], release.to_string());
    assert_eq!(
        (&row["unread"]["count"], &row["unread"]["mentions"]),
        (&2.into(), &1.into())
    );
}
