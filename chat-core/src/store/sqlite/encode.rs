//! Ids and lists as one parameter.

use serde_json::Value;
use uuid::Uuid;

use crate::model::UserId;

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

/// Where a page of users begins; the empty blob sorts before every id.
pub(super) fn after(user: Option<UserId>) -> Vec<u8> {
    let id = user.map(|user| user.as_uuid().into_bytes().to_vec());
    id.unwrap_or_default()
}
