//! The outbox and the drafts: what the user wrote and nobody else has.

use std::{path::Path, time::Duration};

use chat_core::model::{ClientId, ConversationId, Draft, MessageId, Timestamp};
use sqlx::{Connection, Executor, Row, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};
use tokio::{sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use super::{file, queue::Queue};
use crate::kept::{KeptDraft, Queued, Refusal};

const VERSIONS: &[&str] = &[include_str!("words.sql")];
/// After a failure, so long until what could not be written is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Something to be written.
#[derive(Debug)]
enum Change {
    /// A message is to be sent; whoever asked is told when it is on disk, or why it is not.
    Put(Put, oneshot::Sender<Result<(), String>>),
    /// The server refused it.
    Refused(ClientId, Refusal),
    /// The server has it, or it is not wanted any more.
    Remove(ClientId),
    /// A composer holds this now.
    Draft(ConversationId, KeptDraft),
}

/// A message for the outbox.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) conversation: ConversationId,
    pub(crate) draft: Draft,
    pub(crate) at: Timestamp,
    /// It is sent under another name than before.
    pub(crate) replaces: Option<ClientId>,
    /// It was the draft of the conversation until now.
    pub(crate) was_draft: bool,
}

/// Writes the words of the user, each at once and in order.
#[derive(Debug)]
pub(crate) struct WordsWriter {
    queue: Queue<Change>,
    task: JoinHandle<()>,
}

type Drafts = Vec<(ConversationId, KeptDraft)>;

impl WordsWriter {
    pub(super) async fn open(path: &Path) -> anyhow::Result<(Self, Vec<Queued>, Drafts)> {
        let mut connection = file::open(path, VERSIONS).await?;
        let outbox = outbox(&mut connection).await?;
        let drafts = drafts(&mut connection).await?;
        let queue = Queue::new();
        let task = tokio::spawn(write(queue.clone(), connection));
        Ok((Self { queue, task }, outbox, drafts))
    }

    /// Puts a message into the outbox. The answer comes when it would survive a power cut, or says why it is not there.
    pub(crate) fn put(&self, put: Put) -> oneshot::Receiver<Result<(), String>> {
        let (sender, answer) = oneshot::channel();
        self.queue
            .change(|waiting| waiting.push(Change::Put(put, sender)));
        answer
    }

    pub(crate) fn refused(&self, client_id: ClientId, refusal: Refusal) {
        self.queue
            .change(|waiting| waiting.push(Change::Refused(client_id, refusal)));
    }

    pub(crate) fn remove(&self, client_id: ClientId) {
        self.queue
            .change(|waiting| waiting.push(Change::Remove(client_id)));
    }

    /// Waits until all that was asked for so far would survive the end of this process.
    pub(crate) async fn are_kept(&self) {
        self.queue.is_written().await;
    }

    /// Keeps what stands in a composer.
    pub(crate) fn draft(&self, conversation: ConversationId, draft: KeptDraft) {
        self.queue.change(|waiting| match waiting.last_mut() {
            // Of letters that come faster than they are written, only the newest state counts.
            Some(Change::Draft(same, earlier)) if *same == conversation => *earlier = draft,
            _ => waiting.push(Change::Draft(conversation, draft)),
        });
    }

    pub(super) async fn close(self) {
        self.queue.close();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the words were not written to their end");
        }
    }
}

