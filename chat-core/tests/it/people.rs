//! Presence, typing, read cursors and the list, as the people of a conversation see them.

use std::time::Duration;

use chat_core::{
    Error, Limits, Session,
    model::{Presence, Role, Status, UserId},
    protocol::{ServerFrame, Signal, rest::RowChanges},
};

use crate::support::{chat, chat_with, frames, group, rename, say, title, until_signal};

async fn presence_of(session: &mut Session, user: UserId) -> Presence {
    until_signal(session, |signal| match signal {
        Signal::Presence(presence) if presence.user_id == user => Some(*presence),
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn somebody_is_online_from_the_first_session_to_the_end_of_the_last() {
    let chat = chat().await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    group(&chat, &[ana, ben]).await;
    let mut watcher = chat.connect(ana).await.unwrap();
    watcher.watch_presence(vec![ben, eve]).await.unwrap();
    let first = presence_of(&mut watcher, ben).await;
    assert_eq!((first.status, first.last_seen_at), (Status::Offline, None));

    let phone = chat.connect(ben).await.unwrap();
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Online);
    let laptop = chat.connect(ben).await.unwrap();
    phone.close();
    laptop.close();
    let last = presence_of(&mut watcher, ben).await;
    assert_eq!(last.status, Status::Offline);
    assert!(last.last_seen_at.is_some());

    // Nothing is told of those with whom one shares no conversation.
    let _eve = chat.connect(eve).await.unwrap();
    let shown = chat
        .with_presence(ana, vec![profile(ben), profile(eve)])
        .await
        .unwrap();
    assert_eq!(shown[0].presence, Some(last));
    assert_eq!(shown[1].presence, None);
}

fn profile(id: UserId) -> chat_core::model::Profile {
    chat_core::model::Profile {
        id,
        username: id.to_string(),
        display_name: id.to_string(),
        presence: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_has_a_grace() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    group(&chat, &[ana, ben]).await;
    let mut watcher = chat.connect(ana).await.unwrap();
    let link = chat.connect(ben).await.unwrap();
    watcher.watch_presence(vec![ben]).await.unwrap();
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Online);

    // Back within the grace: nobody notices.
    drop(link);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let link = chat.connect(ben).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_secs(30), presence_of(&mut watcher, ben)).await;
    assert!(quiet.is_err(), "a flapping link showed: {quiet:?}");

    drop(link);
    let before = tokio::time::Instant::now();
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Offline);
    assert!(before.elapsed() >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn typing_is_told_as_a_whole_set_and_ends_by_itself() {
    let chat = chat().await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben, eve]).await;
    let mut watcher = chat.connect(ana).await.unwrap();
    let mut sessions = [
        chat.connect(ben).await.unwrap(),
        chat.connect(eve).await.unwrap(),
    ];
    assert!(
        matches!(
            sessions[0].typing(lunch, true).await,
            Err(Error::NotFound(_))
        ),
        "only where one has joined"
    );
    watcher.join(lunch, None).await.unwrap();
    for session in &mut sessions {
        session.join(lunch, None).await.unwrap();
    }

    let mut both = vec![ben, eve];
    both.sort_unstable();
    sessions[0].typing(lunch, true).await.unwrap();
    assert_eq!(typists(&mut watcher).await, [ben]);
    sessions[1].typing(lunch, true).await.unwrap();
    assert_eq!(typists(&mut watcher).await, both);
    // A message ends it, and so does time, and the end of the session.
    say(&chat, ben, lunch, "soup!").await;
    assert_eq!(typists(&mut watcher).await, [eve]);
    assert_eq!(typists(&mut watcher).await, []);
    sessions[0].typing(lunch, true).await.unwrap();
    assert_eq!(typists(&mut watcher).await, [ben]);
    let [ben_session, _eve_session] = sessions;
    drop(ben_session);
    assert_eq!(typists(&mut watcher).await, []);
}

