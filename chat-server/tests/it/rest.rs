//! The REST calls: what they do, what they answer, and whom they refuse.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Person, start, text};

fn bodies(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["body"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_pair_has_one_direct_conversation_and_the_peer_sees_it_from_the_first_message_on() {
    let running = start().await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let (to_ben, to_ana) = (format!("/direct/{}", ben.id), format!("/direct/{}", ana.id));
    let (one, other) = tokio::join!(ana.put(&to_ben, json!({})), ben.put(&to_ana, json!({})));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201]);
    let id = text(&one.body["conversation"]["id"]);
    assert_eq!(other.body["conversation"]["id"], json!(id));
    assert_eq!(one.body["conversation"]["peer"]["username"], "ben");
    assert_eq!(ana.put(&to_ben, json!({})).await.status, StatusCode::OK);

    let cid = running.person("cid").await;
    let silent = ana.put(&format!("/direct/{}", cid.id), json!({})).await;
    assert_eq!(silent.status, StatusCode::CREATED);
    assert_eq!(cid.get("/conversations").await.body["items"], json!([]));
    ana.say(&text(&silent.body["conversation"]["id"]), "Hi")
        .await;
    let rows = cid.get("/conversations").await.body;
    assert_eq!(rows["items"][0]["conversation"]["peer"]["username"], "ana");

    let nobody = ana
        .put(&format!("/direct/{}", Uuid::now_v7()), json!({}))
        .await;
    assert_eq!((nobody.status.as_u16(), nobody.code()), (404, "not_found"));
    let only_messages = [
        (
            Method::PATCH,
            format!("/conversations/{id}"),
            json!({"title": "Us"}),
        ),
        (
            Method::PUT,
            format!("/conversations/{id}/members/{}", cid.id),
            json!({}),
        ),
    ];
    for (method, path, body) in only_messages {
        let answer = ana.request(method, &path, Some(body)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (409, "conflict"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_group_has_a_title_and_roles_that_its_owners_give() {
    let running = start().await;
    let (ana, ben, cid) = (
        running.person("ana").await,
        running.person("ben").await,
        running.person("cid").await,
    );
    let group = ana.group("Lunch", &[&ben]).await;
    let path = format!("/conversations/{group}");
    let member = |person: &Person| format!("{path}/members/{}", person.id);

    let refused = ben
        .request(Method::PATCH, &path, Some(json!({"title": "Mine"})))
        .await;
    assert_eq!(
        (refused.status.as_u16(), refused.code()),
        (403, "forbidden")
    );
    let renamed = ana
        .request(Method::PATCH, &path, Some(json!({"title": "Dinner"})))
        .await;
    assert_eq!(renamed.body["conversation"]["title"], "Dinner");

    let no_body = ana.request(Method::PUT, &member(&cid), None).await;
    assert_eq!(
        (no_body.status.as_u16(), &no_body.body["role"]),
        (201, &json!("member"))
    );
    let again = ana.put(&member(&cid), json!({"role": "admin"})).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["role"]),
        (200, &json!("admin"))
    );
    let unknown = ana
        .put(&format!("{path}/members/{}", Uuid::now_v7()), json!({}))
        .await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (422, "invalid"));
    let role = ana.put(&member(&cid), json!({"role": "boss"})).await;
    assert_eq!(
        (role.code(), &role.body["errors"][0]["field"]),
        ("invalid", &json!("role"))
    );

    let first = ana.get(&format!("{path}/members?limit=2")).await.body;
    let cursor = text(&first["next_cursor"]);
    let last = ana
        .get(&format!("{path}/members?limit=2&cursor={cursor}"))
        .await
        .body;
    assert_eq!(last["next_cursor"], Value::Null);
    let names: Vec<&str> = [&first, &last]
        .iter()
        .flat_map(|page| page["items"].as_array().unwrap())
        .map(|member| member["user"]["username"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["ana", "ben", "cid"]);

    let leaving = ana.request(Method::DELETE, &member(&ana), None).await;
    assert_eq!(
        (leaving.status.as_u16(), leaving.code()),
        (409, "conflict"),
        "the last owner"
    );
    let mut socket = ben.connect().await;
    let removed = cid.request(Method::DELETE, &member(&ben), None).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let frame = socket.until("conversation_removed").await;
    assert_eq!(frame["conversation_id"], json!(group));
    assert_eq!(ben.get(&path).await.status, StatusCode::NOT_FOUND);
    let titles = [json!(""), json!("\u{7}"), json!("x".repeat(101))];
    for title in titles {
        let answer = ana
            .post("/conversations", json!({"title": title, "member_ids": []}))
            .await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid"));
        assert_eq!(answer.body["errors"][0]["field"], "title");
    }
}

#[tokio::test]
async fn a_message_is_accepted_once_whatever_is_retried() {
    let running = start().await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let group = ana.group("Lunch", &[&ben]).await;
    let path = format!("/conversations/{group}/messages");
    let client_id = Uuid::new_v4();
    let text_of_all_kinds =
        "'; DROP TABLE chat_entries; -- <b>\u{202e}\u{1f468}\u{200d}\u{1f469}\n\\";
    let message = json!({"client_id": client_id, "body": text_of_all_kinds});

    let first = ana.post(&path, message.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED);
    assert_eq!(first.body["body"], text_of_all_kinds);
    let again = ana.post(&path, message).await;
    assert_eq!((again.status, &again.body), (StatusCode::OK, &first.body));
    let other = ana
        .post(&path, json!({"client_id": client_id, "body": "else"}))
        .await;
    assert_eq!(
        (other.status.as_u16(), other.code()),
        (422, "client_id_reused")
    );
    let by_header = running
        .http
        .post(running.url(&format!("/api/v1{path}")))
        .bearer_auth(&ana.token)
        .header("idempotency-key", format!("\"{client_id}\""))
        .json(&json!({"body": text_of_all_kinds}))
        .send()
        .await
        .unwrap();
    assert_eq!(by_header.status(), StatusCode::OK);
    assert_eq!(by_header.json::<Value>().await.unwrap(), first.body);

    let reply = ana
        .post(
            &path,
            json!({"client_id": Uuid::new_v4(), "body": "yes", "reply_to": first.body["id"]}),
        )
        .await;
    assert_eq!(reply.body["reply_to"], first.body["id"]);
    let refused = [
        (json!({"body": "x"}), 400, "malformed"),
        (json!({"client_id": "1", "body": "x"}), 422, "invalid"),
        (
            json!({"client_id": Uuid::new_v4(), "body": " \n"}),
            422,
            "invalid",
        ),
        (
            json!({"client_id": Uuid::new_v4(), "body": "a\u{0}b"}),
            422,
            "invalid",
        ),
        (
            json!({"client_id": Uuid::new_v4(), "body": "x".repeat(8_001)}),
            422,
            "invalid",
        ),
        (
            json!({"client_id": Uuid::new_v4(), "body": "x", "reply_to": Uuid::new_v4()}),
            422,
            "invalid",
        ),
        (
            json!({"client_id": Uuid::new_v4(), "body": "x", "role": "admin"}),
            422,
            "unknown_field",
        ),
    ];
    for (body, status, code) in refused {
        let answer = ana.post(&path, body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{:?}",
            answer.body
        );
    }
}

#[tokio::test]
async fn history_and_the_log_are_read_from_any_place() {
    let running = start().await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let group = ana.group("Lunch", &[&ben]).await;
    for body in ["a", "b", "c", "d", "e"] {
        ana.say(&group, body).await;
    }
    // The owner and the member joined first: messages have the places 3 to 7.
    let messages = format!("/conversations/{group}/messages");
    for (query, expected) in [
        ("", &["a", "b", "c", "d", "e"][..]),
        ("?limit=2", &["d", "e"]),
        ("?before_seq=6&limit=2", &["b", "c"]),
        ("?after_seq=4&limit=2", &["c", "d"]),
        ("?around_seq=5&limit=2", &["c", "d"]),
        ("?after_seq=7", &[]),
    ] {
        let page = ben.get(&format!("{messages}{query}")).await.body;
        assert_eq!(bodies(&page), expected, "{query}");
    }
    let log = ben
        .get(&format!(
            "/conversations/{group}/events?after_seq=0&limit=4"
        ))
        .await
        .body;
    assert_eq!(log["head_seq"], 7);
    let entries = log["items"].as_array().unwrap();
    let kinds: Vec<_> = entries
        .iter()
        .map(|entry| (&entry["seq"], &entry["type"]))
        .collect();
    let (joined, said) = (json!("member_joined"), json!("new_message"));
    assert_eq!(
        kinds,
        [
            (&json!(1), &joined),
            (&json!(2), &joined),
            (&json!(3), &said),
            (&json!(4), &said)
        ]
    );

    let read = format!("/conversations/{group}/read");
    for (seq, cursor) in [(4, 4), (3, 4), (1_000_000, 7)] {
        let answer = ben.put(&read, json!({"seq": seq})).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body),
            (200, &json!({"seq": cursor}))
        );
    }
    let refused = [
        format!("{messages}?limit=0"),
        format!("{messages}?limit=201"),
        format!("{messages}?limit=1e9"),
        format!("{messages}?limit=-1"),
        format!("{messages}?limit=NaN"),
        format!("{messages}?after_seq=9223372036854775808"),
        format!("{messages}?after_seq=1&before_seq=3"),
        "/conversations?cursor=AAAA".to_owned(),
        "/conversations?cursor=%00".to_owned(),
        format!("/conversations/{group}/members?cursor=x"),
        "/users?query=".to_owned(),
    ];
    for path in refused {
        let answer = ana.get(&path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (422, "invalid"),
            "{path}"
        );
    }
    for path in [
        "/conversations?ofset=3".to_owned(),
        format!("{read}?x=1"),
        "/users/me?x=1".to_owned(),
    ] {
        let method = if path.contains("/read") {
            Method::PUT
        } else {
            Method::GET
        };
        let answer = ana.request(method, &path, Some(json!({"seq": 1}))).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (422, "unknown_field"),
            "{path}"
        );
    }
    let beyond = ana.put(&read, json!({"seq": u64::MAX})).await;
    assert_eq!((beyond.status.as_u16(), beyond.code()), (422, "invalid"));
}

