//! A reader that stops reading and a giant room cost the others nothing, and lose nothing.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chat_core::{
    Chat, Limits, NewGroup, Session,
    model::{ConversationId, Row, Seq, Status, UserId},
    protocol::{ServerFrame, Signal},
    store::StoreError,
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    interposed::{Interpose, InterposedStore},
    support::{PATIENCE, chat_with, frames, group, say, title},
};

/// What one session was told, by what it was told about.
#[derive(Default)]
struct Told {
    log: Vec<Seq>,
    rows: HashMap<ConversationId, Vec<Row>>,
    reads: HashMap<(ConversationId, UserId), Vec<Seq>>,
    presence: HashMap<UserId, Vec<Status>>,
    typing: HashMap<ConversationId, Vec<Vec<UserId>>>,
}

impl Told {
    fn hear(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Log(entry) => self.log.push(entry.seq),
            ServerFrame::Signal(Signal::ConversationUpdated { row }) => {
                let rows = self.rows.entry(row.conversation.id).or_default();
                rows.push(*row);
            }
            ServerFrame::Signal(Signal::Read {
                conversation_id,
                user_id,
                seq,
            }) => {
                let key = (conversation_id, user_id);
                self.reads.entry(key).or_default().push(seq);
            }
            ServerFrame::Signal(Signal::Presence(presence)) => {
                let statuses = self.presence.entry(presence.user_id).or_default();
                statuses.push(presence.status);
            }
            ServerFrame::Signal(Signal::Typing {
                conversation_id,
                user_ids,
            }) => {
                let typing = self.typing.entry(conversation_id).or_default();
                typing.push(user_ids);
            }
            ServerFrame::Signal(other) => panic!("{other:?}"),
            other => panic!("{other:?}"),
        }
    }

    async fn read_to(&mut self, session: &mut Session, head: Seq) {
        while self.log.last() != Some(&head) {
            for frame in frames(session).await {
                self.hear(frame);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_reading_costs_a_mark_a_key_and_misses_nothing_of_the_log() {
    const ROUNDS: u64 = 300;
    const OTHER_GROUPS: usize = 20;
    let chat = chat_with(Limits {
        window_entries: 64,
        ..Limits::default()
    })
    .await;
    let (ana, ben, cem) = (UserId::new(), UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben, cem]).await;
    let mut others = Vec::new();
    for _ in 0..OTHER_GROUPS {
        others.push(group(&chat, &[ana, ben]).await);
    }
    let mut typist = chat.connect(ana).await.unwrap();
    typist.join(lunch, None).await.unwrap();
    let mut sessions = Vec::new();
    for user in [ben, cem] {
        let mut session = chat.connect(user).await.unwrap();
        session.join(lunch, Some(3)).await.unwrap();
        session.watch_presence(vec![ana]).await.unwrap();
        sessions.push(session);
    }
    let [mut stuck, mut reader] = sessions.try_into().unwrap();
    let mut told = Told::default();

    for round in 0..ROUNDS {
        for n in 0..10 {
            say(&chat, ana, lunch, &n.to_string()).await;
        }
        let head = 3 + 10 * (round + 1);
        chat.mark_read(cem, lunch, head).await.unwrap();
        for other in &others {
            say(&chat, ana, *other, "beside").await;
        }
        typist.typing(lunch, true).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        typist.typing(lunch, false).await.unwrap();
        // Ana leaves with her last session, and comes back.
        typist.close();
        typist = chat.connect(ana).await.unwrap();
        typist.join(lunch, None).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        // The others have everything meanwhile.
        told.read_to(&mut reader, head).await;
    }
    let head = 3 + 10 * ROUNDS;
    assert_eq!(told.log, (4..=head).collect::<Vec<_>>());

    // Whatever happened a thousand times is told once, and is what is true now.
    let mut late = Told::default();
    for frame in frames(&mut stuck).await {
        late.hear(frame);
    }
    let first_batch = late.log.len();
    assert!(first_batch <= 64, "{first_batch} entries at once");
    late.read_to(&mut stuck, head).await;
    assert_eq!(late.log, (4..=head).collect::<Vec<_>>());
    assert_eq!(late.presence, HashMap::from([(ana, vec![Status::Online])]));
    assert_eq!(late.typing, HashMap::from([(lunch, vec![vec![]])]));
    let reads = &late.reads[&(lunch, cem)];
    assert_eq!(reads.as_slice(), [head]);
    assert!(late.reads.len() <= 3 && late.reads.values().all(|seqs| seqs.len() == 1));
    assert_eq!(late.rows.len(), 1 + OTHER_GROUPS);
    for (id, rows) in &late.rows {
        assert_eq!(rows.as_slice(), [chat.row(ben, *id).await.unwrap()]);
    }
}

/// The place of a log frame, without decoding all of it; `None` for others.
fn seq_in(json: &[u8]) -> Option<Seq> {
    let kinds = [
        &br#"{"type":"new_message""#[..],
        br#"{"type":"member_joined""#,
    ];
    kinds.iter().find(|kind| json.starts_with(kind))?;
    let mark = b"\"seq\":";
    let at = json.windows(mark.len()).position(|window| window == mark)?;
    let digits = json[at + mark.len()..].iter();
    let digits = digits.take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |seq, digit| seq * 10 + Seq::from(digit - b'0')))
}

