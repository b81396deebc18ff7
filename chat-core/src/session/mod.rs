//! One connected client: cursors on logs, changed keys, and the next batch of frames.

mod rows;

use std::{collections::VecDeque, future::poll_fn, mem, sync::Arc};

use tokio::time::{Instant, timeout_at};

use self::rows::ToldRow;
use crate::{
    batch::Batch,
    engine::Engine,
    error::Error,
    frame::Frame,
    inbox::{Inbox, Signals},
    model::{ConversationId, Seq, SessionId, UserId},
    protocol::Signal,
    room::Attachment,
    row_marks::RowMark,
    source::{HashMap, HashSet},
    window::{Budget, Reading},
};

/// The most bytes of log frames in one batch, unless a single one is larger.
const BATCH_BYTES: usize = 64 * 1024;
/// How many entries are read from the store at once: of the longest ones, about 1 MiB.
const STORE_PAGE: usize = 20;

/// What a join brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The newest `seq` of the log at this moment.
    pub head_seq: Seq,
    /// The cursor was too far behind (or of another life of the store): the session follows from `head_seq` on, and what
    /// lies before it is to be read with [`Chat::events`](crate::Chat::events).
    pub reset: bool,
}

/// One connected client of a user: a set of cursors on the logs it joined.
///
/// Dropping it is what a broken connection is: the user stays online for a grace period.
/// [`close`](Session::close) is a goodbye.
#[derive(Debug)]
pub struct Session {
    id: SessionId,
    engine: Arc<Engine>,
    inbox: Arc<Inbox>,
    joined: HashMap<ConversationId, Arc<Attachment>>,
    /// Conversations that this session no longer follows because of a removal, and has not been told of.
    removed: HashSet<ConversationId>,
    watched: HashSet<UserId>,
    typing_in: HashSet<ConversationId>,
    /// Rooms to look into.
    moved: Vec<Arc<Attachment>>,
    /// Rooms whose window does not reach back to the cursor.
    behind: VecDeque<Arc<Attachment>>,
    signals: Signals,
    /// The rows that were told not long ago.
    rows_told: HashMap<ConversationId, ToldRow>,
    /// When the first of those rows is due that were looked at and held back.
    rows_due: Option<Instant>,
    ready: Batch,
    closed: bool,
    said_goodbye: bool,
}

impl Session {
    pub(crate) fn open(engine: Arc<Engine>, user_id: UserId) -> Self {
        let inbox = Arc::new(Inbox::new(user_id));
        engine.hub.enter(&inbox);
        engine.presence.connected(user_id);
        Self {
            id: SessionId::new(),
            engine,
            inbox,
            joined: HashMap::default(),
            removed: HashSet::default(),
            watched: HashSet::default(),
            typing_in: HashSet::default(),
            moved: Vec::new(),
            behind: VecDeque::new(),
            signals: Signals::default(),
            rows_told: HashMap::default(),
            rows_due: None,
            ready: Batch::default(),
            closed: false,
            said_goodbye: false,
        }
    }

    /// The name of this session.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Whose it is.
    #[must_use]
    pub fn user_id(&self) -> UserId {
        self.inbox.user_id
    }

    /// Follows a conversation: from here on [`next`](Self::next) gives every entry of its log after `after`, once and in
    /// order; without `after`, from the head on. Joining again moves the cursor.
    ///
    /// Fails with [`Error::NotFound`] for those who do not belong to it. When dropped before it returns, nothing has
    /// changed.
    pub async fn join(
        &mut self,
        conversation: ConversationId,
        after: Option<Seq>,
    ) -> Result<Joined, Error> {
        let limit = self.engine.limits.max_joined_conversations;
        if self.joined.len() >= limit && !self.joined.contains_key(&conversation) {
            return Err(Error::LimitExceeded(format!(
                "at most {limit} joined conversations: leave one first"
            )));
        }
        // Attached before anything is read: what is appended meanwhile marks this session, what came before is read.
        let attaching = Attaching {
            attachment: self.engine.hub.attach(conversation, &self.inbox),
            joined: false,
        };
        let room = &attaching.attachment.room;

        let store = &self.engine.store;
        if store
            .membership(conversation, self.user_id())
            .await?
            .is_none()
        {
            return Err(Error::NotFound("no such conversation"));
        }
        let mut head = match room.head() {
            Some(head) if after.is_none_or(|after| after <= head) => head,
            _ => store
                .head(conversation)
                .await?
                .ok_or(Error::NotFound("no such conversation"))?,
        };
        if room.head().is_none() {
            room.learn_head(head);
        }
        head = head.max(room.head().unwrap_or(head));
        let reads = self.reads_of_small(conversation).await?;

        let (cursor, reset) = match after {
            None => (head, false),
            Some(after) if after > head || head - after > self.engine.limits.max_replay as u64 => {
                (head, true)
            }
            Some(after) => (after, false),
        };
        #[cfg(test)]
        let cursor = crate::simulation::bug::resume_after(cursor);
        let attachment = attaching.joined();
        attachment.set_cursor(cursor);
        attachment.mark();
        self.removed.remove(&conversation);
        if let Some(previous) = self.joined.insert(conversation, attachment) {
            previous.room.detach(&previous);
        }
        self.signals.reads.extend(reads);
        Ok(Joined {
            head_seq: head,
            reset,
        })
    }

