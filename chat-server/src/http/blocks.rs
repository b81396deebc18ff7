//! `/users/me/blocks`: whom I want to hear nothing from.

use axum::{Json, extract::State, http::StatusCode};
use chat_core::{
    model::Profile,
    protocol::{
        ErrorCode::{Conflict, NotFound},
        rest::Page,
    },
};

use super::{
    error::ApiError,
    extract::{Caller, NoQuery, Query},
    page::{PageParameters, after_user, page_limit, page_of_profiles},
    path::{OfUser, Path},
};
use crate::state::Shared;

/// Whom I have blocked
#[utoipa::path(
    get, path = "/users/me/blocks", operation_id = "list_blocks", tag = "users",
    params(PageParameters),
    responses((status = OK, body = Page<Profile>, description = "A page, ascending by id.")),
)]
pub(super) async fn list(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Query(page): Query<PageParameters>,
) -> Result<Json<Page<Profile>>, ApiError> {
    let limit = page_limit(page.limit)?;
    let after = after_user(page.cursor.as_deref())?;
    let blocked = state.chat.blocked(caller, after, limit);
    Ok(Json(page_of_profiles(blocked.await?)))
}

/// Block a user
///
/// They cannot open a direct conversation with me nor write in the one that is there, see me as offline, and do not find me;
/// nothing tells them why. In groups both go on hearing each other. Nobody blocks themselves (`conflict`).
#[utoipa::path(
    put, path = "/users/me/blocks/{user_id}", operation_id = "block", tag = "users",
    params(OfUser),
    responses((status = NO_CONTENT, description = "They are blocked, from now on or already.")),
    extensions(("x-errors" = json!([Conflict, NotFound]))),
)]
pub(super) async fn put(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfUser>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    state.chat.set_blocked(caller, path.user_id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unblock a user
#[utoipa::path(
    delete, path = "/users/me/blocks/{user_id}", operation_id = "unblock", tag = "users",
    params(OfUser),
    responses((status = NO_CONTENT, description = "They are not blocked, or no longer.")),
    extensions(("x-errors" = json!([Conflict]))),
)]
pub(super) async fn remove(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfUser>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    state.chat.set_blocked(caller, path.user_id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}
