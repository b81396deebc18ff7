//! The history checker: people chat through the real client library with three server processes, a PostgreSQL and three NATS
//! servers while all of that breaks; what they saw is recorded, and judged against what is promised.

mod bare;
#[cfg(feature = "bugs")]
mod bugs;
mod calm;
mod check;
mod check_tests;
mod cluster;
mod device;
mod ending;
mod failover;
mod figures;
mod namespace;
mod nemesis;
mod people;
mod presence;
pub mod proxy;
mod record;
mod sight;
mod stays;
mod visitor;

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chat_core::model::{ConversationId, UserId};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use check::{End, Promise, Verdict, check};
use cluster::{Cluster, NODES};
use device::Device;
use figures::Figures;
use nemesis::Fault;
use people::{Size, Town};
use record::{Record, What};

use crate::support::PATIENCE;

/// They are heavy, and would disturb each other.
static ALONE: Mutex<()> = Mutex::const_new(());

const SMALL: Size = Size {
    users: 8,
    second_devices: 2,
    bare_devices: 3,
    groups: 4,
    visitors: 1,
    pace: 300,
};
const LARGE: Size = Size {
    users: 14,
    second_devices: 4,
    bare_devices: 4,
    groups: 5,
    visitors: 2,
    pace: 600,
};

impl Size {
    /// With so many devices, who together do no more than the others.
    fn of(devices: usize) -> Self {
        let bare_devices = devices / 6;
        let second_devices = devices / 6;
        let users = devices - bare_devices - second_devices;
        Self {
            users,
            second_devices,
            bare_devices,
            groups: 5 + devices / 25,
            visitors: 2,
            pace: LARGE.pace * users / LARGE.users,
        }
    }
}

/// Whoever acts is through with it by then.
const LAST_ACTS: Duration = Duration::from_secs(70);
/// All that was promised to come true within seconds has, or will not.
const QUIET: Duration = Duration::from_secs(15);
/// All that is so, everybody sees by then when nothing was broken; it is measured from when the last one is answered.
const CONVERGED: Duration = Duration::from_secs(2);
/// Whoever restarts one node after the other waits until the last one's clients are back: they come over two seconds and a
/// half, and who then meets the next drain waits twice.
const BETWEEN_RESTARTS: Duration = Duration::from_secs(3);
/// The same after all was broken, of which two seconds are promised; a machine that is busy needs some more.
const HEALED: Duration = Duration::from_secs(5);
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
    lives: JoinSet<()>,
    /// Resident KiB and descriptors of each node when all was set up.
    baseline: Vec<(u64, usize)>,
    verdict: Verdict,
}

