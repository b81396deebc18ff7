//! No statement that is run often reads more than it was asked for, however much there is.

use sqlx::{AssertSqlSafe, Row as _};

use super::{
    SqliteStore, backfill, conversations, group_rows, index, load, log, presence, search, users,
};

async fn plan(store: &SqliteStore, statement: &str) -> Vec<String> {
    let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
    let plan = sqlx::query(explain)
        .bind("[]")
        .fetch_all(store.reader())
        .await
        .unwrap();
    plan.iter().map(|step| step.get("detail")).collect()
}

#[tokio::test]
async fn every_read_goes_through_an_index() {
    let store = SqliteStore::in_memory().await.unwrap();
    for statement in [
        log::HEAD,
        log::ENTRIES_AFTER,
        log::MESSAGES,
        log::MESSAGE,
        log::PINNED,
        search::SEARCH,
        search::PLACE,
        search::PENDING,
        search::UNINDEXED,
        index::NEXT,
        index::SWEEP_ON,
        conversations::ROWS,
        conversations::ROWS_OF,
        conversations::ROW_HEADS,
        conversations::MEMBER_IDS,
        conversations::MEMBERS,
        conversations::SHARING_WITH,
        conversations::MEMBERSHIP,
        conversations::READERS,
        conversations::BANNED,
        group_rows::CONVERSATION,
        group_rows::PLACES,
        group_rows::RECENT,
        group_rows::CALLS,
        presence::LAST_SEEN,
        users::SETTINGS,
        users::BLOCKED_BY,
        users::BLOCKERS_OF,
        backfill::NEXT,
        load::LOAD,
    ]
    .into_iter()
    .flat_map(|text| text.split(';'))
    {
        let steps = plan(&store, statement).await;
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

#[tokio::test]
async fn a_log_is_read_in_its_order_and_not_sorted() {
    let store = SqliteStore::in_memory().await.unwrap();
    for statement in [log::HEAD, log::ENTRIES_AFTER, conversations::MEMBERS] {
        let steps = plan(&store, statement).await;
        assert!(
            !steps.iter().any(|step| step.contains("TEMP B-TREE")),
            "{steps:#?}"
        );
    }
    // Each side of a page of history ends at its limit before it is sorted.
    let steps = plan(&store, log::MESSAGES).await;
    for (at, _) in steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.contains("TEMP B-TREE"))
    {
        assert!(steps[at - 1].starts_with("SCAN (subquery"), "{steps:#?}");
    }
}

#[tokio::test]
async fn a_page_of_a_list_is_picked_from_a_covering_index_and_only_its_rows_are_completed() {
    let store = SqliteStore::in_memory().await.unwrap();
    let steps = plan(&store, conversations::ROWS).await;
    let picked = steps.iter().position(|step| step == "SCAN page").unwrap();
    let (picking, completing) = steps.split_at(picked);
    assert_eq!(
        picking,
        [
            "MATERIALIZE page",
            "SEARCH m USING COVERING INDEX chat_members_by_user (user_id=? AND active=?)",
            "SEARCH c USING PRIMARY KEY (id=?)",
            "USE TEMP B-TREE FOR ORDER BY",
        ]
    );
    let unread = "SEARCH u USING PRIMARY KEY (conversation_id=? AND seq>?)";
    let calls = "SEARCH n USING PRIMARY KEY (conversation_id=? AND user_id=? AND seq>?)";
    let newest = "SEARCH e USING PRIMARY KEY (conversation_id=? AND seq=?) LEFT-JOIN";
    for step in [unread, calls, newest] {
        assert!(
            completing.contains(&step.to_owned()),
            "{step}: {completing:#?}"
        );
    }
}

#[tokio::test]
async fn what_is_found_is_read_from_the_newest_on_and_not_sorted() {
    let store = SqliteStore::in_memory().await.unwrap();
    let steps = plan(&store, search::SEARCH).await;
    for step in [
        "SEARCH e USING INDEX chat_entries_by_search_id (search_id=?)",
        "SEARCH m USING PRIMARY KEY (conversation_id=? AND user_id=?)",
    ] {
        assert!(steps.contains(&step.to_owned()), "{step}: {steps:#?}");
    }
    let sorts = steps.iter().any(|step| step.contains("TEMP B-TREE"));
    assert!(!sorts, "{steps:#?}");
}
