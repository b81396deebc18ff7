//! What is to be written to a peer: frames as they are in the rooms' windows, without a copy for each receiver.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use chat_core::Batch;

use super::transport::Transport;

/// How many pieces are written with one call.
const PIECES_AT_ONCE: usize = 32;
/// The memory for this many waiting pieces may be kept while none waits.
const SPARE_PIECES: usize = 4;

/// What a peer has not taken yet, in order. Empty nearly always.
///
/// Its users keep it short: as long as something waits, no more is taken from the session.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<Bytes>,
    /// All is written, but not all of it has gone to the kernel.
    unflushed: bool,
}

impl Outbox {
    /// Whether something waits.
    pub(super) fn is_writing(&self) -> bool {
        self.unflushed || !self.waiting.is_empty()
    }

    /// How many pieces wait.
    pub(super) fn backlog(&self) -> usize {
        self.waiting.len()
    }

    /// Adds something behind all that waits.
    pub(super) fn push(&mut self, piece: Bytes) {
        self.waiting.push_back(piece);
    }

    /// Writes what is in the batch, if nothing waits before it; what the peer does not take at once waits.
    /// The batch is empty afterwards.
    pub(super) fn write(&mut self, transport: &Transport, batch: &mut Batch) -> io::Result<()> {
        let mut written = 0;
        while self.waiting.is_empty() {
            let mut pieces = [IoSlice::new(&[]); PIECES_AT_ONCE];
            let count = gather(skip_bytes(batch.wire(), written), &mut pieces);
            if count == 0 {
                break;
            }
            match transport.try_write(&pieces[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.keep(batch, written);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        if self.waiting.is_empty() {
            batch.clear();
            self.unflushed = !transport.try_flush()?;
        } else {
            self.keep(batch, written);
        }
        Ok(())
    }

    /// Keeps what is in the batch after so many bytes.
    fn keep(&mut self, batch: &mut Batch, mut written: usize) {
        for mut piece in batch.take_wire() {
            let gone = written.min(piece.len());
            written -= gone;
            piece.advance(gone);
            if !piece.is_empty() {
                self.waiting.push_back(piece);
            }
        }
    }

    /// Writes what waits.
    pub(super) fn poll_write(
        &mut self,
        transport: &Transport,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Progress>> {
        let mut progress = Progress::default();
        while !self.waiting.is_empty() {
            let mut pieces = [IoSlice::new(&[]); PIECES_AT_ONCE];
            let count = gather(self.waiting.iter().map(AsRef::as_ref), &mut pieces);
            match transport.poll_write(context, &pieces[..count]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    progress.bytes += written;
                    self.unflushed = true;
                    self.drop_written(written);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if progress.bytes > 0 => return Poll::Ready(Ok(progress)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.waiting.capacity() > SPARE_PIECES {
            self.waiting = VecDeque::new();
        }
        ready!(transport.poll_flush(context))?;
        self.unflushed = false;
        progress.is_all = true;
        Poll::Ready(Ok(progress))
    }

    fn drop_written(&mut self, mut written: usize) {
        while let Some(first) = self.waiting.front_mut() {
            let gone = written.min(first.len());
            written -= gone;
            first.advance(gone);
            if !first.is_empty() {
                return;
            }
            self.waiting.pop_front();
        }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) bytes: usize,
    /// Nothing waits any more.
    pub(super) is_all: bool,
}

/// The pieces without the first so many bytes.
fn skip_bytes<'a>(
    pieces: impl Iterator<Item = &'a [u8]>,
    mut bytes: usize,
) -> impl Iterator<Item = &'a [u8]> {
    pieces.filter_map(move |piece| {
        let skipped = bytes.min(piece.len());
        bytes -= skipped;
        (skipped < piece.len()).then(|| &piece[skipped..])
    })
}

/// Fills `slices` with the first of the pieces; how many there are.
fn gather<'a>(pieces: impl Iterator<Item = &'a [u8]>, slices: &mut [IoSlice<'a>]) -> usize {
    let mut count = 0;
    for (slice, piece) in slices.iter_mut().zip(pieces) {
        *slice = IoSlice::new(piece);
        count += 1;
    }
    count
}
