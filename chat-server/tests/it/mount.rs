//! The routes inside somebody else's application, with users of its own.

use std::{error::Error as StdError, net::SocketAddr};

use axum::{Router, routing::get};
use chat_core::{
    Chat,
    access::Policy,
    model::{ConversationId, Draft, Timestamp, UserId},
};
use chat_server::{Api, AuthError, Authenticate, Identity, Settings};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::support::{Client, open, refusal, text};

/// Tokens are user ids, but for those that show what can go wrong.
struct PlainIds;

impl Authenticate for PlainIds {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        match token {
            "down" => {
                let cause: Box<dyn StdError + Send + Sync> = "no route to the sign-in".into();
                Err(AuthError::Unavailable(cause))
            }
            "bug" => panic!("the sign-in has a bug"),
            token => Ok(Identity {
                user_id: token
                    .parse()
                    .map_err(|_no_id| AuthError::Invalid("not one of ours"))?,
                sign_in: token.to_owned(),
                expires_at: Timestamp::from_millis(Timestamp::now().as_millis() + 60_000),
            }),
        }
    }
}

struct NoShouting;

impl Policy for NoShouting {
    async fn before_send(
        &self,
        _: UserId,
        _: ConversationId,
        draft: Draft,
    ) -> Result<Draft, String> {
        if draft.body.chars().any(char::is_lowercase) {
            Ok(draft)
        } else {
            Err("please do not shout".to_owned())
        }
    }
}

/// An application with the routes below `/chat`.
struct Application {
    api: Api,
    chat: Chat,
    base: String,
    http: reqwest::Client,
}

async fn serve() -> Application {
    let chat = Chat::builder().policy(NoShouting).start().await.unwrap();
    let api = Api::new(chat.clone(), PlainIds, Settings::default());
    let app = Router::new()
        .route("/", get(|| async { "mine" }))
        .nest("/chat", api.router());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Application {
        api,
        chat,
        base,
        http: reqwest::Client::new(),
    }
}

impl Application {
    async fn post(&self, path: &str, token: &str, body: Value) -> reqwest::Response {
        let url = format!("{}/chat{path}", self.base);
        let request = self.http.post(url).bearer_auth(token).json(&body);
        request.send().await.unwrap()
    }

    async fn group(&self, owner: &str) -> String {
        let group = json!({"title": "Mounted", "member_ids": []});
        let row: Value = self
            .post("/conversations", owner, group)
            .await
            .json()
            .await
            .unwrap();
        text(&row["conversation"]["id"])
    }

    async fn connect(&self, user: &str) -> Result<Client, tokio_tungstenite::tungstenite::Error> {
        let bearer = [("authorization", format!("Bearer {user}"))];
        open(&format!("{}/chat", self.base), "/ws", &bearer).await
    }
}

fn message(body: &str) -> Value {
    json!({"client_id": Uuid::new_v4(), "body": body})
}

#[tokio::test]
async fn an_application_mounts_the_routes_and_drains_them() {
    let app = serve().await;
    let me = UserId::new().to_string();
    let mine = app.http.get(&app.base).send().await.unwrap();
    assert_eq!(mine.text().await.unwrap(), "mine");
    let group = app.group(&me).await;
    let mut socket = app.connect(&me).await.unwrap();
    socket.join(&group).await;
    let path = format!("/conversations/{group}/messages");
    assert_eq!(app.post(&path, &me, message("hello")).await.status(), 201);
    assert_eq!(
        socket.until("new_message").await["message"]["body"],
        "hello"
    );

    let api = app.api.clone();
    let drained = tokio::spawn(async move { api.drain().await });
    socket.until("reconnect").await;
    assert_eq!(socket.closed().await, 1001);
    drop(socket);
    drained.await.unwrap();
    let late = refusal(app.connect(&me).await.err().unwrap());
    assert_eq!(late, (503, "shutting_down".to_owned()));
    app.chat.shutdown().await;
    let late = app.post(&path, &me, message("too late")).await;
    assert_eq!(late.status(), 503);
    assert_eq!(late.json::<Value>().await.unwrap()["code"], "shutting_down");
}

#[tokio::test]
async fn what_goes_wrong_in_the_application_is_told_without_its_cause() {
    let app = serve().await;
    let me = UserId::new().to_string();
    let messages = format!("/conversations/{}/messages", app.group(&me).await);
    let cases = [
        (
            me.as_str(),
            messages.as_str(),
            message("HELLO"),
            403,
            "refused",
            false,
        ),
        (
            "nobody",
            &messages,
            message("hello"),
            401,
            "unauthenticated",
            false,
        ),
        (
            "down",
            &messages,
            message("hello"),
            503,
            "unavailable",
            true,
        ),
        ("bug", &messages, message("hello"), 500, "internal", true),
        (&me, "/users/me", json!({}), 404, "not_found", false),
    ];
    for (token, path, body, status, code, retryable) in cases {
        let answer = app.post(path, token, body).await;
        let told_when = answer.headers().contains_key("retry-after");
        assert_eq!(
            (answer.status().as_u16(), told_when),
            (status, status == 503)
        );
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(
            (&problem["code"], &problem["retryable"]),
            (&json!(code), &json!(retryable))
        );
        assert!(!problem.to_string().contains("no route"), "{problem}");
    }
}
