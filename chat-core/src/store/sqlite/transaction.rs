//! Write transactions, which begin and end inside the statements that they consist of.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
};

use futures_util::TryStreamExt;
use sqlx::{
    Connection, Either, Executor, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::error::{is_failed_sync, store_error};
use crate::store::StoreError;

/// A text of one or more statements, with its arguments. In the text of several, parameters have no numbers: sqlx counts
/// those that a statement leaves out as used.
pub(super) type Statements<'q> = Query<'q, Sqlite, SqliteArguments>;

/// The way to write, until the disk fails.
///
/// What a failed sync was to make durable may be lost although it can still be read, and a later sync that succeeds says
/// nothing about it. So nothing more is written; opening the database anew finds out what is there.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pool: SqlitePool,
    /// The pool was made here, so it is closed here.
    owned: bool,
    disk_failed: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn new(pool: SqlitePool, owned: bool) -> Self {
        Self {
            pool,
            owned,
            disk_failed: Arc::default(),
        }
    }

    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(super) fn is_owned(&self) -> bool {
        self.owned
    }

    pub(super) fn check_disk(&self) -> Result<(), StoreError> {
        if self.disk_failed.load(Ordering::Acquire) {
            return Err(StoreError::DiskFailed);
        }
        Ok(())
    }

    /// Begins a transaction with these statements, the first of which is `BEGIN IMMEDIATE`, and answers their rows.
    ///
    /// `IMMEDIATE` takes the write lock at once: a transaction that reads first and writes later fails when another one
    /// wrote in between, however long it would have been willing to wait.
    pub(super) async fn begin(
        &self,
        statements: Statements<'_>,
    ) -> Result<(Transaction<'_>, Vec<Vec<SqliteRow>>), StoreError> {
        self.check_disk()?;
        let connection = self.connection().await.map_err(store_error)?;
        let mut transaction = Transaction {
            writer: self,
            connection,
            open: true,
        };
        let rows = transaction.run(statements).await?;
        Ok((transaction, rows))
    }

    /// Runs a whole transaction, from `BEGIN IMMEDIATE` to `COMMIT`, and answers the rows of each statement.
    pub(super) async fn run(
        &self,
        statements: Statements<'_>,
    ) -> Result<Vec<Vec<SqliteRow>>, StoreError> {
        let (mut transaction, rows) = self.begin(statements).await?;
        transaction.open = false;
        Ok(rows)
    }

    async fn connection(&self) -> sqlx::Result<PoolConnection<Sqlite>> {
        loop {
            let connection = self.pool.acquire().await?;
            if is_usable(&connection) {
                return Ok(connection);
            }
            connection.close().await?;
        }
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        if !is_failed_sync(&error) {
            return store_error(error);
        }
        self.disk_failed.store(true, Ordering::Release);
        if self.owned {
            // From here on it refuses those, too, who write tables of their own through it.
            drop(self.pool.close());
        }
        tracing::error!(
            %error,
            "the disk did not keep what was written: nothing more is written until it was checked and the database opened anew"
        );
        StoreError::DiskFailed
    }
}

/// A write transaction. Dropped before it was committed, it is rolled back before its connection is used again.
///
/// A statement costs little beside the two switches of threads that it takes to have it run, so statements are handed
/// over together wherever they need no decision in between, `BEGIN` and `COMMIT` among them.
#[derive(Debug)]
pub(super) struct Transaction<'w> {
    writer: &'w Writer,
    connection: PoolConnection<Sqlite>,
    open: bool,
}

impl Transaction<'_> {
    /// Runs statements one after the other and answers the rows of each.
    pub(super) async fn run(
        &mut self,
        statements: Statements<'_>,
    ) -> Result<Vec<Vec<SqliteRow>>, StoreError> {
        let run = collect(&mut self.connection, statements).await;
        run.map_err(|error| self.writer.failed(error))
    }

    /// Runs statements, the last of which is `COMMIT`.
    pub(super) async fn commit(mut self, statements: Statements<'_>) -> Result<(), StoreError> {
        self.run(statements).await?;
        self.open = false;
        Ok(())
    }
}

async fn collect(
    connection: &mut SqliteConnection,
    statements: Statements<'_>,
) -> sqlx::Result<Vec<Vec<SqliteRow>>> {
    let mut results = Vec::new();
    let mut rows = Vec::new();
    let mut steps = connection.fetch_many(statements);
    while let Some(step) = steps.try_next().await? {
        match step {
            Either::Right(row) => rows.push(row),
            Either::Left(_end) => results.push(std::mem::take(&mut rows)),
        }
    }
    Ok(results)
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // Polled once, it is queued on the connection, ahead of whoever uses that next. Where SQLite has rolled back by
            // itself, it finds nothing to do.
            let rollback = pin!(self.connection.execute("ROLLBACK"));
            let _queued = rollback.poll(&mut Context::from_waker(Waker::noop()));
        }
    }
}

/// After some errors, a full disk among them, SQLite rolls back by itself. sqlx goes on counting a transaction that was
/// begun through it, by others who share the pool, so that none can begin on that connection any more.
pub(super) fn is_usable(connection: &SqliteConnection) -> bool {
    !connection.is_in_transaction()
}