impl Run {
    /// Everybody is there, and does what they do.
    async fn begin(name: &'static str, size: Size, bugs: &'static [&'static str]) -> Self {
        let mut run = Self::found(name, size, bugs).await;
        run.town.record.phase("load");
        run.lives = run.town.live(&mut run.dice, &run.stop);
        run
    }

    /// Everybody is there.
    async fn found(name: &'static str, size: Size, bugs: &'static [&'static str]) -> Self {
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
        let town = Arc::new(Town::found(&cluster, &record, size).await);
        let everybody = town.users.iter().map(|user| user.id).collect();
        ending::rest(&town, &everybody, false, QUIET).await;
        let baseline = cluster
            .nodes
            .iter()
            .filter_map(cluster::Node::usage)
            .collect();
        Self {
            name,
            seed,
            dice: Dice(seed),
            town,
            stop: CancellationToken::new(),
            lives: JoinSet::new(),
            baseline,
            verdict: Verdict::default(),
        }
    }

    /// Nobody begins anything more; what was begun is seen through.
    /// What has not come true after this time is a violation.
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
        let rest = ending::rest(&self.town, &everybody, false, most).await;
        eprintln!("{}: at rest after {:?}", self.name, rest.took);
        self.verdict.0.extend(rest.verdict.0);
        (rest.end, everybody)
    }

    /// One says goodbye, one breaks off, and a node dies with whoever is on it. Returns what is there when that is known
    /// everywhere, or cannot be any more.
    async fn departures(
        &mut self,
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
        let death = |begins| What::Fault {
            number: u64::MAX,
            what: "a node dies".to_owned(),
            begins,
        };
        town.record.note(None, death(true));
        town.cluster.nodes[NODES - 1].kill();
        there.remove(&town.users[users - 1].id);
        there.remove(&town.users[users - 2].id);
        let rest = ending::rest(town, &there, true, most).await;
        eprintln!(
            "{}: who is gone is seen to be gone after {:?}",
            self.name, rest.took
        );
        self.verdict.0.extend(rest.verdict.0);
        town.cluster.start_node(NODES - 1).await;
        town.record.note(None, death(false));
        (rest.end, there)
    }

    /// Lets newcomers see, asks over REST, and judges.
    async fn judge(&mut self, mut end: End, there: &BTreeSet<UserId>) -> Figures {
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
        self.verdict.0.extend(check(&lines, &end).0);
        let figures = Figures::of(&lines);
        eprintln!("{}: {figures}", self.name);
        let without_end = figures::without_end(&lines);
        if !without_end.is_empty() {
            eprintln!("{}: sends without an end: {without_end:?}", self.name);
        }
        figures
    }

    /// What the servers hold is about what they held before.
    fn check_usage(&mut self) {
        let town = Arc::clone(&self.town);
        for (nth, node) in town.cluster.nodes.iter().enumerate() {
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
                self.verdict.broken(Promise::Budget, what);
            }
        }
    }

    /// Without this, the database would refuse what a server without memory does.
    #[cfg(feature = "bugs")]
    async fn forget_that_sends_are_unique(&self) {
        use sqlx::Connection;

        let database = self.town.cluster.database();
        let mut connection = sqlx::PgConnection::connect(&database).await.unwrap();
        for statement in [
            "DROP INDEX chat_entries_by_client_id",
            "CREATE INDEX ON chat_entries (conversation_id, author_id, client_id)",
        ] {
            sqlx::query(statement)
                .execute(&mut connection)
                .await
                .unwrap();
        }
    }

