//! A chat with a few people in it, and what their sessions saw.

use std::time::Duration;

use chat_core::{
    Chat, Error, Limits, NewGroup, Session,
    bus::{Bus, Envelope, Incoming, Topic},
    model::{
        Change, ClientId, ConversationId, Draft, Entry, History, Message, Row, Seq, Title, UserId,
    },
    protocol::{ServerFrame, Signal},
    store::MemoryStore,
};
use tokio::{
    sync::{Mutex, broadcast},
    time::timeout,
};

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
    let group = NewGroup::new(title("Lunch"), users[1..].to_vec());
    chat.create_group(users[0], group)
        .await
        .unwrap()
        .conversation
        .id
}

/// A bus that loses nothing.
struct Line {
    out: broadcast::Sender<Envelope>,
    coming: Mutex<broadcast::Receiver<Envelope>>,
}

impl Bus for Line {
    fn publish(&self, _: Topic, envelope: Envelope) -> bool {
        self.out.send(envelope).is_ok()
    }

    fn follow(&self, _: Topic) {}

    fn unfollow(&self, _: Topic) {}

    async fn receive(&self) -> Incoming {
        let envelope = self.coming.lock().await.recv().await;
        envelope.map_or(Incoming::Suspect, Incoming::Envelope)
    }
}

/// Two nodes on one store that hear all of each other.
pub(crate) async fn two_nodes() -> [Chat; 2] {
    let store = MemoryStore::default();
    let (out, _) = broadcast::channel(10_000);
    let node = async || {
        let line = Line {
            out: out.clone(),
            coming: Mutex::new(out.subscribe()),
        };
        let builder = Chat::builder().store(store.clone()).bus(line);
        builder.start().await.unwrap()
    };
    [node().await, node().await]
}

/// A group of these users whose later members see only what happens from their joining on.
pub(crate) async fn club(chat: &Chat, users: &[UserId]) -> ConversationId {
    let group = NewGroup {
        history: History::FromJoin,
        ..NewGroup::new(title("Club"), users[1..].to_vec())
    };
    let row = chat.create_group(users[0], group).await.unwrap();
    row.conversation.id
}

pub(crate) async fn rename(
    chat: &Chat,
    who: UserId,
    conversation: ConversationId,
    title: Title,
) -> Result<Row, Error> {
    chat.update(who, conversation, Some(title), None, None)
        .await
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

/// The next row of a conversation of which `is` is true.
pub(crate) async fn row_that(
    session: &mut Session,
    conversation: ConversationId,
    is: impl Fn(&Row) -> bool,
) -> Row {
    until_signal(session, |signal| match signal {
        Signal::ConversationUpdated { row } if row.conversation.id == conversation && is(row) => {
            Some((**row).clone())
        }
        _ => None,
    })
    .await
}

/// All that comes until nothing has come for a while, on a clock that stands still while anybody has something to do.
pub(crate) async fn all_frames(session: &mut Session) -> Vec<ServerFrame> {
    let mut all = Vec::new();
    while let Ok(more) = timeout(Duration::from_secs(5), frames(session)).await {
        all.extend(more);
    }
    all
}

pub(crate) fn signals(frames: Vec<ServerFrame>) -> impl Iterator<Item = Signal> {
    frames.into_iter().filter_map(|frame| match frame {
        ServerFrame::Signal(signal) => Some(signal),
        _ => None,
    })
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
        model::{ClientId, ConversationId, Draft, History, MessageId, Timestamp, UserId},
        store::{Act, Mentions, Store, Write},
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
        let say = Act::Send {
            id: MessageId::new(),
            draft,
            mentions: Mentions::default(),
        };
        write(conversation, author, say)
    }

    /// A new group of one.
    pub(crate) async fn group(store: &impl Store, owner: UserId) -> ConversationId {
        let id = ConversationId::new();
        let group = Act::CreateGroup {
            title: title("Tea"),
            topic: None,
            history: History::Shared,
            members: Vec::new(),
        };
        let create = write(id, owner, group);
        store.commit(&[create]).await.unwrap().remove(0).unwrap();
        id
    }
}
