//! Sets of keys, keys that were bound anew, undoing, and writing in one's own editor.

use chat_tui::{
    app::{
        Pane,
        keymap::{Code, Key, Keymap, Preset, read},
        text::Plain,
    },
    config::Preferences,
    effect::Effect,
    event::Event,
};

use crate::stage::{ANA, BO, Stage, conversation, direct, entry};

/// In the conversation with Ana, who said five lines.
fn with(keymap: Keymap) -> Stage {
    let rows = vec![direct(ANA, "Ana", 5, 0, -1), direct(BO, "Bo", 5, 0, -9)];
    let mut stage = Stage::with(80, 24, rows);
    stage.app.keymap = keymap;
    stage.key(Code::Enter);
    stage.entries((1..=5).map(|seq| entry(ANA, seq, ANA, &format!("line {seq}."), -9)));
    stage.screen();
    stage.asked();
    stage
}

fn preset(preset: Preset) -> Stage {
    with(Keymap::new(preset, Vec::new()))
}

fn draft(stage: &Stage) -> &str {
    stage.app.chat().unwrap().composer.text()
}

fn selected_row(stage: &mut Stage) -> String {
    let screen = stage.screen();
    let row = screen.lines().find(|row| row.contains("▌")).unwrap_or("");
    row.to_owned()
}

#[test]
fn in_vim_writing_is_inserting_and_esc_leads_out_of_it_step_by_step() {
    let mut stage = preset(Preset::Vim);
    stage.write("half a thought");
    stage.key(Code::Esc);
    assert_eq!(stage.app.pane, Pane::Messages);
    stage.write("gk");
    let first = selected_row(&mut stage);
    assert!(first.contains("line 1."), "{first}");
    stage.write("Gjjj");
    let last = selected_row(&mut stage);
    assert!(last.contains("line 5."), "{last}");
    stage.key(Code::Esc);
    assert_eq!(stage.app.pane, Pane::List);
    stage.write("jxz");
    assert_eq!(stage.app.pane, Pane::List, "no letter of the list is text");
    stage.write("i");
    assert_eq!(stage.app.pane, Pane::Composer);
    assert_eq!(draft(&stage), "half a thought");
    stage.write("i");
    assert_eq!(draft(&stage), "half a thoughti");
}

#[test]
fn in_vim_a_slash_searches_and_a_colon_offers_commands_outside_of_writing() {
    let mut stage = preset(Preset::Vim);
    stage.key(Code::Esc);
    stage.write("/");
    assert_eq!(stage.rows_with("Search everywhere").len(), 1);
    stage.key(Code::Esc);
    stage.write(":quit");
    stage.key(Code::Enter);
    assert!(stage.asked().contains(&Effect::Quit));
}

#[test]
fn in_emacs_the_cursor_moves_and_text_is_killed_as_there() {
    let mut stage = preset(Preset::Emacs);
    stage.write("one two");
    stage.ctrl('a');
    stage.ctrl('f');
    stage.ctrl('k');
    assert_eq!(draft(&stage), "o");
    stage.ctrl('y');
    assert_eq!(draft(&stage), "one two");
    stage.ctrl('g');
    assert_eq!(stage.app.pane, Pane::List);
}

#[test]
fn a_key_that_was_bound_anew_is_in_the_key_bar_and_in_the_help() {
    let file = "[composer]\n\"ctrl-s\" = \"send\"\n\"enter\" = \"new-line\"\n";
    let mut stage = with(Keymap::new(Preset::Plain, read(file).unwrap()));
    stage.write("a");
    stage.key(Code::Enter);
    stage.write("b");
    assert!(stage.screen().lines().last().unwrap().contains("^S send"));
    stage.ctrl('s');
    assert_eq!(stage.sent().1.body, "a\nb");
    stage.key(Code::F(1));
    stage.resize(80, 300);
    assert!(stage.screen().contains("^S                     send"));
}

#[test]
fn the_set_of_keys_is_changed_in_the_menu_and_kept() {
    let mut stage = preset(Preset::Plain);
    stage.ctrl('x');
    stage.asked();
    stage.write("k");
    let kept = Preferences {
        keys: Preset::Vim,
        ..Preferences::default()
    };
    assert_eq!(stage.asked(), [Effect::Keep(kept)]);
    assert_eq!(stage.rows_with("keys: vim").len(), 1);
    stage.key(Code::Esc);
    stage.key(Code::Esc);
    assert_eq!(stage.app.pane, Pane::Messages);
}

#[test]
fn a_word_is_undone_at_a_time_and_what_was_cleared_comes_back() {
    let mut stage = preset(Preset::Plain);
    stage.write("one two");
    stage.ctrl('_');
    assert_eq!(draft(&stage), "one ");
    stage.press(Key::alt(Code::Char('_')));
    assert_eq!(draft(&stage), "one two");
    stage.ctrl('c');
    assert_eq!(draft(&stage), "");
    stage.ctrl('_');
    assert_eq!(draft(&stage), "one two");
}

#[test]
fn the_draft_is_written_in_the_users_editor_and_is_never_lost_by_it() {
    let mut stage = preset(Preset::Plain);
    stage.write("draft");
    stage.press(Key::alt(Code::Char('e')));
    let here = conversation(ANA);
    let edit = Effect::Editor(here, "draft".to_owned());
    assert!(stage.asked().contains(&edit));

    let why = Plain::line("the editor “nano” ended with an error");
    stage.event(Event::Edited(here, Err(why)));
    assert_eq!(draft(&stage), "draft");
    assert_eq!(stage.rows_with("! the editor “nano”").len(), 1);

    stage.event(Event::Edited(here, Ok("another\ndraft\n".to_owned())));
    assert_eq!(draft(&stage), "another\ndraft");
    stage.ctrl('_');
    assert_eq!(draft(&stage), "draft");
}
