//! The tests' own program run again, as another process that can be killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use portable_pty::CommandBuilder;

use super::{
    client,
    server::{Serve, serve},
    terminal::{PATIENCE, Terminal},
};

/// Says which of the other processes this one is to be.
const PART: &str = "CHAT_TEST_PART";
const SERVER: &str = "CHAT_TEST_SERVER";
const HOME: &str = "CHAT_TEST_HOME";
const OPENED: &str = "a window is open";
/// The only test that another process runs.
const TEST: &str = "pty::again::this_process_can_play_another";

/// This program as a server.
pub(crate) fn server() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments()).env_clear().env(PART, "server");
    command
}

/// This program as a client that panics when it gets SIGUSR1.
pub(crate) fn panicking_client() -> CommandBuilder {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(arguments());
    command.env_clear();
    command.env(PART, "panicking client");
    command
}

/// A window with a client in it.
pub(crate) struct Window(Child);

/// This program as a terminal in which a client runs.
pub(crate) fn window(server: &str, home: &Path) -> Window {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(arguments())
        .env(PART, "window")
        .env(SERVER, server)
        .env(HOME, home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let opened = lines.find(|line| line.as_ref().unwrap().contains(OPENED));
    opened.expect("a window opens").unwrap();
    Window(process)
}

impl Window {
    /// Closes it as a user would who does not care what runs in it.
    pub(crate) fn close(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn open_window() {
    let setting = |name| std::env::var(name).unwrap();
    let program = client::program(&setting(SERVER), Path::new(&setting(HOME)));
    let terminal = Terminal::run(program, 80, 24);
    terminal.shows("Sign in");
    println!("{OPENED}");
    let _over = std::io::stdin().read_line(&mut String::new());
}

/// Waits until something is so outside of any terminal.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn arguments() -> [&'static str; 4] {
    ["--exact", TEST, "--nocapture", "--test-threads=1"]
}

#[test]
fn this_process_can_play_another() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    match std::env::var(PART).as_deref() {
        Ok("server") => runtime().block_on(serve(Serve::from_environment())),
        Ok("window") => open_window(),
        Ok("panicking client") => runtime().block_on(panic_when_told()),
        _ => {}
    }
}

async fn panic_when_told() {
    use tokio::signal::unix::{SignalKind, signal};

    let server = "http://127.0.0.1:9".to_owned();
    let client = chat_core::client::Client::new(&server).unwrap();
    let mut told = signal(SignalKind::user_defined1()).unwrap();
    tokio::select! {
        outcome = chat_tui::run(chat_tui::Options { client, server, profile: None, plain: false }) => outcome.unwrap(),
        _ = told.recv() => panic!("this was to be expected"),
    }
}
