//! A PostgreSQL server of one's own, for tests and benchmarks.

mod standby;

use std::{
    fs, io,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use super::port::free_port;

/// Enough for the slowest machine; a server that takes longer will never be there.
const PATIENCE: Duration = Duration::from_mins(1);

/// The user that the server's data and connections belong to; no password is asked for.
const OWNER: &str = "chat";

/// Ends the server and removes its files once nobody holds the other end of its standard input: that is when this
/// process ends, however it ends.
const WATCHDOG: &str = r#"
    cat >/dev/null
    pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || pid=
    if [ -n "$pid" ]; then
        kill -CONT $pid $(cat /proc/$pid/task/$pid/children 2>/dev/null) 2>/dev/null
        kill -QUIT $pid 2>/dev/null
        n=0
        while kill -0 $pid 2>/dev/null && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.05; done
        kill -KILL $pid 2>/dev/null
    fi
    rm -rf -- "$1""#;

/// Why there is no server to test with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// PostgreSQL is not installed.
    #[error(
        "no PostgreSQL server is installed: apt-get install postgresql-15 (or your system's equivalent); its programs are \
         looked for in /usr/lib/postgresql/*/bin and in PATH"
    )]
    NotInstalled,
    /// A server does not run as root, and there is nobody else that it could run as.
    #[error("PostgreSQL does not run as root, and there is no user postgres to run it as")]
    NoUser,
    /// One of its programs failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it said.
        output: String,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server could not be asked.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// A PostgreSQL server on this machine that nobody else knows of. It ends, and its files go, when this value is dropped
/// or when the process ends, however it ends.
///
/// It listens on 127.0.0.1 and asks no password, except of the role `guarded`, whose password is `secret`.
#[derive(Debug)]
pub struct PrivatePostgres {
    directory: PathBuf,
    programs: PathBuf,
    settings: Vec<String>,
    port: u16,
    user: Option<User>,
    server: Mutex<Option<Child>>,
    watchdog: Option<Watchdog>,
    databases: AtomicU32,
}

/// The process, and what it ends with.
type Watchdog = (Child, ChildStdin);

/// Whom a server runs as when this process is root.
#[derive(Clone, Copy, Debug)]
struct User {
    id: u32,
    group: u32,
}

impl PrivatePostgres {
    /// Starts a server with PostgreSQL's own defaults (`fsync` is on) and these settings, each `name=value`.
    pub fn start(settings: &[&str]) -> Result<Self, LaunchError> {
        let programs = programs().ok_or(LaunchError::NotInstalled)?;
        let user = unprivileged_user()?;
        let (directory, watchdog) = Self::directory(user)?;
        let mut postgres = Self {
            directory,
            programs,
            settings: settings.iter().map(|&it| it.to_owned()).collect(),
            port: 0,
            user,
            server: Mutex::new(None),
            watchdog: Some(watchdog),
            databases: AtomicU32::new(0),
        };
        postgres.initialise()?;
        postgres.find_port()?;
        postgres.run_sql("CREATE ROLE guarded LOGIN PASSWORD 'secret'")?;
        Ok(postgres)
    }

    /// A place for a server's files, and who clears it away.
    fn directory(user: Option<User>) -> Result<(PathBuf, Watchdog), LaunchError> {
        let directory = std::env::temp_dir().join(format!("chat-postgres-{}", Uuid::now_v7()));
        fs::create_dir(&directory)?;
        if let Some(user) = user {
            chown(&directory, Some(user.id), Some(user.group))?;
        }
        let watchdog = watch(&directory)?;
        Ok((directory, watchdog))
    }

