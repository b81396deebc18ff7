//! `/conversations/{id}/members`: who belongs to it.

use axum::{Json, extract::State, http::StatusCode};
use chat_core::{
    model::{ConversationId, Member, UserId},
    protocol::rest::{Page, PutMember},
};

use super::{
    error::ApiError,
    extract::{
        Caller, Id, Ids, NoQuery, OptionalBody, PageParameters, Query, decode_cursor,
        encode_cursor, page_limit,
    },
};
use crate::state::Shared;

pub(super) async fn list(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Id(conversation): Id<ConversationId>,
    Query(page): Query<PageParameters>,
) -> Result<Json<Page<Member>>, ApiError> {
    let limit = page_limit(page.limit)?;
    let after = decode_cursor(page.cursor.as_deref(), |id| id.parse::<UserId>().ok())?;
    let (items, more) = state
        .chat
        .members(caller, conversation, after, limit)
        .await?;
    let next_cursor = items
        .last()
        .filter(|_| more)
        .map(|last| encode_cursor(&last.user.id.to_string()));
    Ok(Json(Page { items, next_cursor }))
}

pub(super) async fn put(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Ids(conversation, user): Ids<ConversationId, UserId>,
    _: NoQuery,
    OptionalBody(body): OptionalBody<PutMember>,
) -> Result<(StatusCode, Json<Member>), ApiError> {
    let (member, new) = state
        .chat
        .put_member(caller, conversation, user, body.role)
        .await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(member)))
}

pub(super) async fn remove(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Ids(conversation, user): Ids<ConversationId, UserId>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    state.chat.remove_member(caller, conversation, user).await?;
    Ok(StatusCode::NO_CONTENT)
}
