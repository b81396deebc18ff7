//! The chat server as a program: settings in, one server out, signals to stop it.

mod signals;

use std::{io::Write, iter, process::ExitCode};

use anyhow::Context;
use chat_server::{Config, ConfigError, Server, StartError, telemetry};
use signals::{Renewals, StopSignals};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let config = match Config::load(std::env::args_os()) {
        Ok(config) => config,
        Err(ConfigError::Asked(text)) => {
            let _closed_pipe = write!(std::io::stdout(), "{text}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => return refuse(&wrong),
    };
    if let Err(wrong) = telemetry::init(config.log_format, &config.log_filter) {
        return refuse(&ConfigError::Wrong(wrong));
    }
    #[cfg(feature = "bugs")]
    if let Err(unknown) = build_in_a_bug() {
        return refuse(&*unknown);
    }
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<StartError>() => refuse(&*error),
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// For tests that prove that they would find it.
#[cfg(feature = "bugs")]
fn build_in_a_bug() -> anyhow::Result<()> {
    use chat_core::bug::{Bug, build_into_this_process};

    if let Ok(names) = std::env::var("CHAT_BUILT_IN_BUG") {
        let named = |name| Bug::named(name).with_context(|| format!("there is no bug {name}"));
        let bugs = names
            .split(',')
            .map(named)
            .collect::<anyhow::Result<Vec<_>>>()?;
        tracing::warn!(?bugs, "bugs are built in");
        build_into_this_process(bugs);
    }
    Ok(())
}

#[tokio::main]
async fn serve(config: Config) -> anyhow::Result<()> {
    let mut signals = StopSignals::listen().context("signals cannot be awaited")?;
    let tls = config.tls.is_some();
    let server = Server::bind(config).await?;
    writeln!(std::io::stdout(), "listening on {}", server.url()).context("nobody is told")?;
    let mut renewals = if tls {
        Renewals::listen().context("signals cannot be awaited")?
    } else {
        // A terminal that hangs up still ends the process.
        Renewals::none()
    };
    loop {
        tokio::select! {
            () = signals.next() => break,
            () = renewals.next() => match server.reload_certificate() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(error) => tracing::error!(%error, "the old certificate stays"),
            },
        }
    }
    tracing::info!("stopping: no new connections, then the open ones end");
    server.shutdown();
    tokio::select! {
        () = server.join() => Ok(()),
        () = signals.next() => anyhow::bail!("stopped at once by a second signal"),
    }
}

/// A setting that cannot be: one line, and the exit code that says so.
fn refuse(wrong: &dyn std::error::Error) -> ExitCode {
    let mut line = wrong.to_string();
    let mut causes = iter::successors(wrong.source(), |cause| cause.source());
    while let Some(cause) = causes.next().map(ToString::to_string) {
        // Some say what caused them, and some leave it to their cause.
        if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    let line = line.replace('\n', " ");
    let _closed_pipe = writeln!(std::io::stderr(), "chat-server: {line}");
    ExitCode::from(2)
}
