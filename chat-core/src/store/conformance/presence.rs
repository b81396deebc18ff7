//! When users were last there.

use std::collections::BTreeMap;

use super::at;
use crate::{model::UserId, store::Store};

/// Times only rise, in whatever order they arrive, within one call too; who was never there is left out.
pub async fn last_seen_only_rises(store: impl Store) {
    let [a, b, never] = [UserId::new(), UserId::new(), UserId::new()];
    store.set_last_seen(&[]).await.unwrap();
    store
        .set_last_seen(&[(a, at(5)), (b, at(1)), (b, at(3)), (b, at(2))])
        .await
        .unwrap();
    store
        .set_last_seen(&[(a, at(4)), (b, at(9))])
        .await
        .unwrap();
    let seen = store.last_seen(&[never, b, a, a]).await.unwrap();
    assert_eq!(seen.len(), 2, "each once: {seen:?}");
    assert_eq!(
        BTreeMap::from_iter(seen),
        BTreeMap::from([(a, at(5)), (b, at(9))])
    );
    assert_eq!(store.last_seen(&[]).await.unwrap(), []);
}
