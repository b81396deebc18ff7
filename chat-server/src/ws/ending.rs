//! How a socket ends: what it is closed with, and why.

use std::borrow::Cow;

use chat_core::{Error, protocol::CloseCode};

/// How a socket ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// The peer said goodbye.
    Left,
    /// The connection broke.
    Lost,
    /// We close it.
    Close(CloseCode, &'static str),
}

impl Ending {
    /// How it is counted.
    pub(super) fn label(&self) -> Cow<'static, str> {
        match self {
            Self::Left => "left".into(),
            Self::Lost => "lost".into(),
            Self::Close(code, _) => code.as_u16().to_string().into(),
        }
    }

    pub(super) fn draining() -> Self {
        Self::Close(CloseCode::Draining, "the server is stopping")
    }

    pub(super) fn too_hasty() -> Self {
        Self::Close(
            CloseCode::TooManyRequests,
            "too many frames, again and again",
        )
    }

    /// The peer broke the rules of WebSocket.
    pub(super) fn broken(code: CloseCode) -> Self {
        let reason = match code {
            CloseCode::Unsupported => "frames are text",
            CloseCode::InvalidText => "text is UTF-8",
            CloseCode::TooBig => "larger than max_frame_bytes",
            CloseCode::PolicyViolation => "a message without an end",
            _ => "not the WebSocket protocol",
        };
        Self::Close(code, reason)
    }

    /// The engine does not go on with this socket.
    pub(super) fn failed(error: &Error) -> Self {
        match error {
            Error::ShuttingDown => Self::draining(),
            error => {
                tracing::error!(%error, "a session failed");
                Self::Close(CloseCode::Internal, "try again")
            }
        }
    }
}
