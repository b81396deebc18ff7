//! What users decided for themselves: their settings, and whom they block.

use serde_json::json;

use super::{SqliteStore, encode, error::store_error};
use crate::{
    model::{Settings, UserId},
    store::{
        StoreError, UserStore,
        columns::{Columns, availability_code, number},
    },
};

pub(super) const SETTINGS: &str = "SELECT * FROM chat_users WHERE user_id = ?1";

const SET_SETTINGS: &str = "BEGIN IMMEDIATE;
    INSERT INTO chat_users (user_id, read_receipts, typing, availability)
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE true
    ON CONFLICT (user_id) DO UPDATE SET read_receipts = excluded.read_receipts, typing = excluded.typing,
        availability = excluded.availability;
    COMMIT";

const BLOCK: &str = "BEGIN IMMEDIATE;
    INSERT INTO chat_blocks (blocker, blocked) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING blocked;
    COMMIT";
const UNBLOCK: &str = "BEGIN IMMEDIATE;
    DELETE FROM chat_blocks WHERE blocker = ? AND blocked = ? RETURNING blocked;
    COMMIT";

pub(super) const BLOCKED_BY: &str = "
    SELECT blocked FROM chat_blocks WHERE blocker = ?1 AND blocked > ?2 ORDER BY blocked LIMIT ?3";

/// ?2 is a JSON array of ids in hexadecimal.
pub(super) const BLOCKERS_OF: &str = "
    SELECT DISTINCT b.blocker FROM json_each(?2) j CROSS JOIN chat_blocks b
        ON b.blocker = unhex(j.value) AND b.blocked = ?1";

impl UserStore for SqliteStore {
    async fn settings(&self, user: UserId) -> Result<Settings, StoreError> {
        let row = sqlx::query(SETTINGS)
            .bind(user.as_uuid())
            .fetch_optional(&self.reader)
            .await
            .map_err(store_error)?;
        row.map_or_else(|| Ok(Settings::default()), |row| row.settings())
    }

    async fn set_settings(&self, user: UserId, settings: Settings) -> Result<(), StoreError> {
        let values = json!([
            encode::hex(user.as_uuid()),
            i64::from(settings.read_receipts),
            i64::from(settings.typing),
            availability_code(settings.availability),
        ]);
        let set = sqlx::query(SET_SETTINGS).bind(encode::list(vec![values]));
        self.writer.run(set).await?;
        Ok(())
    }

    async fn set_blocked(
        &self,
        user: UserId,
        other: UserId,
        blocked: bool,
    ) -> Result<bool, StoreError> {
        let set = sqlx::query(if blocked { BLOCK } else { UNBLOCK })
            .bind(user.as_uuid())
            .bind(other.as_uuid());
        let results = self.writer.run(set).await?;
        Ok(results.iter().any(|rows| !rows.is_empty()))
    }

    async fn blocked_by(
        &self,
        user: UserId,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let rows = sqlx::query(BLOCKED_BY)
            .bind(user.as_uuid())
            .bind(encode::after(after))
            .bind(number(limit))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| row.user_id("blocked")).collect()
    }

    async fn blockers_of(
        &self,
        user: UserId,
        others: &[UserId],
    ) -> Result<Vec<UserId>, StoreError> {
        let rows = sqlx::query(BLOCKERS_OF)
            .bind(user.as_uuid())
            .bind(encode::ids(others.iter().map(|id| id.as_uuid())))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        rows.iter().map(|row| row.user_id("blocker")).collect()
    }
}
