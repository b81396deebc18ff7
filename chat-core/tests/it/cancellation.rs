//! Whoever drops a call at any await leaves nothing half done: it happened, whole and told to all, or it did not.

use std::{
    collections::HashMap,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use chat_core::{
    Chat, Error, Limits, NewGroup, Session,
    model::{
        Change, ConversationId, Draft, Entry, Presence, Profile, Role, Row, Seq, Status, UserId,
    },
    protocol::{ServerFrame, Signal},
    store::{Around, MessageLog, PresenceStore, StoreError},
};
use tokio::{
    task::yield_now,
    time::{sleep, timeout},
};

use crate::{
    interposed::{Interpose, InterposedStore},
    support::{draft, group, rename, say, title},
};

/// Long enough, on a clock that stands still while anybody has something to do, for everything that is due.
const EVERYTHING: Duration = Duration::from_secs(2);

/// A store takes its time, before it does something and after it has done it.
#[derive(Clone, Debug, Default)]
struct Slowly;

impl Interpose for Slowly {
    async fn call<T: Send>(
        &self,
        _: &'static str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        yield_now().await;
        let done = work.await;
        yield_now().await;
        done
    }
}

/// Polls a call so many times, while everybody else goes on in between, and drops it if it is not done by then.
async fn polled<T>(times: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    for _ in 0..times {
        let polled = std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context)));
        if let Poll::Ready(answer) = polled.await {
            return Some(answer);
        }
        yield_now().await;
    }
    None
}

/// Ana and Ben had lunch; Eve knows nobody. All three are here and follow what they may.
struct World {
    store: InterposedStore<Slowly>,
    chat: Chat,
    ana: UserId,
    ben: UserId,
    eve: UserId,
    lunch: ConversationId,
    soup: Draft,
    witnesses: Vec<Witness>,
}

/// A session, and what somebody knows who applied all that it was told.
struct Witness {
    session: Session,
    logs: HashMap<ConversationId, Vec<Entry>>,
    rows: HashMap<ConversationId, Row>,
    reads: HashMap<(ConversationId, UserId), Seq>,
}

impl World {
    async fn new() -> Self {
        let store = InterposedStore::<Slowly>::default();
        let limits = Limits {
            window_entries: 2,
            ..Limits::default()
        };
        let chat = Chat::builder().store(store.clone()).limits(limits);
        let chat = chat.start().await.unwrap();
        let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
        let lunch = group(&chat, &[ana, ben]).await;
        say(&chat, ana, lunch, "lunch?").await;
        say(&chat, ben, lunch, "where?").await;
        let mut world = Self {
            store,
            chat,
            ana,
            ben,
            eve,
            lunch,
            soup: draft("soup!"),
            witnesses: Vec::new(),
        };
        for user in [ana, ben, eve] {
            let mut session = world.chat.connect(user).await.unwrap();
            if user != eve {
                session.join(lunch, Some(0)).await.unwrap();
            }
            let rows = world.chat.rows(user, None, 100).await.unwrap().0;
            world.witnesses.push(Witness {
                session,
                logs: HashMap::new(),
                rows: rows
                    .into_iter()
                    .map(|row| (row.conversation.id, row))
                    .collect(),
                reads: HashMap::new(),
            });
        }
        world.settle().await;
        world
    }

    /// Lets everything happen that is under way, and everybody hear of it.
    async fn settle(&mut self) {
        sleep(EVERYTHING).await;
        for witness in &mut self.witnesses {
            witness.listen().await;
        }
    }

    /// What there is, without ids and times.
    async fn shape(&self) -> Vec<String> {
        let mut shape = Vec::new();
        for (name, user) in [("ana", self.ana), ("ben", self.ben), ("eve", self.eve)] {
            for Row {
                conversation,
                me,
                unread,
            } in self.chat.rows(user, None, 100).await.unwrap().0
            {
                let events = self.chat.events(user, conversation.id, 0, 100).await;
                let kinds: Vec<_> = events.unwrap().items.iter().map(kind).collect();
                let (title, head) = (conversation.title, conversation.head_seq);
                let (role, read, rev) = (me.role, me.read_seq, me.rev);
                let members = conversation.member_count;
                shape.push(format!(
                    "{name} {title:?} {members} {head} {role:?} {read} {rev} {unread:?} {kinds:?}"
                ));
            }
        }
        shape.sort();
        shape
    }

