//! `/conversations` and `/direct`: the list, what changed in it, one row, new groups.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use chat_core::{
    model::{ConversationId, Row, Timestamp, Title, UserId},
    protocol::rest::{CreateGroup, KnownRows, Page, PatchConversation, RowChanges},
    store::RowPlace,
};

use super::{
    error::ApiError,
    extract::{
        Body, Caller, Id, NoQuery, PageParameters, Query, decode_cursor, encode_cursor, page_limit,
        read_json, seq,
    },
};
use crate::state::Shared;

/// A client that knows ten thousand rows can still ask what changed.
const MAX_KNOWN_BYTES: usize = 512 * 1024;

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

pub(super) async fn create(
    State(state): State<Shared>,
    Caller(caller): Caller,
    _: NoQuery,
    Body(body): Body<CreateGroup>,
) -> Result<(StatusCode, Json<Row>), ApiError> {
    let title = title(body.title)?;
    let row = state
        .chat
        .create_group(caller, title, body.member_ids)
        .await?;
    Ok((StatusCode::CREATED, Json(row)))
}

pub(super) async fn row(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Id(conversation): Id<ConversationId>,
    _: NoQuery,
) -> Result<Json<Row>, ApiError> {
    Ok(Json(state.chat.row(caller, conversation).await?))
}

pub(super) async fn rename(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Id(conversation): Id<ConversationId>,
    _: NoQuery,
    Body(body): Body<PatchConversation>,
) -> Result<Json<Row>, ApiError> {
    let title = title(body.title)?;
    Ok(Json(state.chat.rename(caller, conversation, title).await?))
}

pub(super) async fn direct(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Id(peer): Id<UserId>,
    _: NoQuery,
) -> Result<(StatusCode, Json<Row>), ApiError> {
    let (row, new) = state.chat.direct(caller, peer).await?;
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
