//! A session's cursors move: along the rooms' windows, and where they are behind, along the store's log.

use std::sync::Arc;

use super::Session;
use crate::{
    error::Error,
    frame::Frame,
    protocol::Signal,
    room::Attachment,
    row_marks::RowMark,
    window::{Budget, Reading},
};

/// The most bytes of log frames in one batch, unless a single one is larger.
const BATCH_BYTES: usize = 64 * 1024;
/// How many entries are read from the store at once: of the longest ones, about 1 MiB.
const STORE_PAGE: usize = 20;

impl Session {
    pub(super) fn read_windows(&mut self) {
        let mut budget = Budget::of_bytes(BATCH_BYTES);
        while let Some(attachment) = self.moved.pop() {
            if attachment.is_detached() {
                self.forget(&attachment);
                continue;
            }
            attachment.unmark();
            match attachment
                .room
                .read(&attachment, &mut budget, &mut self.ready)
            {
                Reading::Current if attachment.has_read_all() => {
                    attachment.room.detach(&attachment);
                    self.forget(&attachment);
                }
                Reading::Current => {}
                Reading::Behind => {
                    if !self
                        .behind
                        .iter()
                        .any(|other| Arc::ptr_eq(other, &attachment))
                    {
                        self.behind.push_back(attachment);
                    }
                }
                Reading::More => {
                    self.moved.push(attachment);
                    return;
                }
            }
        }
    }

    /// Serves the room that waits longest for the store: one page of its log.
    pub(super) async fn read_store(&mut self) -> Result<(), Error> {
        while let Some(attachment) = self.behind.front().map(Arc::clone) {
            if attachment.is_detached() {
                self.behind.pop_front();
                self.forget(&attachment);
                continue;
            }
            let (conversation, cursor) = (attachment.room.id, attachment.cursor());
            self.look_after_jumps(&attachment).await?;
            let store = &self.engine.store;
            let mut entries = store
                .entries_after(conversation, cursor, STORE_PAGE)
                .await?;
            self.engine.counters.read_late();
            // What lies beyond has not come here yet, and with it the news that this session is to be let go.
            let head = attachment.room.head().unwrap_or_default();
            entries.retain(|entry| entry.seq <= head);
            if attachment.is_detached() || attachment.unseen_jumps().is_some() {
                continue;
            }
            self.behind.pop_front();
            let dense = entries
                .iter()
                .zip(cursor + 1..)
                .all(|(entry, seq)| entry.seq == seq);
            if entries.is_empty() && head <= cursor {
                continue;
            }
            let Some(last) = entries.last().filter(|_| dense) else {
                tracing::error!(%conversation, cursor, "the log has a hole: this session cannot be served");
                self.ready.push(Frame::of_signal(&Signal::Resync {
                    conversation_id: conversation,
                    after_seq: cursor,
                }));
                self.leave(conversation);
                return Ok(());
            };
            attachment.set_cursor(last.seq);
            for entry in entries {
                let seen = entry.seen_from(attachment.history_from());
                self.ready.push(Frame::of_entry(&seen));
            }
            self.moved.push(attachment);
            return Ok(());
        }
        Ok(())
    }

    /// Where entries were passed over, the user may have left and come back among them: then another history is theirs, and
    /// they have to join anew.
    async fn look_after_jumps(&self, attachment: &Attachment) -> Result<(), Error> {
        let Some(jumps) = attachment.unseen_jumps() else {
            return Ok(());
        };
        let (store, room) = (&self.engine.store, &attachment.room);
        let place = store.membership(room.id, self.user_id()).await?;
        if place.is_some_and(|it| it.history_from == attachment.history_from()) {
            attachment.saw_jumps(jumps);
        } else {
            room.detach(attachment);
        }
        Ok(())
    }

    /// Drops what is held for a room that let this session go, which is told with the row.
    pub(super) fn forget(&mut self, attachment: &Arc<Attachment>) {
        let conversation = attachment.room.id;
        if self
            .joined
            .get(&conversation)
            .is_some_and(|joined| Arc::ptr_eq(joined, attachment))
        {
            self.leave(conversation);
            self.removed.insert(conversation);
            self.signals().rows.mark(conversation, RowMark::Changed);
        }
    }
}