    /// Everybody knows what there is.
    async fn check(&self, when: &str) {
        for witness in &self.witnesses {
            let user = witness.session.user_id();
            let rows = self.chat.rows(user, None, 100).await.unwrap().0;
            assert_eq!(rows.len(), witness.rows.len(), "{when}");
            for row in rows {
                let id = row.conversation.id;
                assert_eq!(
                    without_presence(witness.rows[&id].clone()),
                    without_presence(row),
                    "{when}: a row that was told is not what there is"
                );
                let Some(log) = witness.logs.get(&id) else {
                    continue;
                };
                let events = self.chat.events(user, id, 0, 1_000).await.unwrap();
                assert_eq!(*log, events.items, "{when}: entries were not told");
                for member in self.chat.members(user, id, None, 100).await.unwrap().0 {
                    let told = witness.reads.get(&(id, member.user.id));
                    assert_eq!(
                        told,
                        Some(&member.read_seq),
                        "{when}: a cursor was not told"
                    );
                }
            }
        }
    }
}

fn kind(entry: &Entry) -> &'static str {
    match entry.change {
        Change::NewMessage { .. } => "message",
        Change::MemberJoined { .. } => "joined",
        Change::MemberLeft { .. } => "left",
        Change::MemberRole { .. } => "role",
        Change::ConversationRenamed { .. } => "renamed",
        _ => "other",
    }
}

/// Presence in a row is what it was when the row was told; later changes are told to those who watch.
fn without_presence(mut row: Row) -> Row {
    if let Some(peer) = &mut row.conversation.peer {
        peer.presence = None;
    }
    row
}

impl Witness {
    async fn listen(&mut self) {
        while let Ok(batch) = timeout(EVERYTHING, self.session.next()).await {
            for frame in &batch.unwrap() {
                self.hear(frame.decode().unwrap());
            }
        }
    }

