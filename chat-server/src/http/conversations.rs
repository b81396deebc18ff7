//! `/conversations` and `/direct`: the list, what changed in it, one row, new groups, what they are called.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use chat_core::{
    NewGroup,
    model::{MineChanges, Row, Timestamp, Title, Topic},
    protocol::{
        ErrorCode::{Conflict, Forbidden},
        rest::{CreateGroup, KnownRows, Page, PatchConversation, RowChanges},
    },
    store::RowPlace,
};

use super::{
    error::ApiError,
    extract::{Body, Caller, NoQuery, Query, read_json, seq},
    page::{PageParameters, decode_cursor, encode_cursor, page_limit},
    path::{OfConversation, OfUser, Path},
};
use crate::state::Shared;

/// A client that knows ten thousand rows can still ask what changed.
const MAX_KNOWN_BYTES: usize = 512 * 1024;

/// My conversations
///
/// Pinned ones first, then by their newest activity. A direct conversation that its peer has opened is in it from its first
/// message on.
#[utoipa::path(
    get, path = "/conversations", operation_id = "list_conversations", tag = "conversations",
    params(PageParameters),
    responses((status = OK, body = Page<Row>, description = "A page of rows.")),
)]
pub(super) async fn list(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Query(page): Query<PageParameters>,
) -> Result<Json<Page<Row>>, ApiError> {
    let limit = page_limit(page.limit)?;
    let after = decode_cursor(page.cursor.as_deref(), parse_place)?;
    let (items, next) = state.chat.rows(caller, after, limit).await?;
    Ok(Json(Page {
        items,
        next_cursor: next.map(|place| encode_cursor(&print_place(place))),
    }))
}

fn print_place(place: RowPlace) -> String {
    let pinned = if place.pinned { 'p' } else { '-' };
    format!(
        "{pinned} {} {}",
        place.last_activity_at.as_millis(),
        place.id
    )
}

fn parse_place(text: &str) -> Option<RowPlace> {
    let mut parts = text.splitn(3, ' ');
    let pinned = match parts.next()? {
        "p" => true,
        "-" => false,
        _ => return None,
    };
    Some(RowPlace {
        pinned,
        last_activity_at: Timestamp::from_millis(parts.next()?.parse().ok()?),
        id: parts.next()?.parse().ok()?,
    })
}

/// What differs from the rows that I know
///
/// The delta after a reconnect: rows that are new or differ from what I know, and the ids that are gone. The body has at most
/// 512 KiB, which is about eight thousand rows.
#[utoipa::path(
    post, path = "/conversations/changes", operation_id = "list_conversation_changes", tag = "conversations",
    request_body = KnownRows,
    responses((status = OK, body = RowChanges, description = "The difference.")),
)]
pub(super) async fn changes(
    State(state): State<Shared>,
    Caller(caller): Caller,
    _: NoQuery,
    request: Request,
) -> Result<Json<RowChanges>, ApiError> {
    let body: KnownRows = read_json(request, MAX_KNOWN_BYTES).await?;
    for (_, head_seq, rev) in &body.known {
        seq("known", *head_seq)?;
        seq("known", *rev)?;
    }
    Ok(Json(state.chat.row_changes(caller, &body.known).await?))
}

/// Make a group
///
/// Who makes it is its owner; members who are named are plain members. Every member must exist.
#[utoipa::path(
    post, path = "/conversations", operation_id = "create_group", tag = "conversations",
    request_body = CreateGroup,
    responses((status = CREATED, body = Row, description = "The row of the new group.")),
)]
pub(super) async fn create(
    State(state): State<Shared>,
    Caller(caller): Caller,
    _: NoQuery,
    Body(body): Body<CreateGroup>,
) -> Result<(StatusCode, Json<Row>), ApiError> {
    let group = NewGroup {
        title: title(body.title)?,
        topic: body.topic.map(topic).transpose()?,
        history: body.history,
        members: body.member_ids,
    };
    let row = state.chat.create_group(caller, group).await?;
    Ok((StatusCode::CREATED, Json(row)))
}

