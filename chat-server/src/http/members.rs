//! `/conversations/{id}/members` and `/bans`: who belongs to it, and who is not to.

use axum::{Json, extract::State, http::StatusCode};
use chat_core::{
    model::{Member, Profile},
    protocol::{
        ErrorCode::{Conflict, Forbidden},
        rest::{Page, PutMember},
    },
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::ApiError,
    extract::{Caller, NoQuery, OptionalBody, Query},
    page::{PageParameters, after_user, page_limit, page_of_members, page_of_profiles},
    path::{OfConversation, OfMember, Path},
};
use crate::state::Shared;

/// Who belongs to a conversation
#[utoipa::path(
    get, path = "/conversations/{id}/members", operation_id = "list_members", tag = "members",
    params(OfConversation, PageParameters),
    responses((status = OK, body = Page<Member>, description = "A page, ascending by id of the user.")),
)]
pub(super) async fn list(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    Query(page): Query<PageParameters>,
) -> Result<Json<Page<Member>>, ApiError> {
    let limit = page_limit(page.limit)?;
    let after = after_user(page.cursor.as_deref())?;
    let members = state.chat.members(caller, path.id, after, limit);
    Ok(Json(page_of_members(members.await?)))
}

/// Add somebody to a group, or give a member another role
///
/// Admins and owners add plain members; owners give and take all roles. Without a role, somebody new is a plain member and
/// whoever belongs keeps theirs. Not possible (`conflict`): in a direct conversation, for somebody who is banned, and leaving
/// the group without an owner.
#[utoipa::path(
    put, path = "/conversations/{id}/members/{user_id}", operation_id = "put_member", tag = "members",
    params(OfMember),
    request_body(content = Option<PutMember>),
    responses(
        (status = OK, body = Member, description = "They belonged already, and have this role."),
        (status = CREATED, body = Member, description = "They belong from now on."),
    ),
    extensions(("x-errors" = json!([Forbidden, Conflict]))),
)]
pub(super) async fn put(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfMember>,
    _: NoQuery,
    OptionalBody(body): OptionalBody<PutMember>,
) -> Result<(StatusCode, Json<Member>), ApiError> {
    let chat = &state.chat;
    let put = chat.put_member(caller, path.id, path.user_id, body.role);
    let (member, new) = put.await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(member)))
}

/// How a membership ends.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Removal {
    /// They are not to be added again until the ban is lifted.
    #[serde(default)]
    #[param(default = false)]
    ban: bool,
}

/// Remove somebody from a group, or leave it
///
/// Everybody may leave, but the last owner while others stay (`conflict`). Admins and owners remove plain members, owners all.
/// Direct conversations are not left (`conflict`).
#[utoipa::path(
    delete, path = "/conversations/{id}/members/{user_id}", operation_id = "remove_member", tag = "members",
    params(OfMember, Removal),
    responses((status = NO_CONTENT, description = "They no longer belong to it.")),
    extensions(("x-errors" = json!([Forbidden, Conflict]))),
)]
pub(super) async fn remove(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfMember>,
    Query(Removal { ban }): Query<Removal>,
) -> Result<StatusCode, ApiError> {
    let chat = &state.chat;
    let removed = chat.remove_member(caller, path.id, path.user_id, ban);
    removed.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is banned from a group
///
/// For its admins and owners.
#[utoipa::path(
    get, path = "/conversations/{id}/bans", operation_id = "list_bans", tag = "members",
    params(OfConversation, PageParameters),
    responses((status = OK, body = Page<Profile>, description = "A page, ascending by id.")),
    extensions(("x-errors" = json!([Forbidden]))),
)]
pub(super) async fn banned(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    Query(page): Query<PageParameters>,
) -> Result<Json<Page<Profile>>, ApiError> {
    let limit = page_limit(page.limit)?;
    let after = after_user(page.cursor.as_deref())?;
    let banned = state.chat.banned(caller, path.id, after, limit);
    Ok(Json(page_of_profiles(banned.await?)))
}

/// Let somebody be added again who was banned
///
/// For admins and owners of the group.
#[utoipa::path(
    delete, path = "/conversations/{id}/bans/{user_id}", operation_id = "lift_ban", tag = "members",
    params(OfMember),
    responses((status = NO_CONTENT, description = "They are not banned, or no longer.")),
    extensions(("x-errors" = json!([Forbidden, Conflict]))),
)]
pub(super) async fn lift_ban(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfMember>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    state.chat.lift_ban(caller, path.id, path.user_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
