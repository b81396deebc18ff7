//! What an idle session, an attached room and a conversation that nobody has open cost in memory.
//!
//! Each phase adds one kind of thing and takes the difference of the resident memory, in a process that does nothing
//! else; the store's own memory is there before.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has failed, and prints its table"
)]

use std::{thread, time::Duration};

use chat_core::{
    Chat, Session,
    model::{ConversationId, History, Timestamp, Title, UserId},
    store::{Act, MemoryStore, MessageLog, Write},
};
use tokio::runtime::{Builder, Runtime};

const SESSIONS: usize = 10_000;
const ROOMS: usize = 5_000;
/// Each user belongs to 50 of the rooms.
const MEMBERS: usize = 100;
const ROOMS_EACH: usize = ROOMS * MEMBERS / SESSIONS;
const KNOWN: usize = 1_000_000;

fn main() {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("| what | how many | bytes each |\n| --- | --- | --- |");
    sessions_and_rooms(&runtime);
    for known in [ROOMS_EACH, KNOWN] {
        one_session_among(&runtime, known);
    }
}

fn sessions_and_rooms(runtime: &Runtime) {
    let store = MemoryStore::default();
    let users: Vec<_> = (0..SESSIONS).map(|_| UserId::new()).collect();
    let mut rooms = Vec::with_capacity(ROOMS);
    for room in 0..ROOMS {
        // The members of a room are spread over all users.
        let members = (0..MEMBERS).map(|n| users[(room + n * SESSIONS / MEMBERS) % SESSIONS]);
        rooms.push(runtime.block_on(add_group(&store, members.collect())));
    }
    let chat = runtime.block_on(Chat::builder().store(store).start());
    let chat = chat.unwrap();

    let meter = Meter::start();
    let mut sessions: Vec<Session> = Vec::with_capacity(SESSIONS);
    for user in &users {
        sessions.push(runtime.block_on(chat.connect(*user)).unwrap());
    }
    meter.print("an idle session", SESSIONS);

    let meter = Meter::start();
    for (index, session) in sessions.iter_mut().enumerate() {
        let joined = (0..MEMBERS).map(|n| (index + SESSIONS - n * SESSIONS / MEMBERS) % SESSIONS);
        for room in joined.filter(|room| *room < ROOMS) {
            runtime.block_on(session.join(rooms[room], None)).unwrap();
        }
    }
    // Each has a task of its own, looks once, and waits from then on.
    let tasks: Vec<_> = sessions
        .into_iter()
        .map(|mut session| runtime.spawn(async move { while session.next().await.is_ok() {} }))
        .collect();
    let name = "an attached room, its shares of the room and of the session's task included";
    meter.print(name, SESSIONS * ROOMS_EACH);

    runtime.block_on(async {
        chat.shutdown().await;
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// What the engine costs, with one session that has 50 rooms open, beside what the store costs.
fn one_session_among(runtime: &Runtime, known: usize) {
    let store = MemoryStore::default();
    let user = UserId::new();
    let meter = Meter::start();
    let mut open = Vec::with_capacity(ROOMS_EACH);
    for nth in 0..known {
        let group = runtime.block_on(add_group(&store, vec![user]));
        if nth < ROOMS_EACH {
            open.push(group);
        }
    }
    meter.print(
        "a conversation in the store, which is in memory here",
        known,
    );

    let meter = Meter::start();
    let (chat, task) = runtime.block_on(async {
        let chat = Chat::builder().store(store).start().await.unwrap();
        let mut session = chat.connect(user).await.unwrap();
        for group in open {
            session.join(group, None).await.unwrap();
        }
        let task = tokio::spawn(async move { while session.next().await.is_ok() {} });
        (chat, task)
    });
    let name = format!("an engine with one session that has 50 of {known} conversations open");
    meter.print(&name, 1);
    runtime.block_on(async {
        chat.shutdown().await;
        task.await.unwrap();
    });
}

async fn add_group(store: &MemoryStore, members: Vec<UserId>) -> ConversationId {
    let write = Write {
        conversation_id: ConversationId::new(),
        author: members[0],
        at: Timestamp::now(),
        act: Act::CreateGroup {
            title: Title::try_from("memory".to_owned()).unwrap(),
            topic: None,
            history: History::Shared,
            members,
        },
    };
    let id = write.conversation_id;
    for result in store.commit(&[write]).await.unwrap() {
        result.unwrap();
    }
    id
}

/// The resident memory that came since it was started.
struct Meter {
    before: usize,
}

impl Meter {
    fn start() -> Self {
        Self { before: settled() }
    }

    fn print(self, what: &str, many: usize) {
        let grown = settled().saturating_sub(self.before);
        println!("| {what} | {many} | {} |", grown / many);
    }
}

/// The resident memory when nothing is left to do.
fn settled() -> usize {
    loop {
        let before = benches::cpu_time();
        thread::sleep(Duration::from_millis(300));
        if benches::cpu_time().saturating_sub(before) < Duration::from_millis(20) {
            return benches::resident_bytes();
        }
    }
}
