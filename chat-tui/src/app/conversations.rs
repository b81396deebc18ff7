//! The conversation list: its rows, their order, and the selected one.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use chat_core::model::{
    ConversationId, ConversationKind, History, Notify, Role, Row, Seq, Timestamp, Unread, UserId,
};

use super::{text::Plain, timeline::excerpt};

/// A conversation as the list shows it.
#[derive(Clone, Debug)]
pub struct Item {
    /// Which.
    pub id: ConversationId,
    /// Direct or group.
    pub kind: ConversationKind,
    /// The title, or the name of the peer.
    pub name: Plain,
    /// In a direct conversation, the other one.
    pub peer: Option<UserId>,
    /// What it is about.
    pub topic: Option<Plain>,
    /// What those see who join later.
    pub history: History,
    /// The place of the last message, and who said it.
    pub last_message: Option<(Seq, UserId)>,
    /// The last message, in one line.
    pub last_text: Plain,
    /// When something last happened.
    pub at: Timestamp,
    /// What I have not read.
    pub unread: Unread,
    /// Up to where I have read.
    pub read_seq: Seq,
    /// The newest entry.
    pub head_seq: Seq,
    /// How many belong to it.
    pub member_count: u64,
    /// My role in it.
    pub role: Role,
    /// Kept on top.
    pub pinned: bool,
    /// Makes no noise.
    pub muted: bool,
    /// Out of sight.
    pub archived: bool,
    /// What of it makes itself heard.
    pub notify: Notify,
    /// The first entry that I can see.
    pub history_from: Seq,
    rev: u64,
}

impl Item {
    fn new(row: &Row) -> Self {
        let conversation = &row.conversation;
        let name = match (&conversation.title, &conversation.peer) {
            (Some(title), _) => Plain::line(title),
            (None, Some(peer)) => Plain::line(&peer.display_name),
            (None, None) => Plain::default(),
        };
        let name = if name.is_empty() {
            Plain::line("(no name)")
        } else {
            name
        };
        let last = conversation.last_message.as_ref();
        let last_text = match last {
            Some(message) if message.deleted_at.is_some() => Plain::line("message deleted"),
            Some(message) => excerpt(&message.body),
            None => Plain::default(),
        };
        Self {
            id: conversation.id,
            kind: conversation.kind,
            name,
            peer: conversation.peer.as_ref().map(|peer| peer.id),
            topic: conversation.topic.as_deref().map(Plain::line),
            history: conversation.history,
            last_message: last.map(|message| (message.seq, message.sender_id)),
            last_text,
            at: conversation.last_activity_at,
            unread: row.unread,
            read_seq: row.me.read_seq,
            head_seq: conversation.head_seq,
            member_count: conversation.member_count,
            role: row.me.role,
            pinned: row.me.pinned,
            muted: row.me.muted,
            archived: row.me.archived,
            notify: row.me.notify,
            history_from: row.me.history_from,
            rev: row.me.rev,
        }
    }

    /// How much of it makes itself heard: so many messages, and mentions among them.
    #[must_use]
    pub fn heard(&self) -> (u64, u64) {
        match self.notify {
            _ if self.muted || self.archived => (0, 0),
            Notify::All => (self.unread.count, self.unread.mentions),
            Notify::Mentions => (self.unread.mentions, self.unread.mentions),
            Notify::Nothing => (0, 0),
        }
    }

    /// Whether a row with these counters may take this one's place: neither half is behind.
    pub(super) fn gives_way_to(&self, row: &Row) -> bool {
        row.conversation.head_seq >= self.head_seq && row.me.rev >= self.rev
    }
}

/// So many changes are put in their places one by one; beyond, the list is sorted anew.
const FEW: usize = 16;

type Rank = (
    bool,
    Reverse<bool>,
    Reverse<Timestamp>,
    Reverse<ConversationId>,
);

