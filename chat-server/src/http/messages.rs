//! `/conversations/{id}/messages`: saying something, reading it, changing it, taking it back.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chat_core::{
    model::{ClientId, Draft, Message, MessageId, Seq},
    protocol::{
        ErrorCode::{self, ClientIdReused, Conflict, Forbidden, Refused},
        rest::{EditMessage, Page, present},
    },
    store::Around,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::ApiError,
    extract::{Body, Caller, NoQuery, Query, seq},
    page::page_limit,
    path::{OfConversation, OfMessage, Path},
};
use crate::state::Shared;

/// A message as its sender writes it. The `client_id` may also stand in the `Idempotency-Key` header.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    /// My own name for this message, any UUID: a retry with the same one has one effect, for ever.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    client_id: Option<ClientId>,
    /// The text, stored and returned to the letter; not blank, without NUL characters.
    #[schema(
        min_length = 1,
        max_length = 8000,
        pattern = r"^[^\x00]*[^\s\x00][^\x00]*$",
        examples("Soup?")
    )]
    body: String,
    /// The message of the same conversation that this one answers.
    reply_to: Option<MessageId>,
}

/// Say something
///
/// When this answers, the message is durable. The `client_id` may also stand in the `Idempotency-Key` header; one of the two must
/// be there, and both must be the same. A retry with the same one answers the message that was accepted; with another text or
/// `reply_to` it is refused (`client_id_reused`).
#[utoipa::path(
    post, path = "/conversations/{id}/messages", operation_id = "send_message", tag = "messages",
    params(
        OfConversation,
        ("Idempotency-Key" = Option<ClientId>, Header, description = "The `client_id`, where it is not in the body."),
    ),
    request_body = NewMessage,
    responses(
        (status = CREATED, body = Message, description = "It was accepted."),
        (status = OK, body = Message, description = "It had been accepted before, under this `client_id`."),
    ),
    extensions(("x-errors" = json!([ClientIdReused, Forbidden, Refused, Conflict]))),
)]
pub(super) async fn send(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
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
    let sent = state.chat.send(caller, path.id, draft).await?;
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
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct History {
    /// The newest before this place.
    before_seq: Option<Seq>,
    /// The oldest after this place.
    after_seq: Option<Seq>,
    /// Half of them before this place, and half from it on.
    around_seq: Option<Seq>,
    /// The most items to give.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
}

/// Messages in their present state
///
/// The newest ones, or those around one of the three places; give at most one. Deleted messages are among them, as stubs. There is
/// no cursor: page with the `seq` of the first or last item.
#[utoipa::path(
    get, path = "/conversations/{id}/messages", operation_id = "list_messages", tag = "messages",
    params(OfConversation, History),
    responses((status = OK, body = Page<Message>, description = "Messages, ascending by `seq`; `next_cursor` is always null.")),
)]
pub(super) async fn history(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
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
    let items = state.chat.messages(caller, path.id, which, limit).await?;
    Ok(Json(Page {
        items,
        next_cursor: None,
    }))
}

/// One message in its present state
#[utoipa::path(
    get, path = "/conversations/{id}/messages/{message_id}", operation_id = "get_message", tag = "messages",
    params(OfMessage),
    responses((status = OK, body = Message, description = "The message; a stub if it was deleted.")),
)]
pub(super) async fn one(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfMessage>,
    _: NoQuery,
) -> Result<Json<Message>, ApiError> {
    let message = state.chat.message(caller, path.id, path.message_id);
    Ok(Json(message.await?))
}

/// Change the text of my own message
///
/// It counts as a message, so far as rates go.
#[utoipa::path(
    patch, path = "/conversations/{id}/messages/{message_id}", operation_id = "edit_message", tag = "messages",
    params(OfMessage),
    request_body = EditMessage,
    responses((status = OK, body = Message, description = "The message as it is now.")),
    extensions(("x-errors" = json!([Forbidden, Refused, Conflict]))),
)]
pub(super) async fn edit(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfMessage>,
    _: NoQuery,
    Body(EditMessage { body }): Body<EditMessage>,
) -> Result<Json<Message>, ApiError> {
    let limited = state.limits.sends.check(&caller);
    limited.map_err(|too_many| ApiError::too_many(too_many, "messages"))?;
    let edited = state.chat.edit(caller, path.id, path.message_id, body);
    Ok(Json(edited.await?))
}

/// Take back a message
///
/// One's own; in a group, admins and owners also those of others. A stub without text stays in its place and keeps its `seq`.
#[utoipa::path(
    delete, path = "/conversations/{id}/messages/{message_id}", operation_id = "delete_message", tag = "messages",
    params(OfMessage),
    responses((status = NO_CONTENT, description = "It is deleted, from now on or already.")),
    extensions(("x-errors" = json!([Forbidden]))),
)]
pub(super) async fn delete(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfMessage>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    let deleted = state.chat.delete_message(caller, path.id, path.message_id);
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}
