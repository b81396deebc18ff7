//! Borrowed connections: one whose query was not seen through to its end is closed, and never lent again.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres,
    pool::{PoolConnection, PoolConnectionMetadata},
    postgres::{PgArguments, PgRow},
    query::Query,
};
use tokio::time::timeout;

use super::error::{is_lost, store_error};
use crate::store::StoreError;

/// How long a connection may take to give a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);

/// When a connection was last lost, or given up on in the middle of a query.
///
/// What lay idle at that time may be as dead as the one that was in use, so it has to give a sign of life before it is
/// used again. As long as nothing happens, nothing is asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspicion(Arc<Mutex<Option<Instant>>>);

impl Suspicion {
    fn raise(&self) {
        *self.0.lock() = Some(Instant::now());
    }

    fn is_on(&self, idle_since: Instant) -> bool {
        self.0.lock().is_some_and(|raised| raised >= idle_since)
    }

    /// Whether a connection that lay idle can be used.
    pub(super) async fn clear(
        &self,
        connection: &mut PgConnection,
        metadata: PoolConnectionMetadata,
    ) -> bool {
        let idle_since = Instant::now().checked_sub(metadata.idle_for);
        if idle_since.is_some_and(|since| !self.is_on(since)) {
            return true;
        }
        matches!(timeout(SIGN_OF_LIFE, connection.ping()).await, Ok(Ok(())))
    }
}

/// The way to the database.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pub(super) pool: PgPool,
    pub(super) suspicion: Suspicion,
}

impl Connections {
    pub(super) async fn borrow(&self) -> sqlx::Result<Borrowed> {
        Ok(Borrowed {
            connection: self.pool.acquire().await?,
            suspicion: self.suspicion.clone(),
            settled: false,
        })
    }

    /// The answer to a query that changes nothing. If the connection turns out to be lost, asks once more on another one.
    pub(super) async fn fetch<'q>(
        &self,
        query: impl Fn() -> Query<'q, Postgres, PgArguments> + Send,
    ) -> Result<Vec<PgRow>, StoreError> {
        let mut lost_before = false;
        loop {
            let mut connection = self.borrow().await.map_err(store_error)?;
            match query().fetch_all(&mut *connection).await {
                Ok(rows) => {
                    connection.give_back();
                    return Ok(rows);
                }
                Err(error) if is_lost(&error) && !lost_before => lost_before = true,
                Err(error) => return Err(store_error(error)),
            }
        }
    }
}

/// A connection that is closed unless it is given back.
///
/// Whoever drops a future in the middle of a query leaves a connection that still waits for the answer. Given back to the
/// pool, it would keep its place there until the answer comes, and from a server that hangs it never does.
#[derive(Debug)]
pub(super) struct Borrowed {
    connection: PoolConnection<Postgres>,
    suspicion: Suspicion,
    settled: bool,
}

impl Borrowed {
    /// Everything that was asked has been answered, and no transaction is open.
    pub(super) fn give_back(mut self) {
        self.settled = true;
        // The pool asks for a sign of life first, and by itself would wait for it for ever.
        let returned = self.connection.return_to_pool();
        tokio::spawn(timeout(SIGN_OF_LIFE, returned));
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if !self.settled {
            self.suspicion.raise();
            // Never polled, this closes the connection at once and frees its place in the pool.
            drop(self.connection.return_to_pool());
        }
    }
}

impl Deref for Borrowed {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
