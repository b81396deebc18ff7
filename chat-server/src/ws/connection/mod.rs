//! One task for each socket: what it asks, what it is told, and when it ends.

mod commands;

use std::{future::pending, ops::RangeInclusive, pin::pin, time::Duration};

use chat_core::{
    Batch, Error, Session,
    model::Timestamp,
    protocol::{Ack, CloseCode, ErrorCode, Problem, Signal},
};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{Span, field::display};
use uuid::Uuid;

use super::{
    answers::{Answers, Reference, answer},
    asking::Asking,
    ending::Ending,
    greeting,
    lane::{Lane, Outcome, Turn},
    line::Tasks,
    marks::Marks,
    reader::Happened,
    socket::Socket,
};
use crate::{
    auth::{AuthError, Identity},
    http::error::auth_problem,
    limits::{OpenSocket, SocketLimits},
    state::Shared,
};

/// A socket outlives its token by this much, so that a renewal that is on its way arrives.
const EXPIRY_GRACE: Duration = Duration::from_secs(5);
/// With this much waiting to be written, no more commands are read.
pub(super) const MOST_UNWRITTEN: usize = 64;
/// A message must be whole this long after it has begun: on a slow line, the largest that are allowed take some seconds.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(20);
/// After the store failed a session, it is asked again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A command that is under way when the server drains may still be answered.
const LAST_COMMAND: Duration = Duration::from_secs(5);
/// Clients of a draining server come back over a span of as many milliseconds as there are sockets, and not all at once;
/// few are hardly kept waiting.
const RECONNECT_SPREAD_MS: RangeInclusive<usize> = 200..=2_000;

/// Serves a socket to its end.
///
/// There are as many of these as there are sockets, and nearly all of them wait in `follow`: what takes place once, or
/// seldom, is in boxes of its own, so that it costs no memory for ever.
pub(super) async fn run(state: Shared, socket: Socket, caller: Option<(Identity, OpenSocket)>) {
    let _open = state.metrics.socket_opened();
    let opened = Box::pin(Connection::open(state, socket, caller)).await;
    if let Some(mut connection) = opened {
        let ending = connection.follow().await;
        Box::pin(connection.end(ending)).await;
    }
}

/// A goodbye takes the user offline at once; whoever just broke off, or is sent elsewhere, may be back in a moment.
async fn end(state: &Shared, socket: Socket, session: Option<Session>, ending: Ending) {
    state.metrics.socket_closed(ending.label());
    let goodbye = matches!(
        ending,
        Ending::Left | Ending::Close(CloseCode::Revoked | CloseCode::Unauthenticated, _)
    );
    if let Some(session) = session
        && goodbye
    {
        session.close();
    }
    match ending {
        Ending::Left => socket.finish().await,
        Ending::Lost => {}
        Ending::Close(code, reason) => socket.close(code, reason).await,
    }
}

async fn told_by(asking: &mut Option<Asking>) -> (Box<Session>, Option<Result<Batch, Error>>) {
    match asking {
        Some(asking) => asking.told().await,
        None => pending().await,
    }
}

/// When a socket is closed that goes on with this token.
fn expiry(identity: &Identity) -> Instant {
    let left = identity.expires_at.as_millis() - Timestamp::now().as_millis();
    let now = Instant::now();
    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
    // A token for ever is good for a year; so is its socket.
    let year = Duration::from_hours(365 * 24);
    now + left.min(year) + EXPIRY_GRACE
}

/// An authenticated socket.
struct Connection {
    state: Shared,
    socket: Socket,
    _place: OpenSocket,
    /// It is with the socket, except while this task has something to do with it.
    session: Option<Box<Session>>,
    /// It has something to tell that it must ask the store for.
    is_asking: bool,
    /// It is doing that.
    asking: Option<Asking>,
    identity: Identity,
    lane: Lane,
    marks: Marks,
    answers: Answers,
    limits: SocketLimits,
    ping_at: Instant,
    expires_at: Instant,
    /// The store failed the session; until then it is left alone.
    ask_session_at: Option<Instant>,
}

