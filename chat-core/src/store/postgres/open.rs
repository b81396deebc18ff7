//! Opening a database: options, the schema, and all that speaks against using it.

use std::time::Duration;

use sqlx::{
    Connection, PgConnection, PgPool, Row, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use super::{
    connection::{Connections, Suspicion, Transactions},
    error::code,
};
use crate::model::StoreEpoch;

/// How long a server may take to let somebody in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Less than the engine waits for an answer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The oldest version of PostgreSQL that its makers still look after.
const OLDEST_SERVER: i32 = 14;

/// What the connections are told, unless the URL says otherwise: nobody who is gone, or too slow to be waited for, holds
/// a lock for long.
const SESSION: [(&str, &str); 11] = [
    ("statement_timeout", "5s"),
    ("lock_timeout", "1500ms"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "15s"),
    // It collects a whole log before the first entry of a page, where the index would give just the page.
    ("enable_bitmapscan", "off"),
    // Statements are planned once, whatever the tables hold then, so that they must go through the indices.
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    // It compiles for longer than any statement here runs.
    ("jit", "off"),
];

/// The history of this schema, in a table of its own: others may keep theirs in the same database.
const MIGRATIONS_TABLE: &str = "chat_migrations";
const MIGRATIONS: [(&str, &str); 4] = [
    ("log", include_str!("migrations/0001_log.sql")),
    (
        "changing messages",
        include_str!("migrations/0002_changing_messages.sql"),
    ),
    ("words", include_str!("migrations/0003_words.sql")),
    ("nodes", include_str!("migrations/0004_nodes.sql")),
];
/// Of those who open a database at once, the one that has this lock makes the tables.
const MIGRATIONS_LOCK: i64 = 0x0063_6861_745f_6462;

/// How a [`PostgresStore`](super::PostgresStore) opens its own connections.
#[derive(Clone, Copy, Debug)]
pub struct PostgresOptions {
    /// How many connections there may be at once, of which one commits; 10 by default, at least 2.
    pub max_connections: u32,
    /// Whether to open a database that may lose what was acknowledged, because its server does not wait for its disk.
    /// For tests; `false` by default.
    pub allow_unsafe_durability: bool,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            max_connections: 10,
            allow_unsafe_durability: false,
        }
    }
}

/// Why a database cannot be used. None of these changes anything in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is not one of a PostgreSQL database.
    #[error("the URL of the database must be like postgres://user:password@host:5432/name")]
    BadUrl(#[source] sqlx::Error),
    /// Nothing answers, or not in time.
    #[error("no PostgreSQL server answers at {server}: check that it runs, and its address")]
    Unreachable {
        /// Where.
        server: String,
        /// What happened.
        source: sqlx::Error,
    },
    /// The user name, the password or the address of this machine is not accepted.
    #[error(
        "the PostgreSQL server at {server} does not let user {user} in: check name, password and its pg_hba.conf"
    )]
    LoginRefused {
        /// Where.
        server: String,
        /// Who.
        user: String,
        /// What the server says.
        source: sqlx::Error,
    },
    /// The server has no database of this name.
    #[error(
        "the PostgreSQL server at {server} has no database {database}: make it with createdb, or name another one"
    )]
    NoDatabase {
        /// Where.
        server: String,
        /// Which.
        database: String,
    },
    /// All of the server's connections are taken.
    #[error(
        "the PostgreSQL server at {server} has no connection left: raise its max_connections, or use fewer"
    )]
    TooManyConnections {
        /// Where.
        server: String,
        /// What the server says.
        source: sqlx::Error,
    },
    /// The server is older than what is supported.
    #[error("the server is PostgreSQL {found}; version {OLDEST_SERVER} or newer is needed")]
    OldServer {
        /// Its version.
        found: String,
    },
    /// The server answers, but takes no writes.
    #[error("the database is read-only, as on a standby: name the primary server")]
    ReadOnly,
    /// An acknowledged message could be lost in a crash.
    #[error("the server has {setting} = {value}: it must be on, or messages can be lost")]
    NotDurable {
        /// Which setting.
        setting: &'static str,
        /// What it is set to.
        value: String,
    },
    /// The user may not make the tables.
    #[error(
        "user {user} may not make tables in the database: GRANT CREATE ON SCHEMA public TO it, or use its owner"
    )]
    NotPermitted {
        /// Who.
        user: String,
        /// What the server says.
        source: sqlx::Error,
    },
    /// A newer version of this library has written to it.
    #[error(
        "the database has schema {found}, this version knows up to {known}: use the newer version"
    )]
    NewerSchema {
        /// A migration in the database that this version does not have.
        found: i64,
        /// How many this version has.
        known: usize,
    },
    /// PostgreSQL failed otherwise.
    #[error("the database could not be prepared")]
    Failed(#[from] sqlx::Error),
    /// A migration failed.
    #[error("the tables of the database could not be brought up to date")]
    Migration(#[source] MigrateError),
}

/// A pool of its own for the database at this URL.
pub(super) async fn database(
    url: &str,
    options: PostgresOptions,
) -> Result<Connections, OpenError> {
    let target: PgConnectOptions = url.parse().map_err(OpenError::BadUrl)?;
    let target = with_session(target);
    let connected = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&target)).await;
    let connected = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    let mut connection = connected.map_err(|error| about(&target, error))?;
    let transactions = prepare(&mut connection, &target, options.allow_unsafe_durability).await?;
    // Whatever becomes of this connection, the database is ready.
    let _ = connection.close().await;

    let suspicion = Suspicion::default();
    let clear = suspicion.clone();
    let pool = PgPoolOptions::new()
        .max_connections(options.max_connections.max(2))
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(move |connection, metadata| {
            let suspicion = clear.clone();
            Box::pin(async move { Ok(suspicion.clear(connection, metadata).await) })
        })
        .after_connect(|connection, _| Box::pin(refuse_standby(connection)))
        .connect_lazy_with(target);
    Ok(Connections::of_own(pool, transactions, suspicion))
}

