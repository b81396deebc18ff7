//! The store in a PostgreSQL database, which several nodes may share.

mod changes;
mod commit;
mod connection;
mod conversations;
mod decode;
mod error;
mod group_rows;
mod load;
mod log;
mod open;
mod presence;
#[cfg(test)]
mod query_plans;
mod search;
mod store;
mod users;
mod words;

use sqlx::PgPool;

use connection::Connections;
pub use open::{OpenError, PostgresOptions};

use crate::store::remainder::Remainder;

/// Keeps everything in a PostgreSQL database, version 14 or newer.
///
/// Its tables begin with `chat_`, and so does the table of their migrations, so that others can live beside them. They
/// are made in the schema that is first in the `search_path`. Any number of nodes may use one database at once: each
/// [`commit`](crate::store::MessageLog::commit) locks the conversations that it writes to, in one order.
///
/// What was acknowledged survives the server, because a server that does not wait for its disk is refused. A server that
/// is restarted, or hangs, costs errors while it lasts; the store works again when it does. A call whose future is dropped
/// closes the connection that it used, so that neither a place in the pool nor a lock waits for a server that hangs.
///
/// Whoever restores an older backup deletes the row `epoch` of `chat_meta` in it. The next opening makes a new one, and
/// clients know that what they remember is void.
///
/// Clones are handles to the same pool.
#[derive(Clone, Debug)]
pub struct PostgresStore {
    connections: Connections,
    /// The pool was made here, so it is closed here.
    owned: bool,
    remainder: Remainder,
}

impl PostgresStore {
    /// Opens the database at this URL, `postgres://user:password@host:port/database`, and brings its tables up to date.
    ///
    /// The URL takes the parameters of libpq: `sslmode`, `sslrootcert`, `options` and others. Its connections give up
    /// statements after 5 s and locks after 1.5 s, unless `options` says otherwise.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self, OpenError> {
        Ok(Self {
            connections: open::database(url, options).await?,
            owned: true,
            remainder: Remainder::default(),
        })
    }

    /// Uses a pool that exists, beside whatever else uses it, and adds its tables to the database.
    ///
    /// The pool should give up acquiring within 1.5 s, and its connections should have a `lock_timeout` and an
    /// `idle_in_transaction_session_timeout`: a node that vanishes must not hold a lock for long. With `enable_bitmapscan`
    /// and `enable_seqscan` off, pages of a large log never cost more than pages of a small one, whatever the statistics say.
    /// With `plan_cache_mode = force_generic_plan`, each statement is planned once.
    pub async fn new(pool: PgPool) -> Result<Self, OpenError> {
        Self::in_pool(pool, false).await
    }

    /// Like [`PostgresStore::new`], on a server that may lose what was acknowledged. For tests.
    pub async fn new_allowing_unsafe_durability(pool: PgPool) -> Result<Self, OpenError> {
        Self::in_pool(pool, true).await
    }

    async fn in_pool(pool: PgPool, allow_unsafe_durability: bool) -> Result<Self, OpenError> {
        Ok(Self {
            connections: open::pool(pool, allow_unsafe_durability).await?,
            owned: false,
            remainder: Remainder::default(),
        })
    }

    /// The connections, for tables of your own in the same database.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.connections.pool
    }

    /// Closes the connections; a pool that was given to [`PostgresStore::new`] stays open. Calls after this fail with
    /// [`StoreError::Unavailable`](crate::store::StoreError::Unavailable).
    pub async fn close(&self) {
        if self.owned {
            self.connections.release();
            self.connections.pool.close().await;
        }
    }
}