#[tokio::test]
async fn an_outsider_cannot_tell_a_conversation_from_none() {
    let running = start().await;
    let (ana, eve) = (running.person("ana").await, running.person("eve").await);
    let group = ana.group("Secret", &[]).await;
    let message = ana.say(&group, "Psst").await;
    let new_message = json!({"client_id": Uuid::new_v4(), "body": "x"});
    let calls = [
        (Method::GET, "", None),
        (Method::PATCH, "", Some(json!({"title": "x"}))),
        (Method::GET, "/members", None),
        (Method::PUT, "/members/EVE", Some(json!({}))),
        (Method::DELETE, "/members/EVE", None),
        (Method::DELETE, "/members/ANA", None),
        (Method::GET, "/messages", None),
        (Method::GET, "/messages?around_seq=2", None),
        (Method::POST, "/messages", Some(new_message)),
        (Method::GET, "/events", None),
        (Method::PUT, "/read", Some(json!({"seq": 1}))),
    ];
    for (method, rest, body) in calls {
        let rest = rest.replace("EVE", &eve.id).replace("ANA", &ana.id);
        let mut answers = Vec::new();
        for id in [group.as_str(), &Uuid::now_v7().to_string()] {
            let path = format!("/conversations/{id}{rest}");
            let mut answer = eve.request(method.clone(), &path, body.clone()).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {rest}");
            answer.body["request_id"] = Value::Null;
            answers.push(answer.body);
        }
        assert_eq!(answers[0], answers[1], "{method} {rest}");
    }
    let elsewhere = eve.group("Own", &[]).await;
    let reply = json!({"client_id": Uuid::new_v4(), "body": "x", "reply_to": message["id"]});
    let answer = eve
        .post(&format!("/conversations/{elsewhere}/messages"), reply)
        .await;
    assert_eq!(
        answer.code(),
        "invalid",
        "a message of another conversation"
    );
    for id in ["x", "%00", "%ff", "..", "%2e%2e"] {
        let answer = eve.get(&format!("/conversations/{id}/members")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
    }
}

#[tokio::test]
async fn the_list_is_paged_and_its_delta_is_small() {
    let running = start().await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let mut groups = Vec::new();
    for title in ["one", "two", "three", "four", "five"] {
        groups.push(ana.group(title, &[&ben]).await);
    }
    let mut titles = Vec::new();
    let mut known = Vec::new();
    let mut path = "/conversations?limit=2".to_owned();
    loop {
        let page = ben.get(&path).await.body;
        for row in page["items"].as_array().unwrap() {
            titles.push(text(&row["conversation"]["title"]));
            known.push(json!([
                row["conversation"]["id"],
                row["conversation"]["head_seq"],
                row["me"]["rev"]
            ]));
        }
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/conversations?limit=2&cursor={cursor}");
    }
    assert_eq!(titles, ["five", "four", "three", "two", "one"]);

    let nothing = ben
        .post("/conversations/changes", json!({"known": known}))
        .await
        .body;
    assert_eq!(nothing, json!({"rows": [], "gone": []}));
    ana.say(&groups[1], "news").await;
    let path = format!("/conversations/{}/members/{}", groups[0], ben.id);
    ben.request(Method::DELETE, &path, None).await;
    known.push(json!([Uuid::now_v7(), 1, 1]));
    let changes = ben
        .post("/conversations/changes", json!({"known": known}))
        .await
        .body;
    assert_eq!(changes["rows"].as_array().unwrap().len(), 1);
    assert_eq!(
        changes["rows"][0]["conversation"]["last_message"]["body"],
        "news"
    );
    let gone = changes["gone"].as_array().unwrap();
    assert!(
        gone.len() == 2 && gone.contains(&json!(groups[0])),
        "{gone:?}"
    );
}

#[tokio::test]
async fn one_is_shown_as_one_likes() {
    let running = start().await;
    let ana = running.person("ana").await;
    let patched = ana
        .request(
            Method::PATCH,
            "/users/me",
            Some(json!({"display_name": " Bo\u{308}b's friend "})),
        )
        .await;
    assert_eq!(patched.body["display_name"], "Bo\u{308}b's friend");
    assert_eq!(ana.get("/users/me").await.body, patched.body);
    let renamed = ana
        .request(
            Method::PATCH,
            "/users/me",
            Some(json!({"display_name": "Bobcat"})),
        )
        .await;
    assert_eq!(renamed.status, StatusCode::OK);

    let nobody = ana.get(&format!("/users/{}", Uuid::now_v7())).await;
    assert_eq!((nobody.status.as_u16(), nobody.code()), (404, "not_found"));
    for bad in ["\u{0}", "a\u{202e}b", ""] {
        let answer = ana
            .request(
                Method::PATCH,
                "/users/me",
                Some(json!({"display_name": bad})),
            )
            .await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid"));
    }
}

#[tokio::test]
async fn every_answer_is_hardened_and_every_error_can_be_found_in_the_log() {
    let running = start().await;
    let ana = running.person("ana").await;
    for answer in [
        ana.get("/users/me").await,
        ana.get("/nowhere").await,
        ana.request(Method::DELETE, "/conversations", None).await,
        running.request(Method::GET, "/", None).await,
        running.request(Method::GET, "/healthz", None).await,
        running.request(Method::GET, "/readyz", None).await,
        running
            .request(Method::TRACE, "/api/v1/users/me", None)
            .await,
    ] {
        let header = |name: &str| {
            answer
                .headers
                .get(name)
                .map(|value| value.to_str().unwrap())
        };
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("cache-control"), Some("no-store"));
        assert_eq!(
            header("content-security-policy"),
            Some("default-src 'none'")
        );
        assert_eq!(header("server"), None);
        let request_id = header("x-request-id").unwrap();
        if answer.status.is_success() {
            assert_eq!(header("content-type"), Some("application/json"));
            continue;
        }
        assert_eq!(header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.body["request_id"], request_id);
        assert_eq!(answer.body["status"], answer.status.as_u16());
        assert_eq!(answer.body["retryable"], false);
        match answer.status.as_u16() {
            404 => assert_eq!(answer.code(), "not_found"),
            405 => {
                assert_eq!(answer.code(), "method_not_allowed");
                assert!(header("allow").is_some());
            }
            other => panic!("{other}: {:?}", answer.body),
        }
    }
}
