//! Blocking: who is blocked learns nothing, and is not told why.

use std::time::Duration;

use chat_core::{
    Chat, Error, Session,
    model::{Presence, Status, UserId},
    protocol::{ServerFrame, Signal},
};

use crate::support::{all_frames, draft, group, say, signals, two_nodes, until_signal};

/// How somebody is seen who was never there.
fn never_there(user_id: UserId) -> Presence {
    Presence {
        user_id,
        status: Status::Offline,
        last_seen_at: None,
    }
}

async fn presence_of(session: &mut Session, user: UserId) -> Presence {
    until_signal(session, |signal| match signal {
        Signal::Presence(presence) if presence.user_id == user => Some(*presence),
        _ => None,
    })
    .await
}

async fn seen_in_profile(chat: &Chat, viewer: UserId, user: UserId) -> Option<Presence> {
    let profile = chat_core::model::Profile {
        id: user,
        username: String::new(),
        display_name: String::new(),
        presence: None,
    };
    let seen = chat.with_presence(viewer, vec![profile]).await.unwrap();
    seen[0].presence
}

#[tokio::test(start_paused = true)]
async fn whoever_is_blocked_sees_the_other_as_never_there_until_that_is_lifted() {
    let [here, there] = two_nodes().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    group(&here, &[ana, ben]).await;
    let anas = here.connect(ana).await.unwrap();
    let mut bens = here.connect(ben).await.unwrap();
    bens.watch_presence(vec![ana]).await.unwrap();
    assert_eq!(presence_of(&mut bens, ana).await.status, Status::Online);

    // On another node, and at once.
    there.set_blocked(ana, ben, true).await.unwrap();
    assert_eq!(presence_of(&mut bens, ana).await, never_there(ana));
    assert_eq!(
        seen_in_profile(&here, ben, ana).await,
        Some(never_there(ana))
    );
    let members = here.members(ben, group(&here, &[ben, ana]).await, None, 10);
    let members = members.await.unwrap().0;
    let seen = members.iter().find(|it| it.user.id == ana).unwrap();
    assert_eq!(seen.user.presence, Some(never_there(ana)));
    // Comings and goings are not told, nor are they to those who ask again.
    anas.close();
    let anas = here.connect(ana).await.unwrap();
    bens.watch_presence(vec![ana]).await.unwrap();
    assert_eq!(presence_of(&mut bens, ana).await, never_there(ana));
    anas.close();
    let _anas = here.connect(ana).await.unwrap();
    let told = signals(all_frames(&mut bens).await);
    assert!(!told.into_iter().any(|it| matches!(it, Signal::Presence(_))));
    // The other way round nothing is hidden.
    let bens_presence = seen_in_profile(&here, ana, ben).await.unwrap();
    assert_eq!(bens_presence.status, Status::Online);

    here.set_blocked(ana, ben, false).await.unwrap();
    bens.watch_presence(vec![ana]).await.unwrap();
    assert_eq!(presence_of(&mut bens, ana).await.status, Status::Online);
}

#[tokio::test(start_paused = true)]
async fn between_two_of_whom_one_has_blocked_the_other_nothing_is_told() {
    let [here, there] = two_nodes().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let direct = here.direct(ana, ben).await.unwrap().0.conversation.id;
    let hello = say(&here, ana, direct, "hello").await;
    let mut anas = here.connect(ana).await.unwrap();
    let mut bens = here.connect(ben).await.unwrap();
    anas.join(direct, None).await.unwrap();
    bens.join(direct, None).await.unwrap();
    there.mark_delivered(ben, direct, 1).await.unwrap();
    bens.typing(direct, true).await.unwrap();
    until_signal(&mut anas, |signal| match signal {
        Signal::Typing { user_ids, .. } => (*user_ids == [ben]).then_some(()),
        _ => None,
    })
    .await;

    there.set_blocked(ana, ben, true).await.unwrap();
    // Who types is no longer told to be typing.
    until_signal(&mut anas, |signal| match signal {
        Signal::Typing { user_ids, .. } => user_ids.is_empty().then_some(()),
        _ => None,
    })
    .await;
    here.mark_read(ben, direct, hello.seq).await.unwrap();
    bens.typing(direct, true).await.unwrap();
    anas.typing(direct, true).await.unwrap();
    for (session, other) in [(&mut anas, ben), (&mut bens, ana)] {
        for signal in signals(all_frames(session).await) {
            let told = match &signal {
                Signal::Read { user_id, .. } | Signal::Delivered { user_id, .. } => {
                    *user_id == other
                }
                Signal::Typing { user_ids, .. } => !user_ids.is_empty(),
                _ => false,
            };
            // What was told before the block is told to nobody twice.
            assert!(
                !told || matches!(signal, Signal::Read { seq: 0 | 1, .. }),
                "{signal:?}"
            );
        }
    }
    for (reader, other) in [(ana, ben), (ben, ana)] {
        let members = here.members(reader, direct, None, 10).await.unwrap().0;
        let seen = members.iter().find(|it| it.user.id == other).unwrap();
        assert_eq!((seen.read_seq, seen.delivered_seq), (0, 0));
        let readers = here.readers(reader, direct, 1, None, 10).await.unwrap().0;
        assert!(readers.iter().all(|it| it.user.id == reader));
    }
    // A new device is told no more.
    let mut later = there.connect(ana).await.unwrap();
    later.join(direct, None).await.unwrap();
    for signal in signals(all_frames(&mut later).await) {
        assert!(!matches!(signal, Signal::Read { user_id, .. } if user_id == ben));
    }

    there.set_blocked(ana, ben, false).await.unwrap();
    let mut later = there.connect(ana).await.unwrap();
    later.join(direct, None).await.unwrap();
    let read = until_signal(&mut later, |signal| match signal {
        Signal::Read { user_id, seq, .. } if *user_id == ben => Some(*seq),
        _ => None,
    });
    assert_eq!(read.await, hello.seq);
}

#[tokio::test(start_paused = true)]
async fn neither_writes_where_one_has_blocked_the_other_and_in_groups_both_do() {
    let [here, there] = two_nodes().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let direct = here.direct(ana, ben).await.unwrap().0.conversation.id;
    let lunch = group(&here, &[ana, ben]).await;
    say(&here, ana, direct, "hello").await;
    let mut anas = here.connect(ana).await.unwrap();
    anas.join(lunch, None).await.unwrap();
    there.set_blocked(ana, ben, true).await.unwrap();
    let wrote = there.send(ben, direct, draft("why?")).await;
    assert!(matches!(wrote, Err(Error::Forbidden(_))));
    let wrote = there.send(ana, direct, draft("because")).await;
    assert!(matches!(wrote, Err(Error::Conflict(_))));
    let opened = there.direct(ben, ana).await;
    assert!(matches!(opened, Err(Error::NotFound(_))));

    // A group of two is a group.
    let mut bens = here.connect(ben).await.unwrap();
    bens.join(lunch, None).await.unwrap();
    let soup = say(&there, ben, lunch, "soup?").await;
    bens.typing(lunch, true).await.unwrap();
    let (mut heard, mut typing) = (false, false);
    tokio::time::timeout(Duration::from_mins(1), async {
        while !heard || !typing {
            for frame in crate::support::frames(&mut anas).await {
                match frame {
                    ServerFrame::Log(entry) => heard |= entry.seq == soup.seq,
                    ServerFrame::Signal(Signal::Typing { user_ids, .. }) => {
                        typing |= user_ids == [ben];
                    }
                    _ => {}
                }
            }
        }
    })
    .await
    .unwrap();
}
