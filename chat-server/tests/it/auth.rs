//! Accounts and tokens: who gets in, who does not, and how one gets out.

use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    PASSWORD, Person, Running, count, sql, start, start_on_file, start_with, text,
};

/// Makes tokens with the server's own key, right but for what a test makes wrong.
pub struct Forge {
    key: EncodingKey,
    header: Header,
    claims: Value,
}

impl Forge {
    pub fn of(running: &Running, person: &Person) -> Self {
        let pem = std::fs::read(running.key_file()).unwrap();
        let token = &person.token;
        Self {
            key: EncodingKey::from_ed_pem(&pem).unwrap(),
            header: jsonwebtoken::decode_header(token).unwrap(),
            claims: jsonwebtoken::dangerous::insecure_decode_claims(token).unwrap(),
        }
    }

    pub fn expired(&self) -> String {
        self.expiring_in(-60)
    }

    /// A token that runs out after (or ran out before) so many seconds.
    pub fn expiring_in(&self, seconds: i64) -> String {
        let now = i64::try_from(get_current_timestamp()).unwrap();
        self.token(|header, claims| {
            let _ = header;
            claims["iat"] = json!(now - 120);
            claims["exp"] = json!(now + seconds);
        })
    }

    pub fn token(&self, change: impl FnOnce(&mut Header, &mut Value)) -> String {
        let (mut header, mut claims) = (self.header.clone(), self.claims.clone());
        change(&mut header, &mut claims);
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }
}

#[tokio::test]
async fn an_access_token_holds_only_if_everything_about_it_is_right() {
    let running = start().await;
    let ana = running.person("ana").await;
    let forge = Forge::of(&running, &ana);
    let now = get_current_timestamp();
    let without = |claim: &'static str| {
        forge.token(|_, claims| {
            claims.as_object_mut().unwrap().remove(claim);
        })
    };
    let with = |claim: &'static str, value: Value| forge.token(|_, claims| claims[claim] = value);
    let titled = |change: fn(&mut Header)| forge.token(|header, _| change(header));
    let unsigned = {
        let (_, rest) = ana.token.split_once('.').unwrap();
        let (claims, _) = rest.split_once('.').unwrap();
        // {"alg":"none","typ":"at+jwt"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}.")
    };
    let symmetric = {
        let mut header = forge.header.clone();
        header.alg = Algorithm::HS256;
        let secret = EncodingKey::from_secret(&std::fs::read(running.key_file()).unwrap());
        jsonwebtoken::encode(&header, &forge.claims, &secret).unwrap()
    };
    let stranger = {
        let elsewhere = start().await;
        elsewhere.person("ana").await.token
    };
    let bad = [
        ("no signature", unsigned),
        ("another algorithm", symmetric),
        ("another server's key", stranger),
        ("no exp", without("exp")),
        ("no aud", without("aud")),
        ("no iss", without("iss")),
        ("no sub", without("sub")),
        ("no sid", without("sid")),
        ("no jti", without("jti")),
        ("no iat", without("iat")),
        ("another audience", with("aud", json!("bank"))),
        ("another issuer", with("iss", json!("somebody"))),
        ("a subject that is no id", with("sub", json!("ana"))),
        (
            "a lifetime beyond the longest",
            with("exp", json!(now + 3_600)),
        ),
        ("not valid yet", with("nbf", json!(now + 600))),
        ("issued in the future", with("iat", json!(now + 600))),
        (
            "another type",
            titled(|header| header.typ = Some("JWT".to_owned())),
        ),
        (
            "another key id",
            titled(|header| header.kid = Some("../../etc/passwd".to_owned())),
        ),
        (
            "a key to fetch",
            titled(|header| header.jku = Some("http://127.0.0.1/".to_owned())),
        ),
        (
            "a certificate to fetch",
            titled(|header| header.x5u = Some("http://127.0.0.1/".to_owned())),
        ),
        (
            "critical extensions",
            titled(|header| header.crit = Some(vec!["exp".to_owned()])),
        ),
        ("a refresh token", ana.refresh_token.clone()),
        ("too long", format!("{}{}", ana.token, "A".repeat(5_000))),
        ("nothing", String::new()),
    ];
    for (what, token) in bad {
        let mut caller = ana.clone();
        caller.token = token;
        let answer = caller.get("/users/me").await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (401, "unauthenticated"),
            "{what}"
        );
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let mut late = ana.clone();
    late.token = forge.expired();
    assert_eq!(late.get("/users/me").await.code(), "token_expired");
    late.token = forge.expiring_in(-10);
    assert_eq!(
        late.get("/users/me").await.status,
        200,
        "clocks may be 30 s apart"
    );
    let anonymous = running.request(Method::GET, "/api/v1/users/me", None).await;
    assert_eq!(
        (anonymous.status.as_u16(), anonymous.code()),
        (401, "unauthenticated")
    );
}

