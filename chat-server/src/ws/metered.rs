//! The bytes under a socket: when the peer was last seen alive, and how much it sent without saying anything.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::metrics::Counted;

/// A stream that watches its peer.
#[derive(Debug)]
pub(super) struct Metered<S> {
    inner: S,
    /// Bytes that were read since the last whole message.
    incomplete: usize,
    /// More of them are an endless message.
    most_incomplete: usize,
    /// The kernel took no more bytes: from then on, each that it takes is one that the peer has read.
    blocked: Option<Counted>,
    /// All that are blocked.
    stalled: Gauge,
    alive_at: Instant,
}

impl<S> Metered<S> {
    pub(super) fn new(inner: S, most_incomplete: usize, stalled: Gauge) -> Self {
        Self {
            inner,
            incomplete: 0,
            most_incomplete,
            blocked: None,
            stalled,
            alive_at: Instant::now(),
        }
    }

    /// When the peer last sent something, or last read something that had to wait for it.
    pub(super) fn alive_at(&self) -> Instant {
        self.alive_at
    }

    /// Takes the peer for alive although nothing was read, because we did not read.
    pub(super) fn excuse(&mut self) {
        self.alive_at = Instant::now();
    }

    /// A whole message was read.
    pub(super) fn message_ended(&mut self) {
        self.incomplete = 0;
    }

    pub(super) fn is_endless(&self) -> bool {
        self.incomplete > self.most_incomplete
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_endless() {
            return Poll::Ready(Err(io::Error::other("a message without an end")));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.incomplete += read;
            self.alive_at = Instant::now();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.inner).poll_write(context, bytes) {
            Poll::Pending => {
                if self.blocked.is_none() {
                    self.blocked = Some(Counted::new(&self.stalled));
                }
                Poll::Pending
            }
            Poll::Ready(written) => {
                if self.blocked.is_some() && written.as_ref().is_ok_and(|written| *written > 0) {
                    self.blocked = None;
                    self.alive_at = Instant::now();
                }
                Poll::Ready(written)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
