//! A batch as one transaction: lock and load what it depends on, decide, store what it changed.
//!
//! Three round trips, however many writes there are: one that begins, locks and loads, one that stores, one that commits.

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::{
    connection::{Borrowed, Connections},
    error::{is_lost, store_error},
    load,
};
use crate::store::{
    Act, Committed, Refusal, StoreError, Write,
    columns::{EntryRecord, number, role_code},
    decide::{Loaded, Needed},
};

pub(super) const STORE: &str = "
    WITH conversation AS (
        UPDATE chat_conversations c SET title = n.title, head_seq = n.head_seq,
            last_message_seq = n.last_message_seq, last_activity_at = n.last_activity_at,
            member_count = n.member_count, owner_count = n.owner_count
        FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::bigint[])
            AS n (id, title, head_seq, last_message_seq, last_activity_at, member_count, owner_count)
        WHERE c.id = n.id),
    member AS (
        INSERT INTO chat_members (conversation_id, user_id, role, active, read_seq, rev)
        SELECT * FROM unnest($8::uuid[], $9::uuid[], $10::bigint[], $11::boolean[], $12::bigint[],
            $13::bigint[])
        ON CONFLICT (conversation_id, user_id) DO UPDATE SET role = excluded.role,
            active = excluded.active, read_seq = excluded.read_seq, rev = excluded.rev)
    INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, message_id, client_id, body,
        reply_to, user_id, role, title)
    SELECT * FROM unnest($14::uuid[], $15::bigint[], $16::bigint[], $17::bigint[], $18::uuid[],
        $19::uuid[], $20::uuid[], $21::text[], $22::uuid[], $23::uuid[], $24::bigint[], $25::text[])";

pub(super) async fn commit(
    connections: &Connections,
    writes: &[Write],
) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
    if writes.is_empty() {
        return Ok(Vec::new());
    }
    check_text(writes)?;
    let (mut connection, mut loaded) = begin(connections, &Needed::by(writes)).await?;
    let results: Vec<_> = writes.iter().map(|write| loaded.apply(write)).collect();
    store(&mut connection, &loaded, &results)
        .await
        .map_err(store_error)?;
    connection.execute("COMMIT").await.map_err(store_error)?;
    connection.give_back();
    Ok(results)
}

/// PostgreSQL keeps every text but one with a NUL in it, which would fail the transaction half-way.
fn check_text(writes: &[Write]) -> Result<(), StoreError> {
    let has_nul = |write: &Write| match &write.act {
        Act::Send { draft, .. } => draft.body.contains('\0'),
        Act::CreateGroup { title, .. } | Act::Rename { title } => title.as_str().contains('\0'),
        _ => false,
    };
    if writes.iter().any(has_nul) {
        return Err(StoreError::unavailable(
            "PostgreSQL cannot keep a text with a NUL character in it",
        ));
    }
    Ok(())
}

/// Begins the transaction. A connection that was lost before has not committed anything, so another one is tried.
async fn begin(
    connections: &Connections,
    needed: &Needed,
) -> Result<(Borrowed, Loaded), StoreError> {
    let statements = load::statements(needed);
    let mut lost_before = false;
    loop {
        let mut connection = connections.borrow().await.map_err(store_error)?;
        let script = sqlx::raw_sql(AssertSqlSafe(statements.clone()));
        match script.fetch_all(&mut *connection).await {
            Ok(rows) => return Ok((connection, load::loaded(&rows)?)),
            Err(error) if is_lost(&error) && !lost_before => lost_before = true,
            Err(error) => return Err(store_error(error)),
        }
    }
}

async fn store(
    connection: &mut PgConnection,
    loaded: &Loaded,
    results: &[Result<Committed, Refusal>],
) -> sqlx::Result<()> {
    let conversations: Vec<_> = loaded
        .conversations
        .iter()
        .filter(|(_, head)| head.changed)
        .collect();
    let members: Vec<_> = loaded
        .members
        .iter()
        .filter(|(_, place)| place.changed)
        .collect();
    let entries: Vec<_> = results
        .iter()
        .flat_map(|result| match result {
            Ok(Committed::Appended(entries)) => entries.as_slice(),
            _ => &[],
        })
        .map(EntryRecord::new)
        .collect();
    if conversations.is_empty() && members.is_empty() && entries.is_empty() {
        return Ok(());
    }
    sqlx::query(STORE)
        .bind(each(&conversations, |(id, _)| id.as_uuid()))
        .bind(each(&conversations, |(_, head)| head.title.as_deref()))
        .bind(each(&conversations, |(_, head)| number(head.seq)))
        .bind(each(&conversations, |(_, head)| {
            number(head.last_message_seq)
        }))
        .bind(each(&conversations, |(_, head)| {
            head.last_activity_at.as_millis()
        }))
        .bind(each(&conversations, |(_, head)| number(head.members)))
        .bind(each(&conversations, |(_, head)| number(head.owners)))
        .bind(each(&members, |((conversation, _), _)| {
            conversation.as_uuid()
        }))
        .bind(each(&members, |((_, user), _)| user.as_uuid()))
        .bind(each(&members, |(_, place)| role_code(place.role)))
        .bind(each(&members, |(_, place)| place.active))
        .bind(each(&members, |(_, place)| number(place.read_seq)))
        .bind(each(&members, |(_, place)| number(place.rev)))
        .bind(each(&entries, |entry| entry.conversation_id))
        .bind(each(&entries, |entry| entry.seq))
        .bind(each(&entries, |entry| entry.kind))
        .bind(each(&entries, |entry| entry.at))
        .bind(each(&entries, |entry| entry.author_id))
        .bind(each(&entries, |entry| entry.message_id))
        .bind(each(&entries, |entry| entry.client_id))
        .bind(each(&entries, |entry| entry.body))
        .bind(each(&entries, |entry| entry.reply_to))
        .bind(each(&entries, |entry| entry.user_id))
        .bind(each(&entries, |entry| entry.role))
        .bind(each(&entries, |entry| entry.title))
        .execute(connection)
        .await?;
    Ok(())
}

/// One column of several rows.
fn each<'r, R, T>(rows: &'r [R], column: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(column).collect()
}
