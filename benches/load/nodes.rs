//! The same rooms on one, two and three nodes: what a message costs the servers and the bus, and who hears what for nothing.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use chat_core::testing::{PrivateNats, PrivatePostgres};
use serde_json::Value;

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

/// Rooms whose members are spread evenly over the nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) rooms: usize,
    pub(crate) members: usize,
    /// Rooms are on so many of the nodes, whatever there are.
    pub(crate) spread: usize,
    pub(crate) duration: Duration,
}

/// What was counted up to some moment.
struct Counts {
    cpu: CpuTime,
    /// By the servers: entries heard, and those of them for nobody.
    entries: [f64; 2],
    /// By NATS: messages in, bytes in, messages out.
    nats: [f64; 3],
}

pub(crate) fn run(
    program: &Path,
    nodes: &[usize],
    shape: Shape,
    report: &mut Report,
) -> anyhow::Result<()> {
    report.heading(&[
        "nodes",
        "messages/s",
        "servers' CPU µs a message",
        "a delivery",
        "NATS messages in",
        "bytes in",
        "messages out",
        "entries for nobody",
        "all have it p50 ms",
        "p99 ms",
        "missing",
    ])?;
    for count in nodes {
        run_with(program, *count, shape, report)?;
    }
    Ok(())
}

fn run_with(program: &Path, count: usize, shape: Shape, report: &mut Report) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let postgres = PrivatePostgres::start(&[])?;
    let monitor = free_port()?;
    let nats = PrivateNats::start(&["--http_port", &monitor.to_string()])?;
    let url = url(&postgres)?;
    let metrics: Vec<u16> = (0..count).map(|_| free_port()).collect::<Result<_, _>>()?;
    let store = |metrics: &u16| Store::Shared {
        url: url.clone(),
        key: directory.path().join("key.pem"),
        nats: nats.url(),
        metrics: *metrics,
    };
    let first = Ours::start(
        program,
        &store(&metrics[0]),
        shape.rooms * shape.members,
        false,
    )?;
    let others = metrics[1..].iter();
    let others = others.map(|metrics| start_server(program, &store(metrics), false));
    let others: Vec<Server> = others.collect::<Result<_, _>>()?;
    let servers: Vec<&Server> = std::iter::once(&first.server).chain(&others).collect();

    let mut talk = Talk::new()?;
    for room in 0..shape.rooms {
        let those = &first.people[room * shape.members..][..shape.members];
        let conversation = first.group(those)?;
        let place = |member: usize| servers[(room + member % shape.spread.min(count)) % count].port;
        let mut members = Vec::new();
        for (index, person) in those.iter().enumerate() {
            let (stream, next, early) = join_at(place(index), person, &conversation)?;
            members.push(Member {
                stream,
                next,
                early,
            });
        }
        let mut publisher = connect(place(0))?;
        http::upgrade(&mut publisher, "/api/v1/ws", Some(&those[0].token))?;
        talk.add_room(conversation, publisher, members)?;
    }
    std::thread::sleep(SETTLING);
    talk.begin()?;
    talk.go_on_for(WARM_UP)?;
    let (before, tally) = (counts(&servers, &metrics, monitor)?, talk.tally());
    let mut delays = talk.go_on_for(shape.duration)?;
    let after = counts(&servers, &metrics, monitor)?;
    delays.sort_unstable();
    let messages = delays.len() as f64;
    let deliveries = (talk.tally().deliveries - tally.deliveries) as f64;
    let micros = after.cpu.since(before.cpu).total().as_secs_f64() * 1e6;
    let nats = |index: usize| (after.nats[index] - before.nats[index]) / messages;
    let [heard, unneeded] = [0, 1].map(|index| after.entries[index] - before.entries[index]);
    report.row(&[
        count.to_string(),
        format!("{:.0}", messages / shape.duration.as_secs_f64()),
        format!("{:.0}", micros / messages),
        format!("{:.1}", micros / deliveries),
        format!("{:.2}", nats(0)),
        format!("{:.0}", nats(1)),
        format!("{:.2}", nats(2)),
        format!("{unneeded:.0} of {heard:.0}"),
        format!("{:.1}", millis(&delays, 0.5)),
        format!("{:.1}", millis(&delays, 0.99)),
        talk.tally().missing.to_string(),
    ])
}

fn url(postgres: &PrivatePostgres) -> anyhow::Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(postgres.database())?)
}

fn counts(servers: &[&Server], metrics: &[u16], monitor: u16) -> anyhow::Result<Counts> {
    let mut cpu = CpuTime::default();
    for server in servers {
        cpu = cpu.and(server.cpu()?);
    }
    let mut entries = [0.0; 2];
    for port in metrics {
        let text = get(*port, "/metrics")?;
        let names = ["chat_bus_entries_total", "chat_bus_entries_unneeded_total"];
        for (sum, name) in entries.iter_mut().zip(names) {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            *sum += line.context("a number is missing")?.trim().parse::<f64>()?;
        }
    }
    let text = get(monitor, "/varz")?;
    let counted: Value = serde_json::from_str(&text)?;
    let nats = ["in_msgs", "in_bytes", "out_msgs"];
    Ok(Counts {
        cpu,
        entries,
        nats: nats.map(|name| counted[name].as_f64().unwrap_or_default()),
    })
}

/// The body of what a server of numbers answers.
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

/// When nobody says anything, this is what nodes say to each other; shown beside the table.
pub(crate) fn idle(
    program: &Path,
    count: usize,
    duration: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let postgres = PrivatePostgres::start(&[])?;
    let monitor = free_port()?;
    let nats = PrivateNats::start(&["--http_port", &monitor.to_string()])?;
    let url = url(&postgres)?;
    let metrics: Vec<u16> = (0..count).map(|_| free_port()).collect::<Result<_, _>>()?;
    let start = |metrics: &u16| {
        let store = Store::Shared {
            url: url.clone(),
            key: directory.path().join("key.pem"),
            nats: nats.url(),
            metrics: *metrics,
        };
        start_server(program, &store, false)
    };
    let servers: Vec<Server> = metrics.iter().map(start).collect::<Result<_, _>>()?;
    let servers: Vec<&Server> = servers.iter().collect();
    std::thread::sleep(SETTLING);
    let (before, began) = (counts(&servers, &metrics, monitor)?, Instant::now());
    std::thread::sleep(duration);
    let after = counts(&servers, &metrics, monitor)?;
    let seconds = began.elapsed().as_secs_f64();
    let nodes = count as f64;
    report.line(&format!(
        "\n{count} nodes that have nothing to say: {:.1} NATS messages a second from each, {:.2} % of a processor each",
        (after.nats[0] - before.nats[0]) / seconds / nodes,
        after.cpu.since(before.cpu).total().as_secs_f64() / seconds / nodes * 100.0,
    ))
}
