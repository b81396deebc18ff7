//! A batch as one transaction: load what it depends on, decide, store what it changed.
//!
//! Two round trips as a rule, however many writes there are. The first reads, in one snapshot and without a lock. The
//! second is one statement and so one transaction: it locks the conversations in the order of their ids, stores if they
//! are still as they were read, and is durable when it answers.
//!
//! Nothing that matters can have changed unseen. Whatever is done to a conversation, its messages and who belongs to it
//! raises its `head_seq`, which is compared for each conversation in which something is stored. What is done to one
//! membership alone (settings, a read cursor, a ban that is lifted) raises its `rev`, which is compared for each membership
//! that is stored. It is not compared for memberships that were only looked at, of those who are called by name above all:
//! who belongs, in what role, from where on and whether banned changes with the `head_seq`, but for a ban that is lifted,
//! and whoever still saw that ban came before. What others are told of reading and delivery raises nothing: it is stored as
//! the greatest of what is there and what was decided. Blocks count as they are when they are read.
//!
//! When another node was faster, and where groups are made, the locks are taken first, in a transaction of four round
//! trips: lock, load, store, commit.

use sqlx::Executor;

use super::{
    changes::Before,
    connection::{Connections, Transactions},
    error::{is_lost, store_error},
    load,
    store::store,
};
use crate::store::{
    Act, Committed, Refusal, StoreError, Write,
    decide::{Loaded, Needed},
};

type Results = Vec<Result<Committed, Refusal>>;

pub(super) async fn commit(
    connections: &Connections,
    writes: &[Write],
) -> Result<Results, StoreError> {
    if writes.is_empty() {
        return Ok(Vec::new());
    }
    check_text(writes)?;
    let needed = Needed::by(writes);
    if needed.groups.is_empty()
        && connections.transactions == Transactions::Plain
        && connections.contention.is_unlikely()
        && let Some(results) = unless_changed(connections, &needed, writes).await?
    {
        return Ok(results);
    }
    locked(connections, &needed, writes).await
}

/// PostgreSQL keeps every text but one with a NUL in it, which would fail the transaction half-way.
fn check_text(writes: &[Write]) -> Result<(), StoreError> {
    // Titles, topics and emoji have no control characters.
    let has_nul = |write: &Write| match &write.act {
        Act::Send { draft, .. } => draft.body.contains('\0'),
        Act::EditMessage { body, .. } => body.contains('\0'),
        _ => false,
    };
    if writes.iter().any(has_nul) {
        return Err(StoreError::unavailable(
            "PostgreSQL cannot keep a text with a NUL character in it",
        ));
    }
    Ok(())
}

fn decide(loaded: &mut Loaded, writes: &[Write]) -> Results {
    writes.iter().map(|write| loaded.apply(write)).collect()
}

/// Decides on what was read without a lock. `None` if it had changed when it was to be stored: then nothing was.
async fn unless_changed(
    connections: &Connections,
    needed: &Needed,
    writes: &[Write],
) -> Result<Option<Results>, StoreError> {
    let mut lost_before = false;
    let (mut connection, rows) = loop {
        let read = async {
            let mut connection = connections.borrow_for_commit().await?;
            let rows = load::load(&mut connection, needed).await?;
            Ok((connection, rows))
        };
        match read.await {
            Ok(read) => break read,
            Err(error) if is_lost(&error) && !lost_before => lost_before = true,
            Err(error) => return Err(store_error(error)),
        }
    };
    let mut loaded = load::loaded(&rows)?;
    let before = Before::of(&loaded);
    let results = decide(&mut loaded, writes);
    let stored = store(&mut connection, &before, &loaded, &results).await;
    let stored = stored.map_err(store_error)?;
    connection.give_back();
    if !stored {
        connections.contention.note();
    }
    Ok(stored.then_some(results))
}

/// Decides under the locks.
async fn locked(
    connections: &Connections,
    needed: &Needed,
    writes: &[Write],
) -> Result<Results, StoreError> {
    let mut lost_before = false;
    let (mut connection, made) = loop {
        let begun = async {
            let mut connection = connections.borrow_for_commit().await?;
            let made = load::begin_and_lock(&mut connection, needed).await?;
            Ok((connection, made))
        };
        match begun.await {
            Ok(begun) => break begun,
            Err(error) if is_lost(&error) && !lost_before => lost_before = true,
            Err(error) => return Err(store_error(error)),
        }
    };
    let rows = load::load(&mut connection, needed).await;
    let mut loaded = load::loaded(&rows.map_err(store_error)?)?;
    // Their rows are there so that whoever makes the same group waits; the groups are not yet.
    for id in made {
        loaded.conversations.remove(&id);
    }
    let before = Before::of(&loaded);
    let results = decide(&mut loaded, writes);
    let stored = store(&mut connection, &before, &loaded, &results).await;
    if !stored.map_err(store_error)? {
        return Err(StoreError::unavailable(
            "a conversation changed while it was locked",
        ));
    }
    connection.execute("COMMIT").await.map_err(store_error)?;
    connection.give_back();
    Ok(results)
}