/// What the list is sorted by: what is not archived, pinned, then the newest activity.
fn rank(items: &HashMap<ConversationId, Item>, id: ConversationId) -> Option<Rank> {
    let item = items.get(&id)?;
    let pinned = item.pinned && !item.archived;
    Some((
        item.archived,
        Reverse(pinned),
        Reverse(item.at),
        Reverse(id),
    ))
}

/// The rows in their order, and which one is selected.
#[derive(Debug, Default)]
pub struct ConversationList {
    items: HashMap<ConversationId, Item>,
    order: Vec<ConversationId>,
    selected: Option<ConversationId>,
    loaded: bool,
    show_archived: bool,
    /// Nothing moves.
    held: bool,
    /// What should have moved since it is held.
    moved: HashSet<ConversationId>,
}

impl ConversationList {
    /// Takes over new and changed rows. The selection stays on its conversation, or goes to what took its place. While the
    /// list is [held](Self::hold), what is in it stays in its place, and what is new comes last.
    pub fn apply(&mut self, rows: &[Row], gone: &[ConversationId], snapshot: bool) {
        let position = self.selected_position();
        let few = !snapshot && rows.len() + gone.len() <= FEW;
        if snapshot {
            self.items.clear();
            self.loaded = true;
        }
        for id in gone {
            self.items.remove(id);
        }
        let mut changed = Vec::new();
        for row in rows {
            let id = row.conversation.id;
            let older = self.items.get(&id);
            if older.is_none_or(|item| item.gives_way_to(row)) {
                self.items.insert(id, Item::new(row));
                changed.push(id);
            }
        }
        if self.held && !self.order.is_empty() {
            self.stay(&changed);
        } else if few {
            self.order
                .retain(|id| !gone.contains(id) && !changed.contains(id));
            for id in changed {
                self.place(id);
            }
        } else {
            self.sort();
        }
        self.keep_selection(position);
    }

    /// From now on nothing moves, until the list is [released](Self::release).
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Everything goes where it belongs, and does so from now on; whether anything moved.
    pub fn release(&mut self) -> bool {
        self.held = false;
        let moves = !self.moved.is_empty();
        if moves {
            let position = self.selected_position();
            self.sort();
            self.keep_selection(position);
        }
        moves
    }

    /// How many are not where they belong, because the list is held.
    #[must_use]
    pub fn moved(&self) -> usize {
        self.moved.len()
    }

    /// What is in the list stays in its place; what is new comes last.
    fn stay(&mut self, changed: &[ConversationId]) {
        let Self {
            items,
            order,
            moved,
            show_archived,
            ..
        } = self;
        let is_shown = |id: &ConversationId| {
            let item = items.get(id);
            item.is_some_and(|item| *show_archived || !item.archived)
        };
        order.retain(is_shown);
        moved.retain(is_shown);
        for id in changed.iter().filter(|id| is_shown(id)) {
            let at = order.iter().position(|other| other == id);
            let at = at.unwrap_or_else(|| {
                order.push(*id);
                order.len() - 1
            });
            let mine = rank(items, *id);
            let above = at.checked_sub(1).and_then(|at| order.get(at));
            let is_above = above.is_none_or(|above| rank(items, *above) < mine);
            let is_below = order
                .get(at + 1)
                .is_none_or(|below| rank(items, *below) > mine);
            if is_above && is_below {
                moved.remove(id);
            } else {
                moved.insert(*id);
            }
        }
    }

    fn sort(&mut self) {
        self.moved.clear();
        let items = &self.items;
        let shown = items
            .values()
            .filter(|item| self.show_archived || !item.archived);
        self.order = shown.map(|item| item.id).collect();
        self.order.sort_by_cached_key(|id| rank(items, *id));
    }

    /// The selection stays where it is, or goes to what took its place.
    fn keep_selection(&mut self, position: Option<usize>) {
        if self.selected.is_none_or(|id| !self.order.contains(&id)) {
            let position = position
                .unwrap_or(0)
                .min(self.order.len().saturating_sub(1));
            self.selected = self.order.get(position).copied();
        }
    }

