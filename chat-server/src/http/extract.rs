//! What handlers take from a request, read strictly: unknown fields and parameters are errors.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    extract::{
        ConnectInfo, FromRef, FromRequest, FromRequestParts, Request, rejection::QueryRejection,
    },
    http::{HeaderMap, header, request::Parts},
};
use chat_core::{
    model::{Seq, UserId},
    protocol::{ErrorCode, Problem},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::{auth::Identity, limits::address_key, state::Shared};

/// The largest body of a request.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;
/// A body that takes longer to arrive is given up.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Places beyond are further than any log goes.
pub(super) const MAX_SEQ: Seq = i64::MAX.unsigned_abs();

/// Who sent the request, by its bearer token, and within their rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller(pub(crate) UserId);

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Shared: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let state = Shared::from_ref(state);
        let identity = identify(&state, parts).await?;
        Ok(Self(identity.user_id))
    }
}

/// Whose bearer token a request carries, within their rate; without one that holds, within the rate of the address.
pub(crate) async fn identify(state: &Shared, parts: &Parts) -> Result<Identity, ApiError> {
    let verified = match bearer(&parts.headers) {
        Ok(token) => {
            let identity = state.authenticate.authenticate(token).await;
            identity.map_err(ApiError::from)
        }
        Err(error) => Err(error),
    };
    let limited = match &verified {
        Ok(identity) => state.limits.requests.check(&identity.user_id),
        Err(_) => state.limits.anonymous.check(&client_address(parts)),
    };
    limited.map_err(|too_many| ApiError::too_many(too_many, "requests"))?;
    verified
}

/// The bearer token of a request.
fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let missing = || {
        ApiError::new(
            ErrorCode::Unauthenticated,
            "this call needs `Authorization: Bearer` with an access token",
        )
    };
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(missing());
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    Ok(token.trim())
}

/// Where a request without a user comes from, within the rate of that address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anonymous(pub(crate) IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for Anonymous
where
    Shared: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let state = Shared::from_ref(state);
        let address = client_address(parts);
        let limited = state.limits.anonymous.check(&address);
        limited.map_err(|too_many| ApiError::too_many(too_many, "requests"))?;
        Ok(Self(address))
    }
}

/// The peer of the connection, as it is counted. Headers that claim another one are not believed.
pub(crate) fn client_address(parts: &Parts) -> IpAddr {
    let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| {
        address_key(info.0.ip())
    })
}

/// The JSON body of a request.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        read_json(request, MAX_BODY_BYTES).await.map(Self)
    }
}

/// The JSON body of a request that may also have none.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, MAX_BODY_BYTES).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        is_json(&parts.headers)?;
        parse(&bytes).map(Self)
    }
}

/// Reads and parses a body of at most `limit` bytes.
pub(crate) async fn read_json<T: DeserializeOwned>(
    request: Request,
    limit: usize,
) -> Result<T, ApiError> {
    let (parts, body) = request.into_parts();
    is_json(&parts.headers)?;
    let bytes = read(body, limit).await?;
    parse(&bytes)
}

fn is_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next());
    let json = essence.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !json || headers.contains_key(header::CONTENT_ENCODING) {
        return Err(ApiError::new(
            ErrorCode::UnsupportedMediaType,
            "a body is `Content-Type: application/json`, not compressed",
        ));
    }
    Ok(())
}

async fn read(body: axum::body::Body, limit: usize) -> Result<bytes::Bytes, ApiError> {
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::new(
            ErrorCode::TooLarge,
            format!("a body has at most {limit} bytes"),
        )),
        Ok(Err(_)) => Err(ApiError::new(
            ErrorCode::Malformed,
            "the body did not arrive in full",
        )),
        Err(_) => Err(ApiError::new(
            ErrorCode::Timeout,
            "the body took more than 10 seconds to arrive",
        )),
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| json_error(&error.path().to_string(), error.inner()))?;
    json.end().map_err(|error| json_error(".", &error))?;
    Ok(value)
}

/// Tells what cannot be read from what cannot be accepted: a value of the right JSON type that its field refuses is
/// the latter.
fn json_error(path: &str, error: &serde_json::Error) -> ApiError {
    const UNREADABLE: [&str; 5] = [
        "missing field",
        "invalid type",
        "invalid length",
        "duplicate field",
        "invalid value",
    ];
    let problem = Problem::from_json_error(error);
    let refused = error.is_data()
        && problem.code == ErrorCode::Malformed
        && !UNREADABLE
            .iter()
            .any(|kind| problem.detail.starts_with(kind));
    let (code, kind) = match (problem.code, refused) {
        (ErrorCode::UnknownField, _) => (ErrorCode::UnknownField, "unknown"),
        (_, true) => (ErrorCode::Invalid, "not_accepted"),
        _ => (ErrorCode::Malformed, "malformed"),
    };
    let problem = Problem::new(code, problem.detail);
    if path == "." {
        return problem.into();
    }
    let detail = problem.detail.clone();
    problem.with_field(path, kind, detail).into()
}

/// The query parameters of a request.
#[derive(Clone, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|query| Self(query.0))
            .map_err(|error| query_error(&error))
    }
}

fn query_error(error: &QueryRejection) -> ApiError {
    let text = error.body_text();
    let detail = text
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(&text);
    if detail.contains("unknown field") {
        return ApiError::new(ErrorCode::UnknownField, detail);
    }
    match detail.split_once(": ") {
        Some((parameter, detail)) => ApiError::invalid(parameter, "not_accepted", detail),
        None => ApiError::new(ErrorCode::Invalid, detail),
    }
}

/// That there are no query parameters, for calls that know none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoQuery;

impl<S: Send + Sync> FromRequestParts<S> for NoQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.uri.query() {
            None | Some("") => Ok(Self),
            Some(_) => Err(ApiError::new(
                ErrorCode::UnknownField,
                "this call has no query parameters",
            )),
        }
    }
}

/// A place in a log, from a request.
pub(crate) fn seq(field: &str, seq: Seq) -> Result<Seq, ApiError> {
    if seq > MAX_SEQ {
        return Err(ApiError::invalid(
            field,
            "out_of_range",
            "no log is that long",
        ));
    }
    Ok(seq)
}
