//! Tells the members who are here that a row of their list changed, at a pace that the store can follow.

use std::{collections::BTreeSet, mem, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{Hub, STORE_RETRY, unless_corrupt};
use crate::{
    herald::behind_those_who_are_ready,
    inbox::Inbox,
    model::{Conversation, ConversationId, Mine, Unread, UserId},
    row_marks::RowMark,
    source::{HashMap, HashSet},
    store::StoreError,
};

/// From how many sessions on a row is looked up for all of them together instead of by each.
const TOGETHER: usize = if cfg!(test) { 3 } else { 8 };
/// How many members are looked up at once.
const CROWD_PAGE: usize = 500;
/// How many of them are told at once: each renders the row, and small rooms must not wait for many of these.
const CROWD_STEP: usize = 8;
/// The longest time between two rounds of the same row: a client's unread is right within 2 s.
const SLOWEST: Duration = Duration::from_millis(1_500);

/// Conversations whose row changed for all members.
#[derive(Debug, Default)]
pub(super) struct Rows {
    changed: Mutex<BTreeSet<ConversationId>>,
    called: Notify,
}

impl Rows {
    pub(super) fn changed(&self, conversations: impl IntoIterator<Item = ConversationId>) {
        self.changed.lock().extend(conversations);
        self.called.notify_one();
    }
}

/// Rows that wait, and until when: told at once, and then not again for a while.
#[derive(Debug, Default)]
struct Pace {
    wanted: BTreeSet<ConversationId>,
    waits: HashMap<ConversationId, Instant>,
    /// The store failed: nothing is tried before this.
    paused_until: Option<Instant>,
}

impl Pace {
    fn take_due(&mut self) -> Vec<ConversationId> {
        let now = Instant::now();
        self.paused_until = self.paused_until.filter(|until| *until > now);
        if self.paused_until.is_some() {
            return Vec::new();
        }
        self.waits.retain(|_, until| *until > now);
        let waits = &self.waits;
        self.wanted
            .extract_if(.., |conversation| !waits.contains_key(conversation))
            .collect()
    }

    fn next_due(&self) -> Option<Instant> {
        let waits = self.wanted.iter().filter_map(|id| self.waits.get(id));
        self.paused_until.or(waits.min().copied())
    }
}

/// The sessions of some members of a conversation.
type Present = Vec<(UserId, Vec<Arc<Inbox>>)>;

impl Hub {
    /// Tells of rows until told to stop. Owned by the engine, which joins it.
    pub(crate) async fn run_rows(&self, stop: CancellationToken) {
        let mut pace = Pace::default();
        while !stop.is_cancelled() {
            pace.wanted
                .append(&mut mem::take(&mut *self.rows.changed.lock()));
            for conversation in pace.take_due() {
                let begun = Instant::now();
                if let Err(error) = self.tell_rows(conversation).await {
                    tracing::warn!(%conversation, %error, "the rows of a conversation are told later");
                    pace.wanted.insert(conversation);
                    pace.paused_until = Some(Instant::now() + STORE_RETRY);
                    continue;
                }
                // A little longer than a session waits between two, so that none of them has to hold one back; and a
                // round that took long is a large part of the work that is done here.
                let shortest = self.limits.row_interval.mul_f32(1.1);
                let pause = shortest.max((begun.elapsed() * 10).min(SLOWEST));
                pace.waits.insert(conversation, Instant::now() + pause);
            }
            let until = pace.next_due();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.rows.called.notified() => {}
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            }
        }
    }

    pub(super) async fn tell_rows(&self, conversation: ConversationId) -> Result<(), StoreError> {
        let was_here = self.existing_room(conversation).is_some();
        let room = self.room(conversation);
        unless_corrupt(conversation, self.learn_members(&room).await)?;
        let present = room.with_members(|members| self.present_among(members));
        let present = present.unwrap_or_default();
        if present.is_empty() && !was_here {
            self.drop_unless_followed(&room);
        }
        if present.len() < TOGETHER {
            let inboxes = present.iter().flat_map(|(_, inboxes)| inboxes);
            inboxes.for_each(|inbox| inbox.row_changed(conversation));
            return Ok(());
        }
        for some in present.chunks(CROWD_PAGE) {
            unless_corrupt(conversation, self.tell_crowd(conversation, some).await)?;
        }
        Ok(())
    }

    pub(super) fn present_among(&self, members: &HashSet<UserId>) -> Present {
        let users = self.users.read();
        if members.len() < users.len() {
            let present = members.iter().filter_map(|user| users.get_key_value(user));
            present
                .map(|(user, inboxes)| (*user, inboxes.clone()))
                .collect()
        } else {
            let present = users.iter().filter(|(user, _)| members.contains(user));
            present
                .map(|(user, inboxes)| (*user, inboxes.clone()))
                .collect()
        }
    }

    /// Looks a row up once for all of these members.
    async fn tell_crowd(
        &self,
        conversation: ConversationId,
        crowd: &[(UserId, Vec<Arc<Inbox>>)],
    ) -> Result<(), StoreError> {
        let ids: Vec<UserId> = crowd.iter().map(|(user, _)| *user).collect();
        let as_of = Instant::now();
        let found = self.store.group_rows(conversation, &ids).await?;
        let (shared, rows) = match found {
            Some(group) => (Some(Arc::new(group.conversation)), group.rows),
            None => (None, Vec::new()),
        };
        let mut rows: HashMap<UserId, _> = rows
            .into_iter()
            .map(|row| (row.user_id, (row.me, row.unread)))
            .collect();
        for some in crowd.chunks(CROWD_STEP) {
            for (user, inboxes) in some {
                let row = shared.as_ref().zip(rows.remove(user));
                for inbox in inboxes {
                    inbox.mark_row(conversation, mark(as_of, row.as_ref()));
                }
            }
            behind_those_who_are_ready().await;
        }
        Ok(())
    }
}

/// Who has no row has left: their session finds out for itself.
fn mark(as_of: Instant, row: Option<&(&Arc<Conversation>, (Mine, Unread))>) -> RowMark {
    match row {
        Some((conversation, (me, unread))) => RowMark::Known {
            as_of,
            conversation: Arc::clone(conversation),
            me: me.clone(),
            unread: *unread,
        },
        None => RowMark::Changed,
    }
}
