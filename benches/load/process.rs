//! Servers as child processes: started on their processor, watched, and ended.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, anyhow};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Processor time of one process, all its threads together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl CpuTime {
    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            user: self.user + other.user,
            system: self.system + other.system,
        }
    }

    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// A server that is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a program that prints a line which ends with its port. On the first processor alone, where `pinned` and there
    /// are two.
    pub(crate) fn start(mut command: Command, pinned: bool) -> anyhow::Result<Self> {
        if pinned && processors() > 1 {
            let program = command.get_program().to_owned();
            let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            let mut pinning = Command::new("taskset");
            pinning.args(["-c", "0"]).arg(program).args(arguments);
            for (name, value) in command.get_envs() {
                if let Some(value) = value {
                    pinning.env(name, value);
                }
            }
            command = pinning;
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        let output = child.stdout.take().context("there is no output")?;
        let mut server = Self { child, port: 0 };
        for line in BufReader::new(output).lines() {
            let line = line?;
            if let Some(port) = line
                .rsplit(':')
                .next()
                .and_then(|it| it.trim().parse().ok())
            {
                server.port = port;
                return Ok(server);
            }
        }
        Err(anyhow!("the server ended before it said where it listens"))
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<CpuTime> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = |index: usize| -> anyhow::Result<Duration> {
            let field = fields.split_whitespace().nth(index);
            let ticks: u64 = field.context("a short line")?.parse()?;
            // The kernel counts in hundredths here, whatever it counts in for itself.
            Ok(Duration::from_millis(10 * ticks))
        };
        Ok(CpuTime {
            user: ticks(11)?,
            system: ticks(12)?,
        })
    }

    /// Memory in use, in bytes.
    pub(crate) fn resident(&self) -> anyhow::Result<usize> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: usize = line
            .and_then(|line| line.split_whitespace().next())
            .context("no VmRSS")?
            .parse()?;
        Ok(kib * 1_024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// Keeps this thread on the second processor, or lets it go.
pub(crate) fn pin_this(pinned: bool, processors: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    if pinned && processors > 1 {
        set.set(1);
    } else {
        (0..processors).for_each(|processor| set.set(processor));
    }
    Ok(sched_setaffinity(None, &set)?)
}
