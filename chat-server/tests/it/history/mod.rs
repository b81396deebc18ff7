//! The history checker: people chat through the real client library with three server processes, a PostgreSQL and three NATS
//! servers while all of that breaks; what they saw is recorded, and judged against what is promised.

mod bare;
mod check;
mod cluster;
mod device;
mod ending;
mod figures;
mod nemesis;
mod people;
mod proxy;
mod record;
mod sight;
mod stays;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chat_core::model::UserId;
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use check::{End, Promise, Verdict, check};
use cluster::{Cluster, NODES};
use figures::Figures;
use nemesis::Fault;
use people::{Size, Town};
use record::Record;

/// They are heavy, and would disturb each other.
static ALONE: Mutex<()> = Mutex::const_new(());

const SMALL: Size = Size {
    users: 8,
    second_devices: 2,
    bare_devices: 3,
    groups: 4,
    pace: 300,
};
const LARGE: Size = Size {
    users: 14,
    second_devices: 4,
    bare_devices: 4,
    groups: 5,
    pace: 600,
};

/// Whoever acts is through with it by then.
const LAST_ACTS: Duration = Duration::from_secs(70);
/// All that was promised to come true within seconds has, or will not.
const QUIET: Duration = Duration::from_secs(15);
/// When a node dies, its users are offline everywhere within this time.
const DEATH: Duration = Duration::from_secs(30);

/// Not for secrets.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn number(&mut self) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap()
    }

    pub fn up_to(&mut self, bound: usize) -> usize {
        self.number() % bound.max(1)
    }

    pub fn up_to_ms(&mut self, bound: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.up_to(bound)).unwrap())
    }

    /// Other dice, which fall as these say.
    pub fn fork(&mut self) -> Self {
        Self(self.number() as u64)
    }
}

fn variable(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap())
}

/// A run, from the founding to the verdict.
struct Run {
    name: &'static str,
    seed: u64,
    dice: Dice,
    town: Arc<Town>,
    stop: CancellationToken,
    lives: tokio::task::JoinSet<()>,
    /// Resident KiB and descriptors of each node when all was set up.
    baseline: Vec<(u64, usize)>,
}

