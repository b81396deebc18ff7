//! The life of a connection: connecting, greeting, reading the list, online, lost.

use std::time::{Duration, Instant};

use super::{Asked, Call, CallId, ClientError, Event, Output, State, pace::Pace};
use crate::{
    client::Link,
    protocol::{CloseCode, ErrorCode, Hello, Problem},
};

const GREETING_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that held this long clears the count of failures.
const STABLE: Duration = Duration::from_mins(1);
/// No timer or wait that a server names is taken to be longer.
const LONGEST: Duration = Duration::from_hours(24);

/// How far the present attempt has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// A socket is being opened.
    Connecting,
    /// It is open; the server has not said hello.
    Greeting { until: Instant },
    /// The list is being read.
    Listing,
    /// Everything is told and asked for.
    Online { since: Instant },
    /// The next attempt is at this time.
    Waiting { until: Instant },
    /// The next attempt is when the user has done something.
    SignedOut,
}

/// What is known of the present connection since its hello.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) hello: Hello,
    /// Of all frames.
    pub(super) frames: Pace,
    /// Of messages among them.
    pub(super) messages: Pace,
    /// When it was last considered what to send.
    pub(super) looked_at: Instant,
    pub(super) watch: Watch,
    pub(super) token: Renewal,
    heard_at: Instant,
    pinged_at: Instant,
    /// The server asked us to come back elsewhere at this time.
    move_at: Option<Instant>,
}

/// Whether the server was told whom to watch.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) told: bool,
    /// Not to be told before this time.
    pub(super) hold: Option<Instant>,
}

/// When the connection's token is renewed in place.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) due: Instant,
    pub(super) call: Option<CallId>,
}

impl Renewal {
    /// Early enough for some attempts before the token runs out.
    pub(super) fn before(expires_in: Duration, now: Instant) -> Self {
        let expires_in = expires_in.min(LONGEST);
        let margin = (expires_in / 5).min(Duration::from_mins(1));
        Self {
            due: now + expires_in.saturating_sub(margin),
            call: None,
        }
    }
}

/// A span that a server named, within reason.
pub(super) fn span(millis: u64) -> Duration {
    Duration::from_millis(millis).min(LONGEST)
}

impl State {
    pub(super) fn connect(&mut self, renew: bool) {
        self.phase = Phase::Connecting;
        self.tell(Event::Link(Link::Connecting));
        self.outputs.push_back(Output::Connect { renew });
    }

    pub(super) fn retry_now(&mut self) {
        self.backoff.reset();
        if matches!(self.phase, Phase::Waiting { .. } | Phase::SignedOut) {
            self.connect(false);
        }
    }

