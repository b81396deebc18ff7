//! A socket as its task has it: what the peer sends, what it is to be told, and an orderly close.

use std::{
    future::poll_fn,
    io,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use chat_core::{
    Batch, Frame, Session,
    protocol::{CloseCode, Signal},
};
use hyper::upgrade::Upgraded;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{
    Utf8Bytes,
    protocol::{CloseFrame, frame},
};

use super::{
    line::{Line, Tasks},
    reader::{Happened, Reader},
    transport::Transport,
};
use crate::{metrics, state::Shared};

/// What is left to say to a peer that is being closed must be said in this time.
const GOODBYE: Duration = Duration::from_secs(2);
/// An empty ping.
const PING: &[u8] = &[0x89, 0];

/// One open WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    line: Arc<Line>,
    reader: Reader,
    state: Shared,
}

impl Socket {
    pub(super) fn new(upgraded: Upgraded, state: &Shared) -> Self {
        let (transport, early) = Transport::below(upgraded);
        let worker = state.workers.next(&state.sockets, &state.draining);
        let stalled = state.metrics.sockets_stalled.clone();
        let line = Line::new(transport, worker, stalled);
        Self {
            reader: Reader::new(Arc::clone(&line), early, state.announced.max_frame_bytes),
            line,
            state: Shared::clone(state),
        }
    }

    pub(super) fn queue_signal(&mut self, signal: &Signal) {
        if let Signal::Error { problem, .. } = signal {
            self.state
                .metrics
                .refused(metrics::Transport::Socket, problem.code);
        }
        self.line.push(Frame::of_signal(signal).wire().clone());
    }

    #[cfg(feature = "autobahn")]
    pub(super) fn queue_text(&mut self, text: Utf8Bytes) {
        use frame::coding::{Data, OpCode};
        let mut bytes = Vec::new();
        let frame = frame::Frame::message(text, OpCode::Data(Data::Text), true);
        if frame.format(&mut bytes).is_ok() {
            self.line.push(bytes.into());
        }
    }

    pub(super) fn queue_ping(&mut self) {
        self.line.push(Bytes::from_static(PING));
    }

    /// Writes what a session had to tell.
    pub(super) fn write(&mut self, batch: Batch) -> io::Result<()> {
        self.line.write(batch)
    }

    /// Lets the session tell what it has to, whenever that is. It is here until it is taken.
    pub(super) fn put_session(&mut self, session: Box<Session>) {
        self.line.put_session(session);
    }

    pub(super) fn take_session(&mut self) -> Option<Box<Session>> {
        self.line.take_session()
    }

    /// What there is to do here.
    pub(super) fn tasks(&self) -> Tasks {
        self.line.tasks()
    }

    /// How much waits to be written.
    pub(super) fn backlog(&self) -> usize {
        self.line.backlog()
    }

    /// When the peer last sent something, or last read something that had to wait for it.
    pub(super) fn alive_at(&self) -> Instant {
        self.reader.alive_at().max(self.line.read_at())
    }

    pub(super) fn incomplete_since(&self) -> Option<Instant> {
        self.reader.incomplete_since()
    }

    pub(super) fn excuse(&mut self) {
        self.reader.excuse();
    }

    /// Writes what is to be written and, where `read`, reads; returns what happened. Cancellation safe.
    pub(super) async fn advance(&mut self, read: bool) -> Happened {
        poll_fn(|context| self.poll_advance(context, read)).await
    }

    fn poll_advance(&mut self, context: &mut Context<'_>, read: bool) -> Poll<Happened> {
        if self.line.poll_called(context).is_ready() {
            return Poll::Ready(Happened::Called);
        }
        if self.line.tasks().writing
            && let Poll::Ready(written) = self.line.poll_write(context)
        {
            return Poll::Ready(written.map_or(Happened::Lost, |()| Happened::Flushed));
        }
        if !read {
            return Poll::Pending;
        }
        let happened = ready!(self.reader.poll_next(context));
        Poll::Ready(happened)
    }

    /// Writes what is left and the close frame, and ends the connection.
    pub(super) async fn close(self, code: CloseCode, reason: &'static str) {
        let frame = frame::Frame::close(Some(CloseFrame {
            code: code.as_u16().into(),
            reason: Utf8Bytes::from_static(reason),
        }));
        let mut bytes = Vec::new();
        match frame.format(&mut bytes) {
            Ok(()) => self.line.push(bytes.into()),
            Err(error) => tracing::error!(%error, "a close frame cannot be written"),
        }
        self.finish().await;
    }

    /// Writes what is left, an answer to the peer's close frame included, and ends the connection.
    ///
    /// What the peer still sends is read and dropped: a connection that is closed with unread bytes is reset, and the
    /// close frame could be lost with it.
    pub(super) async fn finish(self) {
        let goodbye = async {
            let written = poll_fn(|context| self.line.poll_write(context)).await;
            let transport = &self.line.transport;
            if written.is_err() || poll_fn(|it| transport.poll_shutdown(it)).await.is_err() {
                return;
            }
            let mut ignored = [0; 1_024];
            while let Ok(1..) = poll_fn(|it| transport.poll_read(it, &mut ignored)).await {}
        };
        if timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!("a peer did not read its goodbye");
        }
    }
}

impl Drop for Socket {
    /// The session knows the line, for which it is woken; so that both are let go, it is taken out.
    fn drop(&mut self) {
        drop(self.line.take_session());
    }
}
