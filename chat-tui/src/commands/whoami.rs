//! `chat-tui whoami`: who is signed in, as the server knows them.

use serde::Serialize;

use super::{Failure, output::Output, session::Session};
use crate::app::text::Plain;

/// Print who is signed in, and where
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print an object with `id`, `username`, `display_name` and `server`
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Me<'a> {
    id: String,
    username: &'a str,
    display_name: &'a str,
    server: &'a str,
}

pub(super) async fn run(
    arguments: &Arguments,
    session: &Session,
    out: &mut Output,
) -> Result<(), Failure> {
    let (_, me) = session.sign_in().await?;
    if arguments.json {
        return out
            .json(&Me {
                id: me.id.to_string(),
                username: &me.username,
                display_name: &me.display_name,
                server: &session.server,
            })
            .await;
    }
    let (username, name) = (Plain::line(&me.username), Plain::line(&me.display_name));
    out.line(&format!("{username} ({name}) at {}", session.server))
        .await
}
