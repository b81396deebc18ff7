//! What the stores cost: a message alone and among others, pages of lists and of logs that grow.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot go on has failed; criterion's macros document nothing"
)]

mod backend;
mod fixture;
mod in_turns;

use std::sync::Arc;

use backend::{Backend, InPostgres, InSqlite, Row};
use chat_core::{
    Chat,
    model::UserId,
    store::{Around, ConversationStore, MessageLog, RowPlace},
};
use criterion::{Criterion, criterion_group, criterion_main};
use in_turns::in_turns;
use tokio::{
    runtime::{Builder, Runtime},
    sync::Mutex,
    task::JoinSet,
};

const SENDERS: usize = 64;
/// How often each of them sends, one message after the other.
const MESSAGES_EACH: usize = 8;
const PAGE: usize = 50;

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Messages through the engine, durable, beside rows that are inserted in a transaction each on one connection.
fn sends<B: Backend>(criterion: &mut Criterion) {
    let runtime = runtime();
    let ours = runtime.block_on(B::start());
    let theirs = runtime.block_on(B::start());
    let (chat, group, ana) = runtime.block_on(async {
        let (ana, ben) = (UserId::new(), UserId::new());
        let group = fixture::group(&ours.store(), ana, vec![ben]).await;
        let chat = Chat::builder().store(ours.store()).start().await.unwrap();
        (chat, group, ana)
    });
    let (connection, bare_group) = runtime.block_on(async {
        let group = fixture::group(&theirs.store(), ana, Vec::new()).await;
        (theirs.connect().await, group)
    });
    let connection = Arc::new(Mutex::new((connection, 1)));
    let bare = move |rows: usize| {
        let connection = Arc::clone(&connection);
        async move {
            let (connection, seq) = &mut *connection.lock().await;
            for _ in 0..rows {
                *seq += 1;
                let row = Row {
                    conversation: bare_group,
                    seq: *seq,
                    author: ana,
                    body: fixture::BODY,
                };
                B::insert(connection, row).await;
            }
        }
    };
    let send = {
        let chat = chat.clone();
        move |messages: usize| {
            let chat = chat.clone();
            async move {
                for _ in 0..messages {
                    chat.send(ana, group, fixture::draft()).await.unwrap();
                }
            }
        }
    };
    let all_send = {
        let send = send.clone();
        move || {
            let mut senders = JoinSet::new();
            for _ in 0..SENDERS {
                senders.spawn(send(MESSAGES_EACH));
            }
            async move {
                senders.join_all().await;
            }
        }
    };

    let mut benchmarks = criterion.benchmark_group(B::NAME);
    in_turns(
        &mut benchmarks,
        &runtime,
        (
            "one sender alone, time to ack",
            "BEGIN, INSERT, COMMIT of a row",
        ),
        move || send(1),
        {
            let bare = bare.clone();
            move || bare(1)
        },
    );
    benchmarks.sample_size(20);
    in_turns(
        &mut benchmarks,
        &runtime,
        ("64 senders, time for 512 messages", "one row a transaction"),
        all_send,
        move || bare(SENDERS * MESSAGES_EACH),
    );
    benchmarks.finish();
    runtime.block_on(chat.shutdown());
}

/// The same pages in a log of 1,000,000 messages and in one of 10,000.
fn pages<B: Backend>(criterion: &mut Criterion) {
    let runtime = runtime();
    let [(large, large_logs), (small, small_logs)] = [1_000_000, 10_000].map(|messages| {
        runtime.block_on(async {
            let backend = B::start().await;
            let logs = fixture::logs(&backend.store(), messages).await;
            (backend, logs)
        })
    });
    let mut benchmarks = criterion.benchmark_group(B::NAME);
    macro_rules! compare {
        ($name:literal, |$store:ident, $logs:ident| $page:expr) => {
            let [at_large, at_small] = [(large.store(), large_logs), (small.store(), small_logs)]
                .map(|(store, $logs)| {
                    move || {
                        let $store = store.clone();
                        async move {
                            let page = $page.await.unwrap();
                            assert!(!page.is_empty());
                        }
                    }
                });
            in_turns(
                &mut benchmarks,
                &runtime,
                (
                    concat!($name, ", at 1,000,000 messages"),
                    "the same at 10,000",
                ),
                at_large,
                at_small,
            );
        };
    }
    compare!("unread", |store, logs| store
        .rows_of(logs.reader, &[logs.long]));
    compare!("list page", |store, logs| store.rows(
        logs.reader,
        None,
        PAGE
    ));
    compare!("history page, newest", |store, logs| store.messages(
        logs.long,
        Around::Newest,
        1,
        PAGE
    ));
    compare!("history page, in the middle", |store, logs| store.messages(
        logs.long,
        Around::Before(logs.middle),
        1,
        PAGE
    ));
    benchmarks.finish();
}

/// The pages of a user who has 10,000 conversations.
fn long_list<B: Backend>(criterion: &mut Criterion) {
    let runtime = runtime();
    let backend = runtime.block_on(B::start());
    let store = backend.store();
    let reader = runtime.block_on(fixture::list(&store, 10_000));
    let middle = runtime.block_on(async {
        let rows = store.rows(reader, None, 5_000).await.unwrap();
        let last = &rows.last().unwrap().row;
        RowPlace {
            pinned: last.me.pinned,
            last_activity_at: last.conversation.last_activity_at,
            id: last.conversation.id,
        }
    });
    let mut benchmarks = criterion.benchmark_group(B::NAME);
    for (name, place) in [("first", None), ("middle", Some(middle))] {
        benchmarks.bench_function(format!("{name} page of 10,000 conversations"), |bencher| {
            bencher.iter(|| runtime.block_on(store.rows(reader, place, PAGE)).unwrap());
        });
    }
    benchmarks.finish();
}

criterion_group!(
    sqlite,
    sends::<InSqlite>,
    pages::<InSqlite>,
    long_list::<InSqlite>
);
criterion_group!(
    postgres,
    sends::<InPostgres>,
    pages::<InPostgres>,
    long_list::<InPostgres>
);
criterion_main!(sqlite, postgres);
