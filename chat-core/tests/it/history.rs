//! Groups whose history begins with one's joining.

use chat_core::{
    Limits, Session,
    model::{Change, ConversationId, Emoji, Entry, Seq, UserId},
    protocol::{ServerFrame, Signal},
    store::Around,
};

use crate::support::{chat, chat_with, club, entries_to, frames, row_that, say, seqs};

fn thumb() -> Emoji {
    Emoji::try_from("👍".to_owned()).unwrap()
}

fn hidden(entries: &[Entry]) -> Vec<Seq> {
    let hidden = entries.iter();
    let hidden = hidden.filter(|entry| entry.change == Change::Hidden {});
    seqs(&hidden.cloned().collect::<Vec<_>>())
}

#[tokio::test]
async fn whoever_joins_later_sees_what_happens_from_then_on() {
    for window_entries in [2, 1_000] {
        let limits = Limits {
            window_entries,
            ..Limits::default()
        };
        let chat = chat_with(limits).await;
        let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
        let club = club(&chat, &[ana, ben]).await;
        let secret = say(&chat, ana, club, "secret").await;
        let mut old_hand = chat.connect(ben).await.unwrap();
        old_hand.join(club, None).await.unwrap();

        chat.put_member(ana, club, eve, None).await.unwrap();
        let joined_at = secret.seq + 1;
        let mut session = chat.connect(eve).await.unwrap();
        let joined = session.join(club, Some(0)).await.unwrap();
        assert_eq!(joined.after_seq, Some(joined_at - 1));
        assert!(!joined.reset);

        let hello = say(&chat, ana, club, "hello").await;
        chat.react(ben, club, secret.id, thumb()).await.unwrap();
        chat.react(ben, club, hello.id, thumb()).await.unwrap();
        chat.edit(ana, club, secret.id, "secrets".to_owned())
            .await
            .unwrap();
        let last = say(&chat, ana, club, "bye").await.seq;

        // Without a hole, and of what was before her time no more than that something happened.
        let seen = entries_to(&mut session, club, last).await;
        assert_eq!(seqs(&seen), (joined_at..=last).collect::<Vec<_>>());
        assert_eq!(hidden(&seen), [hello.seq + 1, hello.seq + 3]);
        let events = chat.events(eve, club, 0, 100).await.unwrap();
        assert_eq!((events.items.len(), events.head_seq), (seen.len(), last));
        assert_eq!(hidden(&events.items), hidden(&seen));
        let page = chat.messages(eve, club, Around::Newest, 10).await.unwrap();
        assert_eq!(
            page.iter().map(|it| it.seq).collect::<Vec<_>>(),
            [hello.seq, last]
        );
        // Those who were there see everything.
        let all = entries_to(&mut old_hand, club, last).await;
        assert!(hidden(&all).is_empty());
    }
}

/// Reads until the conversation is gone from the session's list; what entries came before.
async fn until_removed(session: &mut Session, conversation: ConversationId) -> Vec<Entry> {
    let mut entries = Vec::new();
    loop {
        for frame in frames(session).await {
            match frame {
                ServerFrame::Log(entry) => entries.push(*entry),
                ServerFrame::Signal(Signal::ConversationRemoved { conversation_id }) => {
                    assert_eq!(conversation_id, conversation);
                    return entries;
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn whoever_leaves_and_comes_back_begins_anew() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let club = club(&chat, &[ana, ben]).await;
    let mut session = chat.connect(ben).await.unwrap();
    session.join(club, None).await.unwrap();
    say(&chat, ana, club, "for ben").await;
    entries_to(&mut session, club, 3).await;

    chat.remove_member(ana, club, ben, false).await.unwrap();
    assert_eq!(until_removed(&mut session, club).await, []);
    say(&chat, ana, club, "about ben").await;
    chat.put_member(ana, club, ben, None).await.unwrap();
    let row = row_that(&mut session, club, |_| true).await;
    assert_eq!(
        (row.me.history_from, row.conversation.last_message),
        (6, None)
    );
    assert_eq!(row.unread.count, 0);
    let joined = session.join(club, Some(3)).await.unwrap();
    assert_eq!(joined.after_seq, Some(5));
    let last = say(&chat, ana, club, "welcome back").await.seq;
    assert_eq!(seqs(&entries_to(&mut session, club, last).await), [6, 7]);
}

#[tokio::test]
async fn the_history_of_those_who_are_there_does_not_change() {
    let chat = chat().await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    let club = club(&chat, &[ana]).await;
    say(&chat, ana, club, "alone").await;
    chat.put_member(ana, club, ben, None).await.unwrap();
    let shared = Some(chat_core::model::History::Shared);
    chat.update(ana, club, None, None, shared).await.unwrap();
    chat.put_member(ana, club, eve, None).await.unwrap();
    let mut bens = chat.connect(ben).await.unwrap();
    let mut eves = chat.connect(eve).await.unwrap();
    assert_eq!(bens.join(club, Some(0)).await.unwrap().after_seq, Some(2));
    assert_eq!(eves.join(club, Some(0)).await.unwrap().after_seq, Some(0));
    assert_eq!(seqs(&entries_to(&mut eves, club, 5).await), [1, 2, 3, 4, 5]);
    assert_eq!(seqs(&entries_to(&mut bens, club, 5).await), [3, 4, 5]);
}
