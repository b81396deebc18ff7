//! A chat with a few people in it, and what their sessions saw.

use std::time::Duration;

use chat_core::{
    Chat, Limits, Session,
    model::{Change, ClientId, ConversationId, Draft, Entry, Message, Seq, Title, UserId},
    protocol::{ServerFrame, Signal},
};
use tokio::time::timeout;

/// Long enough for anything that will ever happen.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) async fn chat() -> Chat {
    chat_with(Limits::default()).await
}

pub(crate) async fn chat_with(limits: Limits) -> Chat {
    Chat::builder().limits(limits).start().await.unwrap()
}

pub(crate) fn title(text: &str) -> Title {
    Title::try_from(text.to_owned()).unwrap()
}

pub(crate) fn draft(body: &str) -> Draft {
    Draft {
        client_id: ClientId::new(),
        body: body.to_owned(),
        reply_to: None,
    }
}

/// A group of the first user and the others.
pub(crate) async fn group(chat: &Chat, users: &[UserId]) -> ConversationId {
    chat.create_group(users[0], title("Lunch"), users[1..].to_vec())
        .await
        .unwrap()
        .conversation
        .id
}

pub(crate) async fn say(
    chat: &Chat,
    who: UserId,
    conversation: ConversationId,
    body: &str,
) -> Message {
    chat.send(who, conversation, draft(body))
        .await
        .unwrap()
        .message
}

/// The next frames, as values.
pub(crate) async fn frames(session: &mut Session) -> Vec<ServerFrame> {
    let batch = timeout(PATIENCE, session.next())
        .await
        .expect("nothing came")
        .unwrap();
    batch.iter().map(|frame| frame.decode().unwrap()).collect()
}

/// Reads until `found` finds something.
pub(crate) async fn until<T>(
    session: &mut Session,
    mut found: impl FnMut(&ServerFrame) -> Option<T>,
) -> T {
    loop {
        for frame in frames(session).await {
            if let Some(found) = found(&frame) {
                return found;
            }
        }
    }
}

pub(crate) async fn until_signal<T>(
    session: &mut Session,
    mut found: impl FnMut(&Signal) -> Option<T>,
) -> T {
    until(session, |frame| match frame {
        ServerFrame::Signal(signal) => found(signal),
        _ => None,
    })
    .await
}

/// Reads log entries of a conversation up to and including `seq`.
pub(crate) async fn entries_to(
    session: &mut Session,
    conversation: ConversationId,
    seq: Seq,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    while entries.last().is_none_or(|entry: &Entry| entry.seq < seq) {
        for frame in frames(session).await {
            if let ServerFrame::Log(entry) = frame
                && entry.conversation_id == conversation
            {
                entries.push(*entry);
            }
        }
    }
    entries
}

pub(crate) fn seqs(entries: &[Entry]) -> Vec<Seq> {
    entries.iter().map(|entry| entry.seq).collect()
}

pub(crate) fn body(entry: &Entry) -> Option<&str> {
    match &entry.change {
        Change::NewMessage { message } => Some(&message.body),
        _ => None,
    }
}

/// The writes that the tests of stores begin with.
pub(crate) mod writes {
    use chat_core::{
        model::{ClientId, ConversationId, Draft, MessageId, Timestamp, UserId},
        store::{Act, Store, Write},
    };

    use super::title;

    pub(crate) fn write(conversation_id: ConversationId, author: UserId, act: Act) -> Write {
        Write {
            conversation_id,
            author,
            at: Timestamp::now(),
            act,
        }
    }

    pub(crate) fn send(
        conversation: ConversationId,
        author: UserId,
        body: impl Into<String>,
    ) -> Write {
        let draft = Draft {
            client_id: ClientId::new(),
            body: body.into(),
            reply_to: None,
        };
        let id = MessageId::new();
        write(conversation, author, Act::Send { id, draft })
    }

    /// A new group of one.
    pub(crate) async fn group(store: &impl Store, owner: UserId) -> ConversationId {
        let id = ConversationId::new();
        let (title, members) = (title("Tea"), Vec::new());
        let create = write(id, owner, Act::CreateGroup { title, members });
        store.commit(&[create]).await.unwrap().remove(0).unwrap();
        id
    }
}
