//! Following conversations: joining after a cursor, and leaving.

use std::sync::Arc;

use super::Session;
use crate::{
    bus::Cursors,
    error::Error,
    model::{ConversationId, Membership, Seq},
    room::{Attachment, Room},
};

/// What a join brought about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The newest `seq` of the log at this moment.
    pub head_seq: Seq,
    /// After which place the log is served: what was asked for, unless the reader's history begins later. `None` where
    /// nothing was asked for, or with `reset`.
    pub after_seq: Option<Seq>,
    /// The cursor was too far behind (or of another life of the store): the session follows from `head_seq` on, and what
    /// lies before it is to be read with [`Chat::events`](crate::Chat::events).
    pub reset: bool,
}

impl Session {
    /// Follows a conversation: from here on [`next`](Self::next) gives every entry of its log after `after`, once and in
    /// order; without `after`, from the head on. Joining again moves the cursor.
    ///
    /// What happened before the user's history begins is not given, and of what happens later to a message from before it,
    /// no more than that it happened ([`Change::Hidden`](crate::model::Change::Hidden)).
    ///
    /// Fails with [`Error::NotFound`] for those who do not belong to it. When dropped before it returns, nothing has
    /// changed.
    pub async fn join(
        &mut self,
        conversation: ConversationId,
        after: Option<Seq>,
    ) -> Result<Joined, Error> {
        let limit = self.engine.limits.max_joined_conversations;
        if self.joined.len() >= limit && !self.joined.contains_key(&conversation) {
            return Err(Error::LimitExceeded(format!(
                "at most {limit} joined conversations: leave one first"
            )));
        }
        // Attached before anything is read: what is appended meanwhile marks this session, what came before is read.
        let attaching = Attaching {
            attachment: self.engine.hub.attach(conversation, &self.inbox),
            joined: false,
        };
        let room = &attaching.attachment.room;

        let store = &self.engine.store;
        let place = store.membership(conversation, self.user_id()).await?;
        let place = place.ok_or(Error::NotFound("no such conversation"))?;
        // What lies before it is not there, for this user.
        let first_cursor = place.history_from.saturating_sub(1);
        let after = after.map(|after| after.max(first_cursor));
        let mut head = match room.head() {
            Some(head) if after.unwrap_or(first_cursor) <= head => head,
            _ => store
                .head(conversation)
                .await?
                .ok_or(Error::NotFound("no such conversation"))?,
        };
        if room.head().is_none() {
            room.learn_head(head);
        }
        head = head.max(room.head().unwrap_or(head));
        let members = self.few_members(room).await?;
        let apart = self.are_apart(room, &members).await?;

        let (cursor, reset) = match after {
            None => (head, false),
            Some(after) if after > head || head - after > self.engine.limits.max_replay as u64 => {
                (head, true)
            }
            Some(after) => (after, false),
        };
        #[cfg(any(test, feature = "bugs"))]
        let cursor = crate::bug::resume_after(cursor);
        let attachment = attaching.joined();
        attachment.set_cursor(cursor);
        attachment.set_history_from(place.history_from);
        attachment.mark();
        self.removed.remove(&conversation);
        if let Some(previous) = self.joined.insert(conversation, attachment) {
            previous.room.detach(&previous);
        }
        self.note_cursors(conversation, &members, apart);
        Ok(Joined {
            head_seq: head,
            after_seq: after.filter(|_| !reset),
            reset,
        })
    }

    /// The members of a conversation that is small enough for their cursors to be told; else none.
    async fn few_members(&self, room: &Room) -> Result<Vec<Membership>, Error> {
        let (store, most) = (&self.engine.store, self.engine.limits.max_members_for_reads);
        let members = store.members(room.id, None, most + 1).await?;
        Ok(if members.len() > most {
            Vec::new()
        } else {
            members
        })
    }

    /// Whether they hear of each other. Where they are more than two, that need not be looked up.
    async fn are_apart(&self, room: &Room, members: &[Membership]) -> Result<bool, Error> {
        Ok(members.len() <= 2 && self.engine.hub.company(room).await?.apart)
    }

    /// Notes where the members' cursors are, to be told.
    fn note_cursors(&mut self, conversation: ConversationId, members: &[Membership], apart: bool) {
        let me = self.inbox.user_id;
        for member in members {
            if member.user_id == me {
                let own_reads = &mut self.signals().own_reads;
                own_reads.insert(conversation, member.read_seq);
            } else if !apart {
                let cursors = Cursors {
                    read: None,
                    shown: Some(member.shown_seq),
                    delivered: Some(member.delivered_seq),
                };
                let told = cursors.for_others();
                self.signals()
                    .note_cursors(conversation, member.user_id, told);
            }
        }
    }

    /// Follows a conversation no longer.
    pub fn leave(&mut self, conversation: ConversationId) {
        self.stop_typing(conversation);
        self.removed.remove(&conversation);
        if let Some(attachment) = self.joined.remove(&conversation) {
            attachment.room.detach(&attachment);
        }
    }
}

/// An attachment that is let go again unless the join it is made for comes to its end.
struct Attaching {
    attachment: Arc<Attachment>,
    joined: bool,
}

impl Attaching {
    fn joined(mut self) -> Arc<Attachment> {
        self.joined = true;
        Arc::clone(&self.attachment)
    }
}

impl Drop for Attaching {
    fn drop(&mut self) {
        if !self.joined {
            self.attachment.room.detach(&self.attachment);
        }
    }
}