/// Writes until nothing follows. What cannot be written is tried again, but for messages: those are the user's again.
async fn write(queue: Queue<Change>, mut connection: SqliteConnection) {
    while let Some(changes) = queue.take().await {
        let Err(error) = apply(&mut connection, &changes).await else {
            for change in changes {
                if let Change::Put(_, asked) = change {
                    // Who does not wait any more finds it in the outbox.
                    let _ = asked.send(Ok(()));
                }
            }
            continue;
        };
        tracing::error!(%error, "words cannot be written");
        let again = refuse(changes, &error);
        if queue.is_closed() {
            break;
        }
        if !again.is_empty() {
            tokio::time::sleep(PAUSE).await;
            queue.change(|waiting| drop(waiting.splice(0..0, again)));
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the file of the words was not closed properly");
    }
}

/// Tells those who wait for messages that they are not kept, and gives what is to be tried again: the newest of each draft.
fn refuse(changes: Vec<Change>, error: &sqlx::Error) -> Vec<Change> {
    let mut again: Vec<Change> = Vec::new();
    for change in changes {
        match change {
            Change::Put(_, asked) => {
                let _ = asked.send(Err(error.to_string()));
            }
            Change::Draft(conversation, draft) => {
                again.retain(|other| !matches!(other, Change::Draft(id, _) if *id == conversation));
                again.push(Change::Draft(conversation, draft));
            }
            change => again.push(change),
        }
    }
    again
}

async fn apply(connection: &mut SqliteConnection, changes: &[Change]) -> sqlx::Result<()> {
    // Whether a message was sent must survive a power cut; a letter of a draft need not cost a sync of the disk.
    let has_message = changes.iter().any(|c| matches!(c, Change::Put(..)));
    let level = if has_message {
        "PRAGMA synchronous = FULL"
    } else {
        "PRAGMA synchronous = NORMAL"
    };
    connection.execute(level).await?;
    let mut transaction = connection.begin().await?;
    for change in changes {
        one(&mut transaction, change).await?;
    }
    transaction.commit().await
}

async fn one(transaction: &mut Transaction<'_, Sqlite>, change: &Change) -> sqlx::Result<()> {
    match change {
        Change::Put(put, _) => {
            if let Some(earlier) = put.replaces {
                remove(transaction, earlier).await?;
            }
            if put.was_draft {
                forget_draft(transaction, put.conversation).await?;
            }
            insert(transaction, put).await
        }
        Change::Refused(client_id, refusal) => {
            sqlx::query("UPDATE outbox SET refusal = ?, needs_new_id = ? WHERE client_id = ?")
                .bind(&refusal.reason)
                .bind(refusal.needs_new_id)
                .bind(client_id.as_uuid())
                .execute(&mut **transaction)
                .await
                .map(drop)
        }
        Change::Remove(client_id) => remove(transaction, *client_id).await,
        Change::Draft(conversation, draft) if draft.is_empty() => {
            forget_draft(transaction, *conversation).await
        }
        Change::Draft(conversation, draft) => {
            let draft = serde_json::to_string(draft).map_err(|e| sqlx::Error::Encode(e.into()))?;
            sqlx::query("INSERT OR REPLACE INTO drafts (conversation_id, draft) VALUES (?, ?)")
                .bind(conversation.as_uuid())
                .bind(draft)
                .execute(&mut **transaction)
                .await
                .map(drop)
        }
    }
}

async fn insert(transaction: &mut Transaction<'_, Sqlite>, put: &Put) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO outbox (client_id, conversation_id, body, reply_to, at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (client_id) DO UPDATE SET refusal = NULL, needs_new_id = 0",
    )
    .bind(put.draft.client_id.as_uuid())
    .bind(put.conversation.as_uuid())
    .bind(&put.draft.body)
    .bind(put.draft.reply_to.map(MessageId::as_uuid))
    .bind(put.at.as_millis())
    .execute(&mut **transaction)
    .await
    .map(drop)
}

async fn remove(transaction: &mut Transaction<'_, Sqlite>, id: ClientId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM outbox WHERE client_id = ?")
        .bind(id.as_uuid())
        .execute(&mut **transaction)
        .await
        .map(drop)
}

async fn forget_draft(
    transaction: &mut Transaction<'_, Sqlite>,
    conversation: ConversationId,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM drafts WHERE conversation_id = ?")
        .bind(conversation.as_uuid())
        .execute(&mut **transaction)
        .await
        .map(drop)
}

async fn outbox(connection: &mut SqliteConnection) -> sqlx::Result<Vec<Queued>> {
    let rows = sqlx::query(
        "SELECT client_id, conversation_id, body, reply_to, at, refusal, needs_new_id FROM outbox ORDER BY position",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(queued).collect()
}

fn queued(row: &SqliteRow) -> sqlx::Result<Queued> {
    let reply_to: Option<Uuid> = row.try_get("reply_to")?;
    let refusal: Option<String> = row.try_get("refusal")?;
    let needs_new_id = row.try_get("needs_new_id")?;
    Ok(Queued {
        conversation: ConversationId::from_uuid(row.try_get("conversation_id")?),
        draft: Draft {
            client_id: ClientId::from_uuid(row.try_get("client_id")?),
            body: row.try_get("body")?,
            reply_to: reply_to.map(MessageId::from_uuid),
        },
        at: Timestamp::from_millis(row.try_get("at")?),
        refusal: refusal.map(|reason| Refusal {
            reason,
            needs_new_id,
        }),
    })
}

async fn drafts(connection: &mut SqliteConnection) -> sqlx::Result<Drafts> {
    let rows = sqlx::query("SELECT conversation_id, draft FROM drafts")
        .fetch_all(connection)
        .await?;
    let draft = |row: &SqliteRow| {
        let draft: String = row.try_get("draft")?;
        let draft = serde_json::from_str(&draft).map_err(|e| sqlx::Error::Decode(e.into()))?;
        Ok((
            ConversationId::from_uuid(row.try_get("conversation_id")?),
            draft,
        ))
    };
    rows.iter().map(draft).collect()
}
