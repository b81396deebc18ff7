//! Accounts, sign-ins and refresh tokens in the database of the chat, in tables of their own.

mod people;
#[cfg(test)]
mod query_plans;
mod sign_ins;

use std::{borrow::Cow, time::Duration};

use chat_core::{
    model::{Profile, SignInId, Timestamp, UserId},
    protocol::rest::SignIn,
    store::{PostgresStore, SqliteStore},
};
use sqlx::{
    Database, Executor as _, Pool, Postgres, SqlStr, Sqlite,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};
use tokio::time::timeout;

use super::{
    Device,
    names::{DisplayName, Username},
};

/// Whoever brings the tables of a PostgreSQL database up to date holds this lock.
const MIGRATIONS_LOCK: i64 = 0x0063_6861_745f_6163;

/// A database that does not answer within this time is gone, as for the engine.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// Accounts in the database of the chat.
#[derive(Debug)]
pub(super) enum AccountStore {
    Sqlite(Tables<Sqlite>),
    Postgres(Tables<Postgres>),
}

/// The tables of the accounts in one kind of database.
#[derive(Debug)]
pub(super) struct Tables<DB: Database> {
    reader: Pool<DB>,
    writer: Pool<DB>,
}

/// A refresh token in clear, to be handed out once.
pub(super) struct RefreshToken(String);

impl RefreshToken {
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// A sign-in that was just begun.
pub(super) struct Begun {
    pub(super) sign_in: SignInId,
    pub(super) token: RefreshToken,
    /// Those of the same user that had to go for it.
    pub(super) ended: Vec<SignInId>,
}

/// What came of a refresh token.
pub(super) enum Rotation {
    /// It held, and this one takes its place.
    Rotated {
        user_id: UserId,
        sign_in: SignInId,
        token: RefreshToken,
    },
    /// It was used before, too long ago for a lost answer: somebody else has it, and the sign-in is revoked.
    Reused { sign_in: SignInId },
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
        let tables = Tables {
            reader: store.reader().clone(),
            writer: store.writer().clone(),
        };
        let migrator = migrator(&[
            include_str!("migrations/sqlite_0001_accounts.sql"),
            include_str!("migrations/sqlite_0002_sign_ins_and_words.sql"),
        ]);
        migrator.run(&tables.writer).await?;
        tables.write_missing_words().await?;
        Ok(Self::Sqlite(tables))
    }

    /// Opens the accounts in the database of `store`, and brings their tables up to date.
    pub(super) async fn in_postgres(store: &PostgresStore) -> Result<Self, MigrateError> {
        let tables = Tables {
            reader: store.pool().clone(),
            writer: store.pool().clone(),
        };
        let mut migrator = migrator(&[
            include_str!("migrations/postgres_0001_accounts.sql"),
            include_str!("migrations/postgres_0002_sign_ins_and_words.sql"),
        ]);
        // Of nodes that start at once, the one that has the lock makes the tables, and the others wait as long as it takes.
        migrator.set_locking(false);
        let mut transaction = tables.writer.begin().await?;
        transaction
            .execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            .await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(MIGRATIONS_LOCK)
            .execute(&mut *transaction)
            .await?;
        migrator.run_direct(None, &mut *transaction, false).await?;
        transaction.commit().await?;
        tables.write_missing_words().await?;
        Ok(Self::Postgres(tables))
    }

    /// Other nodes write to the same database, so that what happens there must be asked for.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Makes the account and signs it in; `None` when the name is taken.
    pub(super) async fn create(
        &self,
        username: &Username,
        display_name: &DisplayName,
        password_hash: &str,
        device: &Device,
    ) -> Result<Option<(UserId, Begun)>, sqlx::Error> {
        ask!(self, tables => tables.create(username, display_name, password_hash, device))
    }

    /// The account of this name, and the hash of its password.
    pub(super) async fn credentials(
        &self,
        username: &Username,
    ) -> Result<Option<(UserId, String)>, sqlx::Error> {
        ask!(self, tables => tables.credentials(username))
    }

    pub(super) async fn profiles(&self, users: &[UserId]) -> Result<Vec<Profile>, sqlx::Error> {
        ask!(self, tables => tables.profiles(users))
    }

    /// Those who have one of these names, which are in lower case.
    pub(super) async fn by_username(&self, names: &[String]) -> Result<Vec<Profile>, sqlx::Error> {
        ask!(self, tables => tables.by_username(names))
    }

    /// Shows the user under another name from now on.
    pub(super) async fn rename(&self, user: UserId, name: &DisplayName) -> Result<(), sqlx::Error> {
        ask!(self, tables => tables.rename(user, name))
    }

    /// At most `limit` users whose user name, or whose display name from one of its words on, begins with `text`: first by
    /// user name, then by display name.
    pub(super) async fn search(
        &self,
        text: &str,
        limit: usize,
    ) -> Result<Vec<Profile>, sqlx::Error> {
        ask!(self, tables => tables.search(text, limit))
    }

    /// Begins a sign-in. A user has a bounded number of them: the one that was not used for longest goes for it.
    pub(super) async fn sign_in(
        &self,
        user: UserId,
        device: &Device,
    ) -> Result<Begun, sqlx::Error> {
        ask!(self, tables => tables.sign_in(user, device))
    }

    /// Uses a refresh token.
    ///
    /// A used one that comes again within ten seconds gets a successor of its own: successors are stored as hashes, so
    /// the first one cannot be given out again. Later it revokes the sign-in.
    pub(super) async fn rotate(&self, token: &str) -> Result<Rotation, sqlx::Error> {
        ask!(self, tables => tables.rotate(token))
    }

    /// Ends the sign-in that a refresh token, used or not, belongs to; `None` when it belongs to none.
    pub(super) async fn sign_out(&self, token: &str) -> Result<Option<SignInId>, sqlx::Error> {
        ask!(self, tables => tables.sign_out(token))
    }

    /// The sign-ins of the user that are not over, the last used first; `current` is marked.
    pub(super) async fn sign_ins(
        &self,
        user: UserId,
        current: SignInId,
    ) -> Result<Vec<SignIn>, sqlx::Error> {
        ask!(self, tables => tables.sign_ins(user, current))
    }

    /// Ends this sign-in of the user; `false` when they have none of this id that is not over.
    pub(super) async fn end(&self, user: UserId, sign_in: SignInId) -> Result<bool, sqlx::Error> {
        ask!(self, tables => tables.end(user, sign_in))
    }

    /// The sign-ins that were revoked after `since`.
    pub(super) async fn revoked_since(
        &self,
        since: Timestamp,
    ) -> Result<Vec<SignInId>, sqlx::Error> {
        ask!(self, tables => tables.revoked_since(since))
    }
}

/// Runs what of `steps` was not run before.
fn migrator(steps: &[&'static str]) -> Migrator {
    let migrations = (1..).zip(steps).map(|(version, step)| {
        let sql = SqlStr::from_static(step);
        Migration::new(
            version,
            Cow::Borrowed("accounts"),
            MigrationType::Simple,
            sql,
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name("account_migrations");
    migrator
}
