//! The calls of the REST interface, one method each, by topic.
//!
//! A call that changes something to a given end (all but [`Client::register`], [`Client::login`] and
//! [`Client::create_group`]) is sent once more when the connection breaks before its answer: doing it twice is doing it once.
//! Any call may be dropped at any time; whether it took effect is then not known.

mod accounts;
mod conversations;
mod cursors;
mod members;
mod messages;
mod people;
mod search;

use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;

use super::{
    Client, ClientError, http,
    sign_in::{self, Access},
};
use crate::{
    model::ConversationId,
    protocol::{ErrorCode, rest::Page},
};

/// The largest page that a server gives.
const MAX_PAGE: usize = 200;

impl Client {
    /// The path of a conversation, or of something below it.
    fn below(conversation: ConversationId, rest: &[&str]) -> Vec<String> {
        let mut path = vec!["conversations".to_owned(), conversation.to_string()];
        path.extend(rest.iter().map(|&part| part.to_owned()));
        path
    }

    /// Asks for something that may be asked for twice.
    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        http::decode(&self.repeatable(request).await?)
    }

    /// Does something that may be done twice, and has no answer.
    async fn done(&self, request: RequestBuilder) -> Result<(), ClientError> {
        self.repeatable(request).await.map(drop)
    }

    /// Does away with something. When the answer to the first attempt was lost and it is not there at the second, the first
    /// one did it.
    async fn gone(&self, request: RequestBuilder) -> Result<(), ClientError> {
        let again = request.try_clone();
        match (self.authorized(request).await, again) {
            (Err(ClientError::Interrupted(_)), Some(again)) => match self.authorized(again).await {
                Err(error) if error.code() == Some(ErrorCode::NotFound) => Ok(()),
                answer => answer.map(drop),
            },
            (answer, _) => answer.map(drop),
        }
    }

    /// A page of a list; `cursor` is the last page's `next_cursor`.
    async fn page<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        cursor: Option<&str>,
    ) -> Result<Page<T>, ClientError> {
        let request = request.query(&[("limit", MAX_PAGE)]);
        let request = match cursor {
            Some(cursor) => request.query(&[("cursor", cursor)]),
            None => request,
        };
        self.json(request).await
    }

    async fn repeatable(&self, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let again = request.try_clone();
        match (self.authorized(request).await, again) {
            (Err(ClientError::Interrupted(_)), Some(again)) => self.authorized(again).await,
            (answer, _) => answer,
        }
    }

    /// Sends a request as the signed-in user; when the token has run out, once more with a new one.
    async fn authorized(&self, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let access = self.sign_in().access()?;
        let again = request.try_clone();
        let answer = http::exchange(request.bearer_auth(&access.token)).await;
        match (answer, again) {
            (Err(error), Some(again)) if sign_in::wants_renewal(&error) => {
                let access = self.renew(&access.token).await?;
                http::exchange(again.bearer_auth(&access.token)).await
            }
            (answer, _) => answer,
        }
    }

    pub(super) async fn renew(&self, refused: &str) -> Result<Access, ClientError> {
        self.sign_in().renew(self.http(), refused).await
    }
}
