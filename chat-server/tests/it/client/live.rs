//! The live connection: what an application hears through restarts, breaks and limits.

use std::time::Duration;

use chat_core::{
    client::{Client, Link},
    model::{Availability, ConversationId, Draft, Status},
    protocol::{ErrorCode, rest::PatchConversation},
};
use tokio::time::timeout;

use super::stage::{App, Breaker, Home, draft, group, id, numbered};
use crate::support::{PASSWORD, PATIENCE};

#[tokio::test]
async fn the_list_follows_what_happens() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let mut app = App::start(&bob).await;
    assert!(app.rows.is_empty());

    let garden = group(&ada, &bob).await;
    let said = ada.send(garden, &draft("apples")).await.unwrap();
    app.until(|app| {
        app.rows
            .get(&garden)
            .is_some_and(|row| row.unread.count == 1)
    })
    .await;
    assert_eq!(
        app.rows[&garden].conversation.last_message,
        Some(said.clone())
    );
    app.live.mark_read(garden, said.seq);
    app.until(|app| app.rows[&garden].unread.count == 0).await;
    let orchard = PatchConversation {
        title: Some("Orchard".to_owned()),
        ..PatchConversation::default()
    };
    ada.update(garden, orchard).await.unwrap();
    let orchard = Some("Orchard".to_owned());
    app.until(|app| app.rows[&garden].conversation.title == orchard)
        .await;

    let direct = ada.direct(id(&bob).await).await.unwrap().conversation.id;
    ada.send(direct, &draft("pears")).await.unwrap();
    app.until(|app| app.rows.contains_key(&direct)).await;
    ada.remove_member(garden, id(&bob).await).await.unwrap();
    app.until(|app| !app.rows.contains_key(&garden)).await;
    let fresh = bob.conversations(None).await.unwrap().items;
    assert_eq!(app.rows.into_values().collect::<Vec<_>>(), fresh);
}

#[tokio::test]
async fn a_restart_of_the_server_loses_and_repeats_nothing() {
    let mut home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let (mut ada_app, mut bob_app) = (App::start(&ada).await, App::start(&bob).await);
    ada_app.live.open(garden, 0);
    bob_app.live.open(garden, 0);

    for round in 0..3 {
        for body in numbered(round * 100..round * 100 + 50) {
            ada_app.live.send(garden, draft(body));
        }
        // In the middle of it.
        let some = usize::try_from(round * 100 + 10).unwrap();
        ada_app.until(|app| app.sent.len() >= some).await;
        home.stop().await;
        for body in numbered(round * 100 + 50..round * 100 + 100) {
            ada_app.live.send(garden, draft(body));
        }
        home.open(|_| {}).await;
        let all = usize::try_from(round * 100 + 100).unwrap();
        ada_app.until(|app| app.sent.len() >= all).await;
    }
    for app in [&mut ada_app, &mut bob_app] {
        app.until(|app| app.heard(garden).len() >= 300).await;
        assert_eq!(app.heard(garden), numbered(0..300));
        assert_eq!(app.entries[&garden][0].seq, 1);
        app.until(|app| app.rows[&garden].conversation.head_seq == 302)
            .await;
    }
    let sent: Vec<_> = ada_app.sent.iter().map(|m| m.body.clone()).collect();
    assert_eq!(sent, numbered(0..300));
    let fresh = bob.conversations(None).await.unwrap().items;
    assert_eq!(bob_app.rows.into_values().collect::<Vec<_>>(), fresh);
    let signed_out = |link: &Link| matches!(link, Link::SignedOut { .. });
    assert!(!ada_app.links.iter().any(signed_out));
}

