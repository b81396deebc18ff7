//! Requests that no client of ours would send: each has its answer, and the server goes on.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time,
};
use uuid::Uuid;

use crate::support::{PATIENCE, Running, start};

/// Sends these bytes and reads until the server closes; requests say `Connection: close`.
pub async fn exchange(running: &Running, bytes: &[u8]) -> String {
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

/// A request with nothing in its head but this.
fn head(line: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n").into_bytes()
}

/// Each of these gets an answer of this status; from those that were read at all, a problem.
async fn refused(running: &Running, cases: Vec<(&str, Vec<u8>)>, status: &str) {
    for (what, bytes) in cases {
        let answer = exchange(running, &bytes).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let expected = format!("HTTP/1.1 {status} ");
        assert!(head.starts_with(&expected), "{what}: {answer}");
        if !body.is_empty() {
            assert!(head.contains("application/problem+json"), "{what}: {head}");
            let problem: Value = serde_json::from_str(body).unwrap();
            assert_eq!(problem["status"].to_string(), status, "{what}: {body}");
        }
    }
    running.person("ana").await;
}

#[tokio::test]
async fn a_head_that_cannot_be_read_costs_a_connection_and_no_more() {
    let running = start().await;
    let with = |headers: &str| head("GET /healthz", headers);
    let cases = vec![
        (
            "no Host",
            b"GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n".to_vec(),
        ),
        (
            "two lengths",
            with("content-length: 1\r\ncontent-length: 2\r\n"),
        ),
        (
            "one twice",
            with("content-length: 1\r\ncontent-length: 1\r\n"),
        ),
        ("no length", with("content-length: +1\r\n")),
        ("no end", with("transfer-encoding: chunked, gzip\r\n")),
        ("a fold", with("x: y\r\n z\r\n")),
        ("no HTTP", b"\x16\x03\x01 hello\r\n\r\n".to_vec()),
    ];
    refused(&running, cases, "400").await;
}

#[tokio::test]
async fn a_head_may_be_large_but_not_too_large() {
    let running = start().await;
    let many = |count: usize| {
        let headers: Vec<String> = (0..count).map(|n| format!("x-{n}: y\r\n")).collect();
        head("GET /healthz", &headers.concat())
    };
    let long = |length: usize| head("GET /healthz", &format!("x: {}\r\n", "y".repeat(length)));
    let target = |length: usize| head(&format!("GET /{}", "x".repeat(length)), "");
    let cases = vec![
        ("65 headers", many(63)),
        ("200 headers", many(200)),
        ("17 KB", long(17_000)),
        ("600 KB", long(600_000)),
        ("a target of 17 KB", target(17_000)),
    ];
    refused(&running, cases, "431").await;
    for (what, bytes, status) in [
        ("64 headers", many(62), "200"),
        ("15 KB", long(15_000), "200"),
        ("a target of 15 KB", target(15_000), "404"),
    ] {
        let answer = exchange(&running, &bytes).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{what}: {answer}"
        );
    }
}

#[tokio::test]
async fn what_is_not_offered_is_told_from_what_is_not_there() {
    let running = start().await;
    let methods = ["TRACE", "CONNECT", "BREW"].map(|method| {
        let line = format!("{method} /healthz");
        (method, head(&line, ""))
    });
    refused(&running, methods.into(), "405").await;
    let running = start().await;
    let paths = [
        "/api/%2e%2e/healthz",
        "/healthz%00",
        "//healthz",
        "/healthz/",
        "/%",
    ];
    let paths = paths.map(|path| (path, head(&format!("GET {path}"), "")));
    refused(&running, paths.into(), "404").await;
}

#[tokio::test]
async fn a_request_whose_end_is_told_in_two_ways_is_the_last_one_of_its_connection() {
    let running = start().await;
    let chunks = "5\r\nhello\r\n0\r\n\r\n";
    let first = "GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let last = "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n";
    for (what, lines) in [
        (
            "length first",
            "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        ),
        (
            "encoding first",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        ),
        (
            "apart",
            "content-length: 5\r\nx: y\r\ntransfer-encoding: chunked\r\n",
        ),
        ("twice", "content-length: 5\r\ncontent-length: 5\r\n"),
    ] {
        let odd = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{lines}\r\n{chunks}"
        );
        let answer = exchange(&running, format!("{first}{odd}{last}").as_bytes()).await;
        let answers: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).collect();
        assert_eq!(answers.len(), 2, "{what}: {answer}");
        assert!(answers[0].starts_with("200 "), "{what}: {answer}");
        assert!(answers[1].starts_with("400 "), "{what}: {answer}");
        assert!(
            answers[1].contains("\r\nconnection: close\r\n"),
            "{what}: {answer}"
        );
        assert!(
            answers[1].contains("\"code\":\"malformed\""),
            "{what}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_body_in_chunks_is_read_like_any_other() {
    let running = start().await;
    let body = r#"{"username":"ana","password":"correct horse battery"}"#;
    let (front, back) = body.split_at(10);
    let chunks = format!(
        "{:x}\r\n{front}\r\n{:x}\r\n{back}\r\n0\r\n\r\n",
        front.len(),
        back.len()
    );
    let request = format!(
        "POST /api/v1/auth/register HTTP/1.1\r\nhost: x\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
    );
    let answer = exchange(&running, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let endless = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000)).repeat(3);
    let request = format!(
        "POST /api/v1/auth/register HTTP/1.1\r\nhost: x\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n{endless}"
    );
    let answer = exchange(&running, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}
