//! How people want to be seen: idle, not to be disturbed, invisible; and whether they are seen typing.

use std::time::Duration;

use chat_core::{
    Chat, Session,
    model::{Availability, Presence, Status, UserId},
    protocol::{Signal, rest::PatchSettings},
};

use crate::support::{all_frames, chat, group, signals, two_nodes, until_signal};

async fn presence_of(session: &mut Session, user: UserId) -> Presence {
    until_signal(session, |signal| match signal {
        Signal::Presence(presence) if presence.user_id == user => Some(*presence),
        _ => None,
    })
    .await
}

async fn presences(session: &mut Session) -> Vec<Presence> {
    let told = signals(all_frames(session).await);
    let told = told.filter_map(|signal| match signal {
        Signal::Presence(presence) => Some(presence),
        _ => None,
    });
    told.collect()
}

/// Somebody who watches somebody else.
async fn watching(chat: &Chat, viewer: UserId, user: UserId) -> Session {
    group(chat, &[viewer, user]).await;
    let mut session = chat.connect(viewer).await.unwrap();
    session.watch_presence(vec![user]).await.unwrap();
    session
}

#[tokio::test(start_paused = true)]
async fn a_user_is_idle_when_all_their_devices_are() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let mut watcher = watching(&chat, ana, ben).await;
    let mut phone = chat.connect(ben).await.unwrap();
    let mut laptop = chat.connect(ben).await.unwrap();
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Online);

    phone.set_presence(Availability::Idle).await.unwrap();
    phone.set_presence(Availability::Idle).await.unwrap();
    assert_eq!(presences(&mut watcher).await, [], "the laptop is not");
    laptop.set_presence(Availability::Idle).await.unwrap();
    let told = presence_of(&mut watcher, ben).await;
    assert_eq!((told.status, told.last_seen_at), (Status::Idle, None));
    phone.set_presence(Availability::Online).await.unwrap();
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Online);
    assert_eq!(phone.availability(), Availability::Online);

    // What breaks off counts as it was until its grace is over.
    drop(phone);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let phone = chat.connect(ben).await.unwrap();
    assert_eq!(presences(&mut watcher).await, []);
    drop(phone);
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Idle);
    drop(laptop);
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Offline);
}

