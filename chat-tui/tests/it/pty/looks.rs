//! What it looks like, by what the user and the environment say about it.

use std::fs;

use portable_pty::CommandBuilder;
use vt100::Color;

use super::{client::Home, server::Server, terminal::Terminal};

/// A look at a conversation, with what is changed about how the program is run.
fn look(change: impl Fn(&mut CommandBuilder, &Home)) -> Terminal {
    let (server, home) = (Server::start(), Home::new());
    let (maya, bo) = (server.person("maya", "Maya"), server.person("bo", "Bo"));
    bo.says(bo.direct(maya.id), "Colourful?");
    let mut program = home.program(&server.url());
    change(&mut program, &home);
    let terminal = Terminal::run(program, 80, 24);
    terminal.shows("Sign in");
    terminal.sign_in("maya");
    terminal.open_first("Bo");
    terminal.shows("Colourful?");
    terminal
}

/// The colours of all cells that have any.
fn colors(variables: &[(&str, &str)]) -> Vec<Color> {
    let terminal = look(|program, _| {
        for (name, value) in variables {
            program.env(name, value);
        }
    });
    colors_of(&terminal)
}

fn colors_of(terminal: &Terminal) -> Vec<Color> {
    terminal.look(|screen| {
        let (rows, columns) = screen.size();
        let cells =
            (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        let cells = cells.filter_map(|(row, column)| screen.cell(row, column));
        cells
            .flat_map(|cell| [cell.fgcolor(), cell.bgcolor()])
            .filter(|color| *color != Color::Default)
            .collect()
    })
}

#[test]
fn no_color_is_kept_to() {
    assert!(!colors(&[]).is_empty());
    assert!(
        !colors(&[("NO_COLOR", "")]).is_empty(),
        "empty is as if it were not there"
    );
    let variables = [("NO_COLOR", "1"), ("COLORTERM", "truecolor")];
    assert_eq!(colors(&variables), []);
}

#[test]
fn a_theme_of_ones_own_is_shown_as_well_as_the_terminal_can() {
    let orange = |program: &mut CommandBuilder, home: &Home| {
        let directory = home.path().join("chat-tui");
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("theme.toml"), "accent = \"#ff8800\"").unwrap();
        program.env("COLORTERM", "truecolor");
    };
    assert!(colors_of(&look(orange)).contains(&Color::Rgb(255, 136, 0)));
    let sixteen = |program: &mut CommandBuilder, home: &Home| {
        orange(program, home);
        program.env_remove("COLORTERM");
    };
    let shown = colors_of(&look(sixteen));
    assert!(
        !shown.iter().any(|color| matches!(color, Color::Rgb(..))),
        "{shown:?}"
    );
}

#[test]
fn nothing_is_drawn_that_the_terminal_lacks_or_that_would_be_read_out() {
    let in_ascii = look(|program, _| program.env("LANG", "C"));
    let raw = String::from_utf8(in_ascii.raw()).unwrap();
    assert!(in_ascii.text().contains('|'));
    // The title of the window is not drawn in cells.
    let shown = in_ascii.text();
    assert!(shown.is_ascii(), "{shown}");
    assert!(!raw.contains(['─', '│', '●', '…']));

    let plain = look(|program, _| {
        program.arg("--plain");
    });
    let raw = String::from_utf8(plain.raw()).unwrap();
    assert!(!raw.contains(|c| matches!(c, '\u{2500}'..='\u{259F}')));
    assert!(!plain.text().contains('|'));
}
