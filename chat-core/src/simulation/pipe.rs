//! One direction of a connection: in order, with latency, and with little room.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::world::World;

/// With this many words on their way, the writer waits for the reader.
const ROOM: usize = 4;

/// The end that is written to.
#[derive(Debug)]
pub(crate) struct Writer<T> {
    words: mpsc::Sender<(Instant, T)>,
    world: Arc<World>,
    last: Instant,
}

/// The end that is read from.
#[derive(Debug)]
pub(crate) struct Reader<T> {
    words: mpsc::Receiver<(Instant, T)>,
    next: Option<(Instant, T)>,
}

/// What a server says on a socket.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    Text(String),
    Close { code: u16 },
}

/// One end of a connection: what it writes and what it reads.
#[derive(Debug)]
pub(crate) struct Pipe<W, R> {
    pub(crate) writer: Writer<W>,
    pub(crate) reader: Reader<R>,
}

/// A device's end.
pub(crate) type Socket = Pipe<String, Word>;
/// A node's end.
pub(super) type ServerSocket = Pipe<Word, String>;

pub(super) fn connect(world: &Arc<World>) -> (Socket, ServerSocket) {
    let (to_server, from_device) = one_way(world);
    let (to_device, from_server) = one_way(world);
    let device = Pipe {
        writer: to_server,
        reader: from_server,
    };
    let server = Pipe {
        writer: to_device,
        reader: from_device,
    };
    (device, server)
}

fn one_way<T>(world: &Arc<World>) -> (Writer<T>, Reader<T>) {
    let (sender, receiver) = mpsc::channel(ROOM);
    let writer = Writer {
        words: sender,
        world: Arc::clone(world),
        last: Instant::now(),
    };
    let reader = Reader {
        words: receiver,
        next: None,
    };
    (writer, reader)
}

impl<T> Writer<T> {
    /// Waits for room; whether the other end is still there. Cancellation safe: what was not written is in `words`.
    pub(crate) async fn write(&mut self, words: &mut std::collections::VecDeque<T>) -> bool {
        while !words.is_empty() {
            let Ok(room) = self.words.reserve().await else {
                return false;
            };
            let latency = self.world.random().millis(20);
            self.last = self.last.max(Instant::now() + latency);
            if let Some(word) = words.pop_front() {
                room.send((self.last, word));
            }
        }
        true
    }
}

impl<T> Reader<T> {
    /// The next word; `None` when the other end is gone. Cancellation safe.
    pub(crate) async fn read(&mut self) -> Option<T> {
        if self.next.is_none() {
            self.next = Some(self.words.recv().await?);
        }
        if let Some((at, _)) = &self.next {
            sleep_until(*at).await;
        }
        self.next.take().map(|(_, word)| word)
    }
}

impl<W: Send + 'static, R: Send + 'static> Pipe<W, R> {
    /// This end is gone, and the other one does not notice for a while.
    pub(crate) fn vanish(self, unnoticed: Duration) {
        if !unnoticed.is_zero() {
            tokio::spawn(async move {
                tokio::time::sleep(unnoticed).await;
                drop(self);
            });
        }
    }
}
