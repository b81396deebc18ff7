//! Three server processes on one PostgreSQL and three NATS servers, with a line that can fail on every edge between them.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    mem,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use chat_core::testing::{PrivateNats, PrivatePostgres};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

use super::{
    namespace::Namespace,
    proxy::{Line, Proxy},
};
use crate::process::{Process, command, command_in};

pub const NODES: usize = 3;

/// The first one that is made.
const DATABASE: &str = "test_0";

/// Until a server has started, whatever else is broken meanwhile.
const PATIENCE: Duration = Duration::from_mins(1);
/// A drain takes no longer, as is promised.
const DRAIN: Duration = Duration::from_secs(30);

pub struct Cluster {
    /// The one that takes writes.
    postgres: Mutex<Arc<PrivatePostgres>>,
    /// Those that did, as long as they may still answer somebody.
    retired: Mutex<Vec<Arc<PrivatePostgres>>>,
    pub nats: Vec<PrivateNats>,
    pub nodes: Vec<Node>,
    bugs: &'static [&'static str],
    key: TempDir,
    logs: PathBuf,
}

pub struct Node {
    pub address: SocketAddr,
    /// Between clients and this node.
    pub front: Arc<Line>,
    pub to_postgres: Arc<Line>,
    pub to_nats: Arc<Line>,
    database: String,
    bus: String,
    process: Mutex<Option<Process>>,
    /// The address of the database, wherever that is.
    leads_to_postgres: Proxy,
    _leads_to_nats: Proxy,
    /// Its own network, if it has one.
    pub network: Option<Namespace>,
}

