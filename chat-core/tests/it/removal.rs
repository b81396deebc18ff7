//! The end: bans, and conversations that are deleted.

use chat_core::{
    Error, Session,
    model::{Change, ConversationId, Role, UserId},
    protocol::{ServerFrame, Signal},
};

use crate::support::{chat, frames, group, row_that, say, two_nodes, until_signal};

async fn until_removed(session: &mut Session, conversation: ConversationId) {
    until_signal(session, |signal| match signal {
        Signal::ConversationRemoved { conversation_id } => {
            assert_eq!(*conversation_id, conversation);
            Some(())
        }
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn whoever_is_banned_hears_nothing_more_and_is_not_let_in_again() {
    let [here, there] = two_nodes().await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    let lunch = group(&here, &[ana, ben, eve]).await;
    let mut bens = there.connect(ben).await.unwrap();
    bens.join(lunch, None).await.unwrap();
    let eves = here.connect(eve).await.unwrap();

    here.remove_member(ana, lunch, ben, true).await.unwrap();
    say(&here, ana, lunch, "now that he is gone").await;
    'removed: loop {
        for frame in frames(&mut bens).await {
            match frame {
                ServerFrame::Log(entry) => panic!("he should not get {entry:?}"),
                ServerFrame::Signal(Signal::ConversationRemoved { .. }) => break 'removed,
                _ => {}
            }
        }
    }
    assert!(matches!(
        bens.join(lunch, None).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        bens.typing(lunch, true).await,
        Err(Error::NotFound(_))
    ));
    let back = there.put_member(ana, lunch, ben, None).await;
    assert!(matches!(back, Err(Error::Conflict(_))));
    let banned = here.banned(ana, lunch, None, 10).await.unwrap().0;
    assert_eq!(banned.iter().map(|it| it.id).collect::<Vec<_>>(), [ben]);
    let asked = here.banned(eve, lunch, None, 10).await;
    assert!(matches!(asked, Err(Error::Forbidden(_))));

    here.lift_ban(ana, lunch, ben).await.unwrap();
    let (member, is_new) = there.put_member(ana, lunch, ben, None).await.unwrap();
    assert_eq!((member.role, is_new), (Role::Member, true));
    row_that(&mut bens, lunch, |_| true).await;
    eves.close();
}

#[tokio::test]
async fn when_a_conversation_is_deleted_those_who_follow_read_its_end_and_all_lists_lose_it() {
    let [here, there] = two_nodes().await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    let lunch = group(&here, &[ana, ben, eve]).await;
    // Two follow, on each node one; the third has only the list, on the other node.
    let mut anas = here.connect(ana).await.unwrap();
    let mut bens = there.connect(ben).await.unwrap();
    let mut eves = there.connect(eve).await.unwrap();
    anas.join(lunch, None).await.unwrap();
    bens.join(lunch, None).await.unwrap();
    say(&here, ana, lunch, "that was it").await;

    let asked = here.delete_conversation(ben, lunch).await;
    assert!(matches!(asked, Err(Error::Forbidden(_))));
    here.delete_conversation(ana, lunch).await.unwrap();
    for session in [&mut anas, &mut bens] {
        let mut last = None;
        'removed: loop {
            for frame in frames(session).await {
                match frame {
                    ServerFrame::Log(entry) => last = Some(entry),
                    ServerFrame::Signal(Signal::ConversationRemoved { .. }) => break 'removed,
                    _ => {}
                }
            }
        }
        let last = last.unwrap();
        assert_eq!(last.seq, 5);
        assert_eq!(last.change, Change::ConversationDeleted { by: ana });
    }
    until_removed(&mut eves, lunch).await;

    // As if it were not there.
    for chat in [&here, &there] {
        assert!(matches!(
            chat.row(ben, lunch).await,
            Err(Error::NotFound(_))
        ));
        assert!(chat.rows(eve, None, 10).await.unwrap().0.is_empty());
        let asked = chat.events(ana, lunch, 0, 10).await;
        assert!(matches!(asked, Err(Error::NotFound(_))));
        let again = chat.delete_conversation(ana, lunch).await;
        assert!(matches!(again, Err(Error::NotFound(_))));
    }
    assert!(matches!(
        bens.join(lunch, Some(0)).await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test]
async fn whoever_reads_slowly_reads_the_end_of_a_deleted_conversation_too() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut slow = chat.connect(ben).await.unwrap();
    slow.join(lunch, None).await.unwrap();
    let long = "x".repeat(7_000);
    for _ in 0..300 {
        say(&chat, ana, lunch, &long).await;
    }
    chat.delete_conversation(ana, lunch).await.unwrap();
    let mut read = Vec::new();
    'removed: loop {
        for frame in frames(&mut slow).await {
            match frame {
                ServerFrame::Log(entry) => read.push(entry.seq),
                ServerFrame::Signal(Signal::ConversationRemoved { .. }) => break 'removed,
                _ => {}
            }
        }
    }
    assert_eq!(read, (3..=303).collect::<Vec<_>>());
}
