//! Whether the small feel the giant, and the others feel one stuck reader: delivery latencies side by side.
//!
//! Two conditions take turns in one process, so that what else the machine does falls on both: `A B A B …`. A message
//! carries the time at which it was handed to the engine, by a thread of its own that keeps its beat whatever the
//! engine does; each receiver notes how old it is when it has it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has failed, and prints its table"
)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use chat_core::{
    Chat, Limits, NewGroup, Session,
    model::{ClientId, ConversationId, Draft, Title, UserId},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
};

const WORKERS: usize = 2;
const PAIRS: usize = 12;
const SEGMENT: Duration = Duration::from_millis(1_500);
/// Between two segments everything that is under way arrives: no more than a tenth of a processor is at work.
const SETTLE: Duration = Duration::from_millis(200);

const GIANT_RECEIVERS: usize = 20_000;
/// A lively room, and one that takes most of what two cores can do.
const GIANT_BEATS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(10)];
const SMALL_ROOMS: usize = 200;
const SMALL_MEMBERS: usize = 3;
/// One small room after the other says something.
const SMALL_BEAT: Duration = Duration::from_micros(500);

const CROWD: usize = 1_000;
const CROWD_BEAT: Duration = Duration::from_millis(5);

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    println!("{}", Comparison::HEADER);
    if wants("stuck") {
        stuck_among_many();
    }
    // Once as it is, and once without the list rows, to tell what the log costs from what the rows cost.
    let rows_held_back = Limits {
        row_interval: Duration::from_hours(1),
        ..Limits::default()
    };
    for (name, limits) in [
        ("giant-log", rows_held_back),
        ("giant-rows", Limits::default()),
    ] {
        if wants(name) {
            small_beside_giant(name, limits);
        }
    }
}

/// 1,000 in one room; in every second segment one of them does not read.
fn stuck_among_many() {
    let runtime = runtime();
    let (stuck, gate) = watch::channel(false);
    let crowd = runtime.block_on(async {
        let chat = Chat::builder().start().await.unwrap();
        let mut crowd = Crowd::new(chat, CROWD).await;
        for reader in 0..CROWD {
            let gate = (reader == 0).then(|| gate.clone());
            crowd.follow(reader, gate).await;
        }
        crowd
    });
    let mut comparison = Comparison::default();
    for segment in 0..=2 * PAIRS {
        let one_is_stuck = segment % 2 == 1;
        stuck.send(one_is_stuck).unwrap();
        let mut beat = Beat::new(CROWD_BEAT, || crowd.say(&runtime));
        drive(&mut [&mut beat]);
        settle();
        // The one that is stuck is not one of the others, whatever it does.
        let ages = crowd.readers[1..].iter().flat_map(|reader| reader.take());
        comparison.add(segment, one_is_stuck, ages);
        stuck.send(false).unwrap();
        settle();
        crowd.readers[0].take();
    }
    assert!(crowd.everyone_has_everything(), "somebody lacks something");
    comparison.print("1 stuck among 1,000");
}

/// Many small rooms; in every second segment a giant one speaks beside them.
fn small_beside_giant(name: &str, limits: Limits) {
    let runtime = runtime();
    let (small, giant) = runtime.block_on(async {
        let chat = Chat::builder().limits(limits).start().await.unwrap();
        let mut small = Vec::new();
        for _ in 0..SMALL_ROOMS {
            let mut room = Crowd::new(chat.clone(), SMALL_MEMBERS).await;
            for reader in 0..SMALL_MEMBERS {
                room.follow(reader, None).await;
            }
            small.push(room);
        }
        let mut giant = Crowd::new(chat, GIANT_RECEIVERS).await;
        for reader in 0..GIANT_RECEIVERS {
            giant.follow(reader, None).await;
        }
        (small, giant)
    });
    for every in GIANT_BEATS {
        settle();
        let (mut comparison, mut giant_ages) = (Comparison::default(), Vec::new());
        for segment in 0..=2 * PAIRS {
            let beside = segment % 2 == 1;
            let mut turn = 0;
            let mut small_beat = Beat::new(SMALL_BEAT, || {
                turn = (turn + 1) % SMALL_ROOMS;
                small[turn].say(&runtime);
            });
            let mut giant_beat = Beat::new(every, || giant.say(&runtime));
            if beside {
                drive(&mut [&mut small_beat, &mut giant_beat]);
            } else {
                drive(&mut [&mut small_beat]);
            }
            settle();
            let readers = small.iter().flat_map(|room| &room.readers);
            comparison.add(segment, beside, readers.flat_map(|reader| reader.take()));
            giant_ages.extend(giant.readers.iter().flat_map(|reader| reader.take()));
        }
        assert!(
            small
                .iter()
                .chain([&giant])
                .all(Crowd::everyone_has_everything),
            "somebody lacks something"
        );
        comparison.print(&format!(
            "{name}: small rooms, a giant one speaks each {every:?}"
        ));
        let deliveries = giant_ages.len();
        let giant_ages = Percentiles::of(giant_ages);
        println!(
            "  its {GIANT_RECEIVERS} receivers, each in order: {deliveries} deliveries, {giant_ages} µs"
        );
    }
}

