//! Colours where they are wanted, and none where they are not.

use vt100::Color;

use super::{
    client::{ENTER, Home},
    server::Server,
    terminal::Terminal,
};

/// Whether any cell of the screen has a colour, after a look at a conversation.
fn has_colors(variables: &[(&str, &str)]) -> bool {
    let (server, home) = (Server::start(), Home::new());
    let (maya, bo) = (server.person("maya", "Maya"), server.person("bo", "Bo"));
    bo.says(bo.direct(maya.id), "Colourful?");
    let mut program = home.program(&server.url());
    for (name, value) in variables {
        program.env(name, value);
    }
    let terminal = Terminal::run(program, 80, 24);
    terminal.shows("Sign in");
    terminal.sign_in("maya");
    terminal.shows("Bo");
    terminal.press(ENTER);
    terminal.shows("Colourful?");
    terminal.shows("Write a message");
    terminal.look(|screen| {
        let (rows, columns) = screen.size();
        let cells =
            (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        cells
            .filter_map(|(row, column)| screen.cell(row, column))
            .any(|cell| cell.fgcolor() != Color::Default || cell.bgcolor() != Color::Default)
    })
}

#[test]
fn no_color_is_kept_to() {
    assert!(has_colors(&[]));
    assert!(
        has_colors(&[("NO_COLOR", "")]),
        "empty is as if it were not there"
    );
    assert!(!has_colors(&[("NO_COLOR", "1")]));
    assert!(!has_colors(&[
        ("NO_COLOR", "1"),
        ("COLORTERM", "truecolor")
    ]));
}
