//! Writes what was heard from the server: the list, the logs, people.

use std::path::Path;

use chat_core::{
    model::{Change as EntryChange, ConversationId, Entry, Message, Profile, Reaction, Row, Seq},
    store,
};
use sqlx::{Connection, Executor, Sqlite, SqliteConnection, Transaction, query, query_scalar};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{file, queue::Queue, reader::Reader};
use crate::kept::Heard;

const VERSIONS: &[&str] = &[include_str!("heard.sql")];
/// So many entries of a conversation are kept.
const KEPT_ENTRIES: i64 = 100_000;
/// When more entries than this wait to be written, the disk is too slow for them: they are left out. What is missing is
/// noticed when it is read, and asked for again.
const MOST_WAITING: usize = 10_000;

/// Something to be written.
#[derive(Debug)]
enum Change {
    Heard(Heard),
    /// All that is kept of the logs and the list is void; this is the life of the server's store from now on.
    Epoch(Uuid),
    /// Nothing of the server's is to be left.
    ForgetAll,
}

/// Writes what was heard, in order.
#[derive(Debug)]
pub(crate) struct HeardWriter {
    queue: Queue<Change>,
    task: JoinHandle<()>,
}

impl HeardWriter {
    /// Opens the file; one that is damaged, or of another version, is made anew.
    pub(super) async fn open(path: &Path) -> anyhow::Result<(Self, Reader)> {
        let (connection, reader) = match open(path).await {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(%error, "what was heard is kept anew");
                file::remove(path)?;
                open(path).await?
            }
        };
        let queue = Queue::new();
        let task = tokio::spawn(write(queue.clone(), connection));
        Ok((Self { queue, task }, reader))
    }

    /// Keeps this, as soon as the disk gets to it.
    pub(crate) fn keep(&self, heard: Heard) {
        self.queue
            .change(|waiting| match (waiting.last_mut(), heard) {
                (Some(Change::Heard(Heard::Entries(earlier))), Heard::Entries(entries)) => {
                    if earlier.len() < MOST_WAITING {
                        earlier.extend(entries);
                    }
                }
                (_, heard) => waiting.push(Change::Heard(heard)),
            });
    }

    /// The server's store began a new life: what is kept of the one before is void.
    pub(crate) fn begin_epoch(&self, epoch: Uuid) {
        self.queue.change(|waiting| {
            // Who I am is the same in all lives.
            waiting.retain(|change| matches!(change, Change::Heard(Heard::Me(_))));
            waiting.push(Change::Epoch(epoch));
        });
    }

    /// Forgets everything that was heard, as after signing out.
    pub(crate) fn forget_all(&self) {
        self.queue.change(|waiting| {
            waiting.clear();
            waiting.push(Change::ForgetAll);
        });
    }

    pub(super) async fn close(self) {
        self.queue.close();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "what was heard was not written to its end");
        }
    }
}

async fn open(path: &Path) -> anyhow::Result<(SqliteConnection, Reader)> {
    let connection = file::open(path, VERSIONS).await?;
    let reader = Reader::open(path).await?;
    Ok((connection, reader))
}

async fn write(queue: Queue<Change>, mut connection: SqliteConnection) {
    let mut pruned = false;
    while let Some(changes) = queue.take().await {
        if let Err(error) = apply(&mut connection, changes).await {
            tracing::warn!(%error, "what was heard is not kept");
        }
        if !std::mem::replace(&mut pruned, true)
            && let Err(error) = prune(&mut connection).await
        {
            tracing::warn!(%error, "the oldest of what was heard is not removed");
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "what was heard was not closed properly");
    }
}

