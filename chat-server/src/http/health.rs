//! `/healthz` and `/readyz`: is it alive, and should it be sent work.

use axum::{Json, extract::State};
use chat_core::protocol::ErrorCode;
use serde_json::{Value, json};

use super::error::ApiError;
use crate::state::Shared;

pub(super) async fn alive() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

pub(super) async fn ready(State(state): State<Shared>) -> Result<Json<Value>, ApiError> {
    if state.draining.is_cancelled() {
        return Err(ApiError::new(
            ErrorCode::ShuttingDown,
            "the server is stopping: go to another node",
        ));
    }
    state.chat.check().await?;
    Ok(Json(json!({"status": "ready"})))
}
