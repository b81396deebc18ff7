//! The handle that an embedder holds: everything a chat can be asked.

mod conversations;
mod members;
mod messages;
mod people;

pub use conversations::NewGroup;
pub use messages::Query;

use std::sync::Arc;

use crate::{
    builder::Builder,
    engine::Engine,
    error::Error,
    limits::Limits,
    model::{ConversationId, Membership, Message, NodeId, StoreEpoch, Timestamp, UserId},
    session::Session,
    stats::Stats,
    store::{Act, Committed, Write},
};

/// A running chat engine; clones are handles to the same one.
///
/// Every call is made in the name of a user and checks what that user may do; who is behind a [`UserId`] is the
/// embedder's to establish. Futures may be dropped at any await: a write that was queued by then still happens, whole.
///
/// Call [`shutdown`](Chat::shutdown) before the runtime ends.
#[derive(Clone, Debug)]
pub struct Chat {
    engine: Arc<Engine>,
}

/// A message that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The message.
    pub message: Message,
    /// It had been accepted before, under the same `client_id`.
    pub repeated: bool,
}

impl Chat {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Chooses the parts of an engine.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The name of this running engine.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.engine.node
    }

    /// The life of the store; cursors of another one are void.
    #[must_use]
    pub fn epoch(&self) -> StoreEpoch {
        self.engine.epoch
    }

    /// The bounds and timers in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.engine.limits
    }

    async fn append(
        &self,
        author: UserId,
        conversation_id: ConversationId,
        act: Act,
    ) -> Result<Committed, Error> {
        let write = Write {
            conversation_id,
            author,
            at: Timestamp::now(),
            act,
        };
        self.engine.appender.append(write).await
    }

    /// Opens a session; the user is online from here on.
    pub async fn connect(&self, user: UserId) -> Result<Session, Error> {
        if self.engine.stop.is_cancelled() {
            return Err(Error::ShuttingDown);
        }
        loop {
            let as_of = self.engine.presence.settings_seen();
            let settings = self.engine.store.settings(user).await?;
            let session = Session::open(&self.engine, user, settings, as_of);
            if let Some(session) = session {
                self.engine.hub.learn_rows(user).await?;
                return Ok(session);
            }
        }
    }

    /// Whether the store answers and new work is taken: what a load balancer asks.
    pub async fn check(&self) -> Result<(), Error> {
        if self.engine.stop.is_cancelled() || !self.engine.appender.is_open() {
            return Err(Error::ShuttingDown);
        }
        self.engine.store.epoch().await?;
        Ok(())
    }

    /// What there is on this node now, and what has happened on it so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Stops: new writes are refused, those that were accepted are carried out and delivered, sessions end after their
    /// last frames, everybody is seen off, all tasks are joined. Doing it again waits for the same end.
    pub async fn shutdown(&self) {
        self.engine.appender.close();
        self.engine.stop.cancel();
        self.engine.tasks.close();
        self.engine.tasks.wait().await;
        self.engine.hub.close_sessions();
        if let Err(error) = self.engine.presence.leave_all().await {
            tracing::warn!(%error, "last-seen times cannot be written down");
        }
        self.engine.leave_others().await;
    }

    async fn membership(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Membership, Error> {
        let place = self.engine.store.membership(conversation, user).await?;
        place.ok_or(NO_CONVERSATION)
    }

    async fn check_users(&self, users: &[UserId], field: &'static str) -> Result<(), Error> {
        let known = self
            .engine
            .directory
            .profiles(users.iter().copied())
            .await?;
        match users.iter().find(|user| !known.contains_key(user)) {
            None => Ok(()),
            Some(user) => Err(Error::Invalid {
                field,
                code: "not_found",
                detail: format!("there is no user {user}"),
            }),
        }
    }
}

const NO_CONVERSATION: Error = Error::NotFound("no such conversation");
