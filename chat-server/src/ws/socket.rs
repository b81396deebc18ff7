//! Both directions of one WebSocket: bounded writing that never blocks reading, and an orderly close.

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use chat_core::protocol::{CloseCode, Signal};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message, Utf8Bytes,
        error::ProtocolError,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use super::metered::Metered;
use crate::{metrics::Transport, state::Shared};

/// Allocated for each socket, also while it is silent.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// Frames are gathered up to this much before they are written.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// What is left to say to a peer that is being closed must be said in this time.
const GOODBYE: Duration = Duration::from_secs(2);

/// One open WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: WebSocketStream<Metered<TokioIo<Upgraded>>>,
    /// What is to be written. Its users keep it short: they add little while it is being written.
    outbox: VecDeque<Message>,
    writing: bool,
    state: Shared,
}

/// What happened on a socket.
#[derive(Debug)]
pub(super) enum Happened {
    /// All that was to be written is written.
    Flushed,
    /// The peer sent this.
    Text(Utf8Bytes),
    /// The peer sent a ping or a pong.
    Control,
    /// The peer said goodbye.
    Left,
    /// The connection broke.
    Lost,
    /// The peer broke the rules, and is to be closed with this code.
    Violation(CloseCode),
}

impl Socket {
    pub(super) async fn new(io: TokioIo<Upgraded>, state: &Shared) -> Self {
        let largest = state.announced.max_frame_bytes;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            // A frame of ours holds a message of theirs, of which JSON may write each byte as six.
            .max_write_buffer_size(8 * largest + 4 * WRITE_BUFFER_BYTES)
            .max_message_size(Some(largest))
            .max_frame_size(Some(largest));
        let stalled = state.metrics.sockets_stalled.clone();
        let metered = Metered::new(io, 2 * largest + 64 * 1024, stalled);
        Self {
            stream: WebSocketStream::from_raw_socket(metered, Role::Server, Some(config)).await,
            outbox: VecDeque::new(),
            writing: false,
            state: Shared::clone(state),
        }
    }

    /// Adds a text frame to what is to be written.
    pub(super) fn queue(&mut self, json: Bytes) {
        let frame = Frame::message(json, OpCode::Data(Data::Text), true);
        self.queue_message(Message::Frame(frame));
    }

    pub(super) fn queue_signal(&mut self, signal: &Signal) {
        if let Signal::Error { problem, .. } = signal {
            self.state.metrics.refused(Transport::Socket, problem.code);
        }
        match serde_json::to_vec(signal) {
            Ok(json) => self.queue(json.into()),
            Err(error) => tracing::error!(%error, "a signal cannot be written"),
        }
    }

    pub(super) fn queue_ping(&mut self) {
        self.queue_message(Message::Ping(Bytes::new()));
    }

    fn queue_message(&mut self, message: Message) {
        self.outbox.push_back(message);
        self.writing = true;
    }

    /// Something waits until the peer reads.
    pub(super) fn is_writing(&self) -> bool {
        self.writing
    }

    /// How many frames wait.
    pub(super) fn backlog(&self) -> usize {
        self.outbox.len()
    }

    pub(super) fn alive_at(&self) -> Instant {
        self.stream.get_ref().alive_at()
    }

    pub(super) fn excuse(&mut self) {
        self.stream.get_mut().excuse();
    }

    /// Writes what is to be written and, where `read`, reads; returns what happened. Cancellation safe.
    pub(super) async fn advance(&mut self, read: bool) -> Happened {
        poll_fn(|context| self.poll_advance(context, read)).await
    }

    fn poll_advance(&mut self, context: &mut Context<'_>, read: bool) -> Poll<Happened> {
        if self.writing
            && let Poll::Ready(written) = self.poll_write(context)
        {
            self.writing = false;
            return Poll::Ready(written.map_or(Happened::Lost, |()| Happened::Flushed));
        }
        if !read {
            return Poll::Pending;
        }
        let next = ready!(self.stream.poll_next_unpin(context));
        Poll::Ready(self.interpret(next))
    }

    /// All frames first, then one flush: they go out together.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.outbox.is_empty() {
            ready!(self.stream.poll_ready_unpin(context))?;
            if let Some(message) = self.outbox.pop_front() {
                self.stream.start_send_unpin(message)?;
            }
        }
        self.stream.poll_flush_unpin(context)
    }

    fn interpret(&mut self, next: Option<Result<Message, Error>>) -> Happened {
        let Some(next) = next else {
            return Happened::Left;
        };
        if next.is_ok() {
            self.stream.get_mut().message_ended();
        }
        match next {
            Ok(Message::Text(text)) => Happened::Text(text),
            Ok(Message::Binary(_)) => Happened::Violation(CloseCode::Unsupported),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Happened::Control,
            Ok(Message::Close(_)) | Err(Error::ConnectionClosed) => Happened::Left,
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Happened::Lost,
            Err(Error::Protocol(_)) => Happened::Violation(CloseCode::ProtocolError),
            Err(Error::Capacity(_)) => Happened::Violation(CloseCode::TooBig),
            Err(Error::Utf8(_)) => Happened::Violation(CloseCode::InvalidText),
            Err(_) if self.stream.get_ref().is_endless() => {
                Happened::Violation(CloseCode::PolicyViolation)
            }
            Err(_) => Happened::Lost,
        }
    }

    /// Writes what is left and the close frame, and ends the connection.
    pub(super) async fn close(mut self, code: CloseCode, reason: &'static str) {
        self.queue_message(Message::Close(Some(CloseFrame {
            code: code.as_u16().into(),
            reason: Utf8Bytes::from_static(reason),
        })));
        self.finish().await;
    }

    /// Writes what is left, an answer to the peer's close frame included, and ends the connection.
    ///
    /// What the peer still sends is read and dropped: a connection that is closed with unread bytes is reset, and the
    /// close frame could be lost with it.
    pub(super) async fn finish(mut self) {
        let goodbye = async {
            let written = poll_fn(|context| self.poll_write(context)).await;
            let metered = self.stream.get_mut();
            if written.is_err() || metered.shutdown().await.is_err() {
                return;
            }
            let mut ignored = [0; 1_024];
            loop {
                metered.message_ended();
                match metered.read(&mut ignored).await {
                    Ok(1..) => {}
                    _ => return,
                }
            }
        };
        if timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!("a peer did not read its goodbye");
        }
    }
}
