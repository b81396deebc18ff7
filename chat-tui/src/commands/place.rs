//! Conversations as they are named on a command line: by id, by title, or by whom they are with.

use chat_core::{
    client::{Client, ClientError},
    model::{ConversationId, Profile, Row},
    protocol::ErrorCode,
};

use super::{Exit, Failure};
use crate::app::text::Plain;

/// So many others are told of when a name is none.
const MOST_CANDIDATES: usize = 10;

/// What a conversation is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A group, by its title.
    Group(Plain),
    /// The chat with this person.
    With(Box<Profile>),
}

impl Place {
    pub(super) fn of(row: &Row) -> Self {
        let conversation = &row.conversation;
        match (&conversation.title, &conversation.peer) {
            (Some(title), _) => Self::Group(Plain::line(title)),
            (None, Some(peer)) => Self::With(Box::new(peer.clone())),
            (None, None) => Self::Group(Plain::line("a conversation without a name")),
        }
    }

    /// The name by which a command takes it: `Release`, `@ana`.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Group(title) => title.to_string(),
            Self::With(peer) => format!("@{}", Plain::line(&peer.username)),
        }
    }
}

/// The whole list.
pub(super) async fn all(client: &Client) -> Result<Vec<Row>, ClientError> {
    let mut page = client.conversations(None).await?;
    let mut rows = page.items;
    while let Some(cursor) = page.next_cursor {
        page = client.conversations(Some(&cursor)).await?;
        rows.append(&mut page.items);
    }
    Ok(rows)
}

/// The conversation of this name. One with somebody is made if there is none.
pub(super) async fn to_write_in(client: &Client, name: &str) -> Result<ConversationId, Failure> {
    if let Ok(id) = name.parse() {
        // Whether it is there, the server says when it is written in.
        return Ok(id);
    }
    match name.strip_prefix('@') {
        Some(username) => {
            let peer = person(client, username).await?;
            Ok(client.direct(peer.id).await?.conversation.id)
        }
        None => Ok(titled(&all(client).await?, name)?.conversation.id),
    }
}

/// The conversation of this name, which must be there.
pub(super) fn to_read(rows: &[Row], name: &str) -> Result<Row, Failure> {
    if let Ok(id) = name.parse::<ConversationId>() {
        let row = rows.iter().find(|row| row.conversation.id == id);
        return row.cloned().ok_or_else(|| none(name, ""));
    }
    let Some(username) = name.strip_prefix('@') else {
        return titled(rows, name).cloned();
    };
    let with = |row: &&Row| {
        let peer = row.conversation.peer.as_ref();
        peer.is_some_and(|peer| same_name(&peer.username, username))
    };
    let row = rows.iter().find(with);
    row.cloned()
        .ok_or_else(|| none(name, &candidates(rows, username)))
}

/// What it means that the server does not know a conversation.
pub(super) fn unknown(error: ClientError, name: &str) -> Failure {
    if error.code() == Some(ErrorCode::NotFound) {
        none(name, "")
    } else {
        error.into()
    }
}

fn titled<'a>(rows: &'a [Row], name: &str) -> Result<&'a Row, Failure> {
    let of = |title: &str| -> Vec<&'a Row> {
        let same = |row: &&Row| row.conversation.title.as_deref() == Some(title);
        rows.iter().filter(same).collect()
    };
    let mut found = of(name);
    if let (true, Some(title)) = (found.is_empty(), name.strip_prefix('#')) {
        // As `tail` writes it.
        found = of(title);
    }
    match found[..] {
        [row] => Ok(row),
        [] => Err(none(name, &candidates(rows, name))),
        _ => {
            let list = listed(found.iter().copied());
            let message = format!(
                "there are {} conversations named {name}: use the id of the one you mean\n{list}",
                found.len()
            );
            Err(Failure::new(Exit::NoConversation, &message))
        }
    }
}

async fn person(client: &Client, username: &str) -> Result<Profile, Failure> {
    let found = match client.find_users(username, None).await {
        // Too short for a user name, or too long.
        Err(error) if error.code() == Some(ErrorCode::Invalid) => Vec::new(),
        found => found?.items,
    };
    if let Some(person) = found
        .iter()
        .find(|person| same_name(&person.username, username))
    {
        return Ok(person.clone());
    }
    let similar = found.iter().take(MOST_CANDIDATES);
    let similar =
        similar.map(|person| format!("  @{} ({})\n", person.username, person.display_name));
    let similar: String = similar.collect();
    let mut message = format!("there is nobody with the user name {username}");
    if !similar.is_empty() {
        message = format!("{message}; there are\n{}", similar.trim_end());
    }
    Err(Failure::new(Exit::NoConversation, &message))
}

/// User names are found in whatever case they are written.
fn same_name(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn none(name: &str, candidates: &str) -> Failure {
    let message = if candidates.is_empty() {
        format!("you have no conversation {name}: `chat-tui conversations` lists those you have")
    } else {
        format!("you have no conversation {name}; you have\n{candidates}")
    };
    Failure::new(Exit::NoConversation, &message)
}

/// Conversations whose name has something of this one.
fn candidates(rows: &[Row], name: &str) -> String {
    let wanted = name.trim_start_matches('#').to_lowercase();
    let similar = |row: &&Row| Place::of(row).name().to_lowercase().contains(&wanted);
    listed(rows.iter().filter(similar).take(MOST_CANDIDATES))
}

fn listed<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let lines = rows.map(|row| format!("  {}  {}", row.conversation.id, Place::of(row).name()));
    lines.collect::<Vec<_>>().join("\n")
}
