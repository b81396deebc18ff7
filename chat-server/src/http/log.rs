//! `/conversations/{id}/events`: the log itself.

use axum::{Json, extract::State};
use chat_core::{model::Seq, protocol::rest::Events};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::ApiError,
    extract::{Caller, Query, seq},
    page::page_limit,
    path::{OfConversation, Path},
};
use crate::state::Shared;

/// From where on, and how much of the log.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Up to where I have it.
    after_seq: Option<Seq>,
    /// The most items to give.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
}

/// The log of a conversation
///
/// Everything durable that happened in it, in the shape of the socket's log frames: dense from `after_seq + 1`, or from where
/// my history begins if that is later. Page until the last item is at `head_seq`. The log is kept for ever, so no cursor is ever
/// too old.
#[utoipa::path(
    get, path = "/conversations/{id}/events", operation_id = "list_events", tag = "messages",
    params(OfConversation, After),
    responses((status = OK, body = Events, description = "Entries, ascending by `seq` without a hole.")),
)]
pub(super) async fn events(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    Query(after): Query<After>,
) -> Result<Json<Events>, ApiError> {
    let limit = page_limit(after.limit)?;
    let after = seq("after_seq", after.after_seq.unwrap_or(0))?;
    let events = state.chat.events(caller, path.id, after, limit);
    Ok(Json(events.await?))
}