#[tokio::test]
async fn an_account_needs_a_plain_name_and_a_password_that_is_not_the_first_one_tried() {
    let running = start().await;
    let register = |username: &str, password: &str, display_name: Value| {
        let mut body = json!({"username": username, "password": password});
        if !display_name.is_null() {
            body["display_name"] = display_name;
        }
        running.post("/api/v1/auth/register", body)
    };
    let long = "x".repeat(257);
    let refused = [
        ("a", PASSWORD, Value::Null, "username", "too_short"),
        (&long[..33], PASSWORD, Value::Null, "username", "too_long"),
        (
            "ana maria",
            PASSWORD,
            Value::Null,
            "username",
            "bad_character",
        ),
        ("ana ", PASSWORD, Value::Null, "username", "bad_character"),
        (
            "\u{430}dmin",
            PASSWORD,
            Value::Null,
            "username",
            "not_ascii",
        ),
        (
            "\u{ff41}dmin",
            PASSWORD,
            Value::Null,
            "username",
            "not_ascii",
        ),
        ("ana", "short", Value::Null, "password", "too_short"),
        ("ana", &long, Value::Null, "password", "too_long"),
        ("ana", "Password1234", Value::Null, "password", "too_common"),
        ("ana", PASSWORD, json!(" "), "display_name", "blank"),
        ("ana", PASSWORD, json!(long), "display_name", "too_long"),
        (
            "ana",
            PASSWORD,
            json!("An\na"),
            "display_name",
            "bad_character",
        ),
        (
            "ana",
            PASSWORD,
            json!("\u{202e}anA"),
            "display_name",
            "bad_character",
        ),
        (
            "ana",
            PASSWORD,
            json!("\u{0}"),
            "display_name",
            "bad_character",
        ),
    ];
    for (username, password, display_name, field, code) in refused {
        let answer = register(username, password, display_name).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "invalid"));
        let error = &answer.body["errors"][0];
        assert_eq!(
            (&error["field"], &error["code"]),
            (&json!(field), &json!(code)),
            "{username}"
        );
    }

    let answer = register("Ana.Maria", PASSWORD, json!("Ana Mar\u{ed}a \u{1f980}")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.body["user"]["username"], "ana.maria");
    assert_eq!(
        answer.body["user"]["display_name"],
        "Ana Mar\u{ed}a \u{1f980}"
    );
    assert_eq!(answer.body["expires_in"], 600);
    let taken = register("ANA.MARIA", PASSWORD, Value::Null).await;
    assert_eq!(
        (taken.status.as_u16(), taken.code()),
        (409, "username_taken")
    );
}

#[tokio::test]
async fn a_closed_server_makes_no_accounts() {
    let running = start_with(&["--registration", "closed"]).await;
    let answer = running
        .post(
            "/api/v1/auth/register",
            json!({"username": "ana", "password": PASSWORD}),
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (403, "registration_closed")
    );
}

#[tokio::test]
async fn who_signs_in_wrongly_does_not_learn_whether_the_account_exists() {
    let running = start().await;
    let ana = running.person("ana").await;
    let login = |username: &str, password: &str| {
        running.post(
            "/api/v1/auth/login",
            json!({"username": username, "password": password}),
        )
    };
    let mut answers = Vec::new();
    for (username, password) in [
        ("ana", "wrong wrong wrong"),
        ("nobody", PASSWORD),
        ("not a name", PASSWORD),
        ("ana", ""),
    ] {
        let mut answer = login(username, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        answer.body["request_id"] = Value::Null;
        answers.push(answer.body);
    }
    assert_eq!(answers[0]["code"], "wrong_credentials");
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );

    let answer = login("ANA", PASSWORD).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["user"]["id"], json!(ana.id));
}