async fn apply(connection: &mut SqliteConnection, changes: Vec<Change>) -> sqlx::Result<()> {
    let mut transaction = connection.begin().await?;
    for change in changes {
        match change {
            Change::Heard(Heard::Rows {
                rows,
                gone,
                snapshot,
            }) => keep_rows(&mut transaction, &rows, &gone, snapshot).await?,
            Change::Heard(Heard::Entries(entries)) => {
                for entry in &entries {
                    keep_entry(&mut transaction, entry).await?;
                }
            }
            Change::Heard(Heard::People(people)) => {
                for person in &people {
                    keep_person(&mut transaction, person).await?;
                }
            }
            Change::Heard(Heard::Me(me)) => keep_fact(&mut transaction, "me", &me).await?,
            Change::Epoch(epoch) => {
                forget_logs(&mut transaction).await?;
                keep_fact(&mut transaction, "epoch", &epoch).await?;
            }
            Change::ForgetAll => {
                forget_logs(&mut transaction).await?;
                transaction.execute("DELETE FROM people").await?;
                transaction.execute("DELETE FROM facts").await?;
            }
        }
    }
    transaction.commit().await
}

fn json<T: serde::Serialize>(value: &T) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

async fn keep_fact<T: serde::Serialize>(
    transaction: &mut Transaction<'_, Sqlite>,
    name: &str,
    value: &T,
) -> sqlx::Result<()> {
    query("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)")
        .bind(name)
        .bind(json(value)?)
        .execute(&mut **transaction)
        .await
        .map(drop)
}

async fn keep_rows(
    transaction: &mut Transaction<'_, Sqlite>,
    rows: &[Row],
    gone: &[ConversationId],
    snapshot: bool,
) -> sqlx::Result<()> {
    if snapshot {
        transaction.execute("DELETE FROM rows").await?;
    }
    for row in rows {
        query("INSERT OR REPLACE INTO rows (conversation_id, value) VALUES (?, ?)")
            .bind(row.conversation.id.as_uuid())
            .bind(json(row)?)
            .execute(&mut **transaction)
            .await?;
    }
    for id in gone {
        query("DELETE FROM rows WHERE conversation_id = ?")
            .bind(id.as_uuid())
            .execute(&mut **transaction)
            .await?;
        forget_log(transaction, *id).await?;
    }
    if snapshot {
        // Who no longer belongs to a conversation keeps nothing of it.
        for table in ["entries", "words"] {
            let sql = format!(
                "DELETE FROM {table} WHERE conversation_id NOT IN (SELECT conversation_id FROM rows)"
            );
            query(sqlx::AssertSqlSafe(sql))
                .execute(&mut **transaction)
                .await?;
        }
    }
    Ok(())
}

/// Keeps an entry, and what it makes of an earlier message.
async fn keep_entry(transaction: &mut Transaction<'_, Sqlite>, entry: &Entry) -> sqlx::Result<()> {
    let (conversation, seq) = (entry.conversation_id, place(entry.seq));
    query("INSERT OR REPLACE INTO entries (conversation_id, seq, value) VALUES (?, ?, ?)")
        .bind(conversation.as_uuid())
        .bind(seq)
        .bind(json(entry)?)
        .execute(&mut **transaction)
        .await?;
    if let Some(message) = entry.message() {
        keep_words(transaction, message).await?;
    }
    match &entry.change {
        EntryChange::ReactionAdded { reaction, .. }
        | EntryChange::ReactionRemoved { reaction, .. } => {
            change_message(transaction, entry, |message| put(message, reaction)).await
        }
        _ => match entry.message_state() {
            Some(state) => {
                change_message(transaction, entry, |message| message.clone_from(state)).await
            }
            None => Ok(()),
        },
    }
}

fn put(message: &mut Message, reaction: &Reaction) {
    let reactions = &mut message.reactions;
    match reactions
        .iter()
        .position(|other| other.emoji == reaction.emoji)
    {
        Some(at) if reaction.count == 0 => drop(reactions.remove(at)),
        Some(at) => reactions[at].clone_from(reaction),
        None if reaction.count == 0 => {}
        None => reactions.push(reaction.clone()),
    }
}