#[tokio::test]
async fn a_connection_that_breaks_anywhere_loses_and_repeats_nothing() {
    const MESSAGES: u32 = 300;
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let breaker = Breaker::start(home.address, 97, 60).await;
    let flaky = Client::new(&format!("http://{}", breaker.address)).unwrap();
    while flaky.login("bob", PASSWORD).await.is_err() {}
    let (live, events) = flaky.live();
    let mut app = App::new(live, events);
    app.impatient = true;
    app.live.open(garden, 0);
    for body in numbered(0..MESSAGES) {
        app.live.send(garden, draft(body));
    }
    let all = MESSAGES as usize;
    app.until(|app| app.sent.len() >= all && app.heard(garden).len() >= all)
        .await;
    assert_eq!(app.heard(garden), numbered(0..MESSAGES));
    assert_eq!(app.sent.len(), all);
    let broken = |link: &&Link| matches!(link, Link::Waiting { .. });
    assert!(app.links.iter().filter(broken).count() > 10);
}

#[tokio::test]
async fn a_slow_application_loses_nothing() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut app = App::start(&bob).await;
    app.live.open(garden, 0);
    for body in numbered(0..600) {
        ada.send(garden, &draft(body)).await.unwrap();
    }
    app.until(|app| app.heard(garden).len() == 300).await;
    // What is on its way of the first opening is not taken for the second.
    app.live.leave(garden);
    app.live.open(garden, 0);
    app.entries.clear();
    app.until(|app| app.heard(garden).len() == 600).await;
    assert_eq!(app.heard(garden), numbered(0..600));
    assert_eq!(app.entries[&garden][0].seq, 1);
    assert_eq!(app.links.len(), 2, "{:?}", app.links);
}

