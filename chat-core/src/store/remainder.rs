//! Messages that are not indexed yet: which conversations hold some of it, and how a search looks through it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    mem,
    ops::Bound,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    Act, Search, StoreError, Write,
    columns::Columns,
    search::{contains, words},
};
use crate::model::{ConversationId, Message, MessageId, Timestamp, UserId};

/// How many entries are looked at in one step.
pub(super) const STEP: usize = 500;
/// After how much text a step ends: those who send wait for it where there is one connection that writes.
const STEP_BYTES: usize = 128 << 10;
/// How many conversations are looked at in one step.
const CONVERSATIONS: usize = 200;
/// How many conversations are asked at once whether an earlier process left something in them.
pub(super) const SWEEP: usize = 1_000;
/// How many conversations are remembered. Beyond that, all are looked through again.
const MOST_NOTED: usize = 50_000;

/// How much a search looks through as it is. What is more is indexed first.
pub(super) const MOST_SCANNED: u64 = 1_000;
/// For how long a search indexes before it gives up.
const INDEXING: Duration = Duration::from_millis(1_200);

/// The conversations that may hold messages that are not indexed.
///
/// What is indexed of a conversation is in the database, up to which place of its log. This only saves looking at all
/// conversations: whatever is forgotten here is found anew at the next start, and by every search.
#[derive(Clone, Debug, Default)]
pub(super) struct Remainder(Arc<Mutex<Noted>>);

#[derive(Debug)]
struct Noted {
    conversations: BTreeSet<ConversationId>,
    /// After which of them the next step begins, so that each has its turn however much is said in one.
    reached: ConversationId,
    /// After which one to look for what an earlier process left; `None` once all were looked through.
    swept: Option<ConversationId>,
}

impl Default for Noted {
    fn default() -> Self {
        Self {
            conversations: BTreeSet::new(),
            reached: FIRST,
            swept: Some(FIRST),
        }
    }
}

/// Before all others.
const FIRST: ConversationId = ConversationId::from_uuid(Uuid::nil());

impl Noted {
    fn extend(&mut self, conversations: impl IntoIterator<Item = ConversationId>) {
        self.conversations.extend(conversations);
        if self.conversations.len() > MOST_NOTED {
            *self = Self::default();
        }
    }
}

impl Remainder {
    /// Notes the conversations to which these writes add messages when what it answers is dropped: however the commit
    /// ends, also when nobody hears of its end.
    pub(super) fn noting(&self, writes: &[Write]) -> Taken {
        let sends = writes
            .iter()
            .filter(|write| matches!(write.act, Act::Send { .. }));
        self.taken(sends.map(|write| write.conversation_id).collect())
    }

    /// Some of the conversations, which are noted again unless they are settled.
    pub(super) fn take(&self) -> Taken {
        let mut noted = self.0.lock();
        let after = (Bound::Excluded(noted.reached), Bound::Unbounded);
        let ids = noted.conversations.range(after).copied();
        let mut taken: BTreeSet<_> = ids.take(CONVERSATIONS).collect();
        if taken.is_empty() {
            let ids = noted.conversations.iter().copied();
            taken = ids.take(CONVERSATIONS).collect();
        }
        noted.conversations.retain(|id| !taken.contains(id));
        drop(noted);
        self.taken(taken)
    }

    fn taken(&self, conversations: BTreeSet<ConversationId>) -> Taken {
        Taken {
            remainder: self.clone(),
            conversations,
        }
    }

    /// After which conversation to look for what an earlier process left. Not while there is enough to do.
    pub(super) fn sweep(&self) -> Option<ConversationId> {
        let noted = self.0.lock();
        let busy = noted.conversations.len() > MOST_NOTED / 2;
        noted.swept.filter(|_| !busy)
    }

    /// The next conversations, at most [`SWEEP`], and whether each of them holds something.
    pub(super) fn swept(&self, rows: &[impl Columns]) -> Result<(), StoreError> {
        let (mut last, mut left) = (None, Vec::new());
        for row in rows {
            let id = row.conversation_id("id")?;
            last = Some(id).filter(|_| rows.len() >= SWEEP);
            if row.truth("pending")? == Some(true) {
                left.push(id);
            }
        }
        let mut noted = self.0.lock();
        noted.swept = last;
        noted.extend(left);
        Ok(())
    }

    /// Whether nothing is known to be left.
    pub(super) fn is_empty(&self) -> bool {
        let noted = self.0.lock();
        noted.conversations.is_empty() && noted.swept.is_none()
    }
}

/// Conversations of which it is not known whether they hold something.
#[derive(Debug)]
pub(super) struct Taken {
    remainder: Remainder,
    conversations: BTreeSet<ConversationId>,
}

