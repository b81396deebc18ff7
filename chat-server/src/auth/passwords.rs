//! Passwords: which are accepted, and how they are hashed without taking the machine down.

use std::sync::Arc;

use argon2::{
    Argon2, PasswordHasher, PasswordVerifier,
    password_hash::{self, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use super::names::{Invalid, Username};

/// Hashes at a time; each takes 19 MiB and a core for a while.
const AT_ONCE: usize = 2;
/// Callers that may wait for their turn.
const WAITING: usize = 64;

/// Long enough to be accepted, and the first that are tried.
const COMMON: [&str; 24] = [
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789123456789",
    "123123123123",
    "111111111111",
    "000000000000",
    "aaaaaaaaaaaa",
    "abcdefghijkl",
    "abcdefghijklmnop",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopasdf",
    "qwertyuiopasdfghjkl",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "passwordpassword",
    "password1234",
    "password12345",
    "password123456",
    "administrator",
    "iloveyou1234",
    "letmeinletmein",
    "changemechangeme",
];

/// A password for a new account: 12 to 256 bytes, none of the commonest and not the user's own name.
pub(super) fn check_new(password: &str, username: &Username) -> Result<(), Invalid> {
    let invalid = |code, detail| {
        Err(Invalid {
            field: "password",
            code,
            detail,
        })
    };
    match password.len() {
        0..12 => return invalid("too_short", "a password has at least 12 bytes"),
        12..=256 => {}
        _ => return invalid("too_long", "a password has at most 256 bytes"),
    }
    let folded = password.to_lowercase();
    if COMMON.contains(&folded.as_str()) || folded == username.as_str() {
        return invalid(
            "too_common",
            "this password is among the first that are tried: choose another one",
        );
    }
    Ok(())
}

/// Why a password was neither hashed nor compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    /// Too many others are waiting.
    #[error("too many people are signing in: try again in a moment")]
    Busy,
    /// The hash cannot be made or read.
    #[error("the password hash failed: {0}")]
    Hash(#[from] password_hash::Error),
    /// The runtime is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Hashes and compares with Argon2id (19 MiB, two passes, one lane), a few at a time.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    queue: Semaphore,
    /// Compared with when there is no such account, so that both take the same time.
    of_nobody: String,
}

impl Passwords {
    pub(super) fn new() -> Result<Self, PasswordError> {
        let of_nobody = Argon2::default().hash_password(b"the password of nobody")?;
        Ok(Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Semaphore::new(AT_ONCE + WAITING),
            of_nobody: of_nobody.to_string(),
        })
    }

    pub(super) async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.in_turn(move || {
            let hash = Argon2::default().hash_password(password.as_bytes())?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether it is the password that was hashed; `None` takes as long as any and is `false`.
    pub(super) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, PasswordError> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.of_nobody.clone());
        self.in_turn(move || {
            let hash = PasswordHash::new(&hash)
                .map_err(|_unreadable| password_hash::Error::EncodingInvalid)?;
            match Argon2::default().verify_password(password.as_bytes(), &hash) {
                Ok(()) => Ok(exists),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
        .await
    }

    /// The turn is held by the work and not by the caller, who may go away.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let Ok(_place) = self.queue.try_acquire() else {
            return Err(PasswordError::Busy);
        };
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else {
            return Err(PasswordError::Stopping);
        };
        let work = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        match work.await {
            Ok(done) => done,
            Err(_stopped) => Err(PasswordError::Stopping),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_crowd_waits_and_what_is_beyond_it_is_sent_away_at_once() {
        let passwords = Passwords::new().unwrap();
        let crowd = (0..AT_ONCE + WAITING + 3).map(|_| passwords.verify(String::new(), None));
        let busy = join_all(crowd)
            .await
            .into_iter()
            .filter(|answer| matches!(answer, Err(PasswordError::Busy)));
        assert_eq!(busy.count(), 3);
        assert!(!passwords.verify(String::new(), None).await.unwrap());
    }
}
