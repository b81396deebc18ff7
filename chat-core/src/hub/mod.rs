//! The rooms and sessions of this node, and the one door through which entries reach them.

mod company;
mod comparison;
mod errands;
mod interest;
mod rows;

use std::{sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock};

pub(crate) use self::company::{are_apart, peer_of};
use self::{company::Directs, errands::Errands, interest::Interest, rows::Rows};
#[cfg(any(test, feature = "bugs"))]
use crate::bug;
use crate::{
    bus::NodeBus,
    frame::Frame,
    herald::Herald,
    inbox::Inbox,
    limits::Limits,
    model::{Change, ConversationId, Entry, UserId},
    room::{Attachment, Room, Told},
    source::{HashMap, HashSet},
    stats::Counters,
    store::{AnyStore, StoreError},
    typing::Typing,
    window::Pushed,
};

/// How long to wait before the store is asked again after it failed.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// The rooms and sessions of this node.
///
/// Sessions are reached only through [`deliver`](Hub::deliver) (entries) and the marks that it and its kin leave (state).
/// What needs the store on the way, such as who the members of a room are, is left to tasks, so that delivering never
/// waits.
#[derive(Debug)]
pub(crate) struct Hub {
    store: AnyStore,
    limits: Arc<Limits>,
    rooms: RwLock<HashMap<ConversationId, Arc<Room>>>,
    users: RwLock<HashMap<UserId, Vec<Arc<Inbox>>>>,
    directs: Mutex<Directs>,
    typing: Arc<Typing>,
    herald: Arc<Herald>,
    counters: Arc<Counters>,
    errands: Errands,
    rows: Rows,
    bus: NodeBus,
    interest: Interest,
}

