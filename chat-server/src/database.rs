//! Where everything is kept: which database, how it is named, and opening it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use chat_core::{
    Builder,
    store::{MemoryStore, PostgresStore, SqliteStore, StoreError, postgres, sqlite},
};

/// Where everything is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// Nowhere: it is gone when the server stops.
    Memory,
    /// In this `SQLite` file, which is made if there is none.
    Sqlite(PathBuf),
    /// In a `PostgreSQL` database.
    Postgres(PostgresUrl),
}

/// `postgres://user:password@host:port/database`. Its `Debug` form keeps the password to itself.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// Takes the URL as it is; opening it tells whether it is one.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.rsplit_once('@').map_or("…", |(_, host)| host);
        write!(f, "postgres://…@{host}")
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The file, or its directory, cannot be made.
    #[error("the database {path} cannot be made: {source}")]
    Create {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be opened.
    #[error("the database cannot be opened: {0}")]
    Sqlite(#[from] sqlite::OpenError),
    /// The `PostgreSQL` database cannot be opened.
    #[error("the database cannot be opened: {0}")]
    Postgres(#[from] postgres::OpenError),
}

/// A database that is open.
#[derive(Clone, Debug)]
pub(crate) enum Opened {
    /// Accounts are in SQL everywhere; conversations that nobody keeps need none.
    Memory {
        accounts: SqliteStore,
        conversations: MemoryStore,
    },
    Sqlite(SqliteStore),
    Postgres(PostgresStore),
}

impl Database {
    pub(crate) async fn open(&self) -> Result<Opened, DatabaseError> {
        Ok(match self {
            Self::Memory => Opened::Memory {
                accounts: SqliteStore::in_memory().await?,
                conversations: MemoryStore::default(),
            },
            Self::Sqlite(path) => {
                make_private(path).map_err(|source| DatabaseError::Create {
                    path: path.clone(),
                    source,
                })?;
                Opened::Sqlite(SqliteStore::open(path).await?)
            }
            Self::Postgres(PostgresUrl(url)) => {
                let options = postgres::PostgresOptions::default();
                Opened::Postgres(PostgresStore::open(url, options).await?)
            }
        })
    }
}

impl Opened {
    /// Lets an engine keep its conversations here.
    pub(crate) fn store_of(&self, chat: Builder) -> Builder {
        match self {
            Self::Memory { conversations, .. } => chat.store(conversations.clone()),
            Self::Sqlite(store) => chat.store(store.clone()),
            Self::Postgres(store) => chat.store(store.clone()),
        }
    }

    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        match self {
            Self::Memory { accounts, .. } => accounts.close().await,
            Self::Sqlite(store) => store.close().await,
            Self::Postgres(store) => {
                store.close().await;
                Ok(())
            }
        }
    }
}

/// Makes the file of the database, and its directory, for the eyes of their owner: everybody's messages will be in it.
fn make_private(path: &Path) -> io::Result<()> {
    let mut directory = std::fs::DirBuilder::new();
    let mut file = std::fs::OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        directory.mode(0o700);
        file.mode(0o600);
    }
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        directory.recursive(true).create(parent)?;
    }
    match file.write(true).create_new(true).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
