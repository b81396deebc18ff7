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

#[cfg(test)]
mod tests {
    use std::{pin::Pin, sync::Arc};

    use chat_core::{
        Chat, NewGroup,
        model::{ClientId, Draft, Title, UserId},
    };
    use parking_lot::Mutex;
    use proptest::prelude::*;
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    /// Takes as many bytes as it is told, or none, call by call.
    struct Peer {
        appetite: Vec<usize>,
        taken: Arc<Mutex<Vec<u8>>>,
    }

    impl AsyncWrite for Peer {
        fn poll_write(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            match self.appetite.pop() {
                Some(0) => {
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
                most => {
                    let taken = most.unwrap_or(usize::MAX).min(bytes.len());
                    self.taken.lock().extend_from_slice(&bytes[..taken]);
                    Poll::Ready(Ok(taken))
                }
            }
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncRead for Peer {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    /// Batches as a session gives them, of so many messages each.
    async fn batches(sizes: &[usize]) -> Vec<Batch> {
        let chat = Chat::builder().start().await.unwrap();
        let ana = UserId::new();
        let title = Title::try_from("Lunch".to_owned()).unwrap();
        let row = chat.create_group(ana, NewGroup::new(title, vec![])).await;
        let conversation = row.unwrap().conversation.id;
        let mut session = chat.connect(ana).await.unwrap();
        session.join(conversation, None).await.unwrap();
        let mut batches = Vec::new();
        for size in sizes {
            for number in 0..*size {
                let draft = Draft {
                    client_id: ClientId::new(),
                    body: "x".repeat(1 + 7 * number),
                    reply_to: None,
                };
                chat.send(ana, conversation, draft).await.unwrap();
            }
            batches.push(session.next().await.unwrap());
        }
        batches
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_peer_gets_everything_once_and_in_order_however_little_it_takes_at_once(
            sizes in prop::collection::vec(1_usize..40, 1..4),
            appetite in prop::collection::vec(0_usize..700, 0..200),
            flushes in any::<bool>(),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            runtime.block_on(async {
                let taken = Arc::default();
                let peer = Peer { appetite, taken: Arc::clone(&taken) };
                let transport = Transport::of_any(peer);
                let mut outbox = Outbox::default();
                let mut expected: Vec<u8> = Vec::new();
                for mut batch in batches(&sizes).await {
                    batch.wire().for_each(|piece| expected.extend(piece));
                    outbox.write(&transport, &mut batch).unwrap();
                    prop_assert!(batch.is_empty());
                    outbox.push(Bytes::from_static(b"between"));
                    expected.extend(b"between");
                    if flushes {
                        let _some = outbox.poll_write(&transport, &mut noop());
                    }
                }
                while outbox.is_writing() {
                    let written = outbox.poll_write(&transport, &mut noop());
                    prop_assert!(!matches!(written, Poll::Ready(Err(_))));
                }
                prop_assert_eq!(&*taken.lock(), &expected);
                Ok(())
            })?;
        }
    }

    fn noop() -> Context<'static> {
        Context::from_waker(std::task::Waker::noop())
    }
}
