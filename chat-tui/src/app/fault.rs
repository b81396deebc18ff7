//! What went wrong, in words that say what to do about it.

use chat_core::{
    client::ClientError,
    protocol::{ErrorCode, Problem},
};

use super::text::Plain;

/// What an error says, and what to do.
#[must_use]
pub(super) fn words(error: &ClientError) -> Plain {
    match error {
        ClientError::Problem(problem) => problem_words(problem),
        error if error.retryable() => Plain::line(&format!("{error} · try again")),
        ClientError::SignedOut => Plain::line("you are signed out: sign in again"),
        error => Plain::line(&error.to_string()),
    }
}

/// What a problem says, and what to do.
#[must_use]
pub(crate) fn problem_words(problem: &Problem) -> Plain {
    let text = match problem.errors.first() {
        Some(error) if !error.detail.is_empty() => &error.detail,
        _ if !problem.detail.is_empty() => &problem.detail,
        _ => &problem.title,
    };
    let todo = match (problem.code, problem.retry_after_ms) {
        (ErrorCode::RateLimited, Some(wait)) => {
            format!(" · try again in {} s", wait.div_ceil(1_000))
        }
        _ if problem.retryable => " · try again".to_owned(),
        _ => String::new(),
    };
    Plain::line(&format!("{text}{todo}"))
}

/// There should have been more, and there was not.
#[must_use]
pub(super) fn nothing_more() -> Plain {
    Plain::line("the server has no more of it")
}
