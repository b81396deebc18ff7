//! What a peer sends: bytes become messages, in a bounded memory of which an idle socket has none.

use std::{
    io::{self, Read, Write},
    mem,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use chat_core::protocol::CloseCode;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes, WebSocket,
    error::ProtocolError,
    protocol::{Role, WebSocketConfig},
};

use super::{boundary::Boundary, line::Line};

/// Allocated while something is read.
const BUFFER_BYTES: usize = 4 * 1024;

/// What happened on a socket.
#[derive(Debug)]
pub(super) enum Happened {
    /// There may be something else to do.
    Called,
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

/// The reading end of a socket.
#[derive(Debug)]
pub(super) struct Reader {
    line: Arc<Line>,
    largest: usize,
    /// Bytes that came with the request for the upgrade.
    early: Bytes,
    /// There is one from the first byte of a message to its last one.
    websocket: Option<Box<WebSocket<Tap>>>,
    alive_at: Instant,
}

impl Reader {
    /// Messages of at most `largest` bytes.
    pub(super) fn new(line: Arc<Line>, early: Bytes, largest: usize) -> Self {
        Self {
            line,
            largest,
            early,
            websocket: None,
            alive_at: Instant::now(),
        }
    }

    /// When the peer last sent something.
    pub(super) fn alive_at(&self) -> Instant {
        self.alive_at
    }

    /// Takes the peer for alive although nothing was read, because we did not read.
    pub(super) fn excuse(&mut self) {
        self.alive_at = Instant::now();
    }

    /// Since when the peer has been sending a message, if it has not come to its end.
    pub(super) fn incomplete_since(&self) -> Option<Instant> {
        let websocket = self.websocket.as_ref()?;
        let tap = websocket.get_ref();
        (!tap.boundary.is_between_messages()).then_some(tap.begun_at)
    }

    /// The next thing that the peer sends. What has to be answered by the rules of WebSocket is answered.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Happened> {
        let mut websocket = match self.websocket.take() {
            Some(websocket) => websocket,
            None => match ready!(self.poll_begin(context)) {
                Ok(Some(websocket)) => websocket,
                Ok(None) | Err(_) => return Poll::Ready(Happened::Lost),
            },
        };
        websocket.get_mut().reads_for(context.waker());
        let read = websocket.read();
        if let Ok(Message::Close(_)) = read {
            // The answer is put into words by the next call.
            let _closed = websocket.flush();
        }
        let tap = websocket.get_mut();
        let answers = mem::take(&mut tap.answers);
        if !answers.is_empty() {
            self.line.push(answers.into());
        }
        self.alive_at = self.alive_at.max(tap.read_at);
        if let Err(Error::Io(error)) = &read
            && error.kind() == io::ErrorKind::WouldBlock
        {
            if !tap.boundary.is_between_messages() {
                self.websocket = Some(websocket);
            }
            return Poll::Pending;
        }
        let happened = interpret(read, tap);
        self.websocket = Some(websocket);
        Poll::Ready(happened)
    }

    /// Waits for the first bytes of a message, without memory for them.
    fn poll_begin(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Box<WebSocket<Tap>>>>> {
        let mut buffer = [0; BUFFER_BYTES];
        let first = if self.early.is_empty() {
            let read = ready!(self.line.transport.poll_read(context, &mut buffer))?;
            buffer[..read].to_vec()
        } else {
            mem::take(&mut self.early).to_vec()
        };
        if first.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(self.largest))
            .max_frame_size(Some(self.largest));
        let tap = Tap::new(&self.line, 2 * self.largest + 64 * 1024, &first);
        let websocket = WebSocket::from_partially_read(tap, first, Role::Server, Some(config));
        Poll::Ready(Ok(Some(Box::new(websocket))))
    }
}

fn interpret(read: Result<Message, Error>, tap: &mut Tap) -> Happened {
    if read.is_ok() {
        tap.message_ended();
    }
    match read {
        Ok(Message::Text(text)) => Happened::Text(text),
        Ok(Message::Binary(_)) => Happened::Violation(CloseCode::Unsupported),
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Happened::Control,
        Ok(Message::Close(_)) | Err(Error::ConnectionClosed) => Happened::Left,
        Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Happened::Lost,
        Err(Error::Protocol(_)) => Happened::Violation(CloseCode::ProtocolError),
        Err(Error::Capacity(_)) => Happened::Violation(CloseCode::TooBig),
        Err(Error::Utf8(_)) => Happened::Violation(CloseCode::InvalidText),
        Err(_) if tap.is_endless() => Happened::Violation(CloseCode::PolicyViolation),
        Err(_) => Happened::Lost,
    }
}

/// The bytes under a WebSocket: read from the connection, and written to where they wait for their turn behind the frames
/// that are on their way.
#[derive(Debug)]
struct Tap {
    line: Arc<Line>,
    /// Who waits for more bytes.
    waker: Waker,
    boundary: Boundary,
    /// Bytes that were read since the last whole message.
    incomplete: usize,
    /// More of them are an endless message.
    most_incomplete: usize,
    begun_at: Instant,
    read_at: Instant,
    /// Pongs, and the answer to a close frame.
    answers: Vec<u8>,
}

impl Tap {
    fn new(line: &Arc<Line>, most_incomplete: usize, first: &[u8]) -> Self {
        let now = Instant::now();
        let mut tap = Self {
            line: Arc::clone(line),
            waker: Waker::noop().clone(),
            boundary: Boundary::default(),
            incomplete: 0,
            most_incomplete,
            begun_at: now,
            read_at: now,
            answers: Vec::new(),
        };
        tap.follow(first);
        tap
    }

    fn reads_for(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
    }

    fn follow(&mut self, bytes: &[u8]) {
        self.read_at = Instant::now();
        if self.boundary.is_between_messages() {
            self.begun_at = self.read_at;
        }
        self.boundary.follow(bytes);
        self.incomplete += bytes.len();
    }

    fn message_ended(&mut self) {
        self.incomplete = 0;
        self.begun_at = self.read_at;
    }

    fn is_endless(&self) -> bool {
        self.incomplete > self.most_incomplete
    }
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_endless() {
            return Err(io::Error::other("a message without an end"));
        }
        let mut context = Context::from_waker(&self.waker);
        match self.line.transport.poll_read(&mut context, buffer) {
            Poll::Ready(read) => {
                let read = read?;
                self.follow(&buffer[..read]);
                Ok(read)
            }
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answers.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
