//! The database server is lost for good while people talk, and a standby that has everything takes its place.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use chat_core::client::Client;
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    ALONE, QUIET, Run, SMALL,
    check::Promise,
    cluster::NODES,
    device::Device,
    nemesis::{Loss, fail_over},
    people::Town,
    proxy::Proxy,
    record::What,
};
use crate::support::PASSWORD;

/// Of which five seconds are promised.
const RECOVERY: Duration = Duration::from_secs(15);
/// A database server that can no longer ask its standby acknowledges nothing; that is looked at for so long.
const ALONE_FOR: Duration = Duration::from_secs(4);
/// Devices that know one node only have numbers from here on.
const LOYAL: u32 = 900;

/// Somebody who turns to this node and to no other.
async fn loyal_to(town: &Town, node: usize) -> Arc<Device> {
    let node_of = &town.cluster.nodes[node];
    let proxy = Proxy::start(vec![(node_of.address, Arc::clone(&node_of.front))]).await;
    let client = Client::new(&format!("http://{}", proxy.address)).unwrap();
    let user = &town.users[node];
    client.login(&user.name, PASSWORD).await.unwrap();
    let number = LOYAL + u32::try_from(node).unwrap();
    Device::start(client, proxy, number, &town.record)
}

/// How many messages were acknowledged, some of them more than once.
fn acknowledged(run: &Run) -> usize {
    let lines = run.town.record.lines();
    let sent = lines.iter().filter_map(|line| match &line.what {
        What::Sent { message, .. } => Some(message.client_id),
        _ => None,
    });
    sent.collect::<BTreeSet<_>>().len()
}

async fn lose_the_primary(run: &mut Run, number: u64, loss: Loss, loyal: &[Arc<Device>]) {
    let town = Arc::clone(&run.town);
    let cluster = &town.cluster;
    let postgres = cluster.postgres();
    let standby = spawn_blocking(move || postgres.synchronous_standby().unwrap());
    let standby = standby.await.unwrap();
    sleep(Duration::from_secs(2)).await;

    let what = |begins| What::Fault {
        number,
        what: format!("the database server is lost ({loss:?}), and a standby takes its place"),
        begins,
    };
    town.record.note(None, what(true));
    // Whatever is told to be there is on the standby too: without it, nobody is told.
    standby.freeze().unwrap();
    sleep(Duration::from_millis(500)).await;
    let before = acknowledged(run);
    sleep(ALONE_FOR).await;
    let more = acknowledged(run) - before;
    if more > 0 {
        let what = format_args!("{more} sends were acknowledged while no standby had them");
        run.verdict.broken(Promise::Durable, what);
    }
    standby.thaw().unwrap();
    sleep(Duration::from_secs(1)).await;

    fail_over(cluster, loss, standby).await;
    let led = Instant::now();
    let hall = town.groups[0].id;
    let say = async |device: &Arc<Device>| {
        device
            .say_over_rest(hall, format!("after loss {number}"), 0)
            .await;
        led.elapsed()
    };
    let (one, two, three) = tokio::join!(say(&loyal[0]), say(&loyal[1]), say(&loyal[2]));
    let after = [one, two, three];
    eprintln!("failover: after {loss:?}, each node acknowledges again after {after:?}");
    if after.iter().any(|after| *after > RECOVERY) {
        let what = format_args!("the nodes acknowledged again after {after:?}");
        run.verdict.broken(Promise::Budget, what);
    }
    spawn_blocking(move || town.cluster.end_retired())
        .await
        .unwrap();
    run.town.record.note(None, what(false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_the_place_of_the_database_and_nothing_is_lost_or_doubled() {
    let _alone = ALONE.lock().await;
    let mut run = Run::begin("failover", SMALL, &[]).await;
    let processes = |run: &Run| -> Vec<_> {
        let nodes = run.town.cluster.nodes.iter();
        nodes.map(super::cluster::Node::process).collect()
    };
    let before = processes(&run);
    let mut loyal = Vec::new();
    for node in 0..NODES {
        loyal.push(loyal_to(&run.town, node).await);
    }
    for (number, loss) in (0..).zip([Loss::Killed, Loss::Frozen]) {
        lose_the_primary(&mut run, number, loss, &loyal).await;
    }
    sleep(Duration::from_secs(2)).await;
    let (end, everybody) = run.rest(QUIET).await;
    run.judge(end, &everybody).await;
    run.check_usage();
    run.expect_nothing();
    assert_eq!(processes(&run), before, "no node had to be started again");
    let lines = run.town.record.lines();
    let mut phases = lines.iter().filter_map(|line| match &line.what {
        What::Phase { phase } => Some(phase),
        _ => None,
    });
    let restored = phases.find(|it| it.contains("another one"));
    assert_eq!(restored, None, "it is the same store to everybody");
}
