//! A NATS server of one's own, or a cluster of them, for tests and benchmarks.

mod operator;

use std::{
    env, fs,
    io::{self, BufRead, BufReader},
    net::{Ipv4Addr, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use uuid::Uuid;

pub use self::operator::NatsOperator;
use super::port::free_port;

/// Enough for the slowest machine; a server that takes longer will never be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the server, and ends it once nobody holds the other end of its standard input: that is when this process ends,
/// however it ends. What is in the directory goes with it.
const WATCHDOG: &str = r#"
    directory=$1
    shift
    "$@" >/dev/null 2>&1 </dev/null &
    pid=$!
    echo $pid
    cat >/dev/null
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    rm -rf -- "$directory""#;

/// Why there is no server to test with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsLaunchError {
    /// NATS is not installed.
    #[error(
        "no NATS server is installed: apt-get install nats-server (or your system's equivalent)"
    )]
    NotInstalled,
    /// It does not take connections.
    #[error("nats-server takes no connections")]
    Silent,
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A NATS server on this machine that nobody else knows of. It ends when this value is dropped or when the process ends,
/// however it ends. It listens on 127.0.0.1.
#[derive(Debug)]
pub struct PrivateNats {
    port: u16,
    arguments: Vec<String>,
    /// What is in its configuration file.
    settings: String,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    watchdog: Child,
    /// The watchdog ends with it.
    lifeline: ChildStdin,
    server: u32,
}

impl PrivateNats {
    /// Starts a server alone, with these arguments besides.
    pub fn start(arguments: &[&str]) -> Result<Self, NatsLaunchError> {
        let arguments = arguments.iter().map(|&it| it.to_owned()).collect();
        Self::start_on(free_port()?, arguments, String::new())
    }

    /// Starts a server alone that lets in whoever this operator vouches for, and nobody else.
    pub fn start_for(operator: &NatsOperator) -> Result<Self, NatsLaunchError> {
        Self::start_on(free_port()?, Vec::new(), operator.settings())
    }

    /// Starts this many servers that pass on to each other what comes in.
    pub fn cluster(servers: usize) -> Result<Vec<Self>, NatsLaunchError> {
        let ports: Vec<_> = (0..servers)
            .map(|_| free_port())
            .collect::<Result<_, _>>()?;
        let route = |port: &u16| format!("nats://127.0.0.1:{port}");
        let routes: Vec<_> = ports.iter().map(route).collect();
        let start = |port: &u16| {
            let arguments = [
                ["--cluster", &route(port)],
                ["--cluster_name", "chat"],
                ["--routes", &routes.join(",")],
            ];
            let arguments = arguments.as_flattened().iter().map(|&it| it.to_owned());
            Self::start_on(free_port()?, arguments.collect(), String::new())
        };
        ports.iter().map(start).collect()
    }

    fn start_on(
        port: u16,
        arguments: Vec<String>,
        settings: String,
    ) -> Result<Self, NatsLaunchError> {
        let server = Self {
            port,
            arguments,
            settings,
            running: Mutex::default(),
        };
        server.start_again()?;
        Ok(server)
    }

    /// Where it takes connections.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port it listens on, while it runs.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it.
    pub fn kill(&self) -> Result<(), NatsLaunchError> {
        if let Some(mut running) = self.running.lock().take() {
            drop(running.lifeline);
            running.watchdog.wait()?;
        }
        Ok(())
    }

    /// Suspends it: connections stay open, and nobody answers.
    pub fn freeze(&self) -> Result<(), NatsLaunchError> {
        self.signal("STOP")
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) -> Result<(), NatsLaunchError> {
        self.signal("CONT")
    }

    /// Starts a killed server on the same port, and waits until it takes connections.
    pub fn start_again(&self) -> Result<(), NatsLaunchError> {
        let program = program().ok_or(NatsLaunchError::NotInstalled)?;
        let directory = env::temp_dir().join(format!("chat-nats-{}", Uuid::now_v7()));
        let settings = directory.join("nats.conf");
        fs::create_dir(&directory)?;
        fs::write(&settings, &self.settings)?;
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .args([&directory, &program])
            .arg("--config")
            .arg(settings)
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string()])
            .args(&self.arguments)
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipes = (watchdog.stdin.take(), watchdog.stdout.take());
        let (Some(lifeline), Some(output)) = pipes else {
            return Err(io::Error::other("the watchdog has no pipes").into());
        };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let server = line.trim().parse().map_err(io::Error::other)?;
        *self.running.lock() = Some(Running {
            watchdog,
            lifeline,
            server,
        });
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if Instant::now() > deadline {
                return Err(NatsLaunchError::Silent);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn signal(&self, signal: &str) -> Result<(), NatsLaunchError> {
        if let Some(running) = &*self.running.lock() {
            Command::new("kill")
                .args(["-s", signal, &running.server.to_string()])
                .status()?;
        }
        Ok(())
    }
}

impl Drop for PrivateNats {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Packages put it where users do not look for programs.
fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut directories = env::split_paths(&path).chain(["/usr/sbin".into()]);
    let program = directories.find_map(|directory| {
        let program = directory.join("nats-server");
        program.exists().then_some(program)
    })?;
    Some(program)
}
