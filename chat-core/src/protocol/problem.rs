//! Errors as they travel: RFC 9457 problem details, the same over REST and the socket.

use serde::{Deserialize, Serialize};

use super::ErrorCode;

/// An `application/problem+json` object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// A URI that names the kind of problem, and where a person can read about it, relative to the server.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time, and what to do about it.
    pub detail: String,
    /// The kind for programs.
    pub code: ErrorCode,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The request, as the server's log names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// How long to wait before a retry, in milliseconds; over REST also in `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// What is wrong with which field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Which.
    pub field: String,
    /// What, for programs: `too_long`, `blank`, `out_of_range` ….
    pub code: String,
    /// What, for people.
    pub detail: String,
}

impl Problem {
    /// A problem of this kind, with what to say about this occurrence.
    #[must_use]
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/docs/errors#{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code,
            retryable: code.retryable(),
            request_id: None,
            retry_after_ms: None,
            errors: Vec::new(),
        }
    }

    /// What is wrong with JSON that could not be read.
    #[must_use]
    pub fn from_json_error(error: &serde_json::Error) -> Self {
        let detail = error.to_string();
        let code = if detail.starts_with("unknown field") {
            ErrorCode::UnknownField
        } else {
            ErrorCode::Malformed
        };
        Self::new(code, detail)
    }

    /// The same with one field's fault named.
    #[must_use]
    pub fn with_field(mut self, field: &str, code: &str, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            field: field.to_owned(),
            code: code.to_owned(),
            detail: detail.into(),
        });
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}
