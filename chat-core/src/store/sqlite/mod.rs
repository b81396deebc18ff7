//! The store in a SQLite database: one file, one process, nothing to install.

mod backfill;
mod commit;
mod conversations;
mod decode;
mod encode;
mod error;
mod group_rows;
mod index;
mod load;
mod log;
mod open;
mod presence;
#[cfg(test)]
mod query_plans;
mod script;
mod search;
mod store;
mod transaction;
mod users;

use std::path::Path;

pub use open::OpenError;
use sqlx::SqlitePool;
use transaction::Writer;

use crate::store::{StoreError, remainder::Remainder};

/// Keeps everything in a SQLite database.
///
/// Its tables begin with `chat_`, and so does the table of their migrations, so that others can live beside them. What
/// was acknowledged survives the process and a power cut: the database is in WAL mode with `synchronous = FULL`. One
/// process at a time may use it; [`MessageLog::commit`](crate::store::MessageLog::commit) of two would exclude each
/// other, but neither would hear of the other's entries.
///
/// When the disk fails to keep what was written (a failed `fsync`), nothing more is written: every write is refused with
/// [`StoreError::DiskFailed`], and so is [`MessageLog::epoch`](crate::store::MessageLog::epoch), by which the engine
/// tells whether it is ready. Reads go on. What was acknowledged before is there when the database is opened again.
///
/// Whoever restores an older backup deletes the row `epoch` of `chat_meta` in it. The next opening makes a new one, and
/// clients know that what they remember is void.
///
/// Clones are handles to the same pools.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    writer: Writer,
    reader: SqlitePool,
    remainder: Remainder,
}

impl SqliteStore {
    /// Opens the database in this file, which is made if it does not exist; its directory must.
    ///
    /// Writes go through one connection, reads through up to four others.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let (writer, reader) = open::file(path).await?;
        Ok(Self {
            writer: Writer::new(writer, true),
            reader,
            remainder: Remainder::default(),
        })
    }

    /// A new database in memory, on one connection; it is gone with the last handle.
    pub async fn in_memory() -> Result<Self, OpenError> {
        let pool = open::in_memory().await?;
        Ok(Self {
            writer: Writer::new(pool.clone(), true),
            reader: pool,
            remainder: Remainder::default(),
        })
    }

    /// Uses a pool that exists, beside whatever else uses it, and adds its tables to the database.
    ///
    /// The pool's connections must have `synchronous` at `FULL` or `EXTRA` (unless the database is in memory), and
    /// should have WAL and a `busy_timeout`: without one, a write fails at once when another one is under way.
    pub async fn new(pool: SqlitePool) -> Result<Self, OpenError> {
        open::prepare(&pool).await?;
        Ok(Self {
            writer: Writer::new(pool.clone(), false),
            reader: pool,
            remainder: Remainder::default(),
        })
    }

    /// The connections to write through, for tables of your own in the same database.
    ///
    /// Begin transactions with `BEGIN IMMEDIATE`, keep them short, and never wait for a second connection inside one:
    /// there may be only one.
    #[must_use]
    pub fn writer(&self) -> &SqlitePool {
        self.writer.pool()
    }

    /// The connections to read through. They refuse to write where the store made them itself.
    #[must_use]
    pub fn reader(&self) -> &SqlitePool {
        &self.reader
    }

    /// Moves what is in the write-ahead log into the database file and closes the connections; a pool that was given to
    /// [`SqliteStore::new`] stays open. Calls after this fail with [`StoreError::Unavailable`].
    pub async fn close(&self) -> Result<(), StoreError> {
        if !self.writer.is_owned() {
            return Ok(());
        }
        self.reader.close().await;
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(self.writer())
            .await;
        self.writer().close().await;
        checkpoint.map(drop).map_err(error::store_error)
    }
}
