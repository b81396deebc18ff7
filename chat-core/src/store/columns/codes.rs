//! The numbers that stand for kinds, roles and settings in the SQL stores.

use uuid::Uuid;

use super::corrupt;
use crate::{
    model::{Availability, ConversationKind, History, Notify, Role},
    store::StoreError,
};

pub(super) const NEW_MESSAGE: i64 = 0;
pub(super) const MEMBER_JOINED: i64 = 1;
pub(super) const MEMBER_LEFT: i64 = 2;
pub(super) const MEMBER_ROLE: i64 = 3;
pub(super) const CONVERSATION_RENAMED: i64 = 4;
pub(super) const MESSAGE_EDITED: i64 = 5;
pub(super) const MESSAGE_DELETED: i64 = 6;
pub(super) const REACTION_ADDED: i64 = 7;
pub(super) const REACTION_REMOVED: i64 = 8;
pub(super) const MESSAGE_PINNED: i64 = 9;
pub(super) const MESSAGE_UNPINNED: i64 = 10;
pub(super) const CONVERSATION_TOPIC: i64 = 11;
pub(super) const CONVERSATION_HISTORY: i64 = 12;
pub(super) const CONVERSATION_DELETED: i64 = 13;

/// The user that stands for everyone among those who are called by a message.
pub(in crate::store) const EVERYONE: Uuid = Uuid::nil();

pub(in crate::store) fn kind_code(kind: ConversationKind) -> i64 {
    match kind {
        ConversationKind::Direct => 0,
        ConversationKind::Group => 1,
    }
}

pub(in crate::store) fn role_code(role: Role) -> i64 {
    match role {
        Role::Member => 0,
        Role::Admin => 1,
        Role::Owner => 2,
    }
}

pub(in crate::store) fn history_code(history: History) -> i64 {
    match history {
        History::Shared => 0,
        History::FromJoin => 1,
    }
}

pub(in crate::store) fn notify_code(notify: Notify) -> i64 {
    match notify {
        Notify::All => 0,
        Notify::Mentions => 1,
        Notify::Nothing => 2,
    }
}

/// `Idle`, which is a device's and not kept, is as `Online`.
pub(in crate::store) fn availability_code(availability: Availability) -> i64 {
    match availability {
        Availability::Online | Availability::Idle => 0,
        Availability::Dnd => 1,
        Availability::Invisible => 2,
    }
}

/// The role of this code in that column.
pub(in crate::store) fn role(column: &str, code: i64) -> Result<Role, StoreError> {
    match code {
        0 => Ok(Role::Member),
        1 => Ok(Role::Admin),
        2 => Ok(Role::Owner),
        code => Err(corrupt(column, code)),
    }
}

/// What makes itself heard by this code in that column.
pub(in crate::store) fn notify(column: &str, code: i64) -> Result<Notify, StoreError> {
    match code {
        0 => Ok(Notify::All),
        1 => Ok(Notify::Mentions),
        2 => Ok(Notify::Nothing),
        code => Err(corrupt(column, code)),
    }
}
