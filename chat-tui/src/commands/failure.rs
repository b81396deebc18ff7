//! Why a command did not succeed, for people and as an exit code.

use std::process::ExitCode;

use chat_core::{
    client::ClientError,
    protocol::{ErrorCode, Problem},
};

use crate::app::text::Plain;

/// The end of a command that did not succeed, as other programs see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nobody reads what is written any more: the command ends in silence, and has not failed.
    NobodyReads = 0,
    /// None of the others.
    Failed = 1,
    /// What was asked for makes no sense.
    Usage = 2,
    /// There is no sign-in, or it has ended.
    SignedOut = 3,
    /// The same again may succeed later.
    Unreachable = 4,
    /// The same again will not succeed.
    Refused = 5,
    /// What was named is not there, or not once.
    NoConversation = 6,
}

/// Why a command did not succeed, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    exit: Exit,
    message: Plain,
}

impl Failure {
    /// A failure, and what a person should read of it.
    #[must_use]
    pub fn new(exit: Exit, message: &str) -> Self {
        Self {
            exit,
            message: Plain::text(message),
        }
    }

    pub(super) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The same with another message around it.
    pub(super) fn saying(self, message: impl FnOnce(&Plain) -> String) -> Self {
        let message = Plain::text(&message(&self.message));
        Self { message, ..self }
    }

    /// What a person should read; none if there is nothing to say.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        (self.exit != Exit::NobodyReads).then_some(self.message.as_str())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        failure.exit.into()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Failed, &format!("{error:#}"))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::SignedOut => Self::signed_out(),
            ClientError::Problem(problem) => of_problem(problem),
            ClientError::Address(_) => Self::new(Exit::Usage, &error.to_string()),
            error if error.retryable() => Self::new(Exit::Unreachable, &error.to_string()),
            error => Self::new(Exit::Failed, &error.to_string()),
        }
    }
}

impl Failure {
    fn signed_out() -> Self {
        Self::new(Exit::SignedOut, "not signed in: run `chat-tui login`")
    }
}

fn of_problem(problem: &Problem) -> Failure {
    let exit = match problem.code {
        ErrorCode::Unauthenticated | ErrorCode::TokenExpired | ErrorCode::RefreshReused => {
            return Failure::signed_out();
        }
        _ if problem.retryable => Exit::Unreachable,
        _ => Exit::Refused,
    };
    let wrong = problem.errors.iter().map(|error| error.detail.as_str());
    let wrong: Vec<&str> = wrong.filter(|detail| !detail.is_empty()).collect();
    if wrong.is_empty() {
        Failure::new(exit, &problem.detail)
    } else {
        Failure::new(exit, &wrong.join("; "))
    }
}
