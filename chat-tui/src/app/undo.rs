//! What was changed in a draft, so that it can be undone and done again.

use std::collections::VecDeque;

use unicode_segmentation::UnicodeSegmentation;

/// The most that is remembered, in bytes of text; what is older is let go.
const MAX_BYTES: usize = 1 << 20;

/// A stretch of text that took the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// The byte at which both begin.
    pub(super) at: usize,
    /// What was there.
    pub(super) removed: String,
    /// What is there now.
    pub(super) inserted: String,
    /// Where the cursor stood before.
    pub(super) cursor: usize,
}

impl Change {
    fn bytes(&self) -> usize {
        self.removed.len() + self.inserted.len()
    }

    /// Takes the next change in, if both are one to the user: letters of one word, or one deletion after the other.
    fn take_in(&mut self, next: &Self) -> bool {
        let one = |text: &str| text.graphemes(true).take(2).count() == 1;
        let typed = self.removed.is_empty()
            && next.removed.is_empty()
            && one(&next.inserted)
            && next.at == self.at + self.inserted.len();
        if typed {
            let begins_word = self.inserted.ends_with(char::is_whitespace)
                && !next.inserted.starts_with(char::is_whitespace);
            if !begins_word && next.inserted != "\n" {
                self.inserted.push_str(&next.inserted);
                return true;
            }
            return false;
        }
        let deleted_back = self.inserted.is_empty()
            && next.inserted.is_empty()
            && one(&next.removed)
            && next.at + next.removed.len() == self.at;
        if deleted_back {
            self.at = next.at;
            self.removed.insert_str(0, &next.removed);
        }
        deleted_back
    }
}

/// The changes of a draft, the last at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Undo {
    done: VecDeque<Change>,
    undone: Vec<Change>,
    /// The last change can still take in the next.
    open: bool,
    bytes: usize,
}

impl Undo {
    /// Remembers a change; what was undone before it cannot be done again.
    pub(super) fn push(&mut self, change: Change) {
        self.undone.clear();
        self.bytes += change.bytes();
        let taken_in = self.open
            && self
                .done
                .back_mut()
                .is_some_and(|last| last.take_in(&change));
        if !taken_in {
            self.done.push_back(change);
        }
        self.open = true;
        while self.bytes > MAX_BYTES
            && let Some(oldest) = self.done.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// The next change stands for itself.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// The last change, which is to be taken back.
    pub(super) fn undo(&mut self) -> Option<&Change> {
        let change = self.done.pop_back()?;
        self.bytes -= change.bytes();
        self.open = false;
        self.undone.push(change);
        self.undone.last()
    }

    /// The last change that was taken back, which is to be made again.
    pub(super) fn redo(&mut self) -> Option<&Change> {
        let change = self.undone.pop()?;
        self.bytes += change.bytes();
        self.open = false;
        self.done.push_back(change);
        self.done.back()
    }
}
