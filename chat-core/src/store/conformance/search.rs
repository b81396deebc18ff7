//! Searching messages for words.

use super::{
    append, at, commit, create_discreet, delete, edit, group, later, message, pin, put, react,
    remove, say, send,
};
use crate::{
    model::{ConversationId, Message, MessageId, UserId},
    store::{Search, Store, words},
};

fn for_words(text: &str) -> Search {
    Search {
        words: words(text),
        conversation: None,
        from: None,
        before: None,
    }
}

async fn found(store: &impl Store, user: UserId, search: &Search) -> Vec<Message> {
    store.search(user, search, None, 100).await.unwrap()
}

/// How many messages of the user's contain this text.
async fn matches(store: &impl Store, user: UserId, text: &str) -> usize {
    found(store, user, &for_words(text)).await.len()
}

/// A message is found by all of its words, in any order, case and accent, and by the beginning of the last one.
pub async fn words_are_found_in_messages(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    let elsewhere = group(&store, me, &[]).await;
    for body in [
        "The quick brown fox jumps over the lazy dog",
        "Quicker than Crème brûlée!",
        "and or not near: \"keywords\" (of * some) {language}",
        "東京 tower, 100% ﬁne",
        "don't",
        "...",
    ] {
        say(&store, id, me, body).await;
    }
    let long = "x".repeat(300);
    say(&store, elsewhere, me, &long).await;
    for (text, expected) in [
        ("quick", 2),
        ("quick brown", 1),
        ("BROWN QUI", 1),
        ("qui brown", 0),
        ("the", 1),
        ("th", 2),
        ("dog lazy", 1),
        ("fox cat", 0),
        ("creme", 1),
        ("brûl", 1),
        ("brulees", 0),
        ("uick", 0),
        ("and", 1),
        ("NOT OR", 1),
        ("near and", 1),
        ("and NOT quick", 0),
        ("keyw", 1),
        ("language", 1),
        ("京", 1),
        ("東 tow", 1),
        ("京 東", 1),
        ("fine 100", 1),
        ("don", 1),
        ("t", 4),
        ("t don", 1),
        (&long[..64], 1),
        (&long, 1),
        ("xxx", 1),
    ] {
        assert_eq!(matches(&store, me, text).await, expected, "{text}");
    }
}

/// To one conversation, to one sender, to a time, and to all of these.
pub async fn a_search_can_be_narrowed(store: impl Store) {
    let [me, other] = [UserId::new(), UserId::new()];
    let here = group(&store, me, &[other]).await;
    let (there, _) = store.direct(me, other, at(0)).await.unwrap();
    let mut expected = Vec::new();
    for n in 0..12 {
        let id = if n % 2 == 0 { here } else { there };
        let author = if n % 3 == 0 { me } else { other };
        let said = send(id, author, &format!("tea {n}"));
        expected.push(message(commit(&store, later(said, n)).await));
    }
    expected.reverse();
    let everywhere = for_words("tea");
    let nobodys = Some(UserId::new());
    for conversation in [None, Some(here), Some(there), Some(ConversationId::new())] {
        for from in [None, Some(me), Some(other), nobodys] {
            for before in [None, Some(at(0)), Some(at(7)), Some(at(99))] {
                let search = Search {
                    conversation,
                    from,
                    before,
                    ..everywhere.clone()
                };
                let fits = |message: &&Message| {
                    conversation.is_none_or(|id| id == message.conversation_id)
                        && from.is_none_or(|from| from == message.sender_id)
                        && before.is_none_or(|before| message.created_at < before)
                };
                let expected: Vec<_> = expected.iter().filter(fits).cloned().collect();
                assert_eq!(found(&store, me, &search).await, expected, "{search:?}");
            }
        }
    }
}

