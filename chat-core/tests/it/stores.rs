//! Every store keeps the same promises.

use chat_core::store::{MemoryStore, SqliteStore};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tempfile::TempDir;

chat_core::store_conformance!(memory, || async { (MemoryStore::default(), ()) });

chat_core::store_conformance!(sqlite_in_memory, || async {
    (SqliteStore::in_memory().await.unwrap(), ())
});

chat_core::store_conformance!(sqlite_file, || async {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("chat.db");
    (SqliteStore::open(&file).await.unwrap(), directory)
});

chat_core::store_conformance!(sqlite_in_another_database, || async {
    let directory = TempDir::new().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("theirs.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new()
        .max_connections(3)
        .connect_with(options)
        .await
        .unwrap();
    sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
        .execute(&pool)
        .await
        .unwrap();
    (SqliteStore::new(pool).await.unwrap(), directory)
});
