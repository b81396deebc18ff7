//! A simulated server that loses, repeats and reorders, and what an application sees through it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{
    client::Link,
    model::{
        Change, Conversation, ConversationKind, Draft, Entry, Message, MessageId, Mine, NodeId,
        Role, SessionId, Timestamp, Unread,
    },
    protocol::{Ack, Announced, ClientCommand, ClientFrame, Hello, Signal},
};

/// One thing that happens in the world.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Somebody else says something in a conversation.
    Say(usize),
    /// The application puts a message into the outbox.
    Send(usize),
    /// The server reads this many frames.
    ServerReads(usize),
    /// The client reads this many frames.
    ClientReads(usize),
    /// The server looks at the nth waiting call; the answer is on its way.
    ServerAnswers(usize),
    /// The nth answer on its way arrives.
    AnswerArrives(usize),
    /// The nth waiting call fails.
    CallFails(usize),
    /// An entry on its way is lost, comes twice, or changes places with the next frame.
    Lose(usize),
    Repeat(usize),
    Swap(usize),
    Break,
    Drain,
    /// The next join is too far behind.
    ResetNextJoin,
    Resync(usize),
    RefuseNextSend {
        retryable: bool,
    },
    /// I am removed from, or added again to, the conversation that is only in the list.
    ToggleMember,
    MarkRead(usize),
    LeaveAndOpen(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..2usize).prop_map(Step::Say),
        3 => (0..2usize).prop_map(Step::Send),
        8 => (1..6usize).prop_map(Step::ServerReads),
        8 => (1..6usize).prop_map(Step::ClientReads),
        6 => (0..3usize).prop_map(Step::ServerAnswers),
        6 => (0..3usize).prop_map(Step::AnswerArrives),
        1 => (0..3usize).prop_map(Step::CallFails),
        2 => (0..20usize).prop_map(Step::Lose),
        2 => (0..20usize).prop_map(Step::Repeat),
        2 => (0..20usize).prop_map(Step::Swap),
        2 => Just(Step::Break),
        1 => Just(Step::Drain),
        1 => Just(Step::ResetNextJoin),
        1 => (0..2usize).prop_map(Step::Resync),
        1 => any::<bool>().prop_map(|retryable| Step::RefuseNextSend { retryable }),
        2 => Just(Step::ToggleMember),
        1 => (0..2usize).prop_map(Step::MarkRead),
        1 => (0..2usize).prop_map(Step::LeaveAndOpen),
        4 => (1..3_000u64).prop_map(Step::Wait),
    ]
}

/// A conversation at the server, as far as a client can see it.
struct Log {
    id: ConversationId,
    entries: Vec<Entry>,
    rev: u64,
    member: bool,
}

impl Log {
    fn head(&self) -> Seq {
        self.entries.len() as Seq
    }

    fn append(&mut self, sender_id: UserId, draft: Draft) -> Message {
        let message = Message {
            id: MessageId::new(),
            conversation_id: self.id,
            seq: self.head() + 1,
            sender_id,
            client_id: draft.client_id,
            body: draft.body,
            reply_to: None,
            mentions: Vec::new(),
            reactions: Vec::new(),
            created_at: Timestamp::from_millis(0),
            edited_at: None,
            deleted_at: None,
        };
        self.entries.push(Entry {
            conversation_id: self.id,
            seq: message.seq,
            at: message.created_at,
            change: Change::NewMessage {
                message: message.clone(),
            },
        });
        message
    }

    fn row(&self) -> Row {
        Row {
            conversation: Conversation {
                id: self.id,
                kind: ConversationKind::Group,
                title: None,
                peer: None,
                member_count: 2,
                head_seq: self.head(),
                last_message: None,
                last_activity_at: Timestamp::from_millis(0),
            },
            me: Mine {
                role: Role::Member,
                read_seq: 0,
                rev: self.rev,
                pinned: false,
                muted: false,
                archived: false,
            },
            unread: Unread::default(),
        }
    }
}