/// By the time they were accepted, then by id, whatever the order in which they were stored; pages join without a gap, also
/// where what a page ended with is no longer found.
pub async fn what_is_found_comes_newest_first_and_in_pages(store: impl Store) {
    let me = UserId::new();
    let ids = [group(&store, me, &[]).await, group(&store, me, &[]).await];
    let mut said = Vec::new();
    for (n, millis) in [5, 3, 3, 9, 3, 3, 3, 0, 9, 7, -4].into_iter().enumerate() {
        let write = later(send(ids[n % 2], me, "tea"), millis);
        said.push(message(commit(&store, write).await));
        let write = later(send(ids[n % 2], me, "coffee"), millis);
        said.push(message(commit(&store, write).await));
    }
    said.sort_unstable_by_key(|message| std::cmp::Reverse((message.created_at, message.id)));
    let tea: Vec<_> = said.iter().filter(|it| it.body == "tea").cloned().collect();
    let search = for_words("te");
    assert_eq!(found(&store, me, &search).await, tea);
    for limit in [1, 2, 3, 4, 10, 11, 12] {
        let mut read: Vec<Message> = Vec::new();
        loop {
            let after = read.last().map(|message| message.id);
            let page = store.search(me, &search, after, limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, tea, "in pages of {limit}");
    }
    let none = store.search(me, &search, None, 0).await.unwrap();
    assert_eq!(none, []);
    for place in &said {
        let after = store
            .search(me, &search, Some(place.id), 100)
            .await
            .unwrap();
        let rest = said.iter().skip_while(|it| it.id != place.id).skip(1);
        let rest: Vec<_> = rest.filter(|it| it.body == "tea").cloned().collect();
        assert_eq!(after, rest);
    }
    append(&store, delete(tea[4].conversation_id, me, tea[4].id)).await;
    let after = store
        .search(me, &search, Some(tea[4].id), 100)
        .await
        .unwrap();
    assert_eq!(after, tea[5..]);
    let nowhere = store.search(me, &search, Some(MessageId::new()), 100).await;
    assert_eq!(nowhere.unwrap(), []);
}

/// Edited messages are found by what they say now, deleted ones not at all; what is found is the message as it is.
pub async fn what_is_found_is_as_it_is_now(store: impl Store) {
    let me = UserId::new();
    let id = group(&store, me, &[]).await;
    let said = say(&store, id, me, "green tea").await;
    let gone = say(&store, id, me, "black tea").await;
    for (body, green, white, tea) in [
        ("white tea", 0, 1, 2),
        ("green and white tea", 1, 1, 2),
        ("", 0, 0, 1),
        ("green", 1, 0, 1),
    ] {
        append(&store, edit(id, me, said.id, body)).await;
        for (text, expected) in [("green", green), ("white", white), ("tea", tea)] {
            assert_eq!(
                matches(&store, me, text).await,
                expected,
                "{text} in {body:?}"
            );
        }
    }
    append(&store, react(id, me, said.id, "👍")).await;
    append(&store, pin(id, me, said.id, true)).await;
    let now = super::now(&store, &said).await;
    assert_eq!(now.reactions.len(), 1);
    assert_eq!(found(&store, me, &for_words("green")).await, [now]);
    append(&store, delete(id, me, gone.id)).await;
    assert_eq!(matches(&store, me, "black").await, 0);
    let (sent, brief) = (send(id, me, "red tea"), send(id, me, "no tea"));
    let of = |write: &crate::store::Write| match write.act {
        crate::store::Act::Send { id, .. } => id,
        _ => panic!("a send is a send"),
    };
    let (kept, brief_id) = (of(&sent), of(&brief));
    let batch = [
        sent,
        brief,
        edit(id, me, kept, "rooibos"),
        delete(id, me, brief_id),
        edit(id, me, said.id, "green again"),
        delete(id, me, said.id),
    ];
    let results = store.commit(&batch).await.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    for (text, expected) in [
        ("red", 0),
        ("rooibos", 1),
        ("tea", 0),
        ("green", 0),
        ("again", 0),
    ] {
        assert_eq!(matches(&store, me, text).await, expected, "{text}");
    }
}

/// Members find what they can see, as long as they are members.
pub async fn only_what_one_can_see_is_found(store: impl Store) {
    let [me, other, late, stranger] = [(); 4].map(|()| UserId::new());
    let id = ConversationId::new();
    commit(&store, create_discreet(id, me, &[other]))
        .await
        .unwrap();
    let (direct, _) = store.direct(me, other, at(0)).await.unwrap();
    say(&store, id, me, "tea early").await;
    say(&store, direct, me, "tea for two").await;
    commit(&store, put(id, me, late, None)).await.unwrap();
    say(&store, id, me, "tea late").await;
    for (user, expected) in [(me, 3), (other, 3), (late, 1), (stranger, 0)] {
        assert_eq!(matches(&store, user, "tea").await, expected);
    }
    assert_eq!(matches(&store, late, "early").await, 0);
    for user in [other, late] {
        commit(&store, remove(id, me, user)).await.unwrap();
    }
    for (user, expected) in [(me, 3), (other, 1), (late, 0)] {
        assert_eq!(matches(&store, user, "tea").await, expected);
    }
    let here = Search {
        conversation: Some(id),
        ..for_words("tea")
    };
    assert_eq!(found(&store, other, &here).await, []);
    commit(&store, put(id, me, other, None)).await.unwrap();
    assert_eq!(
        found(&store, other, &here).await,
        [],
        "who comes back begins anew"
    );
    say(&store, id, me, "more tea").await;
    assert_eq!(found(&store, other, &here).await.len(), 1);
}
