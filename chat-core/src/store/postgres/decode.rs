//! The columns of a row of PostgreSQL.

use sqlx::{Decode, Postgres, Row as _, Type, postgres::PgRow};
use uuid::Uuid;

use super::error::store_error;
use crate::store::{StoreError, columns::Columns};

impl Columns for PgRow {
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

fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(
    row: &'r PgRow,
    column: &str,
) -> Result<Option<T>, StoreError> {
    row.try_get(column).map_err(store_error)
}
