//! `/users/me/settings`: what I let others know.

use axum::{Json, extract::State};
use chat_core::{model::Settings, protocol::rest::PatchSettings};

use super::{
    error::ApiError,
    extract::{Body, Caller, NoQuery},
};
use crate::state::Shared;

/// What I let others know
#[utoipa::path(
    get, path = "/users/me/settings", operation_id = "get_settings", tag = "users",
    responses((status = OK, body = Settings, description = "My settings.")),
)]
pub(super) async fn read(
    State(state): State<Shared>,
    Caller(caller): Caller,
    _: NoQuery,
) -> Result<Json<Settings>, ApiError> {
    Ok(Json(state.chat.settings(caller).await?))
}

/// Change what I let others know
///
/// What is absent stays as it is; an empty object changes nothing.
#[utoipa::path(
    patch, path = "/users/me/settings", operation_id = "update_settings", tag = "users",
    request_body = PatchSettings,
    responses((status = OK, body = Settings, description = "My settings as they are now.")),
)]
pub(super) async fn update(
    State(state): State<Shared>,
    Caller(caller): Caller,
    _: NoQuery,
    Body(changes): Body<PatchSettings>,
) -> Result<Json<Settings>, ApiError> {
    Ok(Json(state.chat.update_settings(caller, changes).await?))
}
