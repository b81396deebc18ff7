//! The reference store: plain maps behind one lock, gone with the process.

mod acts;
mod conversation;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use conversation::StoredConversation;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Act, Around, Committed, ConversationStore, GroupRows, LEASE, MessageLog, PresenceStore,
    Refusal, RowPlace, Search, StoreError, StoredRow, UserStore, Write,
};
use crate::model::{
    Change, ConversationId, Entry, Membership, Message, MessageId, NodeId, Seq, Settings,
    StoreEpoch, Timestamp, UserId,
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
    /// When each node last renewed its lease.
    leases: HashMap<NodeId, Instant>,
    settings: HashMap<UserId, Settings>,
    /// Who has blocked whom.
    blocks: BTreeSet<(UserId, UserId)>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            epoch: StoreEpoch::new(),
            conversations: HashMap::new(),
            directs: HashMap::new(),
            memberships: HashMap::new(),
            last_seen: HashMap::new(),
            leases: HashMap::new(),
            settings: HashMap::new(),
            blocks: BTreeSet::new(),
        }
    }
}

impl State {
    fn apply(&mut self, write: &Write) -> Result<Committed, Refusal> {
        let blockers = self.blockers_in(write);
        let committed = match self.conversations.get_mut(&write.conversation_id) {
            Some(conversation) => conversation.apply(write, &blockers)?,
            None => match &write.act {
                Act::CreateGroup {
                    title,
                    topic,
                    history,
                    members,
                } => {
                    let (group, entries) =
                        StoredConversation::group(write, title, topic.as_ref(), *history, members);
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

    /// Who of the two of a direct conversation has blocked the other.
    fn blockers_in(&self, write: &Write) -> Vec<UserId> {
        let conversation = self.conversations.get(&write.conversation_id);
        let peer = conversation.and_then(|conversation| conversation.peer_of(write.author));
        let pair = peer.map(|peer| [(write.author, peer), (peer, write.author)]);
        let blocks = pair.into_iter().flatten();
        let blocks = blocks.filter(|block| self.blocks.contains(block));
        blocks.map(|(blocker, _)| blocker).collect()
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
            Change::ConversationDeleted { .. } => {
                for joined in self.memberships.values_mut() {
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
            .map(|conversation| conversation.entries_after(after).take(limit))
            .into_iter()
            .flatten()
            .collect())
    }

    async fn messages(
        &self,
        conversation: ConversationId,
        which: Around,
        history_from: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation);
        Ok(conversation
            .map(|conversation| conversation.messages(which, history_from, limit))
            .unwrap_or_default())
    }

    async fn message(
        &self,
        conversation: ConversationId,
        id: MessageId,
    ) -> Result<Option<Message>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation);
        Ok(conversation.and_then(|conversation| conversation.message(id).cloned()))
    }

    async fn pinned(
        &self,
        conversation: ConversationId,
        before: Seq,
        history_from: Seq,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation).into_iter();
        let pinned = conversation.flat_map(|it| it.pinned(before, history_from));
        Ok(pinned.take(limit).cloned().collect())
    }

    async fn search(
        &self,
        user: UserId,
        search: &Search,
        after: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let order = |message: &Message| Reverse((message.created_at, message.id));
        let state = self.0.lock();
        let after = after.map(|id| {
            let mut conversations = state.conversations.values();
            conversations.find_map(|it| it.message(id)).map(order)
        });
        let found = state
            .conversations_of(user)
            .flat_map(|it| it.found(user, search));
        let mut found: Vec<_> = found
            .filter(|message| after.is_none_or(|after| after.is_some_and(|it| order(message) > it)))
            .collect();
        found.sort_unstable_by_key(|message| order(message));
        Ok(found.into_iter().take(limit).cloned().collect())
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
            .map(|conversation| (order(conversation.row_place(user)), conversation))
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
        Ok(conversation.map(|conversation| {
            let (mut group, left_out) = conversation.group_rows(users);
            for user in left_out {
                let row = conversation.row(user);
                group.rows.extend(row.map(|row| row.of(user)));
            }
            group
        }))
    }

    async fn readers(
        &self,
        conversation: ConversationId,
        seq: Seq,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<Membership>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation).into_iter();
        let members = conversation.flat_map(StoredConversation::memberships);
        let readers = members
            .filter(|member| member.shown_seq >= seq)
            .filter(|member| after.is_none_or(|after| member.user_id > after));
        Ok(readers.take(limit).collect())
    }

    async fn banned(
        &self,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let state = self.0.lock();
        let conversation = state.conversations.get(&conversation).into_iter();
        let banned = conversation.flat_map(StoredConversation::banned);
        let later = banned.filter(|user| after.is_none_or(|after| *user > after));
        Ok(later.take(limit).collect())
    }

    async fn row_heads(&self, user: UserId) -> Result<Vec<(ConversationId, Seq, u64)>, StoreError> {
        let state = self.0.lock();
        let visible = state.visible_to(user);
        Ok(visible.map(|it| (it.id, it.head(), it.rev(user))).collect())
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

    async fn renew_lease(&self, node: NodeId) -> Result<(), StoreError> {
        self.0.lock().leases.insert(node, Instant::now());
        Ok(())
    }

    async fn end_lease(&self, node: NodeId) -> Result<(), StoreError> {
        self.0.lock().leases.remove(&node);
        Ok(())
    }

    async fn leases(&self) -> Result<Option<Vec<NodeId>>, StoreError> {
        let mut state = self.0.lock();
        state.leases.retain(|_, renewed| renewed.elapsed() < LEASE);
        Ok(Some(state.leases.keys().copied().collect()))
    }
}

impl UserStore for MemoryStore {
    async fn settings(&self, user: UserId) -> Result<Settings, StoreError> {
        let state = self.0.lock();
        Ok(state.settings.get(&user).copied().unwrap_or_default())
    }

    async fn set_settings(&self, user: UserId, settings: Settings) -> Result<(), StoreError> {
        self.0.lock().settings.insert(user, settings);
        Ok(())
    }

    async fn set_blocked(
        &self,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Result<bool, StoreError> {
        let mut state = self.0.lock();
        Ok(if blocked {
            state.blocks.insert((user, other))
        } else {
            state.blocks.remove(&(user, other))
        })
    }

    async fn blocked_by(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let state = self.0.lock();
        let mine = state.blocks.iter().filter(|(blocker, _)| *blocker == user);
        let blocked = mine.map(|(_, blocked)| *blocked);
        let later = blocked.filter(|other| after.is_none_or(|after| *other > after));
        Ok(later.take(limit).collect())
    }

    async fn blockers_of(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let others: HashSet<UserId> = others.iter().copied().collect();
        let state = self.0.lock();
        let blockers = others.into_iter();
        Ok(blockers
            .filter(|other| state.blocks.contains(&(*other, user)))
            .collect())
    }
}
