//! The part of a conversation's log that this node holds in memory, and who follows it.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    batch::Batch,
    frame::Frame,
    inbox::Inbox,
    limits::Limits,
    model::{ConversationId, Entry, Seq, UserId},
    source::HashSet,
    window::{Budget, Pushed, Reading, Window},
};

/// The most sessions that are told in one go.
pub(crate) const CROWD: usize = if cfg!(test) { 3 } else { 32 };

/// A window on one log, and the sessions whose cursors move along it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) id: ConversationId,
    window: Mutex<Window>,
    attached: Mutex<Attached>,
    members: Mutex<Members>,
    /// How often entries were passed over because they were too many.
    jumps: AtomicU64,
    /// The conversation was deleted: nothing follows.
    over: AtomicBool,
    touched: Mutex<Instant>,
    /// Something may be missing between the window and the store.
    suspect: AtomicBool,
}

/// The sessions that follow a room.
#[derive(Debug, Default)]
struct Attached {
    all: Vec<Arc<Attachment>>,
    round: Option<Round>,
}

/// A round through a crowd, which is told in steps from the end of the list to its beginning: whoever goes leaves their place
/// to the last in the list, who was told by then, and whoever comes sees for themselves what there is.
#[derive(Debug)]
struct Round {
    /// How many are yet to be told.
    left: usize,
    /// Something moved again since it began.
    again: bool,
}

/// Who is yet to be told after [`Room::announce`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nobody: they were few.
    Everyone,
    /// Some of a crowd, whom the round that is under way will reach.
    UnderWay,
    /// A crowd: [`Room::tell_some`] is to be called until it is through.
    Nobody,
}

impl Room {
    pub(crate) fn new(id: ConversationId) -> Self {
        Self {
            id,
            window: Mutex::default(),
            attached: Mutex::default(),
            members: Mutex::default(),
            jumps: AtomicU64::new(0),
            over: AtomicBool::new(false),
            touched: Mutex::new(Instant::now()),
            suspect: AtomicBool::new(false),
        }
    }

    /// The newest entry known here; `None` before the first was seen.
    pub(crate) fn head(&self) -> Option<Seq> {
        self.window.lock().head()
    }

    /// Puts an entry at the head of the window, if it is the next one. It is seen with the next
    /// [`announce`](Self::announce).
    pub(crate) fn push(&self, entry: &Entry, frame: Frame, limits: &Limits) -> Pushed {
        self.window.lock().push(entry, frame, limits)
    }

    /// The last entry was pushed: whoever has read it is let go.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether the conversation was deleted.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Lets what was pushed be read, and tells those who follow, if they are not too many.
    pub(crate) fn announce(&self, limits: &Limits) -> Told {
        self.window.lock().seal(limits);
        self.touch();
        let mut attached = self.attached.lock();
        let Attached { all, round } = &mut *attached;
        if all.len() <= CROWD {
            all.iter().for_each(Attachment::mark);
            return Told::Everyone;
        }
        if let Some(round) = round {
            round.again = true;
            return Told::UnderWay;
        }
        *round = Some(Round {
            left: all.len(),
            again: false,
        });
        Told::Nobody
    }

    /// Tells the next few of a crowd; whether there are more.
    pub(crate) fn tell_some(&self, most: usize) -> bool {
        let mut attached = self.attached.lock();
        let Attached { all, round } = &mut *attached;
        let Some(under_way) = round else {
            return false;
        };
        let end = under_way.left.min(all.len());
        under_way.left = end.saturating_sub(most);
        all[under_way.left..end].iter().for_each(Attachment::mark);
        if under_way.left == 0 && !mem::take(&mut under_way.again) {
            *round = None;
        } else if under_way.left == 0 {
            under_way.left = all.len();
        }
        round.is_some()
    }

    /// Takes note of the log's head as the store tells it; entries up to there that are not in the window are then read
    /// from the store by whoever lacks them, once they are told.
    pub(crate) fn learn_head(&self, head: Seq) {
        let mut window = self.window.lock();
        if window.head().is_none_or(|known| known < head) {
            if window.head().is_some() {
                self.jumps.fetch_add(1, Ordering::AcqRel);
            }
            *window = Window::starting_after(head);
        }
    }

    /// Adds the frames after the attachment's cursor to the batch, up to the budget, and moves the cursor.
    pub(crate) fn read(
        &self,
        attachment: &Attachment,
        budget: &mut Budget,
        batch: &mut Batch,
    ) -> Reading {
        let mut cursor = attachment.cursor();
        let from = attachment.history_from();
        let reading = self.window.lock().read(&mut cursor, from, budget, batch);
        attachment.set_cursor(cursor);
        reading
    }