impl Run {
    async fn begin(name: &'static str, size: Size, bugs: [Option<&'static str>; NODES]) -> Self {
        let seed = variable("CHAT_HISTORY_SEED");
        let seed = seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().1 >> 32);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("history");
        let directory: PathBuf = directory.join(format!("{name}-{seed}"));
        let _of_an_earlier_run = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        eprintln!(
            "{name}: CHAT_HISTORY_SEED={seed}, told in {}",
            directory.display()
        );
        let cluster = Cluster::start(directory.clone(), bugs).await;
        let record = Arc::new(Record::begin(&directory.join("history.jsonl")));
        let mut dice = Dice(seed);
        let town = Arc::new(Town::found(&cluster, &record, size).await);
        let everybody = town.users.iter().map(|user| user.id).collect();
        ending::rest(&town, &everybody, false, QUIET).await;
        let baseline = cluster.nodes.iter().filter_map(|it| it.usage()).collect();
        record.phase("load");
        let stop = CancellationToken::new();
        let lives = town.live(&mut dice, &stop);
        Self {
            name,
            seed,
            dice,
            town,
            stop,
            lives,
            baseline,
        }
    }

    /// Nobody begins anything more; what was begun is seen through.
    async fn rest(&mut self, most: Duration) -> (End, BTreeSet<UserId>) {
        self.town.record.phase("quiet");
        self.stop.cancel();
        for device in self.town.devices() {
            device.live.retry_now();
        }
        let ended = async { while self.lives.join_next().await.is_some() {} };
        timeout(LAST_ACTS, ended)
            .await
            .expect("an act without an end");
        let everybody = self.town.users.iter().map(|user| user.id).collect();
        let (end, took) = ending::rest(&self.town, &everybody, false, most).await;
        eprintln!("{}: at rest after {took:?}", self.name);
        (end, everybody)
    }

    /// One says goodbye, one breaks off, and a node dies with whoever is on it. Returns what is there when that is known
    /// everywhere, or cannot be any more.
    async fn departures(
        &self,
        mut there: BTreeSet<UserId>,
        most: Duration,
    ) -> (End, BTreeSet<UserId>) {
        let town = &self.town;
        town.record.phase("departures");
        let users = town.users.len();
        for device in &town.users[users - 1].devices {
            device.close().await;
        }
        for device in &town.users[users - 2].devices {
            device.proxy.sever();
        }
        town.cluster.nodes[NODES - 1].kill();
        there.remove(&town.users[users - 1].id);
        there.remove(&town.users[users - 2].id);
        let (end, took) = ending::rest(town, &there, true, most).await;
        eprintln!(
            "{}: who is gone is seen to be gone after {took:?}",
            self.name
        );
        town.cluster.start_node(NODES - 1).await;
        (end, there)
    }

    /// Lets newcomers see, asks over REST, and judges.
    async fn judge(&self, mut end: End, there: &BTreeSet<UserId>) -> (Verdict, Figures) {
        let town = &self.town;
        town.record.phase("newcomers");
        let newcomers = ending::newcomers(town, there, &mut end).await;
        for device in ending::devices_of(town, there) {
            let name = format!("user of device {} over REST", device.who.device);
            end.views
                .push(ending::rest_view(name, &device.client).await);
        }
        // Whatever came last is in it.
        end.logs = ending::logs(town).await;
        let lines = town.record.lines();
        for device in &newcomers {
            end.views.push(ending::told_to(device, &lines));
        }
        let verdict = check(&lines, &end);
        let figures = Figures::of(&lines);
        eprintln!("{}: {figures}", self.name);
        let without_end = figures::without_end(&lines);
        if !without_end.is_empty() {
            eprintln!("{}: sends without an end: {without_end:?}", self.name);
        }
        (verdict, figures)
    }

    /// What the servers hold is about what they held before.
    fn check_usage(&self, verdict: &mut Verdict) {
        for (nth, node) in self.town.cluster.nodes.iter().enumerate() {
            let (Some((memory, descriptors)), Some(before)) =
                (node.usage(), self.baseline.get(nth))
            else {
                continue;
            };
            eprintln!(
                "{}: node {nth} holds {memory} KiB and {descriptors} descriptors; in the beginning it was {before:?}",
                self.name
            );
            // All may have come to this node, each with a socket and with idle connections besides.
            let connections = 4 * (self.town.devices().count() + self.town.bare.len() + 20);
            if descriptors > before.1 + connections || memory > before.0 + 128 * 1_024 {
                let what = format_args!(
                    "node {nth} holds {memory} KiB, {descriptors} descriptors; it was {before:?}"
                );
                verdict.broken(Promise::Budget, what);
            }
        }
    }

    fn expect_nothing(&self, verdict: &Verdict) {
        if verdict.0.is_empty() {
            return;
        }
        let mut told = String::new();
        let mut counts: BTreeMap<Promise, usize> = BTreeMap::new();
        for violation in &verdict.0 {
            let count = counts.entry(violation.promise).or_default();
            *count += 1;
            if *count <= 5 {
                told += &format!("\n{:?}: {}", violation.promise, violation.what);
            }
        }
        panic!(
            "{} is violated, with CHAT_HISTORY_SEED={}: {counts:?}{told}\nwhat happened is in {}",
            self.name,
            self.seed,
            self.town.record.path.display()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_violated_whatever_fails() {
    let _alone = ALONE.lock().await;
    let mut run = Run::begin("whatever_fails", LARGE, [None; NODES]).await;
    let seconds = variable("CHAT_HISTORY_SECONDS").unwrap_or(60);
    let (cluster, record) = (&run.town.cluster, &run.town.record);
    let dice = run.dice.fork();
    let lasts = Duration::from_secs(seconds);
    let faults = nemesis::rage(cluster, record, dice, lasts).await;
    let (_, everybody) = run.rest(QUIET).await;
    let (end, there) = run.departures(everybody, DEATH).await;
    let (mut verdict, figures) = run.judge(end, &there).await;
    run.check_usage(&mut verdict);
    run.expect_nothing(&verdict);
    // A run in which nothing happens would prove nothing.
    assert!(
        faults > 0 && figures.deliveries > figures.acknowledged,
        "{figures}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_nothing_and_is_hardly_noticed() {
    let _alone = ALONE.lock().await;
    let mut run = Run::begin("rolling_restart", SMALL, [None; NODES]).await;
    let cycles = variable("CHAT_HISTORY_CYCLES").unwrap_or(1);
    sleep(Duration::from_secs(2)).await;
    let (cluster, record) = (&run.town.cluster, &run.town.record);
    for nth in 0..cycles * NODES as u64 {
        let fault = Fault::NodeDrained(usize::try_from(nth).unwrap() % NODES);
        nemesis::strike(cluster, record, nth, fault, Duration::ZERO).await;
        sleep(Duration::from_secs(1)).await;
    }
    let (end, everybody) = run.rest(QUIET).await;
    let (mut verdict, figures) = run.judge(end, &everybody).await;
    for (who, gap) in &figures.gaps {
        // The devices without the library are not what is promised.
        let is_bare = run.town.bare.iter().any(|it| it.who == *who);
        if !is_bare && *gap > Duration::from_secs(3) {
            let what = format_args!("{who:?} was not connected for {gap:?}");
            verdict.broken(Promise::Budget, what);
        }
    }
    run.check_usage(&mut verdict);
    run.expect_nothing(&verdict);
}
