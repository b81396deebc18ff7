//! What the columns of the SQL stores mean: from the model to them, and back.

mod codes;
mod records;

use codes::{
    CONVERSATION_DELETED, CONVERSATION_HISTORY, CONVERSATION_RENAMED, CONVERSATION_TOPIC,
    MEMBER_JOINED, MEMBER_LEFT, MEMBER_ROLE, MESSAGE_DELETED, MESSAGE_EDITED, MESSAGE_PINNED,
    MESSAGE_UNPINNED, NEW_MESSAGE, REACTION_ADDED, REACTION_REMOVED,
};
pub(super) use codes::{
    availability_code, history_code, kind_code, notify, notify_code, role, role_code,
};
pub(super) use records::{EntryRecord, MessageRecord, called_by};
use uuid::Uuid;

use super::{
    StoreError, StoredRow,
    decide::{BodyDigest, Head, Place},
};
use crate::model::{
    Availability, Change, ClientId, Conversation, ConversationId, ConversationKind, Emoji, Entry,
    History, Membership, Message, MessageId, Mine, Notify, Reaction, Role, Row, Seq, Settings,
    Timestamp, Unread, UserId,
};

#[cfg(feature = "postgres")]
use crate::model::NodeId;

/// A number for a database, whose greatest is beyond any that exists.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The two users of a direct conversation as its key: whoever asks, it is the same.
pub(super) fn direct_pair(a: UserId, b: UserId) -> Vec<u8> {
    let (low, high) = (a.min(b), a.max(b));
    [low.as_uuid().into_bytes(), high.as_uuid().into_bytes()].concat()
}

/// The columns of one row, by name. What was never written there is an error, not a guess.
pub(super) trait Columns {
    fn integer(&self, column: &str) -> Result<Option<i64>, StoreError>;
    fn truth(&self, column: &str) -> Result<Option<bool>, StoreError>;
    fn uuid(&self, column: &str) -> Result<Option<Uuid>, StoreError>;
    fn text(&self, column: &str) -> Result<Option<String>, StoreError>;
    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError>;

    fn is(&self, column: &str) -> Result<bool, StoreError> {
        present(column, self.truth(column)?)
    }

    fn conversation_id(&self, column: &str) -> Result<ConversationId, StoreError> {
        present(column, self.uuid(column)?).map(ConversationId::from_uuid)
    }

    fn message_id(&self, column: &str) -> Result<MessageId, StoreError> {
        present(column, self.uuid(column)?).map(MessageId::from_uuid)
    }

    fn user_id(&self, column: &str) -> Result<UserId, StoreError> {
        present(column, self.uuid(column)?).map(UserId::from_uuid)
    }

    #[cfg(feature = "postgres")]
    fn node_id(&self, column: &str) -> Result<NodeId, StoreError> {
        present(column, self.uuid(column)?).map(NodeId::from_uuid)
    }

    fn code(&self, column: &str) -> Result<i64, StoreError> {
        present(column, self.integer(column)?)
    }

    /// A `seq`, a `rev` or a count.
    fn number(&self, column: &str) -> Result<u64, StoreError> {
        let number = self.code(column)?;
        u64::try_from(number)
            .ok()
            .ok_or_else(|| corrupt(column, number))
    }

    fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        self.code(column).map(Timestamp::from_millis)
    }

    fn role(&self, column: &str) -> Result<Role, StoreError> {
        role(column, self.code(column)?)
    }

    fn kind(&self, column: &str) -> Result<ConversationKind, StoreError> {
        match self.code(column)? {
            0 => Ok(ConversationKind::Direct),
            1 => Ok(ConversationKind::Group),
            code => Err(corrupt(column, code)),
        }
    }

    fn history(&self, column: &str) -> Result<History, StoreError> {
        match self.code(column)? {
            0 => Ok(History::Shared),
            1 => Ok(History::FromJoin),
            code => Err(corrupt(column, code)),
        }
    }

    fn notify(&self, column: &str) -> Result<Notify, StoreError> {
        notify(column, self.code(column)?)
    }

    fn emoji(&self, column: &str) -> Result<Emoji, StoreError> {
        let text = present(column, self.text(column)?)?;
        Emoji::try_from(text).map_err(|what| corrupt(column, what))
    }

    /// An entry: its own columns with `entry_` before their names where a message has them too, and beside them the message
    /// that it is or changes.
    fn entry(&self) -> Result<Entry, StoreError> {
        let by = self.user_id("entry_author_id")?;
        let change = match self.code("entry_kind")? {
            NEW_MESSAGE => Change::NewMessage {
                message: self.message()?,
            },
            MESSAGE_EDITED => Change::MessageEdited {
                message: self.message()?,
            },
            MESSAGE_DELETED => Change::MessageDeleted {
                message: self.message()?,
                by,
            },
            REACTION_ADDED => {
                let (message_id, message_seq, reaction) = self.reaction()?;
                Change::ReactionAdded {
                    message_id,
                    message_seq,
                    user_id: by,
                    reaction,
                }
            }
            REACTION_REMOVED => {
                let (message_id, message_seq, reaction) = self.reaction()?;
                Change::ReactionRemoved {
                    message_id,
                    message_seq,
                    user_id: by,
                    reaction,
                }
            }
            MESSAGE_PINNED => Change::MessagePinned {
                message: self.message()?,
                by,
            },
            MESSAGE_UNPINNED => Change::MessageUnpinned {
                message: self.message()?,
                by,
            },
            MEMBER_JOINED => Change::MemberJoined {
                user_id: self.user_id("user_id")?,
                role: self.role("role")?,
                by,
            },
            MEMBER_LEFT => Change::MemberLeft {
                user_id: self.user_id("user_id")?,
                by,
                banned: self.truth("banned")?.unwrap_or_default(),
            },
            MEMBER_ROLE => Change::MemberRole {
                user_id: self.user_id("user_id")?,
                role: self.role("role")?,
                by,
            },
            CONVERSATION_RENAMED => Change::ConversationRenamed {
                title: present("title", self.text("title")?)?,
                by,
            },
            CONVERSATION_TOPIC => Change::ConversationTopic {
                topic: self.text("title")?,
                by,
            },
            CONVERSATION_HISTORY => Change::ConversationHistory {
                history: self.history("history")?,
                by,
            },
            CONVERSATION_DELETED => Change::ConversationDeleted { by },
            code => return Err(corrupt("kind", code)),
        };
        Ok(Entry {
            conversation_id: self.conversation_id("entry_conversation_id")?,
            seq: self.number("entry_seq")?,
            at: self.time("entry_at")?,
            change,
        })
    }

    /// The reactions that an entry is about, as they are now.
    fn reaction(&self) -> Result<(MessageId, Seq, Reaction), StoreError> {
        let message = self.message()?;
        let reaction = message.reaction(&self.emoji("emoji")?);
        Ok((message.id, message.seq, reaction))
    }

    fn message(&self) -> Result<Message, StoreError> {
        let time = |column| Ok::<_, StoreError>(self.integer(column)?.map(Timestamp::from_millis));
        let reactions = match self.text("reactions")? {
            None => Vec::new(),
            Some(json) => {
                serde_json::from_str(&json).map_err(|error| corrupt("reactions", error))?
            }
        };
        let mentions = self.bytes("mentions")?.unwrap_or_default();
        let mention = |id: &[u8]| {
            let id = Uuid::from_slice(id).map_err(|error| corrupt("mentions", error))?;
            Ok(UserId::from_uuid(id))
        };
        Ok(Message {
            id: self.message_id("message_id")?,
            conversation_id: self.conversation_id("conversation_id")?,
            seq: self.number("seq")?,
            sender_id: self.user_id("author_id")?,
            client_id: present("client_id", self.uuid("client_id")?).map(ClientId::from_uuid)?,
            body: present("body", self.text("body")?)?,
            reply_to: self.uuid("reply_to")?.map(MessageId::from_uuid),
            mentions: mentions
                .chunks(16)
                .map(mention)
                .collect::<Result<_, StoreError>>()?,
            mentions_everyone: self.truth("mentions_everyone")?.unwrap_or_default(),
            reactions,
            created_at: self.time("at")?,
            edited_at: time("edited_at")?,
            deleted_at: time("deleted_at")?,
            pinned_at: time("pinned_at")?,
            changed_seq: self.number("changed_seq")?,
        })
    }

    /// What a message's text was when it was sent, if that is no longer its text.
    fn sent_digest(&self) -> Result<Option<BodyDigest>, StoreError> {
        let Some(digest) = self.bytes("sent_digest")? else {
            return Ok(None);
        };
        let digest = digest.try_into();
        digest
            .map(Some)
            .map_err(|digest: Vec<u8>| corrupt("sent_digest", digest.len()))
    }

    /// A conversation, as far as a batch depends on it.
    fn head(&self) -> Result<Head, StoreError> {
        Ok(Head {
            kind: self.kind("kind")?,
            title: self.text("title")?,
            topic: self.text("topic")?,
            history: self.history("history")?,
            deleted: false,
            seq: self.number("head_seq")?,
            last_message_seq: self.number("last_message_seq")?,
            last_activity_at: self.time("last_activity_at")?,
            members: self.number("member_count")?,
            owners: self.number("owner_count")?,
            blockers: self.blockers()?,
            changed: false,
        })
    }

    /// Who of the two of a direct conversation has blocked the other.
    fn blockers(&self) -> Result<Vec<UserId>, StoreError> {
        let Some(pair) = self.bytes("direct_pair")? else {
            return Ok(Vec::new());
        };
        let (low, high) = pair_of(&pair)?;
        let blocks = [(low, "low_blocks"), (high, "high_blocks")];
        let mut blockers = Vec::new();
        for (user, column) in blocks {
            if self.truth(column)?.unwrap_or_default() {
                blockers.push(user);
            }
        }
        Ok(blockers)
    }

    /// A member, as far as a batch depends on them.
    fn place(&self) -> Result<Place, StoreError> {
        Ok(Place {
            role: self.role("role")?,
            active: self.is("active")?,
            banned: self.is("banned")?,
            read_seq: self.number("read_seq")?,
            shown_seq: self.number("shown_seq")?,
            delivered_seq: self.number("delivered_seq")?,
            history_from: self.number("history_from")?,
            rev: self.number("rev")?,
            pinned: self.is("pinned")?,
            muted: self.is("muted")?,
            archived: self.is("archived")?,
            notify: self.notify("notify")?,
            changed: false,
        })
    }

    fn membership(&self) -> Result<Membership, StoreError> {
        Ok(Membership {
            user_id: self.user_id("user_id")?,
            role: self.role("role")?,
            read_seq: self.number("read_seq")?,
            shown_seq: self.number("shown_seq")?,
            delivered_seq: self.number("delivered_seq")?,
            history_from: self.number("history_from")?,
        })
    }

    /// What a user lets others know.
    fn settings(&self) -> Result<Settings, StoreError> {
        Ok(Settings {
            read_receipts: self.is("read_receipts")?,
            typing: self.is("typing")?,
            availability: match self.code("availability")? {
                0 => Availability::Online,
                1 => Availability::Dnd,
                2 => Availability::Invisible,
                code => return Err(corrupt("availability", code)),
            },
        })
    }

    /// A row of `user`'s list.
    fn row(&self, user: UserId) -> Result<StoredRow, StoreError> {
        let peer_id = match self.bytes("direct_pair")? {
            Some(pair) => Some(peer_in(&pair, user)?),
            None => None,
        };
        let unread = self.number("unread")?;
        #[cfg(any(test, feature = "bugs"))]
        let unread = crate::bug::double_unread(unread);
        let row = Row {
            conversation: self.conversation()?,
            me: self.mine()?,
            unread: Unread::from_count(unread, self.number("unread_mentions")?),
        };
        Ok(StoredRow { row, peer_id })
    }

    /// The half of a row that all members share, with the columns of the newest message beside it.
    fn conversation(&self) -> Result<Conversation, StoreError> {
        let last_message = match self.integer("seq")? {
            Some(_) => Some(self.message()?),
            None => None,
        };
        Ok(Conversation {
            id: self.conversation_id("row_id")?,
            kind: self.kind("conversation_kind")?,
            title: self.text("conversation_title")?,
            topic: self.text("conversation_topic")?,
            history: self.history("conversation_history")?,
            peer: None,
            member_count: self.number("member_count")?,
            head_seq: self.number("head_seq")?,
            last_message,
            last_activity_at: self.time("last_activity_at")?,
        })
    }

    /// The half of a row that is a member's own.
    fn mine(&self) -> Result<Mine, StoreError> {
        Ok(Mine {
            role: self.role("my_role")?,
            read_seq: self.number("read_seq")?,
            rev: self.number("rev")?,
            pinned: self.is("pinned")?,
            muted: self.is("muted")?,
            archived: self.is("archived")?,
            notify: self.notify("notify")?,
            history_from: self.number("history_from")?,
        })
    }
}

