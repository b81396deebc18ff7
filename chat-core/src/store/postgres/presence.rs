//! When users were last there.

use sqlx::postgres::PgRow;

use super::PostgresStore;
use crate::{
    model::{NodeId, Timestamp, UserId},
    store::{LEASE, PresenceStore, StoreError, columns::Columns},
};

/// In one order, so that two of them never wait for each other.
pub(super) const SET_LAST_SEEN: &str = "
    INSERT INTO chat_last_seen (user_id, at)
    SELECT user_id, max(at) FROM unnest($1::uuid[], $2::bigint[]) AS seen (user_id, at)
    GROUP BY user_id ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET at = excluded.at WHERE excluded.at > chat_last_seen.at";

pub(super) const LAST_SEEN: &str = "
    SELECT s.user_id, s.at FROM unnest($1::uuid[]) AS n (user_id)
    CROSS JOIN LATERAL (SELECT * FROM chat_last_seen s WHERE s.user_id = n.user_id LIMIT 1) AS s";

/// Those of nodes that have been gone for long go with it.
pub(super) const RENEW_LEASE: &str = "
    WITH gone AS (DELETE FROM chat_nodes WHERE renewed_at < now() - interval '1 day')
    INSERT INTO chat_nodes (node_id, renewed_at) VALUES ($1, now())
    ON CONFLICT (node_id) DO UPDATE SET renewed_at = excluded.renewed_at";

pub(super) const END_LEASE: &str = "DELETE FROM chat_nodes WHERE node_id = $1";

pub(super) const LEASES: &str = "
    SELECT node_id FROM chat_nodes WHERE renewed_at > now() - $1 * interval '1 second'";

impl PresenceStore for PostgresStore {
    async fn set_last_seen(&self, seen: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        if seen.is_empty() {
            return Ok(());
        }
        let users: Vec<_> = seen.iter().map(|(user, _)| user.as_uuid()).collect();
        let times: Vec<_> = seen.iter().map(|(_, at)| at.as_millis()).collect();
        // Asked twice, it changes nothing more.
        self.connections
            .fetch(|| sqlx::query(SET_LAST_SEEN).bind(&users).bind(&times))
            .await?;
        Ok(())
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        let mut users: Vec<_> = users.iter().map(|user| user.as_uuid()).collect();
        users.sort_unstable();
        users.dedup();
        let rows = self
            .connections
            .fetch(|| sqlx::query(LAST_SEEN).bind(&users))
            .await?;
        let seen = |row: &PgRow| Ok((row.user_id("user_id")?, row.time("at")?));
        rows.iter().map(seen).collect()
    }

    async fn renew_lease(&self, node: NodeId) -> Result<(), StoreError> {
        self.connections
            .fetch(|| sqlx::query(RENEW_LEASE).bind(node.as_uuid()))
            .await?;
        Ok(())
    }

    async fn end_lease(&self, node: NodeId) -> Result<(), StoreError> {
        self.connections
            .fetch(|| sqlx::query(END_LEASE).bind(node.as_uuid()))
            .await?;
        Ok(())
    }

    async fn leases(&self) -> Result<Option<Vec<NodeId>>, StoreError> {
        let lease = i64::try_from(LEASE.as_secs()).unwrap_or(i64::MAX);
        let rows = self
            .connections
            .fetch(|| sqlx::query(LEASES).bind(lease))
            .await?;
        let node = |row: &PgRow| row.node_id("node_id");
        rows.iter().map(node).collect::<Result<_, _>>().map(Some)
    }
}
