//! What the columns of the SQL stores mean: from the model to them, and back.

use uuid::Uuid;

use super::{
    StoreError, StoredRow,
    decide::{BodyDigest, Head, Place, StoredMessage},
};
use crate::model::{
    Availability, Change, ClientId, Conversation, ConversationId, ConversationKind, Emoji, Entry,
    History, Membership, Message, MessageId, Mine, Notify, Reaction, Role, Row, Seq, Settings,
    Timestamp, Unread, UserId,
};

const NEW_MESSAGE: i64 = 0;
const MEMBER_JOINED: i64 = 1;
const MEMBER_LEFT: i64 = 2;
const MEMBER_ROLE: i64 = 3;
const CONVERSATION_RENAMED: i64 = 4;
const MESSAGE_EDITED: i64 = 5;
const MESSAGE_DELETED: i64 = 6;
const REACTION_ADDED: i64 = 7;
const REACTION_REMOVED: i64 = 8;
const MESSAGE_PINNED: i64 = 9;
const MESSAGE_UNPINNED: i64 = 10;
const CONVERSATION_TOPIC: i64 = 11;
const CONVERSATION_HISTORY: i64 = 12;
const CONVERSATION_DELETED: i64 = 13;

/// The user that stands for everyone among those who are called by a message.
pub(super) const EVERYONE: Uuid = Uuid::nil();

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

pub(super) fn history_code(history: History) -> i64 {
    match history {
        History::Shared => 0,
        History::FromJoin => 1,
    }
}

pub(super) fn notify_code(notify: Notify) -> i64 {
    match notify {
        Notify::All => 0,
        Notify::Mentions => 1,
        Notify::Nothing => 2,
    }
}

/// `Idle`, which is a device's and not kept, is as `Online`.
pub(super) fn availability_code(availability: Availability) -> i64 {
    match availability {
        Availability::Online | Availability::Idle => 0,
        Availability::Dnd => 1,
        Availability::Invisible => 2,
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
    pub(super) user_id: Option<Uuid>,
    pub(super) role: Option<i64>,
    /// A title or a topic.
    pub(super) title: Option<&'e str>,
    pub(super) history: Option<i64>,
    pub(super) banned: Option<bool>,
    /// The earlier message that it changes.
    pub(super) target_seq: Option<i64>,
    pub(super) emoji: Option<&'e str>,
    /// What makes it a message.
    pub(super) message: Option<MessageRecord<'e>>,
}

/// The columns of a message that can change, and those that cannot, in a row of `chat_entries`.
pub(super) struct MessageRecord<'m> {
    pub(super) conversation_id: Uuid,
    pub(super) seq: i64,
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "in SQLite, mentions are stored from the message")
    )]
    pub(super) author_id: Uuid,
    pub(super) message_id: Uuid,
    pub(super) client_id: Uuid,
    pub(super) body: &'m str,
    pub(super) reply_to: Option<Uuid>,
    pub(super) edited_at: Option<i64>,
    pub(super) deleted_at: Option<i64>,
    pub(super) pinned_at: Option<i64>,
    pub(super) changed_seq: i64,
    pub(super) sent_digest: Option<&'m [u8]>,
    /// Their ids one after the other.
    pub(super) mentions: Option<Vec<u8>>,
    pub(super) mentions_everyone: bool,
    /// JSON.
    pub(super) reactions: Option<String>,
}