impl Taken {
    pub(super) fn ids(&self) -> Vec<ConversationId> {
        self.conversations.iter().copied().collect()
    }

    /// All were worked off but this one and those after it.
    pub(super) fn settle(mut self, left: Option<ConversationId>) {
        let reached = left.or(self.conversations.last().copied());
        self.remainder.0.lock().reached = reached.unwrap_or(FIRST);
        self.conversations = match left {
            Some(left) => self.conversations.split_off(&left),
            None => BTreeSet::new(),
        };
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let left = mem::take(&mut self.conversations);
        if !left.is_empty() {
            self.remainder.0.lock().extend(left);
        }
    }
}

/// An entry after the place up to which its conversation is indexed.
#[derive(Debug)]
pub(super) struct Unindexed {
    pub(super) conversation_id: ConversationId,
    pub(super) seq: i64,
    pub(super) at: Timestamp,
    pub(super) author_id: UserId,
    /// If it is a message that is to be indexed: which, and what it says.
    pub(super) message: Option<(Uuid, String)>,
}

impl Unindexed {
    pub(super) fn read(row: &impl Columns) -> Result<Self, StoreError> {
        let is_new = row.truth("is_new")? == Some(true);
        Ok(Self {
            conversation_id: row.conversation_id("conversation_id")?,
            seq: row.code("seq")?,
            at: row.time("at")?,
            author_id: row.user_id("author_id")?,
            message: row
                .uuid("message_id")?
                .zip(row.text("body")?)
                .filter(|_| is_new),
        })
    }
}

/// What is indexed in one transaction.
#[derive(Debug)]
pub(super) struct Step {
    /// Conversation by conversation, and in the order of each log.
    pub(super) entries: Vec<Unindexed>,
    /// Where more may be left, and in those after it.
    pub(super) left: Option<ConversationId>,
}

impl Step {
    /// From at most [`STEP`] entries; fewer mean that these are all.
    pub(super) fn of(mut entries: Vec<Unindexed>) -> Self {
        let last = entries.last().map(|entry| entry.conversation_id);
        let mut left = last.filter(|_| entries.len() >= STEP);
        let mut bytes = 0;
        let is_beyond = |entry: &Unindexed| {
            let is_beyond = bytes >= STEP_BYTES;
            bytes += entry.message.as_ref().map_or(0, |(_, body)| body.len());
            is_beyond
        };
        if let Some(end) = entries.iter().position(is_beyond) {
            left = Some(entries[end].conversation_id);
            entries.truncate(end);
        }
        Self { entries, left }
    }

    /// Up to which place of its log each conversation is indexed afterwards.
    pub(super) fn places(&self) -> BTreeMap<ConversationId, i64> {
        let places = self.entries.iter();
        places
            .map(|entry| (entry.conversation_id, entry.seq))
            .collect()
    }
}

/// How a search deals with more than it can look through: it indexes that, step by step, for some time.
pub(super) struct Patience(Instant);

impl Patience {
    pub(super) fn begin() -> Self {
        Self(Instant::now() + INDEXING)
    }

    /// That there was too much to do in this time. What was done of it is done, so asking again helps.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if Instant::now() < self.0 {
            return Ok(());
        }
        Err(StoreError::unavailable(
            "too many messages are not indexed yet to be searched: they are being indexed",
        ))
    }
}

/// A place in the order of what is found: when a message was accepted, and which it is.
pub(super) type Place = (Timestamp, MessageId);

pub(super) fn place(message: &Message) -> Place {
    (message.created_at, message.id)
}

/// What is found among messages that are not indexed, which the user can see, and by the index: the newest first.
pub(super) fn merge(
    not_indexed: Vec<Message>,
    search: &Search,
    after: Option<Place>,
    found: Vec<Message>,
    limit: usize,
) -> Vec<Message> {
    let fits = |message: &Message| {
        message.deleted_at.is_none()
            && search
                .conversation
                .is_none_or(|id| id == message.conversation_id)
            && search.from.is_none_or(|sender| sender == message.sender_id)
            && search
                .before
                .is_none_or(|before| message.created_at < before)
            && after.is_none_or(|after| place(message) < after)
            && contains(&words(&message.body), &search.words)
    };
    let matching = not_indexed.into_iter().filter(fits);
    let mut found: Vec<_> = found.into_iter().chain(matching).collect();
    found.sort_unstable_by_key(|message| Reverse(place(message)));
    // Edited before it was indexed, a message is in both.
    found.dedup_by_key(|message| message.id);
    found.truncate(limit);
    found
}
