//! `chat-tui`: reads the command line and opens the client.

use std::{io::IsTerminal, process::ExitCode, sync::Mutex};

use anyhow::ensure;
use chat_core::client::Client;
use chat_tui::{Options, config::Profile, run};
use clap::Parser;
use tracing_subscriber::EnvFilter;

const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// A terminal client for chat-server.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Address of the server; without it that of the last sign-in, else `http://127.0.0.1:8080`
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Keeps several sign-ins apart
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// Draws no lines and no boxes, and shows one thing at a time: for screen readers
    #[arg(long)]
    plain: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match open(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the terminal is the user's again")]
            {
                eprintln!("chat-tui: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn open(arguments: Arguments) -> anyhow::Result<()> {
    ensure!(
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
        "standard input and output must be a terminal"
    );
    let profile = Profile::open(&arguments.profile)?;
    let server = arguments
        .server
        .as_deref()
        .or(profile.server())
        .unwrap_or(DEFAULT_SERVER)
        .to_owned();
    let client = Client::new(&server)?;
    log_to(profile.log()?);
    run(Options {
        client,
        server,
        profile: Some(profile),
        plain: arguments.plain,
    })
    .await
}

/// The terminal belongs to the screen: what is logged goes to a file. `CHAT_LOG` filters as `RUST_LOG` does elsewhere.
fn log_to(file: std::fs::File) {
    let filter = EnvFilter::try_from_env("CHAT_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .init();
}