/// The server's end of a socket.
#[derive(Default)]
struct Wire {
    to_client: VecDeque<ServerWord>,
    to_server: VecDeque<String>,
    joined: HashMap<ConversationId, Seq>,
}

#[derive(Clone)]
enum ServerWord {
    Entry(Entry),
    Signal(Signal),
}

struct World {
    now: Instant,
    state: State,
    me: UserId,
    epoch: StoreEpoch,
    /// Two that are open, and one that is only in the list.
    logs: Vec<Log>,
    wire: Option<Wire>,
    calls: Vec<(CallId, Call)>,
    answers: Vec<(CallId, Result<Answer, ClientError>)>,
    reset_next_join: bool,
    refuse_next_send: Option<bool>,
    app: App,
}

/// What an application makes of the events.
#[derive(Default)]
struct App {
    rows: BTreeMap<ConversationId, Row>,
    entries: HashMap<ConversationId, Vec<Entry>>,
    put_in: Vec<(ConversationId, ClientId)>,
    sent: Vec<ClientId>,
    failed: Vec<ClientId>,
    online: bool,
    restored: u64,
    closed: Vec<ConversationId>,
}

impl App {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Link(link) => self.online = matches!(link, Link::Online(_)),
            Event::Rows {
                rows,
                gone,
                snapshot,
            } => {
                if snapshot {
                    self.rows.clear();
                }
                for row in rows {
                    if let Some(older) = self.rows.get(&row.conversation.id) {
                        assert!(row.supersedes(older), "the list went backwards");
                    }
                    self.rows.insert(row.conversation.id, row);
                }
                for id in gone {
                    self.rows.remove(&id);
                }
            }
            Event::Entry(entry) => {
                let log = self.entries.entry(entry.conversation_id).or_default();
                assert_eq!(entry.seq, log.len() as Seq + 1, "a gap or a duplicate");
                log.push(*entry);
            }
            Event::Sent(message) => self.sent.push(message.client_id),
            Event::SendFailed { client_id, .. } => self.failed.push(client_id),
            Event::Restored => {
                self.restored += 1;
                self.rows.clear();
                self.entries.clear();
            }
            Event::Closed {
                conversation_id, ..
            } => self.closed.push(conversation_id),
            _ => {}
        }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            now: Instant::now(),
            state: State::new(Jitter::seeded(seed)),
            me: UserId::new(),
            epoch: StoreEpoch::new(),
            logs: Vec::new(),
            wire: None,
            calls: Vec::new(),
            answers: Vec::new(),
            reset_next_join: false,
            refuse_next_send: None,
            app: App::default(),
        };
        for _ in 0..3 {
            world.logs.push(Log {
                id: ConversationId::new(),
                entries: Vec::new(),
                rev: 1,
                member: true,
            });
        }
        world.open(0);
        world.open(1);
        world
    }

    fn want(&mut self, ask: impl FnOnce(&mut Wants)) {
        let mut wants = Wants::default();
        ask(&mut wants);
        self.input(Input::Wants(Box::new(wants)));
    }

    fn open(&mut self, which: usize) {
        let id = self.logs[which].id;
        let opening = Opening {
            after: self.app.entries.get(&id).map_or(0, Vec::len) as Seq,
            restores_seen: self.app.restored,
        };
        self.want(|wants| wants.open(id, opening));
    }

    fn input(&mut self, input: Input) {
        self.state.input(input, self.now);
        while let Some(output) = self.state.output() {
            match output {
                Output::Connect { .. } => {
                    self.wire = Some(Wire::default());
                    let hello = Signal::Hello(Box::new(hello(self.me, self.epoch)));
                    self.say(ServerWord::Signal(hello));
                    self.state.input(Input::Connected, self.now);
                }
                Output::Disconnect => {
                    self.wire = None;
                    self.calls.clear();
                    self.answers.clear();
                }
                Output::Write(text) => {
                    if let Some(wire) = &mut self.wire {
                        wire.to_server.push_back(text);
                    }
                }
                Output::Call(id, call) => self.calls.push((id, call)),
                Output::Event(event) => self.app.hear(event),
                Output::Left(..) => {}
            }
        }
    }

    fn say(&mut self, word: ServerWord) {
        if let Some(wire) = &mut self.wire {
            wire.to_client.push_back(word);
        }
    }

    /// Something was appended or changed: what the server sends for it.
    fn publish(&mut self, which: usize) {
        let log = &self.logs[which];
        if let Some(wire) = &mut self.wire {
            if let Some(cursor) = wire.joined.get_mut(&log.id) {
                for entry in log.entries.iter().skip(usize::try_from(*cursor).unwrap()) {
                    wire.to_client.push_back(ServerWord::Entry(entry.clone()));
                }
                *cursor = log.head();
            }
            let signal = if log.member {
                let row = Box::new(log.row());
                Signal::ConversationUpdated { row }
            } else {
                let conversation_id = log.id;
                Signal::ConversationRemoved { conversation_id }
            };
            wire.to_client.push_back(ServerWord::Signal(signal));
        }
    }

    fn server_reads(&mut self) {
        let Some(text) = self.wire.as_mut().and_then(|w| w.to_server.pop_front()) else {
            return;
        };
        let ClientFrame { reference, command } = ClientFrame::decode(&text).unwrap();
        let mut ack = Ack::default();
        let mut published = None;
        match command {
            ClientCommand::JoinConversation {
                conversation_id,
                after_seq,
            } => {
                let which = self.which(conversation_id);
                let head = self.logs[which].head();
                let reset = std::mem::take(&mut self.reset_next_join);
                let from = if reset {
                    head
                } else {
                    after_seq.unwrap_or(head)
                };
                let from = from.min(head);
                ack.head_seq = Some(head);
                ack.reset = Some(reset);
                if let Some(wire) = &mut self.wire {
                    wire.joined.insert(conversation_id, from);
                }
                published = Some(which);
            }
            ClientCommand::LeaveConversation { conversation_id } => {
                if let Some(wire) = &mut self.wire {
                    wire.joined.remove(&conversation_id);
                }
            }
            ClientCommand::SendMessage {
                conversation_id,
                client_id,
                body,
                reply_to,
            } => {
                let which = self.which(conversation_id);
                let earlier = self.logs[which]
                    .entries
                    .iter()
                    .filter_map(Entry::message)
                    .find(|message| message.client_id == client_id)
                    .cloned();
                if earlier.is_none()
                    && let Some(retryable) = self.refuse_next_send.take()
                {
                    let code = if retryable {
                        ErrorCode::Unavailable
                    } else {
                        ErrorCode::Refused
                    };
                    let problem = Box::new(Problem::new(code, "not now"));
                    return self.say(ServerWord::Signal(Signal::Error { reference, problem }));
                }
                let message = earlier.unwrap_or_else(|| {
                    published = Some(which);
                    let draft = Draft {
                        client_id,
                        body,
                        reply_to,
                    };
                    self.logs[which].append(self.me, draft)
                });
                ack.message = Some(Box::new(message));
            }
            _ => {}
        }
        self.say(ServerWord::Signal(Signal::Ack { reference, ack }));
        if let Some(which) = published {
            self.publish(which);
        }
    }

    fn client_reads(&mut self) {
        let Some(word) = self.wire.as_mut().and_then(|w| w.to_client.pop_front()) else {
            return;
        };
        let text = match word {
            ServerWord::Entry(entry) => serde_json::to_string(&entry),
            ServerWord::Signal(signal) => serde_json::to_string(&signal),
        };
        self.input(Input::Text(text.unwrap()));
    }

    fn server_answers(&mut self, nth: usize) {
        if self.calls.is_empty() {
            return;
        }
        let (id, call) = self.calls.remove(nth % self.calls.len());
        let rows = self.logs.iter().filter(|log| log.member).map(Log::row);
        let answer = match call {
            Call::Page { .. } => Answer::Page(Page {
                items: rows.collect(),
                next_cursor: None,
            }),
            Call::Changes(known) => {
                let held = |row: &Row| {
                    let key = (row.conversation.id, row.conversation.head_seq, row.me.rev);
                    known.contains(&key)
                };
                let mine = |id| self.logs.iter().any(|log| log.id == id && log.member);
                let gone = known.iter().map(|(id, ..)| *id).filter(|id| !mine(*id));
                Answer::Changes(RowChanges {
                    gone: gone.collect(),
                    rows: rows.filter(|row| !held(row)).collect(),
                })
            }
            Call::Events {
                conversation,
                after,
            } => {
                let log = &self.logs[self.which(conversation)];
                let after = usize::try_from(after).unwrap();
                Answer::Events(Events {
                    items: log.entries.iter().skip(after).take(3).cloned().collect(),
                    head_seq: log.head(),
                })
            }
            Call::Renew => Answer::Renewed {
                token: "new".to_owned(),
                expires_in: Duration::from_mins(10),
            },
        };
        self.answers.push((id, Ok(answer)));
    }

    fn answer_arrives(&mut self, nth: usize) {
        if !self.answers.is_empty() {
            let (id, answer) = self.answers.remove(nth % self.answers.len());
            self.input(Input::Answer(id, answer));
        }
    }

    fn which(&self, id: ConversationId) -> usize {
        self.logs.iter().position(|log| log.id == id).unwrap()
    }

    /// The nth entry on its way to the client.
    fn entry_under_way(&mut self, nth: usize) -> Option<(usize, &mut VecDeque<ServerWord>)> {
        let words = &mut self.wire.as_mut()?.to_client;
        let at = words
            .iter()
            .enumerate()
            .filter(|(_, word)| matches!(word, ServerWord::Entry(_)))
            .map(|(at, _)| at)
            .nth(nth)?;
        Some((at, words))
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Say(which) => {
                let somebody = UserId::new();
                self.logs[which].append(somebody, draft());
                self.publish(which);
            }
            Step::Send(which) => {
                let (id, draft) = (self.logs[which].id, draft());
                self.app.put_in.push((id, draft.client_id));
                self.want(|wants| wants.send(id, draft));
            }
            Step::ServerReads(many) => (0..many).for_each(|_| self.server_reads()),
            Step::ClientReads(many) => (0..many).for_each(|_| self.client_reads()),
            Step::ServerAnswers(nth) => self.server_answers(nth),
            Step::AnswerArrives(nth) => self.answer_arrives(nth),
            Step::CallFails(nth) => {
                if !self.calls.is_empty() {
                    let (id, _) = self.calls.remove(nth % self.calls.len());
                    let error = ClientError::Unreachable("broken".to_owned());
                    self.answers.push((id, Err(error)));
                }
            }
            Step::Lose(nth) => {
                if let Some((at, words)) = self.entry_under_way(nth) {
                    words.remove(at);
                }
            }
            Step::Repeat(nth) => {
                if let Some((at, words)) = self.entry_under_way(nth)
                    && let Some(word) = words.get(at).cloned()
                {
                    words.push_back(word);
                }
            }
            Step::Swap(nth) => {
                if let Some((at, words)) = self.entry_under_way(nth)
                    && matches!(words.get(at + 1), Some(ServerWord::Entry(_)))
                {
                    words.swap(at, at + 1);
                }
            }
            Step::Break => {
                let reason = "broken".to_owned();
                self.input(Input::Closed { code: None, reason });
            }
            Step::Drain => {
                let after_ms = 500;
                self.say(ServerWord::Signal(Signal::Reconnect { after_ms }));
            }
            Step::ResetNextJoin => self.reset_next_join = true,
            Step::Resync(which) => {
                let conversation_id = self.logs[which].id;
                let served = self
                    .wire
                    .as_mut()
                    .and_then(|wire| wire.joined.remove(&conversation_id));
                if let Some(after_seq) = served {
                    self.say(ServerWord::Signal(Signal::Resync {
                        conversation_id,
                        after_seq,
                    }));
                }
            }
            Step::RefuseNextSend { retryable } => self.refuse_next_send = Some(retryable),
            Step::ToggleMember => {
                let log = &mut self.logs[2];
                log.member = !log.member;
                log.rev += 1;
                self.publish(2);
            }
            Step::MarkRead(which) => {
                let (id, seq) = (self.logs[which].id, self.logs[which].head());
                self.want(|wants| wants.mark_read(id, seq));
            }
            Step::LeaveAndOpen(which) => {
                let id = self.logs[which].id;
                self.want(|wants| wants.leave(id, 1));
                self.open(which);
            }
            Step::Wait(millis) => {
                self.now += Duration::from_millis(millis);
                self.input(Input::Elapsed);
            }
        }
    }

    /// Nothing goes wrong any more, and time passes until everything has settled.
    fn settle(&mut self) {
        self.refuse_next_send = None;
        self.reset_next_join = false;
        for _ in 0..2_000 {
            for _ in 0..20 {
                self.server_reads();
                self.server_answers(0);
                self.answer_arrives(0);
                self.client_reads();
            }
            if self.is_settled() {
                return;
            }
            let step = Duration::from_millis(50);
            let wake_at = self.state.next_at();
            self.now = wake_at.map_or(self.now + step, |at| at.clamp(self.now, self.now + step));
            self.now += Duration::from_millis(1);
            self.input(Input::Elapsed);
        }
    }

    fn is_settled(&self) -> bool {
        self.app.online
            && self
                .wire
                .as_ref()
                .is_some_and(|wire| wire.to_client.is_empty() && wire.to_server.is_empty())
            && self.calls.is_empty()
            && self.answers.is_empty()
            && self.app.sent.len() + self.app.failed.len() >= self.app.put_in.len()
            && self.logs[..2]
                .iter()
                .all(|log| self.app.entries.get(&log.id).map_or(0, Vec::len) == log.entries.len())
    }

    fn check(&self) {
        for log in &self.logs[..2] {
            let heard = self.app.entries.get(&log.id).cloned().unwrap_or_default();
            assert!(heard == log.entries, "not every entry came");
            let mine = log.entries.iter().filter_map(Entry::message);
            let accepted: Vec<_> = mine
                .filter(|message| message.sender_id == self.me)
                .map(|message| message.client_id)
                .collect();
            let put_in = self.app.put_in.iter().filter(|(id, _)| *id == log.id);
            let expected: Vec<_> = put_in
                .map(|(_, client_id)| *client_id)
                .filter(|client_id| self.app.sent.contains(client_id))
                .collect();
            assert_eq!(accepted, expected, "not one effect each, or out of order");
        }
        let mut ended: Vec<_> = self.app.sent.iter().chain(&self.app.failed).collect();
        let mut put_in: Vec<_> = self.app.put_in.iter().map(|(_, id)| id).collect();
        ended.sort_unstable();
        put_in.sort_unstable();
        assert_eq!(ended, put_in, "not one last word for each message");
        let rows: BTreeMap<_, _> = self
            .logs
            .iter()
            .filter(|log| log.member)
            .map(|log| (log.id, log.row()))
            .collect();
        assert_eq!(self.app.rows, rows, "the list is not what the server holds");
    }
}

