//! What holds for any text, any size and any order of events.

use std::collections::BTreeSet;

use chat_core::client::Event as LiveEvent;
use chat_tui::app::{
    composer::{Composer, Motion},
    keymap::{Code, Keymap, Preset},
    text::{Plain, fit, shown, width},
    wrap::wrap,
};
use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use crate::stage::{ANA, ME, Stage, at, direct, entry, group, message, of};

/// Text with more than its share of what is difficult.
fn text() -> impl Strategy<Value = String> {
    let difficult = prop::sample::select(vec![
        "\u{1b}",
        "\r",
        "\n",
        "\t",
        "\u{9b}",
        "\u{202E}",
        "\u{2066}",
        "\u{200D}",
        "\u{200B}",
        "\u{301}",
        "\u{FE0F}",
        "👩",
        "👨‍👩‍👧",
        "🏴",
        "\u{E0067}",
        "🇪",
        "🇺",
        "日",
        "本",
        "ｶ",
        "\u{FF9E}",
        "क",
        "\u{94D}",
        "ষ",
        "ᄀ",
        "ᅡ",
        "ل",
        "ا",
        " ",
        "a",
        "word ",
        "\u{0}",
        "\u{7f}",
        "\u{2028}",
        "\u{3164}",
        "\u{1F3FD}",
        "❤",
    ]);
    let any = any::<char>().prop_map(String::from);
    let piece = prop_oneof![4 => difficult.prop_map(str::to_owned), 1 => any];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{200B}')
}

proptest! {
    #[test]
    fn nothing_harmful_gets_through(text in text()) {
        let line = Plain::line(&text);
        prop_assert!(!line.as_str().chars().any(is_harmful));
        let body = Plain::text(&text);
        prop_assert!(!body.as_str().chars().any(|c| c != '\n' && is_harmful(c)));
        for grapheme in body.as_str().graphemes(true) {
            prop_assert!(grapheme.len() <= 64 && width(grapheme) <= 8, "{grapheme:?}");
        }
        prop_assert!(text.graphemes(true).all(|g| !shown(g).chars().any(is_harmful)));
    }

    #[test]
    fn cleaning_what_is_clean_changes_nothing(text in text()) {
        let once = Plain::text(&text);
        let twice = Plain::text(once.as_str());
        prop_assert_eq!(twice.as_str(), once.as_str());
    }

    #[test]
    fn no_row_is_wider_than_it_may_be_and_no_grapheme_is_cut(text in text(), columns in 8_usize..40) {
        let body = Plain::text(&text);
        let body = body.as_str();
        let boundaries: BTreeSet<usize> =
            body.grapheme_indices(true).map(|(at, _)| at).chain([body.len()]).collect();
        for row in wrap(body, columns) {
            prop_assert!(width(&body[row.clone()]) <= columns);
            prop_assert!(boundaries.contains(&row.start) && boundaries.contains(&row.end));
        }
        prop_assert!(width(&fit(body, columns)) <= columns);
    }

    #[test]
    fn the_cursor_stands_between_graphemes_whatever_is_done(
        steps in prop::collection::vec((0..8_u8, text()), 1..20), columns in 16_usize..30,
    ) {
        let mut composer = Composer::default();
        for (step, text) in steps {
            match step {
                0 | 1 => composer.insert(&text),
                2 => composer.go(Motion::Left),
                3 => composer.go(Motion::WordLeft),
                4 => drop(composer.delete(Motion::Left)),
                5 => drop(composer.delete(Motion::Right)),
                6 => drop(composer.go_row(false, columns)),
                _ => drop(composer.go_row(true, columns)),
            }
            let text = composer.text();
            let at = composer.cursor();
            prop_assert!(at == text.len() || text.grapheme_indices(true).any(|(start, _)| start == at));
            let layout = composer.layout(columns);
            prop_assert!(layout.rows.iter().all(|row| width(row) <= columns));
            prop_assert!(layout.cursor.0 < layout.rows.len() && layout.cursor.1 <= columns);
        }
    }

    #[test]
    fn whatever_was_done_to_a_draft_can_be_undone_to_the_beginning_and_done_again(
        before in text(), steps in prop::collection::vec((0..9_u8, text()), 1..30),
    ) {
        let mut composer = Composer::default();
        composer.set(&before);
        let before = composer.text().to_owned();
        for (step, text) in steps {
            match step {
                0 | 1 => text.graphemes(true).for_each(|letter| composer.insert(letter)),
                2 => composer.insert(&text),
                3 => composer.go(Motion::WordLeft),
                4 => drop(composer.delete(Motion::Left)),
                5 => drop(composer.delete(Motion::WordRight)),
                6 => drop(composer.undo()),
                7 => composer.replace(&text),
                _ => drop(composer.redo()),
            }
        }
        while composer.redo() {}
        let after = composer.text().to_owned();
        while composer.undo() {
            let (text, at) = (composer.text(), composer.cursor());
            prop_assert!(at == text.len() || text.grapheme_indices(true).any(|(start, _)| start == at));
        }
        prop_assert_eq!(composer.text(), before);
        while composer.redo() {}
        prop_assert_eq!(composer.text(), after);
    }

    #[test]
    fn each_message_is_shown_once_however_acks_and_entries_are_shuffled(
        order in Just((0..6_usize).flat_map(|n| [(n, true), (n, false)]).collect::<Vec<_>>()).prop_shuffle(),
        repeats in prop::collection::vec(0..12_usize, 0..6),
    ) {
        let mut stage = Stage::with(80, 40, vec![direct(ANA, "Ana", 1, 0, 0)]);
        stage.key(Code::Enter);
        stage.entries([entry(ANA, 1, ANA, "hi", 0)]);
        let mut accepted = Vec::new();
        for n in 0..6_u64 {
            stage.write(&format!("say{n}"));
            stage.key(Code::Enter);
            let mut message = message(ANA, n + 2, ME, &format!("say{n}"), at(0));
            message.client_id = stage.sent().1.client_id;
            accepted.push(message);
        }
        // Entries come in order, as the client library promises; acknowledgements in any, and both may repeat.
        let mut entries = 0;
        let repeated: Vec<_> = repeats.iter().map(|at| order[*at]).collect();
        for (n, is_ack) in order.into_iter().chain(repeated) {
            if is_ack {
                stage.live(LiveEvent::Sent(Box::new(accepted[n].clone())));
            } else {
                stage.entries([of(accepted[entries.min(5)].clone())]);
                entries += 1;
            }
            let screen = stage.screen();
            for n in 0..6 {
                prop_assert_eq!(screen.matches(&format!("say{n}")).count(), 1);
            }
        }
        prop_assert!(stage.app.chat().unwrap().timeline.pending().is_empty());
    }

    #[test]
    fn no_size_and_no_key_makes_it_fall_over(
        preset in prop::sample::select(vec![Preset::Plain, Preset::Vim, Preset::Emacs]),
        sizes in prop::collection::vec((0..90_u16, 0..30_u16), 1..6),
        keys in prop::collection::vec(0..14_u8, 0..20),
        body in text(),
    ) {
        let mut stage = Stage::with(80, 24, vec![direct(ANA, &format!("A{body}"), 3, 2, 0)]);
        stage.app.keymap = Keymap::new(preset, Vec::new());
        stage.key(Code::Enter);
        stage.entries((1..=3).map(|seq| entry(ANA, seq, ANA, &body, 0)));
        let mut keys = keys.into_iter();
        for (width, height) in sizes {
            stage.resize(width, height);
            stage.screen();
            for key in keys.by_ref().take(5) {
                match key {
                    0 => stage.key(Code::Up),
                    1 => stage.key(Code::Down),
                    2 => stage.key(Code::PageUp),
                    3 => stage.key(Code::PageDown),
                    4 => stage.key(Code::Esc),
                    5 => stage.key(Code::Enter),
                    6 => stage.key(Code::F(1)),
                    7 => stage.ctrl('k'),
                    8 => stage.ctrl('t'),
                    9 => stage.write(&body),
                    10 => stage.key(Code::Home),
                    11 => stage.key(Code::Tab),
                    12 => stage.write("r"),
                    _ => stage.key(Code::End),
                }
            }
            stage.screen();
        }
    }
}

