//! From the model to parameters: codes, ids, and lists as one parameter.

use serde_json::Value;
use uuid::Uuid;

use crate::model::{ConversationKind, Role, UserId};

pub(super) const NEW_MESSAGE: i64 = 0;
pub(super) const MEMBER_JOINED: i64 = 1;
pub(super) const MEMBER_LEFT: i64 = 2;
pub(super) const MEMBER_ROLE: i64 = 3;
pub(super) const CONVERSATION_RENAMED: i64 = 4;

pub(super) fn kind(kind: ConversationKind) -> i64 {
    match kind {
        ConversationKind::Direct => 0,
        ConversationKind::Group => 1,
    }
}

pub(super) fn role(role: Role) -> i64 {
    match role {
        Role::Member => 0,
        Role::Admin => 1,
        Role::Owner => 2,
    }
}

/// A number for SQLite, whose greatest is beyond any that exists.
pub(super) fn number(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The two users of a direct conversation as its key: whoever asks, it is the same.
pub(super) fn direct_pair(a: UserId, b: UserId) -> Vec<u8> {
    let (low, high) = (a.min(b), a.max(b));
    [low.as_uuid().into_bytes(), high.as_uuid().into_bytes()].concat()
}

/// An id inside of JSON, for `unhex`.
pub(super) fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

/// Ids as a JSON array: a statement with a list stays the same however long the list is.
pub(super) fn ids(ids: impl Iterator<Item = Uuid>) -> String {
    keys(ids.map(|id| [id]))
}

/// Keys of several ids, each as one string.
pub(super) fn keys<const N: usize>(keys: impl Iterator<Item = [Uuid; N]>) -> String {
    list(keys.map(|key| key.map(hex).concat().into()).collect())
}

/// Rows, or single values, as a JSON array.
pub(super) fn list(values: Vec<Value>) -> String {
    Value::from(values).to_string()
}
