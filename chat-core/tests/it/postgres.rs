//! What only a database server can promise: several nodes, and surviving its restarts.

use std::sync::LazyLock;

use chat_core::{store::postgres::PostgresOptions, testing::PrivatePostgres};

/// For databases whose server does not wait for its disk: a crash of the machine is nothing that these tests stage.
pub(crate) const UNSAFE: PostgresOptions = PostgresOptions {
    max_connections: 10,
    allow_unsafe_durability: true,
};

/// The server of all tests that leave it alone.
static SERVER: LazyLock<PrivatePostgres> =
    LazyLock::new(|| PrivatePostgres::start(&["fsync=off"]).unwrap());

pub(crate) async fn new_database() -> String {
    SERVER.database().await.unwrap()
}
