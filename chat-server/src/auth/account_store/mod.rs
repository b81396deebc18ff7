//! Accounts, sign-ins and refresh tokens in the database of the chat, in tables of their own.

mod sql;

use std::time::Duration;

use chat_core::{
    model::{Profile, Timestamp, UserId},
    store::{PostgresStore, SqliteStore},
};
use sqlx::{
    Postgres, Sqlite,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};
use tokio::time::timeout;
use uuid::Uuid;

use self::sql::Tables;
use super::names::{DisplayName, Username};

/// A database that does not answer within this time is gone, as for the engine.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// Accounts in the database of the chat.
#[derive(Debug)]
pub(super) enum AccountStore {
    Sqlite(Tables<Sqlite>),
    Postgres(Tables<Postgres>),
}

/// A refresh token in clear, to be handed out once.
pub(super) struct RefreshToken(String);

impl RefreshToken {
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// What came of a refresh token.
pub(super) enum Rotation {
    /// It held, and this one takes its place.
    Rotated {
        user_id: UserId,
        sign_in: Uuid,
        token: RefreshToken,
    },
    /// It was used before, too long ago for a lost answer: somebody else has it, and the sign-in is revoked.
    Reused { sign_in: Uuid },
    /// It never was one, or its sign-in is over.
    Void,
}

/// Asks the tables of whichever database there is, and not for longer than it may take.
macro_rules! ask {
    ($store:ident, $tables:ident => $answer:expr) => {{
        let answer = async {
            match $store {
                Self::Sqlite($tables) => $answer.await,
                Self::Postgres($tables) => $answer.await,
            }
        };
        let in_time = timeout(PATIENCE, answer).await;
        in_time.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }};
}

impl AccountStore {
    /// Opens the accounts in the database of `store`, and brings their tables up to date.
    pub(super) async fn in_sqlite(store: &SqliteStore) -> Result<Self, MigrateError> {
        let tables = include_str!("migrations/sqlite_0001_accounts.sql");
        migrator(tables).run(store.writer()).await?;
        Ok(Self::Sqlite(Tables {
            reader: store.reader().clone(),
            writer: store.writer().clone(),
        }))
    }

    /// Opens the accounts in the database of `store`, and brings their tables up to date.
    pub(super) async fn in_postgres(store: &PostgresStore) -> Result<Self, MigrateError> {
        let tables = include_str!("migrations/postgres_0001_accounts.sql");
        migrator(tables).run(store.pool()).await?;
        Ok(Self::Postgres(Tables {
            reader: store.pool().clone(),
            writer: store.pool().clone(),
        }))
    }

    /// Makes the account and signs it in; `None` when the name is taken.
    pub(super) async fn create(
        &self,
        username: &Username,
        display_name: &DisplayName,
        password_hash: &str,
    ) -> Result<Option<(UserId, Uuid, RefreshToken)>, sqlx::Error> {
        ask!(self, tables => tables.create(username, display_name, password_hash))
    }

    /// The account of this name, and the hash of its password.
    pub(super) async fn by_username(
        &self,
        username: &Username,
    ) -> Result<Option<(UserId, String)>, sqlx::Error> {
        ask!(self, tables => tables.by_username(username))
    }

    pub(super) async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, sqlx::Error> {
        ask!(self, tables => tables.profiles(users))
    }

    /// Shows the user under another name from now on.
    pub(super) async fn rename(&self, user: UserId, name: &DisplayName) -> Result<(), sqlx::Error> {
        ask!(self, tables => tables.rename(user, name))
    }

    /// At most `limit` users with `text` in one of their names, by user name, after `after`.
    pub(super) async fn search(
        &self,
        text: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Profile>, sqlx::Error> {
        ask!(self, tables => tables.search(text, after, limit))
    }

    /// Begins a sign-in.
    pub(super) async fn sign_in(&self, user: UserId) -> Result<(Uuid, RefreshToken), sqlx::Error> {
        ask!(self, tables => tables.sign_in(user))
    }

    /// Uses a refresh token.
    ///
    /// A used one that comes again within ten seconds gets a successor of its own: successors are stored as hashes, so
    /// the first one cannot be given out again. Later it revokes the sign-in.
    pub(super) async fn rotate(&self, token: &str) -> Result<Rotation, sqlx::Error> {
        ask!(self, tables => tables.rotate(token))
    }

    /// Ends the sign-in that a refresh token, used or not, belongs to; `None` when it belongs to none.
    pub(super) async fn sign_out(&self, token: &str) -> Result<Option<Uuid>, sqlx::Error> {
        ask!(self, tables => tables.sign_out(token))
    }

    /// The sign-ins that were revoked after `since`.
    pub(super) async fn revoked_since(&self, since: Timestamp) -> Result<Vec<Uuid>, sqlx::Error> {
        ask!(self, tables => tables.revoked_since(since))
    }
}

fn migrator(tables: &'static str) -> Migrator {
    let mut migrator = Migrator::with_migrations(vec![Migration::new(
        1,
        "accounts".into(),
        MigrationType::Simple,
        sqlx::SqlStr::from_static(tables),
        false,
    )]);
    migrator.dangerous_set_table_name("account_migrations");
    migrator
}
