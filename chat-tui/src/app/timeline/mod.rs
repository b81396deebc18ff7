//! What a conversation shows: a stretch of its log, and after it what I sent and is not in the log yet.

mod line;

use std::collections::{HashMap, VecDeque};

use chat_core::model::{ClientId, Draft, Entry, Message, MessageId, Seq, Timestamp, UserId};

pub use self::line::{About, Chip, Line, Said, What, excerpt};
use super::text::Plain;

/// Beyond so many entries those far from the view are let go; they can be asked for again.
const KEPT: usize = 5_000;
const KEPT_AFTER_TRIM: usize = 1_000;

/// A message of mine that is not in the log yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// To the letter, for another try.
    pub draft: Draft,
    /// When it was sent.
    pub at: Timestamp,
    /// As it is shown.
    pub body: Plain,
    /// What has become of it.
    pub state: Sending,
}

/// What has become of a message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sending {
    /// In the outbox.
    Waiting,
    /// Accepted, at this place; its entry is on the way.
    Accepted(Seq),
    /// Refused.
    Failed {
        /// Why.
        reason: Plain,
        /// Another try has to go by another name.
        needs_new_id: bool,
    },
}

/// One thing to show: an entry of the log, or something on its way there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemId {
    /// The entry at this place.
    Entry(Seq),
    /// The message that was sent under this name.
    Pending(ClientId),
}

/// Entries without holes, oldest first.
type Stretch = VecDeque<Line>;

/// A stretch of the log without holes, and what follows it.
///
/// It is the live end of the log, which grows by itself, or an earlier stretch that was gone to: then the live end is kept
/// aside until both meet, or until the way leads back to it.
#[derive(Debug, Default)]
pub struct Timeline {
    lines: Stretch,
    /// The live end, while an earlier stretch is shown.
    aside: Option<Stretch>,
    /// What lies between the two was never held here.
    skipped: bool,
    places: HashMap<MessageId, Seq>,
    pending: Vec<Pending>,
}

impl Timeline {
    /// The entries shown.
    #[must_use]
    pub fn lines(&self) -> &VecDeque<Line> {
        &self.lines
    }

    /// What is not in the log yet, oldest first.
    #[must_use]
    pub fn pending(&self) -> &[Pending] {
        &self.pending
    }

    /// Whether an earlier stretch is shown, and not the live end.
    #[must_use]
    pub fn is_aside(&self) -> bool {
        self.aside.is_some()
    }

    /// Whether something between what is shown and the live end was never held here: then what became of an earlier message
    /// may have been missed.
    #[must_use]
    pub fn has_skipped(&self) -> bool {
        self.skipped
    }

    /// The place of the oldest entry shown.
    #[must_use]
    pub fn first_seq(&self) -> Option<Seq> {
        self.lines.front().map(|line| line.seq)
    }

    /// The place of the newest entry shown.
    #[must_use]
    pub fn last_seq(&self) -> Option<Seq> {
        self.lines.back().map(|line| line.seq)
    }

    /// The place of the newest entry of all.
    #[must_use]
    pub fn live_seq(&self) -> Option<Seq> {
        self.live().back().map(|line| line.seq)
    }

    /// Whether the live end holds the entry at this place.
    #[must_use]
    pub fn live_holds(&self, seq: Seq) -> bool {
        line(self.live(), seq).is_some()
    }

    fn live(&self) -> &Stretch {
        self.aside.as_ref().unwrap_or(&self.lines)
    }

    /// Takes the next entry of the log; one that is here already changes nothing and gives false.
    pub fn apply(&mut self, entry: &Entry, me: Option<UserId>) -> bool {
        if self.live_seq().is_some_and(|last| entry.seq <= last) {
            return false;
        }
        if self.live_seq().is_some_and(|last| entry.seq > last + 1) {
            // A stretch with a hole would show as if it had none. What is before it can be asked for.
            self.aside.as_mut().unwrap_or(&mut self.lines).clear();
            self.find_places();
        }
        let line = Line::new(entry);
        if let Some(about) = &line.about {
            self.tell(line.seq, about);
        }
        if let Some(said) = line.said() {
            self.places.insert(said.id, line.seq);
            if Some(said.sender) == me {
                self.remove_pending(said.client_id);
            }
        }
        self.aside
            .as_mut()
            .unwrap_or(&mut self.lines)
            .push_back(line);
        self.meet();
        true
    }

