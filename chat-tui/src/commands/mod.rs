//! What can be done without a screen, from scripts: each subcommand has a file.
//!
//! Standard output has nothing but data, standard error nothing but what a person should know.

mod config;
mod conversations;
mod failure;
mod login;
mod output;
mod people;
mod place;
mod send;
mod session;
mod tail;
mod whoami;

use clap::Subcommand;

use crate::config::{Config, Credentials};
use output::Output;
use session::Session;

pub use failure::{Exit, Failure};

/// What commands have in common, for `--help`.
pub const AFTER_HELP: &str = "\
Commands write data to standard output and nothing else; what a person should know goes to standard error.

Exit codes:
  0  done
  1  another failure, which standard error names
  2  the command line is wrong, or config.toml
  3  not signed in: run `chat-tui login`
  4  the server cannot be reached, or cannot serve now: try again
  5  the server refused it: the same again will not work
  6  there is no such conversation, or several

Examples:
  make 2>&1 | tail -n 20 | chat-tui send Builds
  chat-tui tail -f Release
  chat-tui tail -f --json | jq -r '.message.body // empty'

A profile is a sign-in. Commands share it with each other and with a client that is open; --profile NAME keeps another one, for a \
bot for instance.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Send(send::Arguments),
    Tail(tail::Arguments),
    Conversations(conversations::Arguments),
    Login(login::Login),
    Register(login::Register),
    /// Sign out, here and at the server
    Logout,
    Whoami(whoami::Arguments),
    Config(config::Arguments),
}

/// Does what a command says; nothing is read from a terminal but a password, and a text for `send`.
pub async fn run(
    command: Command,
    credentials: Credentials,
    server: Option<String>,
    config: &Config,
) -> Result<(), Failure> {
    let session = Session::new(credentials, server, config)?;
    let mut out = Output::default();
    match command {
        Command::Send(arguments) => send::run(arguments, &session, &mut out).await,
        Command::Tail(arguments) => tail::run(arguments, &session, &mut out).await,
        Command::Conversations(arguments) => {
            conversations::run(&arguments, &session, &mut out).await
        }
        Command::Login(arguments) => login::login(arguments, &session).await,
        Command::Register(arguments) => login::register(arguments, &session).await,
        Command::Logout => login::logout(&session).await,
        Command::Whoami(arguments) => whoami::run(&arguments, &session, &mut out).await,
        Command::Config(arguments) => config::run(&arguments, &mut out).await,
    }
}
