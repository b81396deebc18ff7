//! What an error of SQLite means to the engine.

use crate::store::StoreError;

/// The primary result code, if SQLite itself failed.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    Some(extended_code(error)? & 0xff)
}

fn extended_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Whether another connection has the lock.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    const BUSY: i32 = 5;
    primary_code(error) == Some(BUSY)
}

/// Whether the operating system could not say that what was written is on the disk.
pub(super) fn is_failed_sync(error: &sqlx::Error) -> bool {
    const FILE: i32 = 1034;
    const DIRECTORY: i32 = 1290;
    matches!(extended_code(error), Some(FILE | DIRECTORY))
}

/// Whether the file beside the database that its connections share could not be made greater.
pub(super) fn no_room_for_shared_memory(error: &sqlx::Error) -> bool {
    const SHARED_MEMORY_SIZE: i32 = 4874;
    extended_code(error) == Some(SHARED_MEMORY_SIZE)
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
