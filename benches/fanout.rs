//! One publisher, many receivers in one process: the engine, `tokio::sync::broadcast` and a bare loop.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark that cannot go on has failed, prints what it measured beside the time, and criterion's macros \
              document nothing"
)]

use std::{
    collections::VecDeque,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use chat_core::{
    Chat, Limits, NewGroup,
    model::{ClientId, ConversationId, Draft, Title, UserId},
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use tokio::{
    runtime::{Builder, Runtime},
    sync::{Notify, broadcast},
    task::JoinHandle,
};

/// How many messages are under way at once: many, as in a lively room, or each on its own, which is a wake a delivery.
const BURSTS: [usize; 2] = [32, 1];
const BODY_BYTES: usize = 128;
const RECEIVERS: [usize; 3] = [10, 1_000, 10_000];
const WORKERS: usize = 2;

/// Tells when every receiver has had the whole burst.
struct Finish {
    burst: usize,
    receivers: usize,
    arrived: AtomicUsize,
    all: Notify,
}

impl Finish {
    fn new(burst: usize, receivers: usize) -> Arc<Self> {
        Arc::new(Self {
            burst,
            receivers,
            arrived: AtomicUsize::new(0),
            all: Notify::new(),
        })
    }

    /// One receiver has had `received` messages in all, of which this is `more`.
    fn count(&self, received: &mut usize, more: usize) {
        *received += more;
        if (*received).is_multiple_of(self.burst)
            && self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.receivers
        {
            self.arrived.store(0, Ordering::Release);
            self.all.notify_one();
        }
    }
}

/// What the deliveries of one peer cost, all threads together.
#[derive(Default)]
struct Cost {
    elapsed: Duration,
    cpu: Duration,
    deliveries: u64,
}

impl Cost {
    /// Runs something and takes down what its deliveries cost; the time that it took.
    fn of(&mut self, deliveries: usize, run: impl FnOnce()) -> Duration {
        let (start, cpu) = (Instant::now(), benches::cpu_time());
        run();
        let elapsed = start.elapsed();
        self.elapsed += elapsed;
        self.cpu += benches::cpu_time().saturating_sub(cpu);
        self.deliveries += deliveries as u64;
        elapsed
    }

    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    fn print(&self, name: &str) {
        // A filter may have left this one out.
        if self.deliveries == 0 {
            return;
        }
        let each = |time: Duration| time.as_nanos() as f64 / self.deliveries as f64;
        let (cpu, elapsed) = (each(self.cpu), each(self.elapsed));
        println!("{name}: {cpu:.1} ns of processor time a delivery, {elapsed:.1} ns elapsed");
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_time()
        .build()
        .unwrap()
}

/// A room with its receivers, ready to be sent to.
struct Room {
    chat: Chat,
    sender: UserId,
    conversation: ConversationId,
    finish: Arc<Finish>,
    receivers: Vec<JoinHandle<()>>,
}

impl Room {
    async fn open(receivers: usize, burst: usize) -> Self {
        // The list row of each receiver is rendered once, and then held back: it is not what is measured here.
        let limits = Limits {
            row_interval: Duration::from_hours(1),
            ..Limits::default()
        };
        let chat = Chat::builder().limits(limits).start().await.unwrap();
        let sender = UserId::new();
        let members: Vec<_> = (0..receivers).map(|_| UserId::new()).collect();
        let title = Title::try_from("fan-out".to_owned()).unwrap();
        let row = chat
            .create_group(sender, NewGroup::new(title, members.clone()))
            .await
            .unwrap();
        let conversation = row.conversation.id;
        let finish = Finish::new(burst, receivers);
        let mut tasks = Vec::with_capacity(receivers);
        for member in members {
            let mut session = chat.connect(member).await.unwrap();
            session.join(conversation, None).await.unwrap();
            let finish = Arc::clone(&finish);
            tasks.push(tokio::spawn(async move {
                let mut received = 0;
                while let Ok(frames) = session.next().await {
                    let logged = frames
                        .iter()
                        .filter(|frame| frame.json().starts_with(br#"{"type":"new_message""#))
                        .count();
                    if logged > 0 {
                        finish.count(&mut received, logged);
                    }
                }
            }));
        }
        Self {
            chat,
            sender,
            conversation,
            finish,
            receivers: tasks,
        }
    }

    async fn burst(&self) {
        let body = "x".repeat(BODY_BYTES);
        let draft = || Draft {
            client_id: ClientId::new(),
            body: body.clone(),
            reply_to: None,
        };
        let sends =
            (0..self.finish.burst).map(|_| self.chat.send(self.sender, self.conversation, draft()));
        let everyone_has_it = self.finish.all.notified();
        for sent in join_all(sends).await {
            sent.unwrap();
        }
        everyone_has_it.await;
    }

    async fn close(self) {
        self.chat.shutdown().await;
        for receiver in self.receivers {
            receiver.await.unwrap();
        }
    }
}

/// Opens a room and lets it settle: every receiver has had its list row.
fn settled_room(runtime: &Runtime, receivers: usize, burst: usize) -> Room {
    runtime.block_on(async {
        let room = Room::open(receivers, burst).await;
        room.burst().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        room
    })
}

fn engine(runtime: &Runtime, room: &Room, bursts: u64, cost: &mut Cost) -> Duration {
    runtime.block_on(room.burst());
    cost.of(deliveries(bursts, &room.finish), || {
        runtime.block_on(async {
            for _ in 0..bursts {
                room.burst().await;
            }
        });
    })
}

fn tokio_broadcast(
    runtime: &Runtime,
    receivers: usize,
    burst: usize,
    bursts: u64,
    cost: &mut Cost,
) -> Duration {
    let (sender, _) = broadcast::channel::<Arc<[u8]>>(2 * burst);
    let finish = Finish::new(burst, receivers);
    let mut tasks = Vec::with_capacity(receivers);
    for _ in 0..receivers {
        let (mut messages, finish) = (sender.subscribe(), Arc::clone(&finish));
        tasks.push(runtime.spawn(async move {
            let mut received = 0;
            while let Ok(message) = messages.recv().await {
                black_box(message);
                finish.count(&mut received, 1);
            }
        }));
    }
    let one_burst = async || {
        let everyone_has_it = finish.all.notified();
        for _ in 0..burst {
            sender.send(Arc::from([0_u8; BODY_BYTES])).unwrap();
        }
        everyone_has_it.await;
    };
    runtime.block_on(one_burst());
    let took = cost.of(deliveries(bursts, &finish), || {
        runtime.block_on(async {
            for _ in 0..bursts {
                one_burst().await;
            }
        });
    });
    drop(sender);
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    took
}

fn bare_loop(receivers: usize, burst: usize, bursts: u64, cost: &mut Cost) -> Duration {
    let mut queues = vec![VecDeque::<Arc<[u8]>>::with_capacity(burst); receivers];
    let finish = Finish::new(burst, receivers);
    cost.of(deliveries(bursts, &finish), || {
        for _ in 0..bursts {
            for _ in 0..burst {
                let message: Arc<[u8]> = Arc::from([0_u8; BODY_BYTES]);
                for queue in &mut queues {
                    queue.push_back(Arc::clone(&message));
                }
            }
            for queue in &mut queues {
                while let Some(message) = queue.pop_front() {
                    black_box(message);
                }
            }
        }
    })
}

fn deliveries(bursts: u64, finish: &Finish) -> usize {
    usize::try_from(bursts).unwrap() * finish.burst * finish.receivers
}

fn fanout(criterion: &mut Criterion) {
    for burst in BURSTS {
        fanout_of(criterion, burst);
    }
}

fn fanout_of(criterion: &mut Criterion, burst: usize) {
    let name = format!("fanout, {burst} at once");
    let mut group = criterion.benchmark_group(&name);
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_secs(1));
    for receivers in RECEIVERS {
        let runtime = runtime();
        group.throughput(Throughput::Elements((receivers * burst) as u64));
        let room = settled_room(&runtime, receivers, burst);
        let mut cost = Cost::default();
        group.bench_function(BenchmarkId::new("engine", receivers), |bencher| {
            bencher.iter_custom(|bursts| engine(&runtime, &room, bursts, &mut cost));
        });
        cost.print(&format!("{name}/engine/{receivers}"));
        runtime.block_on(room.close());
        let mut cost = Cost::default();
        group.bench_function(BenchmarkId::new("tokio_broadcast", receivers), |bencher| {
            bencher.iter_custom(|bursts| {
                tokio_broadcast(&runtime, receivers, burst, bursts, &mut cost)
            });
        });
        cost.print(&format!("{name}/tokio_broadcast/{receivers}"));
        let mut cost = Cost::default();
        group.bench_function(BenchmarkId::new("bare_loop", receivers), |bencher| {
            bencher.iter_custom(|bursts| bare_loop(receivers, burst, bursts, &mut cost));
        });
        cost.print(&format!("{name}/bare_loop/{receivers}"));
    }
    group.finish();
}

criterion_group!(benches, fanout);
criterion_main!(benches);
