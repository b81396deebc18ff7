//! A socket as a server serves it: commands one after the other, frames only while the last ones are written.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    future::poll_fn,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{
    history::{Author, Promise},
    pipe::{ServerSocket, Word},
    world::{Node, OpenSession, World},
};
use crate::{
    Batch, Error, Session, TryNext,
    model::{ConversationId, Draft, Seq, StoreEpoch, UserId},
    protocol::{Ack, Announced, ClientCommand, ClientFrame, Hello, Problem, ServerFrame, Signal},
};

/// Commands that wait; with more, no more are read.
const MOST_WAITING: usize = 8;

/// The `ref` of a command.
type Reference = Option<String>;
type Running = Pin<Box<dyn Future<Output = Signal> + Send>>;

struct Gateway {
    world: Arc<World>,
    node: Node,
    session: Session,
    /// In the world's list of open sessions.
    number: u64,
    unwritten: VecDeque<Word>,
    waiting: VecDeque<ClientFrame>,
    running: Option<Running>,
    ask_session_at: Instant,
    /// Served in the way of those who serve many sessions in turns.
    in_turns: bool,
}

/// How a socket ends.
enum End {
    Goodbye,
    Lost,
    Killed,
    Closing,
}

/// Serves a socket to its end.
pub(super) async fn serve(
    world: Arc<World>,
    node: Node,
    (author, user): (Author, UserId),
    mut socket: ServerSocket,
) {
    let Ok(Ok(session)) = node.ask(node.chat.connect(user)).await else {
        return;
    };
    let mut gateway = Gateway::new(world, node, author, session);
    let end = gateway.follow(&mut socket).await;
    gateway.end(end, socket).await;
}

/// What a session has to tell next.
async fn next_of(session: &mut Session, in_turns: bool) -> Result<Batch, Error> {
    if !in_turns {
        return session.next().await;
    }
    loop {
        let mut batch = Batch::default();
        let found = poll_fn(|it| Poll::Ready(session.try_next(it.waker(), &mut batch))).await;
        match found {
            TryNext::Frames | TryNext::FramesAndMore => return Ok(batch),
            TryNext::Ask => return session.next().await,
            TryNext::Nothing => woken_or_due(session).await,
        }
    }
}

