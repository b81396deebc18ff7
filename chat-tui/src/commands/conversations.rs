//! `chat-tui conversations`: the list.

use serde::Serialize;

use super::{
    Failure,
    output::Output,
    place::{self, Place},
    session::Session,
};
use chat_core::model::Row;

/// List your conversations, pinned ones first, then by activity
///
/// One a line: how many messages are unread, how many of them call you, the name, and the id, with tabs between them.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Only those with something unread
    #[arg(long)]
    unread: bool,
    /// An object a line: the row of the protocol, and its name as `name`
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Named<'a> {
    name: String,
    #[serde(flatten)]
    row: &'a Row,
}

pub(super) async fn run(
    arguments: &Arguments,
    session: &Session,
    out: &mut Output,
) -> Result<(), Failure> {
    let (client, _) = session.sign_in().await?;
    for row in place::all(&client).await? {
        if arguments.unread && row.unread.count == 0 {
            continue;
        }
        let name = Place::of(&row).name();
        if arguments.json {
            out.json(&Named { name, row: &row }).await?;
        } else {
            let (id, unread) = (row.conversation.id, &row.unread);
            let more = if unread.capped { "+" } else { "" };
            let line = format!("{}{more}\t{}\t{name}\t{id}", unread.count, unread.mentions);
            out.line(&line).await?;
        }
    }
    Ok(())
}