    /// Tells a message what became of it, wherever it is held.
    fn tell(&mut self, seq: Seq, about: &About) {
        for stretch in [Some(&mut self.lines), self.aside.as_mut()] {
            let line = stretch.and_then(|stretch| line_mut(stretch, about.target));
            if let Some(said) = line.and_then(Line::said_mut) {
                said.hear(seq, about);
            }
        }
    }

    /// Puts older entries before those shown; what does not join them without a hole is left out. How many were added.
    pub fn prepend(&mut self, entries: &[Entry]) -> usize {
        let before = self.lines.len();
        for entry in entries.iter().rev() {
            if self.first_seq().is_some_and(|first| entry.seq + 1 == first) {
                self.lines.push_front(Line::new(entry));
            }
        }
        self.catch_up();
        let added = self.lines.len() - before;
        self.let_newest_go();
        added
    }

    /// Whoever goes far back leaves the live end aside, and does not take all that lies between along.
    fn let_newest_go(&mut self) {
        if self.lines.len() <= KEPT {
            return;
        }
        if self.aside.is_none() {
            let live = self.lines.len() - KEPT_AFTER_TRIM;
            self.aside = Some(self.lines.split_off(live));
        }
        self.lines.truncate(KEPT);
        self.find_places();
    }

    /// Puts newer entries after those of an earlier stretch. How many were added.
    pub fn append(&mut self, entries: &[Entry]) -> usize {
        if self.aside.is_none() {
            return 0;
        }
        let before = self.lines.len();
        for entry in entries {
            if self.last_seq().is_some_and(|last| entry.seq == last + 1) {
                self.lines.push_back(Line::new(entry));
            }
        }
        let added = self.lines.len() - before;
        if self.lines.len() > KEPT {
            self.lines.drain(..self.lines.len() - KEPT);
        }
        self.catch_up();
        self.meet();
        added
    }

    /// Shows this stretch of the log, which has no holes, and keeps the live end aside.
    pub fn go_to(&mut self, entries: &[Entry]) {
        let shown = std::mem::take(&mut self.lines);
        self.aside.get_or_insert(shown);
        self.skipped = true;
        self.lines = entries.iter().map(Line::new).collect();
        self.catch_up();
        self.meet();
    }

    /// Shows the live end again.
    pub fn go_live(&mut self) {
        self.skipped = false;
        if let Some(live) = self.aside.take() {
            self.lines = live;
            self.find_places();
        }
    }

    /// The earlier stretch and the live end become one as soon as there is no hole between them, and the live end has come
    /// as far.
    fn meet(&mut self) {
        let Some(live) = &mut self.aside else { return };
        let (Some(last), Some(first), Some(newest)) =
            (self.lines.back(), live.front(), live.back())
        else {
            return;
        };
        if last.seq + 1 < first.seq || newest.seq < last.seq {
            return;
        }
        let first = first.seq;
        while self.lines.back().is_some_and(|line| line.seq >= first) {
            self.lines.pop_back();
        }
        self.lines.append(live);
        self.aside = None;
        self.skipped = false;
    }

    /// What came late is told what has become of it meanwhile. Whoever knows better is not disturbed.
    ///
    /// The live end is told nothing here: there may be a hole before what is shown, and what is in it comes live.
    fn catch_up(&mut self) {
        let held = self.lines.iter().chain(self.aside.iter().flatten());
        let news: Vec<(Seq, About)> = held
            .filter_map(|line| Some((line.seq, (**line.about.as_ref()?).clone())))
            .collect();
        for (seq, about) in &news {
            let line = line_mut(&mut self.lines, about.target);
            if let Some(said) = line.and_then(Line::said_mut) {
                said.hear(*seq, about);
            }
        }
        self.find_places();
    }

    fn find_places(&mut self) {
        let held = self.lines.iter().chain(self.aside.iter().flatten());
        let said = held.filter_map(|line| Some((line.said()?.id, line.seq)));
        self.places = said.collect();
    }

    /// Lets the oldest of the live end go when there are far too many.
    pub fn trim(&mut self) {
        let live = self.aside.as_mut().unwrap_or(&mut self.lines);
        if live.len() > KEPT {
            live.drain(..live.len() - KEPT_AFTER_TRIM);
            self.find_places();
        }
    }

