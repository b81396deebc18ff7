//! Requests that no client of ours would send: each has its answer, and the server goes on.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};
use uuid::Uuid;

use crate::support::{PATIENCE, Running, start};

/// Sends these bytes and reads until the server closes; requests say `Connection: close`.
async fn exchange(running: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(running.server.local_addr())
        .await
        .unwrap();
    // The server may answer and close before it has read everything.
    let _closed = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _reset = time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(line: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

const JSON: &str = "content-type: application/json";

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_by_what_is_wrong_with_it() {
    let running = start().await;
    let ana = running.person("ana").await;
    let group = ana.group("Lunch", &[]).await;
    let id = Uuid::new_v4();
    let message = |body: &str| format!(r#"{{"client_id":"{id}","body":{body}}}"#).into_bytes();
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let mut cases: Vec<(&str, &[&str], Vec<u8>, &str)> = Vec::new();
    for (what, body) in [
        ("nothing", vec![]),
        ("no JSON", b"client_id=1".to_vec()),
        ("an array", b"[]".to_vec()),
        ("depth", message(&deep)),
        ("a wrong type", message("7")),
        ("a key twice", message(r#""a","body":"b""#)),
        ("a lone surrogate", message(r#""\ud800""#)),
        (
            "no UTF-8",
            message("\"a\"")
                .into_iter()
                .map(|b| if b == b'a' { 0xff } else { b })
                .collect(),
        ),
        ("two values", [message("\"a\""), b"{}".to_vec()].concat()),
    ] {
        cases.push((what, &[JSON], body, "400 malformed"));
    }
    for (what, headers) in [
        ("no content type", &[][..]),
        ("a form", &["content-type: text/plain"]),
        ("compression", &[JSON, "content-encoding: gzip"]),
    ] {
        cases.push((
            what,
            headers,
            message("\"a\""),
            "415 unsupported_media_type",
        ));
    }
    let long = message(&format!("\"{}\"", "x".repeat(3_000_000)));
    cases.push((
        "an unknown field",
        &[JSON],
        message(r#""a","role":"admin""#),
        "422 unknown_field",
    ));
    cases.push(("a NUL", &[JSON], message(r#""\u0000""#), "422 invalid"));
    cases.push((
        "no id",
        &[JSON],
        br#"{"client_id":"x","body":"a"}"#.to_vec(),
        "422 invalid",
    ));
    cases.push(("3 MB", &[JSON], long, "413 too_large"));

    for (what, headers, body, expected) in cases {
        let line = format!("POST /api/v1/conversations/{group}/messages");
        let bearer = format!("authorization: Bearer {}", ana.token);
        let headers = [headers, &[bearer.as_str()]].concat();
        let answer = exchange(&running, &request(&line, &headers, &body)).await;
        let (head, problem) = answer.split_once("\r\n\r\n").unwrap();
        let problem: Value = serde_json::from_str(problem).unwrap();
        let status = head.split(' ').nth(1).unwrap();
        let code = problem["code"].as_str().unwrap();
        assert_eq!(format!("{status} {code}"), expected, "{what}: {problem}");
    }
    ana.say(&group, "still here").await;
}

#[tokio::test]
async fn a_head_that_cannot_be_read_costs_a_connection_and_no_more() {
    let running = start().await;
    let many_headers: Vec<String> = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let many_headers = many_headers.concat();
    let cases = [
        ("no Host", "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), "400"),
        (
            "two lengths",
            "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
            "400",
        ),
        ("200 headers", format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many_headers}\r\n"), "431"),
        (
            "a huge header",
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(600_000)),
            "431",
        ),
        ("no HTTP", "\u{16}\u{3}\u{1} hello\r\n\r\n".to_owned(), "400"),
    ];
    for (what, bytes, status) in cases {
        let answer = exchange(&running, bytes.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{what}: {answer}"
        );
    }
    running.person("ana").await;
}

#[tokio::test]
async fn a_client_that_never_finishes_is_given_up() {
    let running = start().await;
    let begun = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{";
    for (what, bytes, expected) in [
        ("silence", "", ""),
        ("half a head", "GET /healthz HTT", ""),
        ("half a body", begun, "HTTP/1.1 408 "),
    ] {
        let mut stream = TcpStream::connect(running.server.local_addr())
            .await
            .unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let mut reading = Box::pin(stream.read_to_end(&mut answer));
        // One request that is answered after those bytes were sent, so that the server has seen them.
        tokio::select! {
            _ = &mut reading => panic!("{what}: given up at once"),
            alive = running.request(reqwest::Method::GET, "/healthz", None) => {
                assert_eq!(alive.body, json!({"status": "ok"}));
            }
        }
        time::pause();
        time::advance(Duration::from_secs(11)).await;
        time::resume();
        let ended = time::timeout(PATIENCE, reading).await;
        assert!(ended.is_ok(), "{what}");
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(expected), "{what}: {answer}");
        if let Some((_, body)) = answer
            .split_once("\r\n\r\n")
            .filter(|(_, body)| !body.is_empty())
        {
            let problem: Value = serde_json::from_str(body).unwrap();
            assert_eq!(
                (&problem["code"], &problem["retryable"]),
                (&json!("timeout"), &json!(true))
            );
        }
    }
}
