//! What makes itself heard while nobody looks, and what does not.

use chat_core::{
    client::Event as LiveEvent,
    model::{Availability, Notify, Row, Unread},
};
use chat_tui::{effect::Effect, event::Event};

use crate::stage::{ANA, BO, Stage, direct, group, online};

const BOATS: u128 = 10;

/// Nobody looks at it.
fn away(rows: Vec<Row>) -> Stage {
    let mut stage = Stage::with(80, 24, rows);
    stage.event(Event::Focus(false));
    stage
}

fn rows(stage: &mut Stage, rows: Vec<Row>, snapshot: bool) -> Vec<String> {
    stage.live(LiveEvent::Rows {
        rows,
        gone: Vec::new(),
        snapshot,
    });
    let asked = stage.asked().into_iter();
    asked
        .filter_map(|effect| match effect {
            Effect::Notify(told) => Some(format!("{}: {}", told.title, told.text)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_message_is_heard_with_its_sender_and_what_it_says_unless_somebody_looks() {
    let mut stage = away(vec![
        direct(ANA, "Ana Lindqvist", 3, 0, 0),
        group(BOATS, "Boats", 5, 0, 0),
    ]);
    let ana = |head, unread| vec![direct(ANA, "Ana Lindqvist", head, unread, 1)];
    assert_eq!(
        rows(&mut stage, ana(4, 1), false),
        ["Ana Lindqvist: message 4"]
    );
    let boats = vec![group(BOATS, "Boats", 6, 1, 1)];
    assert_eq!(
        rows(&mut stage, boats, false),
        ["Ana Lindqvist in Boats: message 6"]
    );
    // Read on another device, or only renamed: nothing new was said.
    assert!(rows(&mut stage, ana(4, 0), false).is_empty());
    stage.event(Event::Focus(true));
    assert!(rows(&mut stage, ana(5, 1), false).is_empty());
}

#[test]
fn what_was_there_before_is_not_heard_and_what_came_meanwhile_is_heard_once() {
    let mut stage = away(Vec::new());
    let start = vec![direct(ANA, "Ana", 9, 9, 0), direct(BO, "Bo", 9, 9, 0)];
    assert!(rows(&mut stage, start, true).is_empty());

    // Back after a while without a connection.
    stage.live(LiveEvent::Link(online()));
    let missed = vec![direct(ANA, "Ana", 19, 19, 1), direct(BO, "Bo", 14, 14, 1)];
    assert_eq!(
        rows(&mut stage, missed, false),
        ["2 conversations: 15 new messages"]
    );
    let missed = vec![direct(BO, "Bo", 17, 17, 2)];
    assert_eq!(
        rows(&mut stage, missed, false),
        ["Bo: 3 new messages · message 17"]
    );
}

#[test]
fn what_is_muted_archived_or_not_addressed_to_me_is_not_heard_nor_anything_while_i_am_not_to_be_disturbed()
 {
    let kinds: [fn(&mut Row); 3] = [
        |row| row.me.muted = true,
        |row| row.me.archived = true,
        |row| row.me.notify = Notify::Mentions,
    ];
    for quieten in kinds {
        let mut stage = away(Vec::new());
        let mut row = group(BOATS, "Boats", 6, 1, 1);
        quieten(&mut row);
        assert!(rows(&mut stage, vec![row], false).is_empty());
    }
    let mut stage = away(Vec::new());
    let mut called = group(BOATS, "Boats", 6, 5, 1);
    called.me.notify = Notify::Mentions;
    called.unread = Unread::from_count(5, 1);
    assert_eq!(rows(&mut stage, vec![called], false).len(), 1);

    stage.app.own.availability = Availability::Dnd;
    assert!(rows(&mut stage, vec![direct(ANA, "Ana", 6, 3, 1)], false).is_empty());
}
