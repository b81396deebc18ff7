//! Every session that joined gets every entry once, in order, whatever it does or fails to do.

use std::{collections::HashMap, time::Duration};

use chat_core::{
    Chat, Error, Limits, Session,
    model::{ConversationId, Draft, Seq, UserId},
    protocol::{ServerFrame, Signal},
};
use proptest::prelude::*;
use tokio::time::timeout;

use crate::support::{
    PATIENCE, chat, chat_with, draft, entries_to, frames, group, say, seqs, until, until_signal,
};

#[tokio::test]
async fn what_is_said_reaches_those_who_joined() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut session = chat.connect(ben).await.unwrap();
    let joined = session.join(lunch, None).await.unwrap();
    assert_eq!((joined.head_seq, joined.reset), (2, false));

    let message = say(&chat, ana, lunch, "soup?").await;
    let entries = entries_to(&mut session, lunch, message.seq).await;
    assert_eq!(seqs(&entries), [3]);
    assert_eq!(entries[0].message(), Some(&message));

    session.leave(lunch);
    say(&chat, ana, lunch, "anyone?").await;
    let row = until_signal(&mut session, |signal| match signal {
        Signal::ConversationUpdated { row } if row.conversation.head_seq == 4 => Some(row.clone()),
        _ => None,
    })
    .await;
    assert_eq!(row.unread.count, 2);
}

#[tokio::test]
async fn a_join_replays_what_came_after_the_cursor() {
    let limits = Limits {
        max_replay: 10,
        window_entries: 4,
        ..Limits::default()
    };
    let chat = chat_with(limits).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    for n in 3..=12 {
        say(&chat, ana, lunch, &n.to_string()).await;
    }
    let mut session = chat.connect(ben).await.unwrap();

    // From the store and from the window, without a seam.
    let joined = session.join(lunch, Some(5)).await.unwrap();
    assert_eq!((joined.head_seq, joined.reset), (12, false));
    say(&chat, ana, lunch, "13").await;
    assert_eq!(
        seqs(&entries_to(&mut session, lunch, 13).await),
        (6..=13).collect::<Vec<_>>()
    );

    // Joining again moves the cursor.
    session.join(lunch, Some(11)).await.unwrap();
    assert_eq!(seqs(&entries_to(&mut session, lunch, 13).await), [12, 13]);

    // Too far behind, and ahead of what there is: live from the head, and it is said.
    for strange in [Some(1), Some(99)] {
        let joined = session.join(lunch, strange).await.unwrap();
        assert_eq!((joined.head_seq, joined.reset), (13, true));
    }
    say(&chat, ana, lunch, "14").await;
    assert_eq!(seqs(&entries_to(&mut session, lunch, 14).await), [14]);
}