async fn woken_or_due(session: &Session) {
    let mut waits = true;
    let woken = poll_fn(|_| {
        if mem::replace(&mut waits, false) {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    });
    match session.due() {
        None => woken.await,
        Some(due) => timeout_at(due, woken).await.unwrap_or(()),
    }
}

impl Gateway {
    fn new(world: Arc<World>, node: Node, author: Author, session: Session) -> Self {
        let number = world.number();
        let open = OpenSession {
            author,
            user: session.user_id(),
            node: node.index,
            served: std::collections::BTreeMap::new(),
        };
        world.sessions.lock().insert(number, open);
        let hello = hello(&session, node.chat.epoch(), &world);
        let in_turns = world.random().chance(50);
        let mut gateway = Self {
            in_turns,
            world,
            node,
            session,
            number,
            unwritten: VecDeque::new(),
            waiting: VecDeque::new(),
            running: None,
            ask_session_at: Instant::now(),
        };
        gateway.say(&Signal::Hello(Box::new(hello)));
        gateway
    }

    async fn follow(&mut self, socket: &mut ServerSocket) -> End {
        let dead = self.node.dead.clone();
        loop {
            self.carry_out_next().await;
            let writing = !self.unwritten.is_empty();
            let reading = self.waiting.len() < MOST_WAITING;
            let rested = self.ask_session_at <= Instant::now();
            tokio::select! {
                biased;
                () = dead.cancelled() => return End::Killed,
                open = socket.writer.write(&mut self.unwritten), if writing => {
                    if !open {
                        return End::Lost;
                    }
                }
                answer = outcome(&mut self.running) => self.say(&answer),
                text = socket.reader.read(), if reading => match text {
                    None => return End::Lost,
                    Some(text) if text == "goodbye" => return End::Goodbye,
                    Some(text) => self.waiting.push_back(ClientFrame::decode(&text).unwrap()),
                },
                frames = next_of(&mut self.session, self.in_turns), if !writing && rested => match frames {
                    Ok(frames) => self.push(&frames),
                    Err(Error::Unavailable(_)) => {
                        self.ask_session_at = Instant::now() + Duration::from_secs(1);
                    }
                    Err(_) => return End::Closing,
                },
                () = sleep_until(self.ask_session_at), if !rested => {}
                () = sleep(Duration::from_millis(500)), if writing => self.check_what_is_held(),
            }
        }
    }

    async fn end(mut self, end: End, mut socket: ServerSocket) {
        self.world.note(|| format!("{self} ends"));
        self.world.sessions.lock().remove(&self.number);
        match end {
            End::Goodbye => self.session.close(),
            End::Lost => {}
            End::Killed => {
                let unnoticed = self.world.random().chance(20);
                let longest = if unnoticed { 50_000 } else { 0 };
                let unnoticed = self.world.random().millis(longest);
                socket.vanish(unnoticed);
            }
            End::Closing => {
                self.say(&Signal::Reconnect { after_ms: 100 });
                self.unwritten.push_back(Word::Close { code: 1001 });
                tokio::select! {
                    biased;
                    _ = socket.writer.write(&mut self.unwritten) => {}
                    () = sleep(Duration::from_secs(2)) => {}
                }
                // The words on their way are read before the end is.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    fn say(&mut self, signal: &Signal) {
        let text = serde_json::to_string(signal).unwrap();
        self.unwritten.push_back(Word::Text(text));
    }

    /// Frames that the session gives are what it promises: no gap, no duplicate, each state once.
    fn push(&mut self, frames: &Batch) {
        let mut states = BTreeSet::new();
        for frame in frames {
            match frame.decode() {
                Some(ServerFrame::Log(entry)) => {
                    let served = self.served(entry.conversation_id);
                    match served {
                        Some(cursor) => {
                            let name = self.to_string();
                            let mut history = self.world.history();
                            history.delivered(&name, cursor, &entry);
                            history.served(&name, self.session.user_id(), &entry);
                            drop(history);
                            self.set_served(entry.conversation_id, Some(entry.seq));
                        }
                        None => self.world.violation(
                            Promise::NoGap,
                            format!("{self} gets {entry:?} without having joined"),
                        ),
                    }
                }
                Some(ServerFrame::Signal(signal)) => {
                    self.world.note(|| {
                        format!("{self} is told {}", state_key(&signal).unwrap_or_default())
                    });
                    if let Signal::Resync {
                        conversation_id, ..
                    }
                    | Signal::ConversationRemoved { conversation_id } = &signal
                    {
                        self.set_served(*conversation_id, None);
                    }
                    if let Some(key) = state_key(&signal)
                        && !states.insert(key.clone())
                    {
                        let what = format!("{self} is told twice at once of {key}");
                        self.world.violation(Promise::Bounded, what);
                    }
                }
                None => {}
            }
            let text = String::from_utf8(frame.json().to_vec()).unwrap();
            self.unwritten.push_back(Word::Text(text));
        }
    }

    fn served(&self, conversation: ConversationId) -> Option<Seq> {
        let sessions = self.world.sessions.lock();
        sessions
            .get(&self.number)?
            .served
            .get(&conversation)
            .copied()
    }

    fn set_served(&self, conversation: ConversationId, cursor: Option<Seq>) {
        if let Some(open) = self.world.sessions.lock().get_mut(&self.number) {
            match cursor {
                Some(cursor) => open.served.insert(conversation, cursor),
                None => open.served.remove(&conversation),
            };
        }
    }

    /// While nothing is read, everything that the session holds is a key: as many as there are, and no more.
    fn check_what_is_held(&self) {
        let users = self.world.users.len();
        let conversations = self.world.listed(self.session.user_id()).len() + 4;
        let keys = 3 * conversations + users + 2 * conversations * users;
        let held = self.session.held();
        if held > keys {
            let what = format!("{self} reads nothing and holds {held} marks");
            self.world.violation(Promise::Bounded, what);
        }
    }

    async fn carry_out_next(&mut self) {
        while self.running.is_none() {
            let Some(ClientFrame { reference, command }) = self.waiting.pop_front() else {
                return;
            };
            let dead = self.node.dead.clone();
            let done = tokio::select! {
                biased;
                () = dead.cancelled() => return,
                done = self.carry_out(reference.clone(), command) => done,
            };
            if let Some(done) = done {
                self.say(&answer(reference, done));
            }
        }
    }

    async fn carry_out(
        &mut self,
        reference: Reference,
        command: ClientCommand,
    ) -> Option<Result<Ack, Error>> {
        let nothing = |()| Ack::default();
        match command {
            ClientCommand::JoinConversation {
                conversation_id,
                after_seq,
            } => Some(self.join(conversation_id, after_seq).await),
            ClientCommand::LeaveConversation { conversation_id } => {
                self.session.leave(conversation_id);
                self.set_served(conversation_id, None);
                Some(Ok(Ack::default()))
            }
            ClientCommand::TypingStart { conversation_id } => Some(
                self.session
                    .typing(conversation_id, true)
                    .await
                    .map(nothing),
            ),
            ClientCommand::TypingStop { conversation_id } => Some(
                self.session
                    .typing(conversation_id, false)
                    .await
                    .map(nothing),
            ),
            ClientCommand::WatchPresence { user_ids } => {
                if let Some(polls) = self.patience() {
                    GiveUp::after(polls, self.session.watch_presence(user_ids.clone())).await;
                }
                Some(self.session.watch_presence(user_ids).await.map(nothing))
            }
            ClientCommand::SendMessage {
                conversation_id,
                client_id,
                body,
                reply_to,
            } => {
                let draft = Draft {
                    client_id,
                    body,
                    reply_to,
                };
                let (chat, user) = (self.node.chat.clone(), self.session.user_id());
                self.running = Some(Box::pin(async move {
                    let sent = chat.send(user, conversation_id, draft).await;
                    let ack = sent.map(|sent| Ack {
                        message: Some(Box::new(sent.message)),
                        ..Ack::default()
                    });
                    answer(reference, ack)
                }));
                None
            }
            ClientCommand::MarkDelivered {
                conversation_id,
                seq,
            } => {
                let (chat, user) = (self.node.chat.clone(), self.session.user_id());
                self.running = Some(Box::pin(async move {
                    let done = chat.mark_delivered(user, conversation_id, seq).await;
                    answer(reference, done.map(nothing))
                }));
                None
            }
            ClientCommand::MarkRead {
                conversation_id,
                seq,
                unread: false,
            } => {
                let (chat, user) = (self.node.chat.clone(), self.session.user_id());
                let world = Arc::clone(&self.world);
                self.running = Some(Box::pin(async move {
                    let read = chat.mark_read(user, conversation_id, seq).await;
                    if let Ok(seq) = read {
                        world.history().read(conversation_id, user, seq);
                    }
                    answer(reference, read.map(|_| Ack::default()))
                }));
                None
            }
            _ => Some(Ok(Ack::default())),
        }
    }

    async fn join(
        &mut self,
        conversation: ConversationId,
        after: Option<Seq>,
    ) -> Result<Ack, Error> {
        let hasty = match self.patience() {
            Some(polls) => GiveUp::after(polls, self.session.join(conversation, after)).await,
            None => None,
        };
        // Given up, it left nothing behind, and is done anew.
        let joined = match hasty {
            Some(joined) => joined?,
            None => self.session.join(conversation, after).await?,
        };
        let cursor = joined.after_seq.unwrap_or(joined.head_seq);
        self.world
            .note(|| format!("{self} joins {conversation} after {cursor}"));
        self.set_served(conversation, Some(cursor));
        Ok(Ack {
            head_seq: Some(joined.head_seq),
            after_seq: joined.after_seq,
            reset: Some(joined.reset),
            message: None,
        })
    }

    /// After how many polls a call is dropped, which must leave things as they were; most are not.
    fn patience(&self) -> Option<usize> {
        let mut random = self.world.random();
        random.chance(20).then(|| 1 + random.below(8))
    }
}

impl fmt::Display for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self
            .world
            .users
            .iter()
            .position(|user| *user == self.session.user_id());
        let (session, node) = (self.number, self.node.index);
        write!(
            f,
            "session {session} of u{} on n{node}",
            user.unwrap_or(usize::MAX)
        )
    }
}

/// A call that is dropped when it is still pending after so many polls.
pub(super) struct GiveUp<F> {
    call: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future> GiveUp<F> {
    pub(super) fn after(polls: usize, call: F) -> Self {
        let call = Box::pin(call);
        Self { call, polls }
    }
}

impl<F: Future> Future for GiveUp<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(done) = self.call.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        self.polls -= 1;
        if self.polls == 0 {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }
}

async fn outcome(running: &mut Option<Running>) -> Signal {
    let Some(command) = running else {
        return std::future::pending().await;
    };
    let answer = command.await;
    *running = None;
    answer
}

fn answer(reference: Reference, result: Result<Ack, Error>) -> Signal {
    match result {
        Ok(ack) => Signal::Ack { reference, ack },
        Err(error) => Signal::Error {
            reference,
            problem: Box::new(problem(&error)),
        },
    }
}

pub(super) fn problem(error: &Error) -> Problem {
    error.problem()
}

/// What a frame of the class "state" is about.
fn state_key(signal: &Signal) -> Option<String> {
    match signal {
        Signal::ConversationUpdated { row } => Some(format!("row {}", row.conversation.id)),
        Signal::ConversationRemoved { conversation_id } => {
            Some(format!("removal {conversation_id}"))
        }
        Signal::Read {
            conversation_id,
            user_id,
            ..
        } => Some(format!("read {conversation_id} {user_id}")),
        Signal::Delivered {
            conversation_id,
            user_id,
            ..
        } => Some(format!("delivered {conversation_id} {user_id}")),
        Signal::Presence(presence) => Some(format!("presence {}", presence.user_id)),
        Signal::Typing {
            conversation_id, ..
        } => Some(format!("typing {conversation_id}")),
        _ => None,
    }
}

fn hello(session: &Session, epoch: StoreEpoch, world: &World) -> Hello {
    Hello {
        session_id: session.id(),
        user_id: session.user_id(),
        availability: session.availability(),
        node_id: crate::model::NodeId::new(),
        epoch,
        server_version: "simulated".to_owned(),
        token_expires_in_ms: 86_400_000,
        limits: Announced {
            ping_interval_ms: 20_000,
            idle_timeout_ms: 45_000,
            max_body_chars: world.limits.max_body_chars,
            max_frame_bytes: 65_536,
            typing_repeat_ms: 4_000,
            typing_expiry_ms: 8_000,
            max_watched_users: world.limits.max_watched_users,
            max_joined_conversations: world.limits.max_joined_conversations,
            max_replay: world.limits.max_replay,
            sends_per_second: 50,
            send_burst: 50,
            frames_per_second: 200,
            frame_burst: 200,
            requests_per_second: 200,
            request_burst: 200,
            logins_per_quarter_hour: 5,
            max_sockets_per_user: 20,
        },
    }
}
