//! A later version brings its tables into the database while a node of this version serves.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chat_core::testing::PrivatePostgres;
use chat_server::{Config, Database, PostgresUrl, Server};
use reqwest::StatusCode;
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    matrix::{Town, calls_by, commands_by},
    support::{PATIENCE, Person, start_on},
};

/// All that a migration may do while older nodes serve, to every table there is, in one transaction.
const ADDITIONS: &str = "
    BEGIN;
    SET LOCAL statement_timeout = 0;
    DO $$
        DECLARE name text;
        BEGIN
            FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename LOOP
                EXECUTE format('ALTER TABLE %I ADD COLUMN next_note text,
                    ADD COLUMN next_count bigint NOT NULL DEFAULT 7,
                    ADD COLUMN next_at timestamptz NOT NULL DEFAULT now()', name);
            END LOOP;
        END
    $$;
    CREATE INDEX chat_entries_next ON chat_entries (conversation_id, next_count);
    CREATE TABLE chat_next (
        conversation_id uuid PRIMARY KEY REFERENCES chat_conversations (id),
        note text NOT NULL
    );
    INSERT INTO chat_next SELECT id, 'new' FROM chat_conversations;
    COMMIT";

const LATER_CHAT: &str =
    "INSERT INTO chat_migrations (version, description, success, checksum, execution_time)
    VALUES (99, 'from the future', TRUE, '', 0)";
const LATER_ACCOUNTS: &str =
    "INSERT INTO account_migrations (version, description, success, checksum, execution_time)
    VALUES (98, 'from the future', TRUE, '', 0)";

/// The later version starts: where somebody is in its way it gives up, and is started again.
async fn add(database: &mut PgConnection) {
    let until = Instant::now() + PATIENCE;
    while let Err(error) = database.execute(ADDITIONS).await {
        assert!(Instant::now() < until, "{error}");
        database.execute("ROLLBACK").await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
}

/// Says one thing after the other until told to stop. How many there were.
async fn talk(person: Person, group: String, stop: Arc<AtomicBool>) -> usize {
    let mut said = 0;
    while !stop.load(Ordering::Relaxed) {
        let message = json!({"client_id": Uuid::new_v4(), "body": said.to_string()});
        let until = Instant::now() + PATIENCE;
        loop {
            let path = format!("/conversations/{group}/messages");
            let answer = person.post(&path, message.clone()).await;
            if answer.status.is_success() {
                break;
            }
            let unavailable = StatusCode::SERVICE_UNAVAILABLE;
            assert_eq!(answer.status, unavailable, "{:?}", answer.body);
            assert!(Instant::now() < until, "it does not go on");
        }
        said += 1;
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_goes_on_when_a_later_version_adds_to_its_tables() {
    let postgres = PrivatePostgres::start(&[]).unwrap();
    let url = postgres.database().await.unwrap();
    let town = Town::on(start_on(&url, &["--limits", "off"]).await).await;
    // What the owner of a group and a member do. All that is asked of the database has been asked once by then.
    let all_is_well = async |when: &str| {
        let whom = ["olga", "mia"];
        let wrong = [
            calls_by(&whom, &town).await,
            commands_by(&whom, &town).await,
        ];
        assert!(wrong.concat().is_empty(), "{when}: {wrong:#?}");
    };
    all_is_well("before").await;
    let (olga, mia) = (&town.people["olga"], &town.people["mia"]);
    let group = olga.group("Meanwhile", &[mia]).await;
    let mut socket = mia.connect().await;
    socket.join(&group).await;
    let stop = Arc::new(AtomicBool::new(false));
    let talking = tokio::spawn(talk(olga.clone(), group.clone(), Arc::clone(&stop)));

    let mut database = PgConnection::connect(&url).await.unwrap();
    add(&mut database).await;
    database.execute(LATER_CHAT).await.unwrap();
    database.execute(LATER_ACCOUNTS).await.unwrap();

    all_is_well("after").await;
    stop.store(true, Ordering::Relaxed);
    let said = talking.await.unwrap();
    for nth in 0..said {
        let frame = socket.until("new_message").await;
        assert_eq!(frame["message"]["body"], nth.to_string().as_str());
    }

    // One that is started anew sees tables that it does not know, and says whose they are.
    let start = async || {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            database: Database::Postgres(PostgresUrl::new(&url)),
            jwt_key_file: Some(town.running.key_file()),
            metrics_listen: None,
            ..Config::default()
        };
        Server::bind(config).await.unwrap_err().to_string()
    };
    let refused = start().await;
    assert!(refused.contains("has schema 99, this version"), "{refused}");
    let known = "DELETE FROM chat_migrations WHERE version = 99";
    database.execute(known).await.unwrap();
    let refused = start().await;
    assert!(refused.contains("the accounts have schema 98"), "{refused}");
    town.running.stop().await;
}
