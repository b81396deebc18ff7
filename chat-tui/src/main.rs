//! `chat-tui`: reads the command line, and opens the client or does what a command says.

use std::{
    io::{self, IsTerminal},
    panic,
    path::PathBuf,
    process::ExitCode,
    sync::Mutex,
};

use chat_tui::{
    Options,
    commands::{self, AFTER_HELP, Command, Exit, Failure},
    config::{Config, Credentials, Log, Profile},
    run,
};
use clap::Parser;
use tracing_subscriber::EnvFilter;

/// A terminal client for chat-server; with a command it needs no terminal
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, max_term_width = 110)]
struct Arguments {
    /// Address of the server [default: that of the last sign-in, else `server` in config.toml, else `http://127.0.0.1:8080`]
    #[arg(
        long,
        value_name = "URL",
        env = "CHAT_SERVER",
        hide_env_values = true,
        help_heading = "In all cases",
        global = true
    )]
    server: Option<String>,
    /// Keeps several sign-ins apart
    #[arg(
        long,
        value_name = "NAME",
        env = "CHAT_PROFILE",
        hide_env_values = true,
        default_value = "default",
        help_heading = "In all cases",
        global = true
    )]
    profile: String,
    /// Draws no lines and no boxes, and shows one thing at a time: for screen readers
    #[arg(long)]
    plain: bool,
    /// What is set by hand [default: chat-tui/config.toml in the user's configuration directory]
    #[arg(
        long,
        value_name = "FILE",
        env = "CHAT_CONFIG",
        hide_env_values = true,
        help_heading = "In all cases",
        global = true
    )]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::from(error).into()),
    };
    let done = runtime.block_on(dispatch(arguments));
    // A thread that still reads standard input, or waits for somebody who does not read ours, is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> ExitCode {
    if let Some(message) = failure.message() {
        #[expect(clippy::print_stderr, reason = "the terminal is the user's again")]
        {
            eprintln!("chat-tui: {message}");
        }
    }
    failure.into()
}

async fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let config = match &arguments.config {
        Some(file) => Config::load_from(file),
        None => Config::load(),
    };
    let config = config.map_err(|error| Failure::new(Exit::Usage, &format!("{error:#}")))?;
    match arguments.command {
        Some(command) => {
            tracing_subscriber::fmt()
                .with_env_filter(filter())
                .with_ansi(false)
                .without_time()
                .with_target(false)
                .with_writer(io::stderr)
                .init();
            let credentials = Credentials::of_profile(&arguments.profile, &config)?;
            commands::run(command, credentials, arguments.server, &config).await
        }
        None => {
            open(
                &arguments.profile,
                arguments.server,
                &config,
                arguments.plain,
            )
            .await
        }
    }
}

async fn open(
    profile: &str,
    server: Option<String>,
    config: &Config,
    plain: bool,
) -> Result<(), Failure> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        let message = "standard input and output must be a terminal; without one there are commands: see --help";
        return Err(Failure::new(Exit::Usage, message));
    }
    let profile = Profile::open(profile, config)?;
    let server = config.server(server, profile.server().map(str::to_owned));
    let client = profile.client(&server)?;
    log_to(profile.log()?);
    log_panics();
    let options = Options {
        client,
        server,
        profile: Some(profile),
        plain,
    };
    Ok(run(options).await?)
}

/// The terminal belongs to the screen: what is logged goes to a file.
fn log_to(log: Log) {
    tracing_subscriber::fmt()
        .with_env_filter(filter())
        .with_ansi(false)
        .with_writer(Mutex::new(log))
        .init();
}

/// `CHAT_LOG` filters as `RUST_LOG` does elsewhere.
fn filter() -> EnvFilter {
    EnvFilter::try_from_env("CHAT_LOG").unwrap_or_else(|_| EnvFilter::new("warn"))
}

/// What is said at the end of a panic may be gone with the screen.
fn log_panics() {
    let earlier = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        tracing::error!("{panic}");
        earlier(panic);
    }));
}
