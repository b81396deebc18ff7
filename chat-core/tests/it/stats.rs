//! The numbers that an operator asks for.

use chat_core::model::{ConversationId, UserId};

use crate::support::{chat, draft, entries_to, group, say};

#[tokio::test]
async fn what_there_is_and_what_has_happened_is_counted() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut session = chat.connect(ana).await.unwrap();
    let other = chat.connect(ana).await.unwrap();
    session.join(lunch, Some(0)).await.unwrap();
    say(&chat, ben, lunch, "soup?").await;
    entries_to(&mut session, lunch, 3).await;
    let nowhere = chat.send(ben, ConversationId::new(), draft("hello?")).await;
    assert!(nowhere.is_err());

    let stats = chat.stats();
    assert_eq!((stats.sessions, stats.users), (2, 1));
    assert_eq!((stats.rooms, stats.attachments), (1, 1));
    assert!(stats.frames >= 3 && stats.bytes > stats.frames);
    assert!(stats.batches >= 1 && stats.batches <= stats.frames);
    assert_eq!(stats.commits, 3);
    assert_eq!((stats.writes_committed, stats.writes_refused), (2, 1));
    assert_eq!((stats.commit_failures, stats.writes_late), (0, 0));
    assert_eq!(stats.commit_writes.count(), 3);
    assert_eq!(stats.commit_seconds.count(), 3);

    other.close();
    session.close();
    let stats = chat.stats();
    assert_eq!((stats.sessions, stats.users, stats.attachments), (0, 0, 0));
}
