//! Single scenes: what the client does when just this happens.

use super::{
    world::{ServerWord, World, draft},
    *,
};
use crate::{
    client::Link,
    model::{Availability, Change, Draft},
    protocol::{Ack, Signal},
};

/// A world that is online and settled.
fn online() -> World {
    let mut world = World::new(1);
    for which in [0, 0, 1] {
        world.take(Step::Say(which));
    }
    world.settle();
    world.check();
    world
}

/// Frames that wait to be read by the server, by their `type`.
fn written(world: &World) -> Vec<String> {
    let wire = world.wire.as_ref().unwrap();
    let kind = |text: &String| {
        let frame: serde_json::Value = serde_json::from_str(text).unwrap();
        frame["type"].as_str().unwrap().to_owned()
    };
    wire.to_server.iter().map(kind).collect()
}

fn close(world: &mut World, code: u16) -> Vec<Output> {
    let reason = "closed".to_owned();
    let code = Some(code);
    world.state.input(Input::Closed { code, reason }, world.now);
    std::iter::from_fn(|| world.state.output()).collect()
}

#[test]
fn a_restored_store_voids_cursors_even_those_that_are_on_their_way() {
    let mut world = online();
    let stale = Opening {
        after: 2,
        restores_seen: 0,
    };
    world.logs[0].lose_newest();
    world.epoch = StoreEpoch::new();
    world.take(Step::Break);
    world.take(Step::Wait(1_000));
    world.take(Step::ClientReads(1));
    assert_eq!(world.app.restored, 1);
    let id = world.logs[0].id;
    world.want(|wants| wants.open(id, stale));
    world.open(0);
    world.open(1);
    world.settle();
    world.check();
}

#[test]
fn a_cursor_beyond_the_head_is_of_another_life_of_the_store() {
    let mut world = online();
    let id = world.logs[0].id;
    let beyond = Opening {
        after: 99,
        restores_seen: 0,
    };
    world.want(|wants| {
        wants.leave(id, 1);
        wants.open(id, beyond);
    });
    for _ in 0..5 {
        world.server_reads();
        world.client_reads();
    }
    assert_eq!(world.app.restored, 1);
    world.open(0);
    world.open(1);
    world.settle();
    world.check();
}

#[test]
fn a_gap_is_fetched_at_once() {
    let mut world = online();
    world.take(Step::Say(0));
    world.take(Step::Lose(0));
    world.take(Step::Say(0));
    world.take(Step::ClientReads(3));
    let (conversation, after) = (world.logs[0].id, 2);
    let fetch = Call::Events {
        conversation,
        after,
    };
    assert_eq!(world.calls.last().map(|(_, call)| call), Some(&fetch));
    world.settle();
    world.check();
}

#[test]
fn an_entry_that_only_the_list_knows_of_is_fetched_after_a_while() {
    let mut world = online();
    world.take(Step::Say(0));
    world.take(Step::Lose(0));
    world.take(Step::ClientReads(1));
    assert!(world.calls.is_empty());
    world.take(Step::Wait(3_000));
    assert_eq!(world.calls.len(), 1);
    world.settle();
    world.check();
}

#[test]
fn what_a_join_does_not_replay_is_fetched_at_once() {
    let mut world = World::new(1);
    world.take(Step::Say(0));
    world.take(Step::ResetNextJoin);
    world.take(Step::ClientReads(1));
    world.take(Step::ServerAnswers(0));
    world.take(Step::AnswerArrives(0));
    world.take(Step::ServerReads(1));
    world.take(Step::ClientReads(2));
    assert!(matches!(world.calls[..], [(_, Call::Events { .. })]));
    world.settle();
    world.check();
}

#[test]
fn a_token_that_ran_out_is_renewed_once_and_then_the_user_is_asked() {
    let mut world = online();
    let outputs = close(&mut world, 4401);
    assert!(outputs.contains(&Output::Connect { renew: true }));
    world.state.input(Input::Connected, world.now);
    let outputs = close(&mut world, 4500);
    let last = outputs.last();
    assert!(matches!(
        last,
        Some(Output::Event(Event::Link(Link::SignedOut { .. })))
    ));
    assert_eq!(world.state.next_at(), None);
}

#[test]
fn a_revoked_sign_in_is_not_tried_again_until_the_user_says_so() {
    let mut world = online();
    let outputs = close(&mut world, 4502);
    assert!(!outputs.iter().any(|o| matches!(o, Output::Connect { .. })));
    world
        .state
        .input(Input::Elapsed, world.now + Duration::from_hours(1));
    assert_eq!(world.state.output(), None);
    world.want(|wants| wants.retry = true);
    world.settle();
    world.check();
}

