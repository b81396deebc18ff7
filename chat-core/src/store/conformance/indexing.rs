//! Searching what is indexed, what is not yet, and what is being indexed.

use std::collections::BTreeSet;

use tokio::{task::JoinSet, time::Instant};

use super::{
    append, commit, create_discreet, delete, edit, group, message, now, put, react, say, send,
};
use crate::{
    model::{ConversationId, Message, MessageId, UserId},
    store::{AnyStore, Search, Store, words},
};

fn for_words(text: &str) -> Search {
    Search {
        words: words(text),
        conversation: None,
        from: None,
        before: None,
    }
}

async fn found(store: &impl Store, user: UserId, text: &str) -> Vec<Message> {
    let found = store.search(user, &for_words(text), None, 10_000).await;
    found.unwrap()
}

/// Until nothing is left.
async fn index_all(store: &impl Store) {
    while store.index().await.unwrap() {}
}

/// What was acknowledged is found at once, and no less, no more and in no other order once it is indexed, however often.
pub async fn what_is_said_is_found_before_and_after_it_is_indexed(store: impl Store) {
    let [me, other, late] = [(); 3].map(|()| UserId::new());
    let id = ConversationId::new();
    let created = commit(&store, create_discreet(id, me, &[other])).await;
    created.unwrap();
    let elsewhere = group(&store, other, &[]).await;
    let mut said = Vec::new();
    for n in 0..40 {
        said.push(say(&store, id, [me, other][n % 2], &format!("tea {n}")).await);
        say(&store, elsewhere, other, "tea elsewhere").await;
        if n == 20 {
            commit(&store, put(id, me, late, None)).await.unwrap();
        }
        if n % 16 == 7 {
            store.index().await.unwrap();
        }
    }
    said.sort_unstable_by_key(|message| std::cmp::Reverse((message.created_at, message.id)));
    for step in 0..4 {
        assert_eq!(found(&store, me, "tea").await, said, "step {step}");
        assert_eq!(found(&store, late, "tea").await.len(), 19);
        assert_eq!(found(&store, other, "tea").await.len(), 80);
        let narrow = Search {
            from: Some(me),
            conversation: Some(id),
            ..for_words("te")
        };
        let mine = store.search(me, &narrow, None, 100).await.unwrap();
        let expected = said.iter().filter(|it| it.sender_id == me);
        assert!(mine.iter().eq(expected));
        let mut read: Vec<Message> = Vec::new();
        loop {
            let after = read.last().map(|message| message.id);
            let page = store.search(me, &for_words("tea"), after, 7).await.unwrap();
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, said);
        index_all(&store).await;
    }
}

/// Edited messages are found by what they say now, deleted ones not at all, wherever between these indexing comes.
pub async fn what_changes_is_found_as_it_is_whenever_it_is_indexed(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    for indexed in 0..32_u8 {
        let step = async |n: u8| {
            if indexed & (1 << n) != 0 {
                index_all(&store).await;
            }
        };
        let [changed, gone, both] = ["green", "black", "red"].map(|tea| send(id, me, tea));
        let changed = message(commit(&store, changed).await);
        let gone = message(commit(&store, gone).await);
        let both = message(commit(&store, both).await);
        step(0).await;
        append(&store, edit(id, me, changed.id, "white")).await;
        append(&store, edit(id, me, both.id, "yellow")).await;
        step(1).await;
        append(&store, delete(id, me, gone.id)).await;
        append(&store, react(id, me, changed.id, "👍")).await;
        step(2).await;
        append(&store, delete(id, me, both.id)).await;
        step(3).await;
        append(&store, edit(id, me, changed.id, "white and green")).await;
        let now = now(&store, &changed).await;
        for _ in 0..2 {
            for text in ["white", "green", "and"] {
                let found = found(&store, me, text).await;
                assert_eq!(found, std::slice::from_ref(&now), "{text}, {indexed}");
            }
            for text in ["black", "red", "yellow"] {
                assert_eq!(found(&store, me, text).await, [], "{text}, {indexed}");
            }
            step(4).await;
        }
        append(&store, delete(id, me, changed.id)).await;
        assert_eq!(found(&store, me, "white").await, [], "{indexed}");
    }
}

