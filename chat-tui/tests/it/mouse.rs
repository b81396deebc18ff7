//! The mouse: it presses and scrolls what was drawn where it is.

use chat_tui::{
    app::{Dialog, Pane, keymap::Code},
    config::Preferences,
    effect::Effect,
    event::Gesture,
};

use crate::stage::{ANA, BO, Stage, conversation, direct, entry, group};

/// In the conversation with Ana, who said a hundred lines.
fn with_ana() -> Stage {
    let mut rows = vec![direct(ANA, "Ana", 100, 0, -1), direct(BO, "Bo", 0, 0, -2)];
    rows.extend((20..80).map(|n| group(n, &format!("Boats {n}"), 0, 0, -60)));
    let mut stage = Stage::with(80, 24, rows);
    stage.key(Code::Enter);
    stage.entries((51..=100).map(|seq| entry(ANA, seq, ANA, &format!("line {seq}."), -200)));
    stage.screen();
    stage.asked();
    stage
}

#[test]
fn a_click_opens_a_conversation_and_selects_a_message_and_a_second_shows_its_menu() {
    let mut stage = with_ana();
    stage.click("line 98.");
    assert_eq!(stage.app.pane, Pane::Messages);
    assert_eq!(stage.rows_with("▌   line 98.").len(), 1);
    stage.click("line 98.");
    assert!(matches!(stage.app.dialog, Some(Dialog::Menu(_))));
    stage.click("reply");
    assert_eq!(stage.rows_with("↪ to Ana").len(), 1);

    stage.click("Bo ");
    assert_eq!(stage.app.open, Some(conversation(BO)));
    assert_eq!(stage.app.pane, Pane::Composer);
}

#[test]
fn the_wheel_scrolls_what_is_under_it_and_moves_nothing_else() {
    let mut stage = with_ana();
    stage.write("a draft");
    assert_eq!(stage.rows_with("line 100.").len(), 1);
    stage.point(Gesture::WheelUp, "line 98.");
    assert_eq!(stage.rows_with("line 100.").len(), 0);
    assert_eq!(stage.app.pane, Pane::Composer);
    stage.point(Gesture::WheelDown, "line 90.");
    assert_eq!(stage.rows_with("line 100.").len(), 1);

    stage.point(Gesture::WheelDown, "Boats 79");
    stage.point(Gesture::WheelDown, "Boats 77");
    assert!(!stage.screen().contains(" Ana  "), "{}", stage.screen());
    assert_eq!(stage.app.open, Some(conversation(ANA)));
    stage.press(chat_tui::app::keymap::Key::alt(Code::Down));
    assert_eq!(stage.app.open, Some(conversation(BO)));
    assert!(stage.screen().contains("○ Bo"));
}

#[test]
fn a_click_puts_the_cursor_into_the_draft() {
    let mut stage = with_ana();
    stage.write("one three");
    stage.click("three");
    stage.write("two ");
    assert_eq!(stage.app.chat().unwrap().composer.text(), "one two three");
}

#[test]
fn the_keys_of_the_key_bar_are_buttons() {
    let mut stage = with_ana();
    stage.write("hello");
    stage.click("send");
    assert_eq!(stage.sent().1.body, "hello");
    stage.click("F1");
    assert!(matches!(stage.app.dialog, Some(Dialog::Help(0))));
    stage.point(Gesture::WheelDown, "start a conversation");
    assert!(matches!(stage.app.dialog, Some(Dialog::Help(1))));
    stage.click("close");
    assert!(stage.app.dialog.is_none());
}

#[test]
fn what_lies_beneath_a_dialog_is_not_pressed() {
    let mut stage = with_ana();
    stage.ctrl('k');
    stage.write("bo");
    stage.click("line 100.");
    stage.click("› Write");
    assert!(matches!(stage.app.dialog, Some(Dialog::Switcher(_))));
    stage.click("○ Bo  ");
    assert_eq!(stage.app.open, Some(conversation(ANA)), "that was the list");
    stage.click("│ ○ Bo");
    stage.click("○ Bo                                                          ");
    assert_eq!(stage.app.open, Some(conversation(BO)));
}

#[test]
fn the_mouse_can_be_left_to_the_terminal() {
    let mut stage = with_ana();
    stage.ctrl('x');
    stage.asked();
    stage.write("m");
    let kept = Preferences {
        mouse: false,
        ..Preferences::default()
    };
    assert_eq!(stage.asked(), [Effect::Mouse(false), Effect::Keep(kept)]);
}