#[tokio::test]
async fn outsiders_and_former_members_hear_nothing() {
    let chat = chat().await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut outside = chat.connect(eve).await.unwrap();
    assert!(matches!(
        outside.join(lunch, None).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        outside.join(ConversationId::new(), None).await,
        Err(Error::NotFound(_))
    ));

    let mut session = chat.connect(ben).await.unwrap();
    session.join(lunch, None).await.unwrap();
    say(&chat, ana, lunch, "before").await;
    entries_to(&mut session, lunch, 3).await;
    chat.remove_member(ana, lunch, ben, false).await.unwrap();
    say(&chat, ana, lunch, "after").await;
    until(&mut session, |frame| match frame {
        ServerFrame::Log(entry) => panic!("a former member got {entry:?}"),
        ServerFrame::Signal(Signal::ConversationRemoved { conversation_id }) => {
            Some(*conversation_id)
        }
        _ => None,
    })
    .await;
    assert!(matches!(
        session.join(lunch, Some(3)).await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test]
async fn a_reader_that_stops_reading_loses_no_entry_and_gets_only_the_newest_state() {
    let limits = Limits {
        window_entries: 64,
        commit_batch: 16,
        ..Limits::default()
    };
    let chat = chat_with(limits).await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut stuck = chat.connect(ben).await.unwrap();
    stuck.join(lunch, None).await.unwrap();
    for n in 0..1_500 {
        say(&chat, ana, lunch, &n.to_string()).await;
    }
    let (mut entries, mut rows) = (Vec::new(), 0);
    while entries.len() < 1_500 {
        for frame in frames(&mut stuck).await {
            match frame {
                ServerFrame::Log(entry) => entries.push(*entry),
                ServerFrame::Signal(Signal::ConversationUpdated { .. }) => rows += 1,
                _ => {}
            }
        }
    }
    assert_eq!(seqs(&entries), (3..1_503).collect::<Vec<_>>());
    assert!(
        rows <= 2,
        "{rows} rows for one conversation that nobody looked at"
    );
}

#[tokio::test]
async fn many_rooms_at_once_keep_their_order_each() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let mut session = chat.connect(ben).await.unwrap();
    let mut rooms = Vec::new();
    for _ in 0..20 {
        let room = group(&chat, &[ana, ben]).await;
        session.join(room, Some(0)).await.unwrap();
        rooms.push(room);
    }
    let senders = rooms.iter().map(|room| {
        let (chat, room) = (chat.clone(), *room);
        tokio::spawn(async move {
            for n in 0..50 {
                say(&chat, ana, room, &n.to_string()).await;
            }
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut seen: HashMap<ConversationId, Vec<Seq>> = HashMap::new();
    while seen.values().map(Vec::len).sum::<usize>() < 20 * 52 {
        for frame in frames(&mut session).await {
            if let ServerFrame::Log(entry) = frame {
                seen.entry(entry.conversation_id)
                    .or_default()
                    .push(entry.seq);
            }
        }
    }
    for sender in senders {
        sender.await.unwrap();
    }
    assert!(
        seen.values()
            .all(|seqs| *seqs == (1..=52).collect::<Vec<_>>())
    );
}

#[tokio::test]
async fn a_retry_has_one_effect_and_a_reused_client_id_none() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let once = draft("soup?");
    let first = chat.send(ana, lunch, once.clone()).await.unwrap();
    let again = chat.send(ana, lunch, once.clone()).await.unwrap();
    assert_eq!(
        (first.repeated, again.repeated, &first.message),
        (false, true, &again.message)
    );
    let other = Draft {
        body: "stew?".to_owned(),
        ..once
    };
    assert!(matches!(
        chat.send(ana, lunch, other).await,
        Err(Error::ClientIdReused)
    ));
    assert_eq!(chat.events(ana, lunch, 2, 10).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_body_that_cannot_be_accepted_is_refused_by_name() {
    let chat = chat_with(Limits {
        max_body_chars: 5,
        ..Limits::default()
    })
    .await;
    let ana = UserId::new();
    let lunch = group(&chat, &[ana]).await;
    for (text, expected) in [
        ("", "blank"),
        (" \n\t", "blank"),
        ("a\0b", "nul"),
        ("äöüßéé", "too_long"),
    ] {
        match chat.send(ana, lunch, draft(text)).await {
            Err(Error::Invalid {
                field: "body",
                code,
                ..
            }) => assert_eq!(code, expected),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    assert!(chat.send(ana, lunch, draft("äöüßé")).await.is_ok());
}

#[tokio::test]
async fn a_shutdown_carries_out_what_was_accepted_and_refuses_the_rest() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut session = chat.connect(ben).await.unwrap();
    session.join(lunch, None).await.unwrap();
    let sends: Vec<_> = (0..50)
        .map(|n| chat.send(ana, lunch, draft(&n.to_string())))
        .collect();
    let (sent, ()) = tokio::join!(futures_util::future::join_all(sends), chat.shutdown());
    let accepted = sent.iter().filter(|sent| sent.is_ok()).count() as u64;
    let mut last = 2;
    loop {
        match timeout(PATIENCE, session.next())
            .await
            .expect("a session must end")
        {
            Ok(batch) => {
                for frame in &batch {
                    if let Some(ServerFrame::Log(entry)) = frame.decode() {
                        last = entry.seq;
                    }
                }
            }
            Err(Error::ShuttingDown) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(last, 2 + accepted);
    assert!(matches!(
        chat.send(ana, lunch, draft("late")).await,
        Err(Error::ShuttingDown)
    ));
    assert!(matches!(chat.connect(ana).await, Err(Error::ShuttingDown)));
}

/// One thing that happens to a conversation of three sessions.
#[derive(Clone, Debug)]
enum Step {
    Send,
    Read(usize),
    /// `next` is asked and dropped before it answers.
    GiveUp(usize),
    Rejoin(usize),
    /// A broken connection: another session goes on from the cursor.
    Reconnect(usize),
    /// A join that is dropped half-way.
    HalfJoin(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Send),
        4 => (0..3_usize).prop_map(Step::Read),
        2 => (0..3_usize).prop_map(Step::GiveUp),
        1 => (0..3_usize).prop_map(Step::Rejoin),
        1 => (0..3_usize).prop_map(Step::Reconnect),
        1 => (0..3_usize).prop_map(Step::HalfJoin),
    ]
}

/// A session and the cursor of whoever reads it.
struct Reader {
    session: Session,
    cursor: Seq,
}

impl Reader {
    async fn read(&mut self) {
        for frame in frames(&mut self.session).await {
            if let ServerFrame::Log(entry) = frame {
                assert_eq!(entry.seq, self.cursor + 1, "a gap or a duplicate");
                self.cursor = entry.seq;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_come_and_go_while_everybody_sends_get_the_whole_log() {
    const SENT: u64 = 2_000;
    const HEAD: u64 = 1 + SENT;
    let limits = Limits {
        window_entries: 16,
        max_replay: 10_000,
        row_interval: Duration::ZERO,
        ..Limits::default()
    };
    let chat = chat_with(limits).await;
    let ana = UserId::new();
    let lunch = group(&chat, &[ana]).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let chat = chat.clone();
        tasks.spawn(async move {
            for n in 0..SENT / 4 {
                say(&chat, ana, lunch, &n.to_string()).await;
            }
        });
    }
    for reader in 0..8_u64 {
        let chat = chat.clone();
        tasks.spawn(async move {
            let mut reader = Reader {
                session: joined_after(&chat, ana, lunch, 0).await,
                cursor: reader % 2,
            };
            if reader.cursor == 1 {
                reader.session.join(lunch, Some(1)).await.unwrap();
            }
            let mut turns = reader.cursor;
            while reader.cursor < HEAD {
                turns += 1;
                match turns % 7 {
                    3 => {
                        reader
                            .session
                            .join(lunch, Some(reader.cursor))
                            .await
                            .unwrap();
                    }
                    5 => reader.session = joined_after(&chat, ana, lunch, reader.cursor).await,
                    6 => {
                        reader.session.leave(lunch);
                        reader
                            .session
                            .join(lunch, Some(reader.cursor))
                            .await
                            .unwrap();
                    }
                    _ => reader.read().await,
                }
            }
        });
    }
    timeout(PATIENCE, tasks.join_all()).await.unwrap();
}

async fn joined_after(
    chat: &Chat,
    user: UserId,
    conversation: ConversationId,
    cursor: Seq,
) -> Session {
    let mut session = chat.connect(user).await.unwrap();
    session.join(conversation, Some(cursor)).await.unwrap();
    session
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever readers do between sends, each of them gets every entry once and in order.
    #[test]
    fn no_history_of_reads_and_breaks_makes_a_gap_or_a_duplicate(steps in prop::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let chat = chat_with(Limits { window_entries: 5, row_interval: Duration::ZERO, ..Limits::default() }).await;
            let ana = UserId::new();
            let lunch = group(&chat, &[ana]).await;
            let mut readers = Vec::new();
            for _ in 0..3 {
                let mut session = chat.connect(ana).await.unwrap();
                session.join(lunch, Some(0)).await.unwrap();
                readers.push(Reader { session, cursor: 0 });
            }
            let mut head = 1;
            for step in steps {
                match step {
                    Step::Send => head = say(&chat, ana, lunch, "x").await.seq,
                    Step::Read(who) => if readers[who].cursor < head { readers[who].read().await },
                    Step::GiveUp(who) => {
                        let next = readers[who].session.next();
                        tokio::select! { biased; () = tokio::task::yield_now() => {}, batch = next => {
                            for frame in &batch.unwrap() {
                                if let Some(ServerFrame::Log(entry)) = frame.decode() {
                                    assert_eq!(entry.seq, readers[who].cursor + 1);
                                    readers[who].cursor = entry.seq;
                                }
                            }
                        } }
                    }
                    Step::Rejoin(who) => {
                        let cursor = readers[who].cursor;
                        readers[who].session.join(lunch, Some(cursor)).await.unwrap();
                    }
                    Step::Reconnect(who) => {
                        let mut session = chat.connect(ana).await.unwrap();
                        session.join(lunch, Some(readers[who].cursor)).await.unwrap();
                        readers[who].session = session;
                    }
                    Step::HalfJoin(who) => {
                        let join = readers[who].session.join(lunch, Some(0));
                        drop(join);
                    }
                }
            }
            for reader in &mut readers {
                while reader.cursor < head {
                    reader.read().await;
                }
            }
        });
    }
}