/// However much is not indexed, all of it is found.
pub async fn a_long_remainder_is_found(store: impl Store) {
    const MESSAGES: usize = 3_000;
    let me = UserId::new();
    let ids = [group(&store, me, &[]).await, group(&store, me, &[]).await];
    let writes: Vec<_> = (0..MESSAGES)
        .map(|n| send(ids[n % 2], me, &format!("tea {n}")))
        .collect();
    for batch in writes.chunks(500) {
        let results = store.commit(batch).await.unwrap();
        assert!(results.iter().all(Result::is_ok));
    }
    let last = found(&store, me, "2999 tea").await;
    assert_eq!(last.len(), 1);
    assert_eq!(found(&store, me, "tea").await.len(), MESSAGES);
    index_all(&store).await;
    assert_eq!(found(&store, me, "tea").await.len(), MESSAGES);
    assert!(!store.index().await.unwrap());
}

/// Whoever is broken off while indexing leaves nothing that is not found, or found twice.
pub async fn indexing_can_be_broken_off(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    for polls in 0..40 {
        for _ in 0..3 {
            say(&store, id, me, "tea").await;
        }
        tokio::select! {
            biased;
            more = store.index() => drop(more.unwrap()),
            () = yields(polls) => {}
        }
        assert_eq!(found(&store, me, "tea").await.len(), 3 * (polls + 1));
    }
    index_all(&store).await;
    assert_eq!(found(&store, me, "tea").await.len(), 120);
}

async fn yields(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// Several index at once while others write, change, delete and search: at each moment what was acknowledged is found as it
/// was acknowledged.
pub async fn many_may_index_while_others_write(store: impl Store) {
    const WRITERS: usize = 4;
    let people: Vec<UserId> = (0..WRITERS).map(|_| UserId::new()).collect();
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(group(&store, people[0], &people).await);
    }
    let store = AnyStore::new(store);
    let mut writers = JoinSet::new();
    for (n, me) in people.clone().into_iter().enumerate() {
        let (store, ids) = (store.clone(), ids.clone());
        writers.spawn(async move { write_and_search(&store, &ids, me, n).await });
    }
    let mut indexers = JoinSet::new();
    for _ in 0..3 {
        let store = store.clone();
        indexers.spawn(async move {
            loop {
                store.index().await.unwrap();
                tokio::task::yield_now().await;
            }
        });
    }
    let mut expected = BTreeSet::new();
    while let Some(kept) = writers.join_next().await {
        expected.extend(kept.unwrap());
    }
    indexers.shutdown().await;
    for _ in 0..2 {
        let search = for_words("kept");
        let found = store.search(people[0], &search, None, 10_000).await;
        let found = found.unwrap();
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().all(|message| expected.contains(&message.id)));
        while store.index().await.unwrap() {}
    }
}

/// Says something, changes half of it and takes some of that back; answers what is left.
async fn write_and_search(
    store: &AnyStore,
    ids: &[ConversationId],
    me: UserId,
    writer: usize,
) -> Vec<MessageId> {
    let mut kept = Vec::new();
    for n in 0..30 {
        let id = ids[(writer + n) % ids.len()];
        let name = format!("w{writer}n{n}");
        let write = async |write| {
            let results = store.commit(&[write], Instant::now()).await;
            results.unwrap().remove(0)
        };
        let matches = async |text: String| {
            let found = store.search(me, &for_words(&text), None, 10).await;
            found.unwrap().len()
        };
        let said = message(write(send(id, me, &format!("kept {name}x"))).await);
        assert_eq!(matches(format!("{name}x")).await, 1);
        if n % 2 == 0 {
            let body = format!("kept {name}y");
            write(edit(id, me, said.id, &body)).await.unwrap();
            assert_eq!(matches(format!("{name}x")).await, 0);
            assert_eq!(matches(format!("{name}y")).await, 1);
        }
        if n % 3 == 0 {
            write(delete(id, me, said.id)).await.unwrap();
            assert_eq!(matches(name).await, 0);
        } else {
            kept.push(said.id);
        }
    }
    kept
}
