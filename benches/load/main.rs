//! Load through real sockets: what a delivery, an idle connection and a send cost, beside what else one could use.
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts of a benchmark are far below 2^52, and shown with three digits"
)]

mod crowd;
mod fanout;
mod frames;
mod http;
mod idle;
mod nodes;
mod ours;
mod peers;
mod process;
mod report;
mod rest;
mod room;
mod rooms;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;
use chat_core::testing::PrivatePostgres;
use clap::{Parser, Subcommand};

use crate::{
    fanout::Plan,
    ours::Store,
    peers::{Peer, Places},
    report::{Report, chart},
};

/// Load through real sockets, on this machine alone.
///
/// The server has the first processor and this tool the second one, except with `rest` and `nodes`, where both have all. Compare within one
/// run only.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program of the server; else it is built for release.
    #[arg(long, global = true)]
    server: Option<PathBuf>,
    /// Writes the report, and charts where there are some, into this directory.
    #[arg(long, global = true)]
    out: Option<PathBuf>,
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Clone, Debug, clap::Args)]
struct Shape {
    /// How many receive each message.
    #[arg(long, default_value_t = 1_000)]
    receivers: usize,
    /// How many people these are; each has the same number of sockets.
    #[arg(long, default_value_t = 250)]
    people: usize,
    /// Of each message.
    #[arg(long, default_value_t = 128)]
    bytes: usize,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Of each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

#[derive(Debug, Subcommand)]
enum Workload {
    /// One room, in bursts and one message at a time, beside the peers.
    Fanout {
        #[command(flatten)]
        shape: Shape,
        #[arg(
            long,
            value_delimiter = ',',
            default_value = "bare-each,bare-merged,bun,tungstenite,socketioxide,socket-io"
        )]
        peers: Vec<Peer>,
    },
    /// Rooms of several sizes, ours alone.
    Sizes {
        #[command(flatten)]
        shape: Shape,
        #[arg(long, value_delimiter = ',', default_value = "100,1000,5000")]
        sizes: Vec<usize>,
    },
    /// Many small rooms in one server.
    Rooms {
        #[arg(long, default_value_t = 50)]
        rooms: usize,
        #[arg(long, default_value_t = 10)]
        members: usize,
        /// A row of everybody's list goes to each of their sockets: the fewer people, the more of these.
        #[arg(long, default_value_t = 500)]
        people: usize,
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
    },
    /// One room in which a fifth of the receivers read slowly.
    Slow {
        #[command(flatten)]
        shape: Shape,
    },
    /// The memory of sockets that do nothing.
    Idle {
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
        #[arg(long, default_value_t = 250)]
        people: usize,
    },
    /// All sockets are cut and come back at once.
    Reconnect {
        #[arg(long, default_value_t = 5_000)]
        connections: usize,
        #[arg(long, default_value_t = 250)]
        people: usize,
    },
    /// The same rooms on several nodes with PostgreSQL and NATS: what a message costs.
    Nodes {
        #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
        nodes: Vec<usize>,
        #[arg(long, default_value_t = 40)]
        rooms: usize,
        #[arg(long, default_value_t = 6)]
        members: usize,
        /// On how many nodes the members of a room are, where there are so many.
        #[arg(long, default_value_t = 2)]
        spread: usize,
        #[arg(long, default_value_t = 6.0)]
        seconds: f64,
    },
    /// Messages posted over REST, to the disk and to all members.
    Rest {
        #[arg(long, value_delimiter = ',', default_value = "sqlite,postgres")]
        stores: Vec<Kind>,
        #[arg(long, value_delimiter = ',', default_value = "2,500")]
        members: Vec<usize>,
        #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
        posters: Vec<usize>,
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    Sqlite,
    Postgres,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let places = places()?;
    let program = match arguments.server {
        Some(program) => program,
        None => build(&places)?,
    };
    let processors = process::processors();
    let everywhere = matches!(
        arguments.workload,
        Workload::Rest { .. } | Workload::Nodes { .. }
    );
    let is_pinned = !everywhere;
    process::pin_this(is_pinned, processors)?;
    let mut report = Report::default();
    let charts = run(arguments.workload, &program, &places, &mut report)?;
    if let Some(out) = arguments.out {
        std::fs::create_dir_all(&out)?;
        report.save(&out.join("report.md"))?;
        for (name, svg) in charts {
            std::fs::write(out.join(name), svg)?;
        }
    }
    Ok(())
}

