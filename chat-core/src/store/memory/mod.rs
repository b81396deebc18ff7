//! The reference store: plain maps behind one lock, gone with the process.

mod conversation;

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use conversation::StoredConversation;
use parking_lot::Mutex;

use super::{
    Act, Around, Committed, ConversationStore, GroupRows, MessageLog, PresenceStore, Refusal,
    RowPlace, StoreError, StoredRow, Write,
};
use crate::model::{
    Change, ConversationId, Entry, Membership, Message, Seq, StoreEpoch, Timestamp, UserId,
};

/// Keeps everything in memory: for tests, demonstrations, and as the model that other stores are compared with.
///
/// Clones are handles to the same store. "Durable" means here: until the last handle is dropped.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    epoch: StoreEpoch,
    conversations: HashMap<ConversationId, StoredConversation>,
    /// By the pair of users, the smaller first.
    directs: HashMap<[UserId; 2], ConversationId>,
    /// To which conversations a user belongs now.
    memberships: HashMap<UserId, HashSet<ConversationId>>,
    last_seen: HashMap<UserId, Timestamp>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            epoch: StoreEpoch::new(),
            conversations: HashMap::new(),
            directs: HashMap::new(),
            memberships: HashMap::new(),
            last_seen: HashMap::new(),
        }
    }
}

impl State {
    fn apply(&mut self, write: &Write) -> Result<Committed, Refusal> {
        let committed = match self.conversations.get_mut(&write.conversation_id) {
            Some(conversation) => conversation.apply(write)?,
            None => match &write.act {
                Act::CreateGroup { title, members } => {
                    let (group, entries) = StoredConversation::group(write, title, members);
                    self.conversations.insert(write.conversation_id, group);
                    entries
                }
                _ => return Err(Refusal::ConversationNotFound),
            },
        };
        if let Committed::Appended(entries) = &committed {
            for entry in entries {
                self.note_membership(entry);
            }
        }
        Ok(committed)
    }

    fn note_membership(&mut self, entry: &Entry) {
        match entry.change {
            Change::MemberJoined { user_id, .. } => {
                let joined = self.memberships.entry(user_id).or_default();
                joined.insert(entry.conversation_id);
            }
            Change::MemberLeft { user_id, .. } => {
                if let Some(joined) = self.memberships.get_mut(&user_id) {
                    joined.remove(&entry.conversation_id);
                }
            }
            _ => {}
        }
    }

    fn direct(&mut self, user: UserId, peer: UserId, at: Timestamp) -> (ConversationId, bool) {
        let pair = [user.min(peer), user.max(peer)];
        let (id, created) = match self.directs.get(&pair) {
            Some(id) => (*id, false),
            None => (ConversationId::new(), true),
        };
        let conversation = self
            .conversations
            .entry(id)
            .or_insert_with(|| StoredConversation::direct(id, pair, at));
        conversation.open(user);
        if created {
            self.directs.insert(pair, id);
            for member in pair {
                self.memberships.entry(member).or_default().insert(id);
            }
        }
        (id, created)
    }

    fn conversations_of(&self, user: UserId) -> impl Iterator<Item = &StoredConversation> {
        let ids = self.memberships.get(&user).into_iter().flatten();
        ids.filter_map(|id| self.conversations.get(id))
    }

    fn visible_to(&self, user: UserId) -> impl Iterator<Item = &StoredConversation> {
        self.conversations_of(user)
            .filter(move |conversation| conversation.is_visible_to(user))
    }

    fn share(&self, user: UserId, other: UserId) -> bool {
        let of = |user| self.memberships.get(&user);
        user == other || matches!((of(user), of(other)), (Some(a), Some(b)) if !a.is_disjoint(b))
    }
}

impl MessageLog for MemoryStore {
    async fn epoch(&self) -> Result<StoreEpoch, StoreError> {
        Ok(self.0.lock().epoch)
    }

