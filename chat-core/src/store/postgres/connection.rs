//! Borrowed connections: one whose query was not seen through to its end is closed, and never lent again.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
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

/// Whether somebody else wrote to the same conversations lately, so that it pays to lock them before they are read.
#[derive(Clone, Debug, Default)]
pub(super) struct Contention(Arc<AtomicU32>);

impl Contention {
    /// For how many commits it is remembered.
    const MEMORY: u32 = 16;

    pub(super) fn note(&self) {
        self.0.store(Self::MEMORY, Ordering::Relaxed);
    }

    pub(super) fn is_unlikely(&self) -> bool {
        let forget = |left: u32| left.checked_sub(1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, forget)
            .is_err()
    }
}

/// What a statement is run in that begins no transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transactions {
    /// One that may write, and waits for others and goes on.
    Plain,
    /// Whatever somebody else has set.
    Special,
}

/// The connection that commits. It is not given back to the pool in between, which would ask it for a sign of life each
/// time.
#[derive(Debug)]
enum Committing {
    Nobody,
    InUse,
    Idle(Borrowed, Instant),
    Closed,
}

/// The way to the database.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pub(super) pool: PgPool,
    suspicion: Suspicion,
    pub(super) contention: Contention,
    pub(super) transactions: Transactions,
    /// `None` in a pool of somebody else, who would miss it.
    committing: Option<Arc<Mutex<Committing>>>,
}

impl Connections {
    pub(super) fn of_own(pool: PgPool, transactions: Transactions, suspicion: Suspicion) -> Self {
        Self {
            pool,
            suspicion,
            contention: Contention::default(),
            transactions,
            committing: Some(Arc::new(Mutex::new(Committing::Nobody))),
        }
    }

    pub(super) fn of_others(pool: PgPool, transactions: Transactions) -> Self {
        Self {
            pool,
            suspicion: Suspicion::default(),
            contention: Contention::default(),
            transactions,
            committing: None,
        }
    }

    /// Keeps no connection from the pool any more.
    pub(super) fn release(&self) {
        if let Some(committing) = &self.committing {
            let kept = mem::replace(&mut *committing.lock(), Committing::Closed);
            if let Committing::Idle(connection, _) = kept {
                connection.close();
            }
        }
    }

    pub(super) async fn borrow(&self) -> sqlx::Result<Borrowed> {
        Ok(Borrowed {
            connection: self.pool.acquire().await?,
            suspicion: self.suspicion.clone(),
            settled: false,
            turn: None,
        })
    }

    /// The connection that is kept for it; where there is none, or it is in use, any other one.
    pub(super) async fn borrow_for_commit(&self) -> sqlx::Result<Borrowed> {
        let Some((turn, kept)) = self.turn() else {
            return self.borrow().await;
        };
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.borrow().await?,
        };
        connection.turn = Some(turn);
        Ok(connection)
    }

    /// The right to commit on the connection that is kept, with that connection if there is one that can be used.
    fn turn(&self) -> Option<(Turn, Option<Borrowed>)> {
        let committing = self.committing.as_ref()?;
        let mut state = committing.lock();
        let kept = match mem::replace(&mut *state, Committing::InUse) {
            Committing::Nobody => None,
            Committing::Idle(connection, since) if self.suspicion.is_on(since) => {
                connection.close();
                None
            }
            Committing::Idle(connection, _) => Some(connection),
            busy => {
                *state = busy;
                return None;
            }
        };
        Some((Turn(Arc::clone(committing)), kept))
    }

    /// The answer to a query that does no more when it is asked twice, as it is, on another connection, when one is lost.
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

/// The right to be the connection that commits; given up when dropped.
#[derive(Debug)]
struct Turn(Arc<Mutex<Committing>>);

impl Turn {
    fn keep(self, connection: Borrowed) {
        let mut kept = self.0.lock();
        if matches!(*kept, Committing::InUse) {
            *kept = Committing::Idle(connection, Instant::now());
        } else {
            connection.close();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut kept = self.0.lock();
        if matches!(*kept, Committing::InUse) {
            *kept = Committing::Nobody;
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
    turn: Option<Turn>,
}

impl Borrowed {
    /// Everything that was asked has been answered, and no transaction is open.
    pub(super) fn give_back(mut self) {
        if let Some(turn) = self.turn.take() {
            return turn.keep(self);
        }
        self.settled = true;
        // The pool asks for a sign of life first, and by itself would wait for it for ever.
        let returned = self.connection.return_to_pool();
        tokio::spawn(timeout(SIGN_OF_LIFE, returned));
    }

    /// Closes it at once, without a doubt about the others.
    fn close(mut self) {
        self.settled = true;
        drop(self.connection.return_to_pool());
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