fn draft() -> Draft {
    Draft {
        client_id: ClientId::new(),
        body: "hello".to_owned(),
        reply_to: None,
    }
}

fn hello(user_id: UserId, epoch: StoreEpoch) -> Hello {
    Hello {
        session_id: SessionId::new(),
        user_id,
        node_id: NodeId::new(),
        epoch,
        server_version: "1".to_owned(),
        token_expires_in_ms: 50_000,
        limits: Announced {
            ping_interval_ms: 20_000,
            idle_timeout_ms: 45_000,
            max_body_chars: 8_000,
            max_frame_bytes: 65_536,
            typing_repeat_ms: 4_000,
            typing_expiry_ms: 8_000,
            max_watched_users: 200,
            max_joined_conversations: 500,
            max_replay: 1_000,
            sends_per_second: 10,
            send_burst: 30,
            frames_per_second: 50,
            frame_burst: 10,
            requests_per_second: 20,
            request_burst: 100,
            logins_per_quarter_hour: 5,
            max_sockets_per_user: 20,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_happens_entries_and_messages_come_once_and_in_order(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..150),
    ) {
        let mut world = World::new(seed);
        for step in steps {
            world.take(step);
        }
        world.settle();
        world.check();
    }
}

/// A world that is online and settled.
fn online() -> World {
    let mut world = World::new(1);
    for which in [0, 0, 1] {
        world.take(Step::Say(which));
    }
    world.settle();
    world.check();
    world
}

/// Frames that wait to be read by the server, by their `type`.
fn written(world: &World) -> Vec<String> {
    let wire = world.wire.as_ref().unwrap();
    let kind = |text: &String| {
        let frame: serde_json::Value = serde_json::from_str(text).unwrap();
        frame["type"].as_str().unwrap().to_owned()
    };
    wire.to_server.iter().map(kind).collect()
}

fn close(world: &mut World, code: u16) -> Vec<Output> {
    let reason = "closed".to_owned();
    let code = Some(code);
    world.state.input(Input::Closed { code, reason }, world.now);
    std::iter::from_fn(|| world.state.output()).collect()
}

#[test]
fn a_restored_store_voids_cursors_even_those_that_are_on_their_way() {
    let mut world = online();
    let stale = Opening {
        after: 2,
        restores_seen: 0,
    };
    world.logs[0].entries.pop();
    world.epoch = StoreEpoch::new();
    world.take(Step::Break);
    world.take(Step::Wait(1_000));
    world.take(Step::ClientReads(1));
    assert_eq!(world.app.restored, 1);
    let id = world.logs[0].id;
    world.want(|wants| wants.open(id, stale));
    world.open(0);
    world.open(1);
    world.settle();
    world.check();
}

#[test]
fn a_cursor_beyond_the_head_is_of_another_life_of_the_store() {
    let mut world = online();
    let id = world.logs[0].id;
    let beyond = Opening {
        after: 99,
        restores_seen: 0,
    };
    world.want(|wants| {
        wants.leave(id, 1);
        wants.open(id, beyond);
    });
    for _ in 0..5 {
        world.server_reads();
        world.client_reads();
    }
    assert_eq!(world.app.restored, 1);
    world.open(0);
    world.open(1);
    world.settle();
    world.check();
}

#[test]
fn a_gap_is_fetched_at_once() {
    let mut world = online();
    world.take(Step::Say(0));
    world.take(Step::Lose(0));
    world.take(Step::Say(0));
    world.take(Step::ClientReads(3));
    let (conversation, after) = (world.logs[0].id, 2);
    let fetch = Call::Events {
        conversation,
        after,
    };
    assert_eq!(world.calls.last().map(|(_, call)| call), Some(&fetch));
    world.settle();
    world.check();
}

#[test]
fn an_entry_that_only_the_list_knows_of_is_fetched_after_a_while() {
    let mut world = online();
    world.take(Step::Say(0));
    world.take(Step::Lose(0));
    world.take(Step::ClientReads(1));
    assert!(world.calls.is_empty());
    world.take(Step::Wait(3_000));
    assert_eq!(world.calls.len(), 1);
    world.settle();
    world.check();
}

#[test]
fn what_a_join_does_not_replay_is_fetched_at_once() {
    let mut world = World::new(1);
    world.take(Step::Say(0));
    world.take(Step::ResetNextJoin);
    world.take(Step::ClientReads(1));
    world.take(Step::ServerAnswers(0));
    world.take(Step::AnswerArrives(0));
    world.take(Step::ServerReads(1));
    world.take(Step::ClientReads(2));
    assert!(matches!(world.calls[..], [(_, Call::Events { .. })]));
    world.settle();
    world.check();
}

#[test]
fn a_token_that_ran_out_is_renewed_once_and_then_the_user_is_asked() {
    let mut world = online();
    let outputs = close(&mut world, 4401);
    assert!(outputs.contains(&Output::Connect { renew: true }));
    world.state.input(Input::Connected, world.now);
    let outputs = close(&mut world, 4500);
    let last = outputs.last();
    assert!(matches!(
        last,
        Some(Output::Event(Event::Link(Link::SignedOut { .. })))
    ));
    assert_eq!(world.state.next_at(), None);
}

#[test]
fn a_revoked_sign_in_is_not_tried_again_until_the_user_says_so() {
    let mut world = online();
    let outputs = close(&mut world, 4502);
    assert!(!outputs.iter().any(|o| matches!(o, Output::Connect { .. })));
    world
        .state
        .input(Input::Elapsed, world.now + Duration::from_hours(1));
    assert_eq!(world.state.output(), None);
    world.want(|wants| wants.retry = true);
    world.settle();
    world.check();
}

#[test]
fn the_token_is_renewed_in_place_before_it_runs_out() {
    let mut world = online();
    world.take(Step::Wait(20_000));
    world.take(Step::Wait(20_500));
    world.take(Step::ServerAnswers(0));
    world.take(Step::AnswerArrives(0));
    assert!(written(&world).contains(&"authenticate".to_owned()));
    assert!(world.app.online);
}

#[test]
fn silence_is_answered_by_a_ping_and_then_by_a_new_connection() {
    let mut world = online();
    world.take(Step::Wait(20_000));
    assert_eq!(written(&world), ["ping"]);
    world.take(Step::Wait(10_000));
    assert!(world.app.online);
    world.take(Step::Wait(15_000));
    assert!(!world.app.online);
    world.settle();
    world.check();
}

#[test]
fn what_is_not_the_protocol_ends_the_connection_and_nothing_else() {
    for nonsense in [
        "",
        "{",
        "[]",
        "null",
        r#"{"type":"new_message"}"#,
        r#"{"type":7}"#,
    ] {
        let mut world = online();
        world.input(Input::Text(nonsense.to_owned()));
        assert!(!world.app.online, "{nonsense}");
        world.settle();
        world.check();
    }
    let mut world = online();
    world.input(Input::Text(r#"{"type":"from_the_future"}"#.to_owned()));
    assert!(world.app.online);
}

#[test]
fn typing_is_told_at_the_first_key_and_then_as_often_as_the_server_asks() {
    let mut world = online();
    let id = world.logs[0].id;
    let press = |world: &mut World, key| {
        world.want(|wants| {
            wants.typing.insert(id, key);
        });
        let told = written(world);
        world.wire.as_mut().unwrap().to_server.clear();
        told
    };
    assert_eq!(press(&mut world, true), ["typing_start"]);
    assert!(press(&mut world, true).is_empty());
    world.take(Step::Wait(4_000));
    assert_eq!(press(&mut world, true), ["typing_start"]);
    assert_eq!(press(&mut world, false), ["typing_stop"]);
    assert!(press(&mut world, false).is_empty());
}

#[test]
fn read_marks_are_merged_and_told_once_a_second() {
    let mut world = online();
    let id = world.logs[0].id;
    for seq in [1, 2, 1] {
        world.want(|wants| wants.mark_read(id, seq));
        world.server_reads();
        world.client_reads();
    }
    assert!(written(&world).is_empty());
    world.take(Step::Wait(1_000));
    assert_eq!(written(&world), ["mark_read"]);
    assert!(world.wire.as_ref().unwrap().to_server[0].contains("\"seq\":2"));
}

#[test]
fn a_conversation_that_i_was_removed_from_is_closed_once() {
    let mut world = online();
    let conversation_id = world.logs[1].id;
    for _ in 0..2 {
        world.say(ServerWord::Signal(Signal::ConversationRemoved {
            conversation_id,
        }));
        world.client_reads();
    }
    assert_eq!(world.app.closed, [conversation_id]);
}

#[test]
fn a_message_larger_than_a_frame_fails_instead_of_breaking_every_connection() {
    let mut world = online();
    let id = world.logs[0].id;
    let long = Draft {
        body: "x".repeat(70_000),
        ..draft()
    };
    world.want(|wants| wants.send(id, long));
    assert_eq!(world.app.failed.len(), 1);
    assert!(world.app.online);
}