type Charts = Vec<(&'static str, String)>;

fn run(
    workload: Workload,
    program: &Path,
    places: &Places,
    report: &mut Report,
) -> anyhow::Result<Charts> {
    match workload {
        Workload::Fanout { shape, peers } => {
            let (burst, single) = fanout::run(program, places, &peers, shape.plan(), report)?;
            let title = |how: &str| {
                format!(
                    "Server CPU, µs a delivery, {how}: {} receivers, {} bytes",
                    shape.receivers, shape.bytes
                )
            };
            return Ok(vec![
                ("fanout-burst.svg", chart(&title("in bursts"), &burst)),
                (
                    "fanout-single.svg",
                    chart(&title("one message at a time"), &single),
                ),
            ]);
        }
        Workload::Sizes { shape, sizes } => fanout::sizes(program, &sizes, shape.plan(), report)?,
        Workload::Rooms {
            rooms,
            members,
            people,
            seconds,
        } => {
            let duration = Duration::from_secs_f64(seconds);
            rooms::run(program, rooms, members, people, duration, report)?;
        }
        Workload::Slow { shape } => fanout::slow(program, shape.plan(), report)?,
        Workload::Idle {
            connections,
            people,
        } => idle::memory(program, connections, people, report)?,
        Workload::Reconnect {
            connections,
            people,
        } => idle::reconnect(program, connections, people, report)?,
        Workload::Nodes {
            nodes,
            rooms,
            members,
            spread,
            seconds,
        } => {
            let duration = Duration::from_secs_f64(seconds);
            let shape = nodes::Shape {
                rooms,
                members,
                spread: spread.max(1),
                duration,
            };
            nodes::run(program, &nodes, shape, report)?;
        }
        Workload::Rest {
            stores,
            members,
            posters,
            seconds,
        } => {
            let directory = tempfile::tempdir()?;
            for kind in stores {
                let duration = Duration::from_secs_f64(seconds);
                let (name, store, _server) = store(kind, directory.path())?;
                rest::run(
                    program,
                    (name, &store),
                    &members,
                    &posters,
                    duration,
                    report,
                )?;
            }
        }
    }
    Ok(Vec::new())
}

impl Shape {
    fn plan(&self) -> Plan {
        Plan {
            receivers: self.receivers,
            people: self.people,
            bytes: self.bytes,
            rounds: self.rounds,
            duration: Duration::from_secs_f64(self.seconds),
        }
    }
}

/// A store on this machine's disk, with its own settings of durability.
fn store(
    kind: Kind,
    directory: &Path,
) -> anyhow::Result<(&'static str, Store, Option<PrivatePostgres>)> {
    Ok(match kind {
        Kind::Sqlite => ("SQLite", Store::Sqlite(directory.join("chat.db")), None),
        Kind::Postgres => {
            let server = PrivatePostgres::start(&[])?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let database = runtime.block_on(server.database())?;
            let store = Store::Postgres {
                url: database,
                key: directory.join("key.pem"),
            };
            ("PostgreSQL", store, Some(server))
        }
    })
}

/// The programs beside this one, and the scripts in the sources.
fn places() -> anyhow::Result<Places> {
    let binaries = std::env::current_exe()?;
    let binaries = binaries.parent().context("a program is in a directory")?;
    let target = binaries.parent().context("a target directory")?;
    Ok(Places {
        binaries: binaries.to_owned(),
        scripts: Path::new(env!("CARGO_MANIFEST_DIR")).join("peers"),
        packages: target.join("peers"),
    })
}

fn build(places: &Places) -> anyhow::Result<PathBuf> {
    let built = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--package",
            "chat-server",
            "--package",
            "benches",
            "--bins",
        ])
        .status()
        .context("cargo cannot be started")?;
    anyhow::ensure!(built.success(), "the server was not built");
    Ok(places.binaries.join("chat-server"))
}
