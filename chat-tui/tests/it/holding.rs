//! The list holds still under the hand of whoever uses it, and the inbox keeps what waits for them.

use chat_core::{
    client::Event as LiveEvent,
    model::Unread,
    protocol::{ErrorCode, Problem},
};
use chat_tui::{
    app::{Pane, inbox::Waiting, keymap::Code, timeline::ItemId},
    effect::Effect,
    event::Event,
};

use crate::stage::{ANA, BO, Stage, at, conversation, direct, group};

fn three(width: u16) -> Stage {
    let rows = vec![
        direct(ANA, "Ana Lindqvist", 3, 0, -1),
        direct(BO, "Bo", 2, 0, -2),
        group(10, "Boats", 9, 0, -3),
    ];
    Stage::with(width, 24, rows)
}

fn news(stage: &mut Stage, row: chat_core::model::Row) {
    stage.live(LiveEvent::Rows {
        rows: vec![row],
        gone: Vec::new(),
        snapshot: false,
    });
}

fn order(stage: &Stage) -> Vec<String> {
    let items = stage.app.list.iter();
    items.map(|item| item.name.as_str().to_owned()).collect()
}

#[test]
fn nothing_moves_in_the_list_while_keys_go_to_it() {
    let mut stage = three(80);
    stage.key(Code::Down);
    news(&mut stage, group(10, "Boats", 10, 1, 0));
    assert_eq!(order(&stage), ["Ana Lindqvist", "Bo", "Boats"]);
    assert_eq!(stage.app.list.selected(), Some(conversation(BO)));
    // What came is told in its place, and that it belongs elsewhere.
    assert_eq!(stage.rows_with("message 10").len(), 1);
    assert_eq!(stage.rows_with("1 moved · Home").len(), 1);
    stage.event(Event::Tick(at(2)));
    assert_eq!(order(&stage), ["Ana Lindqvist", "Bo", "Boats"]);
    stage.key(Code::Home);
    assert_eq!(order(&stage), ["Boats", "Ana Lindqvist", "Bo"]);
    assert!(stage.rows_with("moved").is_empty());
}

#[test]
fn a_conversation_that_is_new_comes_last_until_then() {
    let mut stage = three(80);
    news(&mut stage, group(11, "Trains", 1, 1, 0));
    assert_eq!(order(&stage)[3], "Trains");
    stage.event(Event::Focus(false));
    // Nobody looks: it goes where it belongs.
    assert_eq!(order(&stage)[0], "Trains");
}

#[test]
fn nothing_moves_while_the_open_conversation_is_used_and_everything_does_a_while_later() {
    let mut stage = three(80);
    stage.key(Code::Enter);
    assert_eq!(stage.app.pane, Pane::Composer);
    stage.write("hello");
    news(&mut stage, direct(BO, "Bo", 3, 1, 0));
    news(&mut stage, group(10, "Boats", 10, 1, 0));
    assert_eq!(order(&stage), ["Ana Lindqvist", "Bo", "Boats"]);
    assert_eq!(stage.rows_with("2 moved").len(), 1);
    let moves_at = stage.app.next_tick().unwrap();
    assert_eq!(moves_at.as_millis(), at(0).as_millis() + 10_000);
    stage.event(Event::Tick(moves_at));
    assert_eq!(order(&stage), ["Boats", "Bo", "Ana Lindqvist"]);
    // With nobody at the keyboard it is live again.
    news(&mut stage, direct(ANA, "Ana Lindqvist", 4, 1, 1));
    assert_eq!(order(&stage), ["Ana Lindqvist", "Boats", "Bo"]);
}

#[test]
fn what_the_user_moves_moves_at_once() {
    let mut stage = three(80);
    stage.key(Code::End);
    stage.ctrl('o');
    stage.write("p");
    let mut pinned = group(10, "Boats", 9, 0, -3);
    pinned.me.pinned = true;
    pinned.me.rev = 2;
    news(&mut stage, pinned);
    assert_eq!(order(&stage)[0], "Boats");
}

#[test]
fn the_inbox_has_mentions_first_and_what_is_muted_last() {
    let mut stage = three(100);
    let mut boats = group(10, "Boats", 12, 3, 0);
    boats.unread = Unread::from_count(3, 1);
    let mut bo = direct(BO, "Bo", 3, 1, 0);
    bo.me.muted = true;
    let trains = group(11, "Trains", 5, 2, -9);
    for row in [bo, trains, boats] {
        news(&mut stage, row);
    }
    stage.ctrl('b');
    let screen = stage.screen();
    let place = |text: &str| screen.find(text).unwrap();
    let inbox = &screen[place("Inbox")..];
    let place = |text: &str| inbox.find(text).unwrap();
    assert!(place("@1 3 unread") < place("2 unread") && place("2 unread") < place("1 unread"));
    stage.key(Code::Enter);
    assert_eq!(stage.app.open, Some(conversation(10)));
    // Nothing but what is left.
    stage.ctrl('b');
    stage.event(Event::Seen(stage.app.seen));
    let screen = stage.screen();
    assert!(screen[screen.find("Inbox").unwrap()..].contains("Trains"));
}

#[test]
fn what_was_refused_is_in_the_inbox_even_when_its_conversation_is_gone() {
    let mut stage = three(100);
    stage.key(Code::Enter);
    stage.write("rude words");
    stage.key(Code::Enter);
    let (place, draft) = stage.sent();
    stage.live(LiveEvent::SendFailed {
        conversation_id: place,
        client_id: draft.client_id,
        problem: Box::new(Problem::new(ErrorCode::Forbidden, "you are blocked here")),
    });
    stage.ctrl('b');
    assert_eq!(
        stage
            .rows_with("not sent to Ana Lindqvist · you are blocked here")
            .len(),
        1
    );
    stage.key(Code::Enter);
    let selected = stage.app.chat().unwrap().selected;
    assert_eq!(selected, Some(ItemId::Pending(draft.client_id)));
    stage.key(Code::Esc);
    stage.live(LiveEvent::Rows {
        rows: Vec::new(),
        gone: vec![place],
        snapshot: false,
    });
    stage.ctrl('b');
    assert_eq!(stage.rows_with("a conversation that is gone").len(), 1);
    stage.asked();
    stage.key(Code::Enter);
    assert!(stage.asked().contains(&Effect::Discard(draft.client_id)));
    stage.key(Code::Enter);
    stage.ctrl('y');
    assert_eq!(stage.app.chat().unwrap().composer.text(), "rude words");
}

#[test]
fn what_comes_while_the_inbox_is_open_comes_last() {
    let mut stage = three(100);
    news(&mut stage, direct(BO, "Bo", 3, 1, 0));
    stage.ctrl('b');
    news(&mut stage, group(10, "Boats", 10, 1, 0));
    let Some(chat_tui::app::Dialog::Inbox(inbox)) = &stage.app.dialog else {
        panic!("it is open");
    };
    let expected = [BO, 10].map(|place| Waiting::Unread(conversation(place)));
    assert_eq!(inbox.items, expected);
}
