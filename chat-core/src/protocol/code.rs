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
    /// Every code that a server of this version sends.
    pub const ALL: [Self; 24] = [
        Self::Malformed,
        Self::Invalid,
        Self::UnknownField,
        Self::UnknownType,
        Self::Unauthenticated,
        Self::TokenExpired,
        Self::WrongCredentials,
        Self::RefreshReused,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::TooLarge,
        Self::UsernameTaken,
        Self::ClientIdReused,
        Self::Refused,
        Self::Conflict,
        Self::LimitExceeded,
        Self::RateLimited,
        Self::RegistrationClosed,
        Self::Unavailable,
        Self::ShuttingDown,
        Self::Timeout,
        Self::Internal,
    ];

    /// The code on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::UnknownField => "unknown_field",
            Self::UnknownType => "unknown_type",
            Self::Unauthenticated => "unauthenticated",
            Self::TokenExpired => "token_expired",
            Self::WrongCredentials => "wrong_credentials",
            Self::RefreshReused => "refresh_reused",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::TooLarge => "too_large",
            Self::UsernameTaken => "username_taken",
            Self::ClientIdReused => "client_id_reused",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::LimitExceeded => "limit_exceeded",
            Self::RateLimited => "rate_limited",
            Self::RegistrationClosed => "registration_closed",
            Self::Unavailable => "unavailable",
            Self::ShuttingDown => "shutting_down",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
            Self::Unknown => "unknown",
        }
    }

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

    /// What whoever meets it is to do.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Malformed => {
                "Send what the call takes: `detail` says what could not be read, and `errors` where. It is a fault of the client."
            }
            Self::Invalid => {
                "Change the value: `errors` names the fields and what is wrong with each. Show it to whoever typed it."
            }
            Self::UnknownField => {
                "Leave out the field or parameter that `detail` names. It may be misspelt, or of a newer version of the protocol."
            }
            Self::UnknownType => {
                "Send only the commands that `detail` lists. This one may be of a newer version of the protocol."
            }
            Self::Unauthenticated => {
                "Sign in, and send the access token as `Authorization: Bearer`, or in the first frame of a socket."
            }
            Self::TokenExpired => "Get a new access token from `/auth/refresh`, then try again.",
            Self::WrongCredentials => {
                "Ask for the user name and the password again. Which of them is wrong is not said."
            }
            Self::RefreshReused => {
                "Sign in again: this sign-in is void. If it was not your own client that used the token twice, somebody else has it."
            }
            Self::Forbidden => {
                "Do not try again: your role does not permit it, or the page's origin is not allowed. Somebody with a higher role, or the operator, can."
            }
            Self::NotFound => {
                "Forget it: it does not exist, no longer exists, or is not for you to see; the three are not told apart."
            }
            Self::MethodNotAllowed => "Use one of the methods in the `Allow` header.",
            Self::UnsupportedMediaType => {
                "Send the body as `Content-Type: application/json`, without `Content-Encoding`."
            }
            Self::TooLarge => {
                "Send less: `detail` has the limit. A longer text can be sent in parts."
            }
            Self::UsernameTaken => "Choose another user name.",
            Self::ClientIdReused => {
                "Choose a new `client_id` for a new message. The message that was accepted under this one stands."
            }
            Self::Refused => "Change the text: `detail` has the reason of whoever runs this chat.",
            Self::Conflict => {
                "Do first what `detail` says: appoint another owner, lift the ban, unblock the user. Or let it be, if it cannot be here at all."
            }
            Self::LimitExceeded => {
                "Give back something of the kind that `detail` names, or ask for less."
            }
            Self::RateLimited => {
                "Wait for `retry_after_ms`, over REST also in `Retry-After`, then try again, and more slowly. A socket that goes on regardless is closed with 4529."
            }
            Self::RegistrationClosed => "Ask the operator for an account.",
            Self::Unavailable => {
                "Try again after `Retry-After`, with growing pauses. Nothing is lost, but it is not known whether a change took effect: a message is sent again with the same `client_id`, everything else can simply be repeated."
            }
            Self::ShuttingDown => {
                "Connect again; another node, or this one in a moment, takes over."
            }
            Self::Timeout => "Send the request again, in one go.",
            Self::Internal => {
                "Try again once; if it stays, tell the operator the `request_id`, under which the server's log says more."
            }
            Self::Unknown => {
                "Go by the `status`: this version of the client does not know the code."
            }
        }
    }
}

/// The codes as they are sent; what only stands for later ones is not among them.
#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for ErrorCode {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some(
                "What went wrong, for programs; the same over REST and the socket. More may come: go by the `status` then.",
            ))
            .enum_values(Some(Self::ALL.map(Self::as_str)))
            .into()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for ErrorCode {}

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
    /// Every code that a server of this version closes with, besides 1000 in answer to a goodbye.
    pub const ALL: [Self; 13] = [
        Self::Draining,
        Self::ProtocolError,
        Self::Unsupported,
        Self::InvalidText,
        Self::PolicyViolation,
        Self::TooBig,
        Self::Internal,
        Self::TokenExpired,
        Self::Idle,
        Self::Unauthenticated,
        Self::Malformed,
        Self::Revoked,
        Self::TooManyRequests,
    ];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_written_as_it_is_called() {
        for code in ErrorCode::ALL {
            let written = serde_json::to_value(code).unwrap();
            assert_eq!(written, code.as_str());
            assert_eq!(serde_json::from_value::<ErrorCode>(written).unwrap(), code);
        }
    }
}