    fn expect_nothing(&self) {
        let verdict = &self.verdict;
        if verdict.0.is_empty() {
            return;
        }
        let mut told = String::new();
        let mut counts: BTreeMap<Promise, usize> = BTreeMap::new();
        for violation in &verdict.0 {
            let count = counts.entry(violation.promise).or_default();
            *count += 1;
            if *count <= 5 {
                let _ = write!(told, "\n{:?}: {}", violation.promise, violation.what);
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
    let devices = variable("CHAT_HISTORY_DEVICES");
    let size = devices.map_or(LARGE, |it| Size::of(usize::try_from(it).unwrap()));
    let mut run = Run::begin("whatever_fails", size, &[]).await;
    let seconds = variable("CHAT_HISTORY_SECONDS").unwrap_or(60);
    let (cluster, record) = (&run.town.cluster, &run.town.record);
    let dice = run.dice.fork();
    let lasts = Duration::from_secs(seconds);
    let faults = nemesis::rage(cluster, record, dice, lasts).await;
    let (_, everybody) = run.rest(HEALED).await;
    let (end, there) = run.departures(everybody, DEATH).await;
    let figures = run.judge(end, &there).await;
    run.check_usage();
    run.expect_nothing();
    // A run in which nothing happens would prove nothing.
    assert!(
        faults > 0 && figures.deliveries > figures.acknowledged,
        "{figures}"
    );
}

/// How long until the other hears of something that is said now.
async fn heard_after(
    run: &Run,
    place: ConversationId,
    speaker: &Device,
    listener: &Device,
    text: &str,
) -> Duration {
    let before = listener
        .app
        .lock()
        .cursors
        .get(&place)
        .copied()
        .unwrap_or(0);
    let said = Instant::now();
    speaker.say(place, text.to_owned());
    let heard = async {
        while listener
            .app
            .lock()
            .cursors
            .get(&place)
            .copied()
            .unwrap_or(0)
            <= before
        {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let path = run.town.record.path.display();
    timeout(PATIENCE, heard)
        .await
        .unwrap_or_else(|_| panic!("nobody hears anything: {path}"));
    said.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_nats_nodes_hear_of_each_other_through_the_database() {
    /// Of which a second is promised.
    const WITHOUT: Duration = Duration::from_secs(3);
    /// Of which two seconds are promised.
    const AGAIN: Duration = Duration::from_secs(6);
    /// Nobody has looked into the database by then.
    const AT_ONCE: Duration = Duration::from_millis(120);

    let _alone = ALONE.lock().await;
    let size = Size {
        users: 3,
        second_devices: 0,
        bare_devices: 0,
        groups: 1,
        visitors: 0,
        pace: 1,
    };
    let mut run = Run::found("without_nats", size, &[]).await;
    let town = Arc::clone(&run.town);
    let place = town.groups[0].id;
    let (one, other) = (&town.users[0].devices[0], &town.users[1].devices[0]);
    let with = heard_after(&run, place, one, other, "with NATS").await;
    let cluster = Arc::clone(&town.cluster);
    let killed = tokio::task::spawn_blocking(move || {
        cluster.nats.iter().for_each(|it| it.kill().unwrap());
    });
    killed.await.unwrap();
    let mut without = Vec::new();
    for nth in 0..12 {
        let heard = heard_after(&run, place, one, other, &format!("without NATS {nth}")).await;
        without.push(heard);
        sleep(Duration::from_millis(100)).await;
    }
    let cluster = Arc::clone(&town.cluster);
    tokio::task::spawn_blocking(move || {
        cluster.nats.iter().for_each(|it| it.start_again().unwrap());
    })
    .await
    .unwrap();
    let back = Instant::now();
    // Once may be chance.
    let mut in_a_row = 0;
    while in_a_row < 3 {
        let heard = heard_after(&run, place, one, other, "with NATS again").await;
        in_a_row = if heard < AT_ONCE { in_a_row + 1 } else { 0 };
        assert!(
            back.elapsed() < PATIENCE,
            "NATS is back, and nobody notices"
        );
    }
    let again = back.elapsed();
    eprintln!(
        "without_nats: heard after {with:?}, without NATS after {without:?}; as before {again:?} after its return"
    );
    let (end, there) = run.rest(QUIET).await;
    run.judge(end, &there).await;
    let longest = without.iter().copied().max().unwrap_or_default();
    if longest > WITHOUT || again > AGAIN {
        run.verdict.broken(
            Promise::Budget,
            format_args!("heard after {without:?}, as before after {again:?}"),
        );
    }
    run.expect_nothing();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_nothing_and_is_hardly_noticed() {
    let _alone = ALONE.lock().await;
    let mut run = Run::begin("rolling_restart", SMALL, &[]).await;
    let cycles = variable("CHAT_HISTORY_CYCLES").unwrap_or(1);
    sleep(Duration::from_secs(2)).await;
    let (cluster, record) = (&run.town.cluster, &run.town.record);
    for nth in 0..cycles * NODES as u64 {
        let fault = Fault::NodeDrained(usize::try_from(nth).unwrap() % NODES);
        nemesis::strike(cluster, record, nth, fault, Duration::ZERO).await;
        sleep(BETWEEN_RESTARTS).await;
    }
    let (end, everybody) = run.rest(QUIET).await;
    let figures = run.judge(end, &everybody).await;
    for (who, gap) in &figures.gaps {
        // The devices without the library are not what is promised.
        let is_bare = run.town.bare.iter().any(|it| it.who == *who);
        if !is_bare && *gap > Duration::from_secs(3) {
            let what = format_args!("{who:?} was not connected for {gap:?}");
            run.verdict.broken(Promise::Budget, what);
        }
    }
    run.check_usage();
    run.expect_nothing();
}
