//! Who is signed in where, and the refresh token, which all processes of a profile share.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use chat_core::client::{BorrowedToken, Client, ClientError, TokenStore};
use serde::{Deserialize, Serialize};

use super::{
    files::{private_file, write_in_place},
    keyring,
};

/// A process that spends the token has it for as long as one call takes; longer than this, it hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether the token is back.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where the refresh token is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialStore {
    /// In the keyring of the system; where there is none, or it does not answer, in the file.
    #[default]
    Auto,
    /// In a file that only its owner can read.
    File,
}

/// The sign-in of a profile, on disk.
///
/// The server ends a sign-in of which a refresh token is spent twice. So whoever spends one has the lock, reads the newest
/// token under it, and writes the next one before giving it back.
#[derive(Debug)]
pub struct Credentials {
    directory: PathBuf,
    store: CredentialStore,
}

/// What is in the file.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Saved {
    pub(super) server: String,
    pub(super) username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// The token is in the keyring instead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    in_keyring: bool,
}

impl fmt::Debug for Saved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saved")
            .field("server", &self.server)
            .field("username", &self.username)
            .field("in_keyring", &self.in_keyring)
            .finish_non_exhaustive()
    }
}

impl Saved {
    /// The server of the last sign-in.
    pub(super) fn server(&self) -> Option<&str> {
        Some(self.server.as_str()).filter(|server| !server.is_empty())
    }

    /// Whether there is a sign-in to this server that has not ended.
    pub(super) fn is_signed_in(&self, server: &str) -> bool {
        self.server == server && (self.in_keyring || self.refresh_token.is_some())
    }
}

impl Credentials {
    pub(super) fn new(directory: PathBuf, store: CredentialStore) -> Self {
        Self { directory, store }
    }

    /// A client that goes on with the sign-in kept here, if it is to that server, and keeps it up to date.
    pub fn client(self: &Arc<Self>, server: &str) -> Result<Client, ClientError> {
        let store = SignInAt {
            server: server.to_owned(),
            credentials: Arc::clone(self),
        };
        Client::with_token_store(server, Arc::new(store))
    }

    pub(super) fn read(&self) -> anyhow::Result<Saved> {
        let path = self.directory.join(Self::FILE);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text)
                .with_context(|| format!("{} is damaged; remove it", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Saved::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    const FILE: &str = "credentials.toml";

    /// Keeps who signed in where.
    pub(super) fn signed_in(
        &self,
        server: &str,
        username: &str,
        token: Option<&str>,
    ) -> anyhow::Result<()> {
        let _lock = self.lock()?;
        let mut saved = Saved {
            server: server.to_owned(),
            username: username.to_owned(),
            ..self.read()?
        };
        self.put(&mut saved, token)
    }

    /// Puts a token into its place, and takes the old one out of the other.
    fn put(&self, saved: &mut Saved, token: Option<&str>) -> anyhow::Result<()> {
        let was_in_keyring = saved.in_keyring;
        saved.in_keyring = token.is_some_and(|token| self.keyring_keeps(token));
        saved.refresh_token = token.filter(|_| !saved.in_keyring).map(str::to_owned);
        let text = toml::to_string(saved).context("the credentials cannot be written")?;
        write_in_place(&self.directory, Self::FILE, &text)?;
        if was_in_keyring
            && !saved.in_keyring
            && let Err(error) = keyring::remove(&self.name())
        {
            tracing::warn!("the keyring still has an old sign-in: {error}");
        }
        Ok(())
    }

    fn keyring_keeps(&self, token: &str) -> bool {
        if self.store == CredentialStore::File || !keyring::IS_BUILT_IN {
            return false;
        }
        match keyring::set(&self.name(), token) {
            Ok(()) => true,
            Err(error) => {
                let file = self.directory.join(Self::FILE);
                tracing::warn!(
                    "the keyring does not keep the sign-in, so {} does: {error}",
                    file.display()
                );
                false
            }
        }
    }

    fn token(&self, saved: &Saved) -> io::Result<Option<String>> {
        if saved.in_keyring {
            return keyring::get(&self.name());
        }
        Ok(saved.refresh_token.clone())
    }

    /// What the keyring knows this profile by.
    fn name(&self) -> String {
        self.directory.display().to_string()
    }

    /// Waits for its turn to read the token and to write another one.
    fn lock(&self) -> io::Result<File> {
        let file = private_file(&self.directory.join("credentials.lock"))?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if began.elapsed() > PATIENCE => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "another chat-tui has held the sign-in of this profile for too long: end it, then try again",
                    ));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(LOOK_EVERY),
            }
        }
    }
}

