//! Write transactions that begin by taking the write lock.

use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, SqliteTransaction, pool::PoolConnection,
};

/// A connection on which a write transaction can begin.
///
/// A transaction that is dropped is rolled back before its connection is used again.
pub(super) struct Writing(PoolConnection<Sqlite>);

impl Writing {
    pub(super) async fn acquire(pool: &SqlitePool) -> sqlx::Result<Self> {
        loop {
            let connection = pool.acquire().await?;
            if is_usable(&connection) {
                return Ok(Self(connection));
            }
            connection.close().await?;
        }
    }

    /// Takes the write lock at once: a transaction that reads first and writes later fails when another one wrote in
    /// between, however long it would have been willing to wait.
    pub(super) async fn begin(&mut self) -> sqlx::Result<SqliteTransaction<'_>> {
        self.0.begin_with("BEGIN IMMEDIATE").await
    }
}

/// After some errors, a full disk among them, SQLite rolls back by itself. sqlx goes on counting a transaction that is
/// not there, so that none can begin on that connection any more.
pub(super) fn is_usable(connection: &SqliteConnection) -> bool {
    !connection.is_in_transaction()
}
