//! No statement that is run often reads a table from end to end.

use sqlx::{AssertSqlSafe, Executor, Row as _};

use super::{
    PostgresOptions, PostgresStore, conversations, group_rows, load, log, presence, store,
};
use crate::testing::PrivatePostgres;

/// 2,000 conversations of 10 among 1,000 users, with 20 entries in each and 50,000 in one.
const CONTENT: &str = "
    SET statement_timeout = 0;
    CREATE FUNCTION pg_temp.id(n bigint) RETURNS uuid LANGUAGE sql AS $$ SELECT md5(n::text)::uuid $$;
    INSERT INTO chat_conversations
        SELECT pg_temp.id(c), 1, 'group', NULL, 20, 20, c, 10, 1 FROM generate_series(1, 2000) c;
    INSERT INTO chat_members (conversation_id, user_id, role, active, read_seq, rev)
        SELECT pg_temp.id(c), pg_temp.id(1000000 + (c * 7 + m * 13) % 1000), 0, true, 10, 1
        FROM generate_series(1, 2000) c, generate_series(1, 10) m;
    INSERT INTO chat_entries (conversation_id, seq, kind, at, author_id, message_id, client_id, body)
        SELECT pg_temp.id(c), s, 0, s, pg_temp.id(1000000 + s % 10), gen_random_uuid(), gen_random_uuid(), 'hi'
        FROM generate_series(1, 2000) c, LATERAL generate_series(1, CASE c WHEN 1 THEN 50000 ELSE 20 END) s;
    INSERT INTO chat_last_seen SELECT pg_temp.id(1000000 + u), u FROM generate_series(1, 1000) u;
    ANALYZE;
    SET plan_cache_mode = force_generic_plan";

#[tokio::test]
async fn every_statement_goes_through_an_index() {
    let server = PrivatePostgres::start(&["fsync=off"]).unwrap();
    let url = server.database().await.unwrap();
    let options = PostgresOptions {
        allow_unsafe_durability: true,
        ..PostgresOptions::default()
    };
    let store = PostgresStore::open(&url, options).await.unwrap();
    let mut connection = store.pool().acquire().await.unwrap();
    connection.execute(CONTENT).await.unwrap();
    for statement in [
        log::HEAD,
        log::ENTRIES_AFTER,
        log::MESSAGES,
        conversations::ROWS,
        conversations::ROWS_OF,
        conversations::ROW_HEADS,
        group_rows::GROUP_ROWS,
        conversations::MEMBER_IDS,
        conversations::MEMBERS,
        conversations::SHARING_WITH,
        conversations::MEMBERSHIP,
        conversations::OPEN_DIRECT,
        conversations::MAKE_DIRECT,
        presence::SET_LAST_SEEN,
        presence::LAST_SEEN,
        load::LOAD,
        store::STORE,
    ] {
        // Planned for whatever parameters there may be.
        let parameters = (1..).take_while(|n| statement.contains(&format!("${n}")));
        let nulls = vec!["NULL"; parameters.count()].join(", ");
        let prepare = format!("DEALLOCATE ALL; PREPARE statement AS {statement}");
        connection.execute(AssertSqlSafe(prepare)).await.unwrap();
        let explain = format!("EXPLAIN EXECUTE statement ({nulls})");
        let plan = connection
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(explain)))
            .await
            .unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.get(0)).collect();
        let scans = steps
            .iter()
            .filter(|step| step.contains("Seq Scan on chat_") || step.contains("Bitmap"));
        assert_eq!(scans.count(), 0, "{statement}\n{steps:#?}");
    }
}
