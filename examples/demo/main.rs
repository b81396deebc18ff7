//! A server on a temporary file, a few people who chat over real sockets, and the client in this terminal.

mod company;
mod script;

use std::{io::IsTerminal, process::ExitCode};

use anyhow::{Context, ensure};
use chat_server::{Config, Database, Server};
use chat_tui::Options;

use crate::company::Company;

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the terminal is the user's again")]
            {
                eprintln!("demo: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> anyhow::Result<()> {
    ensure!(
        std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
        "the demo opens a client: run it in a terminal"
    );
    let home = tempfile::tempdir().context("a temporary directory is needed")?;
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        database: Database::Sqlite(home.path().join("demo.db")),
        ..Config::default()
    };
    let server = Server::bind(config)
        .await
        .context("the server does not start")?;
    let address = format!("http://{}", server.local_addr());

    let company = Company::gather(&address)
        .await
        .context("the demo's people cannot meet")?;
    let you = company.you();
    let chatter = company.chat();
    let outcome = chat_tui::run(Options {
        client: you,
        server: address,
        profile: None,
        plain: false,
    })
    .await;

    chatter.stop().await;
    server.shutdown();
    server.join().await;
    home.close()
        .context("the temporary directory is left over")?;
    outcome
}
