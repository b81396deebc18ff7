//! Who the users are: the embedder's to say.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    limits::Limits,
    model::{Profile, UserId},
    source::HashMap,
    store::StoreError,
};

/// The embedder's users, as far as a chat must know them.
pub trait Directory: Send + Sync + 'static {
    /// The profiles of those of `users` who exist, in any order. `presence` is left empty; the engine fills it.
    ///
    /// Called with a page of users at a time, often with the same ones: answer from a cache or with one query.
    fn profiles(
        &self,
        users: &[UserId],
    ) -> impl Future<Output = Result<Vec<Profile>, StoreError>> + Send;

    /// Those who have one of these user names, whatever its case, in any order. This is how `@name` in a message finds whom
    /// it calls; as provided, nobody is found.
    fn by_username(
        &self,
        usernames: &[String],
    ) -> impl Future<Output = Result<Vec<Profile>, StoreError>> + Send {
        let _ = usernames;
        std::future::ready(Ok(Vec::new()))
    }
}

/// A directory in which everybody exists, under their id: for embedders who show names themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenDirectory;

impl Directory for OpenDirectory {
    async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, StoreError> {
        let profile = |id: &UserId| {
            let name = id.to_string();
            Profile {
                id: *id,
                username: name.clone(),
                display_name: name,
                presence: None,
            }
        };
        Ok(users.iter().map(profile).collect())
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Profile>, StoreError>> + Send + 'a>>;

/// The object-safe twin of [`Directory`].
trait ErasedDirectory: Send + Sync {
    fn profiles<'a>(&'a self, users: &'a [UserId]) -> Answer<'a>;
    fn by_username<'a>(&'a self, usernames: &'a [String]) -> Answer<'a>;
}

impl<D: Directory> ErasedDirectory for D {
    fn profiles<'a>(&'a self, users: &'a [UserId]) -> Answer<'a> {
        Box::pin(Directory::profiles(self, users))
    }

    fn by_username<'a>(&'a self, usernames: &'a [String]) -> Answer<'a> {
        Box::pin(Directory::by_username(self, usernames))
    }
}

/// Any directory, behind one pointer.
#[derive(Clone)]
pub(crate) struct AnyDirectory {
    directory: Arc<dyn ErasedDirectory>,
    patience: Duration,
}

impl AnyDirectory {
    pub(crate) fn new(directory: impl Directory) -> Self {
        Self {
            directory: Arc::new(directory),
            patience: Limits::default().store_patience,
        }
    }

    /// It has as long as a store to answer.
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The profiles by id; each user is asked for once.
    pub(crate) async fn profiles(
        &self,
        users: impl IntoIterator<Item = UserId>,
    ) -> Result<HashMap<UserId, Profile>, StoreError> {
        let mut users: Vec<UserId> = users.into_iter().collect();
        users.sort_unstable();
        users.dedup();
        if users.is_empty() {
            return Ok(HashMap::default());
        }
        let profiles = self.in_time(self.directory.profiles(&users)).await?;
        Ok(profiles
            .into_iter()
            .map(|profile| (profile.id, profile))
            .collect())
    }

    /// The users who have one of these names, by their name in lower case.
    pub(crate) async fn by_username(
        &self,
        usernames: &[String],
    ) -> Result<HashMap<String, UserId>, StoreError> {
        if usernames.is_empty() {
            return Ok(HashMap::default());
        }
        let profiles = self.in_time(self.directory.by_username(usernames)).await?;
        let named = profiles.into_iter();
        Ok(named
            .map(|profile| (profile.username.to_lowercase(), profile.id))
            .collect())
    }

    async fn in_time(&self, answer: Answer<'_>) -> Result<Vec<Profile>, StoreError> {
        timeout(self.patience, answer)
            .await
            .unwrap_or(Err(StoreError::NoAnswer(self.patience)))
    }
}

impl fmt::Debug for AnyDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyDirectory")
    }
}
