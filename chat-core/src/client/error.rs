//! What can go wrong for a caller of the client library.

use crate::protocol::{ErrorCode, Problem};

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address of the server is not one. Correct it.
    #[error("{0}")]
    Address(String),
    /// The server could not be reached: nothing happened. Try again.
    #[error("cannot reach the server: {0}")]
    Unreachable(String),
    /// The connection broke before the answer came: the call may have taken effect or not. Try again, or look.
    #[error("the server did not answer: {0}")]
    Interrupted(String),
    /// The server answered with a problem: its [`code`](Self::code) says what to do.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// The server answered something that is not the protocol: it is none of ours, or far newer or older.
    #[error("the server's answer cannot be understood: {0}")]
    Protocol(String),
    /// There is no sign-in, or it is no longer valid. Sign in.
    #[error("not signed in")]
    SignedOut,
    /// The [store](super::TokenStore) of the sign-in cannot be used. Look after it.
    #[error("the sign-in cannot be kept: {0}")]
    TokenStore(String),
}

impl ClientError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Interrupted(_) => true,
            Self::Problem(problem) => problem.retryable,
            Self::Address(_) | Self::Protocol(_) | Self::SignedOut | Self::TokenStore(_) => false,
        }
    }

    /// The stable code of the problem, where the server named one.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Problem(problem) => Some(problem.code),
            _ => None,
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_decode() || error.is_redirect() {
            return Self::Protocol(innermost(&error));
        }
        let reason = if error.is_timeout() {
            "it does not answer in time".to_owned()
        } else {
            innermost(&error)
        };
        if error.is_connect() {
            Self::Unreachable(reason)
        } else {
            Self::Interrupted(reason)
        }
    }
}

/// The cause of all causes: "connection refused" says more to a person than the layers above it.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if let Some(io) = cause.downcast_ref::<std::io::Error>() {
        return describe_io(io);
    }
    cause.to_string()
}

/// An I/O error as a person says it, without the number of the operating system.
pub(super) fn describe_io(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => "the connection broke".to_owned(),
        ErrorKind::TimedOut => "it does not answer in time".to_owned(),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            "no way to its network".to_owned()
        }
        _ => error.to_string(),
    }
}