#[tokio::test]
async fn a_refresh_token_is_for_one_use_and_a_stolen_one_ends_the_sign_in() {
    let running = start_on_file(&["--limits", "off"]).await;
    let ana = running.person("ana").await;
    let refresh =
        |token: &str| running.post("/api/v1/auth/refresh", json!({"refresh_token": token}));
    let renewed = refresh(&ana.refresh_token).await;
    assert_eq!(renewed.status, StatusCode::OK);
    let renewed = running.signed_in(&renewed.body);
    assert_eq!(renewed.get("/users/me").await.status, 200);

    let lost_answer = refresh(&ana.refresh_token).await;
    assert_eq!(
        lost_answer.status,
        StatusCode::OK,
        "the answer may have been lost on the way"
    );

    let mut socket = renewed.connect().await;
    sql(
        &running.dir.path().join("chat.db"),
        "UPDATE refresh_tokens SET used_at = used_at - 11000 WHERE used_at IS NOT NULL",
    )
    .await;
    let stolen = refresh(&ana.refresh_token).await;
    assert_eq!(
        (stolen.status.as_u16(), stolen.code()),
        (401, "refresh_reused")
    );
    assert_eq!(socket.closed().await, 4502);
    for token in [
        &renewed.refresh_token,
        &text(&lost_answer.body["refresh_token"]),
    ] {
        let over = refresh(token).await;
        assert_eq!(
            (over.status.as_u16(), over.code()),
            (401, "unauthenticated")
        );
    }
    assert_eq!(renewed.get("/users/me").await.code(), "unauthenticated");
    assert_eq!(refresh("never issued").await.code(), "unauthenticated");
}

#[tokio::test]
async fn signing_out_ends_this_sign_in_and_no_other() {
    let running = start().await;
    let phone = running.person("ana").await;
    let login = json!({"username": "ana", "password": PASSWORD});
    let laptop = running.signed_in(&running.post("/api/v1/auth/login", login).await.body);
    let (mut on_phone, mut on_laptop) = (phone.connect().await, laptop.connect().await);

    let out = json!({"refresh_token": phone.refresh_token});
    let answer = running.post("/api/v1/auth/logout", out.clone()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);

    assert_eq!(phone.get("/users/me").await.code(), "unauthenticated");
    assert_eq!(on_phone.closed().await, 4502);
    assert!(phone.try_connect().await.is_err());
    assert_eq!(
        running.post("/api/v1/auth/refresh", out).await.code(),
        "unauthenticated"
    );
    assert_eq!(laptop.get("/users/me").await.status, 200);
    on_laptop.settle().await;
    let unknown = running
        .post("/api/v1/auth/logout", json!({"refresh_token": "x"}))
        .await;
    assert_eq!(unknown.code(), "unauthenticated");
}