    /// Lets a session follow this room. It is marked from now on; its cursor is to be set before it reads.
    pub(crate) fn attach(self: &Arc<Self>, inbox: &Arc<Inbox>) -> Arc<Attachment> {
        let mut attached = self.attached.lock();
        let attachment = Arc::new(Attachment {
            room: Arc::clone(self),
            inbox: Arc::clone(inbox),
            cursor: AtomicU64::new(Seq::MAX),
            history_from: AtomicU64::new(Seq::MAX),
            jumps_seen: AtomicU64::new(self.jumps.load(Ordering::Acquire)),
            moved: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            slot: AtomicU32::new(slot(attached.all.len())),
        });
        attached.all.push(Arc::clone(&attachment));
        attachment
    }

    /// Lets a session go. Doing it twice is the same as once.
    pub(crate) fn detach(&self, attachment: &Attachment) {
        self.attached.lock().remove(attachment);
        self.touch();
    }

    /// Lets all sessions of a user go.
    pub(crate) fn detach_user(&self, user: UserId) {
        let mut attached = self.attached.lock();
        let theirs: Vec<_> = attached
            .all
            .iter()
            .filter(|a| a.inbox.user_id == user)
            .map(Arc::clone)
            .collect();
        for attachment in theirs {
            attached.remove(&attachment);
        }
    }

    /// Those who follow and are not among the members that are known here.
    pub(crate) fn strangers(&self) -> HashSet<UserId> {
        let following: HashSet<_> = {
            let attached = self.attached.lock();
            attached.all.iter().map(|a| a.inbox.user_id).collect()
        };
        let known = self.with_members(|members| following.difference(members).copied().collect());
        known.unwrap_or(following)
    }

    /// Calls `tell` with the inbox of each session that follows.
    pub(crate) fn for_each_inbox(&self, mut tell: impl FnMut(&Inbox)) {
        for attachment in &self.attached.lock().all {
            tell(&attachment.inbox);
        }
    }

    /// Something is about to happen here.
    pub(crate) fn touch(&self) {
        *self.touched.lock() = Instant::now();
    }

    /// How many sessions follow.
    pub(crate) fn followers(&self) -> usize {
        self.attached.lock().all.len()
    }

    /// Whether nobody follows, and nothing happened for `idle` or ever will.
    pub(crate) fn is_idle(&self, idle: std::time::Duration) -> bool {
        let nobody_follows = self.attached.lock().all.is_empty();
        nobody_follows && (self.is_over() || self.touched.lock().elapsed() >= idle)
    }

    /// Notes that entries may be missing; whether that is news.
    pub(crate) fn set_suspect(&self) -> bool {
        !self.suspect.swap(true, Ordering::AcqRel)
    }

    /// Whether entries may be missing; asking clears the note.
    pub(crate) fn take_suspect(&self) -> bool {
        self.suspect.swap(false, Ordering::AcqRel)
    }

    /// Calls `look` with the members, if they are known here.
    pub(crate) fn with_members<T>(&self, look: impl FnOnce(&HashSet<UserId>) -> T) -> Option<T> {
        self.members.lock().known.as_ref().map(look)
    }

    /// Takes the members as the store told them as of `head`, unless they have changed since.
    pub(crate) fn set_members(&self, head: Seq, ids: Vec<UserId>) {
        let mut members = self.members.lock();
        if members.changed_at <= head {
            members.known = Some(ids.into_iter().collect());
        }
    }

    /// Keeps the known members up to date with the entry of the log at `seq`.
    pub(crate) fn change_members(&self, seq: Seq, change: impl FnOnce(&mut HashSet<UserId>)) {
        let mut members = self.members.lock();
        members.changed_at = seq;
        if let Some(known) = &mut members.known {
            change(known);
        }
    }

    /// Takes back [`forget_members`](Self::forget_members), unless they were learned since.
    pub(crate) fn remember_members(&self, known: HashSet<UserId>) {
        self.members.lock().known.get_or_insert(known);
    }

    /// Forgets who the members are: entries that might have changed them were passed over.
    pub(crate) fn forget_members(&self) {
        self.members.lock().known = None;
    }

