//! The server's own accounts: register, sign in, refresh, sign out, and where one is signed in.

use std::{sync::Arc, time::Duration};

use chat_core::{
    Directory,
    model::{Profile, SignInId, Timestamp, UserId},
    protocol::rest::SignIn,
    store::StoreError,
};
use sqlx::migrate::MigrateError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::database::Opened;

use super::{
    AuthError, Authenticate, Device, DisplayName, Identity, Invalid, SigningKey, Username,
    account_store::{AccountStore, Begun, RefreshToken, Rotation},
    passwords::{self, PasswordError, Passwords},
    revocations::Revocations,
    tokens::{LEEWAY, Tokens},
};

/// How often a node asks which sign-ins were ended on others.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// How far back it looks: the clocks of nodes may be apart, and a transaction may commit late.
const LOOK_BACK: Duration = Duration::from_mins(1);

/// Whether new accounts can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// By everybody.
    #[default]
    Open,
    /// By nobody.
    Closed,
}

/// Accounts, their sign-ins and their tokens, in the database of the chat; clones are handles to the same ones.
///
/// It is the [`Directory`] of the server's users and verifies the access tokens that it issues.
#[derive(Clone, Debug)]
pub(crate) struct Accounts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: AccountStore,
    tokens: Tokens,
    passwords: Passwords,
    revocations: Revocations,
    registration: Registration,
}

/// A sign-in that was begun or refreshed.
pub(crate) struct Session {
    /// Whose.
    pub(crate) user_id: UserId,
    /// For `Authorization: Bearer`.
    pub(crate) access_token: String,
    /// For the next refresh, once.
    pub(crate) refresh_token: String,
    /// How long the access token holds.
    pub(crate) expires_in: Duration,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.user_id)
    }
}

/// Why an account was not made or not signed in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AccountError {
    #[error("{}", .0.detail)]
    Invalid(Invalid),
    #[error("this server makes no new accounts: ask its operator for one")]
    RegistrationClosed,
    #[error("this user name is taken: choose another one")]
    UsernameTaken,
    #[error("wrong user name or password")]
    WrongCredentials,
    #[error("this refresh token is not valid, or its sign-in is over: sign in again")]
    RefreshVoid,
    #[error("this refresh token was used before, so its sign-in was ended: sign in again")]
    RefreshReused,
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error("the accounts are not available: try again")]
    Store(#[from] sqlx::Error),
    #[error("no token can be issued: try again")]
    Token(#[from] AuthError),
}

impl From<Invalid> for AccountError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

/// Why the accounts could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingUp {
    #[error(
        "the accounts have schema {0}, which this version does not know: use the newer version"
    )]
    NewerSchema(i64),
    #[error("the tables of the accounts cannot be brought up to date: {0}")]
    Migrate(#[source] MigrateError),
    #[error("the accounts cannot be read: {0}")]
    Read(#[from] sqlx::Error),
    #[error(transparent)]
    Hash(#[from] PasswordError),
}

impl From<MigrateError> for SettingUp {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(found) => Self::NewerSchema(found),
            error => Self::Migrate(error),
        }
    }
}

impl Accounts {
    /// Opens the accounts in the database of the chat.
    pub(crate) async fn open(
        database: &Opened,
        key: SigningKey,
        registration: Registration,
        access_token_lifetime: Duration,
    ) -> Result<Self, SettingUp> {
        let store = match database {
            Opened::Memory {
                accounts: store, ..
            }
            | Opened::Sqlite(store) => AccountStore::in_sqlite(store).await?,
            Opened::Postgres(store) => AccountStore::in_postgres(store).await?,
        };
        let keep = access_token_lifetime + 2 * LEEWAY;
        let revoked = store.revoked_since(ago(keep)).await?;
        Ok(Self(Arc::new(Inner {
            store,
            tokens: Tokens::new(key, access_token_lifetime),
            passwords: Passwords::new()?,
            revocations: Revocations::new(keep, revoked),
            registration,
        })))
    }

    /// Makes an account and signs it in.
    pub(crate) async fn register(
        &self,
        username: &str,
        password: String,
        display_name: Option<&str>,
        device: &Device,
    ) -> Result<Session, AccountError> {
        if self.0.registration == Registration::Closed {
            return Err(AccountError::RegistrationClosed);
        }
        let name = Username::parse(username)?;
        let display_name = DisplayName::parse(display_name.unwrap_or(username))?;
        passwords::check_new(&password, &name)?;
        let hash = self.0.passwords.hash(password).await?;
        let store = &self.0.store;
        let created = store.create(&name, &display_name, &hash, device).await?;
        let (user, begun) = created.ok_or(AccountError::UsernameTaken)?;
        self.begin(user, begun)
    }

    /// Signs in. An unknown name and a wrong password give the same answer after the same time.
    pub(crate) async fn login(
        &self,
        username: &str,
        password: String,
        device: &Device,
    ) -> Result<Session, AccountError> {
        if password.len() > 256 {
            return Err(AccountError::WrongCredentials);
        }
        let account = match Username::parse(username) {
            Ok(name) => self.0.store.credentials(&name).await?,
            Err(_) => None,
        };
        let (user, hash) = account.unzip();
        let right = self.0.passwords.verify(password, hash).await?;
        let user = user
            .filter(|_| right)
            .ok_or(AccountError::WrongCredentials)?;
        let begun = self.0.store.sign_in(user, device).await?;
        self.begin(user, begun)
    }

