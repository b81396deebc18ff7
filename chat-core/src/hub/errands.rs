//! What must be looked up in the store before it can be told: entries that are missing, cursors in unknown rooms.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{Hub, STORE_RETRY, unless_corrupt};
use crate::{
    bus::{Cursors, Notice},
    model::{ConversationId, Seq, UserId},
    room::Room,
    source::HashSet,
    store::StoreError,
};

/// How many entries a repair reads at once.
const REPAIR_PAGE: usize = 100;

/// What is left to the hub's task. Each key is held once, however often it is asked for.
#[derive(Debug, Default)]
pub(super) struct Errands {
    waiting: Mutex<Waiting>,
    called: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Rooms that may lack entries.
    repairs: BTreeSet<ConversationId>,
    /// Cursors that moved, to be told in rooms of which it is not known yet who hears of whom.
    cursors: BTreeMap<(ConversationId, UserId), Cursors>,
    /// Direct conversations with a first message, of which both are to be told.
    new: BTreeSet<ConversationId>,
}

impl Errands {
    pub(super) fn repair(&self, room: ConversationId) {
        self.waiting.lock().repairs.insert(room);
        self.called.notify_one();
    }

    pub(super) fn tell_of_new(&self, direct: ConversationId) {
        self.waiting.lock().new.insert(direct);
        self.called.notify_one();
    }

    pub(super) fn tell_of_cursors(
        &self,
        conversation: ConversationId,
        user: UserId,
        cursors: Cursors,
    ) {
        let mut waiting = self.waiting.lock();
        let newest = waiting.cursors.entry((conversation, user)).or_default();
        *newest = newest.and(cursors);
        drop(waiting);
        self.called.notify_one();
    }
}

impl Hub {
    /// Does the errands until told to stop. Owned by the engine, which joins it.
    pub(crate) async fn run_errands(&self, stop: CancellationToken) {
        let mut waiting = Waiting::default();
        while !stop.is_cancelled() {
            let mut more = mem::take(&mut *self.errands.waiting.lock());
            waiting.repairs.append(&mut more.repairs);
            waiting.cursors.append(&mut more.cursors);
            waiting.new.append(&mut more.new);
            let done = self.work_off(&mut waiting).await;
            let failed = done.inspect_err(
                |error| tracing::warn!(%error, "what was to be looked up in the store waits"),
            );
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(STORE_RETRY), if failed.is_err() => {}
                () = self.errands.called.notified(), if failed.is_ok() => {}
            }
        }
    }

    /// An errand is struck off when it is done, so that nothing is forgotten when the store fails.
    async fn work_off(&self, waiting: &mut Waiting) -> Result<(), StoreError> {
        while let Some(&conversation) = waiting.repairs.first() {
            unless_corrupt(conversation, self.repair(conversation).await)?;
            waiting.repairs.remove(&conversation);
        }
        while let Some((&(conversation, user), &cursors)) = waiting.cursors.first_key_value() {
            let told = self.tell_of_cursors_late(conversation, user, cursors).await;
            unless_corrupt(conversation, told)?;
            waiting.cursors.remove(&(conversation, user));
        }
        while let Some(&conversation) = waiting.new.first() {
            unless_corrupt(conversation, self.tell_members(conversation).await)?;
            waiting.new.remove(&conversation);
        }
        Ok(())
    }

    /// Tells all members, wherever they are, that they have this conversation in their lists from here on.
    async fn tell_members(&self, conversation: ConversationId) -> Result<(), StoreError> {
        let members = self.store.member_ids(conversation).await?;
        for user_id in members.into_iter().flat_map(|(_, ids)| ids) {
            self.joined(conversation, user_id);
            self.bus.tell(Notice::Joined {
                conversation_id: conversation,
                user_id,
            });
        }
        Ok(())
    }

    async fn tell_of_cursors_late(
        &self,
        conversation: ConversationId,
        user: UserId,
        cursors: Cursors,
    ) -> Result<(), StoreError> {
        if let Some(room) = self.existing_room(conversation) {
            let company = self.company(&room).await?;
            self.tell_of_cursors(&room, company, user, cursors);
        }
        Ok(())
    }

    /// Brings a room's window up to the head of its log.
    async fn repair(&self, conversation: ConversationId) -> Result<(), StoreError> {
        let Some(room) = self.existing_room(conversation) else {
            return Ok(());
        };
        while room.take_suspect() {
            self.counters.repaired();
            if let Err(error) = self.catch_up(&room).await {
                // What is broken is given up for now: the next doubt begins anew.
                if !matches!(error, StoreError::Corrupt(_)) {
                    room.set_suspect();
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Entries were passed over, and somebody's leaving may be among them.
    async fn let_former_members_go(&self, room: &Room) -> Result<(), StoreError> {
        let before = room.with_members(HashSet::clone).unwrap_or_default();
        room.forget_members();
        let gone = self.let_go_unless_among(room, &before).await;
        if gone.is_err() {
            room.remember_members(before);
        }
        gone
    }

    async fn let_go_unless_among(
        &self,
        room: &Room,
        before: &HashSet<UserId>,
    ) -> Result<(), StoreError> {
        self.learn_members(room).await?;
        let present = room.with_members(HashSet::clone).unwrap_or_default();
        // They need not follow to have it in their lists.
        for user in before.difference(&present) {
            self.row_changed(room.id, *user);
        }
        for user in room.strangers() {
            // Not known as a member yet, perhaps, because their joining is still on its way.
            if self.store.membership(room.id, user).await?.is_none() {
                room.detach_user(user);
                self.row_changed(room.id, user);
            }
        }
        Ok(())
    }

    /// What was read did not extend the room. Trying on would be for ever.
    fn without_progress(&self, room: &Arc<Room>, known: Seq) -> Result<(), StoreError> {
        let present = self.existing_room(room.id);
        if present.is_none_or(|present| !Arc::ptr_eq(&present, room)) {
            // It was retired meanwhile; another one that took its place began with the log's head.
            return Ok(());
        }
        let what = format!("the log of {} does not go on after {known}", room.id);
        Err(StoreError::Corrupt(what))
    }

    async fn catch_up(&self, room: &Arc<Room>) -> Result<(), StoreError> {
        loop {
            let head = self.store.head(room.id).await?;
            let Some(known) = room.head() else {
                return Ok(());
            };
            let Some(head) = head else {
                return self.let_former_members_go(room).await;
            };
            if known >= head {
                return Ok(());
            }
            if head - known > self.limits.window_entries as u64 {
                // Before the head is learned: when the store fails here, all of this is done again.
                self.let_former_members_go(room).await?;
                room.learn_head(head);
                self.announce(room);
                self.rows_changed(room.id);
                return Ok(());
            }
            let missing = self
                .store
                .entries_after(room.id, known, REPAIR_PAGE)
                .await?;
            self.deliver(&missing);
            if room.head() == Some(known) {
                return self.without_progress(room, known);
            }
        }
    }
}
