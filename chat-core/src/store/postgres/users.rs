//! What users decided for themselves: what others are told, and whom they block.

use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::PostgresStore;
use crate::{
    model::{Settings, UserId},
    store::{
        StoreError, UserStore,
        columns::{Columns, availability_code, number},
    },
};

pub(super) const SETTINGS: &str =
    "SELECT read_receipts, typing, availability FROM chat_users WHERE user_id = $1";

pub(super) const SET_SETTINGS: &str = "
    INSERT INTO chat_users (user_id, read_receipts, typing, availability) VALUES ($1, $2, $3, $4)
    ON CONFLICT (user_id) DO UPDATE SET read_receipts = excluded.read_receipts,
        typing = excluded.typing, availability = excluded.availability";

pub(super) const BLOCK: &str = "
    INSERT INTO chat_blocks (blocker, blocked) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING blocked";

pub(super) const UNBLOCK: &str =
    "DELETE FROM chat_blocks WHERE blocker = $1 AND blocked = $2 RETURNING blocked";

pub(super) const BLOCKED_BY: &str = "
    SELECT blocked AS user_id FROM chat_blocks
    WHERE blocker = $1 AND blocked >= $2 ORDER BY blocked LIMIT $3";

pub(super) const BLOCKERS_OF: &str = "
    SELECT DISTINCT n.user_id FROM unnest($2::uuid[]) AS n (user_id)
    CROSS JOIN LATERAL (
        SELECT FROM chat_blocks b WHERE b.blocker = n.user_id AND b.blocked = $1 LIMIT 1) AS b";

impl UserStore for PostgresStore {
    async fn settings(&self, user: UserId) -> Result<Settings, StoreError> {
        let query = || sqlx::query(SETTINGS).bind(user.as_uuid());
        let rows = self.connections.fetch(query).await?;
        rows.first()
            .map_or_else(|| Ok(Settings::default()), Columns::settings)
    }

    async fn set_settings(&self, user: UserId, settings: Settings) -> Result<(), StoreError> {
        let query = || {
            sqlx::query(SET_SETTINGS)
                .bind(user.as_uuid())
                .bind(settings.read_receipts)
                .bind(settings.typing)
                .bind(availability_code(settings.availability))
        };
        self.connections.fetch(query).await?;
        Ok(())
    }

    async fn set_blocked(
        &self,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Result<bool, StoreError> {
        let statement = if blocked { BLOCK } else { UNBLOCK };
        let query = || {
            sqlx::query(statement)
                .bind(user.as_uuid())
                .bind(other.as_uuid())
        };
        Ok(!self.connections.fetch(query).await?.is_empty())
    }

    async fn blocked_by(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let Some(first) = first_after(after) else {
            return Ok(Vec::new());
        };
        let query = || {
            sqlx::query(BLOCKED_BY)
                .bind(user.as_uuid())
                .bind(first)
                .bind(number(limit))
        };
        user_ids(&self.connections.fetch(query).await?)
    }

    async fn blockers_of(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let others: Vec<_> = others.iter().map(|id| id.as_uuid()).collect();
        let query = || sqlx::query(BLOCKERS_OF).bind(user.as_uuid()).bind(&others);
        user_ids(&self.connections.fetch(query).await?)
    }
}

/// The least id after this one; `None` after the greatest.
pub(super) fn first_after(user: Option<UserId>) -> Option<Uuid> {
    let Some(user) = user else {
        return Some(Uuid::nil());
    };
    let next = user.as_uuid().as_u128().checked_add(1);
    next.map(Uuid::from_u128)
}

pub(super) fn user_ids(rows: &[PgRow]) -> Result<Vec<UserId>, StoreError> {
    rows.iter().map(|row| row.user_id("user_id")).collect()
}