impl Connection {
    /// Greets a peer that is known, or says who it is; others have been told why not when this returns.
    async fn open(
        state: Shared,
        mut socket: Socket,
        caller: Option<(Identity, OpenSocket)>,
    ) -> Option<Box<Self>> {
        let limits = state.socket_limits();
        let by_header = caller.is_some();
        let known = match caller {
            Some((identity, place)) => Ok((identity, place, None)),
            None => greeting::first_frame(&state, &mut socket, &limits).await,
        };
        let (identity, place, reference) = match known {
            Ok(known) => known,
            Err(ending) => {
                end(&state, socket, None, ending).await;
                return None;
            }
        };
        let session = match state.chat.connect(identity.user_id).await {
            Ok(session) => session,
            Err(error) => {
                end(&state, socket, None, Ending::failed(&error)).await;
                return None;
            }
        };
        Span::current()
            .record("session_id", display(session.id()))
            .record("user_id", display(session.user_id()));
        socket.queue_signal(&greeting::hello(&state, &session, &identity));
        if !by_header {
            socket.queue_signal(&answer(reference, Ok(Ack::default())));
        }
        Some(Box::new(Self {
            limits,
            ping_at: Instant::now() + Duration::from_millis(state.announced.ping_interval_ms),
            expires_at: expiry(&identity),
            ask_session_at: None,
            lane: Lane::default(),
            marks: Marks::default(),
            answers: Answers::default(),
            state,
            socket,
            _place: place,
            session: Some(Box::new(session)),
            is_asking: false,
            asking: None,
            identity,
        }))
    }

    async fn end(mut self: Box<Self>, ending: Ending) {
        tracing::debug!(user = %self.identity.user_id, ?ending, "a socket ends");
        if matches!(ending, Ending::Left) {
            self.last_marks().await;
        }
        self.hold_session().await;
        let session = self.session.take().map(|session| *session);
        end(&self.state, self.socket, session, ending).await;
    }

    async fn follow(&mut self) -> Ending {
        let mut revoked = pin!(self.state.authenticate.revoked(&self.identity));
        let mut draining = pin!(self.state.draining.clone().cancelled_owned());
        let mut timer = pin!(sleep_until(self.next_deadline(None)));
        loop {
            if let Some(ending) = self.take_turns().await {
                return ending;
            }
            let tasks = self.look_after_session();
            if tasks.broken {
                return Ending::Lost;
            }
            let next = self.next_deadline(tasks.due);
            if next < timer.deadline() {
                timer.as_mut().reset(next);
            }
            let has_room = self.lane.has_room() && self.marks.has_room() && self.answers.has_room();
            let may_read = has_room && self.socket.backlog() < MOST_UNWRITTEN;
            if !may_read && !tasks.writing {
                self.socket.excuse();
            }
            // While something waits to be written, nothing is added to it: a slow reader costs one batch, and what it
            // misses waits in the log.
            let may_ask = self.is_asking && !tasks.writing && self.ask_session_at.is_none();
            if may_ask && let Some(session) = self.session.take() {
                self.asking = Some(Asking::begin(session));
            }
            tokio::select! {
                () = &mut revoked => return Ending::Close(CloseCode::Revoked, "signed out"),
                () = &mut draining => return Box::pin(self.last_words()).await,
                () = &mut timer => match self.on_time() {
                    Some(ending) => return ending,
                    None => timer.as_mut().reset(self.next_deadline(None)),
                },
                happened = self.socket.advance(may_read) => {
                    if let Some(ending) = self.on_socket(happened) {
                        return ending;
                    }
                }
                outcome = self.lane.outcome() => {
                    if let Some(ending) = self.on_outcome(outcome) {
                        return ending;
                    }
                }
                answers = self.marks.answers() => self.tell_all(answers),
                (session, frames) = told_by(&mut self.asking) => {
                    self.asking = None;
                    self.session = Some(session);
                    if let Some(ending) = frames.and_then(|frames| self.on_frames(frames)) {
                        return ending;
                    }
                }
            }
        }
    }

    /// Takes the session where it has to ask the store, and gives it back where it has not; what else there is to do.
    fn look_after_session(&mut self) -> Tasks {
        if !self.is_asking
            && let Some(session) = self.session.take()
        {
            self.socket.put_session(session);
        }
        let tasks = self.socket.tasks();
        let is_due = tasks.due.is_some_and(|due| due <= Instant::now());
        if tasks.asks || is_due {
            self.is_asking = true;
            if self.session.is_none() && self.asking.is_none() {
                self.session = self.socket.take_session();
            }
        }
        tasks
    }

    async fn hold_session(&mut self) {
        if let Some(asking) = self.asking.take() {
            let (session, frames) = asking.stop().await;
            self.session = Some(session);
            // If that was the end, the next question says so again.
            let _again = frames.and_then(|frames| self.on_frames(frames));
        }
        if self.session.is_none() {
            self.session = self.socket.take_session();
        }
    }