/// One row of my list
#[utoipa::path(
    get, path = "/conversations/{id}", operation_id = "get_conversation", tag = "conversations",
    params(OfConversation),
    responses((status = OK, body = Row, description = "The row.")),
)]
pub(super) async fn row(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    _: NoQuery,
) -> Result<Json<Row>, ApiError> {
    Ok(Json(state.chat.row(caller, path.id).await?))
}

/// Change what a group is called and how it is
///
/// Admins and owners change title and topic, owners the history too. What is absent stays as it is; an empty object changes
/// nothing, and is permitted to whom a change of the title is. Direct conversations have none of these (`conflict`).
#[utoipa::path(
    patch, path = "/conversations/{id}", operation_id = "update_conversation", tag = "conversations",
    params(OfConversation),
    request_body = PatchConversation,
    responses((status = OK, body = Row, description = "The row as it is now.")),
    extensions(("x-errors" = json!([Forbidden, Conflict]))),
)]
pub(super) async fn update(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    _: NoQuery,
    Body(body): Body<PatchConversation>,
) -> Result<Json<Row>, ApiError> {
    let title = body.title.map(title).transpose()?;
    let topic = match body.topic {
        None => None,
        Some(None) => Some(None),
        Some(Some(text)) => Some(Some(topic(text)?)),
    };
    let chat = &state.chat;
    let row = chat.update(caller, path.id, title, topic, body.history);
    Ok(Json(row.await?))
}

/// End a group for everyone
///
/// For its owners. From then on it is as if it were not there. Direct conversations stay (`conflict`).
#[utoipa::path(
    delete, path = "/conversations/{id}", operation_id = "delete_conversation", tag = "conversations",
    params(OfConversation),
    responses((status = NO_CONTENT, description = "It is no more.")),
    extensions(("x-errors" = json!([Forbidden, Conflict]))),
)]
pub(super) async fn delete(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    _: NoQuery,
) -> Result<StatusCode, ApiError> {
    state.chat.delete_conversation(caller, path.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change my own settings of a conversation
///
/// Nobody else is told. What is absent stays as it is; an empty object changes nothing.
#[utoipa::path(
    patch, path = "/conversations/{id}/me", operation_id = "update_my_conversation", tag = "conversations",
    params(OfConversation),
    request_body = MineChanges,
    responses((status = OK, body = Row, description = "The row as it is now.")),
)]
pub(super) async fn update_mine(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfConversation>,
    _: NoQuery,
    Body(changes): Body<MineChanges>,
) -> Result<Json<Row>, ApiError> {
    let row = state.chat.update_mine(caller, path.id, changes);
    Ok(Json(row.await?))
}

/// The one direct conversation with somebody
///
/// Two callers at once, from either side, get the same one. The peer sees it from its first message on. Whoever is blocked
/// hears that there is no such user; who has blocked them is told so (`conflict`).
#[utoipa::path(
    put, path = "/direct/{user_id}", operation_id = "open_direct", tag = "conversations",
    params(OfUser),
    responses(
        (status = OK, body = Row, description = "The row of the conversation, which there was."),
        (status = CREATED, body = Row, description = "The row of the conversation, which is new."),
    ),
    extensions(("x-errors" = json!([Conflict]))),
)]
pub(super) async fn direct(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Path(path): Path<OfUser>,
    _: NoQuery,
) -> Result<(StatusCode, Json<Row>), ApiError> {
    let (row, new) = state.chat.direct(caller, path.user_id).await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(row)))
}

fn title(text: String) -> Result<Title, ApiError> {
    Title::try_from(text).map_err(|detail| ApiError::invalid("title", "not_accepted", detail))
}

fn topic(text: String) -> Result<Topic, ApiError> {
    Topic::try_from(text).map_err(|detail| ApiError::invalid("topic", "not_accepted", detail))
}
