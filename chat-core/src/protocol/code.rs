//! Stable codes: what went wrong, and whether to come back.

use serde::{Deserialize, Serialize};

/// What went wrong, for programs; the same over REST and the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The bytes are not what the protocol speaks: not JSON, a missing field, a wrong type.
    Malformed,
    /// A field of the request has a value that cannot be accepted; `errors` names it.
    Invalid,
    /// A field that this call does not know.
    UnknownField,
    /// A frame `type` that this server does not know.
    UnknownType,
    /// No credentials, or ones that do not hold. Sign in.
    Unauthenticated,
    /// The access token has run out. Refresh it.
    TokenExpired,
    /// Wrong user name or password.
    WrongCredentials,
    /// A refresh token was used twice; the sign-in it belongs to is void. Sign in again.
    RefreshReused,
    /// Known and visible, but not allowed to you.
    Forbidden,
    /// It does not exist, or you may not see it.
    NotFound,
    /// The method is not offered here.
    MethodNotAllowed,
    /// The content type is not `application/json`.
    UnsupportedMediaType,
    /// The body or frame is larger than the limit.
    TooLarge,
    /// The name is taken.
    UsernameTaken,
    /// The `client_id` was accepted before, with another content.
    ClientIdReused,
    /// The embedder's policy refused it.
    Refused,
    /// It would leave the conversation in a state that must not be, such as a group without an owner.
    Conflict,
    /// A bound of the protocol is reached, such as the number of joined conversations.
    LimitExceeded,
    /// Too many in too little time. Wait for `retry_after_ms`.
    RateLimited,
    /// New accounts cannot be made here.
    RegistrationClosed,
    /// The store or another part is not available. Nothing is lost: retry with the same `client_id`.
    Unavailable,
    /// The server is stopping. Reconnect elsewhere.
    ShuttingDown,
    /// The request took too long to arrive or to be answered.
    Timeout,
    /// A fault of the server; the log has more under the `request_id`.
    Internal,
    /// A code that this version of the client does not know.
    #[serde(other)]
    Unknown,
}

impl ErrorCode {
    /// Whether the same request may succeed later, unchanged.
    #[must_use]
    pub const fn retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::Unavailable
                | Self::ShuttingDown
                | Self::Timeout
                | Self::Internal
        )
    }

    /// The HTTP status that carries this code.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated
            | Self::TokenExpired
            | Self::WrongCredentials
            | Self::RefreshReused => 401,
            Self::Forbidden | Self::Refused | Self::RegistrationClosed => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Timeout => 408,
            Self::UsernameTaken | Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid
            | Self::UnknownField
            | Self::UnknownType
            | Self::ClientIdReused
            | Self::LimitExceeded => 422,
            Self::RateLimited => 429,
            Self::Internal | Self::Unknown => 500,
            Self::Unavailable | Self::ShuttingDown => 503,
        }
    }

    /// One line for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Malformed => "The request cannot be read",
            Self::Invalid => "A value cannot be accepted",
            Self::UnknownField => "Unknown field",
            Self::UnknownType => "Unknown frame type",
            Self::Unauthenticated => "Not signed in",
            Self::TokenExpired => "The access token has expired",
            Self::WrongCredentials => "Wrong user name or password",
            Self::RefreshReused => "The refresh token was used before",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::UnsupportedMediaType => "Unsupported media type",
            Self::TooLarge => "Too large",
            Self::UsernameTaken => "The user name is taken",
            Self::ClientIdReused => "The client_id was used for another message",
            Self::Refused => "Refused by policy",
            Self::Conflict => "Conflict",
            Self::LimitExceeded => "Limit exceeded",
            Self::RateLimited => "Too many requests",
            Self::RegistrationClosed => "Registration is closed",
            Self::Unavailable => "Temporarily unavailable",
            Self::ShuttingDown => "The server is stopping",
            Self::Timeout => "Too slow",
            Self::Internal => "Internal error",
            Self::Unknown => "Unknown error",
        }
    }
}

/// Why a socket was closed, and so whether the client should come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCode {
    /// 1001: the server drains; come back elsewhere.
    Draining,
    /// 1002: not the WebSocket protocol.
    ProtocolError,
    /// 1003: a binary frame.
    Unsupported,
    /// 1007: text that is not UTF-8.
    InvalidText,
    /// 1008: the rules of use were broken.
    PolicyViolation,
    /// 1009: a message larger than `max_frame_bytes`.
    TooBig,
    /// 1011: a fault of the server.
    Internal,
    /// 4401: the access token ran out; renew it and come back.
    TokenExpired,
    /// 4408: nothing was heard for `idle_timeout_ms`.
    Idle,
    /// 4500: not authenticated.
    Unauthenticated,
    /// 4501: malformed frames again and again.
    Malformed,
    /// 4502: the sign-in was revoked.
    Revoked,
    /// 4529: too many requests, and it went on.
    TooManyRequests,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        match self {
            Self::Draining => 1001,
            Self::ProtocolError => 1002,
            Self::Unsupported => 1003,
            Self::InvalidText => 1007,
            Self::PolicyViolation => 1008,
            Self::TooBig => 1009,
            Self::Internal => 1011,
            Self::TokenExpired => 4401,
            Self::Idle => 4408,
            Self::Unauthenticated => 4500,
            Self::Malformed => 4501,
            Self::Revoked => 4502,
            Self::TooManyRequests => 4529,
        }
    }

    /// Whether a socket that was closed with `code` should be opened again without a change by the user.
    #[must_use]
    pub const fn may_reconnect(code: u16) -> bool {
        !matches!(code, 4500..=4999)
    }
}
