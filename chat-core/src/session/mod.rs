//! One connected client: cursors on logs, changed keys, and the next batch of frames.

mod join;
mod log;
mod people;
mod rows;

use std::{collections::VecDeque, future::poll_fn, mem, sync::Arc, task::Waker};

use tokio::time::{Instant, timeout_at};

pub use self::join::Joined;
use self::rows::{LookedUp, ToldRow};
use crate::{
    batch::Batch,
    engine::Engine,
    error::Error,
    frame::Frame,
    inbox::{Inbox, Moved, Signals},
    model::{ConversationId, SessionId, Settings, UserId},
    protocol::Signal,
    room::Attachment,
    source::{HashMap, HashSet},
};

/// One connected client of a user: a set of cursors on the logs it joined.
///
/// Dropping it is what a broken connection is: the user stays online for a grace period.
/// [`close`](Session::close) is a goodbye.
#[derive(Debug)]
pub struct Session {
    // What each delivery looks at comes first, so that it lies together in memory.
    inbox: Arc<Inbox>,
    engine: Arc<Engine>,
    /// Which of the sessions this node has had.
    number: usize,
    /// Kept only while there are some: nearly always there are none.
    signals: Option<Box<Signals>>,
    /// Rooms to look into.
    moved: Moved,
    ready: Batch,
    /// Rooms whose window does not reach back to the cursor.
    behind: VecDeque<Arc<Attachment>>,
    /// When the first of those rows is due that were looked at and held back.
    rows_due: Option<Instant>,
    id: SessionId,
    joined: HashMap<ConversationId, Arc<Attachment>>,
    /// Conversations that this session no longer follows because of a removal, and has not been told of.
    removed: HashSet<ConversationId>,
    watched: HashSet<UserId>,
    typing_in: HashSet<ConversationId>,
    /// The rows that were told not long ago.
    rows_told: HashMap<ConversationId, ToldRow>,
    /// Nobody sits at this device.
    idle: bool,
    closed: bool,
    said_goodbye: bool,
}

/// What [`Session::try_next`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryNext {
    /// Nothing: whoever waits is woken.
    Nothing,
    /// All that there was.
    Frames,
    /// As much as fits into a batch, or can be told at once. There may be more: call it again.
    FramesAndMore,
    /// What comes next is in the store, or the session is over: [`Session::next`] is to be called.
    Ask,
}

