//! ^Z and back, with a real shell that does the job control.

use rustix::process::{Pid, Signal, kill_process};

use super::{
    client::{ENTER, Home, ctrl},
    server::Server,
    terminal::Terminal,
};

/// A shell in which the client was started, and its process.
fn client_in_a_shell(home: &Home, server: &Server) -> (Terminal, Pid) {
    let terminal = Terminal::run(home.shell(), 80, 24);
    terminal.shows("ready> ");
    let program = env!("CARGO_BIN_EXE_chat-tui");
    terminal.press(&format!(
        "{program} --server {} & echo job $!; fg{ENTER}",
        server.url()
    ));
    // What the shell said before is under the other screen.
    terminal.shows("Sign in");
    terminal.sign_in("maya");
    terminal.is_taken();
    let raw = String::from_utf8(terminal.raw()).unwrap();
    let id = raw
        .rsplit("job ")
        .find_map(|rest| rest.split_whitespace().next()?.parse().ok());
    (
        terminal,
        Pid::from_raw(id.expect("the shell says which")).unwrap(),
    )
}

/// Waits until the shell has said so many times that the client is stopped, and waits for a command.
fn is_stopped(terminal: &Terminal, times: usize) {
    terminal.until("the shell says that it is stopped", |screen, _| {
        let text = screen.contents();
        text.matches("Stopped").count() == times && text.trim_end().ends_with("ready>")
    });
}

#[test]
fn ctrl_z_gives_the_terminal_to_the_shell_and_fg_brings_everything_back() {
    let (server, home) = (Server::start(), Home::new());
    let (maya, bo) = (server.person("maya", "Maya"), server.person("bo", "Bo"));
    let conversation = bo.direct(maya.id);
    bo.says(conversation, "Are you there?");
    let (terminal, _) = client_in_a_shell(&home, &server);
    terminal.open_first("Bo");
    terminal.press("half a thou");
    terminal.shows("half a thou");

    for times in 1..=2 {
        terminal.press(&ctrl('z'));
        is_stopped(&terminal, times);
        terminal.is_given_back();
        terminal.press(&format!("echo the shell is $((40 + 2)){ENTER}"));
        terminal.shows("the shell is 42");
        bo.says(conversation, "Hello?");
        terminal.resize(100, 30);
        terminal.press(&format!("fg{ENTER}"));
        terminal.is_taken();
        terminal.shows("half a thou");
        terminal.shows("Hello?");
        assert!(
            !terminal.text().contains("the shell is 42"),
            "{}",
            terminal.text()
        );
    }
    terminal.press(&format!("ght{ENTER}"));
    terminal.shows("✓");
    terminal.press(&ctrl('q'));
    terminal.shows("ready> ");
    terminal.is_given_back();
    let said = bo.said_in(conversation);
    assert_eq!(said.last().unwrap(), "half a thought", "{said:?}");
}

#[test]
fn it_can_be_stopped_from_outside_and_gives_the_terminal_back_where_it_is_asked_to() {
    let (server, home) = (Server::start(), Home::new());
    server.person("maya", "Maya");
    let (terminal, client) = client_in_a_shell(&home, &server);
    kill_process(client, Signal::TSTP).unwrap();
    is_stopped(&terminal, 1);
    terminal.is_given_back();
    terminal.press(&format!("fg{ENTER}"));
    terminal.is_taken();
    terminal.shows("● online");

    // This one cannot be noticed; the terminal is in order again when it goes on.
    kill_process(client, Signal::STOP).unwrap();
    is_stopped(&terminal, 1);
    // The line is still raw, where Enter ends no line.
    terminal.press("stty sane; fg\n");
    terminal.shows("● online");
    terminal.press(&ctrl('z'));
    is_stopped(&terminal, 2);
    terminal.is_given_back();
    // In the background it stops again, and it can be ended there.
    terminal.press(&format!("bg; echo in the back''ground{ENTER}"));
    terminal.shows("in the background");
    terminal.press(&format!("kill %1; wait; echo is o''ver{ENTER}"));
    terminal.shows("is over");
    terminal.is_given_back();
}

#[test]
fn where_there_is_no_shell_it_does_not_stop() {
    let (server, home) = (Server::start(), Home::new());
    server.person("maya", "Maya");
    let terminal = Terminal::signed_in(&home, &server, "maya");
    terminal.press(&ctrl('z'));
    terminal.shows("no shell");
    kill_process(terminal.process(), Signal::TSTP).unwrap();
    terminal.press(&ctrl('t'));
    terminal.shows("New conversation");
}
