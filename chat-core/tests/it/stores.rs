//! Every store keeps the same promises.

use chat_core::store::{MemoryStore, PostgresStore, SqliteStore};
use sqlx::{
    Executor,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tempfile::TempDir;

use crate::postgres::{UNSAFE, new_database};

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

chat_core::store_conformance!(postgres, || async {
    let url = new_database().await;
    (PostgresStore::open(&url, UNSAFE).await.unwrap(), ())
});

chat_core::store_conformance!(postgres_in_another_database, || async {
    let url = new_database().await;
    let pool = PgPoolOptions::new()
        .max_connections(3)
        .connect(&url)
        .await
        .unwrap();
    pool.execute("CREATE TABLE users (id bigint PRIMARY KEY, name text)")
        .await
        .unwrap();
    let store = PostgresStore::new_allowing_unsafe_durability(pool).await;
    (store.unwrap(), ())
});