#[tokio::test]
async fn who_is_far_behind_reads_it_all_nevertheless() {
    let home = Home::start(&["--limits", "off,max_replay=5"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    for body in numbered(0..450) {
        ada.send(garden, &draft(body)).await.unwrap();
    }
    let mut app = App::start(&bob).await;
    app.live.open(garden, 0);
    ada.send(garden, &draft("450")).await.unwrap();
    app.until(|app| app.heard(garden).len() == 451).await;
    assert_eq!(app.heard(garden), numbered(0..451));
    ada.send(garden, &draft("451")).await.unwrap();
    app.until(|app| app.heard(garden).len() == 452).await;
}

#[tokio::test]
async fn a_sender_within_the_limits_of_the_server_is_never_cut_off() {
    let limits = "sends_per_second=20,send_burst=4,frames_per_second=40,frame_burst=8";
    let home = Home::start(&["--limits", limits]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut devices = [App::start(&ada).await, App::start(&ada).await];
    for app in &mut devices {
        for body in numbered(0..12) {
            app.live.send(garden, draft(body));
        }
    }
    for app in &mut devices {
        app.until(|app| app.sent.len() == 12).await;
        let sent: Vec<_> = app.sent.iter().map(|m| m.body.clone()).collect();
        assert_eq!(sent, numbered(0..12));
        assert_eq!(app.links.len(), 2, "{:?}", app.links);
    }
}

#[tokio::test]
async fn people_see_each_other_read_type_and_come_and_go() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let (ada_id, bob_id) = (id(&ada).await, id(&bob).await);
    let garden = group(&ada, &bob).await;
    let mut ada_app = App::start(&ada).await;
    ada_app.live.open(garden, 0);
    ada_app.live.watch_presence(vec![bob_id]);
    let status = |app: &App, user| app.presence.get(&user).map(|presence| presence.status);
    ada_app
        .until(|app| status(app, bob_id) == Some(Status::Offline))
        .await;

    let mut bob_app = App::start(&bob).await;
    bob_app.live.open(garden, 0);
    ada_app
        .until(|app| status(app, bob_id) == Some(Status::Online))
        .await;
    let said = ada.send(garden, &draft("apples")).await.unwrap();
    bob_app.until(|app| app.heard(garden) == ["apples"]).await;
    bob_app.live.mark_read(garden, said.seq);
    ada_app
        .until(|app| app.reads.get(&bob_id) == Some(&said.seq))
        .await;
    bob_app.live.typing(garden, true);
    ada_app
        .until(|app| app.typing.get(&garden) == Some(&vec![bob_id]))
        .await;
    bob_app.live.typing(garden, false);
    ada_app
        .until(|app| app.typing.get(&garden) == Some(&Vec::new()))
        .await;
    bob_app.live.close().await;
    ada_app
        .until(|app| status(app, bob_id) == Some(Status::Offline))
        .await;
    assert!(ada_app.presence[&bob_id].last_seen_at.is_some());
    assert!(!ada_app.presence.contains_key(&ada_id));
}

#[tokio::test]
async fn what_is_refused_is_told_once_and_does_not_hold_up_the_rest() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut app = App::start(&ada).await;
    let nowhere = ConversationId::new();
    app.live.open(nowhere, 0);
    app.until(|app| app.closed.contains_key(&nowhere)).await;
    assert_eq!(app.closed[&nowhere], ErrorCode::NotFound);

    let (first, lost, long) = (draft("first"), draft("lost"), draft("x".repeat(9_000)));
    let reused = Draft {
        body: "another".to_owned(),
        ..first.clone()
    };
    ada.send(garden, &first).await.unwrap();
    app.live.send(nowhere, lost.clone());
    app.live.send(garden, long.clone());
    app.live.send(garden, reused.clone());
    app.live.send(garden, draft("last"));
    app.until(|app| app.sent.len() == 1 && app.failed.len() == 3)
        .await;
    assert_eq!(app.sent[0].body, "last");
    assert_eq!(app.failed[&lost.client_id], ErrorCode::NotFound);
    assert_eq!(app.failed[&long.client_id], ErrorCode::Invalid);
    assert_eq!(app.failed[&reused.client_id], ErrorCode::ClientIdReused);

    app.live.open(garden, 0);
    app.until(|app| app.heard(garden).len() == 2).await;
    bob.remove_member(garden, id(&bob).await).await.unwrap();
    ada.remove_member(garden, id(&ada).await).await.unwrap();
    app.until(|app| app.closed.contains_key(&garden)).await;
}

#[tokio::test]
async fn the_token_is_renewed_without_a_new_connection() {
    let mut home = Home::start(&["--limits", "off"]).await;
    home.stop().await;
    home.open(|config| config.access_token_lifetime = Duration::from_secs(1))
        .await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut tokens = ada.refresh_tokens();
    let mut app = App::start(&ada).await;
    // The server closes a socket 5 s after its token ran out: these are more.
    for _ in 0..9 {
        timeout(PATIENCE, tokens.changed()).await.unwrap().unwrap();
    }
    app.live.send(garden, draft("still here"));
    app.until(|app| app.sent.len() == 1).await;
    assert_eq!(app.links.len(), 2, "{:?}", app.links);
}

#[tokio::test]
async fn a_server_that_drains_is_come_back_to() {
    let mut home = Home::start(&[]).await;
    let ada = home.person("ada").await;
    let mut app = App::start(&ada).await;
    home.stop().await;
    app.until(|app| matches!(app.links.last(), Some(Link::Waiting { .. })))
        .await;
    home.open(|_| {}).await;
    app.live.retry_now();
    app.until(App::is_online).await;
}

#[tokio::test]
async fn whoever_signs_out_hears_so_and_can_sign_in_again() {
    let home = Home::start(&[]).await;
    let ada = home.person("ada").await;
    let mut app = App::start(&ada).await;
    ada.logout().await.unwrap();
    app.until(|app| matches!(app.links.last(), Some(Link::SignedOut { .. })))
        .await;
    ada.login("ada", PASSWORD).await.unwrap();
    app.live.retry_now();
    app.until(App::is_online).await;
    app.live.close().await;
}

#[tokio::test]
async fn a_cursor_set_back_on_one_device_shows_on_the_other() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    ada.send(garden, &draft("apples")).await.unwrap();
    let said = ada.send(garden, &draft("pears")).await.unwrap();
    let mut devices = [App::start(&bob).await, App::start(&bob).await];
    for app in &devices {
        app.live.open(garden, 0);
    }
    let unread = |app: &App| app.rows[&garden].unread.count;
    devices[0].live.mark_read(garden, said.seq);
    for app in &mut devices {
        app.until(|app| unread(app) == 0).await;
    }
    devices[1].live.mark_unread(garden, said.seq - 1);
    for app in &mut devices {
        app.until(|app| unread(app) == 1).await;
        assert_eq!(app.rows[&garden].me.read_seq, said.seq - 1);
    }
    devices[0].live.mark_read(garden, said.seq);
    for app in &mut devices {
        app.until(|app| unread(app) == 0).await;
        assert!(app.reads.keys().all(|user| Some(*user) != bob.user_id()));
    }
}

