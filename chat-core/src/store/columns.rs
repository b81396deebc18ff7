//! What the columns of the SQL stores mean: from the model to them, and back.

use uuid::Uuid;

use super::{
    StoreError, StoredRow,
    decide::{Head, Place},
};
use crate::model::{
    Change, ClientId, Conversation, ConversationId, ConversationKind, Entry, Membership, Message,
    MessageId, Mine, Role, Row, Seq, Timestamp, Unread, UserId,
};

const NEW_MESSAGE: i64 = 0;
const MEMBER_JOINED: i64 = 1;
const MEMBER_LEFT: i64 = 2;
const MEMBER_ROLE: i64 = 3;
const CONVERSATION_RENAMED: i64 = 4;

pub(super) fn kind_code(kind: ConversationKind) -> i64 {
    match kind {
        ConversationKind::Direct => 0,
        ConversationKind::Group => 1,
    }
}

pub(super) fn role_code(role: Role) -> i64 {
    match role {
        Role::Member => 0,
        Role::Admin => 1,
        Role::Owner => 2,
    }
}

/// A number for a database, whose greatest is beyond any that exists.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The two users of a direct conversation as its key: whoever asks, it is the same.
pub(super) fn direct_pair(a: UserId, b: UserId) -> Vec<u8> {
    let (low, high) = (a.min(b), a.max(b));
    [low.as_uuid().into_bytes(), high.as_uuid().into_bytes()].concat()
}

/// An entry as a row of `chat_entries`.
pub(super) struct EntryRecord<'e> {
    pub(super) conversation_id: Uuid,
    pub(super) seq: i64,
    pub(super) kind: i64,
    pub(super) at: i64,
    pub(super) author_id: Uuid,
    pub(super) message_id: Option<Uuid>,
    pub(super) client_id: Option<Uuid>,
    pub(super) body: Option<&'e str>,
    pub(super) reply_to: Option<Uuid>,
    pub(super) user_id: Option<Uuid>,
    pub(super) role: Option<i64>,
    pub(super) title: Option<&'e str>,
}

impl<'e> EntryRecord<'e> {
    pub(super) fn new(entry: &'e Entry) -> Self {
        let (kind, author) = match &entry.change {
            Change::NewMessage { message } => (NEW_MESSAGE, message.sender_id),
            Change::MemberJoined { by, .. } => (MEMBER_JOINED, *by),
            Change::MemberLeft { by, .. } => (MEMBER_LEFT, *by),
            Change::MemberRole { by, .. } => (MEMBER_ROLE, *by),
            Change::ConversationRenamed { by, .. } => (CONVERSATION_RENAMED, *by),
        };
        let message = entry.message();
        let (user, role) = match entry.change {
            Change::MemberJoined { user_id, role, .. }
            | Change::MemberRole { user_id, role, .. } => (Some(user_id), Some(role)),
            Change::MemberLeft { user_id, .. } => (Some(user_id), None),
            _ => (None, None),
        };
        let title = match &entry.change {
            Change::ConversationRenamed { title, .. } => Some(title.as_str()),
            _ => None,
        };
        Self {
            conversation_id: entry.conversation_id.as_uuid(),
            seq: number(entry.seq),
            kind,
            at: entry.at.as_millis(),
            author_id: author.as_uuid(),
            message_id: message.map(|message| message.id.as_uuid()),
            client_id: message.map(|message| message.client_id.as_uuid()),
            body: message.map(|message| message.body.as_str()),
            reply_to: message
                .and_then(|message| message.reply_to)
                .map(MessageId::as_uuid),
            user_id: user.map(UserId::as_uuid),
            role: role.map(role_code),
            title,
        }
    }
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

    fn entry(&self) -> Result<Entry, StoreError> {
        let by = self.user_id("author_id")?;
        let change = match self.code("kind")? {
            NEW_MESSAGE => Change::NewMessage {
                message: self.message()?,
            },
            MEMBER_JOINED => Change::MemberJoined {
                user_id: self.user_id("user_id")?,
                role: self.role("role")?,
                by,
            },
            MEMBER_LEFT => Change::MemberLeft {
                user_id: self.user_id("user_id")?,
                by,
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
            code => return Err(corrupt("kind", code)),
        };
        Ok(Entry {
            conversation_id: self.conversation_id("conversation_id")?,
            seq: self.number("seq")?,
            at: self.time("at")?,
            change,
        })
    }

    fn message(&self) -> Result<Message, StoreError> {
        let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        Ok(Message {
            id: self.message_id("message_id")?,
            conversation_id: self.conversation_id("conversation_id")?,
            seq: self.number("seq")?,
            sender_id: self.user_id("author_id")?,
            client_id: present("client_id", self.uuid("client_id")?).map(ClientId::from_uuid)?,
            body: present("body", self.text("body")?)?,
            reply_to: self.uuid("reply_to")?.map(MessageId::from_uuid),
            mentions: Vec::new(),
            reactions: Vec::new(),
            created_at: self.time("at")?,
            edited_at: time(self.integer("edited_at")?),
            deleted_at: time(self.integer("deleted_at")?),
        })
    }

    /// A conversation, as far as a batch depends on it.
    fn head(&self) -> Result<Head, StoreError> {
        Ok(Head {
            kind: self.kind("kind")?,
            title: self.text("title")?,
            seq: self.number("head_seq")?,
            last_message_seq: self.number("last_message_seq")?,
            last_activity_at: self.time("last_activity_at")?,
            members: self.number("member_count")?,
            owners: self.number("owner_count")?,
            changed: false,
        })
    }

    /// A member, as far as a batch depends on them.
    fn place(&self) -> Result<Place, StoreError> {
        Ok(Place {
            role: self.role("role")?,
            active: self.is("active")?,
            read_seq: self.number("read_seq")?,
            rev: self.number("rev")?,
            changed: false,
        })
    }

    fn membership(&self) -> Result<Membership, StoreError> {
        Ok(Membership {
            user_id: self.user_id("user_id")?,
            role: self.role("role")?,
            read_seq: self.number("read_seq")?,
        })
    }

    /// A row of `user`'s list.
    fn row(&self, user: UserId) -> Result<StoredRow, StoreError> {
        let peer_id = match self.bytes("direct_pair")? {
            Some(pair) => Some(peer_in(&pair, user)?),
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
    fn conversation(&self) -> Result<Conversation, StoreError> {
        let last_message = match self.integer("seq")? {
            Some(_) => Some(self.message()?),
            None => None,
        };
        Ok(Conversation {
            id: self.conversation_id("row_id")?,
            kind: self.kind("conversation_kind")?,
            title: self.text("conversation_title")?,
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
        })
    }
}

/// The role of this code in that column.
pub(super) fn role(column: &str, code: i64) -> Result<Role, StoreError> {
    match code {
        0 => Ok(Role::Member),
        1 => Ok(Role::Admin),
        2 => Ok(Role::Owner),
        code => Err(corrupt(column, code)),
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

fn present<T>(column: &str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| corrupt(column, "NULL"))
}

pub(super) fn corrupt(column: &str, value: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("column {column} has the value {value}"))
}
