//! `/search`: messages by their words.

use axum::{Json, extract::State};
use chat_core::{
    Query as SearchQuery,
    model::{ConversationId, Message, Timestamp, UserId},
    protocol::{ErrorCode::NotFound, rest::Page},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::ApiError,
    extract::{Caller, Query},
    page::{decode_cursor, page, page_limit},
};
use crate::state::Shared;

/// The longest text to search for, in characters.
const MAX_CHARS: usize = 200;

/// What to search for, and how much of the answer to give.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// 1 to 16 words. A message contains them all, the last one as the beginning of a word; case and accents do not count.
    #[param(max_length = 200, pattern = r"[0-9A-Za-z]", example = "soup")]
    q: String,
    /// Only in this conversation.
    conversation_id: Option<ConversationId>,
    /// Only by this sender.
    from: Option<UserId>,
    /// Only what was accepted before.
    before: Option<Timestamp>,
    /// The most items to give.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    #[param(format = "cursor")]
    cursor: Option<String>,
}

/// Find messages by their words
///
/// Finds what I may see now, of all my conversations or of one; deleted messages are never found.
#[utoipa::path(
    get, path = "/search", operation_id = "search_messages", tag = "messages",
    params(Search),
    responses((status = OK, body = Page<Message>, description = "A page, the newest first.")),
    extensions(("x-errors" = json!([NotFound]))),
)]
pub(super) async fn messages(
    State(state): State<Shared>,
    Caller(caller): Caller,
    Query(search): Query<Search>,
) -> Result<Json<Page<Message>>, ApiError> {
    let limit = page_limit(search.limit)?;
    let after = decode_cursor(search.cursor.as_deref(), |id| id.parse().ok())?;
    if search.q.chars().count() > MAX_CHARS {
        let detail = format!("at most {MAX_CHARS} characters are searched for");
        return Err(ApiError::invalid("q", "too_long", detail));
    }
    let query = SearchQuery {
        text: search.q,
        conversation: search.conversation_id,
        from: search.from,
        before: search.before,
    };
    let found = state.chat.search(caller, &query, after, limit + 1);
    Ok(Json(page(found.await?, limit, |last| last.id.to_string())))
}
