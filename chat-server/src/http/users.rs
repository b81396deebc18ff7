//! `/users`: my profile, somebody's profile, and finding people.

use axum::{Json, extract::State};
use chat_core::{
    model::{Profile, UserId},
    protocol::rest::{Page, PatchMe},
};
use serde::Deserialize;

use super::{
    accounts::{Desk, no_such_user},
    error::ApiError,
    extract::{Body, Caller, Id, NoQuery, Query, decode_cursor, encode_cursor, page_limit},
};

/// Whom to look for, and how much of the answer to give.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Search {
    query: String,
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn search(
    State(desk): State<Desk>,
    Caller(caller): Caller,
    Query(search): Query<Search>,
) -> Result<Json<Page<Profile>>, ApiError> {
    let limit = page_limit(search.limit)?;
    let text = search.query.trim();
    if text.is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
        return Err(ApiError::invalid(
            "query",
            "out_of_range",
            "a search has 1 to 64 visible characters",
        ));
    }
    let after = decode_cursor(search.cursor.as_deref(), |name| {
        (!name.is_empty() && name.is_ascii()).then(|| name.to_owned())
    })?;
    let mut found = desk
        .accounts
        .search(text, after.as_deref().unwrap_or_default(), limit + 1)
        .await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found
        .last()
        .filter(|_| more)
        .map(|last| encode_cursor(&last.username));
    Ok(Json(Page {
        items: desk.seen_by(caller, found).await?,
        next_cursor,
    }))
}

pub(super) async fn me(
    State(desk): State<Desk>,
    Caller(caller): Caller,
    _: NoQuery,
) -> Result<Json<Profile>, ApiError> {
    desk.profile(caller, caller).await.map(Json)
}

pub(super) async fn patch_me(
    State(desk): State<Desk>,
    Caller(caller): Caller,
    _: NoQuery,
    Body(body): Body<PatchMe>,
) -> Result<Json<Profile>, ApiError> {
    desk.accounts.rename(caller, &body.display_name).await?;
    desk.profile(caller, caller).await.map(Json)
}

pub(super) async fn one(
    State(desk): State<Desk>,
    Caller(caller): Caller,
    Id(user): Id<UserId>,
    _: NoQuery,
) -> Result<Json<Profile>, ApiError> {
    desk.profile(caller, user).await.map(Json)
}

impl Desk {
    async fn profile(&self, viewer: UserId, user: UserId) -> Result<Profile, ApiError> {
        let profile = self.accounts.profile(user).await?;
        let profiles = self.seen_by(viewer, profile.into_iter().collect()).await?;
        profiles.into_iter().next().ok_or_else(no_such_user)
    }
}
