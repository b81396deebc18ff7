//! A batch as one transaction: load what it depends on, decide, store what it changed.
//!
//! Loading takes at most four statements, storing two and one for every sixteen entries, however many writes there are.

use serde_json::{Value, json};
use sqlx::{
    QueryBuilder, Sqlite, SqliteConnection, SqlitePool, query_builder::Separated, sqlite::SqliteRow,
};
use uuid::Uuid;

use super::{
    decode::Columns,
    encode::{self, hex},
    error::store_error,
    transaction::Writing,
};
use crate::{
    model::{Change, Entry, MessageId, UserId},
    store::{
        Act, Committed, Refusal, StoreError, Write,
        decide::{Head, Loaded, Place},
    },
};

pub(super) const CONVERSATIONS: &str = "
    SELECT id, kind, title, head_seq, last_message_seq, last_activity_at, member_count, owner_count
    FROM chat_conversations WHERE id IN (SELECT unhex(value) FROM json_each(?1))";

pub(super) const MEMBERS: &str = "
    SELECT m.conversation_id, m.user_id, m.role, m.active, m.read_seq, m.rev
    FROM json_each(?1) j CROSS JOIN chat_members m
        ON m.conversation_id = unhex(j.value ->> 0) AND m.user_id = unhex(j.value ->> 1)";

pub(super) const SENDS: &str = "
    SELECT e.* FROM json_each(?1) j CROSS JOIN chat_entries e
        ON e.conversation_id = unhex(j.value ->> 0) AND e.author_id = unhex(j.value ->> 1)
        AND e.client_id = unhex(j.value ->> 2)";

pub(super) const REPLIED: &str = "
    SELECT conversation_id, message_id
    FROM chat_entries WHERE message_id IN (SELECT unhex(value) FROM json_each(?1))";

const STORE_CONVERSATIONS: &str = "
    INSERT INTO chat_conversations
        (id, kind, title, head_seq, last_message_seq, last_activity_at, member_count, owner_count)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
        value ->> 6, value ->> 7
    FROM json_each(?1) WHERE true
    ON CONFLICT (id) DO UPDATE SET title = excluded.title, head_seq = excluded.head_seq,
        last_message_seq = excluded.last_message_seq, last_activity_at = excluded.last_activity_at,
        member_count = excluded.member_count, owner_count = excluded.owner_count";

const STORE_MEMBERS: &str = "
    INSERT INTO chat_members (conversation_id, user_id, role, active, read_seq, rev)
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each(?1) WHERE true
    ON CONFLICT (conversation_id, user_id) DO UPDATE SET role = excluded.role,
        active = excluded.active, read_seq = excluded.read_seq, rev = excluded.rev";

const STORE_ENTRIES: &str = "
    INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id,
        message_id, client_id, body, reply_to, user_id, role, title) ";

/// So few that the statements for each number of them stay prepared.
const ENTRIES_PER_STATEMENT: usize = 16;

pub(super) async fn commit(
    pool: &SqlitePool,
    writes: &[Write],
) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
    if writes.is_empty() {
        return Ok(Vec::new());
    }
    let mut connection = Writing::acquire(pool).await.map_err(store_error)?;
    let mut transaction = connection.begin().await.map_err(store_error)?;
    let mut loaded = load(&mut transaction, writes).await?;
    let results: Vec<_> = writes.iter().map(|write| loaded.apply(write)).collect();
    store(&mut transaction, &loaded, &results)
        .await
        .map_err(store_error)?;
    transaction.commit().await.map_err(store_error)?;
    Ok(results)
}

async fn load(connection: &mut SqliteConnection, writes: &[Write]) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded::default();
    let ids = encode::ids(writes.iter().map(|write| write.conversation_id.as_uuid()));
    for row in fetch(connection, CONVERSATIONS, ids).await? {
        let columns = Columns(&row);
        let id = columns.conversation_id("id")?;
        loaded.conversations.insert(id, head(&columns)?);
    }
    for row in fetch(connection, MEMBERS, concerned(writes)).await? {
        let columns = Columns(&row);
        let key = (
            columns.conversation_id("conversation_id")?,
            columns.user_id("user_id")?,
        );
        loaded.members.insert(key, place(&columns)?);
    }
    let sends = sends(writes);
    if !sends.is_empty() {
        for row in fetch(connection, SENDS, encode::list(sends)).await? {
            let sent = Columns(&row).message()?;
            let key = (sent.conversation_id, sent.sender_id, sent.client_id);
            loaded.sends.insert(key, sent);
        }
    }
    let replied: Vec<Uuid> = writes.iter().filter_map(replied).collect();
    if !replied.is_empty() {
        for row in fetch(connection, REPLIED, encode::ids(replied.into_iter())).await? {
            let columns = Columns(&row);
            let conversation = columns.conversation_id("conversation_id")?;
            let message = MessageId::from_uuid(columns.get("message_id")?);
            loaded.replied.insert((conversation, message));
        }
    }
    Ok(loaded)
}

async fn fetch(
    connection: &mut SqliteConnection,
    statement: &'static str,
    list: String,
) -> Result<Vec<SqliteRow>, StoreError> {
    let rows = sqlx::query(statement).bind(list).fetch_all(connection);
    rows.await.map_err(store_error)
}

