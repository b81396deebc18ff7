//! As much of HTTP as it takes to call a server on this machine.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use anyhow::{Context, bail};
use serde_json::Value;

/// The bytes of a call.
pub(crate) fn request(method: &str, path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    let token = token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Calls, and waits for the answer.
pub(crate) fn call(
    stream: &mut TcpStream,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> anyhow::Result<Value> {
    stream.write_all(&request(method, path, token, body))?;
    let mut answer = Vec::new();
    let mut buffer = [0; 16 * 1_024];
    loop {
        let read = stream.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..read]);
        if let Some(whole) = Answer::in_bytes(&answer) {
            let text = String::from_utf8_lossy(&answer[whole.body..whole.end]).into_owned();
            if whole.status >= 300 {
                bail!("{method} {path}: {} {text}", whole.status);
            }
            return Ok(serde_json::from_str(&text).unwrap_or(Value::Null));
        }
        if read == 0 {
            bail!("{method} {path}: the connection ended");
        }
    }
}

/// Where an answer lies in bytes that were read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    body: usize,
    pub(crate) end: usize,
}

impl Answer {
    /// The first answer, if all of it is there.
    pub(crate) fn in_bytes(bytes: &[u8]) -> Option<Self> {
        let head = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
        let text = std::str::from_utf8(&bytes[..head]).ok()?;
        let status = text.split(' ').nth(1)?.parse().ok()?;
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        let body = head + 4;
        let end = body + length.unwrap_or(0);
        (bytes.len() >= end).then_some(Self { status, body, end })
    }
}

/// Turns a connection into a WebSocket; what the server said after that, too early to be read elsewhere.
pub(crate) fn upgrade(
    stream: &mut TcpStream,
    path: &str,
    token: Option<&str>,
) -> anyhow::Result<Vec<u8>> {
    let token = token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{token}\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = stream.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..read]);
        if let Some(head) = answer.windows(4).position(|it| it == b"\r\n\r\n") {
            if !answer.starts_with(b"HTTP/1.1 101") {
                bail!("no WebSocket: {}", String::from_utf8_lossy(&answer));
            }
            return Ok(answer.split_off(head + 4));
        }
        if read == 0 {
            return Err(anyhow::anyhow!("the connection ended")).context("no WebSocket");
        }
    }
}
