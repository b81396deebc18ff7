//! The same rooms on one, two and three nodes: what a message costs the servers and the bus, and who hears what for nothing.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Context;
use chat_core::testing::{PrivateNats, PrivatePostgres};
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    http,
    ours::{Ours, Store, connect, join_at, start_server},
    process::{CpuTime, Server},
    report::Report,
    room::millis,
    rooms::{Member, Talk},
};

const WARM_UP: Duration = Duration::from_secs(2);
/// What is followed is heard a moment later, and compared a little after that.
const SETTLING: Duration = Duration::from_secs(3);

/// Rooms and those who are in them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) rooms: usize,
    pub(crate) members: usize,
    /// On how many nodes the members of a room are, where there are so many.
    pub(crate) spread: usize,
    pub(crate) duration: Duration,
}

/// Nodes on a database and a NATS server of their own.
struct Nodes {
    first: Ours,
    others: Vec<Server>,
    /// Where each tells its numbers, and where NATS does.
    metrics: Vec<u16>,
    monitor: u16,
    _nats: PrivateNats,
    _postgres: PrivatePostgres,
    _directory: TempDir,
}

/// What was counted up to some moment, over all nodes.
struct Counts {
    cpu: CpuTime,
    entries_heard: f64,
    entries_unneeded: f64,
    commits: f64,
    commit_seconds: f64,
    /// By NATS.
    messages_in: f64,
    bytes_in: f64,
    messages_out: f64,
}

/// With each of these numbers of nodes, and then what they say to each other when nobody says anything.
pub(crate) fn run(
    program: &Path,
    nodes: &[usize],
    shape: Shape,
    report: &mut Report,
) -> anyhow::Result<()> {
    report.heading(&[
        "nodes",
        "messages/s",
        "servers' CPU, µs a message",
        "µs a delivery",
        "NATS: messages in",
        "bytes in",
        "messages out",
        "entries for nobody",
        "messages a commit",
        "commit ms",
        "all have it p50 ms",
        "p99 ms",
        "missing",
    ])?;
    for count in nodes {
        talk(
            &Nodes::start(program, *count, shape.rooms * shape.members)?,
            shape,
            report,
        )?;
    }
    let most = nodes.iter().max().context("at least one node")?;
    rest(&Nodes::start(program, *most, 0)?, shape.duration, report)
}

fn talk(nodes: &Nodes, shape: Shape, report: &mut Report) -> anyhow::Result<()> {
    let mut talk = Talk::new()?;
    let count = nodes.servers().count();
    for room in 0..shape.rooms {
        let those = &nodes.first.people[room * shape.members..][..shape.members];
        let conversation = nodes.first.group(those)?;
        let port = |member: usize| {
            let place = (room + member % shape.spread.min(count)) % count;
            nodes.servers().nth(place).map_or(0, |server| server.port)
        };
        let mut members = Vec::new();
        for (index, person) in those.iter().enumerate() {
            let (stream, next, early) = join_at(port(index), person, &conversation)?;
            members.push(Member {
                stream,
                next,
                early,
            });
        }
        let mut publisher = connect(port(0))?;
        http::upgrade(&mut publisher, "/api/v1/ws", Some(&those[0].token))?;
        talk.add_room(conversation, publisher, members)?;
    }
    sleep(SETTLING);
    talk.begin()?;
    talk.go_on_for(WARM_UP)?;
    let (before, tally) = (nodes.counts()?, talk.tally());
    let mut delays = talk.go_on_for(shape.duration)?;
    let (after, messages) = (nodes.counts()?, delays.len() as f64);
    delays.sort_unstable();
    let deliveries = (talk.tally().deliveries - tally.deliveries) as f64;
    let micros = after.cpu.since(before.cpu).total().as_secs_f64() * 1e6;
    let since = |of: fn(&Counts) -> f64| of(&after) - of(&before);
    let commits = since(|it| it.commits);
    report.row(&[
        count.to_string(),
        format!("{:.0}", messages / shape.duration.as_secs_f64()),
        format!("{:.0}", micros / messages),
        format!("{:.1}", micros / deliveries),
        format!("{:.2}", since(|it| it.messages_in) / messages),
        format!("{:.0}", since(|it| it.bytes_in) / messages),
        format!("{:.2}", since(|it| it.messages_out) / messages),
        format!(
            "{:.0} of {:.0}",
            since(|it| it.entries_unneeded),
            since(|it| it.entries_heard)
        ),
        format!("{:.1}", messages / commits),
        format!("{:.1}", since(|it| it.commit_seconds) * 1e3 / commits),
        format!("{:.1}", millis(&delays, 0.5)),
        format!("{:.1}", millis(&delays, 0.99)),
        talk.tally().missing.to_string(),
    ])
}