    /// How many members there are and whether they hear of each other, if that is known here.
    pub(crate) fn company(&self) -> Option<Company> {
        let members = self.members.lock();
        let count = members.known.as_ref()?.len();
        let apart = if count > 2 { false } else { members.apart? };
        Some(Company {
            members: count,
            apart,
        })
    }

    /// These two have their direct conversation here.
    pub(crate) fn set_pair(&self, pair: [UserId; 2]) {
        self.members.lock().pair = Some(pair);
    }

    pub(crate) fn pair(&self) -> Option<[UserId; 2]> {
        self.members.lock().pair
    }

    /// How often it was doubted whether the two of a direct conversation hear of each other.
    pub(crate) fn doubts(&self) -> u64 {
        self.members.lock().doubts
    }

    /// Takes note of whether one of the two of a direct conversation has blocked the other, unless that was doubted since.
    pub(crate) fn set_apart(&self, apart: bool, doubts: u64) {
        let mut members = self.members.lock();
        if members.doubts == doubts {
            members.apart = Some(apart);
        }
    }

    /// One of the two may have blocked the other, or no longer.
    pub(crate) fn doubt_apart(&self) {
        let mut members = self.members.lock();
        members.doubts += 1;
        members.apart = None;
    }
}

/// Who is told of the others in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Company {
    pub(crate) members: usize,
    /// It is a direct conversation in which one has blocked the other: they learn nothing of each other.
    pub(crate) apart: bool,
}

impl Attached {
    fn remove(&mut self, attachment: &Attachment) {
        if attachment.detached.swap(true, Ordering::AcqRel) {
            return;
        }
        let place = attachment.slot.load(Ordering::Relaxed) as usize;
        self.all.swap_remove(place);
        if let Some(moved) = self.all.get(place) {
            moved.slot.store(slot(place), Ordering::Relaxed);
        }
    }
}

/// Who belongs to a conversation, once somebody has asked.
#[derive(Debug, Default)]
struct Members {
    known: Option<HashSet<UserId>>,
    /// The newest entry seen here that changed them.
    changed_at: Seq,
    /// The two of a direct conversation.
    pair: Option<[UserId; 2]>,
    /// Where there are but two: whether it is a direct conversation in which one has blocked the other.
    apart: Option<bool>,
    doubts: u64,
}

/// One session following one room.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) room: Arc<Room>,
    inbox: Arc<Inbox>,
    /// Up to where the session was served. Only the session itself moves it.
    cursor: AtomicU64,
    /// The first entry that the session's user can see.
    history_from: AtomicU64,
    /// The room's `jumps` when that was looked up.
    jumps_seen: AtomicU64,
    /// The session was told that the room moved, and has not looked yet.
    moved: AtomicBool,
    detached: AtomicBool,
    /// Its place in the room's list.
    slot: AtomicU32,
}

/// A place in a room's list. With the two counts of its references, an attachment fits into one line of memory.
fn slot(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

impl Attachment {
    pub(crate) fn cursor(&self) -> Seq {
        self.cursor.load(Ordering::Relaxed)
    }

    pub(crate) fn set_cursor(&self, cursor: Seq) {
        self.cursor.store(cursor, Ordering::Relaxed);
    }

    pub(crate) fn history_from(&self) -> Seq {
        self.history_from.load(Ordering::Relaxed)
    }

    pub(crate) fn set_history_from(&self, history_from: Seq) {
        self.history_from.store(history_from, Ordering::Relaxed);
    }

    /// How often entries were passed over, if the session does not know: the user may have left and come back
    /// among them.
    pub(crate) fn unseen_jumps(&self) -> Option<u64> {
        let jumps = self.room.jumps.load(Ordering::Acquire);
        (jumps != self.jumps_seen.load(Ordering::Relaxed)).then_some(jumps)
    }

    pub(crate) fn saw_jumps(&self, jumps: u64) {
        self.jumps_seen.store(jumps, Ordering::Relaxed);
    }

    /// Whether the conversation was deleted and the session has seen its last entry.
    pub(crate) fn has_read_all(&self) -> bool {
        self.room.is_over() && Some(self.cursor()) >= self.room.head()
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.detached.load(Ordering::Acquire)
    }

    /// Tells the session that the room moved, unless it was told and has not looked since.
    pub(crate) fn mark(self: &Arc<Self>) {
        if !self.moved.swap(true, Ordering::AcqRel) {
            self.inbox.room_moved(Arc::clone(self));
        }
    }

    /// The session looks: whatever moves from here on marks it again.
    pub(crate) fn unmark(&self) {
        self.moved.store(false, Ordering::Release);
    }
}