/// Waits until nothing is left to do.
fn settle() {
    loop {
        let before = benches::cpu_time();
        thread::sleep(SETTLE);
        if benches::cpu_time().saturating_sub(before) < SETTLE / 10 {
            return;
        }
    }
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .unwrap()
}

/// A conversation and those who follow it.
struct Crowd {
    chat: Chat,
    conversation: ConversationId,
    members: Vec<UserId>,
    readers: Vec<Arc<Reader>>,
    said: AtomicU64,
}

/// What one receiver has had.
#[derive(Default)]
struct Reader {
    /// How old each message was, in nanoseconds.
    ages: Mutex<Vec<u64>>,
    messages: AtomicU64,
    out_of_order: AtomicBool,
}

impl Crowd {
    async fn new(chat: Chat, members: usize) -> Self {
        let members: Vec<_> = (0..members).map(|_| UserId::new()).collect();
        let title = Title::try_from("isolation".to_owned()).unwrap();
        let row = chat
            .create_group(members[0], NewGroup::new(title, members.clone()))
            .await
            .unwrap();
        Self {
            chat,
            conversation: row.conversation.id,
            members,
            readers: Vec::new(),
            said: AtomicU64::new(0),
        }
    }

    /// Lets a member read, in a task of its own, except while the gate says that it is stuck.
    async fn follow(&mut self, member: usize, stuck: Option<watch::Receiver<bool>>) {
        let mut session = self.chat.connect(self.members[member]).await.unwrap();
        let joined = session.join(self.conversation, None).await.unwrap();
        let reader = Arc::<Reader>::default();
        self.readers.push(Arc::clone(&reader));
        tokio::spawn(reader.read(session, joined.head_seq, stuck));
    }

    /// Hands a message to the engine and does not wait for it.
    fn say(&self, runtime: &Runtime) {
        self.said.fetch_add(1, Ordering::Relaxed);
        let (chat, sender, conversation) = (self.chat.clone(), self.members[0], self.conversation);
        let body = format!("{:020}{}", now(), "x".repeat(108));
        runtime.spawn(async move {
            let draft = Draft {
                client_id: ClientId::new(),
                body,
                reply_to: None,
            };
            chat.send(sender, conversation, draft).await.unwrap();
        });
    }

    fn everyone_has_everything(&self) -> bool {
        let said = self.said.load(Ordering::Relaxed);
        self.readers.iter().all(|reader| {
            assert!(
                !reader.out_of_order.load(Ordering::Relaxed),
                "a receiver's order was broken"
            );
            reader.messages.load(Ordering::Relaxed) == said
        })
    }
}

