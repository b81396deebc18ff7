//! What the path of a request names. What cannot be read names nothing.

use axum::{extract::FromRequestParts, http::request::Parts};
use chat_core::{
    model::{ConversationId, MessageId, UserId},
    protocol::ErrorCode,
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use super::error::ApiError;

/// The ids in the path of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(path)) => Ok(Self(path)),
            Err(_no_ids) => Err(ApiError::new(
                ErrorCode::NotFound,
                "the path names nothing that exists",
            )),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfConversation {
    /// Which conversation.
    pub(super) id: ConversationId,
}

#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfMember {
    /// Which conversation.
    pub(super) id: ConversationId,
    /// Whom in it.
    pub(super) user_id: UserId,
}

#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfMessage {
    /// Which conversation.
    pub(super) id: ConversationId,
    /// Which message of it.
    pub(super) message_id: MessageId,
}

#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfReaction {
    /// Which conversation.
    pub(super) id: ConversationId,
    /// Which message of it.
    pub(super) message_id: MessageId,
    /// A single emoji, percent-encoded as UTF-8.
    #[param(format = "emoji", example = "👍")]
    pub(super) emoji: String,
}

#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OfUser {
    /// Which user.
    pub(super) user_id: UserId,
}
