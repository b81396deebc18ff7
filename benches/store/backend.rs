//! The databases that the same benchmarks run on.

use chat_core::{
    model::{ClientId, ConversationId, MessageId, Timestamp, UserId},
    store::{PostgresStore, SqliteStore, Store, postgres::PostgresOptions},
    testing::PrivatePostgres,
};
use sqlx::{Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

pub(crate) trait Backend {
    const NAME: &str;
    type Store: Store + Clone;
    type Connection: Send + 'static;

    /// A new and empty database.
    async fn start() -> Self;

    fn store(&self) -> Self::Store;

    /// A connection for [`insert`](Self::insert), of its own.
    async fn connect(&self) -> Self::Connection;

    /// Inserts a message into the table of the log, without a question, in a transaction of its own.
    fn insert(
        connection: &mut Self::Connection,
        message: Row<'_>,
    ) -> impl Future<Output = ()> + Send;
}

/// What differs from message to message.
#[derive(Clone, Copy)]
pub(crate) struct Row<'b> {
    pub(crate) conversation: ConversationId,
    pub(crate) seq: i64,
    pub(crate) author: UserId,
    pub(crate) body: &'b str,
}

/// A file where temporary files are.
pub(crate) struct InSqlite {
    store: SqliteStore,
    _directory: TempDir,
}

impl Backend for InSqlite {
    const NAME: &str = "sqlite";
    type Store = SqliteStore;
    type Connection = SqliteConnection;

    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("chat.db");
        let store = SqliteStore::open(&file).await.unwrap();
        Self {
            store,
            _directory: directory,
        }
    }

    fn store(&self) -> SqliteStore {
        self.store.clone()
    }

    async fn connect(&self) -> Self::Connection {
        self.store.writer().acquire().await.unwrap().detach()
    }

    async fn insert(connection: &mut Self::Connection, message: Row<'_>) {
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query(
            "INSERT INTO chat_entries
                (conversation_id, seq, kind, at, author_id, message_id, client_id, body)
            VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(message.conversation.as_uuid())
        .bind(message.seq)
        .bind(Timestamp::now().as_millis())
        .bind(message.author.as_uuid())
        .bind(MessageId::new().as_uuid())
        .bind(ClientId::new().as_uuid())
        .bind(message.body)
        .execute(&mut *transaction)
        .await
        .unwrap();
        transaction.commit().await.unwrap();
    }
}

/// A server of its own on this machine, with PostgreSQL's own defaults.
pub(crate) struct InPostgres {
    store: PostgresStore,
    url: String,
    _server: PrivatePostgres,
}

impl Backend for InPostgres {
    const NAME: &str = "postgres";
    type Store = PostgresStore;
    type Connection = PgConnection;

    async fn start() -> Self {
        let server = PrivatePostgres::start(&[]).unwrap();
        let url = server.database().await.unwrap();
        let store = PostgresStore::open(&url, PostgresOptions::default()).await;
        Self {
            store: store.unwrap(),
            url,
            _server: server,
        }
    }

    fn store(&self) -> PostgresStore {
        self.store.clone()
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    async fn insert(connection: &mut PgConnection, message: Row<'_>) {
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query(
            "INSERT INTO chat_entries
                (conversation_id, seq, kind, at, author_id, message_id, client_id, body)
            VALUES ($1, $2, 0, $3, $4, $5, $6, $7)",
        )
        .bind(message.conversation.as_uuid())
        .bind(message.seq)
        .bind(Timestamp::now().as_millis())
        .bind(message.author.as_uuid())
        .bind(MessageId::new().as_uuid())
        .bind(ClientId::new().as_uuid())
        .bind(message.body)
        .execute(&mut *transaction)
        .await
        .unwrap();
        transaction.commit().await.unwrap();
    }
}
