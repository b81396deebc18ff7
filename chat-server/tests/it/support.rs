//! A server in the same process, people who use it, and their sockets.

use std::{path::Path, time::Duration};

use chat_server::{Config, Server};
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message, client::IntoClientRequest, handshake::client::Request, protocol::CloseFrame,
    },
};
use uuid::Uuid;

use crate::contract::Contract;

/// Nothing in these tests takes this long; it is there so that a failure is one.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const PASSWORD: &str = "correct horse battery";

pub struct Running {
    pub server: Server,
    pub http: reqwest::Client,
    pub dir: TempDir,
}

/// A server with everything in memory and without rates.
pub async fn start() -> Running {
    start_with(&["--limits", "off"]).await
}

pub async fn start_with(flags: &[&str]) -> Running {
    start_on("memory:", flags).await
}

/// A server on this database.
pub async fn start_on(database_url: &str, flags: &[&str]) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("jwt.pem");
    let all = [
        &["chat-server", "--listen", "127.0.0.1:0", "--jwt-key-file"],
        &[key.to_str().unwrap()][..],
        &["--database-url", database_url],
        flags,
    ];
    start_configured(load(&all.concat()), dir).await
}

pub async fn start_on_file(flags: &[&str]) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("chat.db").display());
    let all = [
        &[
            "chat-server",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            &url,
        ][..],
        flags,
    ];
    start_configured(load(&all.concat()), dir).await
}

/// Unless a test is about metrics there are none: servers of many tests run at once.
fn load(arguments: &[&str]) -> Config {
    let mut config = Config::load(arguments).unwrap();
    if !arguments.contains(&"--metrics-listen") {
        config.metrics_listen = None;
    }
    config
}

pub async fn start_configured(config: Config, dir: TempDir) -> Running {
    Running {
        server: Server::bind(config).await.unwrap(),
        http: reqwest::Client::builder().build().unwrap(),
        dir,
    }
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    pub fn key_file(&self) -> std::path::PathBuf {
        self.dir.path().join("jwt.pem")
    }

    /// A request by nobody in particular.
    pub async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        call(&self.http, method, &self.url(path), None, body).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path, Some(body)).await
    }

    /// Registers somebody.
    pub async fn person(&self, username: &str) -> Person {
        let answer = self
            .post(
                "/api/v1/auth/register",
                json!({"username": username, "password": PASSWORD}),
            )
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        self.signed_in(&answer.body)
    }

    pub fn signed_in(&self, body: &Value) -> Person {
        Person {
            id: text(&body["user"]["id"]),
            token: text(&body["access_token"]),
            refresh_token: text(&body["refresh_token"]),
            http: self.http.clone(),
            base: self.url("/api/v1"),
        }
    }

    pub async fn stop(self) {
        self.server.shutdown();
        timeout(PATIENCE, self.server.join()).await.unwrap();
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("none")
    }
}

async fn call(
    http: &reqwest::Client,
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Option<Value>,
) -> Answer {
    let mut request = http.request(method.clone(), url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = timeout(PATIENCE, request.send()).await.unwrap().unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    let answer = Answer {
        status,
        headers,
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    };
    let (origin, path) = url.split_at(url[8..].find('/').map_or(url.len(), |at| at + 8));
    Contract::of(http, origin)
        .await
        .check(&method, path, &answer);
    answer
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub token: String,
    pub refresh_token: String,
    http: reqwest::Client,
    base: String,
}

impl Person {
    pub async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let url = format!("{}{path}", self.base);
        call(&self.http, method, &url, Some(&self.token), body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PUT, path, Some(body)).await
    }

    /// The id of a new group with these members.
    pub async fn group(&self, title: &str, members: &[&Person]) -> String {
        let members: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
        let answer = self
            .post(
                "/conversations",
                json!({"title": title, "member_ids": members}),
            )
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        text(&answer.body["conversation"]["id"])
    }

    /// Sends a message over REST and returns it.
    pub async fn say(&self, conversation: &str, body: &str) -> Value {
        let answer = self
            .post(
                &format!("/conversations/{conversation}/messages"),
                json!({"client_id": Uuid::new_v4(), "body": body}),
            )
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        answer.body
    }

    /// A socket with the token in the header, after its `hello`.
    pub async fn connect(&self) -> Client {
        let mut client = self.try_connect().await.unwrap();
        let hello = client.frame().await;
        assert_eq!(hello["type"], "hello", "{hello}");
        client
    }

    pub async fn try_connect(&self) -> Result<Client, Error> {
        let headers = [("authorization", format!("Bearer {}", self.token))];
        open(&self.base, "/ws", &headers).await
    }
}

