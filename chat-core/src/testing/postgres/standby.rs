//! A second server that follows the first, and takes its place when that one is gone.

use std::{
    fs,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{LaunchError, OWNER, PATIENCE, PrivatePostgres, succeed};

/// How often is looked whether it is so far.
const POLL: Duration = Duration::from_millis(20);

impl PrivatePostgres {
    /// Starts a standby of this server, a copy that follows it, and waits until it has everything. From then on this server
    /// acknowledges no commit that the standby does not have on its disk, too; while it is away, commits wait.
    pub fn synchronous_standby(&self) -> Result<Self, LaunchError> {
        let (directory, watchdog) = Self::directory(self.user)?;
        let mut standby = Self {
            directory,
            programs: self.programs.clone(),
            settings: self.settings.clone(),
            port: 0,
            user: self.user,
            server: None.into(),
            watchdog: Some(watchdog),
            databases: AtomicU32::new(self.databases.load(Ordering::Relaxed)),
        };
        let mut copy = self.command("pg_basebackup");
        copy.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", OWNER])
            .args(["--wal-method=stream", "--checkpoint=fast", "--no-sync"])
            .arg("--write-recovery-conf")
            .arg("-D")
            .arg(standby.data());
        succeed("pg_basebackup", &copy.output()?)?;
        standby.forget_standbys()?;
        standby.find_port()?;
        self.wait_for("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")?;
        self.run_sql("ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        self.run_sql("SELECT pg_reload_conf()")?;
        self.wait_for("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")?;
        Ok(standby)
    }

    /// Makes a standby the primary. It waits for no standby of its own until it is given one. Whoever promotes it sees to it
    /// that the other one is not used any more.
    pub fn promote(&self) -> Result<(), LaunchError> {
        let mut promote = self.command("pg_ctl");
        promote.args(["promote", "--silent", "-D"]).arg(self.data());
        succeed("pg_ctl", &promote.output()?)
    }

    /// What it was told of standbys was said of the server that it is a copy of.
    fn forget_standbys(&self) -> Result<(), LaunchError> {
        let path = self.data().join("postgresql.auto.conf");
        let told = fs::read_to_string(&path)?;
        let is_kept = |line: &&str| !line.starts_with("synchronous_standby_names");
        let kept: Vec<_> = told.lines().filter(is_kept).collect();
        Ok(fs::write(path, kept.join("\n") + "\n")?)
    }

    /// Waits until the answer is the number 1.
    fn wait_for(&self, question: &str) -> Result<(), LaunchError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut psql = Command::new(self.programs.join("psql"));
            let output = psql
                .args(["-X", "-At", "-c", question, &self.url("postgres")])
                .output()?;
            succeed("psql", &output)?;
            if output.stdout.starts_with(b"1") {
                return Ok(());
            }
            if Instant::now() > deadline {
                let output = format!("it is not so: {question}");
                return Err(LaunchError::Failed {
                    program: "the standby",
                    output,
                });
            }
            thread::sleep(POLL);
        }
    }
}
