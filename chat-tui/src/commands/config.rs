//! `chat-tui config`: where the file is that the user sets things in, and what can be set.

use super::{Failure, output::Output};
use crate::config::Config;

/// Show where config.toml is looked for, or what can stand in it
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Arguments {
    /// Print the path of the file
    #[arg(long)]
    path: bool,
    /// Print a file with every key, explained, as it is without one
    #[arg(long)]
    print_default: bool,
}

pub(super) async fn run(arguments: &Arguments, out: &mut Output) -> Result<(), Failure> {
    if arguments.path {
        let path = Config::path()?;
        out.line(&path.display().to_string()).await
    } else {
        out.text(Config::DEFAULT).await
    }
}
