//! The rows of a list that changed and are yet to be told to one session.

use std::{collections::hash_map::Entry, sync::Arc};

use tokio::time::Instant;

use crate::{
    model::{Conversation, ConversationId, Mine, Unread},
    source::HashMap,
};

/// The most that known rows may keep in memory for a session which does not look, so that it costs little however long its
/// list is. Of more it is kept only that they changed.
const KNOWN_BYTES: usize = 256 * 1024;

/// What is known of a row that changed.
#[derive(Clone, Debug)]
pub(crate) enum RowMark {
    /// That it did: the session is to look it up.
    Changed,
    /// How it is now.
    Known {
        /// When it was asked for.
        as_of: Instant,
        conversation: Arc<Conversation>,
        me: Mine,
        unread: Unread,
    },
}

impl RowMark {
    /// What it keeps in memory. Others may share the conversation, but this mark alone would keep it too.
    fn bytes(&self) -> usize {
        match self {
            Self::Changed => 0,
            Self::Known { conversation, .. } => {
                let body = conversation.last_message.as_ref().map(|it| it.body.len());
                size_of::<Conversation>() + size_of::<Self>() + body.unwrap_or_default()
            }
        }
    }
}

/// Rows that changed, each held once.
#[derive(Debug, Default)]
pub(crate) struct RowMarks {
    marks: HashMap<ConversationId, RowMark>,
    known_bytes: usize,
    /// Something was marked that nobody has looked at.
    is_news: bool,
}

impl RowMarks {
    /// Whether a row is yet to be told.
    pub(crate) fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConversationId, &RowMark)> {
        self.marks.iter().map(|(id, mark)| (*id, mark))
    }

    /// Notes a change. A row that was known is set aside by it, but not the other way round: it may have been looked up
    /// before.
    pub(crate) fn mark(&mut self, conversation: ConversationId, mark: RowMark) {
        self.is_news = true;
        let bytes = mark.bytes();
        match self.marks.entry(conversation) {
            Entry::Vacant(none) => {
                if self.known_bytes + bytes <= KNOWN_BYTES {
                    self.known_bytes += bytes;
                    none.insert(mark);
                } else {
                    none.insert(RowMark::Changed);
                }
            }
            Entry::Occupied(mut present) => {
                if let RowMark::Known { .. } = present.get() {
                    self.known_bytes = self.known_bytes - present.get().bytes() + bytes;
                    present.insert(mark);
                }
            }
        }
    }

    /// What is noted elsewhere and newer.
    pub(crate) fn merge(&mut self, newer: Self) {
        self.is_news |= newer.is_news;
        if self.marks.is_empty() {
            self.marks = newer.marks;
            self.known_bytes = newer.known_bytes;
            return;
        }
        for (conversation, mark) in newer.marks {
            self.mark(conversation, mark);
        }
    }

    /// Takes a row out, because it is told.
    pub(crate) fn remove(&mut self, conversation: ConversationId) -> Option<RowMark> {
        let mark = self.marks.remove(&conversation)?;
        self.known_bytes -= mark.bytes();
        Some(mark)
    }

    /// Whether something was marked since the news were settled.
    pub(crate) fn is_news(&self) -> bool {
        self.is_news
    }

    /// All that was marked so far has been looked at.
    pub(crate) fn settle_news(&mut self) {
        self.is_news = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        ClientId, ConversationKind, Draft, History, Message, MessageId, Notify, Role, Timestamp,
        UserId,
    };
    use crate::store::{Act, Write};

    fn known(conversation: ConversationId, body_bytes: usize) -> RowMark {
        let write = Write {
            conversation_id: conversation,
            author: UserId::new(),
            at: Timestamp::now(),
            act: Act::DeleteConversation,
        };
        let draft = Draft {
            client_id: ClientId::new(),
            body: "x".repeat(body_bytes),
            reply_to: None,
        };
        let message = Message::new(&write, MessageId::new(), 1, &draft);
        RowMark::Known {
            as_of: Instant::now(),
            conversation: Arc::new(Conversation {
                id: conversation,
                kind: ConversationKind::Group,
                title: None,
                topic: None,
                history: History::Shared,
                peer: None,
                member_count: 1,
                head_seq: 1,
                last_message: Some(message),
                last_activity_at: Timestamp::now(),
            }),
            me: Mine {
                role: Role::Member,
                read_seq: 0,
                rev: 1,
                pinned: false,
                muted: false,
                archived: false,
                notify: Notify::All,
                history_from: 1,
            },
            unread: Unread::default(),
        }
    }

    #[test]
    fn a_session_that_does_not_look_keeps_all_keys_and_few_bytes() {
        let mut marks = RowMarks::default();
        let ids: Vec<_> = (0..10_000).map(|_| ConversationId::new()).collect();
        for id in &ids {
            marks.mark(*id, known(*id, 8_000));
            marks.mark(*id, known(*id, 4_000));
        }
        let bytes: usize = marks.iter().map(|(_, mark)| mark.bytes()).sum();
        assert_eq!(marks.known_bytes, bytes);
        assert!(bytes <= KNOWN_BYTES, "{bytes}");
        assert_eq!(marks.len(), ids.len());
        for id in &ids {
            assert!(marks.remove(*id).is_some());
        }
        assert_eq!(marks.known_bytes, 0);
    }

    #[test]
    fn a_change_sets_aside_what_was_known_and_not_the_other_way_round() {
        let id = ConversationId::new();
        let mut marks = RowMarks::default();
        marks.mark(id, known(id, 10));
        marks.mark(id, RowMark::Changed);
        marks.mark(id, known(id, 10));
        assert!(matches!(marks.remove(id), Some(RowMark::Changed)));
        assert!(marks.is_news());
        marks.settle_news();
        assert!(!marks.is_news());
    }
}
