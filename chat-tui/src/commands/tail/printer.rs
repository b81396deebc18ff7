//! One entry of a log becomes one line.

use chat_core::{
    client::Client,
    model::{Change, Entry, MessageId, Timestamp, UserId},
};
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{
    super::{Failure, output::Output, people::People, place::Place},
    words::{Seen, Words},
};

/// Prints entries, and asks for what their words need.
#[derive(Debug)]
pub(super) struct Printer<'a> {
    pub(super) client: Client,
    pub(super) people: People,
    pub(super) seen: Seen,
    pub(super) json: bool,
    pub(super) out: &'a mut Output,
}

/// An entry with what its ids stand for.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    conversation: String,
    author: Option<Author<'a>>,
}

#[derive(Serialize)]
struct Author<'a> {
    id: UserId,
    username: &'a str,
    display_name: &'a str,
}

impl Printer<'_> {
    pub(super) async fn print(&mut self, entry: &Entry, place: &Place) -> Result<(), Failure> {
        let author = author(&entry.change);
        self.people.ask(author).await;
        if self.json {
            let author = author.and_then(|id| self.people.get(id));
            let line = Line {
                entry,
                conversation: place.name(),
                author: author.map(|person| Author {
                    id: person.id,
                    username: &person.username,
                    display_name: &person.display_name,
                }),
            };
            return self.out.json(&line).await;
        }
        if let Some(message) = entry.message_state() {
            self.seen.remember(message);
        }
        if let Some(id) = earlier(&entry.change)
            && !self.seen.knows(id)
            && let Ok(message) = self.client.message(entry.conversation_id, id).await
        {
            self.seen.remember(&message);
        }
        let about = earlier(&entry.change).and_then(|id| self.seen.author(id));
        let message = entry.message_state().map(|message| message.sender_id);
        let person = about.into_iter().chain(message).chain(whom(&entry.change));
        self.people.ask(person).await;
        let words = Words {
            people: &self.people,
            seen: &self.seen,
            place,
            zone: &TimeZone::system(),
            now: Timestamp::now(),
        };
        match words.line(entry) {
            Some(line) => self.out.line(&line).await,
            None => Ok(()),
        }
    }
}

/// Who did it.
fn author(change: &Change) -> Option<UserId> {
    match change {
        Change::NewMessage { message } | Change::MessageEdited { message } => {
            Some(message.sender_id)
        }
        Change::ReactionAdded { user_id, .. } | Change::ReactionRemoved { user_id, .. } => {
            Some(*user_id)
        }
        Change::MessageDeleted { by, .. }
        | Change::MessagePinned { by, .. }
        | Change::MessageUnpinned { by, .. }
        | Change::MemberJoined { by, .. }
        | Change::MemberLeft { by, .. }
        | Change::MemberRole { by, .. }
        | Change::ConversationRenamed { by, .. }
        | Change::ConversationTopic { by, .. }
        | Change::ConversationHistory { by, .. }
        | Change::ConversationDeleted { by } => Some(*by),
        _ => None,
    }
}

/// To whom it was done.
fn whom(change: &Change) -> Option<UserId> {
    match change {
        Change::MemberJoined { user_id, .. }
        | Change::MemberLeft { user_id, .. }
        | Change::MemberRole { user_id, .. } => Some(*user_id),
        _ => None,
    }
}

/// An earlier message that it is about, of which the entry does not tell the text.
fn earlier(change: &Change) -> Option<MessageId> {
    match change {
        Change::NewMessage { message } => message.reply_to,
        Change::ReactionAdded { message_id, .. } | Change::ReactionRemoved { message_id, .. } => {
            Some(*message_id)
        }
        _ => None,
    }
}
