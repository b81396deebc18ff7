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
use rustix::net::{Shutdown, shutdown};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

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
        match upgraded.downcast::<TokioIo<TcpStream>>() {
            // A copy, because even an empty piece of a buffer keeps all of it in memory.
            Ok(parts) => (
                Self::Tcp(parts.io.into_inner()),
                Bytes::copy_from_slice(&parts.read_buf),
            ),
            Err(upgraded) => (
                Self::Other(Mutex::new(Box::new(TokioIo::new(upgraded)))),
                Bytes::new(),
            ),
        }
    }

    /// Writes as much as is taken at once; [`io::ErrorKind::WouldBlock`] if that is nothing.
    pub(super) fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => match pieces {
                // The kernel has less to do for one piece than for a list of one.
                [only] => stream.try_write(only),
                pieces => stream.try_write_vectored(pieces),
            },
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
