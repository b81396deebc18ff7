//! The live connection without I/O: what happened goes in, what to do comes out.

mod answers;
mod deliveries;
mod follow;
mod link;
mod list;
mod pace;
mod presence;
mod reads;
mod send;
#[cfg(test)]
mod simulation;
mod typing;

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use deliveries::Deliveries;
use follow::Follow;
use link::{Connection, Phase};
use list::List;
use presence::OwnPresence;
use reads::Reads;
use typing::Typing;

use super::{
    ClientError, Event, LiveOptions,
    outbox::Outbox,
    reconnect::{Backoff, Jitter},
    wants::{FollowWant, Leaving, Opening, Wants},
};
use crate::{
    model::{ClientId, ConversationId, Row, Seq, StoreEpoch, UserId},
    protocol::{
        ErrorCode, Problem,
        rest::{Events, Page, RowChanges},
    },
    source::HashMap,
};

/// A question to the server over REST, so that its answer can be told from that to an earlier one.
pub(super) type CallId = u64;

/// Something that happened.
#[derive(Debug)]
pub(super) enum Input {
    /// The application asked for these.
    Wants(Box<Wants>),
    /// The socket is open; nothing was read from it yet.
    Connected,
    /// The socket could not be opened.
    ConnectFailed(ClientError),
    /// A text frame.
    Text(String),
    /// A sign of life that says nothing else.
    Heard,
    /// The socket is no more.
    Closed {
        /// The close code, if the server gave one.
        code: Option<u16>,
        /// For people.
        reason: String,
    },
    /// A REST call was answered.
    Answer(CallId, Result<Answer, ClientError>),
    /// Time passed.
    Elapsed,
    /// The application closes the connection: what can still be told is written.
    Close,
}

/// Something to do.
#[derive(Debug, PartialEq)]
pub(super) enum Output {
    /// Open a socket; first renew the access token if `renew`.
    Connect {
        /// The present token was refused.
        renew: bool,
    },
    /// Close the socket, or give up opening it.
    Disconnect,
    /// Write a text frame.
    Write(String),
    /// Ask over REST.
    Call(CallId, Call),
    /// Tell the application.
    Event(Event),
    /// All that follows is from after this leave.
    Left(ConversationId, Leaving),
}

/// A question over REST.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Call {
    Page {
        cursor: Option<String>,
    },
    Changes(Vec<(ConversationId, Seq, u64)>),
    Events {
        conversation: ConversationId,
        after: Seq,
    },
    /// An access token that lives longer than the connection's present one.
    Renew,
}

/// What a [`Call`] brought.
#[derive(Debug)]
pub(super) enum Answer {
    Page(Page<Row>),
    Changes(RowChanges),
    Events(Events),
    Renewed { token: String, expires_in: Duration },
}

/// What a command on the wire was about, by its `ref`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// After this cursor. What is fetched meanwhile may move the present one past the join's answer.
    Join(ConversationId, Seq),
    Send(ConversationId),
    Read(ConversationId),
    Delivery(ConversationId),
    Watch,
    Presence,
    Authenticate,
}

/// The whole state of a live connection, across reconnects.
///
/// What the application wants (conversations to follow, messages to send, users to watch) is kept as such; after each
/// input, [`send`](self::send) compares it with what this connection was told and writes the difference.
#[derive(Debug)]
pub(super) struct State {
    options: LiveOptions,
    phase: Phase,
    connection: Option<Connection>,
    backoff: Backoff,
    /// A connection got as far as `Online` since the token was last renewed because of a refusal.
    renewal_helped: bool,
    epoch: Option<StoreEpoch>,
    restores: u64,
    list: List,
    follows: BTreeMap<ConversationId, Follow>,
    outbox: Outbox,
    reads: Reads,
    deliveries: Deliveries,
    presence: OwnPresence,
    typing: Typing,
    watched: Vec<UserId>,
    asked: HashMap<u64, Asked>,
    last_number: u64,
    outputs: VecDeque<Output>,
}

