//! Databases with something in them, built through the store.

use chat_core::{
    model::{ClientId, ConversationId, Draft, History, MessageId, Seq, Timestamp, Title, UserId},
    store::{Act, Mentions, MessageLog, Write},
};

/// As long as what people write in a chat.
pub(crate) const BODY: &str = "Shall we meet at the station at seven? The train leaves at a quarter past, and Ben wanted to bring the tickets for all of us.";

const BATCH: usize = 1_000;

/// A reader of a long log and of a few short ones.
#[derive(Clone, Copy)]
pub(crate) struct Logs {
    pub(crate) reader: UserId,
    pub(crate) long: ConversationId,
    /// A place in the long one.
    pub(crate) middle: Seq,
}

/// A group of two with a log of so many messages, more of them unread than are counted, and enough others for a page.
pub(crate) async fn logs(store: &impl MessageLog, messages: usize) -> Logs {
    let (author, reader) = (UserId::new(), UserId::new());
    let long = group(store, author, vec![reader]).await;
    fill(store, (0..messages).map(|_| send(long, author))).await;
    let seq = messages.saturating_sub(2_000) as u64;
    fill(
        store,
        [write(long, reader, Act::MarkRead { seq, shown: true })],
    )
    .await;
    for _ in 0..60 {
        let short = group(store, author, vec![reader]).await;
        fill(store, (0..20).map(|_| send(short, author))).await;
    }
    Logs {
        reader,
        long,
        middle: messages as u64 / 2,
    }
}

/// A user with a list of so many conversations.
pub(crate) async fn list(store: &impl MessageLog, conversations: usize) -> UserId {
    let (author, reader) = (UserId::new(), UserId::new());
    let ids: Vec<_> = (0..conversations).map(|_| ConversationId::new()).collect();
    fill(
        store,
        ids.iter().map(|id| create(*id, author, vec![reader])),
    )
    .await;
    fill(store, ids.iter().map(|id| send(*id, author))).await;
    reader
}

pub(crate) async fn group(
    store: &impl MessageLog,
    owner: UserId,
    members: Vec<UserId>,
) -> ConversationId {
    let id = ConversationId::new();
    fill(store, [create(id, owner, members)]).await;
    id
}

pub(crate) fn draft() -> Draft {
    Draft {
        client_id: ClientId::new(),
        body: BODY.to_owned(),
        reply_to: None,
    }
}

async fn fill(store: &impl MessageLog, writes: impl IntoIterator<Item = Write>) {
    let mut writes = writes.into_iter();
    loop {
        let batch: Vec<_> = writes.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return;
        }
        for result in store.commit(&batch).await.unwrap() {
            result.unwrap();
        }
    }
}

fn create(id: ConversationId, owner: UserId, members: Vec<UserId>) -> Write {
    let title = Title::try_from("To the sea".to_owned()).unwrap();
    let create = Act::CreateGroup {
        title,
        topic: None,
        history: History::Shared,
        members,
    };
    write(id, owner, create)
}

fn send(conversation: ConversationId, author: UserId) -> Write {
    let id = MessageId::new();
    let send = Act::Send {
        id,
        draft: draft(),
        mentions: Mentions::default(),
    };
    write(conversation, author, send)
}

fn write(conversation_id: ConversationId, author: UserId, act: Act) -> Write {
    Write {
        conversation_id,
        author,
        at: Timestamp::now(),
        act,
    }
}