    async fn commit(
        &self,
        writes: &[Write],
    ) -> Result<Vec<Result<Committed, Refusal>>, StoreError> {
        let mut state = self.0.lock();
        Ok(writes.iter().map(|write| state.apply(write)).collect())
    }

    async fn head(&self, conversation: ConversationId) -> Result<Option<Seq>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation);
        Ok(conversation.map(StoredConversation::head))
    }

    async fn entries_after(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation);
        Ok(conversation
            .map(|conversation| conversation.entries_after(after).take(limit).cloned())
            .into_iter()
            .flatten()
            .collect())
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation);
        Ok(conversation
            .map(|conversation| conversation.messages(which, limit))
            .unwrap_or_default())
    }
}

impl ConversationStore for MemoryStore {
    async fn direct(
        &self,
        user: UserId,
        peer: UserId,
        at: Timestamp,
    ) -> Result<(ConversationId, bool), StoreError> {
        Ok(self.0.lock().direct(user, peer, at))
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: UserId,
    ) -> Result<Option<Membership>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation);
        Ok(conversation.and_then(|conversation| conversation.membership(user)))
    }

    async fn member_ids(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<(Seq, Vec<UserId>)>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation);
        Ok(conversation.map(|conversation| {
            let members = conversation.memberships();
            let ids = members.map(|membership| membership.user_id).collect();
            (conversation.head(), ids)
        }))
    }

    async fn members(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation).into_iter();
        let members = conversation.flat_map(StoredConversation::memberships);
        let later = members.filter(|member| after.is_none_or(|after| member.user_id > after));
        Ok(later.take(limit).collect())
    }

    async fn rows(
        &self,
        user: UserId,
        after: Option<RowPlace>,
        limit: usize,
    ) -> Result<Vec<StoredRow>, StoreError> {
        let order = |place: RowPlace| Reverse((place.pinned, place.last_activity_at, place.id));
        let state = self.0.lock();
        let mut page: Vec<_> = state
            .visible_to(user)
            .map(|conversation| (order(conversation.row_place()), conversation))
            .filter(|(place, _)| after.is_none_or(|after| *place > order(after)))
            .collect();
        page.sort_unstable_by_key(|(place, _)| *place);
        let page = page.into_iter().take(limit);
        Ok(page.filter_map(|(_, it)| it.row(user)).collect())
    }

    async fn rows_of(
        &self,
        user: UserId,
        conversations: &[ConversationId],
    ) -> Result<Vec<StoredRow>, StoreError> {
        let asked: HashSet<_> = conversations.iter().collect();
        let state = self.0.lock();
        let stored = asked
            .into_iter()
            .filter_map(|id| state.conversations.get(id));
        Ok(stored.filter_map(|it| it.row(user)).collect())
    }

    async fn group_rows(
        &self,
        conversation: ConversationId,
        users: &[UserId],
    ) -> Result<Option<GroupRows>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation);
        Ok(conversation.map(|conversation| conversation.group_rows(users)))
    }

    async fn row_heads(&self, user: UserId) -> Result<Vec<(ConversationId, Seq, u64)>, StoreError> {
        let state = self.0.lock();
        let visible = state.visible_to(user);
        Ok(visible
            .map(|it| (it.row_place().id, it.head(), it.rev(user)))
            .collect())
    }

    async fn sharing_with(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let others: HashSet<UserId> = others.iter().copied().collect();
        let state = self.0.lock();
        let sharing = others.into_iter().filter(|other| state.share(user, *other));
        Ok(sharing.collect())
    }
}

impl PresenceStore for MemoryStore {
    async fn set_last_seen(&self, seen: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        let mut state = self.0.lock();
        for (user, at) in seen {
            let noted = state.last_seen.entry(*user).or_insert(*at);
            *noted = (*noted).max(*at);
        }
        Ok(())
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        let users: HashSet<UserId> = users.iter().copied().collect();
        let state = self.0.lock();
        let noted = |user| state.last_seen.get(&user).map(|at| (user, *at));
        Ok(users.into_iter().filter_map(noted).collect())
    }
}
