//! The part of a conversation's log that this node holds in memory, and who follows it.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{
    batch::Batch,
    frame::Frame,
    inbox::Inbox,
    limits::Limits,
    model::{ConversationId, Seq, UserId},
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
    pub(crate) fn push(&self, seq: Seq, frame: Frame, limits: &Limits) -> Pushed {
        self.window.lock().push(seq, frame, limits)
    }

    /// Lets what was pushed be read, and tells those who follow, if they are not too many.
    pub(crate) fn announce(&self, limits: &Limits) -> Told {
        self.window.lock().seal(limits);
        *self.touched.lock() = Instant::now();
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
        let reading = self.window.lock().read(&mut cursor, budget, batch);
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
            moved: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            slot: AtomicUsize::new(attached.all.len()),
        });
        attached.all.push(Arc::clone(&attachment));
        attachment
    }

    /// Lets a session go. Doing it twice is the same as once.
    pub(crate) fn detach(&self, attachment: &Attachment) {
        self.attached.lock().remove(attachment);
        *self.touched.lock() = Instant::now();
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
        self.with_members(|members| following.difference(members).copied().collect())
            .unwrap_or_default()
    }

    /// Calls `tell` with the inbox of each session that follows.
    pub(crate) fn for_each_inbox(&self, mut tell: impl FnMut(&Inbox)) {
        for attachment in &self.attached.lock().all {
            tell(&attachment.inbox);
        }
    }

    /// Whether nobody follows, and nothing happened for `idle`.
    pub(crate) fn is_idle(&self, idle: std::time::Duration) -> bool {
        self.attached.lock().all.is_empty() && self.touched.lock().elapsed() >= idle
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
}

impl Attached {
    fn remove(&mut self, attachment: &Attachment) {
        if attachment.detached.swap(true, Ordering::AcqRel) {
            return;
        }
        let slot = attachment.slot.load(Ordering::Relaxed);
        self.all.swap_remove(slot);
        if let Some(moved) = self.all.get(slot) {
            moved.slot.store(slot, Ordering::Relaxed);
        }
    }
}

/// Who belongs to a conversation, once somebody has asked.
#[derive(Debug, Default)]
struct Members {
    known: Option<HashSet<UserId>>,
    /// The newest entry seen here that changed them.
    changed_at: Seq,
}

/// One session following one room.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) room: Arc<Room>,
    inbox: Arc<Inbox>,
    /// Up to where the session was served. Only the session itself moves it.
    cursor: AtomicU64,
    /// The session was told that the room moved, and has not looked yet.
    moved: AtomicBool,
    detached: AtomicBool,
    /// Its place in the room's list.
    slot: AtomicUsize,
}

impl Attachment {
    pub(crate) fn cursor(&self) -> Seq {
        self.cursor.load(Ordering::Relaxed)
    }

    pub(crate) fn set_cursor(&self, cursor: Seq) {
        self.cursor.store(cursor, Ordering::Relaxed);
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
