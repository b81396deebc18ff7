//! When users were last there.

use serde_json::json;
use sqlx::sqlite::SqliteRow;

use super::{SqliteStore, encode, error::store_error};
use crate::{
    model::{Timestamp, UserId},
    store::{PresenceStore, StoreError, columns::Columns},
};

const SET_LAST_SEEN: &str = "BEGIN IMMEDIATE;
    INSERT INTO chat_last_seen (user_id, at)
    SELECT unhex(value ->> 0), value ->> 1 FROM json_each(?1) WHERE true
    ON CONFLICT (user_id) DO UPDATE SET at = excluded.at WHERE excluded.at > at;
    COMMIT";

pub(super) const LAST_SEEN: &str = "
    SELECT user_id, at FROM chat_last_seen WHERE user_id IN (SELECT unhex(value) FROM json_each(?1))";

impl PresenceStore for SqliteStore {
    async fn set_last_seen(&self, seen: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        if seen.is_empty() {
            return Ok(());
        }
        let seen = seen
            .iter()
            .map(|(user, at)| json!([encode::hex(user.as_uuid()), at.as_millis()]));
        let seen = encode::list(seen.collect());
        self.writer
            .run(sqlx::query(SET_LAST_SEEN).bind(seen))
            .await?;
        Ok(())
    }

    async fn last_seen(&self, users: &[UserId]) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        let rows = sqlx::query(LAST_SEEN)
            .bind(encode::ids(users.iter().map(|user| user.as_uuid())))
            .fetch_all(&self.reader)
            .await
            .map_err(store_error)?;
        let seen = |row: &SqliteRow| Ok((row.user_id("user_id")?, row.time("at")?));
        rows.iter().map(seen).collect()
    }
}
