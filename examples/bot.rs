//! A bot over the client library: it answers whatever is said to it, across reconnects and restarts of the server.
//!
//! `bot SERVER USERNAME PASSWORD`, with the address of a running chat-server and an account on it.

use std::collections::HashSet;

use anyhow::Context;
use chat_core::{
    client::{Client, Event, Link},
    model::{ClientId, Draft},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let mut word = |name| {
        words
            .next()
            .with_context(|| format!("{name} is missing: bot SERVER USERNAME PASSWORD"))
    };
    let client = Client::new(&word("SERVER")?)?;
    let me = client.login(&word("USERNAME")?, &word("PASSWORD")?).await?;

    let (live, mut events) = client.live();
    let mut open = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            // The list says what there is; a conversation is followed from where the bot has read to.
            Event::Rows { rows, .. } => {
                for row in rows {
                    if open.insert(row.conversation.id) {
                        live.open(row.conversation.id, row.me.read_seq);
                    }
                }
            }
            Event::Entry(entry) => {
                let Some(message) = entry.message().filter(|message| message.sender_id != me.id)
                else {
                    continue;
                };
                let body = format!("You said: {}", message.body);
                let draft = Draft {
                    client_id: ClientId::new(),
                    body,
                    reply_to: Some(message.id),
                };
                live.send(entry.conversation_id, draft);
                live.mark_read(entry.conversation_id, entry.seq);
            }
            Event::Closed {
                conversation_id, ..
            } => {
                open.remove(&conversation_id);
            }
            Event::Link(Link::SignedOut { reason }) => anyhow::bail!("signed out: {reason}"),
            _ => {}
        }
    }
    Ok(())
}