/// Reads up to `head` with every entry in its place. Some come and go meanwhile, each at times of their own.
async fn follow(chat: Chat, user: UserId, room: ConversationId, which: u64, head: Seq) -> Session {
    let mut session = chat.connect(user).await.unwrap();
    let mut cursor = session.join(room, None).await.unwrap().head_seq;
    let mut batches = which;
    while cursor < head {
        for frame in &timeout(PATIENCE, session.next()).await.unwrap().unwrap() {
            if let Some(seq) = seq_in(frame.json()) {
                assert_eq!(seq, cursor + 1, "a gap or a duplicate");
                cursor = seq;
            }
        }
        batches += 1;
        if which.is_multiple_of(5) && batches.is_multiple_of(7) {
            session.leave(room);
            session.join(room, Some(cursor)).await.unwrap();
        }
        if which.is_multiple_of(25) && batches.is_multiple_of(11) {
            session = chat.connect(user).await.unwrap();
            session.join(room, Some(cursor)).await.unwrap();
        }
    }
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_a_giant_room_gets_everything_in_order_and_so_do_the_small_ones_beside_it() {
    const RECEIVERS: u64 = 3_000;
    const SENDERS: u64 = 4;
    const SENT: u64 = 25;
    let chat = chat_with(Limits {
        row_interval: Duration::from_hours(1),
        window_entries: 50,
        max_replay: 10_000,
        ..Limits::default()
    })
    .await;
    let sender = UserId::new();
    let members: Vec<_> = (0..RECEIVERS).map(|_| UserId::new()).collect();
    let giant = chat.create_group(sender, NewGroup::new(title("Everybody"), members.clone()));
    let giant = giant.await.unwrap().conversation;
    let head = giant.head_seq + SENDERS * SENT;
    let mut readers = JoinSet::new();
    for (user, which) in members.iter().zip(0..) {
        readers.spawn(follow(chat.clone(), *user, giant.id, which, head));
    }
    let mut small = Vec::new();
    for pair in members.chunks(2).take(50) {
        let room = group(&chat, pair).await;
        readers.spawn(follow(chat.clone(), pair[1], room, 1, 2 + SENT));
        small.push((pair[0], room));
    }
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let chat = chat.clone();
        senders.spawn(async move {
            for n in 0..SENT {
                say(&chat, sender, giant.id, &n.to_string()).await;
            }
        });
    }
    for n in 0..SENT {
        for (user, room) in &small {
            say(&chat, *user, *room, &n.to_string()).await;
        }
    }
    timeout(PATIENCE, senders.join_all()).await.unwrap();
    let readers = timeout(PATIENCE, readers.join_all()).await.unwrap();
    assert_eq!(readers.len(), 3_050);
}

/// Counts what a store is asked, by the name of the call.
#[derive(Clone, Debug, Default)]
struct Counted(Arc<Mutex<HashMap<&'static str, u64>>>);

impl Interpose for Counted {
    async fn call<T: Send>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        *self.0.lock().entry(name).or_default() += 1;
        work.await
    }
}

