//! The one place where errors become responses.

use std::time::Instant;

use axum::{
    Json,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chat_core::{
    Error,
    protocol::{ErrorCode, Problem},
};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    auth::{AccountError, AuthError, Invalid},
    limits::TooMany,
    metrics::Transport,
    state::Shared,
    telemetry::request_span,
};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A request that was refused or failed.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<Problem>);

impl ApiError {
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Problem::new(code, detail).into()
    }

    /// A field of the request that has a value which cannot be accepted.
    pub(crate) fn invalid(field: &str, code: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Problem::new(ErrorCode::Invalid, format!("{field}: {detail}"))
            .with_field(field, code, detail)
            .into()
    }

    pub(crate) fn into_problem(self) -> Problem {
        *self.0
    }

    pub(crate) fn too_many(too_many: TooMany, of_what: &str) -> Self {
        too_many.problem(of_what).into()
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        if let Error::Unavailable(cause) = &error {
            tracing::error!(%cause, "the store failed");
        }
        error.problem().into()
    }
}

impl From<Invalid> for ApiError {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(invalid.field, invalid.code, invalid.detail)
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        auth_problem(&error).into()
    }
}

/// A token that was not accepted, as it travels over REST and the socket.
pub(crate) fn auth_problem(error: &AuthError) -> Problem {
    let code = match error {
        AuthError::Invalid(_) => ErrorCode::Unauthenticated,
        AuthError::Expired => ErrorCode::TokenExpired,
        AuthError::Unavailable(cause) => {
            tracing::error!(%cause, "a token cannot be checked");
            ErrorCode::Unavailable
        }
    };
    Problem::new(code, error.to_string())
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let code = match error {
            AccountError::Invalid(invalid) => return invalid.into(),
            AccountError::Token(error) => return error.into(),
            AccountError::RegistrationClosed => ErrorCode::RegistrationClosed,
            AccountError::UsernameTaken => ErrorCode::UsernameTaken,
            AccountError::WrongCredentials => ErrorCode::WrongCredentials,
            AccountError::RefreshVoid => ErrorCode::Unauthenticated,
            AccountError::RefreshReused => ErrorCode::RefreshReused,
            AccountError::Password(ref cause) => {
                tracing::warn!(%cause, "a password was not hashed");
                ErrorCode::Unavailable
            }
            AccountError::Store(ref cause) => {
                tracing::error!(%cause, "the accounts failed");
                ErrorCode::Unavailable
            }
        };
        Self::new(code, error.to_string())
    }
}

impl IntoResponse for ApiError {
    /// The body is written by [`envelope`], which knows the request's id.
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Marks a request whose length is told in two ways.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ContradictoryLength;

/// Why a request is not looked at any further.
fn ill_formed(request: &Request) -> Option<&'static str> {
    if request.version() == Version::HTTP_11 && !request.headers().contains_key(header::HOST) {
        return Some("a request names its Host");
    }
    let contradictory = request.extensions().get::<ContradictoryLength>();
    contradictory
        .map(|_| "a request has one Content-Length, or one Transfer-Encoding, and not both")
}

/// Wraps every request: gives it an id and a log span, counts it, and gives every answer the headers and the form it must
/// have.
pub(crate) async fn envelope(
    State(state): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let began = Instant::now();
    let request_id = Uuid::now_v7();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let span = request_span(request_id, &method, route);
    let mut response = match ill_formed(&request) {
        Some(why) => ApiError::new(ErrorCode::Malformed, why).into_response(),
        None => next.run(request).instrument(span.clone()).await,
    };
    let status = response.status();
    span.record("status", status.as_u16());
    span.in_scope(|| {
        if status.is_server_error() {
            tracing::warn!("a request failed");
        } else {
            tracing::debug!("answered");
        }
    });
    state
        .metrics
        .answered(&method, route, status, began.elapsed());
    if let Some(ApiError(problem)) = response.extensions_mut().remove() {
        state.metrics.refused(Transport::Rest, problem.code);
        response = render(*problem, &request_id.to_string(), &response);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    harden(headers);
    response
}

/// Says after how long to try again, where that may help. Clients that are not told wait for longer each time, and after a
/// long outage would be the last to notice that it is over.
pub(crate) fn with_a_wait(mut problem: Problem) -> Problem {
    if matches!(problem.status, 429 | 503) && problem.retry_after_ms.is_none() {
        problem.retry_after_ms = Some(1_000);
    }
    problem
}

/// Writes the problem into the answer that stands for it, whose other headers stay.
fn render(mut problem: Problem, request_id: &str, answer: &Response) -> Response {
    problem.request_id = Some(request_id.to_owned());
    problem = with_a_wait(problem);
    let retry_after = problem.retry_after_ms.map(|ms| ms.div_ceil(1_000).max(1));
    let unread_body = matches!(problem.code, ErrorCode::TooLarge | ErrorCode::Timeout);
    let unauthorized = problem.status == 401;
    let mut response = (answer.status(), Json(problem)).into_response();
    let headers = response.headers_mut();
    for (name, value) in answer.headers() {
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if unauthorized {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if unread_body {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A page that needs more than nothing says so itself.
fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        let entry = headers.entry(name);
        entry.or_insert(HeaderValue::from_static(value));
    }
}

/// A handler that panicked; the panic itself is in the log.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    ApiError::new(
        ErrorCode::Internal,
        "the server failed at this request: its log says more under the request_id",
    )
    .into_response()
}

pub(crate) async fn no_such_path() -> ApiError {
    ApiError::new(ErrorCode::NotFound, "there is nothing at this path")
}

pub(crate) async fn no_such_method() -> ApiError {
    ApiError::new(
        ErrorCode::MethodNotAllowed,
        "this path does not offer this method: see the Allow header",
    )
}
