//! Ids and lists as one parameter.

use serde_json::Value;
use uuid::Uuid;

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
