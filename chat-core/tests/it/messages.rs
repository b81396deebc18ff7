//! Messages that change: everybody sees the same, live and later.

use chat_core::{
    Error,
    model::{Change, Emoji, Entry, Message, Role, UserId},
};

use crate::support::{chat, draft, entries_to, group, row_that, say};

fn emoji(text: &str) -> Emoji {
    Emoji::try_from(text.to_owned()).unwrap()
}

/// What somebody makes of a message who reads the log.
fn folded(entries: &[Entry], seq: u64) -> Message {
    let mut messages = entries.iter().filter_map(Entry::message);
    let mut message = messages.find(|message| message.seq == seq).unwrap().clone();
    for entry in entries {
        entry.apply_to(&mut message);
    }
    message
}

#[tokio::test]
async fn what_happens_to_a_message_reaches_who_follows_and_who_comes_later_alike() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut follows = chat.connect(ben).await.unwrap();
    let mut also_follows = chat.connect(ana).await.unwrap();
    follows.join(lunch, Some(2)).await.unwrap();
    also_follows.join(lunch, Some(2)).await.unwrap();

    let soup = say(&chat, ana, lunch, "soup?").await;
    let edited = chat.edit(ana, lunch, soup.id, "Soup?".to_owned()).await;
    assert!(edited.unwrap().edited_at.is_some());
    chat.react(ben, lunch, soup.id, emoji("👍")).await.unwrap();
    chat.react(ana, lunch, soup.id, emoji("👍")).await.unwrap();
    chat.unreact(ana, lunch, soup.id, emoji("👍"))
        .await
        .unwrap();
    chat.pin(ana, lunch, soup.id, true).await.unwrap();
    let no = say(&chat, ben, lunch, "no").await;
    // An admin takes back what somebody else said.
    let stub = chat.delete_message(ana, lunch, no.id).await.unwrap();
    assert_eq!((stub.body.as_str(), stub.seq), ("", no.seq));

    let live = entries_to(&mut follows, lunch, stub.changed_seq).await;
    assert_eq!(
        live,
        entries_to(&mut also_follows, lunch, stub.changed_seq).await
    );
    let kinds: Vec<_> = live.iter().map(|entry| &entry.change).collect();
    assert!(matches!(
        kinds[..],
        [
            Change::NewMessage { .. },
            Change::MessageEdited { .. },
            Change::ReactionAdded { .. },
            Change::ReactionAdded { .. },
            Change::ReactionRemoved { .. },
            Change::MessagePinned { .. },
            Change::NewMessage { .. },
            Change::MessageDeleted { .. },
        ]
    ));

    let mut comes_later = chat.connect(ben).await.unwrap();
    comes_later.join(lunch, Some(2)).await.unwrap();
    let replayed = entries_to(&mut comes_later, lunch, stub.changed_seq).await;
    let events = chat.events(ben, lunch, 2, 100).await.unwrap().items;
    for seq in [soup.seq, no.seq] {
        let now = folded(&live, seq);
        assert_eq!(folded(&replayed, seq), now);
        assert_eq!(folded(&events, seq), now);
        assert_eq!(chat.message(ben, lunch, now.id).await.unwrap(), now);
    }
}

#[tokio::test(start_paused = true)]
async fn the_list_shows_the_newest_message_as_it_is_now_and_counts_no_deleted_ones() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut list = chat.connect(ben).await.unwrap();
    let soup = say(&chat, ana, lunch, "soup? @everyone").await;
    let row = row_that(&mut list, lunch, |row| row.unread.count == 1).await;
    assert_eq!(row.unread.mentions, 1);
    chat.edit(ana, lunch, soup.id, "salad?".to_owned())
        .await
        .unwrap();
    let row = row_that(&mut list, lunch, |row| row.unread.mentions == 0).await;
    assert_eq!(row.conversation.last_message.unwrap().body, "salad?");
    chat.delete_message(ana, lunch, soup.id).await.unwrap();
    let row = row_that(&mut list, lunch, |row| row.unread.count == 0).await;
    assert!(row.conversation.last_message.unwrap().deleted_at.is_some());
}

#[tokio::test]
async fn who_may_change_a_message() {
    let chat = chat().await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let soup = say(&chat, ana, lunch, "soup?").await;
    let edit = chat.edit(ben, lunch, soup.id, "no".to_owned()).await;
    assert!(matches!(edit, Err(Error::Forbidden(_))));
    let delete = chat.delete_message(ben, lunch, soup.id).await;
    assert!(matches!(delete, Err(Error::Forbidden(_))));
    let pin = chat.pin(ben, lunch, soup.id, true).await;
    assert!(matches!(pin, Err(Error::Forbidden(_))));
    let react = chat.react(eve, lunch, soup.id, emoji("👍")).await;
    assert!(matches!(react, Err(Error::NotFound(_))));

    chat.put_member(ana, lunch, ben, Some(Role::Admin))
        .await
        .unwrap();
    chat.delete_message(ben, lunch, soup.id).await.unwrap();
    let edit = chat.edit(ana, lunch, soup.id, "back".to_owned()).await;
    assert!(matches!(edit, Err(Error::Conflict(_))), "it is gone");
    let answer = chat_core::model::Draft {
        reply_to: Some(soup.id),
        ..draft("what was it?")
    };
    assert_eq!(
        chat.send(ben, lunch, answer)
            .await
            .unwrap()
            .message
            .reply_to,
        Some(soup.id),
        "a stub can still be answered"
    );
}
