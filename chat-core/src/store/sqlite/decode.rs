//! The columns of a row of SQLite.

use sqlx::{Decode, Row as _, Sqlite, Type, sqlite::SqliteRow};
use uuid::Uuid;

use super::error::store_error;
use crate::store::{StoreError, columns::Columns};

impl Columns for SqliteRow {
    fn integer(&self, column: &str) -> Result<Option<i64>, StoreError> {
        get(self, column)
    }

    fn truth(&self, column: &str) -> Result<Option<bool>, StoreError> {
        get(self, column)
    }

    fn uuid(&self, column: &str) -> Result<Option<Uuid>, StoreError> {
        get(self, column)
    }

    fn text(&self, column: &str) -> Result<Option<String>, StoreError> {
        get(self, column)
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        get(self, column)
    }
}

/// Always as an option: asked for a bare value, the driver reads NULL as 0 or as the empty text.
fn get<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    column: &str,
) -> Result<Option<T>, StoreError> {
    row.try_get(column).map_err(store_error)
}