    /// Forgets the log, not what is still to be sent.
    pub fn clear_log(&mut self) {
        self.lines.clear();
        self.aside = None;
        self.skipped = false;
        self.places.clear();
    }

    /// The entry at this place, if it is shown.
    #[must_use]
    pub fn line(&self, seq: Seq) -> Option<&Line> {
        line(&self.lines, seq)
    }

    /// The place of a message, if it is among those held.
    #[must_use]
    pub fn place_of(&self, id: MessageId) -> Option<Seq> {
        self.places.get(&id).copied()
    }

    /// A message by its name, if it is among those held.
    #[must_use]
    pub fn message(&self, id: MessageId) -> Option<&Said> {
        let seq = self.place_of(id)?;
        let aside = self.aside.as_ref();
        let held = line(&self.lines, seq).or_else(|| line(aside?, seq));
        held?.said()
    }

    /// Shows a message that was just sent.
    pub fn push_pending(&mut self, pending: Pending) {
        self.pending.push(pending);
    }

    /// A message that is not in the log yet.
    #[must_use]
    pub fn find_pending(&self, client_id: ClientId) -> Option<&Pending> {
        self.pending.iter().find(|p| p.draft.client_id == client_id)
    }

    /// Takes away a message that is not in the log yet.
    pub fn remove_pending(&mut self, client_id: ClientId) -> Option<Pending> {
        let at = self
            .pending
            .iter()
            .position(|p| p.draft.client_id == client_id)?;
        Some(self.pending.remove(at))
    }

    /// The server accepted a message. Its entry may be here already, or be never asked for.
    pub fn accepted(&mut self, message: &Message, entries_follow: bool) {
        let here = self.live_seq().is_some_and(|last| message.seq <= last);
        if here || !entries_follow {
            self.remove_pending(message.client_id);
        } else {
            self.set_state(message.client_id, Sending::Accepted(message.seq));
        }
    }

    /// Changes what has become of a message.
    pub fn set_state(&mut self, client_id: ClientId, state: Sending) {
        if let Some(pending) = self
            .pending
            .iter_mut()
            .find(|p| p.draft.client_id == client_id)
        {
            pending.state = state;
        }
    }

    /// How many things there are to show; what is on its way follows the live end only.
    #[must_use]
    pub fn len(&self) -> usize {
        let pending = if self.is_aside() {
            0
        } else {
            self.pending.len()
        };
        self.lines.len() + pending
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The thing at this index, oldest first.
    #[must_use]
    pub fn id_at(&self, index: usize) -> Option<ItemId> {
        if let Some(line) = self.lines.get(index) {
            return Some(ItemId::Entry(line.seq));
        }
        if index >= self.len() {
            return None;
        }
        self.pending
            .get(index.checked_sub(self.lines.len())?)
            .map(|pending| ItemId::Pending(pending.draft.client_id))
    }

    /// Whether the thing at this index is a message, which can be selected.
    #[must_use]
    pub fn is_message_at(&self, index: usize) -> bool {
        match self.lines.get(index) {
            Some(line) => line.said().is_some(),
            None => index < self.len(),
        }
    }

    /// The index of a thing, oldest first.
    #[must_use]
    pub fn index_of(&self, id: ItemId) -> Option<usize> {
        match id {
            ItemId::Entry(seq) => {
                let index = usize::try_from(seq.checked_sub(self.first_seq()?)?).ok()?;
                (index < self.lines.len()).then_some(index)
            }
            ItemId::Pending(_) if self.is_aside() => None,
            ItemId::Pending(client_id) => self
                .pending
                .iter()
                .position(|p| p.draft.client_id == client_id)
                .map(|at| self.lines.len() + at),
        }
    }
}

fn index(stretch: &Stretch, seq: Seq) -> Option<usize> {
    let first = stretch.front()?.seq;
    usize::try_from(seq.checked_sub(first)?).ok()
}

fn line(stretch: &Stretch, seq: Seq) -> Option<&Line> {
    stretch.get(index(stretch, seq)?)
}

fn line_mut(stretch: &mut Stretch, seq: Seq) -> Option<&mut Line> {
    let index = index(stretch, seq)?;
    stretch.get_mut(index)
}
