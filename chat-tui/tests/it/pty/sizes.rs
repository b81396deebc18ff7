//! Windows of every size, and windows that change while everything goes on.

use super::{
    client::{ENTER, Home},
    server::Server,
    terminal::Terminal,
};

#[test]
fn a_window_may_have_any_size_and_change_it_at_any_time() {
    let (server, home) = (Server::start(), Home::new());
    let (maya, bo) = (server.person("maya", "Maya"), server.person("bo", "Bo"));
    let conversation = bo.direct(maya.id);
    bo.says(conversation, "One of several 日本語 words 👩‍👩‍👧‍👦");
    let terminal = Terminal::signed_in(&home, &server, "maya");
    terminal.open_first("Bo");
    terminal.press("a draft of mine");
    for (columns, rows) in [
        (20, 5),
        (10, 3),
        (1, 1),
        (300, 100),
        (2, 60),
        (300, 1),
        (80, 24),
    ] {
        terminal.resize(columns, rows);
        terminal.press("x");
    }
    // As a window does while its corner is dragged.
    for n in 0..200 {
        terminal.resize(1 + n, 100 - n / 2);
    }
    bo.says(conversation, "Still there?");
    terminal.resize(80, 24);
    terminal.shows("Still there?");
    terminal.shows("a draft of minexxxxxxx");
    terminal.resize(20, 5);
    terminal.shows("minexxxxxxx");
    terminal.resize(80, 24);
    terminal.press(ENTER);
    terminal.shows("✓");
    assert_eq!(
        bo.said_in(conversation).last().unwrap(),
        "a draft of minexxxxxxx"
    );
}
