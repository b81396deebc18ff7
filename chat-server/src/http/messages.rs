//! `/conversations/{id}/messages`, `/events` and `/read`: saying something, reading it, having read it.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chat_core::{
    model::{ClientId, ConversationId, Draft, Message, MessageId, Seq},
    protocol::{
        ErrorCode,
        rest::{Events, MarkRead, Page},
    },
    store::Around,
};
use serde::Deserialize;

use super::{
    error::ApiError,
    extract::{Body, Caller, Id, NoQuery, Query, page_limit, seq},
};
use crate::state::Shared;

/// A message as its sender writes it. The `client_id` may also stand in the `Idempotency-Key` header.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    client_id: Option<ClientId>,
    body: String,
    reply_to: Option<MessageId>,
}

pub(super) async fn send(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Id(conversation): Id<ConversationId>,
    _: NoQuery,
    headers: HeaderMap,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), ApiError> {
    let draft = Draft {
        client_id: client_id(new.client_id, &headers)?,
        body: new.body,
        reply_to: new.reply_to,
    };
    let limited = state.limits.sends.check(&caller);
    limited.map_err(|too_many| ApiError::too_many(too_many, "messages"))?;
    let sent = state.chat.send(caller, conversation, draft).await?;
    let status = if sent.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(sent.message)))
}

fn client_id(in_body: Option<ClientId>, headers: &HeaderMap) -> Result<ClientId, ApiError> {
    let in_header = match headers.get("idempotency-key") {
        None => None,
        Some(value) => {
            let text = value.to_str().unwrap_or_default().trim_matches('"');
            let id = text.parse().map_err(|_no_uuid| {
                ApiError::invalid("Idempotency-Key", "not_accepted", "it is a UUID")
            })?;
            Some(id)
        }
    };
    match (in_body, in_header) {
        (Some(one), Some(other)) if one != other => Err(ApiError::invalid(
            "client_id",
            "not_accepted",
            "client_id and Idempotency-Key are not the same",
        )),
        (Some(id), _) | (None, Some(id)) => Ok(id),
        (None, None) => Err(ApiError::new(
            ErrorCode::Malformed,
            "missing field `client_id`: a UUID that you choose for this message",
        )),
    }
}

/// Which part of the history; at most one of the three places.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    before_seq: Option<Seq>,
    after_seq: Option<Seq>,
    around_seq: Option<Seq>,
    limit: Option<usize>,
}

pub(super) async fn history(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Id(conversation): Id<ConversationId>,
    Query(history): Query<History>,
) -> Result<Json<Page<Message>>, ApiError> {
    let limit = page_limit(history.limit)?;
    let which = match (history.before_seq, history.after_seq, history.around_seq) {
        (None, None, None) => Around::Newest,
        (Some(before), None, None) => Around::Before(seq("before_seq", before)?),
        (None, Some(after), None) => Around::After(seq("after_seq", after)?),
        (None, None, Some(around)) => Around::Around(seq("around_seq", around)?),
        _ => {
            return Err(ApiError::new(
                ErrorCode::Invalid,
                "give at most one of before_seq, after_seq and around_seq",
            ));
        }
    };
    let items = state
        .chat
        .messages(caller, conversation, which, limit)
        .await?;
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

/// From where on, and how much of the log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    after_seq: Option<Seq>,
    limit: Option<usize>,
}

pub(super) async fn events(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Id(conversation): Id<ConversationId>,
    Query(after): Query<After>,
) -> Result<Json<Events>, ApiError> {
    let limit = page_limit(after.limit)?;
    let after = seq("after_seq", after.after_seq.unwrap_or(0))?;
    Ok(Json(
        state
            .chat
            .events(caller, conversation, after, limit)
            .await?,
    ))
}

pub(super) async fn mark_read(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Id(conversation): Id<ConversationId>,
    _: NoQuery,
    Body(body): Body<MarkRead>,
) -> Result<Json<MarkRead>, ApiError> {
    let wanted = seq("seq", body.seq)?;
    let seq = state.chat.mark_read(caller, conversation, wanted).await?;
    Ok(Json(MarkRead { seq }))
}
