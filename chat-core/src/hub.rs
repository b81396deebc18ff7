//! The rooms and sessions of this node, and the one door through which entries reach them.

use std::{mem, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    frame::Frame,
    inbox::Inbox,
    limits::Limits,
    model::{Change, ConversationId, Entry, Seq, UserId},
    room::{Attachment, Room},
    source::{HashMap, HashSet},
    store::{AnyStore, StoreError},
    window::Pushed,
};

/// How long to wait before the store is asked again after it failed.
const STORE_RETRY: Duration = Duration::from_millis(500);
/// How many entries a repair reads at once.
const REPAIR_PAGE: usize = 100;

/// The rooms and sessions of this node.
///
/// Sessions are reached only through [`deliver`](Hub::deliver) (entries) and the marks that it and its kin leave (state).
/// What needs the store on the way, such as who the members of a room are, is left to [`run`](Hub::run), so that
/// delivering never waits.
#[derive(Debug)]
pub(crate) struct Hub {
    store: AnyStore,
    limits: Arc<Limits>,
    rooms: RwLock<HashMap<ConversationId, Arc<Room>>>,
    users: RwLock<HashMap<UserId, Vec<Arc<Inbox>>>>,
    errands: Mutex<Errands>,
    errands_waiting: Notify,
}

/// What is left to the hub's task. Each key is held once, however often it is asked for.
#[derive(Debug, Default)]
struct Errands {
    /// Conversations whose row changed for all members.
    rows: HashSet<ConversationId>,
    /// Rooms that may lack entries.
    repairs: HashSet<ConversationId>,
    /// Read cursors that moved, to be told in rooms whose number of members is not known yet.
    reads: HashMap<(ConversationId, UserId), Seq>,
}

/// When rows are told: at once, and then not again for a while.
#[derive(Debug, Default)]
struct RowPace {
    wanted: HashSet<ConversationId>,
    /// Until when a conversation that was told of is to wait.
    waits: HashMap<ConversationId, Instant>,
    /// When repairs that failed are to be tried again.
    retry_at: Option<Instant>,
}

impl RowPace {
    fn take_due(&mut self) -> Vec<ConversationId> {
        let now = Instant::now();
        self.waits.retain(|_, until| *until > now);
        self.retry_at = self.retry_at.filter(|at| *at > now);
        let waits = &self.waits;
        self.wanted
            .extract_if(|conversation| !waits.contains_key(conversation))
            .collect()
    }

    fn told(&mut self, conversation: ConversationId, pause: Duration) {
        self.waits.insert(conversation, Instant::now() + pause);
    }

    fn next_due(&self) -> Option<Instant> {
        let rows = self.wanted.iter().filter_map(|id| self.waits.get(id)).min();
        rows.into_iter().chain(&self.retry_at).min().copied()
    }
}

impl Hub {
    pub(crate) fn new(store: AnyStore, limits: Arc<Limits>) -> Self {
        Self {
            store,
            limits,
            rooms: RwLock::default(),
            users: RwLock::default(),
            errands: Mutex::default(),
            errands_waiting: Notify::new(),
        }
    }

    /// Lets entries that are durable reach everyone on this node whom they concern. The one door: entries of this node
    /// and of others come in here and nowhere else. Never waits.
    ///
    /// However many entries of a room come together, those who follow it are told once.
    pub(crate) fn deliver(&self, entries: &[Entry]) {
        let mut moved: Vec<Arc<Room>> = Vec::new();
        for entry in entries {
            let room = match moved.last() {
                Some(room) if room.id == entry.conversation_id => Arc::clone(room),
                _ => match self.room_concerned(entry.conversation_id) {
                    Some(room) => room,
                    None => continue,
                },
            };
            if self.push(&room, entry) && moved.last().is_none_or(|last| !Arc::ptr_eq(last, &room))
            {
                moved.push(room);
            }
        }
        for room in &moved {
            room.announce(&self.limits);
        }
        if !moved.is_empty() {
            self.errands
                .lock()
                .rows
                .extend(moved.iter().map(|room| room.id));
            self.errands_waiting.notify_one();
        }
    }

    /// The room that an entry goes to; none if nobody is here to hear of it.
    fn room_concerned(&self, conversation: ConversationId) -> Option<Arc<Room>> {
        self.existing_room(conversation)
            .or_else(|| (!self.users.read().is_empty()).then(|| self.room(conversation)))
    }

    /// Puts an entry into its room; whether those who follow it must be told.
    fn push(&self, room: &Room, entry: &Entry) -> bool {
        if let Change::MemberLeft { user_id, .. } = entry.change {
            room.detach_user(user_id);
        }
        match room.push(entry.seq, Frame::of_entry(entry), &self.limits) {
            Pushed::Appended => {}
            Pushed::Known => return false,
            #[cfg(test)]
            Pushed::Gap
                if crate::simulation::bug::active(crate::simulation::bug::Bug::IgnoreBusGap) =>
            {
                return false;
            }
            Pushed::Gap => {
                self.suspect(room);
                return false;
            }
        }
        self.apply_to_members(room, entry);
        true
    }

