//! `chat-tui tail`: what was said last, and what is said from now on, one line each.

mod follow;
mod printer;
mod words;

use std::time::Duration;

use chat_core::{
    client::{Client, ClientError, LiveOptions},
    model::{Availability, Change, ConversationId, Entry, Message, Row, Seq},
    store::Around,
};

use super::{
    Exit, Failure,
    output::Output,
    people::People,
    place::{self, Place},
    session::Session,
};
use crate::signals::told_to_end;
use follow::Follow;
use printer::Printer;

/// The largest page that a server gives.
const PAGE: usize = 200;
/// At the end, the connection may take this long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Print what was said last, and with -f what happens from now on
///
/// A sentence a line, made harmless for a terminal; edits, reactions and the like are lines of their own. With -f nothing is
/// missed and nothing comes twice, however often the connection breaks; it ends with SIGINT and SIGTERM, and when nobody reads
/// any more. Who follows shows to others as idle.
///
/// With --json a line is an object: an entry of the log as the server's socket tells it (`type`, `conversation_id`, `seq`, `at`,
/// and for `new_message`, `message_edited` and so on `message`; see docs/socket.md of the server), with `conversation`, the name as
/// `conversations` prints it, and `author`, who did it: an object with `id`, `username` and `display_name`, or null. An entry of what was
/// said before is a `new_message` whose message is as it is now.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Ids, titles of groups, or @USERNAMEs; without any, all conversations
    conversations: Vec<String>,
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
    /// How many messages of before, of all conversations together
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    lines: usize,
    /// Everything that happened in this one conversation after this place in its log (`seq`), instead of the last messages: to
    /// go on where an earlier `tail --json` ended
    #[arg(long, value_name = "SEQ", conflicts_with = "lines")]
    after: Option<Seq>,
    /// An object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: Arguments,
    session: &Session,
    out: &mut Output,
) -> Result<(), Failure> {
    if arguments.after.is_some() && arguments.conversations.len() != 1 {
        let message = "--after is a place in the log of one conversation: name that one";
        return Err(Failure::new(Exit::Usage, message));
    }
    tokio::select! {
        biased;
        ended = told_to_end() => Ok(ended?),
        () = Output::nobody_reads() => Ok(()),
        done = print(arguments, session, out) => done,
    }
}

async fn print(arguments: Arguments, session: &Session, out: &mut Output) -> Result<(), Failure> {
    let (client, me) = session.sign_in().await?;
    let rows = place::all(&client).await?;
    let all = arguments.conversations.is_empty();
    let rows = if all {
        rows
    } else {
        chosen(&rows, &arguments.conversations)?
    };
    let mut printer = Printer {
        people: People::new(client.clone(), me),
        json: arguments.json,
        client: client.clone(),
        seen: words::Seen::default(),
        out,
    };
    for row in &rows {
        printer.people.learn_peer(row);
    }
    match (arguments.after, rows.first()) {
        (Some(after), Some(row)) if !arguments.follow => {
            return print_after(&client, row, after, &mut printer).await;
        }
        (Some(_), _) => {}
        (None, _) => print_last(&client, &rows, arguments.lines, &mut printer).await?,
    }
    if !arguments.follow {
        return Ok(());
    }
    let (live, events) = client.live_with(LiveOptions::default().report_delivery(false));
    live.set_presence(Availability::Idle);
    let mut follow = Follow::new(client, live.clone(), (!all).then_some(&rows[..]));
    for row in &rows {
        follow.begin(row, arguments.after.unwrap_or(row.conversation.head_seq));
    }
    let ended = follow.run(events, &mut printer).await;
    drop(follow);
    // A server that hangs must not keep the command from ending.
    let _ = tokio::time::timeout(GOODBYE, live.close()).await;
    ended
}

fn chosen(rows: &[Row], names: &[String]) -> Result<Vec<Row>, Failure> {
    let mut chosen: Vec<Row> = Vec::new();
    for name in names {
        let row = place::to_read(rows, name)?;
        if chosen
            .iter()
            .all(|it| it.conversation.id != row.conversation.id)
        {
            chosen.push(row);
        }
    }
    Ok(chosen)
}

/// The last messages of all these conversations, in the order of time.
async fn print_last(
    client: &Client,
    rows: &[Row],
    count: usize,
    printer: &mut Printer<'_>,
) -> Result<(), Failure> {
    let mut rows: Vec<&Row> = rows.iter().collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.conversation.last_activity_at));
    // Each of these has something newer than all that are left out.
    rows.truncate(count);
    let mut last: Vec<(&Row, Message)> = Vec::new();
    for row in rows {
        let conversation = &row.conversation;
        let messages = newest(client, conversation.id, conversation.head_seq, count).await?;
        last.extend(messages.into_iter().map(|message| (row, message)));
    }
    last.sort_by_key(|(_, message)| (message.created_at, message.conversation_id, message.seq));
    for (row, message) in last.drain(last.len().saturating_sub(count)..) {
        let entry = Entry {
            conversation_id: message.conversation_id,
            seq: message.seq,
            at: message.created_at,
            change: Change::NewMessage { message },
        };
        printer.print(&entry, &Place::of(row)).await?;
    }
    Ok(())
}

/// The newest messages up to a place: what follows it is told live.
async fn newest(
    client: &Client,
    conversation: ConversationId,
    head: Seq,
    count: usize,
) -> Result<Vec<Message>, ClientError> {
    let mut newest: Vec<Message> = Vec::new();
    let mut before = head.saturating_add(1);
    while newest.len() < count {
        let limit = PAGE.min(count - newest.len());
        let page = client.messages(conversation, Around::Before(before), limit);
        let mut page = page.await?;
        let Some(first) = page.first() else { break };
        before = first.seq;
        page.append(&mut newest);
        newest = page;
    }
    Ok(newest)
}

async fn print_after(
    client: &Client,
    row: &Row,
    after: Seq,
    printer: &mut Printer<'_>,
) -> Result<(), Failure> {
    let conversation = &row.conversation;
    let mut cursor = after;
    while cursor < conversation.head_seq {
        let page = client.events(conversation.id, cursor, PAGE).await?.items;
        let Some(last) = page.last() else { break };
        cursor = last.seq;
        for entry in &page {
            printer.print(entry, &Place::of(row)).await?;
        }
    }
    Ok(())
}
