//! What only a database server can promise: several nodes, refusals that say why, and surviving its failures.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock},
    time::Duration,
};

use chat_core::{
    model::{ConversationId, Emoji, MessageId, Timestamp, UserId},
    store::{
        Act, Around, Committed, ConversationStore, MessageLog, PostgresStore, PresenceStore,
        Search, StoreError, Write,
        postgres::{OpenError, PostgresOptions},
        words,
    },
    testing::PrivatePostgres,
};
use sqlx::{
    Connection, Executor, PgConnection, PgPool, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};
use tokio::time::{sleep, timeout};

use crate::support::writes::{group, send, write};

/// For databases whose server does not wait for its disk: a power cut is nothing that these tests stage.
pub(crate) const UNSAFE: PostgresOptions = PostgresOptions {
    max_connections: 10,
    allow_unsafe_durability: true,
};

/// As long as the engine waits for a store.
const ENGINE_PATIENCE: Duration = Duration::from_secs(2);

/// The server of all tests that leave it alone.
static SERVER: LazyLock<PrivatePostgres> = LazyLock::new(server);

fn server() -> PrivatePostgres {
    PrivatePostgres::start(&["fsync=off"]).unwrap()
}

pub(crate) async fn new_database() -> String {
    SERVER.database().await.unwrap()
}

async fn new_store() -> PostgresStore {
    PostgresStore::open(&new_database().await, UNSAFE)
        .await
        .unwrap()
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let url = new_database().await;
    let me = UserId::new();
    let store = PostgresStore::open(&url, UNSAFE).await.unwrap();
    let epoch = store.epoch().await.unwrap();
    let id = group(&store, me).await;
    store.commit(&[send(id, me, "hi")]).await.unwrap();
    let (direct, _) = store.direct(me, me, Timestamp::now()).await.unwrap();
    let now = Timestamp::now();
    store.set_last_seen(&[(me, now)]).await.unwrap();
    let rows = store.rows(me, None, 10).await.unwrap();
    let log = store.entries_after(id, 0, 10).await.unwrap();
    store.close().await;
    let closed = store.head(id).await;
    assert!(matches!(closed, Err(StoreError::Unavailable(_))));

    let store = PostgresStore::open(&url, UNSAFE).await.unwrap();
    assert_eq!(store.epoch().await.unwrap(), epoch);
    assert_eq!(store.rows(me, None, 10).await.unwrap(), rows);
    assert_eq!(store.entries_after(id, 0, 10).await.unwrap(), log);
    let again = store.direct(me, me, Timestamp::now()).await.unwrap();
    assert_eq!(again, (direct, false));
    assert_eq!(store.last_seen(&[me]).await.unwrap(), [(me, now)]);
}

#[tokio::test]
async fn without_its_epoch_a_restored_database_gets_another_one() {
    let url = new_database().await;
    let store = PostgresStore::open(&url, UNSAFE).await.unwrap();
    let before = store.epoch().await.unwrap();
    let forget = "DELETE FROM chat_meta WHERE key = 'epoch'";
    store.pool().execute(forget).await.unwrap();
    let store = PostgresStore::open(&url, UNSAFE).await.unwrap();
    assert_ne!(store.epoch().await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_nodes_may_open_a_new_database_at_once() {
    let url = new_database().await;
    let mut openers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let url = url.clone();
        openers.spawn(async move {
            let store = PostgresStore::open(&url, UNSAFE).await.unwrap();
            store.epoch().await.unwrap()
        });
    }
    let epochs = openers.join_all().await;
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{epochs:?}");
}

#[tokio::test]
async fn somebody_elses_database_stays_theirs() {
    let pool = PgPool::connect(&new_database().await).await.unwrap();
    pool.execute("CREATE TABLE users (id bigint PRIMARY KEY, name text)")
        .await
        .unwrap();
    let store = PostgresStore::new_allowing_unsafe_durability(pool.clone())
        .await
        .unwrap();
    group(&store, UserId::new()).await;
    store.close().await;

    let foreign: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT LIKE 'chat!_%' ESCAPE '!'",
    )
    .fetch_all(&pool)
    .await
    .expect("a given pool stays open");
    assert_eq!(foreign, ["users"]);
    timeout(Duration::from_secs(10), pool.close())
        .await
        .expect("none of its connections is kept");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let url = new_database().await;
    let store = PostgresStore::open(&url, UNSAFE).await.unwrap();
    let future =
        "INSERT INTO chat_migrations (version, description, success, checksum, execution_time)
        VALUES (99, 'from the future', TRUE, '', 0)";
    store.pool().execute(future).await.unwrap();
    let refused = PostgresStore::open(&url, UNSAFE).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::NewerSchema { found: 99, .. }),
        "{refused:?}"
    );
}

