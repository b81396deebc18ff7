//! `chat-tui send`: says something, and waits until the server has it.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use chat_core::{
    client::{Client, ClientError},
    model::{ClientId, ConversationId, Draft, Message, MessageId},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::{Instant, sleep, timeout_at},
};

use super::{
    Exit, Failure,
    output::{Output, notice},
    place,
    session::Session,
};

/// The first wait before another attempt, and the longest.
const WAITS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(5)];

/// Say something, and wait until the server has it for good
///
/// It is tried until --timeout is over. A message that was not sent, or of which that is not known, is named on standard error
/// with the client id to send it again with: it is then said once, whatever became of the first attempt.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The id of a conversation, the title of a group, or @USERNAME
    conversation: String,
    /// What to say; without it, all of standard input
    text: Option<String>,
    /// Say each line of standard input as a message of its own, as it comes; empty ones are left out
    #[arg(long, conflicts_with_all = ["text", "client_id"])]
    each_line: bool,
    /// The id of the message that this one answers
    #[arg(long, value_name = "ID")]
    reply_to: Option<MessageId>,
    /// A UUID of yours for this message: sent again with the same one, it is said once
    #[arg(long, value_name = "UUID")]
    client_id: Option<ClientId>,
    /// Give up after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
    /// Print each message as the server has it, an object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: Arguments,
    session: &Session,
    out: &mut Output,
) -> Result<(), Failure> {
    let attempts = Attempts::for_the_next(arguments.timeout);
    if arguments.each_line {
        return each_line(&arguments, attempts, session, out).await;
    }
    let body = match &arguments.text {
        Some(text) => text.clone(),
        None => standard_input()?,
    };
    let draft = Draft {
        client_id: arguments.client_id.unwrap_or_else(ClientId::new),
        body: something(body)?,
        reply_to: arguments.reply_to,
    };
    let client_id = draft.client_id;
    let sent = async {
        let (client, conversation) = find(&arguments, attempts, session).await?;
        say(&client, conversation, &draft, attempts, &arguments).await
    };
    match sent.await {
        Ok(message) => tell(&message, &arguments, out).await,
        Err(failure) => Err(not_sent(failure, client_id)),
    }
}

/// Line by line as they come, so that a program can write them over hours; each has the whole time for itself.
async fn each_line(
    arguments: &Arguments,
    attempts: Attempts,
    session: &Session,
    out: &mut Output,
) -> Result<(), Failure> {
    let (client, conversation) = find(arguments, attempts, session).await?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut number = 0_u64;
    while let Some(line) = lines
        .next_line()
        .await
        .map_err(|error| unreadable(&error))?
    {
        number += 1;
        if line.trim().is_empty() {
            continue;
        }
        let draft = Draft {
            client_id: ClientId::new(),
            body: line,
            reply_to: arguments.reply_to,
        };
        let attempts = Attempts::for_the_next(arguments.timeout);
        let sent = say(&client, conversation, &draft, attempts, arguments).await;
        let message = sent.map_err(|failure| {
            let failure = not_sent(failure, draft.client_id);
            failure.saying(|why| format!("line {number} and what follows it are {why}"))
        })?;
        tell(&message, arguments, out).await?;
    }
    Ok(())
}

/// Says so, and how to go on if it may be in doubt.
fn not_sent(failure: Failure, client_id: ClientId) -> Failure {
    match failure.exit() {
        Exit::Unreachable | Exit::Failed => failure.saying(|why| {
            format!(
                "not sent: {why}\nto try again without saying it twice: --client-id {client_id}"
            )
        }),
        _ => failure.saying(|why| format!("not sent: {why}")),
    }
}

async fn find(
    arguments: &Arguments,
    attempts: Attempts,
    session: &Session,
) -> Result<(Client, ConversationId), Failure> {
    let (client, _) = attempts.until_done(|| session.sign_in()).await?;
    let name = &arguments.conversation;
    let found = attempts.until_done(|| place::to_write_in(&client, name));
    let conversation = found.await?;
    Ok((client, conversation))
}

async fn say(
    client: &Client,
    conversation: ConversationId,
    draft: &Draft,
    attempts: Attempts,
    arguments: &Arguments,
) -> Result<Message, Failure> {
    let name = &arguments.conversation;
    let send = || async {
        let sent = client.send(conversation, draft).await;
        if let Err(ClientError::Problem(problem)) = &sent
            && let Some(wait) = problem.retry_after_ms.filter(|_| problem.retryable)
        {
            // As long as the server asks for, in addition to the wait between attempts.
            sleep(Duration::from_millis(wait)).await;
        }
        sent.map_err(|error| match draft.reply_to {
            Some(_) => error.into(),
            None => place::unknown(error, name),
        })
    };
    attempts.until_done(send).await
}

async fn tell(message: &Message, arguments: &Arguments, out: &mut Output) -> Result<(), Failure> {
    if arguments.json {
        out.json(message).await
    } else {
        Ok(())
    }
}

fn standard_input() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        notice("type what to say; Ctrl-D on a line of its own sends it");
    }
    let mut text = io::read_to_string(io::stdin()).map_err(|error| unreadable(&error))?;
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(text)
}

fn something(text: String) -> Result<String, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "there is nothing to send"));
    }
    Ok(text)
}

fn unreadable(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::InvalidData {
        return Failure::new(Exit::Usage, "standard input is not text (UTF-8)");
    }
    let message = format!("standard input cannot be read: {error}");
    Failure::new(Exit::Failed, &message)
}

/// What is tried again as long as it may succeed, and as there is time.
#[derive(Clone, Copy, Debug)]
struct Attempts {
    seconds: u32,
    until: Instant,
}

impl Attempts {
    fn for_the_next(seconds: u32) -> Self {
        Self {
            seconds,
            until: Instant::now() + Duration::from_secs(seconds.into()),
        }
    }

    async fn until_done<T, F>(self, mut attempt: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let [mut wait, longest] = WAITS;
        let mut last = None;
        loop {
            match timeout_at(self.until, attempt()).await {
                Ok(Err(failure)) if failure.exit() == Exit::Unreachable => last = Some(failure),
                Ok(done) => return done,
                Err(_) => return Err(last.unwrap_or_else(|| self.no_answer())),
            }
            match last {
                Some(failure) if Instant::now() + wait >= self.until => return Err(failure),
                _ => sleep(wait).await,
            }
            wait = longest.min(wait * 2);
        }
    }

    fn no_answer(self) -> Failure {
        let message = format!("the server did not answer within {} s", self.seconds);
        Failure::new(Exit::Unreachable, &message)
    }
}