    pub(super) fn connected(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Connecting) {
            self.phase = Phase::Greeting {
                until: now + GREETING_TIMEOUT,
            };
        }
    }

    pub(super) fn connect_failed(&mut self, error: ClientError, now: Instant) {
        if !matches!(self.phase, Phase::Connecting) {
            return;
        }
        self.fail(error, now);
    }

    /// An attempt or connection ends with this error.
    pub(super) fn fail(&mut self, error: ClientError, now: Instant) {
        match error {
            ClientError::SignedOut => self.signed_out("the sign-in is no longer valid".to_owned()),
            ClientError::Problem(problem) if problem.status == 401 => {
                self.signed_out(problem.detail);
            }
            ClientError::Problem(problem) => {
                let least = span(problem.retry_after_ms.unwrap_or(0));
                self.lost(problem.detail, least, now);
            }
            ClientError::Unreachable(reason) | ClientError::Interrupted(reason) => {
                self.lost(reason, Duration::ZERO, now);
            }
            error => self.lost(error.to_string(), Duration::ZERO, now),
        }
    }

    pub(super) fn hello(&mut self, hello: Hello, now: Instant) {
        let renewal = Renewal::before(span(hello.token_expires_in_ms), now);
        if let Some(connection) = &mut self.connection {
            connection.token = renewal;
            connection.hello = hello;
            return;
        }
        if self.epoch.is_some_and(|epoch| epoch != hello.epoch) {
            self.restored();
        }
        self.epoch = Some(hello.epoch);
        self.connection = Some(Connection {
            frames: Pace::new(
                hello.limits.frames_per_second,
                hello.limits.frame_burst,
                now,
            ),
            messages: Pace::new(hello.limits.sends_per_second, hello.limits.send_burst, now),
            looked_at: now,
            watch: Watch {
                told: self.watched.is_empty(),
                hold: None,
            },
            token: renewal,
            heard_at: now,
            pinged_at: now,
            move_at: None,
            hello,
        });
        self.phase = Phase::Listing;
        self.read_list();
    }

    /// The store was restored from a backup: cursors and rows of before mean nothing now.
    pub(super) fn restored(&mut self) {
        self.restores += 1;
        self.list.forget();
        self.follows.clear();
        self.reads.clear();
        self.deliveries.clear();
        self.asked.retain(|_, asked| {
            !matches!(asked, Asked::Join(..) | Asked::Read(_) | Asked::Delivery(_))
        });
        self.tell(Event::Restored);
    }

    pub(super) fn read_list(&mut self) {
        let id = self.number();
        let call = self.list.read(id);
        self.outputs.push_back(Output::Call(id, call));
    }

    /// The list is up to date: joins first, then the news that we are online, then all else.
    pub(super) fn online(&mut self, now: Instant) {
        let Some(connection) = &self.connection else {
            return;
        };
        let hello = Box::new(connection.hello.clone());
        self.phase = Phase::Online { since: now };
        self.renewal_helped = true;
        self.send_joins(now);
        self.send_watch(now);
        self.tell(Event::Link(Link::Online(hello)));
    }

    pub(super) fn heard(&mut self, now: Instant) {
        if let Some(connection) = &mut self.connection {
            connection.heard_at = now;
        }
    }

    /// The server drains: this connection is used until then, or until the server ends it.
    pub(super) fn move_elsewhere(&mut self, after_ms: u64, now: Instant) {
        let after = span(after_ms);
        let jitter = self.backoff.jitter().up_to(after / 4);
        if let Some(connection) = &mut self.connection {
            connection.move_at = Some(now + after + jitter);
        }
    }

    pub(super) fn closed(&mut self, code: Option<u16>, reason: String, now: Instant) {
        if !self.is_connected() {
            return;
        }
        let move_at = self.connection.as_ref().and_then(|c| c.move_at);
        let renewable = [CloseCode::TokenExpired, CloseCode::Unauthenticated]
            .map(CloseCode::as_u16)
            .contains(&code.unwrap_or(0));
        if renewable && self.renewal_helped {
            self.renewal_helped = false;
            self.disconnect(now);
            self.connect(true);
        } else if code.is_some_and(|code| !CloseCode::may_reconnect(code)) {
            self.signed_out(reason);
        } else if let Some(move_at) = move_at {
            self.disconnect(now);
            self.wait(move_at.saturating_duration_since(now), reason, now);
        } else {
            self.lost(reason, Duration::ZERO, now);
        }
    }

    /// The server does not keep to the protocol.
    pub(super) fn violated(&mut self, what: &str, now: Instant) {
        tracing::warn!(what, "the server does not speak the protocol");
        let reason = format!("the server cannot be understood: {what}");
        self.lost(reason, Duration::ZERO, now);
    }

    /// The connection is gone, or an attempt failed; the next attempt is after the back-off, at least after `least`.
    pub(super) fn lost(&mut self, reason: String, least: Duration, now: Instant) {
        self.disconnect(now);
        let wait = self.backoff.next().max(least);
        self.wait(wait, reason, now);
    }

    fn wait(&mut self, retry_in: Duration, reason: String, now: Instant) {
        self.phase = Phase::Waiting {
            until: now + retry_in,
        };
        self.tell(Event::Link(Link::Waiting { retry_in, reason }));
    }

    pub(super) fn signed_out(&mut self, reason: String) {
        self.forget_connection();
        self.phase = Phase::SignedOut;
        self.tell(Event::Link(Link::SignedOut { reason }));
    }

    fn disconnect(&mut self, now: Instant) {
        if let Phase::Online { since } = self.phase
            && now.saturating_duration_since(since) >= STABLE
        {
            self.backoff.reset();
        }
        self.forget_connection();
    }

    /// Everything that was true of one connection only.
    fn forget_connection(&mut self) {
        self.outputs.push_back(Output::Disconnect);
        self.connection = None;
        self.asked.clear();
        self.list.disconnected();
        self.outbox.disconnected();
        self.reads.disconnected();
        self.deliveries.disconnected();
        self.presence.disconnected();
        self.typing.disconnected();
        for follow in self.follows.values_mut() {
            follow.disconnected();
        }
    }

    pub(super) fn check_clock(&mut self, now: Instant) {
        match self.phase {
            Phase::Waiting { until } if until <= now => return self.connect(false),
            Phase::Greeting { until } if until <= now => {
                return self.lost("it does not answer in time".to_owned(), Duration::ZERO, now);
            }
            _ => {}
        }
        let Some(connection) = &mut self.connection else {
            return;
        };
        if now >= connection.silent_at() {
            return self.lost("the connection went silent".to_owned(), Duration::ZERO, now);
        }
        if connection.move_at.is_some_and(|at| at <= now) {
            self.disconnect(now);
            return self.connect(false);
        }
        if connection.token.call.is_none() && connection.token.due <= now {
            let id = self.number();
            self.outputs.push_back(Output::Call(id, Call::Renew));
            if let Some(connection) = &mut self.connection {
                connection.token.call = Some(id);
            }
        }
        if let Some(connection) = &mut self.connection
            && now >= connection.ping_at()
        {
            connection.pinged_at = now;
            self.outputs
                .push_back(Output::Write(r#"{"type":"ping"}"#.to_owned()));
        }
    }

    pub(super) fn link_next_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting { until } | Phase::Greeting { until } => return Some(until),
            Phase::Connecting | Phase::SignedOut => return None,
            Phase::Listing | Phase::Online { .. } => {}
        }
        let connection = self.connection.as_ref()?;
        let renewal = &connection.token;
        [connection.silent_at(), connection.ping_at()]
            .into_iter()
            .chain(renewal.call.is_none().then_some(renewal.due))
            .chain(connection.move_at)
            .min()
    }

    /// Whether there is a socket.
    pub(super) fn is_connected(&self) -> bool {
        matches!(
            self.phase,
            Phase::Greeting { .. } | Phase::Listing | Phase::Online { .. }
        )
    }

    pub(super) fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online { .. })
    }
}

impl Connection {
    /// When the server counts as gone if nothing is heard.
    fn silent_at(&self) -> Instant {
        let timeout = span(self.hello.limits.idle_timeout_ms).max(Duration::from_millis(200));
        self.heard_at + timeout
    }

    /// When to ask for a sign of life if nothing is heard.
    fn ping_at(&self) -> Instant {
        let interval = span(self.hello.limits.ping_interval_ms).max(Duration::from_millis(100));
        self.heard_at.max(self.pinged_at) + interval
    }
}

/// What an application reads when it was removed from a conversation that it follows.
pub(super) fn removed_problem() -> Problem {
    Problem::new(
        ErrorCode::NotFound,
        "you no longer belong to this conversation",
    )
}