/// Somebody else's pool.
pub(super) async fn pool(
    pool: PgPool,
    allow_unsafe_durability: bool,
) -> Result<Connections, OpenError> {
    let target = pool.connect_options();
    let acquired = pool.acquire().await;
    let mut connection = acquired.map_err(|error| about(&target, error))?;
    let transactions = prepare(&mut connection, &target, allow_unsafe_durability).await?;
    drop(connection);
    Ok(Connections::of_others(pool, transactions))
}

/// Whatever the address leads to while the primary is replaced: what a standby has may be old, and whoever read it would
/// take it for all there is. The pool tries again, for as long as it may take to get a connection.
async fn refuse_standby(connection: &mut PgConnection) -> sqlx::Result<()> {
    let in_recovery: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .fetch_one(connection)
        .await?;
    if in_recovery {
        let why = "the server is a standby: the primary is waited for";
        return Err(sqlx::Error::Protocol(why.to_owned()));
    }
    Ok(())
}

fn with_session(target: PgConnectOptions) -> PgConnectOptions {
    let told = target.get_options().unwrap_or_default().to_owned();
    let untold = SESSION.iter().filter(|(name, _)| !told.contains(name));
    let target = target.options(untold.copied());
    match target.get_application_name() {
        Some(_) => target,
        None => target.application_name("chat"),
    }
}

/// Checks that the server can be relied on, and brings the tables up to date. Tells how a statement of its own is run.
async fn prepare(
    connection: &mut PgConnection,
    target: &PgConnectOptions,
    allow_unsafe_durability: bool,
) -> Result<Transactions, OpenError> {
    let transactions = check_server(connection, allow_unsafe_durability).await?;
    match migrate(connection).await {
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(about(target, error))
        }
        Err(MigrateError::VersionMissing(found)) => Err(OpenError::NewerSchema {
            found,
            known: MIGRATIONS.len(),
        }),
        Err(error) => Err(OpenError::Migration(error)),
        Ok(()) => Ok(transactions),
    }
}

async fn check_server(
    connection: &mut PgConnection,
    allow_unsafe_durability: bool,
) -> Result<Transactions, OpenError> {
    let row = sqlx::query(
        "SELECT current_setting('server_version_num')::int AS version_number,
            current_setting('server_version') AS version,
            pg_is_in_recovery() AS in_recovery,
            current_setting('fsync') AS fsync,
            current_setting('full_page_writes') AS full_page_writes,
            current_setting('synchronous_commit') AS synchronous_commit,
            current_setting('default_transaction_isolation') = 'read committed'
                AND current_setting('default_transaction_read_only') = 'off' AS plain",
    )
    .fetch_one(connection)
    .await?;
    check_version(row.try_get("version_number")?, row.try_get("version")?)?;
    if row.try_get("in_recovery")? {
        return Err(OpenError::ReadOnly);
    }
    if !allow_unsafe_durability {
        for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
            let value: String = row.try_get(setting)?;
            if value == "off" {
                return Err(OpenError::NotDurable { setting, value });
            }
        }
    }
    Ok(if row.try_get("plain")? {
        Transactions::Plain
    } else {
        Transactions::Special
    })
}

fn check_version(number: i32, version: String) -> Result<(), OpenError> {
    if number / 10_000 < OLDEST_SERVER {
        return Err(OpenError::OldServer { found: version });
    }
    Ok(())
}

/// All in one transaction, so that of several who open a new database at once one makes the tables and the others wait.
async fn migrate(connection: &mut PgConnection) -> Result<(), MigrateError> {
    // Making tables, and waiting for those who do, takes as long as it takes.
    const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
        SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";
    let migrations = MIGRATIONS.iter().zip(1..).map(|((name, sql), version)| {
        let sql = sql.into_sql_str();
        Migration::new(version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
    migrator.set_locking(false);
    let mut transaction = connection.begin_with(BEGIN).await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(MIGRATIONS_LOCK)
        .execute(&mut *transaction)
        .await?;
    migrator.run_direct(None, &mut *transaction, false).await?;
    sqlx::query("INSERT INTO chat_meta (key, value) VALUES ('epoch', $1) ON CONFLICT DO NOTHING")
        .bind(StoreEpoch::new().as_uuid())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Says what an error that PostgreSQL gave while opening means.
fn about(target: &PgConnectOptions, source: sqlx::Error) -> OpenError {
    let server = match target.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", target.get_host(), target.get_port()),
    };
    let user = target.get_username().to_owned();
    match code(&source).as_deref() {
        Some("28000" | "28P01") => OpenError::LoginRefused {
            server,
            user,
            source,
        },
        Some("3D000") => OpenError::NoDatabase {
            server,
            database: target.get_database().unwrap_or(&user).to_owned(),
        },
        Some("53300") => OpenError::TooManyConnections { server, source },
        Some("42501") => OpenError::NotPermitted { user, source },
        Some("25006") => OpenError::ReadOnly,
        Some("57P03") => OpenError::Unreachable { server, source },
        Some(_) => OpenError::Failed(source),
        None => match source {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) => {
                OpenError::Unreachable { server, source }
            }
            source => OpenError::Failed(source),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_named() {
        assert!(check_version(140_000, "14.0".to_owned()).is_ok());
        let refused = check_version(130_018, "13.18 (Debian)".to_owned()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the server is PostgreSQL 13.18 (Debian); version 14 or newer is needed"
        );
    }
}
