//! Several nodes on one store: the bus is a hint, the store is the truth.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chat_core::{
    Chat, Limits,
    bus::{Bus, Envelope, Incoming, Topic},
    model::UserId,
    protocol::{ServerFrame, Signal},
    store::MemoryStore,
};
use tokio::sync::{Mutex, broadcast};

use crate::support::{entries_to, frames, group, say, seqs, until_signal};

/// A bus in memory that loses two of three envelopes, and repeats and reorders the others.
struct FickleBus {
    out: broadcast::Sender<Incoming>,
    coming: Mutex<broadcast::Receiver<Incoming>>,
    said: AtomicU64,
    held: parking_lot::Mutex<Option<Incoming>>,
}

impl FickleBus {
    fn on(line: &broadcast::Sender<Incoming>) -> Self {
        Self {
            out: line.clone(),
            coming: Mutex::new(line.subscribe()),
            said: AtomicU64::new(0),
            held: parking_lot::Mutex::default(),
        }
    }
}

impl Bus for FickleBus {
    fn publish(&self, _: Topic, envelope: Envelope) -> bool {
        let envelope = Incoming::Envelope(envelope);
        match self.said.fetch_add(1, Ordering::Relaxed) % 6 {
            0 => *self.held.lock() = Some(envelope),
            3 => {
                let held = self.held.lock().take();
                for incoming in [Some(envelope.clone()), held, Some(envelope)]
                    .into_iter()
                    .flatten()
                {
                    let _ = self.out.send(incoming);
                }
            }
            _ => {}
        }
        true
    }

    fn follow(&self, _: Topic) {}

    fn unfollow(&self, _: Topic) {}

    async fn receive(&self) -> Incoming {
        self.coming
            .lock()
            .await
            .recv()
            .await
            .unwrap_or(Incoming::Suspect)
    }
}

#[tokio::test]
async fn a_bus_that_loses_repeats_and_reorders_costs_no_entry() {
    let store = MemoryStore::default();
    let (line, _keep) = broadcast::channel(1_000);
    let node = async |limits| {
        Chat::builder()
            .store(store.clone())
            .bus(FickleBus::on(&line))
            .limits(limits)
            .start()
            .await
            .unwrap()
    };
    let here = node(Limits::default()).await;
    let there = node(Limits {
        window_entries: 8,
        ..Limits::default()
    })
    .await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&here, &[ana, ben]).await;
    let mut session = there.connect(ben).await.unwrap();
    session.join(lunch, None).await.unwrap();

    for n in 0..300 {
        say(&here, ana, lunch, &n.to_string()).await;
    }
    // Whatever was lost last is found when the bus says that something may have been.
    line.send(Incoming::Suspect).unwrap();
    assert_eq!(
        seqs(&entries_to(&mut session, lunch, 302).await),
        (3..=302).collect::<Vec<_>>()
    );
    until_signal(&mut session, |signal| match signal {
        Signal::ConversationUpdated { row } if row.unread.count == 300 => Some(()),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn sends_from_two_nodes_have_one_order() {
    let store = MemoryStore::default();
    let (line, _keep) = broadcast::channel(10_000);
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let chat = Chat::builder()
            .store(store.clone())
            .bus(FickleBus::on(&line))
            .start()
            .await
            .unwrap();
        nodes.push(Arc::new(chat));
    }
    let ana = UserId::new();
    let lunch = group(&nodes[0], &[ana]).await;
    let mut sessions = Vec::new();
    for node in &nodes {
        let mut session = node.connect(ana).await.unwrap();
        session.join(lunch, Some(0)).await.unwrap();
        sessions.push(session);
    }
    let senders: Vec<_> = nodes
        .iter()
        .map(|node| {
            let node = Arc::clone(node);
            tokio::spawn(async move {
                for n in 0..100 {
                    say(&node, ana, lunch, &n.to_string()).await;
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    line.send(Incoming::Suspect).unwrap();
    let here = entries_to(&mut sessions[0], lunch, 201).await;
    let there = entries_to(&mut sessions[1], lunch, 201).await;
    assert_eq!(seqs(&here), (1..=201).collect::<Vec<_>>());
    assert_eq!(here, there);
}

#[tokio::test]
async fn who_was_removed_while_the_bus_was_deaf_hears_nothing_more() {
    let store = MemoryStore::default();
    let (here_only, _keep) = broadcast::channel(1_000);
    let (there_only, _keep) = broadcast::channel(1_000);
    let node = async |line| {
        Chat::builder()
            .store(store.clone())
            .bus(FickleBus::on(line))
            .limits(Limits {
                window_entries: 8,
                ..Limits::default()
            })
            .start()
            .await
            .unwrap()
    };
    let (here, there) = (node(&here_only).await, node(&there_only).await);
    let (ana, ben, cyd) = (UserId::new(), UserId::new(), UserId::new());
    let lunch = group(&here, &[ana, ben, cyd]).await;
    let mut bens = there.connect(ben).await.unwrap();
    let mut cyds = there.connect(cyd).await.unwrap();
    bens.join(lunch, None).await.unwrap();
    cyds.join(lunch, None).await.unwrap();

    for n in 0..50 {
        if n == 25 {
            here.remove_member(ana, lunch, ben, false).await.unwrap();
        }
        say(&here, ana, lunch, &n.to_string()).await;
    }
    there_only.send(Incoming::Suspect).unwrap();
    assert_eq!(entries_to(&mut cyds, lunch, 54).await.len(), 51);
    let mut heard: Vec<u64> = Vec::new();
    loop {
        for frame in frames(&mut bens).await {
            match frame {
                ServerFrame::Log(entry) => heard.push(entry.seq),
                ServerFrame::Signal(Signal::ConversationRemoved { conversation_id }) => {
                    assert_eq!(conversation_id, lunch);
                    assert!(heard.is_empty(), "nothing of what came after: {heard:?}");
                    return;
                }
                _ => {}
            }
        }
    }
}