fn peer_in(pair: &[u8], user: UserId) -> Result<UserId, StoreError> {
    match pair_of(pair)? {
        (low, high) if low == user => Ok(high),
        (low, high) if high == user => Ok(low),
        _ => Err(corrupt("direct_pair", format_args!("{pair:02x?}"))),
    }
}

/// The two users of a direct conversation, the smaller first.
fn pair_of(pair: &[u8]) -> Result<(UserId, UserId), StoreError> {
    let halves = pair.split_at_checked(16);
    let ids = halves.and_then(|(low, high)| {
        let id = |half| Uuid::from_slice(half).ok().map(UserId::from_uuid);
        Some((id(low)?, id(high)?))
    });
    ids.ok_or_else(|| corrupt("direct_pair", format_args!("{pair:02x?}")))
}

/// Checks that entries which should follow `after` do so without a hole.
pub(super) fn check_dense(entries: &[Entry], after: Seq) -> Result<(), StoreError> {
    let expected = entries.iter().zip(after.saturating_add(1)..);
    for (entry, seq) in expected {
        if entry.seq != seq {
            return Err(corrupt("seq", entry.seq));
        }
    }
    Ok(())
}

fn present<T>(column: &str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| corrupt(column, "NULL"))
}

pub(super) fn corrupt(column: &str, value: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("column {column} has the value {value}"))
}
