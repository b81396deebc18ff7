//! When users were last there.

use std::collections::BTreeMap;

use super::at;
use crate::{
    model::{NodeId, UserId},
    store::Store,
};

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

/// Whether nodes hold a lease or not is known, or not kept at all.
pub async fn a_lease_holds_until_it_is_ended(store: impl Store) {
    let (one, other) = (NodeId::new(), NodeId::new());
    for node in [one, one, other] {
        store.renew_lease(node).await.unwrap();
    }
    let Some(leases) = store.leases().await.unwrap() else {
        return;
    };
    assert_eq!(leases.iter().filter(|node| **node == one).count(), 1);
    assert!(leases.contains(&other));
    for _ in 0..2 {
        store.end_lease(one).await.unwrap();
    }
    let leases = store.leases().await.unwrap().unwrap();
    assert!(!leases.contains(&one) && leases.contains(&other));
}