#[test]
fn the_smallest_screens_are_drawn() {
    let mut stage = Stage::with(80, 24, vec![direct(ANA, "Ana", 3, 2, 0)]);
    stage.key(Code::Enter);
    for (width, height) in [(0, 0), (1, 1), (0, 9), (9, 0), (19, 5), (20, 4)] {
        stage.resize(width, height);
        stage.screen();
    }
}

proptest! {
    #[test]
    fn the_list_holds_still_and_then_is_in_order_however_rows_come(
        batches in prop::collection::vec(prop::collection::vec((2..9_u128, 0..50_u64, 0..100_i64, any::<bool>()), 1..4), 1..12),
    ) {
        let mut stage = Stage::with(80, 24, Vec::new());
        for batch in batches {
            let row = |(place, head, minutes, pinned)| {
                let mut row = group(place, "Somewhere", head, 0, minutes);
                row.me.pinned = pinned;
                row
            };
            let before: Vec<_> = stage.app.list.iter().map(|item| item.id).collect();
            stage.live(LiveEvent::Rows {
                rows: batch.into_iter().map(row).collect(),
                gone: Vec::new(),
                snapshot: false,
            });
            let held: Vec<_> = stage.app.list.iter().map(|item| item.id).collect();
            prop_assert!(before.is_empty() || held.starts_with(&before));
            let says_so = stage.app.list.moved() > 0;
            stage.event(chat_tui::event::Event::Focus(false));
            stage.event(chat_tui::event::Event::Focus(true));
            let after: Vec<_> = stage.app.list.iter().map(|item| item.id).collect();
            prop_assert!(says_so || held == after);
            let list: Vec<_> = stage.app.list.iter().map(|item| (!item.pinned, std::cmp::Reverse(item.at))).collect();
            prop_assert!(list.is_sorted());
            let distinct: BTreeSet<_> = stage.app.list.iter().map(|item| item.id).collect();
            prop_assert_eq!(distinct.len(), stage.app.list.len());
            prop_assert!(stage.app.list.selected().is_some());
        }
    }
}
