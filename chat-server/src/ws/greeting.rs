//! The beginning of a socket: who it is, and what it is told first.

use chat_core::{
    Session,
    model::Timestamp,
    protocol::{ClientCommand, ClientFrame, CloseCode, ErrorCode, Hello, Problem, Signal},
};
use tokio::time::{Instant, timeout_at};

use super::{answers::answer, ending::Ending, reader::Happened, socket::Socket};
use crate::{
    auth::{AuthError, Identity},
    http::error::auth_problem,
    limits::{OpenSocket, SocketLimits, TooMany},
    state::Shared,
};

/// Waits for the `authenticate` frame of a socket that came without a header.
pub(super) async fn first_frame(
    state: &Shared,
    socket: &mut Socket,
    limits: &SocketLimits,
) -> Result<(Identity, OpenSocket, Option<String>), Ending> {
    let deadline = Instant::now() + state.authentication_timeout;
    loop {
        let happened = tokio::select! {
            happened = timeout_at(deadline, socket.advance(true)) => happened,
            () = state.draining.cancelled() => return Err(Ending::draining()),
        };
        match happened {
            Ok(Happened::Text(text)) => return authenticate(state, socket, &text).await,
            Ok(Happened::Called | Happened::Flushed) => {}
            Ok(Happened::Control) if limits.frame().is_ok() => {}
            Ok(Happened::Control) => return Err(Ending::too_hasty()),
            Ok(Happened::Left) => return Err(Ending::Left),
            Ok(Happened::Lost) => return Err(Ending::Lost),
            Ok(Happened::Violation(code)) => return Err(Ending::broken(code)),
            Err(_elapsed) => {
                let late = "no authenticate frame in time";
                return Err(Ending::Close(CloseCode::Unauthenticated, late));
            }
        }
    }
}

async fn authenticate(
    state: &Shared,
    socket: &mut Socket,
    text: &str,
) -> Result<(Identity, OpenSocket, Option<String>), Ending> {
    let (reference, refused) = match ClientFrame::decode(text) {
        Ok(ClientFrame {
            reference,
            command: ClientCommand::Authenticate { token },
        }) => match state.authenticate.authenticate(&token).await {
            Ok(identity) => match state.limits.sockets.open(identity.user_id) {
                Some(place) => return Ok((identity, place, reference)),
                None => (
                    reference,
                    (
                        TooMany::SOCKETS.problem("open sockets"),
                        CloseCode::TooManyRequests,
                    ),
                ),
            },
            Err(error) => {
                let code = match error {
                    AuthError::Invalid(_) => CloseCode::Unauthenticated,
                    AuthError::Expired => CloseCode::TokenExpired,
                    AuthError::Unavailable(_) => CloseCode::Internal,
                };
                (reference, (auth_problem(&error), code))
            }
        },
        Ok(frame) => {
            let problem = Problem::new(
                ErrorCode::Unauthenticated,
                "the first frame is `authenticate`",
            );
            (frame.reference, (problem, CloseCode::Unauthenticated))
        }
        Err(bad) => (bad.reference, (*bad.problem, CloseCode::Unauthenticated)),
    };
    let (problem, code) = refused;
    socket.queue_signal(&answer(reference, Err(problem)));
    Err(Ending::Close(code, "not authenticated"))
}

/// What a socket is told first.
pub(super) fn hello(state: &Shared, session: &Session, identity: &Identity) -> Signal {
    let left = identity.expires_at.as_millis() - Timestamp::now().as_millis();
    Signal::Hello(Box::new(Hello {
        session_id: session.id(),
        user_id: session.user_id(),
        availability: session.availability(),
        node_id: state.chat.node_id(),
        epoch: state.chat.epoch(),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        token_expires_in_ms: u64::try_from(left).unwrap_or(0),
        limits: state.announced.clone(),
    }))
}
