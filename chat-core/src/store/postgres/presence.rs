//! When users were last there.

use sqlx::postgres::PgRow;

use super::PostgresStore;
use crate::{
    model::{Timestamp, UserId},
    store::{PresenceStore, StoreError, columns::Columns},
};

/// In one order, so that two of them never wait for each other.
pub(super) const SET_LAST_SEEN: &str = "
    INSERT INTO chat_last_seen (user_id, at)
    SELECT user_id, max(at) FROM unnest($1::uuid[], $2::bigint[]) AS seen (user_id, at)
    GROUP BY user_id ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET at = excluded.at WHERE excluded.at > chat_last_seen.at";

pub(super) const LAST_SEEN: &str =
    "SELECT user_id, at FROM chat_last_seen WHERE user_id = ANY ($1::uuid[])";

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
        let users: Vec<_> = users.iter().map(|user| user.as_uuid()).collect();
        let rows = self
            .connections
            .fetch(|| sqlx::query(LAST_SEEN).bind(&users))
            .await?;
        let seen = |row: &PgRow| Ok((row.user_id("user_id")?, row.time("at")?));
        rows.iter().map(seen).collect()
    }
}