impl State {
    /// A state whose first output is to connect.
    pub(super) fn new(jitter: Jitter, options: LiveOptions) -> Self {
        let mut state = Self {
            options,
            phase: Phase::Connecting,
            connection: None,
            backoff: Backoff::new(jitter),
            renewal_helped: true,
            epoch: None,
            restores: 0,
            list: List::default(),
            follows: BTreeMap::new(),
            outbox: Outbox::default(),
            reads: Reads::default(),
            deliveries: Deliveries::default(),
            presence: OwnPresence::default(),
            typing: Typing::default(),
            watched: Vec::new(),
            asked: HashMap::default(),
            last_number: 0,
            outputs: VecDeque::new(),
        };
        state.connect(false);
        state
    }

    /// What to do next; to be asked until it is `None`.
    pub(super) fn output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes what happened.
    pub(super) fn input(&mut self, input: Input, now: Instant) {
        match input {
            Input::Wants(wants) => self.want(*wants, now),
            Input::Connected => self.connected(now),
            Input::ConnectFailed(error) => self.connect_failed(error, now),
            Input::Text(text) => self.text(&text, now),
            Input::Heard => self.heard(now),
            Input::Closed { code, reason } => self.closed(code, reason, now),
            Input::Answer(call, answer) => self.answer(call, answer, now),
            Input::Elapsed => {}
            Input::Close => return self.say_goodbye(now),
        }
        self.check_clock(now);
        self.send(now);
    }

    /// When [`Input::Elapsed`] is due if nothing else happens before.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.link_next_at()
            .into_iter()
            .chain(self.send_next_at())
            .min()
    }

    fn want(&mut self, wants: Wants, now: Instant) {
        for (conversation, want) in wants.follow {
            match want {
                FollowWant::Leave(leaving) => self.leave(conversation, leaving, now),
                FollowWant::Open(opening) => self.open(conversation, opening),
                FollowWant::Reopen(leaving, opening) => {
                    self.leave(conversation, leaving, now);
                    self.open(conversation, opening);
                }
            }
        }
        for (conversation, draft) in wants.sends {
            let client_id = draft.client_id;
            self.typing.stop(conversation);
            if self.outbox.push(conversation, draft).is_err() {
                self.refuse_send(conversation, client_id);
            }
        }
        for (conversation, client_id) in wants.refused {
            self.refuse_send(conversation, client_id);
        }
        for client_id in wants.discards {
            self.outbox.discard(client_id);
        }
        for (conversation, wanted) in wants.reads {
            let read_seq = self.list.read_seq(conversation);
            self.reads.want(conversation, wanted, read_seq);
        }
        for (conversation, seq) in wants.deliveries {
            self.deliveries.want(conversation, seq);
        }
        self.presence.want(wants.availability, wants.idle);
        for (conversation, typing) in wants.typing {
            self.tell_typing(conversation, typing, now);
        }
        if let Some(users) = wants.watch {
            self.watch(users);
        }
        if wants.retry {
            self.retry_now();
        }
    }

    fn open(&mut self, conversation: ConversationId, opening: Opening) {
        if opening.restores_seen == self.restores {
            self.follows
                .entry(conversation)
                .or_insert_with(|| Follow::new(opening.after));
        }
    }

    fn refuse_send(&mut self, conversation_id: ConversationId, client_id: ClientId) {
        let detail = "too many messages wait to be sent";
        self.tell(Event::SendFailed {
            conversation_id,
            client_id,
            problem: Box::new(Problem::new(ErrorCode::LimitExceeded, detail)),
        });
    }

    /// Ends the following of a conversation that the server no longer lets us follow.
    fn close(&mut self, conversation_id: ConversationId, problem: Problem) {
        self.reads.forget(conversation_id);
        self.deliveries.forget(conversation_id);
        if self.follows.remove(&conversation_id).is_some() {
            self.void_joins(conversation_id);
            self.tell(Event::Closed {
                conversation_id,
                problem: Box::new(problem),
            });
        }
    }

    /// An answer to a join of before must not be taken for one to a later join.
    fn void_joins(&mut self, conversation_id: ConversationId) {
        self.asked
            .retain(|_, asked| !matches!(asked, Asked::Join(id, _) if *id == conversation_id));
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// A number for a `ref` or a REST call; never used twice.
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}