#[tokio::test]
async fn a_sign_out_outlives_a_restart_of_the_server() {
    let running = start_on_file(&["--limits", "off"]).await;
    let ana = running.person("ana").await;
    let out = json!({"refresh_token": ana.refresh_token});
    running.post("/api/v1/auth/logout", out).await;
    running.server.shutdown();
    running.server.join().await;
    let path = running.dir.path().join("chat.db");
    let config = chat_server::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database: chat_server::Database::Sqlite(path),
        ..chat_server::Config::default()
    };
    let again = chat_server::Server::bind(config).await.unwrap();
    let url = format!("http://{}/api/v1/users/me", again.local_addr());
    let answer = running
        .http
        .get(url)
        .bearer_auth(&ana.token)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    again.shutdown();
    again.join().await;
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_stored_is_for_the_eyes_of_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let running = start_on_file(&[]).await;
    running.person("ana").await;
    for name in ["chat.db", "chat.db-wal", "chat.key.pem"] {
        let stored = std::fs::metadata(running.dir.path().join(name)).unwrap();
        assert_eq!(stored.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

/// Signs in as "ana" with this program.
async fn sign_in_with(running: &Running, user_agent: &str) -> Person {
    let login = json!({"username": "ana", "password": PASSWORD});
    let request = running.http.post(running.url("/api/v1/auth/login"));
    let answer = request.header("user-agent", user_agent).json(&login).send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    running.signed_in(&answer.json().await.unwrap())
}

async fn sign_ins(person: &Person) -> Vec<Value> {
    let answer = person.get("/auth/sessions").await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    assert_eq!(answer.body["next_cursor"], Value::Null);
    answer.body["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn i_see_where_i_am_signed_in_the_last_used_first() {
    let running = start_on_file(&["--limits", "off"]).await;
    let phone = running.person("ana").await;
    let laptop = sign_in_with(&running, "chat-tui/0.1\t(laptop)").await;
    running.person("eve").await;
    sql(
        &running.dir.path().join("chat.db"),
        "UPDATE sign_ins SET created_at = created_at - 600000, refreshed_at = refreshed_at - 600000",
    )
    .await;
    let refresh = json!({"refresh_token": laptop.refresh_token});
    running.post("/api/v1/auth/refresh", refresh).await;

    let listed = sign_ins(&phone).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let [first, second] = &listed[..] else {
        panic!("{listed:?}");
    };
    assert_eq!(first["user_agent"], "chat-tui/0.1(laptop)");
    assert_eq!(first["address"], "127.0.0.1");
    assert_eq!(
        (&first["current"], &second["current"]),
        (&json!(false), &json!(true))
    );
    let time = |value: &Value| text(value);
    assert!(time(&first["last_used_at"]) > time(&first["created_at"]));
    assert!(time(&first["last_used_at"]) > time(&second["last_used_at"]));
    assert_eq!(
        second["user_agent"],
        Value::Null,
        "it said nothing of itself"
    );
    let fields: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "address",
            "created_at",
            "current",
            "id",
            "last_used_at",
            "user_agent"
        ]
    );
    let nobody = running
        .request(Method::GET, "/api/v1/auth/sessions", None)
        .await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn i_sign_out_elsewhere_and_nobody_else_does_it_for_me() {
    let running = start().await;
    let phone = running.person("ana").await;
    let laptop = sign_in_with(&running, "laptop").await;
    let eve = running.person("eve").await;
    let (mut on_phone, mut on_laptop) = (phone.connect().await, laptop.connect().await);
    let there = text(&sign_ins(&laptop).await[0]["id"]);
    let end = async |person: &Person, id: &str| {
        let path = format!("/auth/sessions/{id}");
        person.request(Method::DELETE, &path, None).await
    };
    for unknown in [&there, "00000000-0000-7000-8000-000000000000", "x"] {
        let answer = end(&eve, unknown).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (404, "not_found"),
            "{unknown}"
        );
    }

    assert_eq!(end(&phone, &there).await.status, StatusCode::NO_CONTENT);

    assert_eq!(on_laptop.closed().await, 4502);
    assert_eq!(laptop.get("/users/me").await.code(), "unauthenticated");
    let refresh = json!({"refresh_token": laptop.refresh_token});
    let refused = running.post("/api/v1/auth/refresh", refresh).await;
    assert_eq!(refused.code(), "unauthenticated");
    assert_eq!(
        end(&phone, &there).await.status,
        StatusCode::NOT_FOUND,
        "it is over"
    );
    on_phone.settle().await;
    let here = sign_ins(&phone).await;
    assert_eq!((here.len(), &here[0]["current"]), (1, &json!(true)));

    assert_eq!(
        end(&phone, &text(&here[0]["id"])).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(on_phone.closed().await, 4502, "the own one is one of them");
}

#[tokio::test]
async fn the_sign_in_that_was_not_used_for_longest_goes_for_the_51st() {
    let running = start().await;
    let first = running.person("ana").await;
    let second = sign_in_with(&running, "second").await;
    let mut socket = first.connect().await;
    for n in 3..=50 {
        sign_in_with(&running, &n.to_string()).await;
    }
    assert_eq!(sign_ins(&second).await.len(), 50);
    socket.settle().await;

    let newest = sign_in_with(&running, "newest").await;

    assert_eq!(socket.closed().await, 4502);
    assert_eq!(first.get("/users/me").await.code(), "unauthenticated");
    let listed = sign_ins(&newest).await;
    assert_eq!(
        (listed.len(), &listed[0]["user_agent"]),
        (50, &json!("newest"))
    );
}

#[tokio::test]
async fn what_is_over_is_listed_no_more_and_forgotten_in_the_end() {
    let running = start_on_file(&["--limits", "off"]).await;
    let database = running.dir.path().join("chat.db");
    let old = running.person("ana").await;
    sql(
        &database,
        "UPDATE sign_ins SET refreshed_at = refreshed_at - 14 * 86400000 - 1",
    )
    .await;
    let new = sign_in_with(&running, "new").await;
    let listed = sign_ins(&new).await;
    assert_eq!((listed.len(), &listed[0]["user_agent"]), (1, &json!("new")));
    assert_eq!(count(&database, "SELECT count(*) FROM sign_ins").await, 2);
    let refresh = json!({"refresh_token": old.refresh_token});
    let refused = running.post("/api/v1/auth/refresh", refresh).await;
    assert_eq!(refused.code(), "unauthenticated");

    sql(
        &database,
        "UPDATE sign_ins SET refreshed_at = refreshed_at - 86400000 WHERE user_agent IS NULL",
    )
    .await;
    sign_in_with(&running, "newer").await;
    assert_eq!(count(&database, "SELECT count(*) FROM sign_ins").await, 2);
    assert_eq!(
        count(&database, "SELECT count(*) FROM refresh_tokens").await,
        2
    );
}