    /// Makes a new database, and says where it is.
    pub async fn database(&self) -> Result<String, LaunchError> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        connection
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await?;
        connection.close().await?;
        Ok(self.url(&name))
    }

    /// Where a database of this server is.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://{OWNER}@127.0.0.1:{port}/{database}?sslmode=disable")
    }

    /// The port it listens on, while it runs.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it at once, as a crash of its own would: clients are cut off, nothing is tidied up, the next start recovers
    /// from the log.
    pub fn stop_immediately(&self) -> Result<(), LaunchError> {
        self.signal("QUIT", false)?;
        self.reap()
    }

    /// Kills every process of it.
    pub fn kill(&self) -> Result<(), LaunchError> {
        self.signal("KILL", true)?;
        self.reap()
    }

    /// Suspends every process of it: connections stay open, and nobody answers.
    pub fn freeze(&self) -> Result<(), LaunchError> {
        self.signal("STOP", true)
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) -> Result<(), LaunchError> {
        self.signal("CONT", true)
    }

    /// Starts a stopped server on the same port, with the same data, and waits until it takes connections.
    pub fn start_again(&self) -> Result<(), LaunchError> {
        const ATTEMPTS: u32 = 40;
        let mut attempt = 1;
        loop {
            match self.launch() {
                // What is left of a killed server is still going.
                Err(LaunchError::Failed { .. }) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Restarts it as a standby, which answers questions and takes no writes, until it is started again after that.
    pub fn become_standby(&self) -> Result<(), LaunchError> {
        self.stop_immediately()?;
        let signal = self.data().join("standby.signal");
        fs::write(&signal, "")?;
        self.start_again()?;
        Ok(fs::remove_file(signal)?)
    }

    fn launch(&self) -> Result<(), LaunchError> {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log())?;
        let mut server = self.command("postgres");
        server
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories="])
            // What it shares among its processes is among its files, and goes with them.
            .args(["-c", "dynamic_shared_memory_type=mmap"])
            .args(["-c", "max_connections=200"]);
        for setting in &self.settings {
            server.args(["-c", setting]);
        }
        let mut server = server
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let deadline = Instant::now() + PATIENCE;
        while !self.is_ready(server.id()) {
            if Instant::now() > deadline || server.try_wait()?.is_some() {
                let _ = server.kill();
                server.wait()?;
                let output = fs::read_to_string(self.log()).unwrap_or_default();
                return Err(LaunchError::Failed {
                    program: "postgres",
                    output,
                });
            }
            thread::sleep(Duration::from_millis(5));
        }
        *self.server.lock() = Some(server);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// A program of the server, to be run as whom it must.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        // What the terminal sends to this process is not for the server, and neither is its directory.
        command.process_group(0).current_dir("/");
        if let Some(user) = self.user {
            command.uid(user.id).gid(user.group);
        }
        command
    }

    fn initialise(&self) -> Result<(), LaunchError> {
        let mut initdb = self.command("initdb");
        initdb
            .arg("-D")
            .arg(self.data())
            .args(["-U", OWNER, "-A", "trust", "-E", "UTF8"])
            .args(["--locale=C", "--no-sync", "--no-instructions"]);
        succeed("initdb", &initdb.output()?)?;
        let rules = "host all guarded 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n\
            host replication all 127.0.0.1/32 trust\n";
        fs::write(self.data().join("pg_hba.conf"), rules)?;
        Ok(())
    }

    /// A port that is free is not reserved, so somebody else may be faster.
    fn find_port(&mut self) -> Result<(), LaunchError> {
        const ATTEMPTS: u32 = 5;
        let mut attempt = 1;
        loop {
            self.port = free_port()?;
            match self.launch() {
                Err(LaunchError::Failed { .. }) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    fn run_sql(&self, statement: &str) -> Result<(), LaunchError> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-c", statement, &self.url("postgres")]);
        succeed("psql", &psql.output()?)
    }

    /// The last line of the file is the state of the server that wrote it.
    fn is_ready(&self, server: u32) -> bool {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        file.lines().next() == Some(&server.to_string())
            && file
                .lines()
                .nth(7)
                .is_some_and(|state| ["ready", "standby"].contains(&state.trim()))
    }

    fn signal(&self, signal: &str, children: bool) -> Result<(), LaunchError> {
        let Some(server) = self.server.lock().as_ref().map(Child::id) else {
            return Ok(());
        };
        let mut processes = vec![server.to_string()];
        if children {
            // A parent that is suspended makes no more of them while they are counted.
            send("STOP", &processes)?;
            let path = format!("/proc/{server}/task/{server}/children");
            let children = fs::read_to_string(path)?;
            processes.extend(children.split_whitespace().map(str::to_owned));
        }
        send(signal, &processes)
    }

    /// Waits until the server, and what it started, has ended.
    fn reap(&self) -> Result<(), LaunchError> {
        if let Some(mut server) = self.server.lock().take() {
            server.wait()?;
        }
        Ok(())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        if let Some((mut watchdog, lifeline)) = self.watchdog.take() {
            if thread::panicking() {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                let from = log.len().saturating_sub(2_000);
                eprintln!("PostgreSQL said last: {}", log.get(from..).unwrap_or(&log));
            }
            drop(lifeline);
            let _ = self.reap();
            let _ = watchdog.wait();
        }
    }
}

fn send(signal: &str, processes: &[String]) -> Result<(), LaunchError> {
    // One of them may have ended by itself in between.
    let mut kill = Command::new("sh");
    kill.args(["-c", "for pid; do kill -s $0 $pid; done; true", signal]);
    succeed("kill", &kill.args(processes).output()?)
}

/// Where the programs of the newest installed server are.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let packaged = versions.filter_map(|version| {
        let version = version.ok()?;
        let number: u32 = version.file_name().to_str()?.parse().ok()?;
        Some((number, version.path().join("bin")))
    });
    let newest = packaged
        .filter(|(_, programs)| is_installed(programs))
        .max_by_key(|(number, _)| *number);
    newest.map(|(_, programs)| programs).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|directory| is_installed(directory))
    })
}

fn is_installed(programs: &Path) -> bool {
    ["initdb", "postgres", "psql"]
        .iter()
        .all(|program| programs.join(program).exists())
}

/// `None` when this process is not root: then the server runs as whoever runs this.
fn unprivileged_user() -> Result<Option<User>, LaunchError> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return Ok(None);
    }
    match (id(&["-u", "postgres"]), id(&["-g", "postgres"])) {
        (Some(id), Some(group)) => Ok(Some(User { id, group })),
        _ => Err(LaunchError::NoUser),
    }
}

fn watch(directory: &Path) -> io::Result<Watchdog> {
    let mut watchdog = Command::new("sh")
        .args(["-c", WATCHDOG, "watchdog"])
        .arg(directory)
        .process_group(0)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let lifeline = watchdog.stdin.take();
    let lifeline = lifeline.ok_or_else(|| io::Error::other("the watchdog has no input"))?;
    Ok((watchdog, lifeline))
}

fn succeed(program: &'static str, output: &Output) -> Result<(), LaunchError> {
    if output.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(LaunchError::Failed { program, output })
}
