//! No statement that is run often reads a table from end to end.

use sqlx::{AssertSqlSafe, Executor, PgConnection, Postgres, Row as _, pool::PoolConnection};

use super::{
    PostgresOptions, PostgresStore, conversations, group_rows, load, log, presence, search, store,
    users, words,
};
use crate::testing::PrivatePostgres;

/// 2,000 conversations of 10 among 1,000 users, with 20 entries in each and 50,000 in one, and somebody who sees
/// them all. Each message has a rare word and a common one.
const CONTENT: &str = "
    SET statement_timeout = 0;
    CREATE FUNCTION pg_temp.id(n bigint) RETURNS uuid LANGUAGE sql AS $$ SELECT md5(n::text)::uuid $$;
    INSERT INTO chat_conversations
        SELECT pg_temp.id(c), 1, 'group', NULL, 20, 20, c, 10, 1 FROM generate_series(1, 2000) c;
    INSERT INTO chat_members (conversation_id, user_id, role, active, read_seq, rev)
        SELECT pg_temp.id(c), pg_temp.id(1000000 + (c * 7 + m * 13) % 1000), 0, true, 10, 1
        FROM generate_series(1, 2000) c, generate_series(1, 10) m;
    INSERT INTO chat_members (conversation_id, user_id, role, active, read_seq, rev)
        SELECT pg_temp.id(c), pg_temp.id(7), 0, true, 10, 1 FROM generate_series(1, 2000) c;
    INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, message_id, client_id, body,
            pinned_at)
        SELECT pg_temp.id(c), s, 0, s, pg_temp.id(1000000 + s % 10), gen_random_uuid(), gen_random_uuid(), 'hi',
            CASE WHEN s % 10 = 0 THEN s END
        FROM generate_series(1, 2000) c, LATERAL generate_series(1, CASE c WHEN 1 THEN 50000 ELSE 20 END) s;
    INSERT INTO chat_words SELECT conversation_id, seq, at, message_id, author_id,
            array_to_tsvector(ARRAY['hi', 'rare' || seq]) FROM chat_entries;
    INSERT INTO chat_indexed SELECT id, head_seq FROM chat_conversations;
    INSERT INTO chat_last_seen SELECT pg_temp.id(1000000 + u), u FROM generate_series(1, 1000) u;
    INSERT INTO chat_reactions SELECT message_id, '+', author_id FROM chat_entries WHERE seq % 3 = 0;
    INSERT INTO chat_mentions SELECT conversation_id, author_id, seq, author_id FROM chat_entries WHERE seq % 3 = 0;
    INSERT INTO chat_blocks SELECT pg_temp.id(1000000 + u), pg_temp.id(1000000 + v)
        FROM generate_series(1, 1000) u, generate_series(1, 10) v;
    INSERT INTO chat_users SELECT pg_temp.id(1000000 + u), true, true, 0 FROM generate_series(1, 1000) u;
    ANALYZE;
    SET plan_cache_mode = force_generic_plan";

async fn with_content(server: &PrivatePostgres) -> PoolConnection<Postgres> {
    let url = server.database().await.unwrap();
    let options = PostgresOptions {
        allow_unsafe_durability: true,
        ..PostgresOptions::default()
    };
    let store = PostgresStore::open(&url, options).await.unwrap();
    let mut connection = store.pool().acquire().await.unwrap();
    connection.execute(CONTENT).await.unwrap();
    connection
}

#[tokio::test]
async fn every_statement_goes_through_an_index() {
    let server = PrivatePostgres::start(&["fsync=off"]).unwrap();
    let mut connection = with_content(&server).await;
    for statement in [
        log::HEAD,
        log::ENTRIES_AFTER,
        log::MESSAGES,
        log::MESSAGE,
        log::PINNED,
        conversations::ROWS,
        conversations::ROWS_OF,
        conversations::ROW_HEADS,
        conversations::ROW_HEADS_OF,
        group_rows::GROUP_ROWS,
        conversations::MEMBER_IDS,
        conversations::MEMBERS,
        conversations::READERS,
        conversations::BANNED,
        conversations::SHARING_WITH,
        conversations::MEMBERSHIP,
        conversations::OPEN_DIRECT,
        conversations::MAKE_DIRECT,
        presence::SET_LAST_SEEN,
        presence::LAST_SEEN,
        presence::RENEW_LEASE,
        presence::END_LEASE,
        presence::LEASES,
        users::SETTINGS,
        users::SET_SETTINGS,
        users::BLOCK,
        users::UNBLOCK,
        users::BLOCKED_BY,
        users::BLOCKERS_OF,
        words::NEXT,
        words::INDEX,
        words::SWEEP_ON,
        search::PENDING,
        search::UNINDEXED,
        search::PLACE,
        load::LOAD,
        store::STORE_SENDS,
        store::STORE,
    ] {
        // Planned for whatever parameters there may be.
        let parameters = (1..).take_while(|n| statement.contains(&format!("${n}")));
        let nulls = vec!["NULL"; parameters.count()].join(", ");
        let plan = plan(&mut connection, statement, &nulls).await;
        let scans = plan
            .iter()
            .filter(|step| step.contains("Seq Scan on chat_") || step.contains("Bitmap"));
        assert_eq!(scans.count(), 0, "{statement}\n{plan:#?}");
    }
}

/// The index of words can only be read as a bitmap, and only what is found by it is read from the log then.
#[tokio::test]
async fn what_is_searched_for_goes_through_the_index_of_words_or_of_times() {
    let server = PrivatePostgres::start(&["fsync=off"]).unwrap();
    let mut connection = with_content(&server).await;
    let settings = "SET plan_cache_mode = force_custom_plan; SET enable_bitmapscan = on";
    connection.execute(settings).await.unwrap();
    for (statement, index) in [
        (search::SEARCH, "chat_words_by_word"),
        (search::SEARCH_NEWEST, "chat_words_by_time"),
    ] {
        let parameters = "pg_temp.id(7), '''rare40077'':*', NULL, NULL, NULL, NULL, 50";
        let plan = plan(&mut connection, statement, parameters).await;
        assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
        let scans = plan
            .iter()
            .filter(|step| step.contains("Seq Scan on chat_"));
        assert_eq!(scans.count(), 0, "{plan:#?}");
    }
}

/// How a statement is carried out, with these parameters.
async fn plan(connection: &mut PgConnection, statement: &str, parameters: &str) -> Vec<String> {
    let prepare = format!("DEALLOCATE ALL; PREPARE statement AS {statement}");
    connection.execute(AssertSqlSafe(prepare)).await.unwrap();
    let explain = format!("EXPLAIN EXECUTE statement ({parameters})");
    let plan = connection
        .fetch_all(sqlx::raw_sql(AssertSqlSafe(explain)))
        .await
        .unwrap();
    plan.iter().map(|step| step.get(0)).collect()
}