impl Counted {
    fn take(&self) -> HashMap<&'static str, u64> {
        std::mem::take(&mut *self.0.lock())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_held_or_looked_up_for_conversations_that_nobody_has_open() {
    let limits = Limits::default();
    let store = InterposedStore::<Counted>::default();
    let chat = Chat::builder().store(store.clone());
    let chat = chat.limits(limits.clone()).start().await.unwrap();
    let (ana, ben) = (UserId::new(), UserId::new());
    let mut groups = Vec::new();
    for _ in 0..1_000 {
        groups.push(group(&chat, &[ana, ben]).await);
    }
    sleep(limits.room_idle * 2).await;
    store.calls.take();

    // Nobody is here: what happens is written, and that is all.
    for group in &groups {
        say(&chat, ana, *group, "is anybody there?").await;
    }
    sleep(limits.room_idle * 2).await;
    assert_eq!(store.calls.take(), HashMap::from([("commit", 1_000)]));

    // Somebody comes and opens one: that one is looked up, and the others are not.
    let mut session = chat.connect(ben).await.unwrap();
    session.join(groups[0], None).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    let looked_up = store.calls.take();
    assert_eq!(looked_up.get("head"), Some(&1), "{looked_up:?}");
    assert!(looked_up.values().sum::<u64>() < 10, "{looked_up:?}");

    // The room is there as long as somebody follows, and for a while longer; then it is looked up anew.
    for (pause, expected) in [
        (limits.room_idle * 2, None),
        (limits.room_idle / 2, None),
        (limits.room_idle * 2, Some(&1)),
    ] {
        if pause < limits.room_idle || expected.is_some() {
            session.leave(groups[0]);
        }
        sleep(pause).await;
        store.calls.take();
        session.join(groups[0], None).await.unwrap();
        assert_eq!(store.calls.take().get("head"), expected, "after {pause:?}");
    }
}

/// Holds back the answer of a crowd's rows until it is let go.
#[derive(Clone, Debug)]
struct HeldBack {
    held: Arc<Notify>,
    released: Arc<Semaphore>,
}

impl Default for HeldBack {
    fn default() -> Self {
        Self {
            held: Arc::default(),
            released: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
        }
    }
}

impl Interpose for HeldBack {
    async fn call<T: Send>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let done = work.await;
        if name == "group_rows" {
            self.held.notify_one();
            let _released = self.released.acquire().await;
        }
        done
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_was_looked_up_for_a_crowd_never_takes_the_place_of_a_newer_one() {
    let store = InterposedStore::<HeldBack>::default();
    let HeldBack { held, released } = store.calls.clone();
    let chat = Chat::builder().store(store).start().await.unwrap();
    let crowd: Vec<_> = (0..20).map(|_| UserId::new()).collect();
    let (ana, ben) = (crowd[0], crowd[1]);
    let lunch = group(&chat, &crowd).await;
    let mut sessions = Vec::new();
    for user in &crowd {
        sessions.push(chat.connect(*user).await.unwrap());
    }
    let session = &mut sessions[1];
    sleep(Duration::from_secs(2)).await;

    // The crowd's rows are looked up; before they are told, Ben reads, and is told of that.
    released.forget_permits(Semaphore::MAX_PERMITS);
    let head = say(&chat, ana, lunch, "soup?").await.seq;
    timeout(PATIENCE, held.notified()).await.unwrap();
    chat.mark_read(ben, lunch, head).await.unwrap();
    let mut newest: Option<Row> = None;
    let mut listen = async |session: &mut Session| {
        while let Ok(batch) = timeout(Duration::from_millis(500), session.next()).await {
            for frame in &batch.unwrap() {
                if let Some(ServerFrame::Signal(Signal::ConversationUpdated { row })) =
                    frame.decode()
                {
                    assert!(
                        newest.as_ref().is_none_or(|newest| row.supersedes(newest)),
                        "{row:?} came after {newest:?}"
                    );
                    newest = Some(*row);
                }
            }
        }
    };
    listen(session).await;
    released.add_permits(100);
    listen(session).await;
    assert_eq!(newest.unwrap(), chat.row(ben, lunch).await.unwrap());
}