    /// The read cursors of a conversation, if it is small enough for them to be told.
    async fn reads_of_small(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<((ConversationId, UserId), Seq)>, Error> {
        let most = self.engine.limits.max_members_for_reads;
        let members = self
            .engine
            .store
            .members(conversation, None, most + 1)
            .await?;
        if members.len() > most {
            return Ok(Vec::new());
        }
        Ok(members
            .into_iter()
            .map(|member| ((conversation, member.user_id), member.read_seq))
            .collect())
    }

    /// Follows a conversation no longer.
    pub fn leave(&mut self, conversation: ConversationId) {
        self.stop_typing(conversation);
        self.removed.remove(&conversation);
        if let Some(attachment) = self.joined.remove(&conversation) {
            attachment.room.detach(&attachment);
        }
    }

    /// Tells of the presence of these users from here on, and of no others. Those who share no conversation with this
    /// user are left out in silence. When dropped before it returns, and when it fails, the new ones may be told of beside
    /// the former ones.
    pub async fn watch_presence(&mut self, users: Vec<UserId>) -> Result<(), Error> {
        let limit = self.engine.limits.max_watched_users;
        if users.len() > limit {
            return Err(Error::LimitExceeded(format!(
                "at most {limit} watched users"
            )));
        }
        let known = self
            .engine
            .store
            .sharing_with(self.user_id(), &users)
            .await?;
        let wanted: HashSet<UserId> = known.into_iter().collect();
        // Watched before it is read: what changes meanwhile leaves a mark, which is told after the snapshot.
        for user in &wanted {
            if self.watched.insert(*user) {
                self.engine.presence.watch(*user, &self.inbox);
            }
        }
        let ids: Vec<UserId> = wanted.iter().copied().collect();
        let snapshot = self.engine.presence.of(&ids).await?;
        for user in self.watched.extract_if(|user| !wanted.contains(user)) {
            self.engine.presence.unwatch(user, &self.inbox);
        }
        self.signals.presence.extend(
            snapshot
                .into_iter()
                .map(|presence| (presence.user_id, presence)),
        );
        Ok(())
    }

    /// Says that this user types, or stopped typing, in a joined conversation.
    ///
    /// To be repeated while it lasts (see [`Limits::typing_expiry`](crate::Limits)); ends by itself with a send, `leave`
    /// and the end of the session. In conversations of many members it is heard by nobody.
    pub async fn typing(
        &mut self,
        conversation: ConversationId,
        typing: bool,
    ) -> Result<(), Error> {
        let Some(attachment) = self.joined.get(&conversation) else {
            return Err(Error::NotFound("join the conversation first"));
        };
        if !typing {
            self.stop_typing(conversation);
            return Ok(());
        }
        let members = self.engine.hub.member_count(&attachment.room).await?;
        if members <= self.engine.limits.max_members_for_typing {
            self.typing_in.insert(conversation);
            self.engine
                .typing
                .start(conversation, self.user_id(), &self.engine.hub);
        }
        Ok(())
    }

    fn stop_typing(&mut self, conversation: ConversationId) {
        if self.typing_in.remove(&conversation) {
            self.engine
                .typing
                .stop(conversation, self.user_id(), &self.engine.hub);
        }
    }

    /// The next frames for this client: at least one.
    ///
    /// Waits until there is something. Log frames are read from the rooms' windows, or from the store where a cursor has
    /// fallen behind; state that changed several times is told once. An [`Error::Unavailable`] may be tried again after
    /// a pause; [`Error::ShuttingDown`] is the end. Cancellation safe: what was not returned comes with the next call.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        loop {
            self.closed |= self.inbox.take_marks(&mut self.moved, &mut self.signals);
            // What waits for the store comes before anything is taken out: a call that is dropped leaves nothing half told.
            let rows = if self.are_rows_due() {
                self.look_up_rows().await.map(Some)
            } else {
                Ok(None)
            };
            self.read_windows();
            self.render_signals();
            match rows {
                Ok(Some(looked_up)) => self.render_rows(looked_up),
                Err(error) if self.ready.is_empty() => return Err(error),
                Ok(None) | Err(_) => {}
            }
            if self.ready.is_empty() {
                self.read_store().await?;
            }
            if !self.ready.is_empty() {
                return Ok(mem::take(&mut self.ready));
            }
            if self.closed {
                return Err(Error::ShuttingDown);
            }
            self.wait().await;
        }
    }

    /// How many keys and rooms wait to be told.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        let marks = self.moved.len() + self.behind.len() + self.signals.len();
        marks + self.inbox.held() + self.ready.len()
    }

    /// Ends the session with a goodbye: if it was the user's last one, they are offline at once.
    pub fn close(mut self) {
        self.said_goodbye = true;
    }

    fn read_windows(&mut self) {
        let mut budget = Budget::of_bytes(BATCH_BYTES);
        while let Some(attachment) = self.moved.pop() {
            if attachment.is_detached() {
                self.forget(&attachment);
                continue;
            }
            attachment.unmark();
            match attachment
                .room
                .read(&attachment, &mut budget, &mut self.ready)
            {
                Reading::Current => {}
                Reading::Behind => {
                    if !self
                        .behind
                        .iter()
                        .any(|other| Arc::ptr_eq(other, &attachment))
                    {
                        self.behind.push_back(attachment);
                    }
                }
                Reading::More => {
                    self.moved.push(attachment);
                    return;
                }
            }
        }
    }

    /// Serves the room that waits longest for the store: one page of its log.
    async fn read_store(&mut self) -> Result<(), Error> {
        while let Some(attachment) = self.behind.front().map(Arc::clone) {
            if attachment.is_detached() {
                self.behind.pop_front();
                self.forget(&attachment);
                continue;
            }
            let (conversation, cursor) = (attachment.room.id, attachment.cursor());
            let entries = self
                .engine
                .store
                .entries_after(conversation, cursor, STORE_PAGE)
                .await?;
            self.behind.pop_front();
            let dense = entries
                .iter()
                .zip(cursor + 1..)
                .all(|(entry, seq)| entry.seq == seq);
            if entries.is_empty() && attachment.room.head().is_none_or(|head| head <= cursor) {
                continue;
            }
            let Some(last) = entries.last().filter(|_| dense) else {
                tracing::error!(%conversation, cursor, "the log has a hole: this session cannot be served");
                self.ready.push(Frame::of_signal(&Signal::Resync {
                    conversation_id: conversation,
                    after_seq: cursor,
                }));
                self.leave(conversation);
                return Ok(());
            };
            if attachment.is_detached() {
                self.forget(&attachment);
                continue;
            }
            attachment.set_cursor(last.seq);
            for entry in &entries {
                self.ready.push(Frame::of_entry(entry));
            }
            self.moved.push(attachment);
            return Ok(());
        }
        Ok(())
    }

    /// Drops what is held for a room that let this session go, which is told with the row.
    fn forget(&mut self, attachment: &Arc<Attachment>) {
        let conversation = attachment.room.id;
        if self
            .joined
            .get(&conversation)
            .is_some_and(|joined| Arc::ptr_eq(joined, attachment))
        {
            self.leave(conversation);
            self.removed.insert(conversation);
            self.signals.rows.mark(conversation, RowMark::Changed);
        }
    }

    fn render_signals(&mut self) {
        if !self.signals.has_others_than_rows() {
            return;
        }
        for ((conversation_id, user_id), seq) in self.signals.reads.drain() {
            self.ready.push(Frame::of_signal(&Signal::Read {
                conversation_id,
                user_id,
                seq,
            }));
        }
        for (_, presence) in self.signals.presence.drain() {
            self.ready
                .push(Frame::of_signal(&Signal::Presence(presence)));
        }
        for conversation_id in self.signals.typing.drain() {
            if self.joined.contains_key(&conversation_id) {
                let user_ids = self.engine.typing.who(conversation_id);
                self.ready.push(Frame::of_signal(&Signal::Typing {
                    conversation_id,
                    user_ids,
                }));
            }
        }
    }

    /// Sleeps until something is marked or a row that was held back is due.
    async fn wait(&mut self) {
        let until = self.rows_due.filter(|_| !self.signals.rows.is_empty());
        let marked = poll_fn(|context| self.inbox.poll_marked(context));
        match until {
            None => marked.await,
            // Having waited long enough is as good a reason to look as a mark.
            Some(until) => timeout_at(until, marked).await.unwrap_or(()),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for conversation in mem::take(&mut self.typing_in) {
            self.engine
                .typing
                .stop(conversation, self.user_id(), &self.engine.hub);
        }
        for (_, attachment) in self.joined.drain() {
            attachment.room.detach(&attachment);
        }
        for user in &self.watched {
            self.engine.presence.unwatch(*user, &self.inbox);
        }
        self.engine.hub.exit(&self.inbox);
        self.engine
            .presence
            .disconnected(self.inbox.user_id, self.said_goodbye);
    }
}

/// An attachment that is let go again unless the join it is made for comes to its end.
struct Attaching {
    attachment: Arc<Attachment>,
    joined: bool,
}

impl Attaching {
    fn joined(mut self) -> Arc<Attachment> {
        self.joined = true;
        Arc::clone(&self.attachment)
    }
}

impl Drop for Attaching {
    fn drop(&mut self) {
        if !self.joined {
            self.attachment.room.detach(&self.attachment);
        }
    }
}