async fn typists(session: &mut Session) -> Vec<UserId> {
    until_signal(session, |signal| match signal {
        Signal::Typing { user_ids, .. } => Some(user_ids.clone()),
        _ => None,
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn many_starts_and_stops_are_told_at_most_once_a_second() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut watcher = chat.connect(ana).await.unwrap();
    let mut typist = chat.connect(ben).await.unwrap();
    watcher.join(lunch, None).await.unwrap();
    typist.join(lunch, None).await.unwrap();
    for n in 0..500 {
        typist.typing(lunch, n % 2 == 0).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    typist.typing(lunch, false).await.unwrap();
    let mut told = 0;
    while let Ok(batch) = tokio::time::timeout(Duration::from_secs(30), frames(&mut watcher)).await
    {
        told += batch
            .iter()
            .filter(|f| matches!(f, ServerFrame::Signal(Signal::Typing { .. })))
            .count();
    }
    assert!(
        told <= 7,
        "{told} frames in five seconds to one who did not even read them"
    );
}

#[tokio::test(start_paused = true)]
async fn in_large_conversations_neither_typing_nor_reading_is_told_to_everybody() {
    let limits = Limits {
        max_members_for_typing: 2,
        max_members_for_reads: 2,
        ..Limits::default()
    };
    let chat = chat_with(limits).await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben, eve]).await;
    let mut watcher = chat.connect(ana).await.unwrap();
    let mut reader = chat.connect(ben).await.unwrap();
    watcher.join(lunch, None).await.unwrap();
    reader.join(lunch, None).await.unwrap();
    reader.typing(lunch, true).await.unwrap();
    chat.mark_read(ben, lunch, 3).await.unwrap();
    while let Ok(batch) = tokio::time::timeout(Duration::from_secs(5), frames(&mut watcher)).await {
        for frame in batch {
            let told = matches!(
                frame,
                ServerFrame::Signal(Signal::Typing { .. } | Signal::Read { .. })
            );
            assert!(!told, "{frame:?}");
        }
    }
    // My own other devices are told in any case.
    until_signal(&mut reader, |signal| {
        matches!(signal, Signal::Read { seq: 3, .. }).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_read_cursor_is_told_to_the_joined_and_to_my_other_devices() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    say(&chat, ana, lunch, "soup?").await;
    let mut joined = chat.connect(ana).await.unwrap();
    joined.join(lunch, None).await.unwrap();
    // On joining, where everybody stands: ana has read what she said, ben nothing yet.
    let reads = |ana_at, ben_at| {
        move |signal: &Signal| match signal {
            Signal::Read { user_id, seq, .. } if *user_id == ben => (*seq == ben_at).then_some(()),
            Signal::Read { user_id, seq, .. } if *user_id == ana => {
                (*seq == ana_at && ben_at == 0).then_some(())
            }
            _ => None,
        }
    };
    until_signal(&mut joined, reads(3, 1)).await;

    let mut device = chat.connect(ben).await.unwrap();
    assert_eq!(
        chat.mark_read(ben, lunch, 99).await.unwrap(),
        3,
        "clamped to the head"
    );
    assert_eq!(
        chat.mark_read(ben, lunch, 2).await.unwrap(),
        3,
        "never back"
    );
    until_signal(&mut joined, reads(3, 3)).await;
    let (mut told, mut row) = (false, None);
    while !told || row.is_none() {
        for frame in frames(&mut device).await {
            match frame {
                ServerFrame::Signal(Signal::Read {
                    user_id, seq: 3, ..
                }) => told |= user_id == ben,
                ServerFrame::Signal(Signal::ConversationUpdated { row: newer }) => {
                    row = Some(newer);
                }
                _ => {}
            }
        }
    }
    let row = row.unwrap();
    assert_eq!((row.me.read_seq, row.unread.count), (3, 0));
    assert!(matches!(
        chat.mark_read(UserId::new(), lunch, 1).await,
        Err(Error::NotFound(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn every_member_sees_the_list_move_at_most_four_times_a_second() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let (lunch, dinner) = (
        group(&chat, &[ana, ben]).await,
        group(&chat, &[ana, ben]).await,
    );
    // Ben joined neither.
    let mut session = chat.connect(ben).await.unwrap();
    say(&chat, ana, lunch, "soup?").await;
    let row = until_signal(&mut session, |signal| match signal {
        Signal::ConversationUpdated { row } => Some(row.clone()),
        _ => None,
    })
    .await;
    assert_eq!(row.conversation.last_message.unwrap().body, "soup?");
    assert_eq!(row.unread.count, 1);

    let sender = tokio::spawn({
        let chat = chat.clone();
        async move {
            for n in 0..100 {
                say(&chat, ana, dinner, &n.to_string()).await;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    });
    let mut told = 0;
    let newest = until_signal(&mut session, |signal| match signal {
        Signal::ConversationUpdated { row } if row.conversation.id == dinner => {
            told += 1;
            (row.unread.count == 100).then(|| row.clone())
        }
        _ => None,
    })
    .await;
    sender.await.unwrap();
    assert_eq!(newest.conversation.last_message.unwrap().body, "99");
    assert!(told <= 6, "{told} rows in a second");
}

#[tokio::test]
async fn what_changed_in_the_list_is_what_a_fresh_list_has() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let mut groups = Vec::new();
    for _ in 0..4 {
        groups.push(group(&chat, &[ana, ben]).await);
    }
    let (list, _) = chat.rows(ben, None, 10).await.unwrap();
    let known: Vec<_> = list
        .iter()
        .map(|row| (row.conversation.id, row.conversation.head_seq, row.me.rev))
        .collect();
    assert_eq!(
        chat.row_changes(ben, &known).await.unwrap(),
        RowChanges::default()
    );

    say(&chat, ana, groups[0], "new").await;
    chat.mark_read(ben, groups[1], 2).await.unwrap();
    chat.remove_member(ana, groups[2], ben, false)
        .await
        .unwrap();
    let (direct, made) = chat.direct(ben, ana).await.unwrap();
    assert!(made);
    let changes = chat.row_changes(ben, &known).await.unwrap();
    let mut ids: Vec<_> = changes.rows.iter().map(|row| row.conversation.id).collect();
    let mut expected = vec![groups[0], groups[1], direct.conversation.id];
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!((ids, changes.gone), (expected, vec![groups[2]]));
    assert_eq!(direct.conversation.peer.unwrap().id, ana);
    // The peer sees it from the first message on.
    assert!(
        chat.rows(ana, None, 10)
            .await
            .unwrap()
            .0
            .iter()
            .all(|row| row.conversation.id != direct.conversation.id)
    );
    say(&chat, ben, direct.conversation.id, "hello").await;
    assert_eq!(
        chat.rows(ana, None, 10).await.unwrap().0[0].conversation.id,
        direct.conversation.id
    );
}

#[tokio::test]
async fn roles_say_who_may_change_a_group() {
    let chat = chat().await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    assert!(matches!(
        chat.put_member(ben, lunch, eve, None).await,
        Err(Error::Forbidden(_))
    ));
    assert!(matches!(
        rename(&chat, eve, lunch, title("Mine")).await,
        Err(Error::NotFound(_))
    ));
    assert!(
        matches!(
            chat.remove_member(ana, lunch, ana, false).await,
            Err(Error::Conflict(_))
        ),
        "the last owner stays"
    );
    let (member, is_new) = chat
        .put_member(ana, lunch, eve, Some(Role::Admin))
        .await
        .unwrap();
    assert_eq!((member.role, is_new), (Role::Admin, true));
    assert_eq!(
        rename(&chat, eve, lunch, title("Dinner"))
            .await
            .unwrap()
            .conversation
            .title
            .as_deref(),
        Some("Dinner")
    );
    assert!(
        !chat
            .put_member(ana, lunch, ben, Some(Role::Owner))
            .await
            .unwrap()
            .1
    );
    chat.remove_member(ana, lunch, ana, false).await.unwrap();
    let (members, more) = chat.members(ben, lunch, None, 1).await.unwrap();
    assert!(more);
    let (rest, more) = chat
        .members(ben, lunch, Some(members[0].user.id), 1)
        .await
        .unwrap();
    assert_eq!((rest.len(), more), (1, false));
}

#[tokio::test]
async fn bounds_of_a_session_are_said() {
    let limits = Limits {
        max_joined_conversations: 1,
        max_watched_users: 1,
        ..Limits::default()
    };
    let chat = chat_with(limits).await;
    let ana = UserId::new();
    let (one, two) = (group(&chat, &[ana]).await, group(&chat, &[ana]).await);
    let mut session = chat.connect(ana).await.unwrap();
    session.join(one, None).await.unwrap();
    session.join(one, Some(0)).await.unwrap();
    assert!(matches!(
        session.join(two, None).await,
        Err(Error::LimitExceeded(_))
    ));
    session.leave(one);
    session.join(two, None).await.unwrap();
    assert!(matches!(
        session.watch_presence(vec![ana, UserId::new()]).await,
        Err(Error::LimitExceeded(_))
    ));
}