    fn hear(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Log(entry) => {
                let id = entry.conversation_id;
                match &entry.change {
                    Change::NewMessage { message } => {
                        self.read((id, message.sender_id), entry.seq);
                    }
                    Change::MemberJoined { user_id, .. } => {
                        self.read((id, *user_id), entry.seq - 1);
                    }
                    _ => {}
                }
                let log = self.logs.entry(id).or_default();
                assert_eq!(entry.seq, log.len() as Seq + 1, "a gap or a duplicate");
                log.push(*entry);
            }
            ServerFrame::Signal(Signal::ConversationUpdated { row }) => {
                let id = row.conversation.id;
                let older = self.rows.get(&id);
                assert!(older.is_none_or(|older| row.supersedes(older)));
                self.rows.insert(id, *row);
            }
            ServerFrame::Signal(Signal::ConversationRemoved { conversation_id }) => {
                self.rows.remove(&conversation_id);
                self.logs.remove(&conversation_id);
            }
            ServerFrame::Signal(Signal::Read {
                conversation_id,
                user_id,
                seq,
            }) => self.read((conversation_id, user_id), seq),
            _ => {}
        }
    }

    fn read(&mut self, whose: (ConversationId, UserId), seq: Seq) {
        let known = self.reads.entry(whose).or_default();
        *known = seq.max(*known);
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

/// A call, with which the same call again is answered: done once more, or there is nothing left to do.
struct Call {
    name: &'static str,
    make: fn(&World) -> Answer<'_>,
    nothing_left: fn(&Error) -> bool,
}

macro_rules! call {
    ($name:literal, $world:ident => $call:expr) => {
        call!($name, $world => $call, |_| false)
    };
    ($name:literal, $world:ident => $call:expr, $nothing_left:expr) => {
        Call {
            name: $name,
            make: |$world| Box::pin(async move { $call.await.map(|_| ()) }),
            nothing_left: $nothing_left,
        }
    };
}

/// Every call of a chat that writes, and every one that reads.
fn calls() -> Vec<Call> {
    let not_there = |error: &Error| matches!(error, Error::NotFound(_));
    vec![
        call!("send", w => w.chat.send(w.ben, w.lunch, w.soup.clone())),
        call!("mark_read", w => w.chat.mark_read(w.ana, w.lunch, 4)),
        call!("create_group", w => w.chat.create_group(w.ana, NewGroup::new(title("Dinner"), vec![w.ben, w.eve]))),
        call!("direct", w => w.chat.direct(w.ana, w.eve)),
        call!("rename", w => rename(&w.chat, w.ana, w.lunch, title("Brunch"))),
        call!("put_member, new", w => w.chat.put_member(w.ana, w.lunch, w.eve, None)),
        call!("put_member, role", w => w.chat.put_member(w.ana, w.lunch, w.ben, Some(Role::Admin))),
        call!("remove_member", w => w.chat.remove_member(w.ana, w.lunch, w.ben, false), not_there),
        call!("leave", w => w.chat.remove_member(w.ben, w.lunch, w.ben, false), not_there),
        call!("messages", w => w.chat.messages(w.ben, w.lunch, Around::Newest, 10)),
        call!("events", w => w.chat.events(w.ben, w.lunch, 0, 10)),
        call!("row", w => w.chat.row(w.ben, w.lunch)),
        call!("rows", w => w.chat.rows(w.ben, None, 10)),
        call!("row_changes", w => w.chat.row_changes(w.ben, &[])),
        call!("members", w => w.chat.members(w.ben, w.lunch, None, 10)),
        call!("with_presence", w => w.chat.with_presence(w.ana, vec![nameless(w.ben)])),
        call!("check", w => w.chat.check()),
    ]
}

fn nameless(id: UserId) -> Profile {
    Profile {
        id,
        username: String::new(),
        display_name: String::new(),
        presence: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_happened_whole_or_not_at_all() {
    for call in calls() {
        let (before, after) = {
            let mut world = World::new().await;
            let before = world.shape().await;
            (call.make)(&world).await.unwrap();
            world.settle().await;
            (before, world.shape().await)
        };
        for times in 0.. {
            let when = format!("{} dropped after {times} polls", call.name);
            let mut world = World::new().await;
            let answer = polled(times, (call.make)(&world)).await;
            world.settle().await;
            let shape = world.shape().await;
            assert!(
                shape == before || shape == after,
                "{when}: half done, {shape:#?}"
            );
            world.check(&when).await;
            if let Some(answer) = answer {
                answer.unwrap();
                assert_eq!(shape, after, "{when}");
                break;
            }
            match (call.make)(&world).await {
                Ok(()) => {}
                Err(error) if shape == after && (call.nothing_left)(&error) => {}
                Err(error) => panic!("{when}, and then again: {error}"),
            }
            world.settle().await;
            world.check(&format!("{when}, and then again")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_join_that_is_dropped_changes_nothing() {
    for (already, after) in [(false, Some(0)), (false, None), (true, Some(0))] {
        for times in 0.. {
            let mut world = World::new().await;
            let mut session = world.chat.connect(world.ben).await.unwrap();
            if already {
                session.join(world.lunch, None).await.unwrap();
            }
            let joined = polled(times, session.join(world.lunch, after)).await;
            world
                .chat
                .mark_read(world.ana, world.lunch, 4)
                .await
                .unwrap();
            say(&world.chat, world.ana, world.lunch, "soup?").await;
            let expected: &[Seq] = match (&joined, after) {
                (Some(_), Some(_)) => &[1, 2, 3, 4, 5],
                (Some(_), None) => &[5],
                (None, _) if already => &[5],
                (None, _) => &[],
            };
            let (seqs, cursors) = heard(&mut session).await;
            assert_eq!(seqs, expected, "{already} {after:?} {times}");
            // Cursors of others are told to those who joined, and to them alone.
            let follows = already || joined.is_some();
            assert_eq!(
                cursors.contains(&world.ana),
                follows,
                "{already} {after:?} {times}"
            );
            world.settle().await;
            world.check("after a join").await;
            if let Some(joined) = joined {
                joined.unwrap();
                break;
            }
            session.join(world.lunch, after).await.unwrap();
            say(&world.chat, world.ana, world.lunch, "stew?").await;
            let expected: &[Seq] = match after {
                Some(_) => &[1, 2, 3, 4, 5, 6],
                None => &[6],
            };
            let (seqs, _) = heard(&mut session).await;
            assert_eq!(seqs, expected, "{already} {after:?} {times}");
        }
    }
}

/// The log frames that come, by their places, and whose read cursors.
async fn heard(session: &mut Session) -> (Vec<Seq>, Vec<UserId>) {
    let (mut seqs, mut cursors) = (Vec::new(), Vec::new());
    while let Ok(batch) = timeout(EVERYTHING, session.next()).await {
        for frame in &batch.unwrap() {
            match frame.decode().unwrap() {
                ServerFrame::Log(entry) => seqs.push(entry.seq),
                ServerFrame::Signal(Signal::Read { user_id, .. }) => cursors.push(user_id),
                _ => {}
            }
        }
    }
    (seqs, cursors)
}

#[tokio::test(start_paused = true)]
async fn a_next_that_is_dropped_loses_nothing_of_what_was_to_come() {
    for times in 0.. {
        let mut world = World::new().await;
        world.witnesses[0]
            .session
            .watch_presence(vec![world.ben])
            .await
            .unwrap();
        // More than the window holds, so that the store is read; rows, cursors and presence beside.
        for n in 0..30 {
            say(&world.chat, world.ben, world.lunch, &n.to_string()).await;
            world
                .chat
                .mark_read(world.ana, world.lunch, n)
                .await
                .unwrap();
        }
        world
            .chat
            .put_member(world.ana, world.lunch, world.eve, None)
            .await
            .unwrap();
        world
            .chat
            .direct(world.ana, world.eve)
            .await
            .map(|_| ())
            .unwrap();
        let mut answered = false;
        // Again and again, as a `select!` in a loop does.
        for _ in 0..10 {
            let witness = &mut world.witnesses[0];
            if let Some(batch) = polled(times, witness.session.next()).await {
                answered = true;
                for frame in &batch.unwrap() {
                    witness.hear(frame.decode().unwrap());
                }
            }
        }
        world.settle().await;
        world
            .check(&format!("next dropped after {times} polls"))
            .await;
        if answered {
            break;
        }
    }
}

/// What a watcher is told of somebody, newest last.
async fn seen(session: &mut Session, of: UserId) -> Vec<Status> {
    let mut statuses = Vec::new();
    while let Ok(batch) = timeout(EVERYTHING, session.next()).await {
        for frame in &batch.unwrap() {
            if let Some(ServerFrame::Signal(Signal::Presence(Presence {
                user_id, status, ..
            }))) = frame.decode()
                && user_id == of
            {
                statuses.push(status);
            }
        }
    }
    statuses
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_dropped_keeps_the_former_and_works_when_asked_again() {
    for times in 0.. {
        let mut world = World::new().await;
        let cem = UserId::new();
        let (ana, ben) = (world.ana, world.ben);
        world
            .chat
            .put_member(ana, world.lunch, cem, None)
            .await
            .unwrap();
        // Ben goes and comes on a session of his own.
        world.witnesses.remove(1).session.close();
        let mut watcher = world.chat.connect(ana).await.unwrap();
        watcher.watch_presence(vec![ben]).await.unwrap();
        assert_eq!(seen(&mut watcher, ben).await, [Status::Offline]);

        let answer = polled(times, watcher.watch_presence(vec![cem])).await;
        let back = world.chat.connect(ben).await.unwrap();
        let heard = seen(&mut watcher, ben).await;
        if let Some(answer) = answer {
            answer.unwrap();
            assert!(heard.is_empty(), "Ben is no longer watched");
            break;
        }
        assert_eq!(heard, [Status::Online], "dropped after {times} polls");

        watcher.watch_presence(vec![cem]).await.unwrap();
        back.close();
        assert_eq!(seen(&mut watcher, ben).await, []);
        let _cem = world.chat.connect(cem).await.unwrap();
        assert_eq!(seen(&mut watcher, cem).await, [Status::Online]);
    }
}

#[tokio::test(start_paused = true)]
async fn typing_that_is_dropped_leaves_nobody_typing_for_ever() {
    for times in 0.. {
        let mut world = World::new().await;
        let typing = polled(times, world.witnesses[1].session.typing(world.lunch, true)).await;
        let mut typists = Vec::new();
        while let Ok(batch) = timeout(EVERYTHING, world.witnesses[0].session.next()).await {
            typists.extend(batch.unwrap().iter().filter_map(typing_in));
        }
        if let Some(typing) = typing {
            typing.unwrap();
            assert_eq!(typists, [[world.ben]]);
            break;
        }
        assert!(typists.is_empty(), "dropped after {times} polls");

        let ben = &mut world.witnesses[1].session;
        ben.typing(world.lunch, true).await.unwrap();
        drop(world.witnesses.remove(1));
        while let Ok(batch) = timeout(EVERYTHING, world.witnesses[0].session.next()).await {
            typists.extend(batch.unwrap().iter().filter_map(typing_in));
        }
        assert_eq!(typists.last(), Some(&vec![]), "dropped after {times} polls");
    }
}

fn typing_in(frame: &chat_core::Frame) -> Option<Vec<UserId>> {
    match frame.decode() {
        Some(ServerFrame::Signal(Signal::Typing { user_ids, .. })) => Some(user_ids),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_connect_that_is_dropped_leaves_nobody_online() {
    for times in 0.. {
        let mut world = World::new().await;
        world.witnesses.remove(1).session.close();
        let connected = polled(times, world.chat.connect(world.ben)).await;
        let shown = world
            .chat
            .with_presence(world.ana, vec![nameless(world.ben)])
            .await
            .unwrap();
        let status = shown[0].presence.unwrap().status;
        if let Some(session) = connected {
            assert_eq!(status, Status::Online);
            drop(session.unwrap());
            break;
        }
        assert_eq!(status, Status::Offline, "dropped after {times} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_is_dropped_can_be_asked_for_again() {
    for times in 0.. {
        let mut world = World::new().await;
        let sends = (0..5).map(|n| {
            let (chat, ana, lunch) = (world.chat.clone(), world.ana, world.lunch);
            tokio::spawn(async move { chat.send(ana, lunch, draft(&n.to_string())).await })
        });
        let sends: Vec<_> = sends.collect();
        yield_now().await;
        let stopped = polled(times, world.chat.shutdown()).await;
        world.chat.shutdown().await;

        let mut accepted = 0;
        for send in sends {
            match send.await.unwrap() {
                Ok(_) => accepted += 1,
                Err(Error::ShuttingDown) => {}
                Err(error) => panic!("dropped after {times} polls: {error}"),
            }
        }
        let log = world.store.inner.entries_after(world.lunch, 0, 100).await;
        let log = log.unwrap();
        assert_eq!(log.len(), 4 + accepted, "dropped after {times} polls");
        for witness in &mut world.witnesses[..2] {
            let end = loop {
                match timeout(EVERYTHING, witness.session.next()).await.unwrap() {
                    Ok(batch) => batch
                        .iter()
                        .for_each(|frame| witness.hear(frame.decode().unwrap())),
                    Err(error) => break error,
                }
            };
            assert!(matches!(end, Error::ShuttingDown));
            assert_eq!(
                witness.logs[&world.lunch], log,
                "dropped after {times} polls"
            );
        }
        let seen = world.store.inner.last_seen(&[world.ana, world.ben]).await;
        assert_eq!(seen.unwrap().len(), 2, "dropped after {times} polls");
        if stopped.is_some() {
            break;
        }
    }
}