async fn migrate(connection: &mut PgConnection, versions: usize) {
    let migrations = [
        (
            "log",
            include_str!("../../src/store/postgres/migrations/0001_log.sql"),
        ),
        (
            "changing messages",
            include_str!("../../src/store/postgres/migrations/0002_changing_messages.sql"),
        ),
    ];
    let migrations = migrations.iter().zip(1..).map(|((name, sql), version)| {
        let sql = sql.into_sql_str();
        Migration::new(version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.take(versions).collect());
    migrator.dangerous_set_table_name("chat_migrations");
    migrator.run_direct(None, connection, false).await.unwrap();
}

/// A database as the first version of this library made it: a direct conversation, and a group with a long log.
async fn old_database(me: UserId, peer: UserId) -> (String, ConversationId) {
    let url = new_database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    migrate(&mut connection, 1).await;
    let group = ConversationId::new();
    for content in [
        "INSERT INTO chat_conversations
            SELECT $1, 1, 'Tea', NULL, 5002, 5002, 5002, 2, 1 WHERE $2 <> $3",
        "INSERT INTO chat_members (conversation_id, user_id, role, active, read_seq, rev)
            VALUES ($1, $2, 2, true, 4000, 7), ($1, $3, 0, true, 2, 1)",
        "INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, user_id, role)
            VALUES ($1, 1, 1, 1, $2, $2, 2), ($1, 2, 1, 2, $2, $3, 0)",
        "INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, message_id, client_id, body)
            SELECT $1, s, 0, s, $2, gen_random_uuid(), gen_random_uuid(), 'Crème no' || s
            FROM generate_series(3, 5002) s WHERE $2 <> $3",
    ] {
        sqlx::query(content)
            .bind(group.as_uuid())
            .bind(me.as_uuid())
            .bind(peer.as_uuid())
            .execute(&mut connection)
            .await
            .unwrap();
    }
    (url, group)
}

fn search_for(text: &str) -> Search {
    Search {
        words: words(text),
        conversation: None,
        from: None,
        before: None,
    }
}

#[tokio::test]
async fn an_older_database_keeps_everything_and_can_be_searched() {
    let (me, peer) = (UserId::new(), UserId::new());
    let (url, id) = old_database(me, peer).await;
    let store = PostgresStore::open(&url, UNSAFE).await.unwrap();

    let log = store.entries_after(id, 0, 10_000).await.unwrap();
    assert_eq!(log.len(), 5_002);
    let message = log[4_999].message().unwrap();
    assert_eq!((message.seq, message.changed_seq), (5_000, 5_000));
    let mine = store.membership(id, me).await.unwrap().unwrap();
    let cursors = (mine.read_seq, mine.shown_seq, mine.delivered_seq);
    assert_eq!((cursors, mine.history_from), ((4_000, 4_000, 4_000), 1));

    let search = search_for("creme no500");
    let found = store.search(peer, &search, None, 100).await.unwrap();
    let found: Vec<u64> = found.iter().map(|message| message.seq).collect();
    assert_eq!(found, [5_002, 5_001, 5_000, 500]);
    let react = Act::React {
        message_id: message.id,
        emoji: Emoji::try_from("👍".to_owned()).unwrap(),
    };
    let reacted = store.commit(&[write(id, peer, react)]).await.unwrap();
    assert!(reacted[0].is_ok(), "{reacted:?}");
    let changed = store.message(id, message.id).await.unwrap().unwrap();
    assert_eq!((changed.reactions.len(), changed.changed_seq), (1, 5_003));
}

/// Words were part of the log once, and not yet those of all messages when it was left.
#[tokio::test]
async fn what_an_older_database_can_find_it_finds_as_before() {
    let (me, peer) = (UserId::new(), UserId::new());
    let (url, id) = old_database(me, peer).await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    migrate(&mut connection, 2).await;
    // Words that no message has tell that nothing was made anew.
    let words =
        "UPDATE chat_entries SET words = array_to_tsvector(ARRAY['creme', 'no' || seq, 'mark'])
        WHERE kind = 0 AND seq <= 2000";
    connection.execute(words).await.unwrap();

    let openers = [
        PostgresStore::open(&url, UNSAFE),
        PostgresStore::open(&url, UNSAFE),
    ];
    let nodes = futures_util::future::join_all(openers).await;
    let nodes: Vec<_> = nodes.into_iter().map(Result::unwrap).collect();
    for _ in 0..2 {
        for node in &nodes {
            for (text, expected) in [("mark", 1_998), ("no", 5_000), ("creme no5002", 1)] {
                let found = node.search(me, &search_for(text), None, 10_000).await;
                assert_eq!(found.unwrap().len(), expected, "{text}");
            }
        }
        while nodes[0].index().await.unwrap() {}
    }
    let indexed = "SELECT (SELECT count(*) FROM chat_words), (SELECT seq FROM chat_indexed)";
    let indexed: (i64, i64) = sqlx::query_as(indexed)
        .fetch_one(nodes[0].pool())
        .await
        .unwrap();
    assert_eq!(indexed, (5_000, 5_002));
    let sent = [send(id, peer, "mark my words")];
    let sent = nodes[1].commit(&sent).await.unwrap().remove(0);
    assert!(sent.is_ok(), "{sent:?}");
    let found = nodes[0].search(me, &search_for("mark"), None, 10_000).await;
    assert_eq!(found.unwrap().len(), 1_999);
}

/// What one node leaves is found on another, and indexed by one that starts.
#[tokio::test]
async fn what_a_node_that_is_gone_has_not_indexed_is_found_and_indexed_by_others() {
    let url = new_database().await;
    let gone = PostgresStore::open(&url, UNSAFE).await.unwrap();
    let other = PostgresStore::open(&url, UNSAFE).await.unwrap();
    while other.index().await.unwrap() {}
    let me = UserId::new();
    for _ in 0..30 {
        let id = group(&gone, me).await;
        gone.commit(&[send(id, me, "tea")]).await.unwrap();
    }
    gone.close().await;
    assert!(!other.index().await.unwrap(), "it has said nothing itself");
    let found = other.search(me, &search_for("tea"), None, 100).await;
    assert_eq!(found.unwrap().len(), 30);
    let new = PostgresStore::open(&url, UNSAFE).await.unwrap();
    while new.index().await.unwrap() {}
    assert_eq!(count_words(&new).await, 30);
    let found = other.search(me, &search_for("tea"), None, 100).await;
    assert_eq!(found.unwrap().len(), 30);
}

async fn count_words(store: &PostgresStore) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM chat_words WHERE words IS NOT NULL")
        .fetch_one(store.pool())
        .await
        .unwrap()
}

/// Goes on where somebody else is in the way, as the engine does: one that was given up half-way may hold a lock for a moment.
async fn index_all(store: &PostgresStore) {
    loop {
        match store.index().await {
            Ok(false) => return,
            Ok(true) | Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Two nodes index what a third one edits and deletes. Of what is deleted, no word stays anywhere.
#[tokio::test]
async fn nodes_that_index_at_once_leave_no_word_of_what_is_deleted() {
    let url = new_database().await;
    let nodes = [
        PostgresStore::open(&url, UNSAFE).await.unwrap(),
        PostgresStore::open(&url, UNSAFE).await.unwrap(),
        PostgresStore::open(&url, UNSAFE).await.unwrap(),
    ];
    let me = UserId::new();
    let ids = [group(&nodes[2], me).await, group(&nodes[2], me).await];
    let write_all = async {
        for round in 0..40 {
            let sends: Vec<_> = (0..10)
                .map(|n| send(ids[n % 2], me, format!("secret{round}")))
                .collect();
            nodes[2].commit(&sends).await.unwrap();
            let name = |write: &Write| match write.act {
                Act::Send { id, .. } => (write.conversation_id, id),
                _ => panic!("a send is a send"),
            };
            // In an order that is not that of the log.
            let changes: Vec<_> = sends
                .iter()
                .rev()
                .map(name)
                .map(|(conversation, message_id)| {
                    write(conversation, me, Act::DeleteMessage { message_id })
                })
                .collect();
            let results = nodes[2].commit(&changes).await.unwrap();
            assert!(results.iter().all(Result::is_ok));
        }
    };
    let index = async |node: &PostgresStore| {
        // Each as if it had just started, so that it looks for what is not its own.
        loop {
            let fresh = PostgresStore::new_allowing_unsafe_durability(node.pool().clone());
            let fresh = fresh.await.unwrap();
            index_all(&fresh).await;
        }
    };
    tokio::select! {
        () = write_all => {}
        () = index(&nodes[0]) => {}
        () = index(&nodes[1]) => {}
    }
    for node in &nodes {
        index_all(node).await;
        let found = node.search(me, &search_for("secret"), None, 10_000).await;
        assert_eq!(found.unwrap(), []);
    }
    assert_eq!(count_words(&nodes[0]).await, 0);
}

/// One node looks at a member because a message calls them, while another moves their cursor.
#[tokio::test]
async fn those_who_are_called_by_name_go_on_reading_meanwhile() {
    let url = new_database().await;
    let node = PostgresStore::open(&url, UNSAFE).await.unwrap();
    let other = PostgresStore::open(&url, UNSAFE).await.unwrap();
    let (me, peer) = (UserId::new(), UserId::new());
    let id = group(&node, me).await;
    let role = None;
    let join = Act::PutMember {
        user_id: peer,
        role,
    };
    node.commit(&[write(id, me, join)]).await.unwrap();
    for n in 0..30 {
        let mut call = send(id, me, format!("@peer {n}"));
        if let Act::Send { mentions, .. } = &mut call.act {
            mentions.users.push(peer);
        }
        let read = write(
            id,
            peer,
            Act::MarkRead {
                seq: 1 + n,
                shown: true,
            },
        );
        let (call, read) = ([call], [read]);
        let (called, read) = tokio::join!(node.commit(&call), other.commit(&read));
        assert!(called.unwrap()[0].is_ok() && read.unwrap()[0].is_ok());
    }
    let row = other.rows_of(peer, &[id]).await.unwrap().remove(0).row;
    assert_eq!(row.unread.mentions, row.unread.count);
    assert_eq!(row.unread.count, 32 - row.me.read_seq);
}

/// Both cursors that others are told of only rise, whichever node is late.
#[tokio::test]
async fn what_others_are_told_of_reading_never_falls() {
    let url = new_database().await;
    let nodes = [
        PostgresStore::open(&url, UNSAFE).await.unwrap(),
        PostgresStore::open(&url, UNSAFE).await.unwrap(),
    ];
    let me = UserId::new();
    let id = group(&nodes[0], me).await;
    let peer = UserId::new();
    let join = Act::PutMember {
        user_id: peer,
        role: None,
    };
    let sends = (0..60).map(|n| send(id, me, n.to_string()));
    let batch: Vec<Write> = std::iter::once(write(id, me, join)).chain(sends).collect();
    nodes[0].commit(&batch).await.unwrap();
    let mut told = (0, 0);
    for n in 0..50 {
        let mark = |seq| [write(id, peer, Act::MarkDelivered { seq })];
        let (low, high) = (mark(n), mark(2 * n));
        let (low, high) = tokio::join!(nodes[0].commit(&low), nodes[1].commit(&high));
        low.unwrap();
        high.unwrap();
        let member = nodes[0].membership(id, peer).await.unwrap().unwrap();
        let now = (member.shown_seq, member.delivered_seq);
        assert!(now >= told && now.1 >= (2 * n).min(62), "{now:?}");
        told = now;
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_url_is_said() {
    let server = &*SERVER;
    let port = server.port();
    let safe = PostgresOptions::default();
    let refusal = async |url: &str| PostgresStore::open(url, safe).await.unwrap_err();

    let refused = refusal("chat.db").await;
    assert!(matches!(refused, OpenError::BadUrl(_)), "{refused:?}");

    let refused = refusal("postgres://chat@127.0.0.1:1/chat").await;
    assert!(
        matches!(refused, OpenError::Unreachable { .. }),
        "{refused:?}"
    );
    assert!(refused.to_string().contains("127.0.0.1:1"), "{refused}");

    for guess in ["guess", "s3cret"] {
        let url = format!("postgres://guarded:{guess}@127.0.0.1:{port}/postgres");
        let refused = refusal(&url).await;
        assert!(
            matches!(&refused, OpenError::LoginRefused { user, .. } if user == "guarded"),
            "{refused:?}"
        );
        assert!(!refused.to_string().contains(guess), "{refused}");
    }

    let refused = refusal(&server.url("nowhere")).await;
    assert!(
        matches!(&refused, OpenError::NoDatabase { database, .. } if database == "nowhere"),
        "{refused:?}"
    );

    let stranger = new_database().await.replace("chat@", "guarded:secret@");
    let refused = PostgresStore::open(&stranger, UNSAFE).await.unwrap_err();
    assert!(
        matches!(&refused, OpenError::NotPermitted { user, .. } if user == "guarded"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_server_without_room_says_so() {
    let server = server();
    let url = server.database().await.unwrap();
    let limit = "ALTER ROLE guarded CONNECTION LIMIT 0";
    let admin = PgPool::connect(&url).await.unwrap();
    admin.execute(limit).await.unwrap();
    let url = url.replace("chat@", "guarded:secret@");
    let refused = PostgresStore::open(&url, UNSAFE).await.unwrap_err();
    assert!(
        matches!(refused, OpenError::TooManyConnections { .. }),
        "{refused:?}"
    );
}

#[tokio::test]
async fn unsafe_durability_is_refused() {
    let safe = PostgresOptions::default();
    let url = new_database().await;
    let refused = PostgresStore::open(&url, safe).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the server has fsync = off: it must be on, or messages can be lost"
    );
    let server = PrivatePostgres::start(&[]).unwrap();
    let url = server.database().await.unwrap();
    PostgresStore::open(&url, safe).await.unwrap();
    for value in ["local", "on", "off"] {
        let url = format!("{url}&options[synchronous_commit]={value}");
        let pool = PgPool::connect(&url).await.unwrap();
        for opened in [
            PostgresStore::open(&url, safe).await,
            PostgresStore::new(pool).await,
        ] {
            let refused = matches!(
                opened,
                Err(OpenError::NotDurable {
                    setting: "synchronous_commit",
                    ..
                })
            );
            assert_eq!(refused, value == "off", "{opened:?}");
        }
    }
}

#[tokio::test]
async fn a_text_with_a_nul_is_an_error_and_no_more() {
    let store = new_store().await;
    let me = UserId::new();
    let id = group(&store, me).await;
    let refused = store.commit(&[send(id, me, "a\0b")]).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    store.commit(&[send(id, me, "ab")]).await.unwrap();
    assert_eq!(store.head(id).await.unwrap(), Some(2));
}

#[tokio::test]
async fn impossible_content_is_reported_and_not_guessed() {
    for damage in [
        "UPDATE chat_entries SET kind = 99 WHERE seq = 3",
        "UPDATE chat_entries SET body = NULL WHERE seq = 3",
        "UPDATE chat_entries SET seq = 30 WHERE seq = 3",
        "DELETE FROM chat_entries WHERE seq = 3",
    ] {
        let store = new_store().await;
        let me = UserId::new();
        let id = group(&store, me).await;
        let batch = [1, 2, 3].map(|n| send(id, me, n.to_string()));
        store.commit(&batch).await.unwrap();
        store.pool().execute(damage).await.unwrap();
        let entries = store.entries_after(id, 0, 10).await;
        assert!(
            matches!(entries, Err(StoreError::Corrupt(_))),
            "{damage}: {entries:?}"
        );
    }
}

#[tokio::test]
async fn a_log_behind_its_head_refuses_writes_that_would_overwrite_it() {
    let store = new_store().await;
    let me = UserId::new();
    let id = group(&store, me).await;
    store.commit(&[send(id, me, "one")]).await.unwrap();
    let damage = "UPDATE chat_conversations SET head_seq = 1";
    store.pool().execute(damage).await.unwrap();
    let refused = store.commit(&[send(id, me, "two")]).await;
    assert!(
        matches!(refused, Err(StoreError::Corrupt(_))),
        "{refused:?}"
    );
    let messages = store.messages(id, Around::Newest, 1, 10).await.unwrap();
    assert_eq!(messages.len(), 1);
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_unavailable_until_it_does() {
    let store = new_store().await;
    let me = UserId::new();
    let id = group(&store, me).await;
    let mut theirs = store.pool().begin().await.unwrap();
    sqlx::query("SELECT 1 FROM chat_conversations FOR UPDATE")
        .execute(&mut *theirs)
        .await
        .unwrap();
    let refused = store.commit(&[send(id, me, "behind a lock")]).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    assert_eq!(store.head(id).await.unwrap(), Some(1), "reads go on");
    theirs.rollback().await.unwrap();
    store.commit(&[send(id, me, "after it")]).await.unwrap();
    assert_eq!(store.head(id).await.unwrap(), Some(2));
}

/// Two nodes write batches to several conversations in any order, and some of their calls are given up on half-way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_give_up_half_way_neither_deadlock_nor_lose_connections() {
    let url = new_database().await;
    let me = UserId::new();
    let few = PostgresOptions {
        max_connections: 4,
        ..UNSAFE
    };
    let nodes = [
        PostgresStore::open(&url, few).await.unwrap(),
        PostgresStore::open(&url, few).await.unwrap(),
    ];
    let mut conversations = Vec::new();
    for _ in 0..4 {
        conversations.push(group(&nodes[0], me).await);
    }
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..8_usize {
        let (node, conversations) = (nodes[n % 2].clone(), conversations.clone());
        writers.spawn(async move {
            let mut acknowledged = Vec::new();
            for round in 0..40_usize {
                let order = (0..4).map(|it| conversations[(it * (1 + 2 * (n % 2)) + round) % 4]);
                let batch: Vec<Write> = order.map(|id| send(id, me, "hi")).collect();
                let patience = match round % 3 {
                    0 => Duration::from_micros((round * 97 % 4_000) as u64),
                    _ => Duration::from_mins(1),
                };
                if let Ok(results) = timeout(patience, node.commit(&batch)).await {
                    for result in results.unwrap() {
                        acknowledged.push(appended(result));
                    }
                }
            }
            acknowledged
        });
    }
    let acknowledged: Vec<MessageId> = writers.join_all().await.into_iter().flatten().collect();
    for node in &nodes {
        let logged = all_messages(node, &conversations).await;
        assert!(acknowledged.iter().all(|id| logged.contains(id)));
    }
}

fn appended(result: Result<Committed, chat_core::store::Refusal>) -> MessageId {
    match result {
        Ok(Committed::Appended(entries)) => entries[0].message().unwrap().id,
        Ok(Committed::Repeated(message)) => message.id,
        other => panic!("a send should be accepted: {other:?}"),
    }
}

/// The messages of dense logs, each there once.
async fn all_messages(
    store: &PostgresStore,
    conversations: &[ConversationId],
) -> HashSet<MessageId> {
    let mut found = HashSet::new();
    for &id in conversations {
        let log = store.entries_after(id, 0, 100_000).await.unwrap();
        assert_eq!(store.head(id).await.unwrap(), Some(log.len() as u64));
        for message in log.iter().filter_map(|entry| entry.message()) {
            assert!(found.insert(message.id), "a message is there once");
        }
    }
    found
}

/// What is done to a server, and what ends it.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Restarted,
    Killed,
    Frozen,
}

/// Senders that retry under the same `client_id`, as clients do, while the server fails and comes back.
async fn survive(fault: Fault) {
    const SENDERS: usize = 4;
    let server = Arc::new(server());
    let url = server.database().await.unwrap();
    let options = PostgresOptions {
        max_connections: 3,
        ..UNSAFE
    };
    let store = PostgresStore::open(&url, options).await.unwrap();
    let me = UserId::new();
    let id = group(&store, me).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..SENDERS {
        let (store, stopped) = (store.clone(), stopped.clone());
        senders.spawn(async move {
            let (mut acknowledged, mut failures) = (Vec::new(), 0);
            while !*stopped.borrow() {
                let batch = [send(id, me, "hi")];
                loop {
                    match timeout(ENGINE_PATIENCE, store.commit(&batch)).await {
                        Ok(Ok(mut results)) => {
                            acknowledged.push(appended(results.remove(0)));
                            break;
                        }
                        Ok(Err(StoreError::Unavailable(_))) | Err(_) => failures += 1,
                        Ok(Err(error)) => panic!("a failing server is no damage: {error}"),
                    }
                    let _ = store.head(id).await;
                }
            }
            (acknowledged, failures)
        });
    }
    for _ in 0..2 {
        wait_for_progress(&store, id).await;
        match fault {
            Fault::Restarted => server.stop_immediately().unwrap(),
            Fault::Killed => server.kill().unwrap(),
            Fault::Frozen => server.freeze().unwrap(),
        }
        // Long enough for the senders to notice and to give up at least once.
        sleep(ENGINE_PATIENCE + Duration::from_millis(500)).await;
        match fault {
            Fault::Restarted | Fault::Killed => server.start_again().unwrap(),
            Fault::Frozen => server.thaw().unwrap(),
        }
        timeout(Duration::from_secs(5), wait_for_progress(&store, id))
            .await
            .expect("it works again within five seconds");
    }
    stop.send(true).unwrap();
    let mut acknowledged: HashMap<MessageId, usize> = HashMap::new();
    let mut failures = 0;
    for (of_one, failed) in senders.join_all().await {
        failures += failed;
        for id in of_one {
            *acknowledged.entry(id).or_default() += 1;
        }
    }
    assert!(failures > 0, "the server was away, and nobody noticed");
    let logged = all_messages(&store, &[id]).await;
    let acknowledged: HashSet<MessageId> = acknowledged.into_keys().collect();
    assert_eq!(logged, acknowledged, "what was acknowledged is there, once");
}

/// Until something more was committed, which can be read.
async fn wait_for_progress(store: &PostgresStore, id: ConversationId) {
    let head = async || timeout(ENGINE_PATIENCE, store.head(id)).await;
    let mut before = None;
    loop {
        if let Ok(Ok(Some(head))) = head().await {
            if before.is_some_and(|before| head > before + 20) {
                return;
            }
            before = before.or(Some(head));
        }
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_restarted_loses_nothing() {
    survive(Fault::Restarted).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_nothing() {
    survive(Fault::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_takes_no_connection_with_it() {
    survive(Fault::Frozen).await;
}

#[tokio::test]
async fn a_standby_is_neither_written_to_nor_read() {
    let server = server();
    let url = server.database().await.unwrap();
    let store = PostgresStore::open(&url, UNSAFE).await.unwrap();
    let me = UserId::new();
    let id = group(&store, me).await;
    server.become_standby().unwrap();
    let refused = PostgresStore::open(&url, UNSAFE).await.unwrap_err();
    assert!(matches!(refused, OpenError::ReadOnly), "{refused:?}");
    let message = [send(id, me, "hi")];
    let refused = store.commit(&message).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let refused = store.set_last_seen(&[(me, Timestamp::now())]).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    let stale = store.head(id).await;
    assert!(
        matches!(stale, Err(StoreError::Unavailable(_))),
        "what a standby has may be old: {stale:?}"
    );
    server.stop_immediately().unwrap();
    server.start_again().unwrap();
    store.commit(&message).await.unwrap();
}

#[tokio::test]
async fn the_settings_of_a_pool_do_not_change_what_a_commit_sees() {
    let url = new_database().await;
    let settings = "options[default_transaction_isolation]=serializable\
        &options[default_transaction_read_only]=on";
    let theirs = PgPool::connect(&format!("{url}&{settings}")).await.unwrap();
    let me = UserId::new();
    let store = PostgresStore::open(&url, UNSAFE).await.unwrap();
    let id = group(&store, me).await;
    let in_pool = PostgresStore::new_allowing_unsafe_durability(theirs).await;
    let in_pool = in_pool.unwrap();
    for n in 0..10 {
        let (a, b) = (
            [send(id, me, format!("a{n}"))],
            [send(id, me, format!("b{n}"))],
        );
        let (a, b) = tokio::join!(store.commit(&a), in_pool.commit(&b));
        assert!(a.unwrap()[0].is_ok() && b.unwrap()[0].is_ok());
    }
    assert_eq!(store.head(id).await.unwrap(), Some(21));
}
