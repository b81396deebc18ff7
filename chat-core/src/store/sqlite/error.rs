//! What an error of SQLite means to the engine.

use crate::store::StoreError;

/// The primary result code, if SQLite itself failed.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Full disks, locks and lost connections pass; a value that cannot be read, or a broken constraint, does not.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    const CORRUPT: i32 = 11;
    const CONSTRAINT: i32 = 19;
    const NOT_A_DATABASE: i32 = 26;
    let corrupt = match &error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => true,
        other => matches!(
            primary_code(other),
            Some(CORRUPT | CONSTRAINT | NOT_A_DATABASE)
        ),
    };
    if corrupt {
        StoreError::Corrupt(error.to_string())
    } else {
        StoreError::unavailable(error)
    }
}