/// Whose memberships decide: the authors, and those that an act is about.
fn concerned(writes: &[Write]) -> String {
    let mut pairs = Vec::with_capacity(writes.len());
    for write in writes {
        let mut pair = |user: UserId| {
            pairs.push(json!([
                hex(write.conversation_id.as_uuid()),
                hex(user.as_uuid())
            ]));
        };
        pair(write.author);
        if let Act::PutMember { user_id, .. } | Act::RemoveMember { user_id } = write.act {
            pair(user_id);
        }
    }
    encode::list(pairs)
}

fn sends(writes: &[Write]) -> Vec<Value> {
    let send = |write: &Write| match &write.act {
        Act::Send { draft, .. } => Some(json!([
            hex(write.conversation_id.as_uuid()),
            hex(write.author.as_uuid()),
            hex(draft.client_id.as_uuid()),
        ])),
        _ => None,
    };
    writes.iter().filter_map(send).collect()
}

fn replied(write: &Write) -> Option<Uuid> {
    match &write.act {
        Act::Send { draft, .. } => draft.reply_to.map(MessageId::as_uuid),
        _ => None,
    }
}

fn head(columns: &Columns<'_>) -> Result<Head, StoreError> {
    Ok(Head {
        kind: columns.kind("kind")?,
        title: columns.optional("title")?,
        seq: columns.number("head_seq")?,
        last_message_seq: columns.number("last_message_seq")?,
        last_activity_at: columns.time("last_activity_at")?,
        members: columns.number("member_count")?,
        owners: columns.number("owner_count")?,
        changed: false,
    })
}

fn place(columns: &Columns<'_>) -> Result<Place, StoreError> {
    Ok(Place {
        role: columns.role("role")?,
        active: columns.get("active")?,
        read_seq: columns.number("read_seq")?,
        rev: columns.number("rev")?,
        changed: false,
    })
}

/// Conversations first: the other tables refer to them.
async fn store(
    connection: &mut SqliteConnection,
    loaded: &Loaded,
    results: &[Result<Committed, Refusal>],
) -> sqlx::Result<()> {
    let conversations = changed_conversations(loaded);
    if !conversations.is_empty() {
        execute(connection, STORE_CONVERSATIONS, conversations).await?;
    }
    let members = changed_members(loaded);
    if !members.is_empty() {
        execute(connection, STORE_MEMBERS, members).await?;
    }
    let entries: Vec<&Entry> = results.iter().flat_map(appended).collect();
    for entries in entries.chunks(ENTRIES_PER_STATEMENT) {
        let mut insert = QueryBuilder::new(STORE_ENTRIES);
        insert.push_values(entries, |row, entry| bind_entry(row, entry));
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

fn appended(result: &Result<Committed, Refusal>) -> &[Entry] {
    match result {
        Ok(Committed::Appended(entries)) => entries,
        _ => &[],
    }
}

async fn execute(
    connection: &mut SqliteConnection,
    statement: &'static str,
    list: Vec<Value>,
) -> sqlx::Result<()> {
    sqlx::query(statement)
        .bind(encode::list(list))
        .execute(connection)
        .await?;
    Ok(())
}

fn changed_conversations(loaded: &Loaded) -> Vec<Value> {
    let changed = loaded.conversations.iter().filter(|(_, head)| head.changed);
    let values = changed.map(|(id, head)| {
        json!([
            hex(id.as_uuid()),
            encode::kind(head.kind),
            head.title,
            head.seq,
            head.last_message_seq,
            head.last_activity_at.as_millis(),
            head.members,
            head.owners,
        ])
    });
    values.collect()
}

fn changed_members(loaded: &Loaded) -> Vec<Value> {
    let changed = loaded.members.iter().filter(|(_, place)| place.changed);
    let values = changed.map(|((conversation, user), place)| {
        json!([
            hex(conversation.as_uuid()),
            hex(user.as_uuid()),
            encode::role(place.role),
            i64::from(place.active),
            place.read_seq,
            place.rev,
        ])
    });
    values.collect()
}

fn bind_entry(mut row: Separated<'_, Sqlite, &'static str>, entry: &Entry) {
    let (kind, author) = match &entry.change {
        Change::NewMessage { message } => (encode::NEW_MESSAGE, message.sender_id),
        Change::MemberJoined { by, .. } => (encode::MEMBER_JOINED, *by),
        Change::MemberLeft { by, .. } => (encode::MEMBER_LEFT, *by),
        Change::MemberRole { by, .. } => (encode::MEMBER_ROLE, *by),
        Change::ConversationRenamed { by, .. } => (encode::CONVERSATION_RENAMED, *by),
    };
    let message = entry.message();
    let (user, role) = match entry.change {
        Change::MemberJoined { user_id, role, .. } | Change::MemberRole { user_id, role, .. } => {
            (Some(user_id), Some(role))
        }
        Change::MemberLeft { user_id, .. } => (Some(user_id), None),
        _ => (None, None),
    };
    let title = match &entry.change {
        Change::ConversationRenamed { title, .. } => Some(title.clone()),
        _ => None,
    };
    row.push_bind(entry.conversation_id.as_uuid())
        .push_bind(encode::number(entry.seq))
        .push_bind(kind)
        .push_bind(entry.at.as_millis())
        .push_bind(author.as_uuid())
        .push_bind(message.map(|message| message.id.as_uuid()))
        .push_bind(message.map(|message| message.client_id.as_uuid()))
        .push_bind(message.map(|message| message.body.clone()))
        .push_bind(
            message
                .and_then(|message| message.reply_to)
                .map(MessageId::as_uuid),
        )
        .push_bind(user.map(UserId::as_uuid))
        .push_bind(role.map(encode::role))
        .push_bind(title);
}
