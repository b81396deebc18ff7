//! Lists page by page: how much of one, from where on, and where the next page starts.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chat_core::{
    model::{Member, Profile, UserId},
    protocol::rest::Page,
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::error::ApiError;

/// How much of a list, and from where.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParameters {
    /// The most items to give.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: Option<usize>,
    /// The `next_cursor` of the page before.
    #[param(format = "cursor")]
    pub(crate) cursor: Option<String>,
}

/// The wanted length of a page, 50 if none is given.
pub(crate) fn page_limit(limit: Option<usize>) -> Result<usize, ApiError> {
    match limit {
        None => Ok(50),
        Some(limit @ 1..=200) => Ok(limit),
        Some(_) => Err(ApiError::invalid(
            "limit",
            "out_of_range",
            "a page has 1 to 200 items",
        )),
    }
}

/// Where a page ended, as clients carry it: to be handed back, not to be read.
pub(crate) fn encode_cursor(place: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(place)
}

/// The place in a cursor that was handed back.
pub(crate) fn decode_cursor<T>(
    cursor: Option<&str>,
    place: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let Some(cursor) = cursor else {
        return Ok(None);
    };
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    match place(&text) {
        Some(place) => Ok(Some(place)),
        None => Err(ApiError::invalid(
            "cursor",
            "not_accepted",
            "a cursor is the next_cursor of the page before",
        )),
    }
}

/// The user at whom a page of people ended.
pub(crate) fn after_user(cursor: Option<&str>) -> Result<Option<UserId>, ApiError> {
    decode_cursor(cursor, |id| id.parse().ok())
}

/// A page of members, from those on it and whether there are more.
pub(crate) fn page_of_members((items, more): (Vec<Member>, bool)) -> Page<Member> {
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|last| encode_cursor(&last.user.id.to_string()));
    Page { items, next_cursor }
}

/// A page of profiles, from those on it and whether there are more.
pub(crate) fn page_of_profiles((items, more): (Vec<Profile>, bool)) -> Page<Profile> {
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|last| encode_cursor(&last.id.to_string()));
    Page { items, next_cursor }
}

/// A page of anything, from up to one item more than fits, and how to write down the place of the last one on it.
pub(crate) fn page<T>(
    mut items: Vec<T>,
    limit: usize,
    place: impl FnOnce(&T) -> String,
) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| more);
    let next_cursor = last.map(|last| encode_cursor(&place(last)));
    Page { items, next_cursor }
}