impl Session {
    /// `None` if the settings have changed since they were read, `as_of` then.
    pub(crate) fn open(
        engine: &Arc<Engine>,
        user_id: UserId,
        settings: Settings,
        as_of: u64,
    ) -> Option<Self> {
        if !engine.presence.connected(user_id, settings, as_of) {
            return None;
        }
        let inbox = Arc::new(Inbox::new(user_id));
        engine.hub.enter(&inbox);
        Some(Self {
            id: SessionId::new(),
            number: engine.counters.next_session(),
            engine: Arc::clone(engine),
            inbox,
            joined: HashMap::default(),
            removed: HashSet::default(),
            watched: HashSet::default(),
            typing_in: HashSet::default(),
            moved: Moved::new(),
            behind: VecDeque::new(),
            signals: None,
            rows_told: HashMap::default(),
            rows_due: None,
            ready: Batch::default(),
            idle: false,
            closed: false,
            said_goodbye: false,
        })
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

    /// The next frames for this client: at least one.
    ///
    /// Waits until there is something. Log frames are read from the rooms' windows, or from the store where a cursor has
    /// fallen behind; state that changed several times is told once. An [`Error::Unavailable`] may be tried again after
    /// a pause; [`Error::ShuttingDown`] is the end. Cancellation safe: what was not returned comes with the next call.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        loop {
            self.closed |= self
                .inbox
                .take_marks(&mut self.moved, &mut self.signals, None);
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
            self.let_go_of_signals();
            if self.ready.is_empty() {
                self.read_store().await?;
            }
            if !self.ready.is_empty() {
                let batch = mem::take(&mut self.ready);
                let counters = &self.engine.counters;
                counters.handed_out(self.number, batch.len(), batch.bytes());
                return Ok(batch);
            }
            if self.closed {
                return Err(Error::ShuttingDown);
            }
            self.wait().await;
        }
    }

    /// Adds to an empty `batch` what can be told at once. Never waits and never asks the store, so that one thread can serve
    /// thousands of sessions in turns, without a task that is woken for each delivery.
    ///
    /// From now on the next thing to tell wakes `waker`; and at [`due`](Self::due) it is time to look again although
    /// nobody was woken. It may be called whenever [`next`](Self::next) is not under way.
    pub fn try_next(&mut self, waker: &Waker, batch: &mut Batch) -> TryNext {
        let marks = (&mut self.moved, &mut self.signals);
        self.closed |= self.inbox.take_marks(marks.0, marks.1, Some(waker));
        // What is rendered goes into the memory that the caller lends, and none is kept for it.
        if self.ready.is_empty() {
            mem::swap(&mut self.ready, batch);
        }
        self.read_windows();
        self.render_signals();
        let rows_due = self.are_rows_due();
        let must_ask = rows_due && self.must_look_up_rows();
        if rows_due && !must_ask {
            self.render_rows(LookedUp::nothing());
        }
        self.let_go_of_signals();
        mem::swap(&mut self.ready, batch);
        let is_unfinished =
            must_ask || self.closed || !self.moved.is_empty() || !self.behind.is_empty();
        if batch.is_empty() {
            return if is_unfinished {
                TryNext::Ask
            } else {
                TryNext::Nothing
            };
        }
        let counters = &self.engine.counters;
        counters.handed_out(self.number, batch.len(), batch.bytes());
        if is_unfinished {
            TryNext::FramesAndMore
        } else {
            TryNext::Frames
        }
    }

    /// When something is to be told that waits for nothing but its time.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let signals = self.signals.as_ref()?;
        self.rows_due.filter(|_| !signals.rows.is_empty())
    }

    /// How many keys and rooms wait to be told.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        let marks =
            self.moved.len() + self.behind.len() + self.signals.as_ref().map_or(0, |it| it.len());
        marks + self.inbox.held() + self.ready.len()
    }

    /// Ends the session with a goodbye: if it was the user's last one, they are offline at once.
    pub fn close(mut self) {
        self.said_goodbye = true;
    }

    fn render_signals(&mut self) {
        let Some(signals) = &mut self.signals else {
            return;
        };
        if !signals.has_others_than_rows() {
            return;
        }
        let own = mem::take(&mut signals.own_reads).into_iter();
        let me = self.inbox.user_id;
        let own = own.map(|(conversation, seq)| ((conversation, me), seq));
        let joined = &self.joined;
        let is_joined = |conversation: &ConversationId| joined.contains_key(conversation);
        let reads = mem::take(&mut signals.reads).into_iter();
        let reads = reads.filter(|((conversation, _), _)| is_joined(conversation));
        for ((conversation_id, user_id), seq) in own.chain(reads) {
            self.ready.push(Frame::of_signal(&Signal::Read {
                conversation_id,
                user_id,
                seq,
            }));
        }
        let deliveries = mem::take(&mut signals.deliveries).into_iter();
        for ((conversation_id, user_id), seq) in
            deliveries.filter(|((conversation, _), _)| is_joined(conversation))
        {
            self.ready.push(Frame::of_signal(&Signal::Delivered {
                conversation_id,
                user_id,
                seq,
            }));
        }
        for (_, presence) in mem::take(&mut signals.presence) {
            self.ready
                .push(Frame::of_signal(&Signal::Presence(presence)));
        }
        for conversation_id in mem::take(&mut signals.typing) {
            if self.joined.contains_key(&conversation_id) {
                let user_ids = self.engine.typing.who(conversation_id);
                self.ready.push(Frame::of_signal(&Signal::Typing {
                    conversation_id,
                    user_ids,
                }));
            }
        }
    }

    fn signals(&mut self) -> &mut Signals {
        self.signals.get_or_insert_default()
    }

    /// All that was marked may have been told.
    fn let_go_of_signals(&mut self) {
        self.signals.take_if(|signals| signals.is_empty());
    }

    /// Sleeps until something is marked or a row that was held back is due.
    async fn wait(&mut self) {
        let until = self.due();
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
            self.tell_others_of_typing(conversation, false);
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
            .disconnected(self.inbox.user_id, self.idle, self.said_goodbye);
    }
}