impl Hub {
    pub(crate) fn new(
        store: AnyStore,
        bus: NodeBus,
        typing: Arc<Typing>,
        herald: Arc<Herald>,
        limits: Arc<Limits>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            store,
            limits,
            typing,
            herald,
            counters,
            rooms: RwLock::default(),
            users: RwLock::default(),
            directs: Mutex::default(),
            errands: Errands::default(),
            rows: Rows::default(),
            interest: Interest::new(bus.clone()),
            bus,
        }
    }

    /// Lets entries that are durable reach everyone on this node whom they concern. The one door: entries of this node
    /// and of others come in here and nowhere else. Never waits.
    ///
    /// However many entries of a room come together, those who follow it are told once.
    pub(crate) fn deliver(&self, entries: &[Entry]) {
        let mut moved: Vec<Arc<Room>> = Vec::new();
        let mut listed: Vec<ConversationId> = Vec::new();
        for entry in entries {
            let conversation = entry.conversation_id;
            let room = match moved.last() {
                Some(room) if room.id == conversation => Some(Arc::clone(room)),
                _ => self.existing_room(conversation),
            };
            match room {
                Some(room) if !self.push(&room, entry) => continue,
                Some(room) if !moved.last().is_some_and(|last| Arc::ptr_eq(last, &room)) => {
                    moved.push(room);
                }
                _ => {}
            }
            self.note_interest(entry);
            if let Some(user_id) = who_left(entry) {
                self.row_changed(conversation, user_id);
            }
            if listed.last() != Some(&conversation) {
                listed.push(conversation);
            }
        }
        for room in &moved {
            self.announce(room);
        }
        if !self.users.read().is_empty() {
            self.rows.changed(listed);
        }
    }

    /// What an entry means for what this node follows.
    fn note_interest(&self, entry: &Entry) {
        if !self.bus.is_shared() {
            return;
        }
        let conversation = entry.conversation_id;
        self.interest.saw(conversation, entry.seq);
        match &entry.change {
            Change::MemberJoined { user_id, .. } => self.interest.joined(conversation, *user_id),
            Change::MemberLeft { .. } => {
                if let Some(user_id) = who_left(entry) {
                    self.interest.left(conversation, user_id);
                }
            }
            Change::ConversationDeleted { .. } => {
                for user in self.interest.ended(conversation) {
                    self.row_changed(conversation, user);
                }
            }
            _ => {}
        }
    }

    fn announce(&self, room: &Arc<Room>) {
        match room.announce(&self.limits) {
            Told::Everyone => self.herald.note_others(),
            Told::UnderWay => {}
            Told::Nobody => self.herald.call(Arc::clone(room)),
        }
    }

    /// Puts an entry into its room; whether those who follow it must be told.
    fn push(&self, room: &Room, entry: &Entry) -> bool {
        // At once, even where entries before it are missing; but one that comes again says nothing about today.
        if let Some(user_id) = who_left(entry)
            && room.head().is_none_or(|head| head < entry.seq)
        {
            room.detach_user(user_id);
            self.typing.stop(room.id, user_id, self);
        }
        match room.push(entry, Frame::of_entry(entry), &self.limits) {
            Pushed::Appended => {}
            Pushed::Known => return false,
            Pushed::Gap => {
                self.suspect_room(room);
                return false;
            }
        }
        self.apply(room, entry);
        true
    }

    /// What an entry that was put into its room means for who belongs there and who types.
    fn apply(&self, room: &Room, entry: &Entry) {
        match &entry.change {
            Change::NewMessage { message } => self.typing.stop(room.id, message.sender_id, self),
            Change::MemberJoined { user_id, .. } => room.change_members(entry.seq, |members| {
                members.insert(*user_id);
            }),
            Change::MemberLeft { user_id, .. } => room.change_members(entry.seq, |members| {
                members.remove(user_id);
            }),
            Change::ConversationDeleted { .. } => {
                room.end();
                for (_, inboxes) in room
                    .with_members(|it| self.present_among(it))
                    .iter()
                    .flatten()
                {
                    for inbox in inboxes {
                        inbox.row_changed(room.id);
                    }
                }
                room.change_members(entry.seq, HashSet::clear);
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

    /// A direct conversation has its first message: both have it in their lists from here on, wherever they are.
    pub(crate) fn tell_of_new(&self, direct: ConversationId) {
        self.errands.tell_of_new(direct);
    }

    /// Tells the sessions of all members that their row of a conversation changed.
    pub(crate) fn rows_changed(&self, conversation: ConversationId) {
        self.rows.changed([conversation]);
    }

    /// Tells those who joined a conversation that the set of those who type in it changed.
    pub(crate) fn typing_changed(&self, conversation: ConversationId) {
        if let Some(room) = self.existing_room(conversation) {
            room.for_each_inbox(|inbox| inbox.typing_changed(conversation));
        }
    }

    /// Lets a room compare itself with the store.
    pub(crate) fn suspect(&self, conversation: ConversationId) {
        if let Some(room) = self.existing_room(conversation) {
            self.suspect_room(&room);
        }
    }

    fn suspect_room(&self, room: &Room) {
        #[cfg(any(test, feature = "bugs"))]
        if bug::active(bug::Bug::IgnoreBusGap) {
            return;
        }
        room.doubt_apart();
        if room.set_suspect() {
            self.errands.repair(room.id);
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
        let mut users = self.users.write();
        let inboxes = users.entry(inbox.user_id).or_default();
        if inboxes.is_empty() {
            self.interest.enter(inbox.user_id);
        }
        inboxes.push(Arc::clone(inbox));
    }

    /// Lets a session go.
    pub(crate) fn exit(&self, inbox: &Arc<Inbox>) {
        let mut users = self.users.write();
        if let Some(inboxes) = users.get_mut(&inbox.user_id) {
            inboxes.retain(|other| !Arc::ptr_eq(other, inbox));
            if inboxes.is_empty() {
                users.remove(&inbox.user_id);
                self.interest.exit(inbox.user_id);
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

    /// How many rooms there are, and by how many sessions they are followed, all in all.
    pub(crate) fn count_rooms(&self) -> (u64, u64) {
        let rooms = self.rooms.read();
        let followed = rooms.values().map(|room| room.followers() as u64);
        (rooms.len() as u64, followed.sum())
    }

    /// How many sessions there are.
    pub(crate) fn count_sessions(&self) -> u64 {
        let users = self.users.read();
        users.values().map(|inboxes| inboxes.len() as u64).sum()
    }

    /// Forgets the rooms that nobody follows and in which nothing happens.
    pub(crate) fn retire_idle_rooms(&self) {
        let mut rooms = self.rooms.write();
        rooms.retain(|_, room| {
            let is_idle = room.is_idle(self.limits.room_idle);
            if is_idle {
                self.forget_pair(room);
            }
            !is_idle
        });
        if rooms.capacity() > 2 * rooms.len() + 1_024 {
            rooms.shrink_to_fit();
        }
    }

    /// Makes sure that it is known here who belongs to a conversation, so that they can be told when it is deleted.
    pub(crate) async fn prepare_for_the_end(
        &self,
        conversation: ConversationId,
    ) -> Result<(), StoreError> {
        let room = self.room(conversation);
        room.touch();
        self.learn_members(&room).await
    }

    /// Who belongs to a conversation, as far as it is known here.
    pub(crate) fn known_members(&self, conversation: ConversationId) -> Vec<UserId> {
        let room = self.existing_room(conversation);
        let members = room.and_then(|room| room.with_members(HashSet::clone));
        members.into_iter().flatten().collect()
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

    /// Forgets a room that was made only to see whether anybody is concerned.
    fn drop_unless_followed(&self, room: &Arc<Room>) {
        let mut rooms = self.rooms.write();
        if room.is_idle(Duration::ZERO) {
            rooms.remove(&room.id);
            self.forget_pair(room);
        }
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
}

/// Who no longer belongs to the conversation.
fn who_left(entry: &Entry) -> Option<UserId> {
    #[cfg(any(test, feature = "bugs"))]
    if bug::active(bug::Bug::LateRevocation) {
        return None;
    }
    match entry.change {
        Change::MemberLeft { user_id, .. } => Some(user_id),
        _ => None,
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
    use tokio::time::Instant;

    use super::*;
    use crate::{
        bus::{AnyBus, LocalBus},
        model::{History, NodeId, StoreEpoch, Timestamp, Title},
        store::{Act, Committed, MemoryStore, Write},
    };

    fn hub(store: AnyStore, limits: &Arc<Limits>) -> Hub {
        let typing = Arc::new(Typing::new(Arc::clone(limits)));
        let limits = Arc::clone(limits);
        let bus = AnyBus::new(LocalBus).of(NodeId::new(), StoreEpoch::new());
        Hub::new(store, bus, typing, Arc::default(), limits, Arc::default())
    }

    #[tokio::test(start_paused = true)]
    async fn rooms_appear_when_needed_and_vanish_when_idle() {
        let limits = Arc::new(Limits::default());
        let hub = hub(AnyStore::new(MemoryStore::default()), &limits);
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

    #[tokio::test]
    async fn what_happens_where_nobody_here_belongs_leaves_nothing_behind() {
        let store = AnyStore::new(MemoryStore::default());
        let hub = hub(store.clone(), &Arc::default());
        let (owner, stranger) = (UserId::new(), UserId::new());
        hub.enter(&Arc::new(Inbox::new(stranger)));
        let mut written = Vec::new();
        for _ in 0..100 {
            let write = Write {
                conversation_id: ConversationId::new(),
                author: owner,
                at: Timestamp::now(),
                act: Act::CreateGroup {
                    title: Title::try_from("Tea".to_owned()).unwrap(),
                    topic: None,
                    history: History::Shared,
                    members: Vec::new(),
                },
            };
            let committed = store.commit(&[write], Instant::now()).await.unwrap();
            let Ok(Committed::Appended(entries)) = &committed[0] else {
                panic!("a group should be made");
            };
            hub.deliver(entries);
            hub.tell_rows(entries[0].conversation_id).await.unwrap();
            written.push(entries[0].conversation_id);
        }
        assert_eq!(hub.rooms.read().len(), 0);

        hub.enter(&Arc::new(Inbox::new(owner)));
        hub.tell_rows(written[0]).await.unwrap();
        assert_eq!(hub.rooms.read().len(), 1, "somebody here is concerned");
    }
}
