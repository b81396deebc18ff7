//! The bytes of a connection: TCP as the kernel has it, or any other stream, such as one with TLS.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use rustix::net::{SendAncillaryBuffer, SendFlags, Shutdown, send, sendmsg, shutdown};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::stream;

/// Both directions of a connection, for whoever has a reference: one reads, and another one may write meanwhile.
#[derive(Debug)]
pub(super) enum Transport {
    /// Both directions are independent, and each call is one of the kernel's.
    Tcp(TcpStream),
    /// Reading and writing exclude each other for a moment.
    Other(Mutex<Box<dyn Stream>>),
}

/// What a connection can run over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl fmt::Debug for dyn Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

impl Transport {
    /// The connection below an HTTP connection that has become something else, and what was read of it too early.
    pub(super) fn below(upgraded: Upgraded) -> (Self, Bytes) {
        // A copy, because even an empty piece of a buffer keeps all of it in memory.
        let early = |read: Bytes| Bytes::copy_from_slice(&read);
        let other = |stream: Box<dyn Stream>| Self::Other(Mutex::new(stream));
        let upgraded = match upgraded.downcast::<TokioIo<stream::Stream>>() {
            Ok(parts) => {
                let transport = match parts.io.into_inner() {
                    stream::Stream::Plain(stream) => Self::Tcp(stream),
                    stream::Stream::Tls(stream) => other(stream),
                };
                return (transport, early(parts.read_buf));
            }
            Err(upgraded) => upgraded,
        };
        // Of a server that is not ours, into which the routes are mounted.
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            Ok(parts) => (Self::Tcp(parts.io.into_inner()), early(parts.read_buf)),
            Err(upgraded) => (other(Box::new(TokioIo::new(upgraded))), Bytes::new()),
        }
    }

    #[cfg(test)]
    pub(super) fn of_any(stream: impl Stream + 'static) -> Self {
        Self::Other(Mutex::new(Box::new(stream)))
    }

    /// Writes as much as is taken at once; [`io::ErrorKind::WouldBlock`] if that is nothing.
    pub(super) fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => send_at_once(stream, pieces),
            Self::Other(_) => {
                // Nobody is woken: whoever has to wait calls `poll_write` and says who.
                match self.poll_write(&mut Context::from_waker(Waker::noop()), pieces) {
                    Poll::Ready(written) => written,
                    Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
        }
    }

    /// Writes some of it.
    pub(super) fn poll_write(
        &self,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => loop {
                ready!(stream.poll_write_ready(context))?;
                match stream.try_write_vectored(pieces) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    written => return Poll::Ready(written),
                }
            },
            Self::Other(stream) => {
                Pin::new(&mut *stream.lock()).poll_write_vectored(context, pieces)
            }
        }
    }

    /// Whether all that was written has gone to the kernel.
    pub(super) fn try_flush(&self) -> io::Result<bool> {
        match self.poll_flush(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(flushed) => flushed.map(|()| true),
            Poll::Pending => Ok(false),
        }
    }

    /// Lets all that was written go to the kernel.
    pub(super) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Other(stream) => Pin::new(&mut *stream.lock()).poll_flush(context),
        }
    }

    /// Reads some bytes; none at the end.
    pub(super) fn poll_read(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => loop {
                ready!(stream.poll_read_ready(context))?;
                match stream.try_read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => return Poll::Ready(read),
                }
            },
            Self::Other(stream) => {
                let mut buffer = ReadBuf::new(buffer);
                ready!(Pin::new(&mut *stream.lock()).poll_read(context, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len()))
            }
        }
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn poll_shutdown(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Poll::Ready(Ok(shutdown(stream, Shutdown::Write)?)),
            Self::Other(stream) => Pin::new(&mut *stream.lock()).poll_shutdown(context),
        }
    }
}

/// Asks the kernel without looking whether the socket is said to be ready, which it nearly always is: the memory where
/// that is written is one thing less to fetch for each delivery. When it is not, whoever polls finds out in the same way.
fn send_at_once(stream: &TcpStream, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    let sent = match pieces {
        // The kernel has less to do for one piece than for a list of one.
        [only] => send(stream, only, flags),
        pieces => sendmsg(stream, pieces, &mut SendAncillaryBuffer::default(), flags),
    };
    Ok(sent?)
}
