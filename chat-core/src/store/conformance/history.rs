//! Reading the log: entries and messages by place.

use super::{commit, create, group, mark_read, rename, say};
use crate::{
    model::{ConversationId, Message, MessageId, Seq, UserId},
    store::{Around, Refusal, Store},
};

/// Reading on from the last entry of each page gives the whole log once.
pub async fn pages_of_entries_have_no_hole(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    for n in 0..10 {
        say(&store, id, me, &n.to_string()).await;
        commit(&store, rename(id, me, &n.to_string()))
            .await
            .unwrap();
    }
    let mut read: Vec<Seq> = Vec::new();
    loop {
        let after = read.last().copied().unwrap_or(0);
        let page = store.entries_after(id, after, 4).await.unwrap();
        assert!(page.len() <= 4);
        if page.is_empty() {
            break;
        }
        read.extend(page.iter().map(|entry| entry.seq));
    }
    assert_eq!(read, (1..=21).collect::<Vec<_>>());
    for (after, limit) in [(21, 5), (1_000, 5), (Seq::MAX, 5), (0, 0)] {
        let page = store.entries_after(id, after, limit).await.unwrap();
        assert!(page.is_empty(), "after {after}, at most {limit}: {page:?}");
    }
    let all = store.entries_after(id, 0, usize::MAX).await.unwrap();
    assert_eq!(all.len(), 21);
}

/// Newest, before, after and around a place, at the edges too, always ascending and never anything but messages.
pub async fn messages_are_found_by_place(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    // The odd places are not messages: 1 is the owner's joining, then a title between every two messages.
    let mut said = Vec::new();
    for n in 1..=10 {
        said.push(say(&store, id, me, &n.to_string()).await);
        commit(&store, rename(id, me, &n.to_string()))
            .await
            .unwrap();
    }
    let newest = store.messages(id, Around::Newest, 1, 100).await.unwrap();
    assert_eq!(newest, said, "history gives what was acknowledged");

    for (which, limit, expected) in [
        (Around::Newest, 3, vec![16, 18, 20]),
        (Around::Newest, 0, vec![]),
        (Around::Before(8), 2, vec![4, 6]),
        (Around::Before(9), 2, vec![6, 8]),
        (Around::Before(2), 5, vec![]),
        (Around::Before(1), 5, vec![]),
        (Around::Before(0), 5, vec![]),
        (Around::Before(Seq::MAX), 1, vec![20]),
        (Around::After(8), 2, vec![10, 12]),
        (Around::After(7), 2, vec![8, 10]),
        (Around::After(0), 2, vec![2, 4]),
        (Around::After(20), 2, vec![]),
        (Around::After(Seq::MAX), 2, vec![]),
        (Around::Around(8), 4, vec![6, 8, 10, 12]),
        (Around::Around(9), 4, vec![6, 8, 10, 12]),
        (Around::Around(8), 5, vec![4, 6, 8, 10, 12]),
        (Around::Around(8), 1, vec![8]),
        (Around::Around(8), 0, vec![]),
        (Around::Around(2), 4, vec![2, 4, 6]),
        (Around::Around(0), 4, vec![2, 4]),
        (Around::Around(20), 4, vec![18, 20]),
        (Around::Around(Seq::MAX), 4, vec![18, 20]),
    ] {
        let page = store.messages(id, which, 1, limit).await.unwrap();
        assert_eq!(seqs(&page), expected, "{which:?}, at most {limit}");
    }
}

/// Text is stored and returned to the letter.
pub async fn bodies_return_to_the_letter(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    let long = "long ".repeat(20_000);
    for body in [
        "  spaces \t\r\n",
        "'; DROP TABLE chat_entries; --",
        "\"quotes\" \\u0041 {\"json\": 1}",
        "👩‍👩‍👧 e\u{301} \u{202e}\u{200d}",
        "",
        &long,
    ] {
        let said = say(&store, id, me, body).await;
        assert_eq!(said.body, body);
        let newest = store.messages(id, Around::Newest, 1, 1).await.unwrap();
        assert_eq!(newest, [said]);
    }
}

/// Where there is no conversation, there is no error either.
pub async fn what_does_not_exist_is_empty(store: impl Store) {
    let (nowhere, me) = (ConversationId::new(), UserId::new());
    assert_eq!(store.head(nowhere).await.unwrap(), None);
    assert_eq!(store.entries_after(nowhere, 0, 5).await.unwrap(), []);
    let messages = store.messages(nowhere, Around::Newest, 1, 5).await.unwrap();
    assert_eq!(messages, []);
    assert_eq!(
        store.message(nowhere, MessageId::new()).await.unwrap(),
        None
    );
    let pinned = store.pinned(nowhere, Seq::MAX, 1, 5).await.unwrap();
    assert_eq!(pinned, []);
    assert_eq!(store.banned(nowhere, None, 5).await.unwrap(), []);
    assert_eq!(store.membership(nowhere, me).await.unwrap(), None);
    assert_eq!(store.member_ids(nowhere).await.unwrap(), None);
    assert_eq!(store.members(nowhere, None, 5).await.unwrap(), []);
    let refused = commit(&store, mark_read(nowhere, me, 5)).await;
    assert_eq!(refused, Err(Refusal::ConversationNotFound));
    assert_eq!(store.rows(me, None, 5).await.unwrap(), []);
    assert_eq!(store.rows_of(me, &[nowhere]).await.unwrap(), []);
    assert_eq!(store.rows_of(me, &[]).await.unwrap(), []);
    assert_eq!(store.row_heads(me).await.unwrap(), []);
    commit(&store, create(nowhere, me, &[])).await.unwrap();
    assert_eq!(store.head(nowhere).await.unwrap(), Some(1));
}

fn seqs(messages: &[Message]) -> Vec<Seq> {
    messages.iter().map(|message| message.seq).collect()
}