#[test]
fn the_token_is_renewed_in_place_before_it_runs_out() {
    let mut world = online();
    world.take(Step::Wait(20_000));
    world.take(Step::Wait(20_500));
    world.take(Step::ServerAnswers(0));
    world.take(Step::AnswerArrives(0));
    assert!(written(&world).contains(&"authenticate".to_owned()));
    assert!(world.app.online);
}

#[test]
fn silence_is_answered_by_a_ping_and_then_by_a_new_connection() {
    let mut world = online();
    world.take(Step::Wait(20_000));
    assert_eq!(written(&world), ["ping"]);
    world.take(Step::Wait(10_000));
    assert!(world.app.online);
    world.take(Step::Wait(15_000));
    assert!(!world.app.online);
    world.settle();
    world.check();
}

#[test]
fn what_is_not_the_protocol_ends_the_connection_and_nothing_else() {
    for nonsense in [
        "",
        "{",
        "[]",
        "null",
        r#"{"type":"new_message"}"#,
        r#"{"type":7}"#,
    ] {
        let mut world = online();
        world.input(Input::Text(nonsense.to_owned()));
        assert!(!world.app.online, "{nonsense}");
        world.settle();
        world.check();
    }
    let mut world = online();
    world.input(Input::Text(r#"{"type":"from_the_future"}"#.to_owned()));
    assert!(world.app.online);
}

#[test]
fn typing_is_told_at_the_first_key_and_then_as_often_as_the_server_asks() {
    let mut world = online();
    let id = world.logs[0].id;
    let press = |world: &mut World, key| {
        world.want(|wants| {
            wants.typing.insert(id, key);
        });
        let told = written(world);
        world.wire.as_mut().unwrap().to_server.clear();
        told
    };
    assert_eq!(press(&mut world, true), ["typing_start"]);
    assert!(press(&mut world, true).is_empty());
    world.take(Step::Wait(4_000));
    assert_eq!(press(&mut world, true), ["typing_start"]);
    assert_eq!(press(&mut world, false), ["typing_stop"]);
    assert!(press(&mut world, false).is_empty());
}

#[test]
fn read_marks_are_merged_and_told_once_a_second() {
    let mut world = online();
    let id = world.logs[0].id;
    for seq in [1, 2, 1] {
        world.want(|wants| wants.mark_read(id, seq));
        world.server_reads();
        world.client_reads();
    }
    assert!(written(&world).is_empty());
    world.take(Step::Wait(1_000));
    assert_eq!(written(&world), ["mark_read"]);
    assert!(world.wire.as_ref().unwrap().to_server[0].contains("\"seq\":2"));
}

#[test]
fn a_conversation_that_i_was_removed_from_is_closed_once() {
    let mut world = online();
    let conversation_id = world.logs[1].id;
    for _ in 0..2 {
        world.say(ServerWord::Signal(Signal::ConversationRemoved {
            conversation_id,
        }));
        world.client_reads();
    }
    assert_eq!(world.app.closed, [conversation_id]);
}

#[test]
fn a_message_larger_than_a_frame_fails_instead_of_breaking_every_connection() {
    let mut world = online();
    let id = world.logs[0].id;
    let long = Draft {
        body: "x".repeat(70_000),
        ..draft()
    };
    world.want(|wants| wants.send(id, long));
    assert_eq!(world.app.failed.len(), 1);
    assert!(world.app.online);
}

/// What the server was told since last time, all of it, without looking at it.
fn told(world: &mut World) -> Vec<serde_json::Value> {
    let wire = world.wire.as_mut().unwrap();
    let texts = wire.to_server.drain(..);
    texts
        .map(|text| serde_json::from_str(&text).unwrap())
        .collect()
}

fn told_of(world: &mut World, kind: &str) -> Vec<serde_json::Value> {
    let mut told = told(world);
    told.retain(|frame| frame["type"] == kind);
    told
}

fn set_presence(world: &mut World, availability: Availability) {
    world.want(|wants| wants.set_presence(availability));
    world.settle();
}

#[test]
fn a_cursor_that_another_device_set_back_shows_and_can_be_moved_again() {
    let mut world = World::new(1);
    let id = world.logs[ELSEWHERE].id;
    for _ in 0..4 {
        world.take(Step::Say(ELSEWHERE));
    }
    world.want(|wants| wants.mark_read(id, 4));
    world.settle();
    assert_eq!(world.app.rows[&id].me.read_seq, 4);
    // News of the cursor as it was before comes last.
    world.take(Step::UnreadElsewhere(3));
    world.settle();
    world.check();
    assert_eq!(world.app.rows[&id].me.read_seq, 1);
    assert_eq!(world.app.rows[&id].unread.count, 3);
    world.want(|wants| wants.mark_read(id, 4));
    world.take(Step::Wait(1_000));
    world.settle();
    assert_eq!(world.app.rows[&id].me.read_seq, 4);
}

#[test]
fn what_was_said_last_of_reading_and_unreading_holds_across_a_break() {
    let mut world = World::new(1);
    for _ in 0..4 {
        world.take(Step::Say(READING));
    }
    world.settle();
    for step in [
        Step::MarkRead(READING),
        Step::MarkUnread(READING, 3),
        Step::Break,
        Step::MarkUnread(READING, 1),
        Step::MarkUnread(READING, 2),
    ] {
        world.take(step);
    }
    world.settle();
    world.check();
    assert_eq!(world.logs[READING].read_seq, 1);
}

#[test]
fn a_cursor_that_does_not_move_is_not_told() {
    let mut world = online();
    let id = world.logs[0].id;
    world.want(|wants| wants.mark_read(id, 2));
    world.settle();
    world.take(Step::Wait(2_000));
    world.want(|wants| wants.mark_read(id, 2));
    world.want(|wants| wants.mark_read(id, 1));
    assert!(told(&mut world).is_empty());
}

#[test]
fn an_idle_device_says_so_after_each_reconnect_until_somebody_is_there() {
    use Availability::{Idle, Online};
    let mut world = online();
    set_presence(&mut world, Idle);
    world.take(Step::Break);
    world.settle();
    assert_eq!(world.presence, [Idle, Idle]);
    set_presence(&mut world, Online);
    world.take(Step::Break);
    world.settle();
    assert_eq!(world.presence, [Idle, Idle, Online]);
    // Nobody needs to be told of what came and went while there was no connection.
    world.take(Step::Break);
    set_presence(&mut world, Idle);
    world.take(Step::Break);
    world.want(|wants| wants.set_presence(Online));
    world.settle();
    assert_eq!(world.presence, [Idle, Idle, Online, Idle]);
}

#[test]
fn how_i_want_to_be_seen_on_all_devices_is_said_once() {
    use Availability::{Dnd, Idle, Invisible, Online};
    let mut world = online();
    world.take(Step::Break);
    world.want(|wants| wants.set_presence(Dnd));
    world.want(|wants| wants.set_presence(Invisible));
    world.settle();
    world.take(Step::Break);
    world.settle();
    assert_eq!(world.presence, [Invisible]);
    // Of an idle device, the first `Online` only says that somebody is there.
    for availability in [Idle, Online, Online, Idle] {
        world.want(|wants| wants.set_presence(availability));
    }
    world.settle();
    world.take(Step::Wait(1_000));
    world.settle();
    assert_eq!(world.presence, [Invisible, Idle, Online, Online, Idle]);
}

#[test]
fn what_arrives_is_told_as_delivered_once_and_at_most_every_second() {
    let mut world = online();
    told(&mut world);
    world.take(Step::Wait(2_000));
    for _ in 0..3 {
        world.take(Step::Say(0));
        world.take(Step::ClientReads(2));
    }
    let first = told_of(&mut world, "mark_delivered");
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0]["seq"], 3);
    let reference = first[0]["ref"].as_str().map(str::to_owned);
    let ack = Ack::default();
    world.say(ServerWord::Signal(Signal::Ack { reference, ack }));
    world.take(Step::ClientReads(1));
    assert!(told(&mut world).is_empty());
    world.take(Step::Wait(1_000));
    let second = told_of(&mut world, "mark_delivered");
    assert_eq!(second.len(), 1, "{second:?}");
    assert_eq!(second[0]["seq"], 5);
    // Neither what is not a message, nor what I said, nor what only repeats.
    for step in [Step::Rename(0), Step::React(0, 0, 0, 0)] {
        world.take(step);
    }
    let me = world.me;
    world.logs[0].say(me, draft());
    world.publish(0);
    world.take(Step::ClientReads(6));
    world.take(Step::Wait(1_000));
    assert!(told_of(&mut world, "mark_delivered").is_empty());
}

