//! The rooms and sessions of this node, and the one door through which entries reach them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    mem,
    sync::Arc,
    time::Duration,
};

use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    frame::Frame,
    herald::Herald,
    inbox::Inbox,
    limits::Limits,
    model::{Change, ConversationId, Entry, Seq, UserId},
    room::{Attachment, Room, Told},
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
    herald: Arc<Herald>,
    errands: Mutex<Errands>,
    errands_waiting: Notify,
}

/// What is left to the hub's task. Each key is held once, however often it is asked for.
#[derive(Debug, Default)]
struct Errands {
    /// Conversations whose row changed for all members.
    rows: BTreeSet<ConversationId>,
    /// Rooms that may lack entries.
    repairs: BTreeSet<ConversationId>,
    /// Read cursors that moved, to be told in rooms whose number of members is not known yet.
    reads: BTreeMap<(ConversationId, UserId), Seq>,
}

/// The errands that the task has taken on, and when.
#[derive(Debug, Default)]
struct Agenda {
    errands: Errands,
    /// Until when a conversation whose rows were told is to wait: told at once, and then not again for a while.
    waits: HashMap<ConversationId, Instant>,
    /// The store failed: nothing is tried before this.
    paused_until: Option<Instant>,
}

impl Agenda {
    fn take_on(&mut self, mut more: Errands) {
        self.errands.rows.append(&mut more.rows);
        self.errands.repairs.append(&mut more.repairs);
        self.errands.reads.append(&mut more.reads);
    }

    fn is_paused(&mut self) -> bool {
        self.paused_until = self.paused_until.filter(|until| *until > Instant::now());
        self.paused_until.is_some()
    }

    fn due_rows(&mut self) -> Vec<ConversationId> {
        let now = Instant::now();
        self.waits.retain(|_, until| *until > now);
        let rows = self.errands.rows.iter().copied();
        rows.filter(|id| !self.waits.contains_key(id)).collect()
    }

    fn next_due(&self) -> Option<Instant> {
        let rows = self.errands.rows.iter();
        let rows = rows.filter_map(|id| self.waits.get(id)).min();
        self.paused_until.or(rows.copied())
    }
}

impl Hub {
    pub(crate) fn new(store: AnyStore, herald: Arc<Herald>, limits: Arc<Limits>) -> Self {
        Self {
            store,
            limits,
            herald,
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
            self.announce(room);
        }
        if !moved.is_empty() {
            self.errands
                .lock()
                .rows
                .extend(moved.iter().map(|room| room.id));
            self.errands_waiting.notify_one();
        }
    }

    fn announce(&self, room: &Arc<Room>) {
        match room.announce(&self.limits) {
            Told::Everyone => {}
            Told::Nobody => self.herald.call(Arc::clone(room)),
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
            Pushed::Gap => {
                self.suspect_room(room);
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
    pub(crate) fn rows_changed(&self, conversation: ConversationId) {
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
        if let Some(members) = room.with_members(HashSet::len) {
            self.tell_of_read(&room, members, user, seq);
        } else {
            let mut errands = self.errands.lock();
            let newest = errands.reads.entry((conversation, user)).or_default();
            *newest = seq.max(*newest);
            drop(errands);
            self.errands_waiting.notify_one();
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
            self.suspect_room(&room);
        }
    }

    /// Lets a room compare itself with the store.
    pub(crate) fn suspect(&self, conversation: ConversationId) {
        if let Some(room) = self.existing_room(conversation) {
            self.suspect_room(&room);
        }
    }

    /// A log is known to reach this far; a room that does not is compared with the store.
    pub(crate) fn reaches(&self, conversation: ConversationId, seq: Seq) {
        if let Some(room) = self.existing_room(conversation)
            && room.head().is_some_and(|head| head < seq)
        {
            self.suspect_room(&room);
        }
    }

    fn suspect_room(&self, room: &Room) {
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

    /// Tells every session that this was all. The tasks that deliver have ended by now.
    pub(crate) fn close_sessions(&self) {
        self.herald.finish();
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
        let mut agenda = Agenda::default();
        while !stop.is_cancelled() {
            agenda.take_on(mem::take(&mut *self.errands.lock()));
            if !agenda.is_paused()
                && let Err(error) = self.work_off(&mut agenda).await
            {
                tracing::warn!(%error, "what was to be looked up in the store waits");
                agenda.paused_until = Some(Instant::now() + STORE_RETRY);
            }
            let until = agenda.next_due();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.errands_waiting.notified() => {}
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            }
        }
    }

    /// An errand is struck off when it is done, so that nothing is forgotten when the store fails.
    async fn work_off(&self, agenda: &mut Agenda) -> Result<(), StoreError> {
        while let Some(&conversation) = agenda.errands.repairs.first() {
            unless_corrupt(conversation, self.repair(conversation).await)?;
            agenda.errands.repairs.remove(&conversation);
        }
        while let Some((&(conversation, user), &seq)) = agenda.errands.reads.first_key_value() {
            let told = self.tell_of_read_late(conversation, user, seq).await;
            unless_corrupt(conversation, told)?;
            agenda.errands.reads.remove(&(conversation, user));
        }
        for conversation in agenda.due_rows() {
            unless_corrupt(conversation, self.tell_rows(conversation).await)?;
            agenda.errands.rows.remove(&conversation);
            // A little longer than a session waits between two, so that none of them has to hold one back.
            let pause = self.limits.row_interval.mul_f32(1.1);
            agenda.waits.insert(conversation, Instant::now() + pause);
        }
        Ok(())
    }

    async fn tell_of_read_late(
        &self,
        conversation: ConversationId,
        user: UserId,
        seq: Seq,
    ) -> Result<(), StoreError> {
        if let Some(room) = self.existing_room(conversation) {
            let members = self.member_count(&room).await?;
            self.tell_of_read(&room, members, user, seq);
        }
        Ok(())
    }

    /// Marks the row in the lists of all members who are here.
    async fn tell_rows(&self, conversation: ConversationId) -> Result<(), StoreError> {
        if let Some(room) = self.room_concerned(conversation) {
            self.learn_members(&room).await?;
            self.mark_rows(&room);
        }
        Ok(())
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

    async fn catch_up(&self, room: &Arc<Room>) -> Result<(), StoreError> {
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
                self.announce(room);
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

/// What cannot be read now can be read later, but not what is broken: nobody else waits for that.
fn unless_corrupt(
    conversation: ConversationId,
    outcome: Result<(), StoreError>,
) -> Result<(), StoreError> {
    match outcome {
        Err(StoreError::Corrupt(what)) => {
            tracing::error!(%conversation, what, "a conversation cannot be read");
            Ok(())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[tokio::test(start_paused = true)]
    async fn rooms_appear_when_needed_and_vanish_when_idle() {
        let limits = Arc::new(Limits::default());
        let hub = Hub::new(
            AnyStore::new(MemoryStore::default()),
            Arc::default(),
            Arc::clone(&limits),
        );
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
