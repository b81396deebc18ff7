//! People chat through the client library while the server process is killed again and again.

use std::collections::{HashMap, HashSet};

use chat_core::{
    NewGroup,
    client::{Client, Event, Live, LiveEvents},
    model::{ClientId, ConversationId, Draft, Entry, Message, Title, UserId},
};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

use crate::{
    process::Process,
    support::{PASSWORD, PATIENCE},
};

const KILLS: usize = 3;
const SENDERS: usize = 3;
/// How many messages each of them says between two kills.
const SAID: usize = 60;

/// What somebody's application was told.
#[derive(Default)]
struct Told {
    log: Vec<Entry>,
    acknowledged: HashMap<ClientId, Message>,
}

impl Told {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Entry(entry) => {
                assert_eq!(
                    entry.seq,
                    self.log.len() as u64 + 1,
                    "a gap or a duplicate reached the application"
                );
                self.log.push(*entry);
            }
            Event::Sent(message) => {
                let twice = self.acknowledged.insert(message.client_id, *message);
                assert!(twice.is_none(), "{twice:?} was reported twice");
            }
            Event::SendFailed { problem, .. } => panic!("a send was given up: {problem}"),
            Event::Closed { problem, .. } => panic!("the conversation was lost: {problem}"),
            _ => {}
        }
    }
}

/// Follows the whole log, says `SAID` messages after each signal, and reports when all of those are acknowledged.
async fn chat(
    (live, mut events): (Live, LiveEvents),
    conversation: ConversationId,
    mut round: mpsc::Receiver<()>,
    some_acknowledged: mpsc::Sender<()>,
    whole: u64,
) -> Told {
    live.open(conversation, 0);
    let mut told = Told::default();
    let mut said = 0;
    while (told.log.len() as u64) < whole || told.acknowledged.len() < said {
        tokio::select! {
            Some(()) = round.recv() => {
                for _ in 0..SAID {
                    let client_id = ClientId::new();
                    let body = client_id.to_string();
                    live.send(conversation, Draft { client_id, body, reply_to: None });
                }
                said += SAID;
            }
            event = events.next() => {
                let before = told.acknowledged.len();
                told.hear(event.expect("the connection is not closed"));
                if told.acknowledged.len() > before && told.acknowledged.len() % SAID == SAID / 3 {
                    some_acknowledged.send(()).await.unwrap();
                }
            }
        }
    }
    live.close().await;
    told
}

async fn sign_up(server: &str, username: &str) -> (UserId, Client) {
    let client = Client::new(server).unwrap();
    let me = client.register(username, PASSWORD, None).await.unwrap();
    (me.id, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_who_chat_through_kills_of_the_server_see_one_whole_log_and_lose_no_message() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::start(directory.path(), "127.0.0.1:0");
    let server = process.base.trim_end_matches("/api/v1").to_owned();
    let listen = server.trim_start_matches("http://").to_owned();
    let (owner_id, owner) = sign_up(&server, "owner").await;
    let mut people = Vec::new();
    for n in 0..SENDERS {
        people.push(sign_up(&server, &format!("sender{n}")).await);
    }
    let title = Title::try_from("Crash".to_owned()).unwrap();
    let members = people.iter().map(|(id, _)| *id).collect();
    let conversation = owner
        .create_group(NewGroup::new(title, members))
        .await
        .unwrap()
        .conversation
        .id;

    let joined = 1 + SENDERS;
    let whole = (joined + SENDERS * SAID * (KILLS + 1)) as u64;
    let (some_acknowledged, mut acknowledged) = mpsc::channel(SENDERS * (KILLS + 2));
    let mut chatting = JoinSet::new();
    let mut rounds = Vec::new();
    for (_, client) in &people {
        let (next_round, round) = mpsc::channel(1);
        rounds.push(next_round);
        chatting.spawn(chat(
            client.live(),
            conversation,
            round,
            some_acknowledged.clone(),
            whole,
        ));
    }
    let (_silent, round) = mpsc::channel(1);
    chatting.spawn(chat(
        owner.live(),
        conversation,
        round,
        some_acknowledged,
        whole,
    ));

    for kill in 0..=KILLS {
        for round in &rounds {
            round.send(()).await.unwrap();
        }
        // In the midst of the round: somebody has acknowledgements, and nobody has all of them.
        timeout(PATIENCE, acknowledged.recv())
            .await
            .unwrap()
            .unwrap();
        if kill < KILLS {
            process.child.kill().unwrap();
            process.child.wait().unwrap();
            process = Process::start(directory.path(), &listen);
        }
    }

    let told = timeout(2 * PATIENCE, chatting.join_all()).await.unwrap();
    let log = &told[0].log;
    assert!(
        told.iter().all(|told| told.log == *log),
        "everybody saw the same log"
    );
    let messages: HashMap<_, _> = log
        .iter()
        .filter_map(Entry::message)
        .map(|message| (message.client_id, message))
        .collect();
    assert_eq!(
        messages.len(),
        SENDERS * SAID * (KILLS + 1),
        "nothing twice, nothing invented"
    );
    for (client_id, message) in told.iter().flat_map(|told| &told.acknowledged) {
        assert_eq!(
            messages.get(client_id),
            Some(&message),
            "an acknowledged message"
        );
    }
    let senders: HashSet<_> = messages.values().map(|message| message.sender_id).collect();
    assert!(!senders.contains(&owner_id) && senders.len() == SENDERS);

    // And so does whoever comes afterwards.
    let mut fresh = Told::default();
    while (fresh.log.len() as u64) < whole {
        let page = owner
            .events(conversation, fresh.log.len() as u64, 200)
            .await
            .unwrap();
        page.items
            .into_iter()
            .for_each(|entry| fresh.hear(Event::Entry(Box::new(entry))));
    }
    assert_eq!(fresh.log, *log);
}
