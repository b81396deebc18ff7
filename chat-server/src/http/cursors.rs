//! `/conversations/{id}/read`, `/delivered` and `/readers`: how far somebody has come.

use axum::{Json, extract::State, http::StatusCode};
use chat_core::{
    Chat, Error,
    model::{ConversationId, Member, Seq, UserId},
    protocol::rest::{Cursor, MarkDelivered, MarkRead, Page},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::ApiError,
    extract::{Body, Caller, NoQuery, Query, seq},
    page::{after_user, page_limit, page_of_members},
    path::{OfConversation, Path},
};
use crate::state::Shared;

/// Move my read cursor
///
/// It only moves forward, and at most to the head; `unread` sets it back on purpose. Others are told, unless my settings say
/// otherwise; of setting it back they are not.
#[utoipa::path(
    put, path = "/conversations/{id}/read", operation_id = "mark_read", tag = "messages",
    params(OfConversation),
    request_body = MarkRead,
    responses((status = OK, body = Cursor, description = "Where it is now.")),
)]
pub(super) async fn mark_read(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    _: NoQuery,
    Body(body): Body<MarkRead>,
) -> Result<Json<Cursor>, ApiError> {
    let wanted = seq("seq", body.seq)?;
    let seq = move_read_cursor(&state.chat, caller, path.id, wanted, body.unread).await?;
    Ok(Json(Cursor { seq }))
}

/// Forward, or with `unread` back; where it is then.
async fn move_read_cursor(
    chat: &Chat,
    reader: UserId,
    conversation: ConversationId,
    seq: Seq,
    unread: bool,
) -> Result<Seq, Error> {
    if unread {
        chat.mark_unread(reader, conversation, seq).await
    } else {
        chat.mark_read(reader, conversation, seq).await
    }
}

/// Say that this device has the log up to here
///
/// What others see as delivered; it only moves forward.
#[utoipa::path(
    put, path = "/conversations/{id}/delivered", operation_id = "mark_delivered", tag = "messages",
    params(OfConversation),
    request_body = MarkDelivered,
    responses((status = NO_CONTENT, description = "It is noted.")),
)]
pub(super) async fn mark_delivered(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    _: NoQuery,
    Body(body): Body<MarkDelivered>,
) -> Result<StatusCode, ApiError> {
    let seq = seq("seq", body.seq)?;
    let marked = state.chat.mark_delivered(caller, path.id, seq);
    marked.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose cursors to look for, and how much of the answer to give.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Readers {
    /// Who has read up to here.
    seq: Seq,
    /// The most items to give.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// Who has read up to here
///
/// As far as they tell: who reads privately is where they last told.
#[utoipa::path(
    get, path = "/conversations/{id}/readers", operation_id = "list_readers", tag = "messages",
    params(OfConversation, Readers),
    responses((status = OK, body = Page<Member>, description = "A page, ascending by id of the user.")),
)]
pub(super) async fn readers(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    Query(readers): Query<Readers>,
) -> Result<Json<Page<Member>>, ApiError> {
    let seq = seq("seq", readers.seq)?;
    let limit = page_limit(readers.limit)?;
    let after = after_user(readers.cursor.as_deref())?;
    let readers = state.chat.readers(caller, path.id, seq, after, limit);
    Ok(Json(page_of_members(readers.await?)))
}
