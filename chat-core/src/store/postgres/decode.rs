//! The columns of a row of PostgreSQL.

use sqlx::{Decode, Postgres, Row as _, Type, postgres::PgRow};
use uuid::Uuid;

use super::error::store_error;
use crate::store::{StoreError, columns::Columns};

/// The columns of a message in the table that is called so in a statement. Messages that were sent before messages could be
/// changed are as they were sent.
macro_rules! message_columns {
    ($entry:literal) => {
        concat!(
            $entry,
            ".conversation_id, ",
            $entry,
            ".seq, ",
            $entry,
            ".at, ",
            $entry,
            ".author_id, ",
            $entry,
            ".message_id, ",
            $entry,
            ".client_id, ",
            $entry,
            ".body, ",
            $entry,
            ".reply_to, ",
            $entry,
            ".mentions, ",
            $entry,
            ".mentions_everyone, ",
            $entry,
            ".reactions, ",
            $entry,
            ".edited_at, ",
            $entry,
            ".deleted_at, ",
            $entry,
            ".pinned_at, coalesce(",
            $entry,
            ".changed_seq, ",
            $entry,
            ".seq) AS changed_seq"
        )
    };
}
pub(super) use message_columns;

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