#[test]
fn a_conversation_that_is_only_listed_is_told_as_delivered_too() {
    let mut world = World::new(1);
    let id = world.logs[0].id;
    world.want(|wants| wants.leave(id, 1));
    world.take(Step::Say(0));
    for _ in 0..5 {
        for step in [
            Step::ServerReads(9),
            Step::ServerAnswers(0),
            Step::AnswerArrives(0),
            Step::ClientReads(9),
        ] {
            world.take(step);
        }
    }
    assert_eq!(world.logs[0].delivered_seq, 1);
}

#[test]
fn delivery_is_not_told_in_a_crowd_nor_against_the_will_of_the_application() {
    let options = LiveOptions::default().report_delivery(false);
    let mut unwilling = World::with(1, options);
    let mut crowd = World::new(1);
    for log in &mut crowd.logs {
        log.member_count = 51;
    }
    for world in [&mut unwilling, &mut crowd] {
        for _ in 0..3 {
            for step in [
                Step::Say(0),
                Step::ServerReads(9),
                Step::ServerAnswers(0),
                Step::AnswerArrives(0),
                Step::ClientReads(9),
                Step::Wait(1_000),
            ] {
                world.take(step);
            }
        }
        assert_eq!(world.app.entries[&world.logs[0].id].len(), 3);
        assert!(told_of(world, "mark_delivered").is_empty());
        assert_eq!(world.logs[0].delivered_seq, 0);
    }
    let id = unwilling.logs[0].id;
    unwilling.want(|wants| wants.mark_delivered(id, 2));
    assert_eq!(told_of(&mut unwilling, "mark_delivered").len(), 1);
}

