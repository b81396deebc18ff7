//! Opening a database: options, the schema, and all that speaks against using it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    Connection, SqlSafeStr, Sqlite, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    pool::PoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use tokio::time::{Instant, sleep};

use super::{
    backfill::backfill,
    error::{is_busy, no_room_for_shared_memory, primary_code},
    transaction::is_usable,
};
use crate::model::StoreEpoch;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before asking again for what SQLite does not wait for.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
const READERS: u32 = 4;

/// The history of this schema, in a table of its own: others may keep theirs in the same database.
const MIGRATIONS_TABLE: &str = "chat_migrations";
const MIGRATIONS: [(&str, &str); 4] = [
    ("log", include_str!("migrations/0001_log.sql")),
    ("list", include_str!("migrations/0002_list.sql")),
    (
        "reactions, mentions, search",
        include_str!("migrations/0003_reactions_mentions_search.sql"),
    ),
    ("indexed", include_str!("migrations/0004_indexed.sql")),
];

/// Why a database cannot be used. None of these changes anything in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory that the file should be in does not exist.
    #[error("the directory {} does not exist: create it, or choose another place for the database", .0.display())]
    NoDirectory(PathBuf),
    /// The file cannot be opened, created or written.
    #[error("the database {} cannot be opened for writing: check the path and its permissions", path.display())]
    Inaccessible {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// The file is something else, or damaged.
    #[error("{} is not a SQLite database, or it is damaged; it was left as it is", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// There is no room on the disk for what has to be written to open it.
    #[error("the disk of {} is full: make room, then start again", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// The disk cannot be read or written.
    #[error("the disk of {} fails: check it, then start again", path.display())]
    DiskFailed {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: sqlx::Error,
    },
    /// A newer version of this library has written to it.
    #[error(
        "the database has schema {found}, this version knows up to {known}: use the newer version"
    )]
    NewerSchema {
        /// A migration in the database that this version does not have.
        found: i64,
        /// How many this version has.
        known: usize,
    },
    /// The pool's connections do not wait for the disk, so an acknowledged message could be lost in a power cut.
    #[error(
        "the connections have PRAGMA synchronous = {0}: it must be FULL or EXTRA, or messages can be lost"
    )]
    NotDurable(i64),
    /// SQLite failed otherwise, for instance because another process holds the database for long.
    #[error("the database could not be prepared")]
    Failed(#[from] sqlx::Error),
    /// A migration failed.
    #[error("the tables of the database could not be brought up to date")]
    Migration(#[source] MigrateError),
}

/// The writing and the reading pool of a file.
pub(super) async fn file(path: &Path) -> Result<(SqlitePool, SqlitePool), OpenError> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = parent.filter(|directory| !directory.is_dir()) {
        return Err(OpenError::NoDirectory(directory.to_owned()));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true);
    let writer = writer(&options).await.map_err(|error| about(path, error))?;
    prepare(&writer).await?;
    // One reader is there from the beginning. If the first came after a sync had failed and the writer was closed, it would
    // recover the log by itself, and find in it what was refused.
    let reader = lasting(READERS).connect_with(options.pragma("query_only", "ON"));
    let reader = reader.await.map_err(|error| about(path, error))?;
    let looked = sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1");
    let looked = looked.execute(&reader).await;
    looked.map_err(|error| about(path, error))?;
    Ok((writer, reader))
}

/// The one connection that writes. Where several make the database at once, each waits for its turn by asking again: SQLite
/// itself does not wait for the lock that it takes to begin with the write-ahead log.
async fn writer(options: &SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        let connected = lasting(1)
            .before_acquire(|connection, _| Box::pin(async { Ok(is_usable(connection)) }))
            .connect_with(options.clone().journal_mode(SqliteJournalMode::Wal))
            .await;
        match connected {
            Err(error) if is_busy(&error) && Instant::now() < until => sleep(BUSY_PAUSE).await,
            connected => return connected,
        }
    }
}

/// The one connection of a database that lives in it.
pub(super) async fn in_memory() -> Result<SqlitePool, OpenError> {
    let options = SqliteConnectOptions::new()
        .in_memory(true)
        .foreign_keys(true);
    let pool = lasting(1).connect_with(options).await?;
    prepare(&pool).await?;
    Ok(pool)
}

/// Connections that are kept for ever: there is no server that would grow tired of them. They are not tested before
/// use, because a caller that gives up during the test would take the connection, and what is in its memory, with it.
fn lasting(connections: u32) -> PoolOptions<Sqlite> {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY_TIMEOUT)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Checks that acknowledgements will be durable, and brings the tables up to date.
pub(super) async fn prepare(pool: &SqlitePool) -> Result<(), OpenError> {
    let connect_options = pool.connect_options();
    let explain = |error| about(connect_options.get_filename(), error);
    check_durability(pool).await.map_err(|error| match error {
        OpenError::Failed(error) => explain(error),
        error => error,
    })?;
    match migrate(pool).await {
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(explain(error))
        }
        Err(MigrateError::VersionMissing(found)) => Err(OpenError::NewerSchema {
            found,
            known: MIGRATIONS.len(),
        }),
        Err(error) => Err(OpenError::Migration(error)),
        Ok(()) => backfill(pool).await.map_err(explain),
    }
}

async fn check_durability(pool: &SqlitePool) -> Result<(), OpenError> {
    const FULL: i64 = 2;
    let mut connection = pool.acquire().await?;
    let file: String =
        sqlx::query_scalar("SELECT file FROM pragma_database_list WHERE name = 'main'")
            .fetch_one(&mut *connection)
            .await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(&mut *connection)
        .await?;
    if synchronous < FULL && !file.is_empty() {
        return Err(OpenError::NotDurable(synchronous));
    }
    Ok(())
}

/// All in one transaction, so that of several who open a new database at once one makes the tables and the others wait.
async fn migrate(pool: &SqlitePool) -> Result<(), MigrateError> {
    let migrations = MIGRATIONS.iter().zip(1..).map(|((name, sql), version)| {
        let sql = sql.into_sql_str();
        Migration::new(version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);

    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    migrator.run_direct(None, &mut *transaction, false).await?;
    sqlx::query("INSERT OR IGNORE INTO chat_meta (key, value) VALUES ('epoch', ?1)")
        .bind(StoreEpoch::new().as_uuid())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Says what an error that SQLite gave while opening means for this file.
fn about(path: &Path, source: sqlx::Error) -> OpenError {
    const READ_ONLY: i32 = 8;
    const IO: i32 = 10;
    const CORRUPT: i32 = 11;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    const NOT_A_DATABASE: i32 = 26;
    let path = path.to_owned();
    match primary_code(&source) {
        Some(FULL) => OpenError::DiskFull { path, source },
        Some(IO) if no_room_for_shared_memory(&source) => OpenError::DiskFull { path, source },
        Some(IO) => OpenError::DiskFailed { path, source },
        Some(CORRUPT | NOT_A_DATABASE) => OpenError::NotADatabase { path, source },
        Some(READ_ONLY | CANNOT_OPEN) => OpenError::Inaccessible { path, source },
        _ => OpenError::Failed(source),
    }
}
