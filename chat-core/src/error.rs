//! What can go wrong for a caller of the engine, as things they can act on.

use std::sync::Arc;

use crate::{
    model::Reaction,
    protocol::{ErrorCode, Problem},
    store::{Refusal, StoreError},
};

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not exist, or the caller may not see it; the two are not told apart.
    #[error("{0}")]
    NotFound(&'static str),
    /// The caller's role does not permit it.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A value cannot be accepted.
    #[error("{field}: {detail}")]
    Invalid {
        /// Of which field.
        field: &'static str,
        /// What is wrong with it, for programs.
        code: &'static str,
        /// What is wrong with it, for people.
        detail: String,
    },
    /// The `client_id` was accepted before with another content; that message stands, this one was not accepted.
    #[error("this client_id was used for another message: choose a new one for a new message")]
    ClientIdReused,
    /// It would leave the conversation in a state that must not be.
    #[error("{0}")]
    Conflict(&'static str),
    /// The embedder's [`Policy`](crate::access::Policy) refused it, for this reason.
    #[error("{0}")]
    Refused(String),
    /// A bound of the engine is reached.
    #[error("{0}")]
    LimitExceeded(String),
    /// The engine is stopping.
    #[error("the server is stopping: try again on another node")]
    ShuttingDown,
    /// The store failed. Whether a send took effect is then unknown: retry it with the same `client_id`.
    #[error("the store is not available: try again, nothing is lost")]
    Unavailable(#[source] Arc<StoreError>),
}

impl Error {
    /// A store that answers what its contract excludes.
    pub(crate) fn broken_store(what: &str) -> Self {
        StoreError::Corrupt(what.to_owned()).into()
    }

    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::Invalid { .. } => ErrorCode::Invalid,
            Self::ClientIdReused => ErrorCode::ClientIdReused,
            Self::Conflict(_) => ErrorCode::Conflict,
            Self::Refused(_) => ErrorCode::Refused,
            Self::LimitExceeded(_) => ErrorCode::LimitExceeded,
            Self::ShuttingDown => ErrorCode::ShuttingDown,
            Self::Unavailable(_) => ErrorCode::Unavailable,
        }
    }

    /// This error as it travels. Causes inside the server are not in it.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.code(), self.to_string());
        match self {
            Self::Invalid {
                field,
                code,
                detail,
            } => problem.with_field(field, code, detail),
            _ => problem,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::ConversationNotFound => Self::NotFound("no such conversation"),
            Refusal::MemberNotFound => Self::NotFound("no such member"),
            Refusal::ReplyNotFound => Self::Invalid {
                field: "reply_to",
                code: "not_found",
                detail: "names no message of this conversation".to_owned(),
            },
            Refusal::Forbidden => Self::Forbidden("your role does not permit this"),
            Refusal::NotInDirect => Self::Conflict("this is not possible in a direct conversation"),
            Refusal::LastOwner => {
                Self::Conflict("a group keeps at least one owner: appoint another one first")
            }
            Refusal::MessageNotFound => Self::NotFound("no such message"),
            Refusal::MessageDeleted => {
                Self::Conflict("the message was deleted: nothing more can be done with it")
            }
            Refusal::TooManyReactions => Self::LimitExceeded(format!(
                "a message takes at most {} different emoji: use one that is there",
                Reaction::MAX_EMOJI
            )),
            Refusal::Banned => Self::Conflict("this user is banned here: lift the ban first"),
            Refusal::Blocked => Self::Forbidden("you cannot write here"),
            Refusal::Blocking => Self::Conflict("you have blocked this user: unblock them first"),
            Refusal::ClientIdReused => Self::ClientIdReused,
        }
    }
}