impl Reader {
    async fn read(
        self: Arc<Self>,
        mut session: Session,
        mut last: u64,
        mut stuck: Option<watch::Receiver<bool>>,
    ) {
        loop {
            if let Some(stuck) = &mut stuck
                && stuck.wait_for(|stuck| !stuck).await.is_err()
            {
                return;
            }
            let Ok(frames) = session.next().await else {
                return;
            };
            let now = now();
            let mut ages = self.ages.lock().unwrap();
            for json in frames.iter().map(chat_core::Frame::json) {
                let is_message = json.starts_with(br#"{"type":"new_message""#);
                // Those who read early also hear of the members who were added with the conversation.
                if is_message || json.starts_with(br#"{"type":"member_joined""#) {
                    let seq = number_after(json, b"\"seq\":", 100);
                    if seq != last + 1 {
                        self.out_of_order.store(true, Ordering::Relaxed);
                    }
                    last = seq;
                }
                if is_message {
                    ages.push(now - number_after(json, b"\"body\":\"", 230));
                    self.messages.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn take(&self) -> Vec<u64> {
        std::mem::take(&mut *self.ages.lock().unwrap())
    }
}

/// The number that stands behind this mark, which is not before `from`.
fn number_after(json: &[u8], mark: &[u8], from: usize) -> u64 {
    let at = json[from..].windows(mark.len()).position(|w| w == mark);
    let digits = &json[from + at.unwrap() + mark.len()..];
    digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |number, byte| number * 10 + u64::from(byte - b'0'))
}

/// Nanoseconds since the first call.
fn now() -> u64 {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap()
}

/// Something that is done at regular times.
struct Beat<'a> {
    every: Duration,
    act: Box<dyn FnMut() + 'a>,
}

impl<'a> Beat<'a> {
    fn new(every: Duration, act: impl FnMut() + 'a) -> Self {
        Self {
            every,
            act: Box::new(act),
        }
    }
}

/// Keeps the beats for one segment. A beat that was missed is left out, so that none comes upon another.
fn drive(beats: &mut [&mut Beat<'_>]) {
    let start = Instant::now();
    let mut due: Vec<Instant> = beats.iter().map(|beat| start + beat.every).collect();
    loop {
        let next = (0..beats.len()).min_by_key(|beat| due[*beat]).unwrap();
        if due[next] > start + SEGMENT {
            return;
        }
        thread::sleep(due[next].saturating_duration_since(Instant::now()));
        (beats[next].act)();
        due[next] = (due[next] + beats[next].every).max(Instant::now());
    }
}

/// What was measured without and with the disturbance.
#[derive(Default)]
struct Comparison {
    ages: [Vec<u64>; 2],
    /// The p99 of each segment.
    p99s: [Vec<f64>; 2],
}

impl Comparison {
    const HEADER: &str = "| what | alone p50 / p99 / max µs | beside p50 / p99 / max µs | p99 ratio | median of the pairs' ratios |\n\
                          | --- | --- | --- | --- | --- |";

    /// The very first segment warms up.
    fn add(&mut self, segment: usize, disturbed: bool, ages: impl Iterator<Item = u64>) {
        let ages: Vec<_> = ages.collect();
        if segment > 0 {
            self.p99s[usize::from(disturbed)].push(Percentiles::of(ages.clone()).p99);
            self.ages[usize::from(disturbed)].extend(ages);
        }
    }

    fn print(self, name: &str) {
        let [alone, beside] = self.ages.map(Percentiles::of);
        let pairs = self.p99s[0].iter().zip(&self.p99s[1]);
        let mut ratios: Vec<f64> = pairs.map(|(alone, beside)| beside / alone).collect();
        ratios.sort_by(f64::total_cmp);
        let (ratio, median) = (beside.p99 / alone.p99, ratios[ratios.len() / 2]);
        println!("| {name} | {alone} | {beside} | {ratio:.2} | {median:.2} |");
    }
}

/// Of latencies, in microseconds.
struct Percentiles {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Percentiles {
    #[expect(
        clippy::cast_precision_loss,
        reason = "nanoseconds of a few seconds are exact"
    )]
    fn of(mut ages: Vec<u64>) -> Self {
        ages.sort_unstable();
        let at = |percent: usize| {
            let index = (ages.len() * percent / 100).min(ages.len() - 1);
            ages[index] as f64 / 1_000.0
        };
        Self {
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

impl std::fmt::Display for Percentiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} / {:.0} / {:.0}", self.p50, self.p99, self.max)
    }
}