impl<'e> EntryRecord<'e> {
    /// `message`: of a new message, how the batch leaves it.
    pub(super) fn new(entry: &'e Entry, message: Option<&'e StoredMessage>) -> Self {
        let change = &entry.change;
        let (kind, author) = match change {
            Change::NewMessage { message } => (NEW_MESSAGE, message.sender_id),
            Change::MessageEdited { message } => (MESSAGE_EDITED, message.sender_id),
            Change::MessageDeleted { by, .. } => (MESSAGE_DELETED, *by),
            Change::ReactionAdded { user_id, .. } => (REACTION_ADDED, *user_id),
            Change::ReactionRemoved { user_id, .. } => (REACTION_REMOVED, *user_id),
            Change::MessagePinned { by, .. } => (MESSAGE_PINNED, *by),
            Change::MessageUnpinned { by, .. } => (MESSAGE_UNPINNED, *by),
            Change::MemberJoined { by, .. } => (MEMBER_JOINED, *by),
            Change::MemberLeft { by, .. } => (MEMBER_LEFT, *by),
            Change::MemberRole { by, .. } => (MEMBER_ROLE, *by),
            Change::ConversationRenamed { by, .. } => (CONVERSATION_RENAMED, *by),
            Change::ConversationTopic { by, .. } => (CONVERSATION_TOPIC, *by),
            Change::ConversationHistory { by, .. } => (CONVERSATION_HISTORY, *by),
            // What is hidden from a reader is in no store.
            Change::ConversationDeleted { by } => (CONVERSATION_DELETED, *by),
            Change::Hidden {} => (-1, UserId::from_uuid(EVERYONE)),
        };
        let (user, role) = match *change {
            Change::MemberJoined { user_id, role, .. }
            | Change::MemberRole { user_id, role, .. } => (Some(user_id), Some(role)),
            Change::MemberLeft { user_id, .. } => (Some(user_id), None),
            _ => (None, None),
        };
        let title = match change {
            Change::ConversationRenamed { title, .. } => Some(title.as_str()),
            Change::ConversationTopic { topic, .. } => topic.as_deref(),
            _ => None,
        };
        let emoji = match change {
            Change::ReactionAdded { reaction, .. } | Change::ReactionRemoved { reaction, .. } => {
                Some(reaction.emoji.as_str())
            }
            _ => None,
        };
        Self {
            conversation_id: entry.conversation_id.as_uuid(),
            seq: number(entry.seq),
            kind,
            at: entry.at.as_millis(),
            author_id: author.as_uuid(),
            user_id: user.map(UserId::as_uuid),
            role: role.map(role_code),
            title,
            history: match *change {
                Change::ConversationHistory { history, .. } => Some(history_code(history)),
                _ => None,
            },
            banned: match *change {
                Change::MemberLeft { banned, .. } => Some(banned),
                _ => None,
            },
            target_seq: entry.about().map(number),
            emoji,
            message: message.map(MessageRecord::new),
        }
    }
}

impl<'m> MessageRecord<'m> {
    pub(super) fn new(stored: &'m StoredMessage) -> Self {
        let message = &stored.message;
        let millis = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        let mentions = message.mentions.iter();
        let mentions: Vec<u8> = mentions.flat_map(|id| id.as_uuid().into_bytes()).collect();
        Self {
            conversation_id: message.conversation_id.as_uuid(),
            seq: number(message.seq),
            author_id: message.sender_id.as_uuid(),
            message_id: message.id.as_uuid(),
            client_id: message.client_id.as_uuid(),
            body: &message.body,
            reply_to: message.reply_to.map(MessageId::as_uuid),
            edited_at: millis(message.edited_at),
            deleted_at: millis(message.deleted_at),
            pinned_at: millis(message.pinned_at),
            changed_seq: number(message.changed_seq),
            sent_digest: stored.sent_digest.as_ref().map(BodyDigest::as_slice),
            mentions: Some(mentions).filter(|mentions| !mentions.is_empty()),
            mentions_everyone: message.mentions_everyone,
            reactions: json_of(&message.reactions),
        }
    }
}

/// Whom a message calls, as the rows of `chat_mentions` say it: everyone, or one by one.
pub(super) fn called_by(message: &Message) -> Vec<Uuid> {
    if message.mentions_everyone {
        return vec![EVERYONE];
    }
    message.mentions.iter().map(|id| id.as_uuid()).collect()
}

fn json_of(reactions: &[Reaction]) -> Option<String> {
    if reactions.is_empty() {
        return None;
    }
    serde_json::to_string(reactions).ok()
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
        let row = Row {
            conversation: self.conversation()?,
            me: self.mine()?,
            unread: Unread::from_count(self.number("unread")?, self.number("unread_mentions")?),
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

/// The role of this code in that column.
pub(super) fn role(column: &str, code: i64) -> Result<Role, StoreError> {
    match code {
        0 => Ok(Role::Member),
        1 => Ok(Role::Admin),
        2 => Ok(Role::Owner),
        code => Err(corrupt(column, code)),
    }
}

/// What makes itself heard by this code in that column.
pub(super) fn notify(column: &str, code: i64) -> Result<Notify, StoreError> {
    match code {
        0 => Ok(Notify::All),
        1 => Ok(Notify::Mentions),
        2 => Ok(Notify::Nothing),
        code => Err(corrupt(column, code)),
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
