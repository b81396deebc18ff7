//! What members do for themselves: their cursors and their settings.

use super::{Loaded, Place};
use crate::{
    model::{MineChanges, Seq},
    store::{Committed, ReadCursor, Write},
};

impl Loaded {
    pub(super) fn update_mine(&mut self, write: &Write, changes: MineChanges) -> Committed {
        let Some(place) = self.place(write, write.author) else {
            return Committed::Unchanged;
        };
        let before = (place.pinned, place.muted, place.archived, place.notify);
        let after = (
            changes.pinned.unwrap_or(place.pinned),
            changes.muted.unwrap_or(place.muted),
            changes.archived.unwrap_or(place.archived),
            changes.notify.unwrap_or(place.notify),
        );
        if before == after {
            return Committed::Unchanged;
        }
        self.change_place(write, write.author, |place| {
            (place.pinned, place.muted, place.archived, place.notify) = after;
        });
        Committed::Changed
    }

    pub(super) fn mark_read(&mut self, write: &Write, seq: Seq, shown: bool) -> Committed {
        let seq = seq.min(self.head(write));
        self.move_cursors(write, |place| {
            place.read_seq = seq.max(place.read_seq);
            if shown {
                place.shown_seq = seq.max(place.shown_seq);
            }
            place.delivered_seq = seq.max(place.delivered_seq);
        })
    }

    pub(super) fn mark_unread(&mut self, write: &Write, seq: Seq) -> Committed {
        self.move_cursors(write, |place| {
            let seq = seq.max(place.history_from.saturating_sub(1));
            place.read_seq = seq.min(place.read_seq);
        })
    }

    pub(super) fn mark_delivered(&mut self, write: &Write, seq: Seq) -> Committed {
        let seq = seq.min(self.head(write));
        self.move_cursors(write, |place| {
            place.delivered_seq = seq.max(place.delivered_seq);
        })
    }

    pub(super) fn move_cursors(
        &mut self,
        write: &Write,
        change: impl FnOnce(&mut Place),
    ) -> Committed {
        let key = (write.conversation_id, write.author);
        let Some(place) = self.members.get_mut(&key) else {
            return Committed::Unchanged;
        };
        let before = place.clone();
        change(place);
        let changed = |before, after| (before != after).then_some(after);
        let cursor = ReadCursor {
            seq: place.read_seq,
            moved: place.read_seq != before.read_seq,
            shown: changed(before.shown_seq, place.shown_seq),
            delivered: changed(before.delivered_seq, place.delivered_seq),
        };
        place.rev += u64::from(cursor.moved);
        place.changed |= cursor.moved || cursor.shown.is_some() || cursor.delivered.is_some();
        Committed::Read(cursor)
    }

    pub(super) fn head(&self, write: &Write) -> Seq {
        let head = self.conversations.get(&write.conversation_id);
        head.map_or(0, |head| head.seq)
    }
}
