//! A socket that is busy with commands, on a database that takes its time.

use std::time::Duration;

use chat_core::testing::PrivatePostgres;
use tokio::time::{Instant, sleep};

use crate::{
    history::proxy::{Line, Proxy, Weather},
    support::{PATIENCE, start_on},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_faster_than_the_database_answers_is_told_what_is_said_all_the_same() {
    let postgres = PrivatePostgres::start(&[]).unwrap();
    let line = Line::new();
    let address = ([127, 0, 0, 1], postgres.port()).into();
    let proxy = Proxy::start(vec![(address, line.clone())]).await;
    let own = format!(":{}/", postgres.port());
    let by_way_of = format!(":{}/", proxy.address.port());
    let url = postgres.database().await.unwrap();
    let running = start_on(&url.replace(&own, &by_way_of), &["--limits", "off"]).await;
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let group = ben.group("Lunch", &[&ana]).await;
    let mut socket = ana.connect().await;
    socket.join(&group).await;

    line.set(Weather::Slow(Duration::from_millis(100)));
    for nth in 0..5 {
        ben.say(&group, &nth.to_string()).await;
    }
    // Each message changes a row too, which is to be looked up.
    let (mut told, until) = (Vec::new(), Instant::now() + PATIENCE);
    while told.len() < 5 {
        assert!(Instant::now() < until, "only {told:?} is told");
        for frame in socket.settle().await {
            if frame["type"] == "new_message" {
                told.push(frame["message"]["body"].as_str().unwrap().to_owned());
            }
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(told, ["0", "1", "2", "3", "4"]);
    line.set(Weather::Fair);
    running.stop().await;
}