    /// Takes a refresh token for new tokens of the same sign-in.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Session, AccountError> {
        match self.0.store.rotate(token).await? {
            Rotation::Rotated {
                user_id,
                sign_in,
                token,
            } => self.session(user_id, sign_in, token),
            Rotation::Reused { sign_in } => {
                tracing::warn!(%sign_in, "a refresh token came twice: the sign-in is revoked");
                self.0.revocations.revoke([sign_in]);
                Err(AccountError::RefreshReused)
            }
            Rotation::Void => Err(AccountError::RefreshVoid),
        }
    }

    /// Ends the sign-in that the refresh token belongs to: its access tokens hold no more, its sockets close.
    pub(crate) async fn logout(&self, token: &str) -> Result<(), AccountError> {
        let ended = self.0.store.sign_out(token).await?;
        let sign_in = ended.ok_or(AccountError::RefreshVoid)?;
        self.0.revocations.revoke([sign_in]);
        Ok(())
    }

    /// The profile of a user, if they exist.
    pub(crate) async fn profile(&self, user: UserId) -> Result<Option<Profile>, AccountError> {
        Ok(self.0.store.profiles(&[user]).await?.pop())
    }

    /// Shows the user under another name from now on.
    pub(crate) async fn rename(&self, user: UserId, name: &str) -> Result<(), AccountError> {
        let name = DisplayName::parse(name)?;
        Ok(self.0.store.rename(user, &name).await?)
    }

    /// At most `limit` users whose user name, or whose display name from one of its words on, begins with `text`: first by
    /// user name, then by display name.
    pub(crate) async fn search(
        &self,
        text: &str,
        limit: usize,
    ) -> Result<Vec<Profile>, AccountError> {
        Ok(self.0.store.search(text, limit).await?)
    }

    /// Where the user is signed in, the last used first; `current` is marked.
    pub(crate) async fn sign_ins(
        &self,
        user: UserId,
        current: SignInId,
    ) -> Result<Vec<SignIn>, AccountError> {
        Ok(self.0.store.sign_ins(user, current).await?)
    }

    /// Ends this sign-in of the user; `false` when they have none of this id that is not over.
    pub(crate) async fn end_sign_in(
        &self,
        user: UserId,
        sign_in: SignInId,
    ) -> Result<bool, AccountError> {
        let ended = self.0.store.end(user, sign_in).await?;
        if ended {
            self.0.revocations.revoke([sign_in]);
        }
        Ok(ended)
    }

    /// Until the server stops, ends here what is ended on other nodes.
    pub(crate) async fn follow_revocations(&self, stopping: CancellationToken) {
        if !self.0.store.is_shared() {
            return;
        }
        let mut looks = interval(BETWEEN_LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut since = ago(LOOK_BACK);
        while stopping.run_until_cancelled(looks.tick()).await.is_some() {
            let next = ago(LOOK_BACK);
            match self.0.store.revoked_since(since).await {
                Ok(revoked) => {
                    self.0.revocations.revoke(revoked);
                    since = next;
                }
                Err(error) => tracing::warn!(%error, "what was ended elsewhere is asked again"),
            }
        }
    }

    fn begin(&self, user: UserId, begun: Begun) -> Result<Session, AccountError> {
        self.0.revocations.revoke(begun.ended);
        self.session(user, begun.sign_in, begun.token)
    }

    fn session(
        &self,
        user_id: UserId,
        sign_in: SignInId,
        refresh: RefreshToken,
    ) -> Result<Session, AccountError> {
        Ok(Session {
            user_id,
            access_token: self.0.tokens.issue(user_id, sign_in)?,
            refresh_token: refresh.into_string(),
            expires_in: self.0.tokens.lifetime(),
        })
    }
}

impl Authenticate for Accounts {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        let holder = self.0.tokens.verify(token)?;
        if self.0.revocations.contains(holder.sign_in) {
            return Err(AuthError::Invalid("this sign-in was ended: sign in again"));
        }
        Ok(Identity {
            user_id: holder.user_id,
            sign_in: holder.sign_in.to_string(),
            expires_at: holder.expires_at,
        })
    }

    async fn revoked(&self, identity: &Identity) {
        match identity.sign_in.parse() {
            Ok(sign_in) => self.0.revocations.of(sign_in).await,
            Err(_) => std::future::pending().await,
        }
    }
}

impl Directory for Accounts {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let profiles = self.0.store.profiles(users).await;
        profiles.map_err(StoreError::unavailable)
    }

    async fn by_username(&self, usernames: &[String]) -> Result<Vec<Profile>, StoreError> {
        let names = usernames
            .iter()
            .filter_map(|name| Username::parse(name).ok());
        let names: Vec<String> = names.map(|name| name.as_str().to_owned()).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let profiles = self.0.store.by_username(&names).await;
        profiles.map_err(StoreError::unavailable)
    }
}

fn ago(time: Duration) -> Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(Timestamp::now().as_millis() - millis)
}
