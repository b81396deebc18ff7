//! The client as users have it: the real program, with a home of its own, in a terminal.

use std::path::Path;

use portable_pty::CommandBuilder;
use tempfile::TempDir;

use super::{
    server::{PASSWORD, Server},
    terminal::Terminal,
};

pub(crate) const ENTER: &str = "\r";
pub(crate) const TAB: &str = "\t";
pub(crate) const ESC: &str = "\x1b";
pub(crate) const UP: &str = "\x1b[A";
pub(crate) const F2: &str = "\x1bOQ";
pub(crate) const F9: &str = "\x1b[20~";

/// Ctrl and a letter, as a terminal sends it.
pub(crate) fn ctrl(letter: char) -> String {
    let code = u8::try_from(letter.to_ascii_uppercase()).unwrap() & 0x1F;
    char::from(code).to_string()
}

/// Somebody's files: what the program keeps between two runs.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The program for this server, with these files; more may be set before it runs.
    pub(crate) fn program(&self, server: &str) -> CommandBuilder {
        program(server, self.path())
    }

    /// A shell with these files, in which the program is started by a user.
    pub(crate) fn shell(&self) -> CommandBuilder {
        let mut shell = CommandBuilder::new("sh");
        shell.args(["-i"]);
        furnish(&mut shell, self.path());
        shell.env("PS1", "ready> ");
        shell.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        shell
    }
}

/// The program for this server, with its files in this place.
pub(crate) fn program(server: &str, home: &Path) -> CommandBuilder {
    let mut program = CommandBuilder::new(env!("CARGO_BIN_EXE_chat-tui"));
    program.args(["--server", server]);
    furnish(&mut program, home);
    program
}

fn furnish(program: &mut CommandBuilder, home: &Path) {
    program.env_clear();
    for variable in [
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "XDG_CACHE_HOME",
        "HOME",
    ] {
        program.env(variable, home);
    }
    program.env("TERM", "xterm-256color");
    program.env("LANG", "C.UTF-8");
    program.env("TZ", "UTC");
    program.cwd(home);
}

impl Terminal {
    /// The client in a window of 80 by 24, at the sign-in form.
    pub(crate) fn with_client(home: &Home, server: &Server) -> Self {
        let terminal = Self::run(home.program(&server.url()), 80, 24);
        terminal.shows("Sign in");
        terminal
    }

    /// The same, signed in.
    pub(crate) fn signed_in(home: &Home, server: &Server, username: &str) -> Self {
        let terminal = Self::with_client(home, server);
        terminal.sign_in(username);
        terminal
    }

    /// Fills in the sign-in form.
    pub(crate) fn sign_in(&self, username: &str) {
        self.press(&format!("{username}{TAB}"));
        self.paste(PASSWORD);
        self.press(ENTER);
        self.shows("online");
    }

    /// Fills in the form for a new account.
    pub(crate) fn register(&self, username: &str, display_name: &str) {
        self.press(F2);
        self.shows("New account");
        self.press(&format!("{username}{TAB}"));
        self.paste(PASSWORD);
        self.press(&format!("{TAB}{display_name}{ENTER}"));
        self.shows("online");
    }

    /// Opens the conversation on top of the list once it is there.
    pub(crate) fn open_first(&self, name: &str) {
        self.shows(name);
        self.press(ENTER);
        self.shows("Write a message");
    }
}
