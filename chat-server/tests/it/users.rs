//! Finding people: who is found by what, and who is not.

use std::fmt::Write;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    Answer, PASSWORD, Person, Running, sql, start, start_on, start_on_file, text,
};

async fn named(running: &Running, username: &str, display_name: &str) -> Person {
    let account = json!({"username": username, "password": PASSWORD, "display_name": display_name});
    let answer = running.post("/api/v1/auth/register", account).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    running.signed_in(&answer.body)
}

async fn search(person: &Person, query: &str) -> Answer {
    let query = url_encoded(query);
    person.get(&format!("/users?query={query}")).await
}

fn url_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        write!(encoded, "%{byte:02x}").unwrap();
        encoded
    })
}

/// The user names that a search finds, in its order.
async fn found(person: &Person, query: &str) -> Vec<String> {
    let answer = search(person, query).await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(answer.body["next_cursor"], Value::Null);
    assert_eq!(answer.body.as_object().unwrap().len(), 2, "no total");
    let items = answer.body["items"].as_array().unwrap().iter();
    items.map(|user| text(&user["username"])).collect()
}

#[tokio::test]
async fn people_are_found_by_how_their_names_begin() {
    let running = start().await;
    let eve = named(&running, "eve", "Eve").await;
    named(&running, "an.drew", "Drew").await;
    named(&running, "zoe", "An").await;
    named(&running, "Ana", "Ana-Mar\u{ed}a  L\u{f3}pez").await;
    named(&running, "an", "\u{1f980}").await;
    named(&running, "joana", "Jo 100% _real_").await;

    for (query, usernames) in [
        ("an", &["an", "an.drew", "ana", "zoe"][..]),
        ("AN.", &["an.drew", "zoe", "ana"]),
        ("ana", &["ana"]),
        ("mar\u{ed}a", &["ana"]),
        ("MARIA LO", &["ana"]),
        ("ana maria lopez", &["ana"]),
        ("lopez ana", &[]),
        ("drew", &["an.drew"]),
        (" joana ", &["joana"]),
        ("oana", &[]),
        ("100", &["joana"]),
        ("%a", &[]),
        ("__", &[]),
        ("\\\\", &[]),
        ("'; DROP TABLE accounts; --", &[]),
    ] {
        assert_eq!(found(&eve, query).await, usernames, "{query}");
    }
}

#[tokio::test]
async fn a_search_lists_nobody_who_was_not_looked_for() {
    let running = start().await;
    let eve = running.person("eve").await;
    for (query, code) in [
        ("", "too_short"),
        ("e", "too_short"),
        (" e ", "too_short"),
        (&"x".repeat(65)[..], "too_long"),
        ("e\u{0}e", "bad_character"),
    ] {
        let answer = search(&eve, query).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid"));
        let error = &answer.body["errors"][0];
        assert_eq!(
            (&error["field"], &error["code"]),
            (&json!("query"), &json!(code))
        );
    }
    for limit in ["0", "201", "-1", "x"] {
        let answer = eve.get(&format!("/users?query=ev&limit={limit}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (422, "invalid"),
            "{limit}"
        );
    }
    let nobody = running
        .request(Method::GET, "/api/v1/users?query=ev", None)
        .await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_answer_is_short() {
    let running = start().await;
    let eve = running.person("eve").await;
    for n in 0..52 {
        running.person(&format!("twin{n:02}")).await;
    }
    let count = async |parameters: &str| {
        let answer = eve.get(&format!("/users?query=tw{parameters}")).await;
        answer.body["items"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 20);
    assert_eq!(count("&limit=3").await, 3);
    assert_eq!(count("&limit=200").await, 50);
    assert_eq!(found(&eve, "twin51").await, ["twin51"]);
}

#[tokio::test]
async fn who_blocked_me_is_not_there_for_me_unless_we_share_a_conversation() {
    let running = start().await;
    let (ana, eve) = (running.person("ana").await, running.person("eve").await);
    let block = format!("/users/me/blocks/{}", eve.id);
    let blocked = ana.request(Method::PUT, &block, None).await;
    assert_eq!(blocked.status, StatusCode::NO_CONTENT);

    assert_eq!(found(&eve, "ana").await, [""; 0]);
    let hidden = eve.get(&format!("/users/{}", ana.id)).await;
    let never_there = eve.get(&format!("/users/{}", uuid::Uuid::now_v7())).await;
    assert_eq!(
        (hidden.status, hidden.code()),
        (never_there.status, never_there.code())
    );
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    assert_eq!(
        found(&ana, "eve").await,
        ["eve"],
        "she is not hidden from the one who blocks"
    );

    let zoe = running.person("zoe").await;
    zoe.group("Both", &[&ana, &eve]).await;
    assert_eq!(found(&eve, "ana").await, ["ana"]);
}

#[tokio::test]
async fn presence_is_for_those_who_share_a_conversation() {
    let running = start().await;
    let (ana, ben, eve) = (
        running.person("ana").await,
        running.person("ben").await,
        running.person("eve").await,
    );
    ana.group("Lunch", &[&ben]).await;
    let _online = ana.connect().await;
    let presence =
        async |viewer: &Person| search(viewer, "ana").await.body["items"][0]["presence"].clone();
    assert_eq!(presence(&ben).await["status"], "online");
    assert_eq!(presence(&eve).await, Value::Null);
}

#[tokio::test]
async fn a_new_display_name_is_found_and_the_old_one_no_more() {
    let running = start().await;
    let ana = named(&running, "ana", "Kingfisher").await;
    let renamed = json!({"display_name": "Heron"});
    ana.request(Method::PATCH, "/users/me", Some(renamed)).await;
    assert_eq!(found(&ana, "her").await, ["ana"]);
    assert_eq!(found(&ana, "king").await, [""; 0]);
}

#[tokio::test]
async fn who_is_called_by_name_in_a_message_is_mentioned() {
    let running = start().await;
    let (ana, ben) = (running.person("ana").await, running.person("Ben.B").await);
    running.person("eve").await;
    let group = ana.group("Lunch", &[&ben]).await;
    let message = ana.say(&group, "@BEN.b, ask @eve and @nobody").await;
    assert_eq!(
        message["mentions"],
        json!([ben.id]),
        "of those who are here"
    );
}

/// Accounts that were made by a version which did not write down words are found as all others.
#[tokio::test]
async fn accounts_from_before_are_found_after_an_update() {
    let before = start_on_file(&["--limits", "off"]).await;
    named(&before, "ana", "Ana Mar\u{ed}a").await;
    before.server.shutdown();
    before.server.join().await;
    let database = before.dir.path().join("chat.db");
    sql(&database, "DELETE FROM account_words").await;
    let running = start_on(&format!("sqlite:{}", database.display()), &[]).await;
    let eve = running.person("eve").await;
    assert_eq!(found(&eve, "mari").await, ["ana"]);
}
