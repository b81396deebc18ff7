//! Whoever breaks things, as the dice fall: one or two at a time, with pauses, and in the end all is whole again.

use std::{sync::Arc, time::Duration};

use chat_core::testing::PrivatePostgres;
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{Instant, sleep},
};

use super::{
    Dice,
    cluster::{Cluster, NODES},
    namespace::Namespace,
    proxy::{Line, Weather},
    record::{Record, What},
};

/// Which of the two ends of a node's lines, or its front.
#[derive(Clone, Copy, Debug)]
pub enum Edge {
    Front,
    Postgres,
    Nats,
}

/// How a server is lost for good.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    Killed,
    /// Connections to it stay open, and nothing comes through.
    Frozen,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    NodeKilled(usize),
    NodeFrozen(usize),
    NodeDrained(usize),
    PostgresStopped,
    PostgresKilled,
    PostgresFrozen,
    /// A standby takes its place.
    PostgresLost(Loss),
    NatsKilled(usize),
    NatsFrozen(usize),
    AllNatsKilled,
    AllNatsFrozen,
    Cut(Edge, usize),
    HalfClosed(Edge, usize),
    Bad(Edge, usize, Weather),
    /// The node's cable is pulled, with all that runs over it; only nodes with a network of their own have one.
    Unplugged(usize),
}

impl Fault {
    pub fn thrown(dice: &mut Dice) -> Self {
        let node = dice.up_to(NODES);
        match dice.up_to(22) {
            0..=2 => Self::NodeKilled(node),
            3..=4 => Self::NodeFrozen(node),
            5..=6 => Self::NodeDrained(node),
            7 => Self::PostgresStopped,
            8 => Self::PostgresKilled,
            9 => Self::PostgresFrozen,
            10 => Self::NatsKilled(node),
            11 => Self::NatsFrozen(node),
            12 => Self::AllNatsKilled,
            13 => Self::AllNatsFrozen,
            14..=15 => Self::Cut(Edge::thrown(dice), node),
            16 => Self::HalfClosed(Edge::thrown(dice), node),
            17 => Self::PostgresLost(Loss::Killed),
            18 => Self::PostgresLost(Loss::Frozen),
            _ => {
                let weather = match dice.up_to(4) {
                    0 => Weather::Slow(dice.up_to_ms(300)),
                    1 => Weather::Refusing,
                    2 => Weather::BlackHole,
                    _ => Weather::ResetAfter(dice.up_to(20_000)),
                };
                Self::Bad(Edge::thrown(dice), node, weather)
            }
        }
    }

    /// The same, and now and then what only some clusters have.
    fn thrown_at(cluster: &Cluster, dice: &mut Dice) -> Self {
        let node = dice.up_to(NODES);
        if cluster.nodes[node].network.is_some() && dice.up_to(3) == 0 {
            return Self::Unplugged(node);
        }
        Self::thrown(dice)
    }

