//! Opening a database file, and making its tables.

use std::{fs, io::ErrorKind, path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection, Executor, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

/// How long to wait for a file that somebody looks into by hand.
const BUSY: Duration = Duration::from_secs(5);

/// A file was made by a version of this program that knows more than this one.
#[derive(Debug, thiserror::Error)]
#[error("it was written by a newer version of this program (its tables are version {0})")]
pub(super) struct Newer(i64);

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("secure_delete", "ON")
        .disable_statement_logging()
}

/// Opens a file to write into it, and brings its tables up to the newest of these versions.
pub(super) async fn open(
    path: &Path,
    versions: &[&'static str],
) -> anyhow::Result<SqliteConnection> {
    let mut connection = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .connect()
        .await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut connection)
        .await?;
    let here = usize::try_from(version).unwrap_or(usize::MAX);
    if here > versions.len() {
        return Err(Newer(version).into());
    }
    for (at, tables) in versions.iter().enumerate().skip(here) {
        let mut transaction = connection.begin().await?;
        transaction.execute(sqlx::raw_sql(*tables)).await?;
        let version = format!("PRAGMA user_version = {}", at + 1);
        transaction
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(version)))
            .await?;
        transaction.commit().await?;
    }
    Ok(connection)
}

/// Removes a file and what belongs to it.
pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
