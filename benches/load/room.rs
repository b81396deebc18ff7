//! One room of one server, with its receivers and a publisher, and what a message through it costs.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::json;
use uuid::Uuid;

use crate::{
    crowd::{Crowd, Tally},
    frames, http,
    ours::{Ours, Person, Store},
    peers::{Dialect, Peer, Places, payload},
    process::{CpuTime, Server},
};

/// Nothing is measured before the caches are warm.
const WARM_UP: Duration = Duration::from_millis(700);
/// Whatever is on its way must have arrived by then.
const PATIENCE: Duration = Duration::from_secs(15);
/// On how many receivers a clock is read.
const WATCHED: usize = 32;
/// How often the slow ones read.
const BITE_EVERY: Duration = Duration::from_millis(20);

/// A room that is open.
pub(crate) struct Room {
    server: Server,
    crowd: Crowd,
    publisher: TcpStream,
    dialect: Dialect,
    conversation: String,
    /// The number of the message that comes next.
    next: u64,
}

/// What messages through a room cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) deliveries_per_second: f64,
    /// Microseconds of the server's processor time for each delivery.
    pub(crate) user: f64,
    pub(crate) system: f64,
    pub(crate) frames_per_read: f64,
    pub(crate) bytes_per_delivery: f64,
    /// Milliseconds from the publisher to a receiver.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) missing: u64,
    pub(crate) late: u64,
}

impl Cost {
    pub(crate) fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

/// What goes through a room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// How many messages are under way at once.
    pub(crate) under_way: u64,
    pub(crate) bytes: usize,
    pub(crate) duration: Duration,
}

impl Room {
    pub(crate) fn of_peer(peer: Peer, places: &Places, receivers: usize) -> anyhow::Result<Self> {
        let server = peer.start(places)?;
        let (publisher, _) = peer.join(server.port)?;
        let mut crowd = Crowd::new(peer.dialect())?;
        for _ in 0..receivers {
            let (stream, early) = peer.join(server.port)?;
            crowd.add(stream, 0, &early)?;
        }
        crowd.watch(&publisher, 0)?;
        Ok(Self {
            server,
            crowd,
            publisher,
            dialect: peer.dialect(),
            conversation: String::new(),
            next: 0,
        })
    }

    /// A room of ours, in which each of the people has the same number of sockets.
    pub(crate) fn of_ours(program: &Path, people: usize, receivers: usize) -> anyhow::Result<Self> {
        let ours = Ours::start(program, &Store::Memory, people, true)?;
        let conversation = ours.group(&ours.people)?;
        let mut crowd = Crowd::new(Dialect::Ours)?;
        let mut next = 0;
        for index in 0..receivers {
            let person = &ours.people[index % people];
            let (stream, first, early) = ours.join(person, &conversation)?;
            crowd.add(stream, first, &early)?;
            next = first;
        }
        let publisher = publisher(&ours, &ours.people[0])?;
        crowd.watch(&publisher, 0)?;
        Ok(Self {
            server: ours.server,
            crowd,
            publisher,
            dialect: Dialect::Ours,
            conversation,
            next,
        })
    }

    pub(crate) fn make_some_slow(&mut self) -> anyhow::Result<()> {
        self.crowd.make_some_slow()
    }

    /// Sends for a while, and lets everything arrive.
    pub(crate) fn run(&mut self, load: Load) -> anyhow::Result<Cost> {
        let first = self.next;
        let before_all = self.crowd.tally;
        let mut run = Run::new(first, self.crowd.prompt());
        let began = Instant::now();
        self.send_until(began + WARM_UP, load, &mut run)?;
        run.delays.clear();
        let (cpu, tally, since) = (self.server.cpu()?, self.crowd.tally, Instant::now());
        self.send_until(since + load.duration, load, &mut run)?;
        let elapsed = since.elapsed();
        let cpu = self.server.cpu()?.since(cpu);
        let measured = difference(self.crowd.tally, tally);
        self.let_arrive(first, &mut run)?;
        let all = difference(self.crowd.tally, before_all);
        Ok(run.cost(measured, all, cpu, elapsed))
    }

    fn send_until(&mut self, end: Instant, load: Load, run: &mut Run) -> anyhow::Result<()> {
        let mut bite_at = Instant::now();
        while Instant::now() < end {
            while run.sent() < run.arrived + load.under_way {
                self.publish(load.bytes)?;
                run.sent_at.push(Instant::now());
            }
            let something = self.read(run)?;
            ensure!(something, "nothing arrived for a while");
            if Instant::now() >= bite_at {
                bite_at = Instant::now() + BITE_EVERY;
                self.crowd.bite()?;
            }
        }
        Ok(())
    }