    /// What cannot be broken twice at once is called the same.
    fn concerns(self) -> &'static str {
        match self {
            Self::NodeKilled(_) | Self::NodeFrozen(_) | Self::NodeDrained(_) => "node",
            Self::PostgresStopped
            | Self::PostgresKilled
            | Self::PostgresFrozen
            | Self::PostgresLost(_) => "postgres",
            Self::NatsKilled(_)
            | Self::NatsFrozen(_)
            | Self::AllNatsKilled
            | Self::AllNatsFrozen => "nats",
            Self::Cut(..) | Self::HalfClosed(..) | Self::Bad(..) => "line",
            Self::Unplugged(_) => "cable",
        }
    }

    /// Breaks it, and makes it whole again after this time.
    pub async fn strike(self, cluster: &Arc<Cluster>, lasts: Duration) {
        match self {
            Self::NodeKilled(node) => {
                cluster.nodes[node].kill();
                sleep(lasts / 2).await;
                cluster.start_node(node).await;
            }
            Self::NodeFrozen(node) => {
                cluster.nodes[node].freeze();
                sleep(lasts).await;
                cluster.nodes[node].thaw();
            }
            Self::NodeDrained(node) => {
                cluster.nodes[node].drain().await;
                cluster.start_node(node).await;
            }
            Self::PostgresStopped => {
                on(cluster, |it| it.postgres().stop_immediately().unwrap()).await;
                sleep(lasts / 2).await;
                on(cluster, |it| it.postgres().start_again().unwrap()).await;
            }
            Self::PostgresKilled => {
                on(cluster, |it| it.postgres().kill().unwrap()).await;
                sleep(lasts / 2).await;
                on(cluster, |it| it.postgres().start_again().unwrap()).await;
            }
            Self::PostgresFrozen => {
                on(cluster, |it| it.postgres().freeze().unwrap()).await;
                sleep(lasts).await;
                on(cluster, |it| it.postgres().thaw().unwrap()).await;
            }
            Self::PostgresLost(loss) => {
                let standby = spawn_blocking({
                    let postgres = cluster.postgres();
                    move || postgres.synchronous_standby().unwrap()
                });
                let standby = standby.await.unwrap();
                sleep(lasts / 2).await;
                fail_over(cluster, loss, standby).await;
                sleep(lasts / 2).await;
                on(cluster, Cluster::end_retired).await;
            }
            Self::NatsKilled(_) | Self::AllNatsKilled => {
                let which = self.nats();
                on(cluster, move |it| {
                    it.nats[which.0..which.1]
                        .iter()
                        .for_each(|it| it.kill().unwrap());
                })
                .await;
                sleep(lasts).await;
                on(cluster, move |it| {
                    let gone = it.nats[which.0..which.1].iter();
                    for server in gone {
                        server.start_again().unwrap();
                    }
                })
                .await;
            }
            Self::NatsFrozen(_) | Self::AllNatsFrozen => {
                let which = self.nats();
                on(cluster, move |it| {
                    let still = it.nats[which.0..which.1].iter();
                    for server in still {
                        server.freeze().unwrap();
                    }
                })
                .await;
                sleep(lasts).await;
                on(cluster, move |it| {
                    it.nats[which.0..which.1]
                        .iter()
                        .for_each(|it| it.thaw().unwrap());
                })
                .await;
            }
            Self::Unplugged(node) => {
                let network = move |it: &Cluster, act: fn(&Namespace)| {
                    it.nodes[node].network.as_ref().map(act);
                };
                on(cluster, move |it| network(it, Namespace::pull)).await;
                sleep(2 * lasts).await;
                on(cluster, move |it| network(it, Namespace::plug_in)).await;
            }
            Self::Cut(edge, node) => edge.of(cluster, node).cut(),
            Self::HalfClosed(edge, node) => {
                edge.of(cluster, node).half_close();
                sleep(lasts).await;
                edge.of(cluster, node).cut();
            }
            Self::Bad(edge, node, weather) => {
                edge.of(cluster, node).set(weather);
                sleep(lasts).await;
                edge.of(cluster, node).set(Weather::Fair);
            }
        }
    }

    fn nats(self) -> (usize, usize) {
        match self {
            Self::NatsKilled(nth) | Self::NatsFrozen(nth) => (nth, nth + 1),
            _ => (0, NODES),
        }
    }
}

impl Edge {
    fn thrown(dice: &mut Dice) -> Self {
        [Self::Front, Self::Postgres, Self::Nats][dice.up_to(3)]
    }

    fn of(self, cluster: &Cluster, node: usize) -> &Line {
        let node = &cluster.nodes[node];
        match self {
            Self::Front => &node.front,
            Self::Postgres => &node.to_postgres,
            Self::Nats => &node.to_nats,
        }
    }
}

/// Loses the database server, promotes its standby, and lets the address lead there.
pub async fn fail_over(cluster: &Arc<Cluster>, loss: Loss, standby: PrivatePostgres) {
    on(cluster, move |it| {
        let primary = it.postgres();
        match loss {
            Loss::Killed => primary.kill().unwrap(),
            Loss::Frozen => primary.freeze().unwrap(),
        }
        standby.promote().unwrap();
        it.lead_to(standby);
    })
    .await;
}

async fn on(cluster: &Arc<Cluster>, act: impl FnOnce(&Cluster) + Send + 'static) {
    let cluster = Arc::clone(cluster);
    spawn_blocking(move || act(&cluster)).await.unwrap();
}

/// Strikes and tells the record of it.
pub async fn strike(
    cluster: &Arc<Cluster>,
    record: &Record,
    number: u64,
    fault: Fault,
    lasts: Duration,
) {
    let what = |begins| What::Fault {
        number,
        what: format!("{fault:?}"),
        begins,
    };
    record.note(None, what(true));
    fault.strike(cluster, lasts).await;
    record.note(None, what(false));
}

/// Breaks things for so long, then waits until all is whole. How often it struck.
pub async fn rage(
    cluster: &Arc<Cluster>,
    record: &Arc<Record>,
    mut dice: Dice,
    lasts: Duration,
) -> u64 {
    let until = Instant::now() + lasts;
    let mut number = 0;
    while Instant::now() < until {
        let mut under_way = JoinSet::new();
        let first = Fault::thrown_at(cluster, &mut dice);
        let second = Fault::thrown_at(cluster, &mut dice);
        let both = dice.up_to(3) == 0 && first.concerns() != second.concerns();
        for fault in [Some(first), both.then_some(second)].into_iter().flatten() {
            number += 1;
            let (cluster, record) = (Arc::clone(cluster), Arc::clone(record));
            let lasts = Duration::from_secs(1) + dice.up_to_ms(5_000);
            under_way.spawn(async move {
                strike(&cluster, &record, number, fault, lasts).await;
            });
        }
        under_way.join_all().await;
        sleep(dice.up_to_ms(2_500)).await;
    }
    number
}
