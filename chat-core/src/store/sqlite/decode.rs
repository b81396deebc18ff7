//! From columns to the model; what was never written there is an error, not a guess.

use sqlx::{Decode, Row as _, Sqlite, Type, sqlite::SqliteRow};
use uuid::Uuid;

use super::{encode, error::store_error};
use crate::{
    model::{
        Change, ClientId, Conversation, ConversationId, ConversationKind, Entry, Membership,
        Message, MessageId, Mine, Role, Row, Seq, Timestamp, Unread, UserId,
    },
    store::{StoreError, StoredRow},
};

/// Reads the columns of one row by name.
pub(super) struct Columns<'r>(pub(super) &'r SqliteRow);

impl<'r> Columns<'r> {
    pub(super) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &self,
        column: &str,
    ) -> Result<T, StoreError> {
        // Asked for a bare value, the driver reads NULL as 0 or as the empty text.
        let value = self.optional(column)?;
        value.ok_or_else(|| corrupt(column, "NULL"))
    }

    pub(super) fn optional<T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        self.0.try_get(column).map_err(store_error)
    }

    pub(super) fn conversation_id(&self, column: &str) -> Result<ConversationId, StoreError> {
        Ok(ConversationId::from_uuid(self.get(column)?))
    }

    pub(super) fn user_id(&self, column: &str) -> Result<UserId, StoreError> {
        Ok(UserId::from_uuid(self.get(column)?))
    }

    /// A `seq`, a `rev` or a count.
    pub(super) fn number(&self, column: &str) -> Result<u64, StoreError> {
        let number: i64 = self.get(column)?;
        u64::try_from(number)
            .ok()
            .ok_or_else(|| corrupt(column, number))
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.get(column)?))
    }

    pub(super) fn role(&self, column: &str) -> Result<Role, StoreError> {
        match self.get(column)? {
            0 => Ok(Role::Member),
            1 => Ok(Role::Admin),
            2 => Ok(Role::Owner),
            code => Err(corrupt(column, code)),
        }
    }

    pub(super) fn kind(&self, column: &str) -> Result<ConversationKind, StoreError> {
        match self.get(column)? {
            0 => Ok(ConversationKind::Direct),
            1 => Ok(ConversationKind::Group),
            code => Err(corrupt(column, code)),
        }
    }

    pub(super) fn entry(&self) -> Result<Entry, StoreError> {
        let by = self.user_id("author_id")?;
        let change = match self.get("kind")? {
            encode::NEW_MESSAGE => Change::NewMessage {
                message: self.message()?,
            },
            encode::MEMBER_JOINED => Change::MemberJoined {
                user_id: self.user_id("user_id")?,
                role: self.role("role")?,
                by,
            },
            encode::MEMBER_LEFT => Change::MemberLeft {
                user_id: self.user_id("user_id")?,
                by,
            },
            encode::MEMBER_ROLE => Change::MemberRole {
                user_id: self.user_id("user_id")?,
                role: self.role("role")?,
                by,
            },
            encode::CONVERSATION_RENAMED => Change::ConversationRenamed {
                title: self.get("title")?,
                by,
            },
            code => return Err(corrupt("kind", code)),
        };
        Ok(Entry {
            conversation_id: self.conversation_id("conversation_id")?,
            seq: self.number("seq")?,
            at: self.time("at")?,
            change,
        })
    }

    pub(super) fn message(&self) -> Result<Message, StoreError> {
        let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        Ok(Message {
            id: MessageId::from_uuid(self.get("message_id")?),
            conversation_id: self.conversation_id("conversation_id")?,
            seq: self.number("seq")?,
            sender_id: self.user_id("author_id")?,
            client_id: ClientId::from_uuid(self.get("client_id")?),
            body: self.get("body")?,
            reply_to: self.optional("reply_to")?.map(MessageId::from_uuid),
            mentions: Vec::new(),
            reactions: Vec::new(),
            created_at: self.time("at")?,
            edited_at: time(self.optional("edited_at")?),
            deleted_at: time(self.optional("deleted_at")?),
        })
    }

    pub(super) fn membership(&self) -> Result<Membership, StoreError> {
        Ok(Membership {
            user_id: self.user_id("user_id")?,
            role: self.role("role")?,
            read_seq: self.number("read_seq")?,
        })
    }

    /// A row of `user`'s list.
    pub(super) fn row(&self, user: UserId) -> Result<StoredRow, StoreError> {
        let peer_id = match self.optional::<&[u8]>("direct_pair")? {
            Some(pair) => Some(peer_in(pair, user)?),
            None => None,
        };
        let row = Row {
            conversation: self.conversation()?,
            me: self.mine()?,
            unread: Unread::from_count(self.number("unread")?, 0),
        };
        Ok(StoredRow { row, peer_id })
    }

    /// The half of a row that all members share, with the columns of the newest message beside it.
    pub(super) fn conversation(&self) -> Result<Conversation, StoreError> {
        let last_message = match self.optional::<i64>("seq")? {
            Some(_) => Some(self.message()?),
            None => None,
        };
        Ok(Conversation {
            id: self.conversation_id("row_id")?,
            kind: self.kind("conversation_kind")?,
            title: self.optional("conversation_title")?,
            peer: None,
            member_count: self.number("member_count")?,
            head_seq: self.number("head_seq")?,
            last_message,
            last_activity_at: self.time("last_activity_at")?,
        })
    }

    /// The half of a row that is a member's own.
    pub(super) fn mine(&self) -> Result<Mine, StoreError> {
        Ok(Mine {
            role: self.role("my_role")?,
            read_seq: self.number("read_seq")?,
            rev: self.number("rev")?,
            pinned: self.get("pinned")?,
            muted: self.get("muted")?,
            archived: self.get("archived")?,
        })
    }
}

fn peer_in(pair: &[u8], user: UserId) -> Result<UserId, StoreError> {
    let halves = pair.split_at_checked(16);
    let ids = halves.and_then(|(low, high)| {
        let id = |half| Uuid::from_slice(half).ok().map(UserId::from_uuid);
        Some((id(low)?, id(high)?))
    });
    match ids {
        Some((low, high)) if low == user => Ok(high),
        Some((low, high)) if high == user => Ok(low),
        _ => Err(corrupt("direct_pair", format_args!("{pair:02x?}"))),
    }
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

fn corrupt(column: &str, value: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("column {column} has the value {value}"))
}