    fn let_arrive(&mut self, first: u64, run: &mut Run) -> anyhow::Result<()> {
        self.crowd.make_all_prompt()?;
        let end = Instant::now() + PATIENCE;
        while self.crowd.all_have(first) < run.sent() && Instant::now() < end {
            self.read(run)?;
        }
        Ok(())
    }

    fn read(&mut self, run: &mut Run) -> anyhow::Result<bool> {
        let mut publisher_speaks = false;
        let something = self.crowd.poll(
            Duration::from_secs(3),
            |delivery| run.note(delivery.receiver, delivery.number),
            |_| publisher_speaks = true,
        )?;
        if publisher_speaks {
            self.hear_publisher()?;
        }
        Ok(something)
    }

    /// What the publisher is told is of no interest, unless it was refused.
    fn hear_publisher(&mut self) -> anyhow::Result<()> {
        let mut buffer = vec![0; 64 * 1_024];
        match self.publisher.read(&mut buffer) {
            Ok(0) => anyhow::bail!("the publisher was closed"),
            Ok(read) => {
                let text = String::from_utf8_lossy(&buffer[..read]);
                ensure!(!text.contains(r#"{"type":"error""#), "refused: {text}");
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn publish(&mut self, bytes: usize) -> anyhow::Result<()> {
        let frame = match self.dialect {
            Dialect::Ours => send_message(&self.conversation, &payload(self.next, bytes)),
            other => other.publish(self.next, bytes),
        };
        self.next += 1;
        write_all(&mut self.publisher, &frame)
    }
}

pub(crate) fn publisher(ours: &Ours, person: &Person) -> anyhow::Result<TcpStream> {
    let mut stream = ours.connect()?;
    http::upgrade(&mut stream, "/api/v1/ws", Some(&person.token))?;
    Ok(stream)
}

/// The frame that sends a message.
pub(crate) fn send_message(conversation: &str, body: &str) -> Vec<u8> {
    let command = json!({
        "type": "send_message",
        "conversation_id": conversation,
        "client_id": Uuid::now_v7(),
        "body": body,
    });
    frames::text(&command.to_string())
}

/// Writes to a socket that does not block; there is room, because little is under way.
pub(crate) fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> anyhow::Result<()> {
    let end = Instant::now() + PATIENCE;
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                ensure!(Instant::now() < end, "the server reads nothing");
                std::thread::yield_now();
            }
            Err(error) => return Err(error).context("the server is gone"),
        }
    }
    Ok(())
}

/// Which messages are under way, and how long they take.
struct Run {
    first: u64,
    sent_at: Vec<Instant>,
    /// By how many each was received.
    received: Vec<usize>,
    /// How many were received by all who read promptly.
    arrived: u64,
    prompt: usize,
    /// One receiver of so many is watched.
    watched: usize,
    delays: Vec<Duration>,
}

impl Run {
    fn new(first: u64, prompt: usize) -> Self {
        Self {
            first,
            sent_at: Vec::new(),
            received: Vec::new(),
            arrived: 0,
            prompt,
            watched: (prompt / WATCHED).max(1),
            delays: Vec::new(),
        }
    }

    fn sent(&self) -> u64 {
        self.sent_at.len() as u64
    }

    fn note(&mut self, receiver: usize, number: u64) {
        let Some(index) = number.checked_sub(self.first) else {
            return;
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        if receiver >= self.prompt || index >= self.sent_at.len() {
            return;
        }
        if receiver.is_multiple_of(self.watched) {
            self.delays.push(self.sent_at[index].elapsed());
        }
        if self.received.len() <= index {
            self.received.resize(index + 1, 0);
        }
        self.received[index] += 1;
        if self.received[index] == self.prompt {
            self.arrived += 1;
        }
    }

    fn cost(mut self, measured: Tally, all: Tally, cpu: CpuTime, elapsed: Duration) -> Cost {
        let deliveries = measured.deliveries.max(1) as f64;
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / deliveries;
        self.delays.sort_unstable();
        Cost {
            deliveries_per_second: deliveries / elapsed.as_secs_f64(),
            user: micros(cpu.user),
            system: micros(cpu.system),
            frames_per_read: deliveries / measured.reads.max(1) as f64,
            bytes_per_delivery: measured.bytes as f64 / deliveries,
            p50: millis(&self.delays, 0.5),
            p99: millis(&self.delays, 0.99),
            missing: all.missing,
            late: all.late,
        }
    }
}

fn difference(now: Tally, before: Tally) -> Tally {
    Tally {
        deliveries: now.deliveries - before.deliveries,
        reads: now.reads - before.reads,
        bytes: now.bytes - before.bytes,
        missing: now.missing - before.missing,
        late: now.late - before.late,
    }
}

/// The quantile of sorted times, in milliseconds.
pub(crate) fn millis(sorted: &[Duration], quantile: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * quantile).round() as usize;
    sorted
        .get(index)
        .map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