/// Opens a socket below `base` with more headers than usual.
pub async fn open(
    base: &str,
    path: &str,
    headers: &[(&'static str, String)],
) -> Result<Client, Error> {
    let request = handshake(base, path, headers);
    let address = base
        .strip_prefix("http://")
        .and_then(|rest| rest.split('/').next())
        .unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let opened = timeout(PATIENCE, client_async(request, stream))
        .await
        .unwrap();
    opened.map(|(stream, _)| Client {
        stream,
        references: 0,
        before: Vec::new(),
    })
}

pub fn handshake(base: &str, path: &str, headers: &[(&'static str, String)]) -> Request {
    let url = format!("{}{path}", base.replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// The problem in a refused handshake.
pub fn refusal(error: Error) -> (u16, String) {
    let Error::Http(response) = error else {
        panic!("not refused over HTTP: {error}");
    };
    let body: Value = serde_json::from_slice(response.body().as_deref().unwrap()).unwrap();
    (response.status().as_u16(), text(&body["code"]))
}

/// A client's end of a socket.
pub struct Client {
    pub stream: WebSocketStream<TcpStream>,
    references: u64,
    /// Frames that came while an answer was awaited.
    before: Vec<Value>,
}

impl Client {
    pub async fn send(&mut self, frame: Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.stream.send(message).await.unwrap();
    }

    /// Sends a command and returns its one `ack` or `error`.
    pub async fn call(&mut self, mut command: Value) -> Value {
        self.references += 1;
        let reference = self.references.to_string();
        command["ref"] = json!(reference);
        self.send(command).await;
        loop {
            let frame = self.next_frame().await;
            if frame["ref"] == json!(reference) {
                return frame;
            }
            self.before.push(frame);
        }
    }

    pub async fn join(&mut self, conversation: &str) -> Value {
        let ack = self
            .call(json!({"type": "join_conversation", "conversation_id": conversation}))
            .await;
        assert_eq!(ack["type"], "ack", "{ack}");
        ack
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Value {
        if !self.before.is_empty() {
            return self.before.remove(0);
        }
        self.next_frame().await
    }

    /// The next frame of this type; others are passed over.
    pub async fn until(&mut self, kind: &str) -> Value {
        self.until_that(|frame| frame["type"] == kind).await
    }

    pub async fn until_that(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.frame().await;
            if wanted(&frame) {
                return frame;
            }
        }
    }

    async fn next_frame(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.stream.next())
                .await
                .expect("no frame came")
            {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no frame but {other:?}"),
            }
        }
    }

    /// Everything up to and including the answer to a ping: what was due has come by then.
    pub async fn settle(&mut self) -> Vec<Value> {
        self.call(json!({"type": "ping"})).await;
        std::mem::take(&mut self.before)
    }

    /// How the server closes this socket.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match timeout(PATIENCE, self.stream.next())
                .await
                .expect("it was not closed")
            {
                Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => return code.into(),
                Some(Ok(Message::Close(None)) | Err(_)) | None => return 0,
                Some(Ok(_)) => {}
            }
        }
    }
}

pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// Changes what is stored, as only an operator can.
pub async fn sql(database: &Path, statement: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

/// Counts what is stored.
pub async fn count(database: &Path, statement: &'static str) -> i64 {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let count = sqlx::query_scalar(statement)
        .fetch_one(&pool)
        .await
        .unwrap();
    pool.close().await;
    count
}
