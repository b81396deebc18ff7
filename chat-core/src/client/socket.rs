//! The WebSocket to the server: opened over the same HTTP client as the calls, so that both trust the same.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode, Upgraded, Version, header};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    ClientError,
    error::describe_io,
    http::{self, Http},
};
use crate::protocol::SUBPROTOCOL;

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Far above the longest message with all its reactions.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// An open socket.
#[derive(Debug)]
pub(super) struct Socket(WebSocketStream<Upgraded>);

/// What was read.
#[derive(Debug)]
pub(super) enum Read {
    Text(String),
    /// A ping or pong.
    Alive,
    /// Nothing more comes.
    End {
        code: Option<u16>,
        reason: String,
    },
}

impl Socket {
    /// Opens a socket that is authenticated by `token`.
    pub(super) async fn open(http: &Http, token: &str) -> Result<Self, ClientError> {
        timeout(OPEN_TIMEOUT, handshake(http, token))
            .await
            .unwrap_or_else(|_elapsed| {
                Err(ClientError::Unreachable(
                    "it does not answer in time".to_owned(),
                ))
            })
    }

    /// The next thing that arrives. Cancellation safe.
    pub(super) async fn read(&mut self) -> Read {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => Read::Text(text.as_str().to_owned()),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Read::Alive,
            Some(Ok(Message::Binary(_))) => ended(None, "the server sent a binary frame"),
            Some(Ok(Message::Close(frame))) => closed(frame),
            Some(Err(tungstenite::Error::Io(error))) => ended(None, &describe_io(&error)),
            None
            | Some(Err(
                tungstenite::Error::ConnectionClosed
                | tungstenite::Error::AlreadyClosed
                | tungstenite::Error::Protocol(
                    tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
                ),
            )) => ended(None, "the connection broke"),
            Some(Err(error)) => ended(None, &format!("the server cannot be understood: {error}")),
        }
    }

    /// Puts a frame into the write buffer.
    pub(super) async fn feed(&mut self, text: String) -> Result<(), String> {
        in_time(self.0.feed(Message::text(text))).await
    }

    /// Writes what was fed.
    pub(super) async fn flush(&mut self) -> Result<(), String> {
        in_time(self.0.flush()).await
    }

    /// Says goodbye, which takes the user offline at once, and reads to the end, so that the server has read all that
    /// was written. A socket that is to be replaced by another one is dropped without a goodbye.
    pub(super) async fn close(mut self) {
        let goodbye = async {
            let normal = CloseFrame {
                code: CloseCode::Normal,
                reason: "".into(),
            };
            self.0.close(Some(normal)).await?;
            while self.0.next().await.transpose()?.is_some() {}
            Ok::<(), tungstenite::Error>(())
        };
        let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

async fn handshake(http: &Http, token: &str) -> Result<Socket, ClientError> {
    let key = generate_key();
    let request = http
        .request(Method::GET, &["ws"])?
        .version(Version::HTTP_11)
        .bearer_auth(token)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key)
        .header(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL);
    let response = http::send(request).await?;
    let says = |name, value: &str| {
        let header = response.headers().get(name);
        header.is_some_and(|header| header.as_bytes() == value.as_bytes())
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS
        || !says(
            header::SEC_WEBSOCKET_ACCEPT,
            &derive_accept_key(key.as_bytes()),
        )
        || !says(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
    {
        return Err(ClientError::Protocol(format!(
            "no WebSocket with {SUBPROTOCOL} here"
        )));
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(16 << 10)
        .max_write_buffer_size(1 << 20)
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let io = response.upgrade().await?;
    let stream = WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await;
    Ok(Socket(stream))
}

async fn in_time(
    write: impl Future<Output = Result<(), tungstenite::Error>>,
) -> Result<(), String> {
    match timeout(WRITE_TIMEOUT, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(tungstenite::Error::Io(error))) => Err(describe_io(&error)),
        Ok(Err(_closed)) => Err("the connection broke".to_owned()),
        Err(_elapsed) => Err("the server does not read".to_owned()),
    }
}

fn closed(frame: Option<CloseFrame>) -> Read {
    let Some(frame) = frame else {
        return ended(None, "the server closed the connection");
    };
    let code = u16::from(frame.code);
    let said = frame.reason.as_str().trim();
    let reason = match code {
        _ if !said.is_empty() => said,
        1001 => "the server is restarting",
        4401 => "the access token has expired",
        4408 => "the connection went silent",
        4500 => "not signed in",
        4502 => "the sign-in was revoked",
        4529 => "too many requests",
        _ => "the server closed the connection",
    };
    ended(Some(code), reason)
}

fn ended(code: Option<u16>, reason: &str) -> Read {
    Read::End {
        code,
        reason: reason.to_owned(),
    }
}
