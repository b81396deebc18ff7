//! However it ends, the terminal is the user's again.

use chat_tui::config::{Config, Profile};
use rustix::process::{Signal, kill_process};

use super::{
    again,
    client::{Home, ctrl},
    server::Server,
    terminal::Terminal,
};

#[test]
fn quitting_gives_the_terminal_back() {
    let (server, home) = (Server::start(), Home::new());
    let mut terminal = Terminal::with_client(&home, &server);
    terminal.is_taken();
    terminal.press(&ctrl('q'));
    assert!(terminal.ends().success());
    terminal.is_given_back();
}

#[test]
fn being_told_to_end_gives_the_terminal_back() {
    let server = Server::start();
    server.person("maya", "Maya");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let home = Home::new();
        let mut terminal = Terminal::signed_in(&home, &server, "maya");
        terminal.is_taken();
        kill_process(terminal.process(), signal).unwrap();
        assert!(terminal.ends().success());
        terminal.is_given_back();
    }
}

#[test]
fn a_window_that_is_closed_ends_the_client() {
    let (server, home) = (Server::start(), Home::new());
    let window = again::window(&server.url(), home.path());
    let open = || Profile::open_in(&home.path().join("chat-tui"), "default", &Config::default());
    assert!(open().is_err(), "the client in the window has it");
    window.close();
    again::until("the profile is free", || open().is_ok());
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    let mut client = again::panicking_client();
    client.env("TERM", "xterm-256color");
    let mut terminal = Terminal::run(client, 100, 30);
    terminal.shows("Sign in");
    terminal.is_taken();
    kill_process(terminal.process(), Signal::USR1).unwrap();
    assert!(!terminal.ends().success());
    terminal.is_given_back();
    assert!(terminal.text().contains("this was to be expected"));
}
