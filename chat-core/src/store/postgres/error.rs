//! What an error of PostgreSQL means to the engine.

use crate::store::StoreError;

/// The five characters that name a condition, if the server itself failed.
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Full disks, locks, standbys and lost connections pass; a value that cannot be read, or a broken constraint, does not.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    const INTEGRITY_VIOLATION: &str = "23";
    const DATA_CORRUPTED: &str = "XX001";
    const INDEX_CORRUPTED: &str = "XX002";
    let corrupt = match &error {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => true,
        other => code(other).is_some_and(|code| {
            code.starts_with(INTEGRITY_VIOLATION)
                || [DATA_CORRUPTED, INDEX_CORRUPTED].contains(&&*code)
        }),
    };
    if corrupt {
        StoreError::Corrupt(error.to_string())
    } else {
        StoreError::unavailable(error)
    }
}

/// Whether the connection is gone, and with it whatever it had not committed.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    const CONNECTION_EXCEPTION: &str = "08";
    const OPERATOR_INTERVENTION: &str = "57P";
    const IDLE_TOO_LONG: [&str; 2] = ["25P03", "25P05"];
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        other => code(other).is_some_and(|code| {
            code.starts_with(CONNECTION_EXCEPTION)
                || code.starts_with(OPERATOR_INTERVENTION)
                || IDLE_TOO_LONG.contains(&&*code)
        }),
    }
}
