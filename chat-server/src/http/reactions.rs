//! `/conversations/{id}/messages/{message_id}/reactions/{emoji}`: putting an emoji on a message.

use axum::{extract::State, http::StatusCode};
use chat_core::{
    model::Emoji,
    protocol::ErrorCode::{Conflict, Forbidden, Invalid, LimitExceeded},
};

use super::{
    error::ApiError,
    extract::{Caller, NoQuery},
    path::{OfReaction, Path},
};
use crate::state::Shared;

/// Put an emoji on a message
///
/// A message takes at most 20 different ones (`limit_exceeded`), each from everybody.
#[utoipa::path(
    put, path = "/conversations/{id}/messages/{message_id}/reactions/{emoji}", operation_id = "add_reaction", tag = "messages",
    params(OfReaction),
    responses((status = NO_CONTENT, description = "It is there, from now on or already.")),
    extensions(("x-errors" = json!([Invalid, Forbidden, Conflict, LimitExceeded]))),
)]
pub(super) async fn put(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfReaction>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    let emoji = emoji(path.emoji)?;
    let reacted = state.chat.react(caller, path.id, path.message_id, emoji);
    reacted.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take my emoji from a message
#[utoipa::path(
    delete, path = "/conversations/{id}/messages/{message_id}/reactions/{emoji}", operation_id = "remove_reaction", tag = "messages",
    params(OfReaction),
    responses((status = NO_CONTENT, description = "Mine is not there, or no longer.")),
    extensions(("x-errors" = json!([Invalid, Forbidden, Conflict]))),
)]
pub(super) async fn remove(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfReaction>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    let emoji = emoji(path.emoji)?;
    let removed = state.chat.unreact(caller, path.id, path.message_id, emoji);
    removed.await?;
    Ok(StatusCode::NO_CONTENT)
}

fn emoji(text: String) -> Result<Emoji, ApiError> {
    Emoji::try_from(text).map_err(|detail| ApiError::invalid("emoji", "not_accepted", detail))
}