    fn apply_to_members(&self, room: &Room, entry: &Entry) {
        match entry.change {
            Change::MemberJoined { user_id, .. } => room.change_members(entry.seq, |members| {
                members.insert(user_id);
            }),
            Change::MemberLeft { user_id, .. } => {
                room.change_members(entry.seq, |members| {
                    members.remove(&user_id);
                });
                self.row_changed(entry.conversation_id, user_id);
            }
            _ => {}
        }
    }

    /// Tells the sessions of one user that their row of a conversation changed.
    pub(crate) fn row_changed(&self, conversation: ConversationId, user: UserId) {
        for inbox in self.users.read().get(&user).into_iter().flatten() {
            inbox.row_changed(conversation);
        }
    }

    /// Tells the sessions of all members that their row of a conversation changed.
    fn rows_changed(&self, conversation: ConversationId) {
        self.errands.lock().rows.insert(conversation);
        self.errands_waiting.notify_one();
    }

    /// Tells of a read cursor that moved: always the user's own sessions, and in small conversations those who joined.
    pub(crate) fn read_moved(&self, conversation: ConversationId, user: UserId, seq: Seq) {
        for inbox in self.users.read().get(&user).into_iter().flatten() {
            inbox.read_moved(conversation, user, seq);
            inbox.row_changed(conversation);
        }
        let Some(room) = self.existing_room(conversation) else {
            return;
        };
        match room.with_members(HashSet::len) {
            Some(members) => self.tell_of_read(&room, members, user, seq),
            None => {
                let mut errands = self.errands.lock();
                let newest = errands.reads.entry((conversation, user)).or_default();
                *newest = seq.max(*newest);
                drop(errands);
                self.errands_waiting.notify_one();
            }
        }
    }

    fn tell_of_read(&self, room: &Room, members: usize, user: UserId, seq: Seq) {
        if members <= self.limits.max_members_for_reads {
            room.for_each_inbox(|inbox| inbox.read_moved(room.id, user, seq));
        }
    }

    /// Tells those who joined a conversation that the set of those who type in it changed.
    pub(crate) fn typing_changed(&self, conversation: ConversationId) {
        if let Some(room) = self.existing_room(conversation) {
            room.for_each_inbox(|inbox| inbox.typing_changed(conversation));
        }
    }

    /// Lets every room compare itself with the store: something may have been lost on the way here.
    pub(crate) fn suspect_all(&self) {
        let rooms: Vec<_> = self.rooms.read().values().map(Arc::clone).collect();
        for room in rooms {
            self.suspect(&room);
        }
    }

    fn suspect(&self, room: &Room) {
        if room.set_suspect() {
            self.errands.lock().repairs.insert(room.id);
            self.errands_waiting.notify_one();
        }
    }

    /// Lets a session follow a conversation's room, which appears if it was not there.
    pub(crate) fn attach(
        &self,
        conversation: ConversationId,
        inbox: &Arc<Inbox>,
    ) -> Arc<Attachment> {
        // Under the lock of the map, so that `retire_idle_rooms` cannot take the room away in between.
        if let Some(room) = self.rooms.read().get(&conversation) {
            return room.attach(inbox);
        }
        self.rooms
            .write()
            .entry(conversation)
            .or_insert_with(|| Arc::new(Room::new(conversation)))
            .attach(inbox)
    }

    /// Lets a session be reached.
    pub(crate) fn enter(&self, inbox: &Arc<Inbox>) {
        self.users
            .write()
            .entry(inbox.user_id)
            .or_default()
            .push(Arc::clone(inbox));
    }

    /// Lets a session go.
    pub(crate) fn exit(&self, inbox: &Arc<Inbox>) {
        let mut users = self.users.write();
        if let Some(inboxes) = users.get_mut(&inbox.user_id) {
            inboxes.retain(|other| !Arc::ptr_eq(other, inbox));
            if inboxes.is_empty() {
                users.remove(&inbox.user_id);
            }
        }
    }

    /// Tells every session that this was all.
    pub(crate) fn close_sessions(&self) {
        for inbox in self.users.read().values().flatten() {
            inbox.close();
        }
    }

    /// Forgets the rooms that nobody follows and in which nothing happens.
    pub(crate) fn retire_idle_rooms(&self) {
        let mut rooms = self.rooms.write();
        rooms.retain(|_, room| !room.is_idle(self.limits.room_idle));
        if rooms.capacity() > 2 * rooms.len() + 1_024 {
            rooms.shrink_to_fit();
        }
    }

    /// How many members a conversation has; the store is asked once a room.
    pub(crate) async fn member_count(&self, room: &Room) -> Result<usize, StoreError> {
        self.learn_members(room).await?;
        Ok(room.with_members(HashSet::len).unwrap_or_default())
    }

    async fn learn_members(&self, room: &Room) -> Result<(), StoreError> {
        while room.with_members(|_| ()).is_none() {
            let Some((head, ids)) = self.store.member_ids(room.id).await? else {
                return Ok(());
            };
            if room.head().is_none() {
                room.learn_head(head);
            }
            room.set_members(head, ids);
        }
        Ok(())
    }

