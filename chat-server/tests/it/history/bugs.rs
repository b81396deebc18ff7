//! Bugs that are built into the servers: a check that does not catch what it is for proves nothing.

use std::{env, time::Duration};

use tokio::time::sleep;

use super::{
    ALONE, QUIET, Run, SMALL,
    check::{Promise, Verdict},
    nemesis::{self, Edge, Fault},
};

/// How often the same is tried before a bug counts as not found.
const ATTEMPTS: usize = 2;

/// A bug by its name, what is broken by it, and what has to happen for it to show.
struct Wrong {
    bug: &'static str,
    breaks: Promise,
    faults: &'static [Fault],
}

const NOTHING: &[Fault] = &[];
const DATABASE: &[Fault] = &[Fault::PostgresStopped, Fault::PostgresFrozen];
const BUS: &[Fault] = &[
    Fault::Cut(Edge::Nats, 0),
    Fault::Cut(Edge::Nats, 1),
    Fault::Cut(Edge::Nats, 2),
    Fault::AllNatsFrozen,
];
const FRONTS: &[Fault] = &[
    Fault::Cut(Edge::Front, 0),
    Fault::Cut(Edge::Front, 1),
    Fault::Cut(Edge::Front, 2),
];

static WRONG: [Wrong; 9] = [
    Wrong {
        bug: "AckBeforeCommit",
        breaks: Promise::Durable,
        faults: DATABASE,
    },
    Wrong {
        bug: "NoDedupe",
        breaks: Promise::Once,
        faults: NOTHING,
    },
    Wrong {
        bug: "PublishBeforeCommit",
        breaks: Promise::OneLog,
        faults: DATABASE,
    },
    Wrong {
        bug: "IgnoreBusGap",
        breaks: Promise::NoGap,
        faults: BUS,
    },
    Wrong {
        bug: "ResumeOffByOne",
        breaks: Promise::NoGap,
        faults: FRONTS,
    },
    Wrong {
        bug: "DoubleUnread",
        breaks: Promise::Unread,
        faults: NOTHING,
    },
    Wrong {
        bug: "GhostPresence",
        breaks: Promise::Presence,
        faults: NOTHING,
    },
    Wrong {
        bug: "LateRevocation",
        breaks: Promise::Sight,
        faults: NOTHING,
    },
    Wrong {
        bug: "HiddenLeak",
        breaks: Promise::Sight,
        faults: NOTHING,
    },
];

fn wrong(bug: &str) -> &'static Wrong {
    WRONG.iter().find(|it| it.bug == bug).unwrap()
}

/// A short life with these bugs, and what is found to be wrong with it.
async fn live_with(name: &'static str, bugs: &'static [&'static str]) -> Verdict {
    let mut run = Run::begin(name, SMALL, bugs).await;
    let is_built_in = |bug| bugs.contains(&bug);
    if is_built_in("NoDedupe") {
        run.forget_that_sends_are_unique().await;
    }
    let (cluster, record) = (&run.town.cluster, &run.town.record);
    sleep(Duration::from_secs(6)).await;
    let faults = bugs.iter().flat_map(|bug| wrong(bug).faults);
    for (number, fault) in (0..).zip(faults) {
        nemesis::strike(cluster, record, number, *fault, Duration::from_secs(3)).await;
        sleep(Duration::from_millis(500)).await;
    }
    sleep(Duration::from_secs(2)).await;
    // What is wrong will not come right by waiting for it.
    let (mut end, mut there) = run.rest(QUIET / 3).await;
    if is_built_in("GhostPresence") {
        (end, there) = run.departures(there, QUIET).await;
    }
    run.judge(end, &there).await;
    run.verdict
}

/// With these bugs, the promises that they break are found to be broken.
async fn are_caught(name: &'static str, bugs: &'static [&'static str]) {
    let mut missing: Vec<_> = bugs.iter().map(|bug| wrong(bug)).collect();
    for _ in 0..ATTEMPTS {
        let verdict = live_with(name, bugs).await;
        missing.retain(|wrong| {
            let mut found = verdict.0.iter().filter(|it| it.promise == wrong.breaks);
            let first = found.next();
            if let Some(first) = first {
                let bug = wrong.bug;
                eprintln!("{bug} is found {} times: {}", 1 + found.count(), first.what);
            }
            first.is_none()
        });
        if missing.is_empty() {
            return;
        }
    }
    let missing: Vec<_> = missing.iter().map(|it| (it.bug, it.breaks)).collect();
    panic!("not found: {missing:?}");
}

/// Some at once, of which each breaks another promise; `CHAT_HISTORY_BUGS=all` builds in each of all alone, and a name that one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bugs_that_are_built_in_are_caught() {
    const SOME: &[&str] = &[
        "ResumeOffByOne",
        "DoubleUnread",
        "LateRevocation",
        "NoDedupe",
    ];

    let _alone = ALONE.lock().await;
    match env::var("CHAT_HISTORY_BUGS").ok().as_deref() {
        None => are_caught("bugs", SOME).await,
        Some(chosen) => {
            for wrong in WRONG.iter().filter(|it| [it.bug, "all"].contains(&chosen)) {
                are_caught(wrong.bug, std::slice::from_ref(&wrong.bug)).await;
            }
        }
    }
}
