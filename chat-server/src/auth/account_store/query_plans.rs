//! No statement of the accounts reads more than it was asked for, however many people there are.

use chat_core::{
    store::{PostgresStore, SqliteStore, postgres::PostgresOptions},
    testing::PrivatePostgres,
};
use sqlx::{AssertSqlSafe, Executor, Row as _};

use super::{AccountStore, people, sign_ins};

const STATEMENTS: [&str; 5] = [
    people::BY_USERNAME,
    people::BY_WORDS,
    sign_ins::SIGN_INS,
    sign_ins::END_OLDEST,
    sign_ins::END,
];

#[tokio::test]
async fn sqlite_searches_indexes_and_no_tables() {
    let store = SqliteStore::in_memory().await.unwrap();
    AccountStore::in_sqlite(&store).await.unwrap();
    for statement in STATEMENTS {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan = sqlx::query(explain)
            .fetch_all(store.writer())
            .await
            .unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
        let scans = steps
            .iter()
            .filter(|step| step.starts_with("SCAN") && *step != "SCAN w");
        assert_eq!(scans.count(), 0, "{statement}\n{steps:#?}");
    }
}

/// 20,000 people with two sign-ins each.
const CONTENT: &str = "
    SET statement_timeout = 0;
    CREATE FUNCTION pg_temp.id(n bigint) RETURNS uuid LANGUAGE sql AS $$ SELECT md5(n::text)::uuid $$;
    INSERT INTO accounts SELECT pg_temp.id(n), md5(n::text), md5(n::text), 'x', n FROM generate_series(1, 20000) n;
    INSERT INTO account_words SELECT md5(n::text), pg_temp.id(n) FROM generate_series(1, 20000) n;
    INSERT INTO sign_ins SELECT pg_temp.id(n), pg_temp.id(n % 20000 + 1), n, n FROM generate_series(1, 40000) n;
    ANALYZE;
    SET plan_cache_mode = force_generic_plan";

#[tokio::test]
async fn postgres_searches_indexes_and_no_tables() {
    let server = PrivatePostgres::start(&["fsync=off"]).unwrap();
    let url = server.database().await.unwrap();
    let options = PostgresOptions {
        allow_unsafe_durability: true,
        ..PostgresOptions::default()
    };
    let store = PostgresStore::open(&url, options).await.unwrap();
    AccountStore::in_postgres(&store).await.unwrap();
    let mut connection = store.pool().acquire().await.unwrap();
    connection.execute(CONTENT).await.unwrap();
    for statement in STATEMENTS {
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
        let scans = steps.iter().filter(|step| step.contains("Seq Scan"));
        assert_eq!(scans.count(), 0, "{statement}\n{steps:#?}");
    }
}
