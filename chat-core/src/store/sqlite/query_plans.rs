//! No statement that is run often reads a table from end to end.

use sqlx::{AssertSqlSafe, Row as _};

use super::{SqliteStore, commit, conversations, group_rows, log, presence};

#[tokio::test]
async fn every_read_goes_through_an_index() {
    let store = SqliteStore::in_memory().await.unwrap();
    for statement in [
        log::HEAD,
        log::ENTRIES_AFTER,
        log::MESSAGES,
        conversations::ROWS,
        conversations::ROWS_OF,
        conversations::ROW_HEADS,
        conversations::MEMBER_IDS,
        conversations::MEMBERS,
        conversations::SHARING_WITH,
        conversations::MEMBERSHIP,
        group_rows::CONVERSATION,
        group_rows::PLACES,
        group_rows::RECENT,
        presence::LAST_SEEN,
        commit::CONVERSATIONS,
        commit::MEMBERS,
        commit::SENDS,
        commit::REPLIED,
    ] {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan = sqlx::query(explain)
            .bind("[]")
            .fetch_all(store.reader())
            .await
            .unwrap();
        let steps: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
        // What may be scanned: the list given as a parameter, and the page that was picked.
        let scans = steps.iter().filter(|step| {
            step.starts_with("SCAN")
                && !step.contains("VIRTUAL TABLE")
                && !["SCAN page", "SCAN CONSTANT ROW"].contains(&step.as_str())
                && !step.starts_with("SCAN (subquery")
        });
        assert_eq!(scans.count(), 0, "{statement}\n{steps:#?}");
    }
}
