//! What only a database on disk can promise: it survives, it refuses what it must not touch, it can be full.

use std::{
    future::poll_fn,
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use chat_core::{
    model::{ClientId, ConversationId, Draft, Message, MessageId, StoreEpoch, Timestamp, UserId},
    store::{
        Act, Around, Committed, ConversationStore, Mentions, MessageLog, PresenceStore, Search,
        SqliteStore, StoreError, sqlite::OpenError, words,
    },
};
use sqlx::{
    Executor, SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::writes::{group, send, write};

fn new_file() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("chat.db");
    (directory, file)
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let (_directory, file) = new_file();
    let me = UserId::new();
    let store = SqliteStore::open(&file).await.unwrap();
    let epoch = store.epoch().await.unwrap();
    let id = group(&store, me).await;
    store.commit(&[send(id, me, "hi")]).await.unwrap();
    let (direct, _) = store.direct(me, me, Timestamp::now()).await.unwrap();
    let now = Timestamp::now();
    store.set_last_seen(&[(me, now)]).await.unwrap();
    let rows = store.rows(me, None, 10).await.unwrap();
    let log = store.entries_after(id, 0, 10).await.unwrap();
    store.close().await.unwrap();
    let closed = store.head(id).await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))));
    let wal = file.with_extension("db-wal");
    assert!(!wal.exists(), "a closed database is one file");

    let store = SqliteStore::open(&file).await.unwrap();
    assert_eq!(store.epoch().await.unwrap(), epoch);
    assert_eq!(store.rows(me, None, 10).await.unwrap(), rows);
    assert_eq!(store.entries_after(id, 0, 10).await.unwrap(), log);
    let again = store.direct(me, me, Timestamp::now()).await.unwrap();
    assert_eq!(again, (direct, false));
    assert_eq!(store.last_seen(&[me]).await.unwrap(), [(me, now)]);
}

