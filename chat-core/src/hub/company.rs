//! Who is told of the others: cursors, where members are few, and not between two of whom one has blocked the other.

use std::sync::Arc;

use super::Hub;
use crate::{
    bus::Cursors,
    model::{ConversationId, UserId},
    room::{Company, Room},
    source::HashMap,
    store::{AnyStore, StoreError},
};

/// The direct conversations whose rooms are here, by their two users, the smaller first.
pub(super) type Directs = HashMap<[UserId; 2], ConversationId>;

fn pair(user: UserId, other: UserId) -> [UserId; 2] {
    [user.min(other), user.max(other)]
}

/// The other one of a direct conversation of this user's.
pub(crate) async fn peer_of(
    store: &AnyStore,
    user: UserId,
    conversation: ConversationId,
) -> Result<Option<UserId>, StoreError> {
    let row = store.rows_of(user, &[conversation]).await?.pop();
    Ok(row.and_then(|row| row.peer_id))
}

/// Whether one of the two has blocked the other.
pub(crate) async fn are_apart(
    store: &AnyStore,
    user: UserId,
    other: UserId,
) -> Result<bool, StoreError> {
    Ok(!store.blockers_of(user, &[other]).await?.is_empty()
        || !store.blockers_of(other, &[user]).await?.is_empty())
}

impl Hub {
    /// Tells of a member's cursors: the member's own sessions, and in small conversations the others who joined.
    pub(crate) fn cursors_moved(
        &self,
        conversation: ConversationId,
        user: UserId,
        cursors: Cursors,
    ) {
        if let Some(seq) = cursors.read {
            for inbox in self.users.read().get(&user).into_iter().flatten() {
                inbox.own_read_moved(conversation, seq);
                inbox.row_changed(conversation);
            }
        }
        let told = cursors.for_others();
        let room = self.existing_room(conversation);
        let Some(room) = room.filter(|_| told != Cursors::default()) else {
            return;
        };
        match room.company() {
            Some(company) => self.tell_of_cursors(&room, company, user, told),
            None => self.errands.tell_of_cursors(conversation, user, told),
        }
    }

    pub(super) fn tell_of_cursors(
        &self,
        room: &Room,
        company: Company,
        user: UserId,
        cursors: Cursors,
    ) {
        if !company.apart && company.members <= self.limits.max_members_for_reads {
            room.for_each_inbox(|inbox| {
                if inbox.user_id != user {
                    inbox.cursors_moved(room.id, user, cursors);
                }
            });
        }
    }

    /// How many members a conversation has, and whether they are told of each other; the store is asked once a room.
    pub(crate) async fn company(&self, room: &Room) -> Result<Company, StoreError> {
        loop {
            if let Some(company) = room.company() {
                return Ok(company);
            }
            self.learn_members(room).await?;
            let one = room.with_members(|members| (members.len(), members.iter().min().copied()));
            match one {
                None => {
                    return Ok(Company {
                        members: 0,
                        apart: false,
                    });
                }
                Some((0..=2, Some(member))) => self.learn_apart(room, member).await?,
                Some((0..=2, None)) => room.set_apart(false, room.doubts()),
                Some(_) => {}
            }
        }
    }

    async fn learn_apart(&self, room: &Room, member: UserId) -> Result<(), StoreError> {
        let doubts = room.doubts();
        let Some(peer) = peer_of(&self.store, member, room.id).await? else {
            room.set_apart(false, doubts);
            return Ok(());
        };
        // Known as a pair before the store is asked: a block that comes meanwhile finds the room, and it is asked again.
        let pair = pair(member, peer);
        room.set_pair(pair);
        self.directs.lock().insert(pair, room.id);
        let doubts = room.doubts();
        room.set_apart(are_apart(&self.store, member, peer).await?, doubts);
        Ok(())
    }

    /// One of these two blocked the other, or no longer does. They type no more, as far as the other is told.
    pub(crate) fn blocks_changed(&self, user: UserId, other: UserId) {
        let direct = self.directs.lock().get(&pair(user, other)).copied();
        if let Some(room) = direct.and_then(|id| self.existing_room(id)) {
            room.doubt_apart();
            for one in [user, other] {
                self.typing.stop(room.id, one, self);
            }
        }
    }

    /// Forgets what is known of a room that is no longer here.
    pub(super) fn forget_pair(&self, room: &Arc<Room>) {
        if let Some(pair) = room.pair() {
            self.directs.lock().remove(&pair);
        }
    }
}