    /// Puts a conversation where it belongs in a list that is in order.
    fn place(&mut self, id: ConversationId) {
        let items = &self.items;
        let hidden = |item: &Item| item.archived && !self.show_archived;
        if items.get(&id).is_none_or(hidden) {
            return;
        }
        let mine = rank(items, id);
        let at = self
            .order
            .partition_point(|other| rank(items, *other) < mine);
        if self.order.get(at) != Some(&id) {
            self.order.insert(at, id);
        }
    }

    /// Shows what is archived, at the end, or hides it.
    pub fn show_archived(&mut self, shown: bool) {
        let position = self.selected_position();
        self.show_archived = shown;
        self.sort();
        self.keep_selection(position);
    }

    /// Whether what is archived is shown.
    #[must_use]
    pub fn shows_archived(&self) -> bool {
        self.show_archived
    }

    /// How many are archived.
    #[must_use]
    pub fn archived(&self) -> usize {
        self.items.values().filter(|item| item.archived).count()
    }

    /// How much of all makes itself heard: so many messages, and mentions among them.
    #[must_use]
    pub fn heard(&self) -> (u64, u64) {
        let heard = self.items.values().map(Item::heard);
        heard.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }

    /// Whether the list has been received at all.
    #[must_use]
    pub fn loaded(&self) -> bool {
        self.loaded
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// One by its name.
    #[must_use]
    pub fn get(&self, id: ConversationId) -> Option<&Item> {
        self.items.get(&id)
    }

    /// From the top.
    #[must_use]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Item> {
        self.order.iter().filter_map(|id| self.items.get(id))
    }

    /// All of them, those first that are shown, from the top.
    pub fn all(&self) -> impl Iterator<Item = &Item> {
        let hidden = |item: &&Item| item.archived && !self.show_archived;
        self.iter().chain(self.items.values().filter(hidden))
    }

    /// One by its place from the top.
    #[must_use]
    pub fn at(&self, position: usize) -> Option<&Item> {
        self.order.get(position).and_then(|id| self.items.get(id))
    }

    /// The selected one.
    #[must_use]
    pub fn selected(&self) -> Option<ConversationId> {
        self.selected
    }

    /// Its place from the top.
    #[must_use]
    pub fn selected_position(&self) -> Option<usize> {
        self.selected.and_then(|id| self.position(id))
    }

    /// The place of a conversation from the top.
    #[must_use]
    pub fn position(&self, id: ConversationId) -> Option<usize> {
        self.order.iter().position(|other| *other == id)
    }

    /// Selects a conversation that is shown.
    pub fn select(&mut self, id: ConversationId) {
        if self.order.contains(&id) {
            self.selected = Some(id);
        }
    }

    /// Moves the selection by so many places, as far as it goes.
    pub fn move_selection(&mut self, by: isize) {
        let position = self.selected_position().unwrap_or(0);
        let last = self.order.len().saturating_sub(1);
        let position = position.saturating_add_signed(by).min(last);
        self.selected = self.order.get(position).copied();
    }

    /// The next conversation with something unread, after this one and around; mentions first.
    #[must_use]
    pub fn next_unread(&self, after: Option<ConversationId>) -> Option<ConversationId> {
        let start = after
            .and_then(|id| self.position(id))
            .map_or(0, |at| at + 1);
        let around = || {
            self.order[start.min(self.order.len())..]
                .iter()
                .chain(&self.order)
        };
        let find = |wanted: fn(&Item) -> bool| {
            around()
                .filter(|id| Some(**id) != after)
                .find(|id| self.items.get(*id).is_some_and(wanted))
                .copied()
        };
        find(|item| item.unread.mentions > 0 && !item.muted)
            .or_else(|| find(|item| item.unread.count > 0 && !item.muted))
            .or_else(|| find(|item| item.unread.count > 0))
    }
}