    fn existing_room(&self, conversation: ConversationId) -> Option<Arc<Room>> {
        self.rooms.read().get(&conversation).map(Arc::clone)
    }

    fn room(&self, conversation: ConversationId) -> Arc<Room> {
        if let Some(room) = self.existing_room(conversation) {
            return room;
        }
        let mut rooms = self.rooms.write();
        Arc::clone(
            rooms
                .entry(conversation)
                .or_insert_with(|| Arc::new(Room::new(conversation))),
        )
    }

    /// Does the errands until told to stop. Owned by the engine, which joins it.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let mut rows = RowPace::default();
        while !stop.is_cancelled() {
            let errands = mem::take(&mut *self.errands.lock());
            rows.wanted.extend(errands.rows);
            self.run_repairs(errands.repairs, &mut rows).await;
            self.run_reads(errands.reads).await;
            self.run_rows(&mut rows).await;
            let until = rows.next_due();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.errands_waiting.notified() => {}
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            }
        }
    }

    async fn run_repairs(&self, repairs: HashSet<ConversationId>, pace: &mut RowPace) {
        for conversation in repairs {
            if let Err(error) = self.repair(conversation).await {
                tracing::warn!(%conversation, %error, "entries that may be missing cannot be read");
                self.errands.lock().repairs.insert(conversation);
                pace.retry_at = Some(Instant::now() + STORE_RETRY);
            }
        }
    }

    async fn run_reads(&self, reads: HashMap<(ConversationId, UserId), Seq>) {
        for ((conversation, user), seq) in reads {
            let Some(room) = self.existing_room(conversation) else {
                continue;
            };
            match self.member_count(&room).await {
                Ok(members) => self.tell_of_read(&room, members, user, seq),
                // Whoever joins anew is told where the cursors are, and the next move tells the rest.
                Err(error) => {
                    tracing::warn!(%conversation, %error, "a read cursor is told late");
                }
            }
        }
    }

    /// Marks the rows whose time has come in the lists of all members who are here.
    async fn run_rows(&self, pace: &mut RowPace) {
        for conversation in pace.take_due() {
            let room = self.room(conversation);
            match self.learn_members(&room).await {
                Ok(()) => {
                    self.mark_rows(&room);
                    // A little longer than a session waits between two, so that none of them has to hold one back.
                    pace.told(conversation, self.limits.row_interval.mul_f32(1.1));
                }
                Err(error) => {
                    tracing::warn!(%conversation, %error, "the members to be told cannot be read");
                    pace.wanted.insert(conversation);
                    pace.told(conversation, STORE_RETRY);
                }
            }
        }
    }

    fn mark_rows(&self, room: &Room) {
        let users = self.users.read();
        room.with_members(|members| {
            if members.len() < users.len() {
                let online = members.iter().filter_map(|user| users.get(user)).flatten();
                online.for_each(|inbox| inbox.row_changed(room.id));
            } else {
                let concerned = users.iter().filter(|(user, _)| members.contains(user));
                concerned
                    .flat_map(|(_, inboxes)| inboxes)
                    .for_each(|inbox| inbox.row_changed(room.id));
            }
        });
    }

    /// Brings a room's window up to the head of its log.
    async fn repair(&self, conversation: ConversationId) -> Result<(), StoreError> {
        let Some(room) = self.existing_room(conversation) else {
            return Ok(());
        };
        while room.take_suspect() {
            if let Err(error) = self.catch_up(&room).await {
                room.set_suspect();
                return Err(error);
            }
        }
        Ok(())
    }

    async fn catch_up(&self, room: &Room) -> Result<(), StoreError> {
        loop {
            let Some(head) = self.store.head(room.id).await? else {
                return Ok(());
            };
            let Some(known) = room.head() else {
                return Ok(());
            };
            if known >= head {
                return Ok(());
            }
            if head - known > self.limits.window_entries as u64 {
                room.learn_head(head);
                room.forget_members();
                self.rows_changed(room.id);
                return Ok(());
            }
            let missing = self
                .store
                .entries_after(room.id, known, REPAIR_PAGE)
                .await?;
            self.deliver(&missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[tokio::test(start_paused = true)]
    async fn rooms_appear_when_needed_and_vanish_when_idle() {
        let limits = Arc::new(Limits::default());
        let hub = Hub::new(AnyStore::new(MemoryStore::default()), Arc::clone(&limits));
        let inbox = Arc::new(Inbox::new(UserId::new()));
        let attachment = hub.attach(ConversationId::new(), &inbox);
        let idle = async || {
            tokio::time::sleep(limits.room_idle).await;
            hub.retire_idle_rooms();
            hub.rooms.read().len()
        };
        assert_eq!(idle().await, 1, "somebody follows");
        attachment.room.detach(&attachment);
        hub.retire_idle_rooms();
        assert_eq!(
            hub.rooms.read().len(),
            1,
            "somebody may be back in a moment"
        );
        assert_eq!(idle().await, 0);
    }
}
