//! Several nodes on one store and real NATS servers: who hears what, and what happens when NATS fails.

use std::{path::Path, time::Duration};

use chat_core::{
    Chat, Session, Stats,
    bus::{
        Bus, Envelope, Incoming, NatsBus, Notice, Topic,
        nats::{NatsError, NatsOptions},
    },
    model::{ConversationId, NodeId, Profile, Status, StoreEpoch, UserId},
    protocol::{ServerFrame, Signal},
    store::{MemoryStore, MessageLog},
    testing::{NatsOperator, PrivateNats},
};
use rcgen::{CertificateParams, Issuer, KeyPair};
use tokio::time::{sleep, timeout};

use crate::support::{PATIENCE, entries_to, group, row_that, say, seqs, until, until_signal};

async fn bus(servers: &[&PrivateNats]) -> NatsBus {
    let urls: Vec<_> = servers.iter().map(|server| server.url()).collect();
    let bus = NatsBus::connect(&urls.join(","), NatsOptions::default()).await;
    bus.unwrap()
}

/// A node on the first of these servers, which turns to the others when that one is gone.
async fn node(store: &MemoryStore, servers: &[&PrivateNats]) -> Chat {
    let builder = Chat::builder().store(store.clone());
    builder.bus(bus(servers).await).start().await.unwrap()
}

