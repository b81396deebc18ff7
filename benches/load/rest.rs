//! Sends over REST, end to end: from the request to the disk, to the answer, and to the sockets of all members.

use std::{
    io::{ErrorKind, Read},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use serde_json::json;
use uuid::Uuid;

use crate::{
    crowd::Crowd,
    http::{self, Answer},
    ours::{Ours, Store, number_after},
    peers::{Dialect, payload},
    report::Report,
    room::{millis, write_all},
};

const BYTES: usize = 128;
const WARM_UP: Duration = Duration::from_millis(700);
const PATIENCE: Duration = Duration::from_secs(15);
/// On how many members a clock is read.
const WATCHED: usize = 16;

/// Somebody who posts one message after the other.
struct Poster {
    stream: TcpStream,
    token: String,
    read: Vec<u8>,
    posted_at: Instant,
}

/// What was posted, and what came of it.
#[derive(Default)]
struct Posted {
    at: Vec<Instant>,
    answered: Vec<Duration>,
    delivered: Vec<Duration>,
}

/// Measures a server with this store for each number of members and posters.
pub(crate) fn run(
    program: &Path,
    (name, store): (&str, &Store),
    members: &[usize],
    posters: &[usize],
    duration: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let most = members.iter().copied().max().unwrap_or(2);
    let ours = Ours::start(program, store, most, false)?;
    report.heading(&[
        "store",
        "members",
        "posters",
        "persisted/s",
        "POST p50 ms",
        "p99 ms",
        "POST → delivery p50 ms",
        "p99 ms",
        "deliveries/s",
        "missing",
        "late",
    ])?;
    for members in members {
        let conversation = ours.group(&ours.people[..*members])?;
        for posters in posters {
            let mut bench = Bench::open(&ours, &conversation, *members, *posters)?;
            let mut cells = vec![name.to_owned(), members.to_string(), posters.to_string()];
            cells.extend(bench.run(duration)?);
            report.row(&cells)?;
        }
    }
    Ok(())
}

struct Bench {
    crowd: Crowd,
    posters: Vec<Poster>,
    path: String,
    posted: Posted,
    watched: usize,
}

impl Bench {
    fn open(
        ours: &Ours,
        conversation: &str,
        members: usize,
        posters: usize,
    ) -> anyhow::Result<Self> {
        let mut crowd = Crowd::new(Dialect::Ours)?;
        for person in &ours.people[..members] {
            let (stream, next, early) = ours.join(person, conversation)?;
            crowd.add(stream, next, &early)?;
        }
        let mut bench = Self {
            crowd,
            posters: Vec::new(),
            path: format!("/api/v1/conversations/{conversation}/messages"),
            posted: Posted::default(),
            watched: (members / WATCHED).max(1),
        };
        for index in 0..posters {
            let stream = ours.connect()?;
            bench.crowd.watch(&stream, index)?;
            bench.posters.push(Poster {
                stream,
                token: ours.people[index % members].token.clone(),
                read: Vec::new(),
                posted_at: Instant::now(),
            });
        }
        Ok(bench)
    }

    fn run(&mut self, duration: Duration) -> anyhow::Result<Vec<String>> {
        for index in 0..self.posters.len() {
            self.post(index)?;
        }
        self.go_on_until(Instant::now() + WARM_UP)?;
        self.posted.answered.clear();
        self.posted.delivered.clear();
        let (tally, began) = (self.crowd.tally, Instant::now());
        self.go_on_until(began + duration)?;
        let elapsed = began.elapsed().as_secs_f64();
        let persisted = self.posted.answered.len() as f64 / elapsed;
        let deliveries = (self.crowd.tally.deliveries - tally.deliveries) as f64 / elapsed;
        self.let_arrive()?;
        let Posted {
            answered,
            delivered,
            ..
        } = &mut self.posted;
        answered.sort_unstable();
        delivered.sort_unstable();
        Ok(vec![
            format!("{persisted:.0}"),
            format!("{:.1}", millis(answered, 0.5)),
            format!("{:.1}", millis(answered, 0.99)),
            format!("{:.1}", millis(delivered, 0.5)),
            format!("{:.1}", millis(delivered, 0.99)),
            format!("{:.0} k", deliveries / 1e3),
            self.crowd.tally.missing.to_string(),
            self.crowd.tally.late.to_string(),
        ])
    }

    /// Whoever is answered posts again, until then.
    fn go_on_until(&mut self, end: Instant) -> anyhow::Result<()> {
        while Instant::now() < end {
            for index in self.read()? {
                if self.is_answered(index)? {
                    self.post(index)?;
                }
            }
        }
        Ok(())
    }

    /// What was posted last is answered, and everybody has it.
    fn let_arrive(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        let mut answered = 0;
        let everything = self.posted.at.len() as u64 * self.receivers();
        while (answered < self.posters.len() || self.crowd.tally.deliveries < everything)
            && Instant::now() < end
        {
            for index in self.read()? {
                answered += usize::from(self.is_answered(index)?);
            }
        }
        let lacking = everything.saturating_sub(self.crowd.tally.deliveries);
        ensure!(lacking == 0, "{lacking} deliveries did not come");
        Ok(())
    }

    fn receivers(&self) -> u64 {
        self.crowd.prompt() as u64
    }

    /// Reads what there is; the posters who have something to read.
    fn read(&mut self) -> anyhow::Result<Vec<usize>> {
        let mut ready = Vec::new();
        let (posted, watched) = (&mut self.posted, self.watched);
        let something = self.crowd.poll(
            Duration::from_secs(5),
            |delivery| {
                if delivery.receiver.is_multiple_of(watched)
                    && let Some(index) = number_after(delivery.head, b"\"body\":\"")
                    && let Some(at) = posted.at.get(usize::try_from(index).unwrap_or(usize::MAX))
                {
                    posted.delivered.push(at.elapsed());
                }
            },
            |other| ready.push(other),
        )?;
        ensure!(something, "nothing arrived for a while");
        Ok(ready)
    }

    fn is_answered(&mut self, index: usize) -> anyhow::Result<bool> {
        let poster = &mut self.posters[index];
        let mut buffer = [0; 8 * 1_024];
        match poster.stream.read(&mut buffer) {
            Ok(0) => anyhow::bail!("a poster's connection was closed"),
            Ok(read) => poster.read.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).context("a poster's connection broke"),
        }
        let Some(answer) = Answer::in_bytes(&poster.read) else {
            return Ok(false);
        };
        let text = String::from_utf8_lossy(&poster.read);
        ensure!(answer.status == 201, "{text}");
        poster.read.drain(..answer.end);
        self.posted.answered.push(poster.posted_at.elapsed());
        Ok(true)
    }

    fn post(&mut self, index: usize) -> anyhow::Result<()> {
        let number = self.posted.at.len() as u64;
        let body = json!({"client_id": Uuid::now_v7(), "body": payload(number, BYTES)}).to_string();
        let poster = &mut self.posters[index];
        let request = http::request("POST", &self.path, Some(&poster.token), &body);
        poster.posted_at = Instant::now();
        self.posted.at.push(poster.posted_at);
        write_all(&mut poster.stream, &request)
    }
}
