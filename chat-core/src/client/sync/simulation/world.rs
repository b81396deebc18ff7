//! The world: a server, a wire, a client and its application, one step at a time.

use super::{app::App, log::Log, *};
use crate::{
    client::Messages,
    model::{Availability, Draft, Emoji, Entry, History, Message, NodeId, SessionId, StoreEpoch},
    protocol::{Ack, Announced, ClientCommand, ClientFrame, Hello, Signal},
};

/// The server's end of a socket.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) to_client: VecDeque<ServerWord>,
    pub(super) to_server: VecDeque<String>,
    joined: HashMap<ConversationId, Seq>,
}

#[derive(Clone)]
pub(super) enum ServerWord {
    Entry(Box<Entry>),
    Signal(Signal),
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) state: State,
    pub(super) me: UserId,
    pub(super) others: [UserId; 2],
    pub(super) epoch: StoreEpoch,
    pub(super) logs: Vec<Log>,
    pub(super) wire: Option<Wire>,
    pub(super) calls: Vec<(CallId, Call)>,
    answers: Vec<(CallId, Result<Answer, ClientError>)>,
    reset_next_join: bool,
    refuse_next_send: Option<bool>,
    /// What the server was told of how I want to be seen.
    pub(super) presence: Vec<Availability>,
    /// Where the read cursor of [`READING`] is to be in the end.
    expected_read: Seq,
    idle: bool,
    pub(super) app: App,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self::with(seed, LiveOptions::default())
    }

    pub(super) fn with(seed: u64, options: LiveOptions) -> Self {
        let me = UserId::new();
        let history = |which| match which {
            COMING => History::FromJoin,
            _ => History::Shared,
        };
        let mut world = Self {
            now: Instant::now(),
            state: State::new(Jitter::seeded(seed), options),
            me,
            others: [UserId::new(), UserId::new()],
            epoch: StoreEpoch::new(),
            logs: (0..LOGS).map(|nth| Log::new(me, history(nth))).collect(),
            wire: None,
            calls: Vec::new(),
            answers: Vec::new(),
            reset_next_join: false,
            refuse_next_send: None,
            presence: Vec::new(),
            expected_read: 0,
            idle: false,
            app: App::default(),
        };
        for which in 0..LOGS {
            world.open(which);
        }
        world
    }

    pub(super) fn want(&mut self, ask: impl FnOnce(&mut Wants)) {
        let mut wants = Wants {
            idle: self.idle,
            ..Wants::default()
        };
        ask(&mut wants);
        self.idle = wants.idle;
        self.input(Input::Wants(Box::new(wants)));
    }

    pub(super) fn open(&mut self, which: usize) {
        let log = &self.logs[which];
        let id = log.id;
        let entries = self.app.entries.get(&id);
        let opening = Opening {
            after: entries
                .and_then(|entries| entries.last())
                .map_or(0, |last| last.seq),
            restores_seen: self.app.restored,
        };
        self.app.open.insert(id);
        self.want(|wants| wants.open(id, opening));
        self.ask_messages(which);
    }

    /// What an application does that was closed out, and finds the conversation in its list all the same.
    fn open_what_is_listed(&mut self) {
        for which in 0..LOGS {
            let id = self.logs[which].id;
            if self.app.rows.contains_key(&id) && !self.app.open.contains(&id) {
                self.open(which);
            }
        }
    }

    pub(super) fn input(&mut self, input: Input) {
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
                Output::Event(event) => {
                    let logs = &self.logs;
                    let beginnings = |id| {
                        let mut logs = logs.iter();
                        let log = logs.find(|log| log.id == id);
                        log.map(|log| log.beginnings.clone()).unwrap_or_default()
                    };
                    self.app.hear(event, beginnings);
                }
                Output::Left(..) => {}
            }
        }
    }

    pub(super) fn say(&mut self, word: ServerWord) {
        if let Some(wire) = &mut self.wire {
            wire.to_client.push_back(word);
        }
    }

    /// Something was appended or changed: what the server sends for it.
    pub(super) fn publish(&mut self, which: usize) {
        let log = &self.logs[which];
        let Some(wire) = &mut self.wire else {
            return;
        };
        if let Some(cursor) = wire.joined.get_mut(&log.id) {
            for entry in log.after(*cursor) {
                wire.to_client.push_back(ServerWord::Entry(Box::new(entry)));
            }
            *cursor = log.head();
        }
        let signal = if log.member {
            let row = Box::new(log.row());
            Signal::ConversationUpdated { row }
        } else {
            wire.joined.remove(&log.id);
            let conversation_id = log.id;
            Signal::ConversationRemoved { conversation_id }
        };
        wire.to_client.push_back(ServerWord::Signal(signal));
    }

    pub(super) fn server_reads(&mut self) {
        let Some(text) = self.wire.as_mut().and_then(|w| w.to_server.pop_front()) else {
            return;
        };
        let ClientFrame { reference, command } = ClientFrame::decode(&text).unwrap();
        let (answer, published) = self.carry_out(command);
        let signal = match answer {
            Ok(ack) => Signal::Ack { reference, ack },
            Err(code) => Signal::Error {
                reference,
                problem: Box::new(Problem::new(code, "not now")),
            },
        };
        self.say(ServerWord::Signal(signal));
        if let Some(which) = published {
            self.publish(which);
        }
    }

    /// What comes of a command, and the conversation that there is news of.
    fn carry_out(&mut self, command: ClientCommand) -> (Result<Ack, ErrorCode>, Option<usize>) {
        let mut ack = Ack::default();
        let mut published = None;
        match command {
            ClientCommand::JoinConversation {
                conversation_id,
                after_seq,
            } => {
                let which = self.which(conversation_id);
                let log = &self.logs[which];
                if !log.member {
                    return (Err(ErrorCode::NotFound), None);
                }
                let head = log.head();
                let reset = std::mem::take(&mut self.reset_next_join);
                let from = match after_seq {
                    Some(after) if !reset => after.min(head).max(log.history_from() - 1),
                    _ => head,
                };
                ack.head_seq = Some(head);
                ack.after_seq = after_seq.filter(|_| !reset).map(|_| from);
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
                let earlier = self.logs[which].accepted(client_id);
                if earlier.is_none()
                    && let Some(retryable) = self.refuse_next_send.take()
                {
                    let code = if retryable {
                        ErrorCode::Unavailable
                    } else {
                        ErrorCode::Refused
                    };
                    return (Err(code), None);
                }
                let message = earlier.unwrap_or_else(|| {
                    published = Some(which);
                    let draft = Draft {
                        client_id,
                        body,
                        reply_to,
                    };
                    self.logs[which].say(self.me, draft)
                });
                ack.message = Some(Box::new(message));
            }
            ClientCommand::MarkRead {
                conversation_id,
                seq,
                unread,
            } => {
                let which = self.which(conversation_id);
                let log = &mut self.logs[which];
                let to = if unread {
                    seq.min(log.read_seq)
                } else {
                    seq.min(log.head()).max(log.read_seq)
                };
                published = log.move_read(to).then_some(which);
            }
            ClientCommand::MarkDelivered {
                conversation_id,
                seq,
            } => {
                let which = self.which(conversation_id);
                let log = &mut self.logs[which];
                log.delivered_seq = seq.min(log.head()).max(log.delivered_seq);
            }
            ClientCommand::SetPresence { status } => self.presence.push(status),
            _ => {}
        }
        (Ok(ack), published)
    }

    pub(super) fn client_reads(&mut self) {
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
                if !log.member {
                    let problem = Problem::new(ErrorCode::NotFound, "no such conversation");
                    let error = ClientError::Problem(Box::new(problem));
                    return self.answers.push((id, Err(error)));
                }
                let mut items = log.after(after);
                items.truncate(3);
                Answer::Events(Events {
                    items,
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

    fn ask_messages(&mut self, which: usize) {
        let log = &self.logs[which];
        if log.member {
            self.app.ask(log.id, log.visible().cloned().collect());
        }
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

    /// Something happens at the server.
    fn happen(&mut self, which: usize, what: impl FnOnce(&mut Log)) {
        what(&mut self.logs[which]);
        self.publish(which);
    }

    pub(super) fn take(&mut self, step: Step) {
        let [ann, ben] = self.others;
        match step {
            Step::Say(which) => self.happen(which, |log| drop(log.say(ann, draft()))),
            Step::Edit(which, nth) => self.happen(which, |log| log.edit(nth)),
            Step::Delete(which, nth) => self.happen(which, |log| log.delete(nth, ann)),
            Step::Pin(which, nth) => self.happen(which, |log| log.toggle_pin(nth, ben)),
            Step::React(which, nth, who, emoji) => {
                let emoji = Emoji::try_from(["👍", "🎉"][emoji].to_owned()).unwrap();
                let who = self.others[who];
                self.happen(which, |log| log.toggle_reaction(nth, &emoji, who));
            }
            Step::Rename(which) => self.happen(which, |log| log.rename(ben)),
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
                    let error = ClientError::Interrupted("broken".to_owned());
                    self.answers.push((id, Err(error)));
                }
            }
            Step::AskMessages(which) => self.ask_messages(which),
            Step::MessagesArrive(nth) => self.app.page_arrives(nth),
            Step::Scroll(which, newer) => self.app.scroll(self.logs[which].id, newer),
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
            Step::Resync(which) => self.resync(which),
            Step::RefuseNextSend { retryable } => self.refuse_next_send = Some(retryable),
            Step::ToggleMember => {
                self.happen(COMING, |log| log.toggle_member(ann));
                self.open_what_is_listed();
            }
            Step::MarkRead(which) => {
                let (id, seq) = (self.logs[which].id, self.logs[which].head());
                if which == READING {
                    self.expected_read = seq;
                }
                self.want(|wants| wants.mark_read(id, seq));
            }
            Step::MarkUnread(which, back) => {
                let id = self.logs[which].id;
                let seq = self.logs[which].head().saturating_sub(back);
                if which == READING {
                    self.expected_read = self.expected_read.min(seq);
                }
                self.want(|wants| wants.mark_unread(id, seq));
            }
            Step::ReadElsewhere => self.read_elsewhere(self.logs[ELSEWHERE].head()),
            Step::UnreadElsewhere(back) => {
                let log = &self.logs[ELSEWHERE];
                self.read_elsewhere(log.read_seq.saturating_sub(back));
            }
            Step::LeaveAndOpen(which) => {
                let id = self.logs[which].id;
                self.want(|wants| wants.leave(id, 1));
                self.app.open.remove(&id);
                if self.app.rows.contains_key(&id) {
                    self.open(which);
                }
            }
            Step::Wait(millis) => {
                self.now += Duration::from_millis(millis);
                self.input(Input::Elapsed);
            }
        }
    }

    fn resync(&mut self, which: usize) {
        let conversation_id = self.logs[which].id;
        let wire = self.wire.as_mut();
        let served = wire.and_then(|wire| wire.joined.remove(&conversation_id));
        if let Some(after_seq) = served {
            self.say(ServerWord::Signal(Signal::Resync {
                conversation_id,
                after_seq,
            }));
        }
    }

    /// Another device of mine moves the cursor. The news of it as of a member may come late.
    fn read_elsewhere(&mut self, seq: Seq) {
        let conversation_id = self.logs[ELSEWHERE].id;
        if self.logs[ELSEWHERE].move_read(seq) {
            self.publish(ELSEWHERE);
            let (user_id, seq) = (self.me, self.logs[ELSEWHERE].head());
            self.say(ServerWord::Signal(Signal::Read {
                conversation_id,
                user_id,
                seq,
            }));
        }
    }

    /// Nothing goes wrong any more, and time passes until everything has settled.
    pub(super) fn settle(&mut self) {
        self.refuse_next_send = None;
        self.reset_next_join = false;
        for _ in 0..2_000 {
            for _ in 0..20 {
                self.server_reads();
                self.server_answers(0);
                self.answer_arrives(0);
                self.client_reads();
                self.app.page_arrives(0);
            }
            self.open_what_is_listed();
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
            && !self.app.waits_for_pages()
            && self.app.sent.len() + self.app.failed.len() >= self.app.put_in.len()
            && self.logs[READING].read_seq == self.expected_read
            && self.logs.iter().filter(|log| log.member).all(|log| {
                let last = self.app.entries.get(&log.id).and_then(|heard| heard.last());
                let heard = last.map_or(0, |entry| entry.seq) == log.head();
                heard && is_delivered(log, self.others)
            })
    }

    pub(super) fn check(&self) {
        for log in self.logs.iter().filter(|log| log.member) {
            let heard = self.app.entries.get(&log.id).cloned().unwrap_or_default();
            assert!(heard == log.after(0), "not every entry came");
            let held = self.app.messages.get(&log.id);
            let held: Vec<_> = held.into_iter().flat_map(Messages::iter).collect();
            let mut expected: Vec<_> = log.visible().collect();
            if self.app.scrolled.contains(&log.id) {
                expected.retain(|message| held.iter().any(|it| it.seq == message.seq));
            }
            assert!(
                held == expected,
                "the messages are not as the server has them"
            );
            assert!(is_delivered(log, self.others), "not told as delivered");
        }
        self.check_sends();
        assert_eq!(
            self.logs[READING].read_seq, self.expected_read,
            "the cursor is elsewhere"
        );
        assert!(
            !self.app.reads.contains(&self.me),
            "my own cursor came as another's"
        );
        let rows: BTreeMap<_, _> = self
            .logs
            .iter()
            .filter(|log| log.member)
            .map(|log| (log.id, log.row()))
            .collect();
        assert_eq!(self.app.rows, rows, "the list is not what the server holds");
    }

    fn check_sends(&self) {
        for log in &self.logs[..2] {
            let mine = log.visible().filter(|message| message.sender_id == self.me);
            let accepted: Vec<_> = mine.map(|message| message.client_id).collect();
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
    }
}

/// Whether the newest message of somebody else was told as delivered, or is read.
fn is_delivered(log: &Log, others: [UserId; 2]) -> bool {
    let of_others = log.visible().filter(|it| others.contains(&it.sender_id));
    let newest = of_others.map(|message: &Message| message.seq).max();
    newest.is_none_or(|seq| log.delivered_seq.max(log.read_seq) >= seq)
}

pub(super) fn draft() -> Draft {
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
        availability: Availability::Online,
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