/// Waits until it is so, which nobody is told of.
async fn eventually(chat: &Chat, is: impl Fn(&Stats) -> bool) {
    let waited = timeout(PATIENCE, async {
        while !is(&chat.stats()) {
            sleep(Duration::from_millis(20)).await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("{:#?}", chat.stats()));
}

/// Nodes that hear each other.
async fn nodes<const N: usize>(store: &MemoryStore, servers: &[&PrivateNats]) -> [Chat; N] {
    let mut nodes = Vec::new();
    for _ in 0..N {
        nodes.push(node(store, servers).await);
    }
    for one in &nodes {
        let others = N as u64 - 1;
        eventually(one, |it| it.nodes == others && !it.in_doubt).await;
    }
    nodes.try_into().unwrap()
}

/// A group of two, the second of whom has joined it on another node.
async fn lunch_of(users: [UserId; 2], here: &Chat, there: &Chat) -> (ConversationId, Session) {
    let lunch = group(here, &users).await;
    let mut session = there.connect(users[1]).await.unwrap();
    session.join(lunch, None).await.unwrap();
    (lunch, session)
}

#[tokio::test]
async fn a_node_hears_what_concerns_its_users_and_nothing_else() {
    let nats = PrivateNats::start(&[]).unwrap();
    let store = MemoryStore::default();
    let [here, there, elsewhere] = nodes(&store, &[&nats]).await;
    let (ana, ben, cyd) = (UserId::new(), UserId::new(), UserId::new());
    let (lunch, mut bens) = lunch_of([ana, ben], &here, &there).await;
    let _cyds = elsewhere.connect(cyd).await.unwrap();
    for n in 0..100 {
        say(&here, ana, lunch, &n.to_string()).await;
    }
    let heard = entries_to(&mut bens, lunch, 102).await;
    assert_eq!(seqs(&heard), (3..=102).collect::<Vec<_>>());
    let (there, elsewhere) = (there.stats(), elsewhere.stats());
    assert_eq!(there.entries_unneeded, 0, "{there:#?}");
    assert_eq!(elsewhere.entries_heard, 0, "{elsewhere:#?}");
}

#[tokio::test]
async fn who_is_added_on_another_node_hears_of_it_from_then_on() {
    let nats = PrivateNats::start(&[]).unwrap();
    let store = MemoryStore::default();
    let [here, there] = nodes(&store, &[&nats]).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let mut bens = there.connect(ben).await.unwrap();

    let lunch = group(&here, &[ana, ben]).await;
    row_that(&mut bens, lunch, |_| true).await;
    say(&here, ana, lunch, "hi").await;
    row_that(&mut bens, lunch, |row| row.unread.count == 1).await;

    // The other one of a direct conversation hears of it with the first message.
    let (row, _) = here.direct(ana, ben).await.unwrap();
    let direct = row.conversation.id;
    say(&here, ana, direct, "psst").await;
    row_that(&mut bens, direct, |row| row.unread.count == 1).await;
    say(&here, ana, direct, "psst!").await;
    row_that(&mut bens, direct, |row| row.unread.count == 2).await;

    here.remove_member(ana, lunch, ben, false).await.unwrap();
    until_signal(&mut bens, |signal| match signal {
        Signal::ConversationRemoved { conversation_id } => {
            let _: () = assert_eq!(*conversation_id, lunch);
            Some(())
        }
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn who_types_is_seen_on_another_node_until_they_stop() {
    let nats = PrivateNats::start(&[]).unwrap();
    let store = MemoryStore::default();
    let [here, there] = nodes(&store, &[&nats]).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let (lunch, mut bens) = lunch_of([ana, ben], &here, &there).await;
    let mut anas = here.connect(ana).await.unwrap();
    anas.join(lunch, None).await.unwrap();
    // What is followed is heard a moment later.
    say(&here, ana, lunch, "hm").await;
    entries_to(&mut bens, lunch, 3).await;
    for typing in [true, false] {
        anas.typing(lunch, typing).await.unwrap();
        until_signal(&mut bens, |signal| match signal {
            Signal::Typing { user_ids, .. } => {
                (*user_ids == if typing { vec![ana] } else { Vec::new() }).then_some(())
            }
            _ => None,
        })
        .await;
    }
}

#[tokio::test]
async fn nats_may_go_and_come_back_and_nobody_misses_anything() {
    let nats = PrivateNats::start(&[]).unwrap();
    let store = MemoryStore::default();
    let [here, there] = nodes(&store, &[&nats]).await;
    let (ana, ben, cyd) = (UserId::new(), UserId::new(), UserId::new());
    let (lunch, mut bens) = lunch_of([ana, ben], &here, &there).await;
    let mut cyds = there.connect(cyd).await.unwrap();
    let mut head = 2;
    let mut talk = async |bens: &mut _| {
        for _ in 0..20 {
            say(&here, ana, lunch, "still there?").await;
        }
        let told = entries_to(bens, lunch, head + 20).await;
        assert_eq!(seqs(&told), (head + 1..=head + 20).collect::<Vec<_>>());
        head += 20;
    };
    talk(&mut bens).await;

    nats.kill().unwrap();
    eventually(&there, |it| !it.bus.connected && it.in_doubt).await;
    talk(&mut bens).await;
    // Of what is new for somebody they hear as well.
    let tea = group(&here, &[ana, cyd]).await;
    row_that(&mut cyds, tea, |_| true).await;
    say(&here, ana, tea, "just us").await;
    row_that(&mut cyds, tea, |row| row.unread.count == 1).await;

    nats.start_again().unwrap();
    eventually(&there, |it| it.bus.connected && !it.in_doubt).await;
    talk(&mut bens).await;

    // A server that is there and does nothing is no better than one that is gone.
    nats.freeze().unwrap();
    eventually(&there, |it| it.in_doubt).await;
    talk(&mut bens).await;
    nats.thaw().unwrap();
    talk(&mut bens).await;
    let before = there.stats().entries_heard;
    eventually(&there, |it| it.bus.connected && !it.in_doubt).await;
    talk(&mut bens).await;
    eventually(&there, |it| it.entries_heard > before).await;
}

#[tokio::test]
async fn a_node_turns_to_another_server_when_its_own_is_gone() {
    let servers = PrivateNats::cluster(2).unwrap();
    let [first, second] = servers.as_slice() else {
        panic!("two were asked for");
    };
    let store = MemoryStore::default();
    let here = node(&store, &[first, second]).await;
    let there = node(&store, &[second]).await;
    eventually(&there, |it| it.nodes == 1).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let (lunch, mut bens) = lunch_of([ana, ben], &here, &there).await;
    say(&here, ana, lunch, "one").await;
    entries_to(&mut bens, lunch, 3).await;
    let heard = there.stats().entries_heard;
    first.kill().unwrap();
    say(&here, ana, lunch, "two").await;
    entries_to(&mut bens, lunch, 4).await;
    eventually(&here, |it| it.bus.connected && it.nodes == 1).await;
    timeout(PATIENCE, async {
        for seq in 5.. {
            say(&here, ana, lunch, "more").await;
            entries_to(&mut bens, lunch, seq).await;
            if there.stats().entries_heard > heard + 1 {
                return;
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn presence_is_the_same_on_all_nodes_and_ends_with_a_dead_one() {
    let nats = PrivateNats::start(&[]).unwrap();
    let store = MemoryStore::default();
    let [here, there] = nodes(&store, &[&nats]).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    group(&here, &[ana, ben]).await;
    let mut bens = there.connect(ben).await.unwrap();
    bens.watch_presence(vec![ana]).await.unwrap();
    let mut is = async |status| {
        until_signal(&mut bens, |signal| match signal {
            Signal::Presence(presence) if presence.user_id == ana => {
                (presence.status == status).then_some(())
            }
            _ => None,
        })
        .await;
    };
    is(Status::Offline).await;
    let first = here.connect(ana).await.unwrap();
    is(Status::Online).await;
    // The last session of all, wherever it is, is the one that counts.
    let second = there.connect(ana).await.unwrap();
    first.close();
    let third = here.connect(ana).await.unwrap();
    second.close();
    third.close();
    is(Status::Offline).await;

    // A node that comes later knows who is there.
    let fourth = here.connect(ana).await.unwrap();
    is(Status::Online).await;
    let late = node(&store, &[&nats]).await;
    timeout(PATIENCE, async {
        loop {
            let profile = Profile {
                id: ana,
                username: "ana".to_owned(),
                display_name: "Ana".to_owned(),
                presence: None,
            };
            let seen = late
                .with_presence(ben, vec![profile])
                .await
                .unwrap()
                .remove(0);
            if seen.presence.unwrap().status == Status::Online {
                return;
            }
            sleep(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();

    // Nobody says goodbye for a node that dies: its lease runs out.
    drop((fourth, here));
    is(Status::Offline).await;
}

#[tokio::test]
async fn what_is_no_notice_of_a_node_of_this_store_changes_nothing() {
    let nats = PrivateNats::start(&[]).unwrap();
    let store = MemoryStore::default();
    let [here, there] = nodes(&store, &[&nats]).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let (lunch, mut bens) = lunch_of([ana, ben], &here, &there).await;
    say(&here, ana, lunch, "one").await;
    entries_to(&mut bens, lunch, 3).await;

    let stranger = async_nats::connect(nats.url()).await.unwrap();
    let subject = format!("chat.conversation.{lunch}");
    let epoch = store.epoch().await.unwrap();
    let mut forged = store.entries_after(lunch, 2, 1).await.unwrap().remove(0);
    forged.seq = 4;
    let entry = |epoch| {
        let envelope = Envelope {
            epoch,
            origin: NodeId::new(),
            notice: Notice::Entry {
                entry: Box::new(forged.clone()),
            },
        };
        serde_json::to_vec(&envelope).unwrap()
    };
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    for payload in [
        b"".to_vec(),
        b"\xff\xfe".to_vec(),
        b"{\"origin\": 1}".to_vec(),
        deep,
        vec![b' '; 1_000_000],
    ] {
        stranger
            .publish(subject.clone(), payload.into())
            .await
            .unwrap();
    }
    // What belongs to another conversation, and to another store.
    let elsewhere = format!("chat.user.{ben}");
    stranger
        .publish(elsewhere, entry(epoch).into())
        .await
        .unwrap();
    let foreign = entry(StoreEpoch::new());
    stranger
        .publish(subject.clone(), foreign.into())
        .await
        .unwrap();
    // Somebody who claims to be thousands of nodes with millions of users.
    for _ in 0..3_000 {
        let alive = Envelope {
            epoch,
            origin: NodeId::new(),
            notice: Notice::Alive {
                number: u64::MAX,
                presence: u64::MAX,
            },
        };
        let alive = serde_json::to_vec(&alive).unwrap();
        stranger.publish("chat.nodes", alive.into()).await.unwrap();
    }
    stranger.flush().await.unwrap();
    eventually(&there, |it| it.bus.malformed == 6 && it.nodes > 100).await;
    assert!(there.stats().nodes <= 1_000, "{:#?}", there.stats());

    say(&here, ana, lunch, "two").await;
    let heard = entries_to(&mut bens, lunch, 4).await;
    assert_eq!(crate::support::body(&heard[0]), Some("two"));
}

#[tokio::test]
async fn nats_is_spoken_to_through_tls_and_with_a_password() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    std::fs::write(file("ca.pem"), authority.pem()).unwrap();
    std::fs::write(file("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(file("key.pem"), key.serialize_pem()).unwrap();
    let nats = PrivateNats::start(&[
        "--tls",
        "--tlscert",
        &file("cert.pem"),
        "--tlskey",
        &file("key.pem"),
        "--user",
        "chat",
        "--pass",
        "secret/word",
    ])
    .unwrap();

    let connect = async |user: &str, authority: Option<String>| {
        let url = format!("tls://{user}@127.0.0.1:{}", nats.port());
        let mut options = NatsOptions::default();
        options.authorities = authority.map(Into::into);
        NatsBus::connect(&url, options).await.unwrap()
    };
    let trusted = Some(file("ca.pem"));
    let right = connect("chat:secret%2Fword", trusted.clone()).await;
    let other = connect("chat:secret%2Fword", trusted.clone()).await;
    right.follow(Topic::Nodes);
    // Something comes through when it is connected, and not before.
    timeout(PATIENCE, async {
        while !right.stats().connected {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let envelope = Envelope {
        epoch: StoreEpoch::new(),
        origin: NodeId::new(),
        notice: Notice::Leaving,
    };
    timeout(PATIENCE, async {
        let heard =
            async { while right.receive().await != Incoming::Envelope(envelope.clone()) {} };
        let said = async {
            loop {
                // What is said before it is followed is heard by nobody.
                assert!(other.publish(Topic::Nodes, envelope.clone()));
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! { () = heard => {}, () = said => {} }
    })
    .await
    .unwrap_or_else(|_| panic!("{:?}", right.stats()));

    for wrong in [
        connect("chat:guessed", trusted).await,
        connect("chat:secret%2Fword", None).await,
    ] {
        sleep(Duration::from_millis(300)).await;
        assert!(!wrong.stats().connected);
    }
}

/// A bus that comes with what is in this file.
async fn with_credentials(nats: &PrivateNats, file: &Path) -> Result<NatsBus, NatsError> {
    let mut options = NatsOptions::default();
    options.credentials = Some(file.to_owned());
    NatsBus::connect(&nats.url(), options).await
}

#[tokio::test]
async fn nodes_with_credentials_that_the_operator_vouches_for_hear_each_other() {
    let operator = NatsOperator::new();
    let nats = PrivateNats::start_for(&operator).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let mut nodes = Vec::new();
    for name in ["here.creds", "there.creds"] {
        let file = directory.path().join(name);
        std::fs::write(&file, operator.credentials().unwrap()).unwrap();
        let bus = with_credentials(&nats, &file).await.unwrap();
        let builder = Chat::builder().store(store.clone()).bus(bus);
        nodes.push(builder.start().await.unwrap());
    }
    let [here, there] = &nodes[..] else {
        unreachable!("there are two")
    };
    for node in &nodes {
        eventually(node, |it| it.nodes == 1 && !it.in_doubt).await;
    }
    let (ana, ben) = (UserId::new(), UserId::new());
    let (lunch, mut bens) = lunch_of([ana, ben], here, there).await;
    say(here, ana, lunch, "with papers").await;
    let heard = entries_to(&mut bens, lunch, 3).await;
    assert_eq!(crate::support::body(&heard[0]), Some("with papers"));
    eventually(there, |it| it.entries_heard > 0).await;
}

#[tokio::test]
async fn credentials_of_somebody_else_let_nobody_in_and_a_file_without_any_is_refused() {
    let nats = PrivateNats::start_for(&NatsOperator::new()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.creds");
    let others = NatsOperator::new().credentials().unwrap();
    std::fs::write(&file, &others).unwrap();
    let stranger = with_credentials(&nats, &file).await.unwrap();
    let nobody = bus(&[&nats]).await;
    sleep(Duration::from_millis(500)).await;
    assert!(!stranger.stats().connected && !nobody.stats().connected);

    let (jwt, _) = others.split_once("-----BEGIN USER NKEY SEED").unwrap();
    for wrong in ["", "secret", jwt, &others.replace("\nSU", "\nXX")] {
        std::fs::write(&file, wrong).unwrap();
        let refused = with_credentials(&nats, &file).await.unwrap_err();
        let line = refused.to_string();
        assert!(matches!(refused, NatsError::File { .. }), "{line}");
        assert!(
            line.contains("node.creds: ") && !line.contains('\n'),
            "{line}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_connected_to_is_said_in_one_line() {
    let connect = async |url: &str, options: NatsOptions| {
        let error = NatsBus::connect(url, options).await.unwrap_err();
        let line = error.to_string();
        assert!(!line.contains('\n') && !line.contains("secret"), "{line}");
        (error, line)
    };
    let options = NatsOptions::default;
    for url in [
        "",
        "nats://",
        "http://a:4222",
        "nats://u:secret@a:b:c",
        "nats://a:4222,,",
    ] {
        let (error, line) = connect(url, options()).await;
        assert!(matches!(error, NatsError::Address { .. }), "{url}: {line}");
        assert!(line.contains("nats://HOST:4222"), "{line}");
    }
    for prefix in ["", "a b", "a..b", "a.*", "a.>", "é"] {
        let mut options = options();
        prefix.clone_into(&mut options.prefix);
        let (error, line) = connect("nats://127.0.0.1:1", options).await;
        assert!(
            matches!(error, NatsError::Prefix { .. }),
            "{prefix}: {line}"
        );
    }
    for is_authority in [true, false] {
        let mut options = options();
        let file = Some("/nonexistent/file".into());
        if is_authority {
            options.authorities = file;
        } else {
            options.credentials = file;
        }
        let (_, line) = connect("nats://127.0.0.1:1", options).await;
        assert!(line.contains("/nonexistent/file: "), "{line}");
    }
}

#[tokio::test]
async fn a_node_starts_without_nats_and_is_told_what_others_say_all_the_same() {
    let nats = PrivateNats::start(&[]).unwrap();
    nats.kill().unwrap();
    let store = MemoryStore::default();
    let (here, there) = (node(&store, &[&nats]).await, node(&store, &[&nats]).await);
    let (ana, ben) = (UserId::new(), UserId::new());
    let (lunch, mut bens) = lunch_of([ana, ben], &here, &there).await;
    say(&here, ana, lunch, "anybody?").await;
    until(&mut bens, |frame| {
        matches!(frame, ServerFrame::Log(_)).then_some(())
    })
    .await;
    nats.start_again().unwrap();
    eventually(&here, |it| it.nodes == 1).await;
}