#[test]
fn how_far_others_are_is_told_and_how_far_i_am_is_in_the_row() {
    let mut world = online();
    let (conversation_id, seq) = (world.logs[0].id, 1);
    for user_id in [world.me, world.others[0]] {
        for signal in [
            Signal::Read {
                conversation_id,
                user_id,
                seq,
            },
            Signal::Delivered {
                conversation_id,
                user_id,
                seq,
            },
        ] {
            world.say(ServerWord::Signal(signal));
            world.client_reads();
        }
    }
    let other = world.others[0];
    assert_eq!(
        (world.app.reads, world.app.deliveries),
        (vec![other], vec![other])
    );
}

#[test]
fn a_deleted_conversation_is_followed_to_its_last_entry() {
    let mut world = online();
    let id = world.logs[1].id;
    let by = world.others[0];
    world.logs[1].delete_whole(by);
    world.publish(1);
    world.take(Step::ClientReads(2));
    let last = world.app.entries.remove(&id);
    assert!(last.is_none(), "what is gone from the list is forgotten");
    assert_eq!(world.app.closed, [id]);
    assert!(!world.app.rows.contains_key(&id));
    world.settle();
    world.check();
}

#[test]
fn a_history_that_begins_later_is_no_gap() {
    let mut world = online();
    for step in [
        Step::Say(COMING),
        Step::Say(COMING),
        // While this device is away.
        Step::Break,
        Step::ToggleMember,
        Step::Say(COMING),
        Step::ToggleMember,
        Step::Say(COMING),
    ] {
        world.take(step);
    }
    world.settle();
    world.check();
    let fetched = |(_, call): &(CallId, Call)| matches!(call, Call::Events { .. });
    assert!(!world.calls.iter().any(fetched));
    let id = world.logs[COMING].id;
    let heard = &world.app.entries[&id];
    assert_eq!(heard.first().map(|entry| entry.seq), Some(5));
    // Something happens to a message from before: that it did is all that is told.
    world.take(Step::Edit(COMING, 0));
    world.settle();
    world.check();
    let last = world.app.entries[&id].last().map(|entry| &entry.change);
    assert_eq!(last, Some(&Change::Hidden {}));
}

#[test]
fn whom_to_watch_is_said_again_after_a_reconnect() {
    let mut world = online();
    let others = world.others.to_vec();
    world.want(|wants| wants.watch = Some(others));
    assert_eq!(told_of(&mut world, "watch_presence").len(), 1);
    world.take(Step::Break);
    world.take(Step::Wait(1_000));
    for _ in 0..4 {
        world.take(Step::ClientReads(9));
        world.take(Step::ServerAnswers(0));
        world.take(Step::AnswerArrives(0));
    }
    assert_eq!(told_of(&mut world, "watch_presence").len(), 1);
}