/// A message that an entry is about is kept as it is from there on, unless what is kept is newer.
async fn change_message(
    transaction: &mut Transaction<'_, Sqlite>,
    by: &Entry,
    change: impl FnOnce(&mut Message),
) -> sqlx::Result<()> {
    let Some(target) = by.about() else {
        return Ok(());
    };
    let (conversation, seq) = (by.conversation_id, place(target));
    let value: Option<String> =
        query_scalar("SELECT value FROM entries WHERE conversation_id = ? AND seq = ?")
            .bind(conversation.as_uuid())
            .bind(seq)
            .fetch_optional(&mut **transaction)
            .await?;
    let Some(Ok(mut entry)) = value.map(|value| serde_json::from_str::<Entry>(&value)) else {
        return Ok(());
    };
    let EntryChange::NewMessage { message } = &mut entry.change else {
        return Ok(());
    };
    if message.changed_seq > by.seq {
        return Ok(());
    }
    change(message);
    message.changed_seq = by.seq;
    let message = message.clone();
    query("UPDATE entries SET value = ? WHERE conversation_id = ? AND seq = ?")
        .bind(json(&entry)?)
        .bind(conversation.as_uuid())
        .bind(seq)
        .execute(&mut **transaction)
        .await?;
    keep_words(transaction, &message).await
}

async fn keep_words(
    transaction: &mut Transaction<'_, Sqlite>,
    message: &Message,
) -> sqlx::Result<()> {
    if message.deleted_at.is_some() {
        return query("DELETE FROM words WHERE conversation_id = ? AND seq = ?")
            .bind(message.conversation_id.as_uuid())
            .bind(place(message.seq))
            .execute(&mut **transaction)
            .await
            .map(drop);
    }
    let words = format!(" {} ", store::words(&message.body).join(" "));
    query("INSERT OR REPLACE INTO words (conversation_id, seq, at, words) VALUES (?, ?, ?, ?)")
        .bind(message.conversation_id.as_uuid())
        .bind(place(message.seq))
        .bind(message.created_at.as_millis())
        .bind(words)
        .execute(&mut **transaction)
        .await
        .map(drop)
}

async fn keep_person(
    transaction: &mut Transaction<'_, Sqlite>,
    person: &Profile,
) -> sqlx::Result<()> {
    query("INSERT OR REPLACE INTO people (user_id, value) VALUES (?, ?)")
        .bind(person.id.as_uuid())
        .bind(json(person)?)
        .execute(&mut **transaction)
        .await
        .map(drop)
}

async fn forget_log(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation: ConversationId,
) -> sqlx::Result<()> {
    for sql in [
        "DELETE FROM entries WHERE conversation_id = ?",
        "DELETE FROM words WHERE conversation_id = ?",
    ] {
        query(sql)
            .bind(conversation.as_uuid())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

async fn forget_logs(transaction: &mut Transaction<'_, Sqlite>) -> sqlx::Result<()> {
    for sql in [
        "DELETE FROM rows",
        "DELETE FROM entries",
        "DELETE FROM words",
    ] {
        transaction.execute(sql).await?;
    }
    Ok(())
}

/// Removes the oldest entries of conversations of which there are very many.
async fn prune(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    let long: Vec<(Uuid, i64)> = sqlx::query_as(
        "SELECT conversation_id, max(seq) FROM entries GROUP BY conversation_id HAVING count(*) > ?",
    )
    .bind(KEPT_ENTRIES)
    .fetch_all(&mut *connection)
    .await?;
    for (conversation, newest) in long {
        for sql in [
            "DELETE FROM entries WHERE conversation_id = ? AND seq <= ?",
            "DELETE FROM words WHERE conversation_id = ? AND seq <= ?",
        ] {
            query(sql)
                .bind(conversation)
                .bind(newest - KEPT_ENTRIES)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// A place in the log as the database counts.
pub(super) fn place(seq: Seq) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