    fn on_frames(&mut self, frames: Result<Batch, Error>) -> Option<Ending> {
        match frames {
            Ok(frames) => {
                self.is_asking = false;
                self.socket.write(frames).err().map(|_| Ending::Lost)
            }
            Err(Error::Unavailable(error)) => {
                tracing::warn!(%error, "a session is asked again later");
                self.state.metrics.session_retries.inc();
                self.ask_session_at = Some(Instant::now() + RETRY_AFTER);
                None
            }
            Err(error) => Some(Ending::failed(&error)),
        }
    }

    /// `due` is when the session has something to tell.
    fn next_deadline(&self, due: Option<Instant>) -> Instant {
        let idle = Duration::from_millis(self.state.announced.idle_timeout_ms);
        let next = self.ping_at.min(self.expires_at);
        let next = next.min(self.socket.alive_at() + idle);
        let others = [due, self.ask_session_at];
        others.into_iter().flatten().fold(next, Instant::min)
    }

    fn on_time(&mut self) -> Option<Ending> {
        let now = Instant::now();
        let idle = Duration::from_millis(self.state.announced.idle_timeout_ms);
        if now >= self.expires_at {
            let reason = "the access token has expired";
            return Some(Ending::Close(CloseCode::TokenExpired, reason));
        }
        if now >= self.socket.alive_at() + idle {
            return Some(Ending::Close(CloseCode::Idle, "nothing was heard"));
        }
        if self
            .socket
            .incomplete_since()
            .is_some_and(|since| now >= since + MESSAGE_TIMEOUT)
        {
            return Some(Ending::broken(CloseCode::PolicyViolation));
        }
        if self.ask_session_at.is_some_and(|at| now >= at) {
            self.ask_session_at = None;
        }
        if now >= self.ping_at {
            self.ping_at = now + Duration::from_millis(self.state.announced.ping_interval_ms);
            if !self.socket.tasks().writing {
                self.socket.queue_ping();
            }
        }
        None
    }

    fn on_socket(&mut self, happened: Happened) -> Option<Ending> {
        match happened {
            Happened::Called | Happened::Flushed => None,
            Happened::Text(text) => self.on_text(&text),
            Happened::Control => {
                let hasty = self.limits.frame().is_err() && !self.limits.bears_haste();
                hasty.then(Ending::too_hasty)
            }
            Happened::Left => Some(Ending::Left),
            Happened::Lost => Some(Ending::Lost),
            Happened::Violation(code) => Some(Ending::broken(code)),
        }
    }

    /// Goes on with a newer token. One that does not hold changes nothing: the present one may still.
    fn renew(
        &mut self,
        reference: Reference,
        checked: Result<Identity, AuthError>,
    ) -> Option<Ending> {
        let renewed = match checked {
            Ok(renewed) => renewed,
            Err(error) => {
                let problem = auth_problem(&error);
                self.tell(reference.answer(Err(problem)));
                return None;
            }
        };
        let same =
            renewed.user_id == self.identity.user_id && renewed.sign_in == self.identity.sign_in;
        if !same {
            let reason = "this token belongs to another sign-in";
            let problem = Problem::new(ErrorCode::Unauthenticated, reason);
            self.tell(reference.answer(Err(problem)));
            return Some(Ending::Close(CloseCode::Unauthenticated, reason));
        }
        self.expires_at = expiry(&renewed);
        self.identity = renewed;
        self.tell(reference.answer(Ok(Ack::default())));
        None
    }

    /// Whoever goes says at the end how far they have come.
    async fn last_marks(&mut self) {
        let finished = self.marks.finish(&self.state.chat, self.identity.user_id);
        if let Ok(answers) = timeout(LAST_COMMAND, finished).await {
            self.tell_all(answers);
        }
    }

    /// The server drains: the command that is under way is answered, and the client is told when to come back.
    async fn last_words(&mut self) -> Ending {
        if self.lane.is_running()
            && let Ok(outcome) = timeout(LAST_COMMAND, self.lane.outcome()).await
            && let Some(ending) = self.on_outcome(outcome)
        {
            return ending;
        }
        self.last_marks().await;
        let (least, most) = RECONNECT_SPREAD_MS.into_inner();
        let spread = self.state.sockets.len().clamp(least, most) as u64;
        self.socket.queue_signal(&Signal::Reconnect {
            after_ms: Uuid::new_v4().as_u64_pair().1 % spread,
        });
        Ending::draining()
    }
}
