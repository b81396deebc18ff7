//! `/conversations/{id}/messages/{message_id}/pin` and `/pins`: messages that are kept in sight.

use axum::{Json, extract::State, http::StatusCode};
use chat_core::{
    model::Message,
    protocol::{
        ErrorCode::{Conflict, Forbidden},
        rest::Page,
    },
};

use super::{
    error::ApiError,
    extract::{Caller, MAX_SEQ, NoQuery, Query},
    page::{PageParameters, decode_cursor, page, page_limit},
    path::{OfConversation, OfMessage, Path},
};
use crate::state::Shared;

/// Pin a message
///
/// In a group, admins and owners do; in a direct conversation, both.
#[utoipa::path(
    put, path = "/conversations/{id}/messages/{message_id}/pin", operation_id = "pin_message", tag = "messages",
    params(OfMessage),
    responses((status = NO_CONTENT, description = "It is pinned, from now on or already.")),
    extensions(("x-errors" = json!([Forbidden, Conflict]))),
)]
pub(super) async fn put(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfMessage>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    let chat = &state.chat;
    chat.pin(caller, path.id, path.message_id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take the pin from a message
#[utoipa::path(
    delete, path = "/conversations/{id}/messages/{message_id}/pin", operation_id = "unpin_message", tag = "messages",
    params(OfMessage),
    responses((status = NO_CONTENT, description = "It is not pinned, or no longer.")),
    extensions(("x-errors" = json!([Forbidden, Conflict]))),
)]
pub(super) async fn remove(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfMessage>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    let chat = &state.chat;
    chat.pin(caller, path.id, path.message_id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The pinned messages
#[utoipa::path(
    get, path = "/conversations/{id}/pins", operation_id = "list_pins", tag = "messages",
    params(OfConversation, PageParameters),
    responses((status = OK, body = Page<Message>, description = "A page, the newest message first.")),
)]
pub(super) async fn list(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    Query(wanted): Query<PageParameters>,
) -> Result<Json<Page<Message>>, ApiError> {
    let limit = page_limit(wanted.limit)?;
    let before = decode_cursor(wanted.cursor.as_deref(), |seq| {
        seq.parse().ok().filter(|seq| *seq <= MAX_SEQ)
    })?;
    let before = before.unwrap_or(MAX_SEQ);
    let pinned = state.chat.pinned(caller, path.id, before, limit + 1);
    Ok(Json(page(pinned.await?, limit, |last| {
        last.seq.to_string()
    })))
}
