//! What the SQLite store costs: a message alone, messages that share a transaction, a list row, a page of history.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that cannot go on has failed; criterion's macros document nothing"
)]

use std::time::Duration;

use chat_core::{
    model::{ClientId, ConversationId, Draft, MessageId, Timestamp, Title, UserId},
    store::{Act, Around, ConversationStore, MessageLog, SqliteStore, Write},
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

const HISTORY: usize = 10_000;

/// A file with one group of two in it, and something said.
struct Fixture {
    runtime: Runtime,
    store: SqliteStore,
    conversation: ConversationId,
    ana: UserId,
    ben: UserId,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (conversation, ana, ben) = (ConversationId::new(), UserId::new(), UserId::new());
        let store = runtime.block_on(async {
            let store = SqliteStore::open(&directory.path().join("chat.db"))
                .await
                .unwrap();
            let title = Title::try_from("bench".to_owned()).unwrap();
            let act = Act::CreateGroup {
                title,
                members: vec![ben],
            };
            let create = Write {
                conversation_id: conversation,
                author: ana,
                at: Timestamp::now(),
                act,
            };
            store.commit(&[create]).await.unwrap();
            store
        });
        let fixture = Self {
            runtime,
            store,
            conversation,
            ana,
            ben,
            _directory: directory,
        };
        for _ in 0..HISTORY / 200 {
            fixture.commit(200);
        }
        fixture
    }

    fn commit(&self, messages: usize) {
        let write = |_| Write {
            conversation_id: self.conversation,
            author: self.ana,
            at: Timestamp::now(),
            act: Act::Send {
                id: MessageId::new(),
                draft: Draft {
                    client_id: ClientId::new(),
                    body: "x".repeat(128),
                    reply_to: None,
                },
            },
        };
        let writes: Vec<_> = (0..messages).map(write).collect();
        let results = self.runtime.block_on(self.store.commit(&writes)).unwrap();
        assert!(results.iter().all(Result::is_ok));
    }
}

fn store(criterion: &mut Criterion) {
    let fixture = Fixture::new();
    let Fixture {
        runtime,
        store,
        conversation,
        ana,
        ben,
        ..
    } = &fixture;
    let mut group = criterion.benchmark_group("sqlite");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(4))
        .warm_up_time(Duration::from_secs(1));
    for batch in [1, 16, 64, 256] {
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::new("commit", batch), |bencher| {
            bencher.iter(|| fixture.commit(batch));
        });
    }
    group.throughput(Throughput::Elements(1));
    let ids = [*conversation];
    for (who, name) in [(ana, "row, nothing unread"), (ben, "row, 1,000 unread")] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(store.rows_of(*who, &ids)).unwrap());
        });
    }
    group.bench_function("history, 50 newest", |bencher| {
        bencher.iter(|| {
            runtime
                .block_on(store.messages(*conversation, Around::Newest, 50))
                .unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