impl Node {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn signal(&self, signal: &str) {
        if let Some(process) = &*self.process.lock() {
            process.signal(signal);
        }
    }

    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&self) {
        drop(self.process.lock().take());
    }

    /// Lets it end in its own time, and waits for that. Its exit code.
    pub async fn drain(&self) -> Option<i32> {
        let mut process = self.process.lock().take()?;
        process.signal("-TERM");
        let ended = Instant::now() + DRAIN;
        loop {
            if let Some(status) = process.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < ended, "a drain that does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Its number, while it runs.
    pub fn process(&self) -> Option<u32> {
        Some(self.process.lock().as_ref()?.child.id())
    }

    /// What the process holds: resident memory in KiB, and descriptors.
    pub fn usage(&self) -> Option<(u64, usize)> {
        let process = self.process.lock();
        let pid = process.as_ref()?.child.id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let resident = resident.trim().trim_end_matches(" kB").parse().ok()?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        Some((resident, descriptors))
    }
}

impl Cluster {
    /// Starts everything, with these bugs in the servers.
    pub async fn start(logs: PathBuf, bugs: &'static [&'static str]) -> Arc<Self> {
        let (postgres, nats) = spawn_blocking(|| {
            let postgres = PrivatePostgres::start(&[]).unwrap();
            (postgres, nats_servers())
        })
        .await
        .unwrap();
        let database = postgres.database().await.unwrap();
        assert_eq!(database, postgres.url(DATABASE));
        let mut nodes = Vec::new();
        for (number, bus) in nats.iter().enumerate() {
            let network = Namespace::wanted(number);
            nodes.push(node(&postgres, &database, bus, network).await);
        }
        let cluster = Arc::new(Self {
            postgres: Mutex::new(Arc::new(postgres)),
            retired: Mutex::default(),
            nats,
            nodes,
            bugs,
            key: tempfile::tempdir().unwrap(),
            logs,
        });
        for node in 0..NODES {
            cluster.start_node(node).await;
        }
        cluster
    }

    /// The database server of the moment.
    pub fn postgres(&self) -> Arc<PrivatePostgres> {
        Arc::clone(&self.postgres.lock())
    }

    /// Where the database is, not by way of a line that may fail.
    pub fn database(&self) -> String {
        self.postgres().url(DATABASE)
    }

    /// Makes this server the one that all nodes are led to. Connections that there are to the other one stay, as long as that
    /// does.
    pub fn lead_to(&self, postgres: PrivatePostgres) {
        for node in &self.nodes {
            let route = vec![(at(postgres.port()), Arc::clone(&node.to_postgres))];
            node.leads_to_postgres.point_at(route);
        }
        let before = mem::replace(&mut *self.postgres.lock(), Arc::new(postgres));
        self.retired.lock().push(before);
    }

    /// Ends the servers that are not led to any more.
    pub fn end_retired(&self) {
        for server in self.retired.lock().drain(..) {
            server.kill().unwrap();
        }
    }

    /// Starts a server that does not run, again and again until it does: what it needs may not be there yet.
    pub async fn start_node(self: &Arc<Self>, number: usize) {
        let started = async {
            loop {
                let cluster = Arc::clone(self);
                let process = spawn_blocking(move || cluster.launch(number));
                if let Some(process) = process.await.unwrap() {
                    *self.nodes[number].process.lock() = Some(process);
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, started)
            .await
            .expect("a server that does not start");
    }

    fn launch(&self, number: usize) -> Option<Process> {
        let node = &self.nodes[number];
        let mut log = File::options();
        let log = log.create(true).append(true);
        let log = log.open(self.logs.join(format!("node{number}.log")));
        let network = node.network.as_ref();
        let mut command = network.map_or_else(command, |it| command_in(&it.name));
        if !self.bugs.is_empty() {
            command.env("CHAT_BUILT_IN_BUG", self.bugs.join(","));
        }
        let mut child = command
            .env("CHAT_LOG", "info")
            .args(["--listen", &node.address.to_string()])
            .args(["--database-url", &node.database])
            .args(["--nats-url", &node.bus])
            .arg("--jwt-key-file")
            .arg(self.key.path().join("jwt.pem"))
            .args(["--limits", "off"])
            .stdout(Stdio::piped())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let base = format!("{}/api/v1", node.url());
        let process = Process { child, base };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        line.starts_with("listening on ").then_some(process)
    }

    /// Where a client may go whose first choice is this node.
    pub fn route(&self, first: usize) -> Vec<(SocketAddr, Arc<Line>)> {
        let from_first = (0..NODES).map(|nth| &self.nodes[(first + nth) % NODES]);
        from_first
            .map(|node| (node.address, Arc::clone(&node.front)))
            .collect()
    }
}

/// They know of each other and tell no client: each node has one server of its own, as far as it knows.
fn nats_servers() -> Vec<PrivateNats> {
    let ports: Vec<_> = (0..NODES).map(|_| free_port()).collect();
    let route = |port: &u16| format!("nats://127.0.0.1:{port}");
    let routes: Vec<_> = ports.iter().map(route).collect();
    let routes = routes.join(",");
    let start = |port: &u16| {
        let own = route(port);
        let arguments = [
            "--cluster",
            &own,
            "--cluster_name",
            "chat",
            "--routes",
            &routes,
        ];
        PrivateNats::start(&[&arguments[..], &["--no_advertise"]].concat()).unwrap()
    };
    ports.iter().map(start).collect()
}

async fn node(
    postgres: &PrivatePostgres,
    database: &str,
    nats: &PrivateNats,
    network: Option<Namespace>,
) -> Node {
    let (to_postgres, to_nats) = (Line::new(), Line::new());
    let here = IpAddr::from(Ipv4Addr::LOCALHOST);
    let (world, inside) = match &network {
        Some(network) => (network.world, network.inside),
        None => (here, here),
    };
    let first = Proxy::start_at(world, vec![(at(postgres.port()), Arc::clone(&to_postgres))]).await;
    let second = Proxy::start_at(world, vec![(at(nats.port()), Arc::clone(&to_nats))]).await;
    let own = format!("@{here}:{}/", postgres.port());
    Node {
        address: SocketAddr::from((inside, free_port())),
        front: Line::new(),
        database: database.replace(&own, &format!("@{}/", first.address)),
        bus: format!("nats://{}", second.address),
        to_postgres,
        to_nats,
        process: Mutex::new(None),
        leads_to_postgres: first,
        _leads_to_nats: second,
        network,
    }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A port that is free is not reserved, but it will hardly be taken at once.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
