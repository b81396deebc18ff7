//! Writes, as short as the checks want them.

use crate::{
    model::{
        ClientId, ConversationId, Draft, Emoji, History, MessageId, MineChanges, Role, Seq,
        Timestamp, Title, Topic, UserId,
    },
    store::{Act, Mentions, Write},
};

/// A point in time, the same in every run.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

pub(super) fn write(conversation_id: ConversationId, author: UserId, act: Act) -> Write {
    Write {
        conversation_id,
        author,
        at: at(0),
        act,
    }
}

pub(super) fn send(conversation: ConversationId, author: UserId, body: &str) -> Write {
    send_as(conversation, author, ClientId::new(), body, None)
}

pub(super) fn send_as(
    conversation: ConversationId,
    author: UserId,
    client_id: ClientId,
    body: &str,
    reply_to: Option<MessageId>,
) -> Write {
    let draft = Draft {
        client_id,
        body: body.to_owned(),
        reply_to,
    };
    let id = MessageId::new();
    write(
        conversation,
        author,
        Act::Send {
            id,
            draft,
            mentions: Mentions::default(),
        },
    )
}

/// The write, as one that calls these by name.
pub(super) fn calling(mut write: Write, users: &[UserId]) -> Write {
    if let Act::Send { mentions, .. } | Act::EditMessage { mentions, .. } = &mut write.act {
        mentions.users = users.to_vec();
    }
    write
}

/// The write, as one that calls everyone.
pub(super) fn calling_everyone(mut write: Write) -> Write {
    if let Act::Send { mentions, .. } | Act::EditMessage { mentions, .. } = &mut write.act {
        mentions.everyone = true;
    }
    write
}

/// The write, at another time.
pub(super) fn later(mut write: Write, millis: i64) -> Write {
    write.at = at(millis);
    write
}

pub(super) fn edit(
    conversation: ConversationId,
    author: UserId,
    message_id: MessageId,
    body: &str,
) -> Write {
    let (body, mentions) = (body.to_owned(), Mentions::default());
    write(
        conversation,
        author,
        Act::EditMessage {
            message_id,
            body,
            mentions,
        },
    )
}

pub(super) fn delete(conversation: ConversationId, author: UserId, message_id: MessageId) -> Write {
    write(conversation, author, Act::DeleteMessage { message_id })
}

pub(super) fn react(
    conversation: ConversationId,
    author: UserId,
    message_id: MessageId,
    text: &str,
) -> Write {
    let emoji = emoji(text);
    write(conversation, author, Act::React { message_id, emoji })
}

pub(super) fn unreact(
    conversation: ConversationId,
    author: UserId,
    message_id: MessageId,
    text: &str,
) -> Write {
    let emoji = emoji(text);
    write(conversation, author, Act::Unreact { message_id, emoji })
}

pub(super) fn pin(
    conversation: ConversationId,
    author: UserId,
    message_id: MessageId,
    pinned: bool,
) -> Write {
    write(conversation, author, Act::Pin { message_id, pinned })
}

pub(super) fn emoji(text: &str) -> Emoji {
    Emoji::try_from(text.to_owned()).unwrap()
}

pub(super) fn create(conversation: ConversationId, owner: UserId, members: &[UserId]) -> Write {
    let members = members.to_vec();
    let title = title("Tea");
    write(
        conversation,
        owner,
        Act::CreateGroup {
            title,
            topic: None,
            history: History::Shared,
            members,
        },
    )
}

/// A group that shows what happens after somebody joins.
pub(super) fn create_discreet(
    conversation: ConversationId,
    owner: UserId,
    members: &[UserId],
) -> Write {
    let mut write = create(conversation, owner, members);
    if let Act::CreateGroup { history, .. } = &mut write.act {
        *history = History::FromJoin;
    }
    write
}

pub(super) fn put(
    conversation: ConversationId,
    author: UserId,
    user_id: UserId,
    role: Option<Role>,
) -> Write {
    write(conversation, author, Act::PutMember { user_id, role })
}

pub(super) fn remove(conversation: ConversationId, author: UserId, user_id: UserId) -> Write {
    write(
        conversation,
        author,
        Act::RemoveMember {
            user_id,
            ban: false,
        },
    )
}

pub(super) fn ban(conversation: ConversationId, author: UserId, user_id: UserId) -> Write {
    write(
        conversation,
        author,
        Act::RemoveMember { user_id, ban: true },
    )
}

pub(super) fn lift(conversation: ConversationId, author: UserId, user_id: UserId) -> Write {
    write(conversation, author, Act::LiftBan { user_id })
}

pub(super) fn rename(conversation: ConversationId, author: UserId, title: &str) -> Write {
    update(conversation, author, Some(title), None, None)
}

pub(super) fn set_history(conversation: ConversationId, author: UserId, history: History) -> Write {
    update(conversation, author, None, None, Some(history))
}

#[expect(clippy::option_option, reason = "as in the act itself")]
pub(super) fn update(
    conversation: ConversationId,
    author: UserId,
    to: Option<&str>,
    about: Option<Option<&str>>,
    history: Option<History>,
) -> Write {
    let topic = |text: &str| Topic::try_from(text.to_owned()).unwrap();
    write(
        conversation,
        author,
        Act::Update {
            title: to.map(title),
            topic: about.map(|about| about.map(topic)),
            history,
        },
    )
}

pub(super) fn update_mine(
    conversation: ConversationId,
    author: UserId,
    changes: MineChanges,
) -> Write {
    write(conversation, author, Act::UpdateMine { changes })
}

pub(super) fn mark_read(conversation: ConversationId, author: UserId, seq: Seq) -> Write {
    write(conversation, author, Act::MarkRead { seq, shown: true })
}

pub(super) fn mark_read_privately(conversation: ConversationId, author: UserId, seq: Seq) -> Write {
    write(conversation, author, Act::MarkRead { seq, shown: false })
}

pub(super) fn mark_unread(conversation: ConversationId, author: UserId, seq: Seq) -> Write {
    write(conversation, author, Act::MarkUnread { seq })
}

pub(super) fn mark_delivered(conversation: ConversationId, author: UserId, seq: Seq) -> Write {
    write(conversation, author, Act::MarkDelivered { seq })
}

pub(super) fn title(text: &str) -> Title {
    Title::try_from(text.to_owned()).unwrap()
}