#[tokio::test]
async fn what_arrives_at_a_device_shows_as_delivered_to_its_sender() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut ada_app = App::start(&ada).await;
    ada_app.live.open(garden, 0);
    let said = ada.send(garden, &draft("apples")).await.unwrap();
    // It is enough that the list of a device tells of it.
    let mut bob_app = App::start(&bob).await;
    let bob_id = id(&bob).await;
    ada_app
        .until(|app| app.deliveries.get(&bob_id) == Some(&said.seq))
        .await;
    bob_app.live.open(garden, 0);
    bob_app.until(|app| app.heard(garden).len() == 1).await;
    let said = ada.send(garden, &draft("pears")).await.unwrap();
    ada_app
        .until(|app| app.deliveries.get(&bob_id) == Some(&said.seq))
        .await;
    assert!(!ada_app.reads.contains_key(&bob_id) || ada_app.reads[&bob_id] < said.seq);
}

#[tokio::test]
async fn people_are_seen_as_they_want_to_be_across_restarts() {
    let mut home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let bob_id = id(&bob).await;
    group(&ada, &bob).await;
    let (mut ada_app, bob_app) = (App::start(&ada).await, App::start(&bob).await);
    ada_app.live.watch_presence(vec![bob_id]);
    let seen = |app: &App| app.presence.get(&bob_id).map(|presence| presence.status);
    for (wanted, shown) in [
        (Availability::Idle, Status::Idle),
        (Availability::Online, Status::Online),
        (Availability::Invisible, Status::Offline),
        (Availability::Dnd, Status::Dnd),
    ] {
        bob_app.live.set_presence(wanted);
        ada_app.until(|app| seen(app) == Some(shown)).await;
    }
    assert_eq!(
        bob.settings().await.unwrap().availability,
        Availability::Dnd
    );
    bob_app.live.set_presence(Availability::Online);
    ada_app.until(|app| seen(app) == Some(Status::Online)).await;
    bob_app.live.set_presence(Availability::Idle);
    ada_app.until(|app| seen(app) == Some(Status::Idle)).await;

    home.stop().await;
    home.open(|_| {}).await;
    ada_app.presence.clear();
    ada_app.until(App::is_online).await;
    ada_app.until(|app| seen(app) == Some(Status::Idle)).await;
}

#[tokio::test]
async fn a_group_that_is_deleted_ends_with_its_last_entry() {
    let home = Home::start(&["--limits", "off"]).await;
    let (ada, bob) = (home.person("ada").await, home.person("bob").await);
    let garden = group(&ada, &bob).await;
    let mut app = App::start(&bob).await;
    app.live.open(garden, 0);
    app.until(|app| app.entries.contains_key(&garden)).await;
    ada.delete_conversation(garden).await.unwrap();
    app.until(|app| app.closed.contains_key(&garden)).await;
    app.until(|app| !app.rows.contains_key(&garden)).await;
    assert_eq!(app.closed[&garden], ErrorCode::NotFound);
}