#[tokio::test]
async fn without_its_epoch_a_restored_database_gets_another_one() {
    let (_directory, file) = new_file();
    let store = SqliteStore::open(&file).await.unwrap();
    let before = store.epoch().await.unwrap();
    sqlx::query("DELETE FROM chat_meta WHERE key = 'epoch'")
        .execute(store.writer())
        .await
        .unwrap();
    store.close().await.unwrap();
    let store = SqliteStore::open(&file).await.unwrap();
    assert_ne!(store.epoch().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_open_a_new_database_at_once() {
    let (_directory, file) = new_file();
    let mut openers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let file = file.clone();
        openers.spawn(async move {
            let store = SqliteStore::open(&file).await.unwrap();
            store.epoch().await.unwrap()
        });
    }
    let epochs = openers.join_all().await;
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{epochs:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (_directory, file) = new_file();
    let store = SqliteStore::open(&file).await.unwrap();
    sqlx::query(
        "INSERT INTO chat_migrations (version, description, success, checksum, execution_time)
        VALUES (99, 'from the future', TRUE, x'00', 0)",
    )
    .execute(store.writer())
    .await
    .unwrap();
    store.close().await.unwrap();
    let before = std::fs::read(&file).unwrap();
    let refused = SqliteStore::open(&file).await.unwrap_err();
    assert!(
        std::fs::read(&file).unwrap() == before,
        "not a byte changed"
    );
    assert!(
        matches!(refused, OpenError::NewerSchema { found: 99, .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("schema 99"), "{refused}");
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_as_it_is() {
    let (_directory, file) = new_file();
    let store = SqliteStore::open(&file).await.unwrap();
    group(&store, UserId::new()).await;
    store.close().await.unwrap();
    let whole = std::fs::read(&file).unwrap();
    let mut damaged = whole.clone();
    damaged[100..2_000].fill(0xa5);
    let half = whole[..whole.len() / 2].to_vec();
    let beginning = whole[..50].to_vec();

    let text = "Dear diary, this is not a database.\n".repeat(200);
    for content in [text.into_bytes(), damaged, half, beginning] {
        std::fs::write(&file, &content).unwrap();
        let refused = SqliteStore::open(&file).await.unwrap_err();
        assert!(
            matches!(refused, OpenError::NotADatabase { .. }),
            "{refused:?}"
        );
        assert!(refused.to_string().contains("chat.db"), "{refused}");
        assert!(
            std::fs::read(&file).unwrap() == content,
            "not a byte changed"
        );
    }
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_file_is_named() {
    let (directory, file) = new_file();
    let refused = SqliteStore::open(&file.join("chat.db")).await.unwrap_err();
    assert!(matches!(&refused, OpenError::NoDirectory(path) if *path == file));
    let refused = SqliteStore::open(directory.path()).await.unwrap_err();
    assert!(
        matches!(&refused, OpenError::Inaccessible { path, .. } if path == directory.path()),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_pool_that_does_not_wait_for_the_disk_is_refused() {
    let (_directory, file) = new_file();
    let options = options(&file).synchronous(SqliteSynchronous::Normal);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let refused = SqliteStore::new(pool).await.unwrap_err();
    assert!(matches!(refused, OpenError::NotDurable(1)), "{refused:?}");
}

#[tokio::test]
async fn somebody_elses_database_stays_theirs() {
    let (_directory, file) = new_file();
    let pool = SqlitePool::connect_with(options(&file)).await.unwrap();
    pool.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
        .await
        .unwrap();
    let store = SqliteStore::new(pool.clone()).await.unwrap();
    group(&store, UserId::new()).await;
    store.close().await.unwrap();

    let foreign: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE tbl_name NOT LIKE 'chat!_%' ESCAPE '!'",
    )
    .fetch_all(&pool)
    .await
    .expect("a given pool stays open");
    assert_eq!(foreign, ["users"]);
}

/// A pool whose connections may use so many pages, and the number, to be changed.
async fn bounded_pool(file: &Path) -> (SqlitePool, Arc<AtomicI64>) {
    let pages = Arc::new(AtomicI64::new(i64::from(u32::MAX) - 1));
    let bound = Arc::clone(&pages);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .before_acquire(move |connection, _| {
            let pages = bound.load(Ordering::Relaxed);
            let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
            Box::pin(async move { connection.execute(pragma).await.map(|_| true) })
        })
        .connect_with(options(file))
        .await
        .unwrap();
    (pool, pages)
}

#[tokio::test]
async fn a_full_database_acknowledges_nothing_and_recovers() {
    let (_directory, file) = new_file();
    let (pool, pages) = bounded_pool(&file).await;
    let store = SqliteStore::new(pool).await.unwrap();
    let me = UserId::new();
    let id = group(&store, me).await;

    // SQLite never bounds below what is in use.
    pages.store(1, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    let mut failures = 0;
    while failures < 3 {
        let batch = [send(id, me, "small"), send(id, me, "x".repeat(50_000))];
        match store.commit(&batch).await {
            Ok(results) => {
                for result in results {
                    let Ok(Committed::Appended(entries)) = result else {
                        panic!("nothing speaks against it: {result:?}");
                    };
                    acknowledged.extend(entries);
                }
            }
            Err(StoreError::Unavailable(source)) => {
                assert!(source.to_string().contains("full"), "{source}");
                failures += 1;
            }
            Err(error) => panic!("a full disk is no damage: {error}"),
        }
        let log = store.entries_after(id, 1, 10_000).await.unwrap();
        assert_eq!(log, acknowledged, "reads go on, and nothing is half done");
    }

    pages.store(i64::from(u32::MAX) - 1, Ordering::Relaxed);
    let batch = [send(id, me, "x".repeat(50_000))];
    store.commit(&batch).await.unwrap().remove(0).unwrap();
    let head = store.head(id).await.unwrap();
    assert_eq!(head, Some(acknowledged.len() as u64 + 2));
}

#[tokio::test]
async fn behind_a_lock_that_stays_nothing_is_acknowledged() {
    let (_directory, file) = new_file();
    let options = options(&file).busy_timeout(Duration::from_millis(1));
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let store = SqliteStore::new(pool.clone()).await.unwrap();
    let me = UserId::new();
    let id = group(&store, me).await;
    let message = [send(id, me, "hi")];

    let theirs = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let refused = store.commit(&message).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let mark_read = write(
        id,
        me,
        Act::MarkRead {
            seq: 1,
            shown: true,
        },
    );
    let refused = store.commit(&[mark_read]).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(store.head(id).await.unwrap(), Some(1), "reads go on");

    theirs.rollback().await.unwrap();
    let sent = store.commit(&message).await.unwrap().remove(0);
    assert!(matches!(sent, Ok(Committed::Appended(_))), "{sent:?}");
}

#[tokio::test]
async fn impossible_content_is_reported_and_not_guessed() {
    for damage in [
        "UPDATE chat_entries SET kind = 99 WHERE seq = 3",
        "UPDATE chat_entries SET author_id = x'0102' WHERE seq = 3",
        "UPDATE chat_entries SET body = NULL WHERE seq = 3",
        "UPDATE chat_entries SET seq = 30 WHERE seq = 3",
        "DELETE FROM chat_entries WHERE seq = 3",
    ] {
        let store = SqliteStore::in_memory().await.unwrap();
        let me = UserId::new();
        let id = group(&store, me).await;
        let batch = [1, 2, 3].map(|n| send(id, me, n.to_string()));
        store.commit(&batch).await.unwrap();
        store.writer().execute(damage).await.unwrap();
        let entries = store.entries_after(id, 0, 10).await;
        assert!(
            matches!(entries, Err(StoreError::Corrupt(_))),
            "{damage}: {entries:?}"
        );
    }
}

#[tokio::test]
async fn a_log_behind_its_head_refuses_writes_that_would_overwrite_it() {
    let store = SqliteStore::in_memory().await.unwrap();
    let me = UserId::new();
    let id = group(&store, me).await;
    store.commit(&[send(id, me, "one")]).await.unwrap();
    store
        .writer()
        .execute("UPDATE chat_conversations SET head_seq = 1")
        .await
        .unwrap();
    let refused = store.commit(&[send(id, me, "two")]).await;
    assert!(
        matches!(refused, Err(StoreError::Corrupt(_))),
        "{refused:?}"
    );
    let messages = store.messages(id, Around::Newest, 1, 10).await.unwrap();
    assert_eq!(messages.len(), 1);
}

#[tokio::test]
async fn the_readers_of_a_file_cannot_write() {
    let (_directory, file) = new_file();
    let store = SqliteStore::open(&file).await.unwrap();
    let refused = store.reader().execute("DELETE FROM chat_meta").await;
    assert!(refused.is_err());
}

/// A database as it was before messages could change and be searched: a group of two, in which the first one has said
/// `MESSAGES` things, and the other has read half of them.
async fn old_database(file: &Path) -> (ConversationId, [UserId; 2]) {
    const DATA: &str = "
        INSERT INTO chat_meta VALUES ('epoch', ?1);
        INSERT INTO chat_conversations VALUES (?1, 1, 'Tea', NULL, ?4 + 2, ?4 + 2, 5000, 2, 1);
        INSERT INTO chat_members VALUES (?1, ?2, 2, 1, 0, ?4 + 2, 7, 0, 0, 0);
        INSERT INTO chat_members VALUES (?1, ?3, 0, 1, 0, ?4 / 2 + 2, 3, 1, 0, 1);
        INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, user_id, role)
        VALUES (?1, 1, 1, 0, ?2, ?2, 2), (?1, 2, 1, 0, ?2, ?3, 0);
        WITH RECURSIVE said (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM said WHERE n < ?4)
        INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, message_id, client_id, body)
        SELECT ?1, n + 2, 0, n / 3, ?2, unhex(printf('%032x', n)), unhex(printf('%032x', n)), 'Tea number ' || n
        FROM said";
    let id = ConversationId::new();
    let users = [UserId::new(), UserId::new()];
    let pool = SqlitePool::connect_with(options(file)).await.unwrap();
    migrate(&pool, 2).await;
    for statement in DATA.split(';') {
        sqlx::query(statement)
            .bind(id.as_uuid())
            .bind(users[0].as_uuid())
            .bind(users[1].as_uuid())
            .bind(MESSAGES)
            .execute(&pool)
            .await
            .unwrap();
    }
    pool.close().await;
    (id, users)
}

async fn migrate(pool: &SqlitePool, versions: usize) {
    let migrations = [
        (
            "log",
            include_str!("../../src/store/sqlite/migrations/0001_log.sql"),
        ),
        (
            "list",
            include_str!("../../src/store/sqlite/migrations/0002_list.sql"),
        ),
        (
            "reactions, mentions, search",
            include_str!("../../src/store/sqlite/migrations/0003_reactions_mentions_search.sql"),
        ),
    ];
    let migrations = migrations.iter().zip(1..).map(|((name, sql), version)| {
        let sql = sql.into_sql_str();
        Migration::new(version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.take(versions).collect());
    migrator.dangerous_set_table_name("chat_migrations");
    migrator.run(pool).await.unwrap();
}

const MESSAGES: i64 = 2_500;

fn number(n: i64) -> Search {
    Search {
        words: words(&format!("tea {n}")),
        conversation: None,
        from: None,
        before: None,
    }
}

#[tokio::test]
async fn a_database_of_an_earlier_version_keeps_everything_and_becomes_searchable() {
    let (_directory, file) = new_file();
    let (id, [me, other]) = old_database(&file).await;
    let store = SqliteStore::open(&file).await.unwrap();
    let epoch = StoreEpoch::from_uuid(id.as_uuid());
    assert_eq!(store.epoch().await.unwrap(), epoch);
    let all = store.messages(id, Around::Newest, 1, 10_000).await.unwrap();
    assert_eq!(all.len(), 2_500);
    assert!(all.iter().all(|message| message.changed_seq == message.seq));
    let row = store.rows(other, None, 9).await.unwrap().remove(0).row;
    assert_eq!(row.conversation.last_message.as_ref(), all.last());
    assert_eq!((row.unread.count, row.unread.capped), (1_000, true));
    assert!(row.me.pinned && row.me.archived && row.me.history_from == 1);
    let place = store.membership(id, other).await.unwrap().unwrap();
    assert_eq!(place.shown_seq, 1_252);
    assert_eq!(place.delivered_seq, 1_252);
    assert_eq!(
        store.entries_after(id, 0, 10_000).await.unwrap().len(),
        2_502
    );

    // In their order, before what is said from now on.
    let new = send(id, me, "tea number 7");
    store.commit(&[new]).await.unwrap().remove(0).unwrap();
    let mut tea = store.search(other, &number(7), None, 10_000).await.unwrap();
    let new = tea.remove(0);
    assert_eq!(new.seq, 2_503);
    let beginnings = |message: &&Message| message.body.starts_with("Tea number 7");
    let mut expected: Vec<_> = all.iter().filter(beginnings).cloned().collect();
    expected.reverse();
    assert_eq!(tea, expected);
    let again = send(id, me, "Tea number 7");
    let Act::Send {
        draft, mentions, ..
    } = again.act
    else {
        panic!("a send is a send");
    };
    let draft = Draft {
        client_id: ClientId::from_uuid(Uuid::from_u128(7)),
        ..draft
    };
    let sent = MessageId::new();
    let again = write(
        id,
        me,
        Act::Send {
            id: sent,
            draft,
            mentions,
        },
    );
    let again = store.commit(&[again]).await.unwrap().remove(0);
    assert_eq!(again, Ok(Committed::Repeated(all[6].clone())));
    let edit = Act::EditMessage {
        message_id: all[6].id,
        body: "coffee".to_owned(),
        mentions: Mentions::default(),
    };
    store
        .commit(&[write(id, me, edit)])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let tea = store.search(other, &number(7), None, 10_000).await.unwrap();
    assert_eq!(
        tea.len(),
        expected.len(),
        "the new one is there, the edited one is not"
    );
    store.close().await.unwrap();
    SqliteStore::open(&file).await.unwrap();
}

#[tokio::test]
async fn an_interrupted_start_with_an_earlier_database_is_taken_up_again() {
    let (_directory, file) = new_file();
    let (_, [me, _]) = old_database(&file).await;
    let mut opened = None;
    for polls in 1.. {
        // Given up after so many steps, as if the process had been killed there.
        let mut left = polls * polls;
        let mut opening = pin!(SqliteStore::open(&file));
        let store = poll_fn(|context| {
            left -= 1;
            match opening.as_mut().poll(context) {
                Poll::Ready(store) => Poll::Ready(Some(store.unwrap())),
                Poll::Pending if left == 0 => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        });
        opened = store.await;
        if opened.is_some() {
            break;
        }
    }
    let store = opened.unwrap();
    for n in [1, 999, 1_000, 1_001, 2_000, 2_500] {
        let found = store.search(me, &number(n), None, 10_000).await.unwrap();
        let text = n.to_string();
        let expected = (1..=MESSAGES).filter(|n| n.to_string().starts_with(&text));
        assert_eq!(found.len(), expected.count(), "{n}");
    }
    let integrity: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(store.writer())
        .await
        .unwrap();
    assert_eq!(integrity, "ok");
}

/// All messages of such a database were indexed when they were stored.
#[tokio::test]
async fn what_an_earlier_version_has_indexed_is_found_as_before() {
    let (_directory, file) = new_file();
    let (id, [me, _]) = old_database(&file).await;
    let pool = SqlitePool::connect_with(options(&file)).await.unwrap();
    migrate(&pool, 3).await;
    // Words that no message has tell that nothing was made anew.
    let place = format!("#{}", id.as_uuid().simple());
    for statement in [
        "UPDATE chat_entries SET search_id = seq, changed_seq = seq WHERE kind = 0",
        "INSERT INTO chat_search (rowid, words) SELECT search_id, 'mark ' || ?1 FROM chat_entries WHERE kind = 0",
        "DELETE FROM chat_meta WHERE key = 'indexed'",
    ] {
        let statement = sqlx::query(statement);
        let bound = statement.bind(&place).execute(&pool).await;
        bound.unwrap();
    }
    pool.close().await;
    let store = SqliteStore::open(&file).await.unwrap();
    let new = send(id, me, "Mark my words");
    store.commit(&[new]).await.unwrap().remove(0).unwrap();
    for _ in 0..2 {
        for (text, expected) in [("mark", 2_501), ("tea", 0), ("my words", 1)] {
            let search = Search {
                words: words(text),
                ..number(0)
            };
            let found = store.search(me, &search, None, 10_000).await.unwrap();
            assert_eq!(found.len(), expected, "{text}");
        }
        while store.index().await.unwrap() {}
    }
}

/// What a process has not indexed when it ends is found, and indexed by the next one.
#[tokio::test]
async fn what_an_earlier_process_has_not_indexed_is_found_and_indexed() {
    let (_directory, file) = new_file();
    let store = SqliteStore::open(&file).await.unwrap();
    let me = UserId::new();
    for n in 0..30 {
        let id = group(&store, me).await;
        let said = send(id, me, format!("tea {n}"));
        store.commit(&[said]).await.unwrap().remove(0).unwrap();
    }
    store.close().await.unwrap();
    let store = SqliteStore::open(&file).await.unwrap();
    let tea = Search {
        words: words("tea"),
        ..number(0)
    };
    assert_eq!(not_indexed(&store).await, 30);
    let found = store.search(me, &tea, None, 100).await.unwrap();
    assert_eq!(found.len(), 30);
    while store.index().await.unwrap() {}
    assert_eq!(not_indexed(&store).await, 0);
    let found = store.search(me, &tea, None, 100).await.unwrap();
    assert_eq!(found.len(), 30);
}

async fn not_indexed(store: &SqliteStore) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM chat_entries WHERE kind = 0 AND search_id IS NULL")
        .fetch_one(store.reader())
        .await
        .unwrap()
}
