//! How far people have read, and have what there is to read: who is told, and who is not.

use chat_core::{
    Chat, Session,
    model::{ConversationId, Seq, UserId},
    protocol::{Signal, rest::PatchSettings},
};

use crate::support::{all_frames, chat, group, row_that, say, signals, two_nodes, until_signal};

/// What a session is told of others' cursors, until nothing more comes.
async fn told(session: &mut Session) -> Vec<(&'static str, UserId, Seq)> {
    let told = signals(all_frames(session).await).filter_map(|signal| match signal {
        Signal::Read { user_id, seq, .. } => Some(("read", user_id, seq)),
        Signal::Delivered { user_id, seq, .. } => Some(("delivered", user_id, seq)),
        _ => None,
    });
    told.collect()
}

async fn read_privately(chat: &Chat, user: UserId, privately: bool) {
    let changes = PatchSettings {
        read_receipts: Some(!privately),
        ..PatchSettings::default()
    };
    chat.update_settings(user, changes).await.unwrap();
}

async fn joined(chat: &Chat, user: UserId, conversation: ConversationId) -> Session {
    let mut session = chat.connect(user).await.unwrap();
    session.join(conversation, None).await.unwrap();
    session
}

#[tokio::test(start_paused = true)]
async fn delivered_comes_before_read_and_is_not_said_twice() {
    for [here, there] in [
        {
            let chat = chat().await;
            [chat.clone(), chat]
        },
        two_nodes().await,
    ] {
        let (ana, ben) = (UserId::new(), UserId::new());
        let lunch = group(&here, &[ana, ben]).await;
        say(&here, ana, lunch, "soup?").await;
        let mut anas = joined(&here, ana, lunch).await;
        assert_eq!(told(&mut anas).await.len(), 2, "where everybody stands");

        there.mark_delivered(ben, lunch, 3).await.unwrap();
        assert_eq!(told(&mut anas).await, [("delivered", ben, 3)]);
        there.mark_delivered(ben, lunch, 2).await.unwrap();
        assert_eq!(told(&mut anas).await, [], "never back");
        there.mark_read(ben, lunch, 3).await.unwrap();
        assert_eq!(told(&mut anas).await, [("read", ben, 3)]);

        say(&here, ana, lunch, "or salad?").await;
        there.mark_read(ben, lunch, 4).await.unwrap();
        assert_eq!(told(&mut anas).await, [("read", ben, 4)]);
        say(&here, ana, lunch, "hello?").await;
        there.mark_delivered(ben, lunch, 5).await.unwrap();
        told(&mut anas).await;

        // Whoever comes is told how things are, the own cursor among them.
        let mut later = joined(&there, ana, lunch).await;
        let mut snapshot = told(&mut later).await;
        snapshot.sort_unstable();
        let mut expected = vec![("delivered", ben, 5), ("read", ana, 5), ("read", ben, 4)];
        expected.sort_unstable();
        assert_eq!(snapshot, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_privately_shows_it_to_nobody_but_their_own_devices() {
    let [here, there] = two_nodes().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&here, &[ana, ben]).await;
    let soup = say(&here, ana, lunch, "soup?").await;
    let mut anas = joined(&here, ana, lunch).await;
    let mut bens = there.connect(ben).await.unwrap();
    told(&mut anas).await;

    read_privately(&there, ben, true).await;
    here.mark_read(ben, lunch, soup.seq).await.unwrap();
    // That a device has it, it says in any case.
    assert_eq!(told(&mut anas).await, [("delivered", ben, soup.seq)]);
    let own = until_signal(&mut bens, |signal| match signal {
        Signal::Read { user_id, seq, .. } => Some((*user_id, *seq)),
        _ => None,
    });
    assert_eq!(own.await, (ben, soup.seq));
    let seen = here.members(ana, lunch, None, 10).await.unwrap().0;
    let seen = seen.iter().find(|member| member.user.id == ben).unwrap();
    assert_eq!((seen.read_seq, seen.delivered_seq), (1, soup.seq));
    let readers = here
        .readers(ana, lunch, soup.seq, None, 10)
        .await
        .unwrap()
        .0;
    assert_eq!(
        readers.iter().map(|it| it.user.id).collect::<Vec<_>>(),
        [ana]
    );
    let mut later = joined(&here, ana, lunch).await;
    assert!(told(&mut later).await.contains(&("read", ben, 1)));

    // From here on it is shown again; what was read is read.
    read_privately(&here, ben, false).await;
    here.mark_read(ben, lunch, soup.seq).await.unwrap();
    assert_eq!(told(&mut anas).await, [("read", ben, soup.seq)]);
    // To answer is to have read.
    read_privately(&here, ben, true).await;
    let answer = say(&here, ben, lunch, "yes").await;
    let readers = here.readers(ana, lunch, answer.seq, None, 10).await;
    assert_eq!(readers.unwrap().0.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_marked_unread_is_unread_on_all_my_devices_and_nobody_else_knows() {
    let [here, there] = two_nodes().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&here, &[ana, ben]).await;
    let soup = say(&here, ana, lunch, "soup?").await;
    here.mark_read(ben, lunch, soup.seq).await.unwrap();
    let mut anas = joined(&here, ana, lunch).await;
    let mut bens = there.connect(ben).await.unwrap();
    all_frames(&mut anas).await;

    let back = here.mark_unread(ben, lunch, soup.seq - 1).await.unwrap();
    assert_eq!(back, soup.seq - 1);
    let row = row_that(&mut bens, lunch, |row| row.unread.count == 1).await;
    assert_eq!(row.me.read_seq, back);
    assert!(all_frames(&mut anas).await.is_empty());
    let seen = here.members(ana, lunch, None, 10).await.unwrap().0;
    let seen = seen.iter().find(|member| member.user.id == ben).unwrap();
    assert_eq!(seen.read_seq, soup.seq);
    // It goes back, never forward.
    assert_eq!(here.mark_unread(ben, lunch, 99).await.unwrap(), back);
    // Read once more: the others have long known it.
    there.mark_read(ben, lunch, soup.seq).await.unwrap();
    row_that(&mut bens, lunch, |row| row.unread.count == 0).await;
    assert!(all_frames(&mut anas).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn my_own_settings_of_a_conversation_reach_my_devices_on_every_node() {
    let [here, there] = two_nodes().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&here, &[ana, ben]).await;
    let mut anas = here.connect(ana).await.unwrap();
    let mut bens = there.connect(ben).await.unwrap();
    let changes = chat_core::model::MineChanges {
        muted: Some(true),
        ..Default::default()
    };
    here.update_mine(ben, lunch, changes).await.unwrap();
    row_that(&mut bens, lunch, |row| row.me.muted).await;
    assert!(all_frames(&mut anas).await.is_empty());
}