#[tokio::test(start_paused = true)]
async fn not_to_be_disturbed_holds_on_all_devices_and_nodes_and_when_one_comes_back() {
    let [here, there] = two_nodes().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let mut watcher = watching(&here, ana, ben).await;
    let mut phone = here.connect(ben).await.unwrap();
    let mut laptop = there.connect(ben).await.unwrap();
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Online);

    laptop.set_presence(Availability::Dnd).await.unwrap();
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Dnd);
    assert_eq!(phone.availability(), Availability::Dnd);
    phone.set_presence(Availability::Idle).await.unwrap();
    assert_eq!(presences(&mut watcher).await, []);
    // To be back at an idle device says nothing else.
    phone.set_presence(Availability::Online).await.unwrap();
    assert_eq!(phone.availability(), Availability::Dnd);

    // Only with the last device, wherever it is, they are gone.
    phone.close();
    assert_eq!(presences(&mut watcher).await, []);
    laptop.close();
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Offline);
    let mut phone = here.connect(ben).await.unwrap();
    assert_eq!(phone.availability(), Availability::Dnd);
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Dnd);
    phone.set_presence(Availability::Online).await.unwrap();
    assert_eq!(presence_of(&mut watcher, ben).await.status, Status::Online);
    assert_eq!(
        there.settings(ben).await.unwrap().availability,
        Availability::Online
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_is_invisible_looks_exactly_as_if_they_had_left() {
    let [here, there] = two_nodes().await;
    let (ana, ben, eve) = (UserId::new(), UserId::new(), UserId::new());
    let mut watcher = watching(&here, ana, ben).await;
    group(&here, &[ana, eve]).await;
    watcher.watch_presence(vec![ben, eve]).await.unwrap();
    let mut bens = here.connect(ben).await.unwrap();
    let eves = here.connect(eve).await.unwrap();
    presences(&mut watcher).await;

    // One leaves, the other one only seems to.
    eves.close();
    bens.set_presence(Availability::Invisible).await.unwrap();
    let told = presences(&mut watcher).await;
    let of = |user| *told.iter().find(|it| it.user_id == user).unwrap();
    let (left, hid) = (of(eve), of(ben));
    assert_eq!(
        (left.status, hid.status),
        (Status::Offline, Status::Offline)
    );
    assert!(left.last_seen_at.is_some() && hid.last_seen_at.is_some());

    // From here on nothing that they do shows, and the time they were last seen stands still.
    let phone = here.connect(ben).await.unwrap();
    bens.set_presence(Availability::Idle).await.unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    phone.close();
    drop(bens);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(presences(&mut watcher).await, []);
    let mut bens = here.connect(ben).await.unwrap();
    assert_eq!(presences(&mut watcher).await, []);
    for chat in [&here, &there] {
        let mut later = chat.connect(ana).await.unwrap();
        later.watch_presence(vec![ben]).await.unwrap();
        assert_eq!(presence_of(&mut later, ben).await, hid);
    }

    bens.set_presence(Availability::Online).await.unwrap();
    let back = presence_of(&mut watcher, ben).await;
    assert_eq!((back.status, back.last_seen_at), (Status::Online, None));
}

#[tokio::test(start_paused = true)]
async fn typing_is_told_only_of_those_who_want_it() {
    let [here, there] = two_nodes().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&here, &[ana, ben]).await;
    let mut watcher = here.connect(ana).await.unwrap();
    let mut bens = here.connect(ben).await.unwrap();
    watcher.join(lunch, None).await.unwrap();
    bens.join(lunch, None).await.unwrap();
    let typists = |signal: &Signal| match signal {
        Signal::Typing { user_ids, .. } => Some(user_ids.clone()),
        _ => None,
    };
    let privately = |typing| PatchSettings {
        typing: Some(typing),
        ..PatchSettings::default()
    };

    bens.typing(lunch, true).await.unwrap();
    assert_eq!(until_signal(&mut watcher, typists).await, [ben]);
    // Decided on another node, in the middle of a word.
    there.update_settings(ben, privately(false)).await.unwrap();
    assert_eq!(until_signal(&mut watcher, typists).await, []);
    bens.typing(lunch, true).await.unwrap();
    let told = signals(all_frames(&mut watcher).await).filter_map(|it| typists(&it));
    assert_eq!(told.count(), 0);

    here.update_settings(ben, privately(true)).await.unwrap();
    bens.typing(lunch, true).await.unwrap();
    assert_eq!(until_signal(&mut watcher, typists).await, [ben]);
    bens.set_presence(Availability::Invisible).await.unwrap();
    assert_eq!(until_signal(&mut watcher, typists).await, []);
    bens.typing(lunch, true).await.unwrap();
    let told = signals(all_frames(&mut watcher).await).filter_map(|it| typists(&it));
    assert_eq!(told.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_removed_types_no_more() {
    let chat = chat().await;
    let (ana, ben) = (UserId::new(), UserId::new());
    let lunch = group(&chat, &[ana, ben]).await;
    let mut watcher = chat.connect(ana).await.unwrap();
    let mut bens = chat.connect(ben).await.unwrap();
    watcher.join(lunch, None).await.unwrap();
    bens.join(lunch, None).await.unwrap();
    let typists = |signal: &Signal| match signal {
        Signal::Typing { user_ids, .. } => Some(user_ids.clone()),
        _ => None,
    };
    bens.typing(lunch, true).await.unwrap();
    assert_eq!(until_signal(&mut watcher, typists).await, [ben]);
    chat.remove_member(ana, lunch, ben, false).await.unwrap();
    assert_eq!(until_signal(&mut watcher, typists).await, []);
    assert!(bens.typing(lunch, true).await.is_err());
}
