//! `/healthz` and `/readyz`: is it alive, and should it be sent work.

use axum::{Json, extract::State};
use chat_core::protocol::ErrorCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use crate::state::Shared;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    #[schema(pattern = "^(ok|ready)$")]
    status: &'static str,
}

/// Is it alive
///
/// Answers as long as the process serves anything at all.
#[utoipa::path(
    get, path = "/healthz", operation_id = "is_alive", tag = "operation", security(()),
    responses((status = OK, body = Health, description = "It is.")),
)]
pub(super) async fn alive() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Should it be sent work
///
/// Asks the database too.
#[utoipa::path(
    get, path = "/readyz", operation_id = "is_ready", tag = "operation", security(()),
    responses((status = OK, body = Health, description = "It should.")),
)]
pub(super) async fn ready(State(state): State<Shared>) -> Result<Json<Health>, ApiError> {
    if state.draining.is_cancelled() {
        return Err(ApiError::new(
            ErrorCode::ShuttingDown,
            "the server is stopping: go to another node",
        ));
    }
    state.chat.check().await?;
    Ok(Json(Health { status: "ready" }))
}
