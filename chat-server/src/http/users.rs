//! `/users`: my profile, somebody's profile, and finding people.

use axum::{Json, extract::State};
use chat_core::{
    model::{Profile, UserId},
    protocol::{
        ErrorCode,
        rest::{Page, PatchMe},
    },
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    accounts::{Desk, no_such_user},
    error::ApiError,
    extract::{Body, Caller, NoQuery, Query},
    page::page_limit,
    path::Path,
};

/// A search begins with so much of a name: less would list everybody.
const FEWEST_CHARS: usize = 2;
const MOST_CHARS: usize = 64;
/// An answer if nothing else is asked for, and at most.
const ANSWER: usize = 20;
const LONGEST_ANSWER: usize = 50;

/// Whom to look for, and how much of the answer to give.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// How the user name or a word of the display name begins: 2 to 64 characters.
    #[param(min_length = 2, max_length = 64, example = "an")]
    query: String,
    /// The most items to give; more than 50 are never given.
    #[param(minimum = 1, maximum = 200, default = 20)]
    limit: Option<usize>,
}

/// Find people by how their names begin
///
/// There is one page and no total: whoever looks for more people types more of their name. Those who have blocked me are not found,
/// unless we share a conversation.
#[utoipa::path(
    get, path = "/users", operation_id = "search_users", tag = "users",
    params(Search),
    responses((status = OK, body = Page<Profile>, description = "The only page.")),
)]
pub(super) async fn search(
    State(desk): State<Desk>,
    Caller(caller): Caller,
    Query(search): Query<Search>,
) -> Result<Json<Page<Profile>>, ApiError> {
    let limit = match search.limit {
        None => ANSWER,
        limit => page_limit(limit)?.min(LONGEST_ANSWER),
    };
    let text = search.query.trim();
    let wrong = |code, detail| Err(ApiError::invalid("query", code, detail));
    match text.chars().count() {
        0..FEWEST_CHARS => return wrong("too_short", "a search has at least 2 characters"),
        FEWEST_CHARS..=MOST_CHARS => {}
        _ => return wrong("too_long", "a search has at most 64 characters"),
    }
    if text.chars().any(char::is_control) {
        return wrong("bad_character", "a search has no control characters");
    }
    let found = desk.accounts.search(text, LONGEST_ANSWER).await?;
    let mut found = desk.visible_to(caller, found).await?;
    found.truncate(limit);
    Ok(Json(Page {
        items: desk.seen_by(caller, found).await?,
        next_cursor: None,
    }))
}

/// My own profile
#[utoipa::path(
    get, path = "/users/me", operation_id = "get_me", tag = "users",
    responses((status = OK, body = Profile, description = "My profile.")),
    extensions(("x-errors" = json!([ErrorCode::NotFound]))),
)]
pub(super) async fn me(
    State(desk): State<Desk>,
    Caller(caller): Caller,
    _: NoQuery,
) -> Result<Json<Profile>, ApiError> {
    desk.profile(caller, caller).await.map(Json)
}

/// Change how I am shown
#[utoipa::path(
    patch, path = "/users/me", operation_id = "update_me", tag = "users",
    request_body = PatchMe,
    responses((status = OK, body = Profile, description = "My profile as it is now.")),
    extensions(("x-errors" = json!([ErrorCode::NotFound]))),
)]
pub(super) async fn patch_me(
    State(desk): State<Desk>,
    Caller(caller): Caller,
    _: NoQuery,
    Body(body): Body<PatchMe>,
) -> Result<Json<Profile>, ApiError> {
    desk.accounts.rename(caller, &body.display_name).await?;
    desk.profile(caller, caller).await.map(Json)
}

/// Of whom.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfId {
    /// Which user.
    id: UserId,
}

/// Somebody's profile
///
/// With their presence, where we share a conversation.
#[utoipa::path(
    get, path = "/users/{id}", operation_id = "get_user", tag = "users",
    params(OfId),
    responses((status = OK, body = Profile, description = "The profile.")),
)]
pub(super) async fn one(
    State(desk): State<Desk>,
    Caller(caller): Caller,
    Path(OfId { id: user }): Path<OfId>,
    _: NoQuery,
) -> Result<Json<Profile>, ApiError> {
    desk.profile(caller, user).await.map(Json)
}

impl Desk {
    async fn profile(&self, viewer: UserId, user: UserId) -> Result<Profile, ApiError> {
        let profile = self.accounts.profile(user).await?;
        let profiles = profile.into_iter().collect();
        let profiles = self.visible_to(viewer, profiles).await?;
        let profiles = self.seen_by(viewer, profiles).await?;
        profiles.into_iter().next().ok_or_else(no_such_user)
    }

    /// Without those who have nothing to do with `viewer` any more.
    async fn visible_to(
        &self,
        viewer: UserId,
        mut profiles: Vec<Profile>,
    ) -> Result<Vec<Profile>, ApiError> {
        let ids = profiles.iter().map(|profile| profile.id).collect();
        let visible = self.state.chat.visible_to(viewer, ids).await?;
        profiles.retain(|profile| visible.contains(&profile.id));
        Ok(profiles)
    }

    /// The profiles with the presence that `viewer` may know of.
    async fn seen_by(
        &self,
        viewer: UserId,
        profiles: Vec<Profile>,
    ) -> Result<Vec<Profile>, ApiError> {
        Ok(self.state.chat.with_presence(viewer, profiles).await?)
    }
}
