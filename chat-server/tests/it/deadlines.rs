//! How long the server waits for clients that are slow on purpose, or gone without a word.

use std::{io::ErrorKind, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};

use crate::{
    hostile::exchange,
    support::{PATIENCE, Running, start},
};

const LOGIN: &str =
    "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

/// What is due has happened when so many other requests were answered.
const FENCES: usize = 50;

/// A client of which each byte is known.
struct Peer<'a> {
    running: &'a Running,
    stream: TcpStream,
}

impl<'a> Peer<'a> {
    async fn connect(running: &'a Running) -> Self {
        let stream = TcpStream::connect(running.server.local_addr()).await;
        Self {
            running,
            stream: stream.unwrap(),
        }
    }

    /// Sends this, and returns when the server has seen it.
    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        fence(self.running).await;
    }

    async fn wait(&self, seconds: u64) {
        time::pause();
        time::advance(Duration::from_secs(seconds)).await;
        time::resume();
        fence(self.running).await;
    }

    fn is_open(&mut self) -> bool {
        matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// What is still to be read until the server closes, which is due.
    async fn end(self) -> String {
        let mut answer = Vec::new();
        for _ in 0..FENCES {
            match self.stream.try_read_buf(&mut answer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => fence(self.running).await,
                Ok(0) | Err(_) => return String::from_utf8(answer).unwrap(),
                Ok(_) => {}
            }
        }
        panic!("it is still open after {answer:?}");
    }

    /// The answer to a request for its health.
    async fn healthy(&mut self) {
        self.stream.write_all(HEALTH.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with("{\"status\":\"ok\"}") {
            let mut piece = [0; 1_024];
            let read = time::timeout(PATIENCE, self.stream.read(&mut piece));
            let read = read.await.unwrap().unwrap();
            assert!(read > 0, "closed after {answer}");
            answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
    }
}

/// Other requests that are answered: by then, the server has seen what came before.
async fn fence(running: &Running) {
    for _ in 0..2 {
        let closing = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let alive = exchange(running, closing.as_bytes()).await;
        assert!(alive.starts_with("HTTP/1.1 200 "), "{alive}");
    }
}

#[tokio::test]
async fn a_client_that_says_nothing_is_given_up_after_5_seconds() {
    let running = start().await;
    let mut peer = Peer::connect(&running).await;
    peer.say("").await;
    peer.wait(4).await;
    assert!(peer.is_open());
    peer.wait(2).await;
    assert_eq!(peer.end().await, "");
}

#[tokio::test]
async fn half_a_head_is_given_up_after_10_seconds_however_it_dribbles() {
    let running = start().await;
    for before in [0, 1, 2] {
        let mut peer = Peer::connect(&running).await;
        for _ in 0..before {
            peer.healthy().await;
        }
        peer.say("GET /healthz HTT").await;
        peer.wait(4).await;
        peer.say("P/1.1\r\n").await;
        peer.wait(5).await;
        assert!(peer.is_open(), "after {before} requests");
        peer.say("host: x\r\n").await;
        peer.wait(2).await;
        assert_eq!(peer.end().await, "", "after {before} requests");
    }
}

#[tokio::test]
async fn half_a_body_is_refused_after_10_seconds_however_it_dribbles() {
    let running = start().await;
    for (length, piece) in [
        ("content-length: 50", " "),
        ("transfer-encoding: chunked", "1\r\n \r\n"),
    ] {
        let mut peer = Peer::connect(&running).await;
        peer.say(&format!("{LOGIN}{length}\r\n\r\n{piece}")).await;
        for _ in 0..3 {
            peer.wait(3).await;
            assert!(peer.is_open(), "{length}");
            peer.say(piece).await;
        }
        peer.wait(2).await;
        let answer = peer.end().await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 408 "), "{length}: {head}");
        let problem: Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["code"], "timeout");
        assert_eq!(problem["retryable"], true);
    }
}

#[tokio::test]
async fn a_connection_is_kept_for_the_next_request_for_75_seconds() {
    let running = start().await;
    let mut peer = Peer::connect(&running).await;
    for _ in 0..2 {
        peer.healthy().await;
        peer.wait(70).await;
        assert!(peer.is_open());
    }
    peer.healthy().await;
    peer.wait(76).await;
    assert_eq!(peer.end().await, "");
}

#[tokio::test]
async fn a_client_that_takes_no_answers_is_given_up() {
    const ASKED: usize = 60;
    let running = start().await;
    let mut peer = Peer::connect(&running).await;
    let request = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
    peer.say(&request.repeat(ASKED)).await;
    for _ in 0..6 {
        peer.wait(30).await;
    }
    let answers = peer.end().await.matches("HTTP/1.1 200 OK").count();
    assert!((1..ASKED).contains(&answers), "{answers}");
}
