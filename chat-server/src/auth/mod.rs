//! Who is calling: the seam for an embedder's own tokens, and our accounts behind it.

mod account_store;
mod accounts;
mod device;
mod key;
mod names;
mod passwords;
mod revocations;
mod tokens;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use chat_core::model::{Timestamp, UserId};

pub use accounts::Registration;
pub(crate) use accounts::{AccountError, Accounts, Session, SettingUp};
pub(crate) use device::Device;
pub(crate) use key::{KeyError, SigningKey};
pub(crate) use names::{DisplayName, Invalid, Username};
pub(crate) use tokens::MAX_TOKEN_BYTES;

/// What a bearer token says about its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who.
    pub user_id: UserId,
    /// The sign-in that the token belongs to: a token that renews another one has the same.
    pub sign_in: String,
    /// When the token runs out; its sockets close a few seconds later unless it was renewed.
    pub expires_at: Timestamp,
}

/// Why a bearer token was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// It does not hold; the text is shown to the caller.
    #[error("{0}")]
    Invalid(&'static str),
    /// It held once.
    #[error("the access token has expired: refresh it")]
    Expired,
    /// It cannot be checked now; the same token may be accepted later.
    #[error("the token cannot be checked now: try again")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Verifies bearer tokens: all that the chat routes need to know of somebody's users.
///
/// Implement it to bring your own sign-in.
pub trait Authenticate: Send + Sync + 'static {
    /// Who the holder of `token` is. Called with each REST request and each new or renewed socket; `token` is whatever
    /// the client sent, of at most 4 KiB.
    fn authenticate(&self, token: &str)
    -> impl Future<Output = Result<Identity, AuthError>> + Send;

    /// Completes when the sign-in of `identity` is revoked; its sockets are then closed.
    ///
    /// The default never completes: tokens then hold until they expire.
    fn revoked(&self, identity: &Identity) -> impl Future<Output = ()> + Send {
        let _ = identity;
        std::future::pending()
    }
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The object-safe twin of [`Authenticate`].
trait ErasedAuthenticate: Send + Sync {
    fn authenticate<'a>(&'a self, token: &'a str) -> Answer<'a, Result<Identity, AuthError>>;
    fn revoked(self: Arc<Self>, identity: Identity) -> Answer<'static, ()>;
}

impl<A: Authenticate> ErasedAuthenticate for A {
    fn authenticate<'a>(&'a self, token: &'a str) -> Answer<'a, Result<Identity, AuthError>> {
        Box::pin(Authenticate::authenticate(self, token))
    }

    fn revoked(self: Arc<Self>, identity: Identity) -> Answer<'static, ()> {
        Box::pin(async move { Authenticate::revoked(&*self, &identity).await })
    }
}

/// Any authenticator, behind one pointer.
#[derive(Clone)]
pub(crate) struct AnyAuthenticate(Arc<dyn ErasedAuthenticate>);

impl AnyAuthenticate {
    pub(crate) fn new(authenticate: impl Authenticate) -> Self {
        Self(Arc::new(authenticate))
    }

    pub(crate) async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Invalid("the token is too long"));
        }
        self.0.authenticate(token).await
    }

    pub(crate) fn revoked(&self, identity: &Identity) -> Answer<'static, ()> {
        Arc::clone(&self.0).revoked(identity.clone())
    }
}

impl fmt::Debug for AnyAuthenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyAuthenticate")
    }
}