/// The sign-in at one server, for a client that talks to it.
#[derive(Debug)]
struct SignInAt {
    server: String,
    credentials: Arc<Credentials>,
}

impl TokenStore for SignInAt {
    fn borrow(&self) -> io::Result<Box<dyn BorrowedToken>> {
        let lock = self.credentials.lock()?;
        let saved = self.credentials.read().map_err(other)?;
        let here = saved.server == self.server;
        let token = if here {
            self.credentials.token(&saved)?
        } else {
            None
        };
        Ok(Box::new(Lent {
            token,
            saved,
            credentials: Arc::clone(&self.credentials),
            _lock: lock,
        }))
    }
}

/// The token, as long as the lock is held.
struct Lent {
    token: Option<String>,
    saved: Saved,
    credentials: Arc<Credentials>,
    _lock: File,
}

impl BorrowedToken for Lent {
    fn token(&self) -> Option<String> {
        self.token.clone()
    }

    fn replace(&mut self, token: Option<&str>) -> io::Result<()> {
        if self.token.is_none() {
            // It is another server's sign-in that is kept here, or none.
            return Ok(());
        }
        self.credentials.put(&mut self.saved, token).map_err(other)
    }
}

fn other(error: anyhow::Error) -> io::Error {
    io::Error::other(format!("{error:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(home: &tempfile::TempDir) -> Arc<Credentials> {
        let directory = home.path().to_owned();
        Arc::new(Credentials::new(directory, CredentialStore::File))
    }

    fn at(credentials: &Arc<Credentials>, server: &str) -> Box<dyn BorrowedToken> {
        let store = SignInAt {
            server: server.to_owned(),
            credentials: Arc::clone(credentials),
        };
        store.borrow().unwrap()
    }

    #[test]
    fn a_sign_in_is_lent_to_clients_of_its_server_only_with_the_newest_token() {
        let home = tempfile::tempdir().unwrap();
        let first = credentials(&home);
        first.signed_in("http://a", "maya", Some("first")).unwrap();
        at(&first, "http://a").replace(Some("second")).unwrap();

        let second = credentials(&home);
        let mut elsewhere = at(&second, "http://b");
        assert_eq!(elsewhere.token(), None);
        elsewhere.replace(None).unwrap();
        drop(elsewhere);
        let mut lent = at(&second, "http://a");
        assert_eq!(lent.token().as_deref(), Some("second"));
        assert!(!format!("{:?}", second.read().unwrap()).contains("second"));
        lent.replace(None).unwrap();
        drop(lent);
        assert!(!first.read().unwrap().is_signed_in("http://a"));
    }

    #[test]
    fn processes_have_the_token_one_after_the_other() {
        let home = tempfile::tempdir().unwrap();
        let shared = credentials(&home);
        shared.signed_in("http://a", "maya", Some("0")).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let own = credentials(&home);
                    for _ in 0..10 {
                        let mut lent = at(&own, "http://a");
                        let count: u32 = lent.token().unwrap().parse().unwrap();
                        lent.replace(Some(&(count + 1).to_string())).unwrap();
                    }
                });
            }
        });
        assert_eq!(at(&shared, "http://a").token().as_deref(), Some("40"));
    }
}