fn rest(nodes: &Nodes, duration: Duration, report: &mut Report) -> anyhow::Result<()> {
    sleep(SETTLING);
    let (before, began) = (nodes.counts()?, Instant::now());
    sleep(duration);
    let (after, seconds) = (nodes.counts()?, began.elapsed().as_secs_f64());
    let count = nodes.servers().count() as f64;
    report.line(&format!(
        "\n{count} nodes that have nothing to say: {:.1} NATS messages a second from each, {:.2} % of a processor each",
        (after.messages_in - before.messages_in) / seconds / count,
        after.cpu.since(before.cpu).total().as_secs_f64() / seconds / count * 100.0,
    ))
}

impl Nodes {
    fn start(program: &Path, count: usize, people: usize) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let postgres = PrivatePostgres::start(&[])?;
        let monitor = free_port()?;
        let nats = PrivateNats::start(&["--http_port", &monitor.to_string()])?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let url = runtime.block_on(postgres.database())?;
        let metrics: Vec<u16> = (0..count).map(|_| free_port()).collect::<Result<_, _>>()?;
        let store = |metrics: &u16| Store::Shared {
            url: url.clone(),
            key: directory.path().join("key.pem"),
            nats: nats.url(),
            metrics: *metrics,
        };
        let first = Ours::start(program, &store(&metrics[0]), people, false)?;
        let others = metrics[1..].iter();
        let others = others.map(|metrics| start_server(program, &store(metrics), false));
        Ok(Self {
            first,
            others: others.collect::<Result<_, _>>()?,
            metrics,
            monitor,
            _nats: nats,
            _postgres: postgres,
            _directory: directory,
        })
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        std::iter::once(&self.first.server).chain(&self.others)
    }

    fn counts(&self) -> anyhow::Result<Counts> {
        let mut cpu = CpuTime::default();
        for server in self.servers() {
            cpu = cpu.and(server.cpu()?);
        }
        let told = self.metrics.iter().map(|port| get(*port, "/metrics"));
        let told: Vec<String> = told.collect::<Result<_, _>>()?;
        let sum = |name: &str| -> anyhow::Result<f64> {
            let mut sum = 0.0;
            for text in &told {
                let mut lines = text.lines();
                let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
                sum += value.context("a number is missing")?.parse::<f64>()?;
            }
            Ok(sum)
        };
        let of_nats: Value = serde_json::from_str(&get(self.monitor, "/varz")?)?;
        let of_nats = |name: &str| of_nats[name].as_f64().unwrap_or_default();
        Ok(Counts {
            cpu,
            entries_heard: sum("chat_bus_entries_total")?,
            entries_unneeded: sum("chat_bus_entries_unneeded_total")?,
            commits: sum("chat_commits_total")?,
            commit_seconds: sum("chat_commit_duration_seconds_sum")?,
            messages_in: of_nats("in_msgs"),
            bytes_in: of_nats("in_bytes"),
            messages_out: of_nats("out_msgs"),
        })
    }
}

/// The body of what a server answers that tells numbers.
fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut stream = connect(port)?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    Ok(body.to_owned())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
