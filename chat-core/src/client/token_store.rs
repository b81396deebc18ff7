//! Where an application keeps a refresh token that several of its processes use.

use std::{fmt, io, sync::Arc};

use super::{ClientError, http::Http, sign_in::request_tokens};
use crate::protocol::rest::SignedIn;

/// Keeps the refresh token of a sign-in, and lends it to one process at a time: who spends a token that another one has spent
/// already ends the sign-in for both.
///
/// A client [with such a store](super::Client::with_token_store) borrows the token whenever it needs another access token. So
/// all processes of an application can share one sign-in.
pub trait TokenStore: fmt::Debug + Send + Sync + 'static {
    /// Waits until nobody else has the token, and takes it. May block the thread; it is called where that does no harm.
    fn borrow(&self) -> io::Result<Box<dyn BorrowedToken>>;
}

/// A refresh token that nobody else has until this is dropped.
pub trait BorrowedToken: Send + 'static {
    /// The token; `None`: nobody is signed in.
    fn token(&self) -> Option<String>;

    /// Keeps the token that came in its place, and has kept it when this returns; `None`: the sign-in is over. May block.
    fn replace(&mut self, token: Option<&str>) -> io::Result<()>;
}

/// Takes the stored token for new ones, and stores the new one before anybody else can come.
pub(super) async fn renew(
    store: Arc<dyn TokenStore>,
    http: &Http,
) -> Result<SignedIn, ClientError> {
    let borrowed = blocking(move || store.borrow()).await?;
    let token = borrowed.token().ok_or(ClientError::SignedOut)?;
    let answer = request_tokens(http, token).await;
    let newest = match &answer {
        Ok(signed_in) => Some(signed_in.refresh_token.clone()),
        Err(ClientError::Problem(problem)) if problem.status == 401 => None,
        Err(_) => return answer,
    };
    replace(borrowed, newest).await?;
    answer
}

/// Hands the stored token to a call that ends the sign-in, and forgets it when that has worked.
pub(super) async fn spend<F>(
    store: Arc<dyn TokenStore>,
    end: impl FnOnce(String) -> F,
) -> Result<(), ClientError>
where
    F: Future<Output = Result<(), ClientError>>,
{
    let borrowed = blocking(move || store.borrow()).await?;
    if let Some(token) = borrowed.token() {
        end(token).await?;
    }
    replace(borrowed, None).await
}

async fn replace(
    mut borrowed: Box<dyn BorrowedToken>,
    token: Option<String>,
) -> Result<(), ClientError> {
    blocking(move || borrowed.replace(token.as_deref())).await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, ClientError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(ClientError::TokenStore(error.to_string())),
        Err(error) => Err(ClientError::TokenStore(error.to_string())),
    }
}
