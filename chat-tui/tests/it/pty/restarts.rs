//! The client is killed, as by a power cut, and started anew: no word is lost, and none is said twice.

use std::collections::HashSet;

use chat_core::model::ConversationId;
use rustix::process::{Signal, kill_process};

use super::{
    client::{ENTER, F9, Home, ctrl},
    server::{PASSWORD, Server},
    terminal::Terminal,
};

/// The client with the files of an earlier run: it goes on with the sign-in.
fn started_anew(home: &Home, server: &Server) -> Terminal {
    let terminal = Terminal::run(home.program(&server.url()), 80, 24);
    terminal.shows("● online");
    terminal
}

fn kill(mut terminal: Terminal) {
    kill_process(terminal.process(), Signal::KILL).unwrap();
    terminal.ends();
}

/// Maya's client, in which she has begun to answer Bo; and where.
fn half_a_thought(home: &Home, server: &Server) -> (Terminal, ConversationId) {
    let (maya, bo) = (server.person("maya", "Maya"), server.person("bo", "Bo"));
    let conversation = bo.direct(maya.id);
    bo.says(conversation, "What do you think?");
    let terminal = Terminal::signed_in(home, server, "maya");
    terminal.open_first("Bo");
    terminal.press("half a thought");
    terminal.shows("half a thought");
    (terminal, conversation)
}

#[test]
fn a_draft_is_there_again_after_the_client_was_killed() {
    let (server, home) = (Server::start(), Home::new());
    let (terminal, conversation) = half_a_thought(&home, &server);
    kill(terminal);

    let terminal = started_anew(&home, &server);
    terminal.shows("Bo");
    terminal.press(ENTER);
    terminal.shows("half a thought");
    terminal.press(&format!(" is one{ENTER}"));
    terminal.shows("✓");
    let said = server.sign_in("bo").said_in(conversation);
    assert_eq!(said.last().unwrap(), "half a thought is one");
}

#[test]
fn what_waited_for_the_server_is_sent_by_the_next_run() {
    let (mut server, home) = (Server::start(), Home::new());
    let conversation = {
        let (maya, bo) = (server.person("maya", "Maya"), server.person("bo", "Bo"));
        let conversation = bo.direct(maya.id);
        bo.says(conversation, "Are you on the train?");
        conversation
    };
    let terminal = Terminal::signed_in(&home, &server, "maya");
    terminal.open_first("Bo");
    server.kill();
    terminal.hides("● online");
    for n in 0..3 {
        terminal.press(&format!("from the tunnel {n}{ENTER}"));
        terminal.shows(&format!("○  from the tunnel {n}"));
    }
    kill(terminal);

    server.start_again();
    let terminal = started_anew(&home, &server);
    terminal.open_first("Bo");
    terminal.shows("✓  from the tunnel 2");
    let said = server.sign_in("bo").said_in(conversation);
    assert_eq!(
        said[1..],
        [
            "from the tunnel 0",
            "from the tunnel 1",
            "from the tunnel 2"
        ]
    );
}

#[test]
fn what_was_on_the_screen_as_sent_or_being_sent_is_said_once_though_the_client_was_killed() {
    let (server, home) = (Server::start(), Home::new());
    let (maya, bo) = (server.person("maya", "Maya"), server.person("bo", "Bo"));
    let conversation = bo.direct(maya.id);
    bo.says(conversation, "Count for me");
    let mut shown = HashSet::new();
    for round in 0..3 {
        let terminal = if round == 0 {
            Terminal::signed_in(&home, &server, "maya")
        } else {
            started_anew(&home, &server)
        };
        terminal.shows("Bo");
        // What was being written when it was killed is there again: away with it.
        terminal.press(&format!("{ENTER}{}", ctrl('u')));
        terminal.shows("Write a message");
        for n in 0..8 {
            terminal.press(&format!("count {round}-{n}{ENTER}"));
        }
        terminal.shows(&format!("  count {round}-4"));
        shown.extend(terminal.text().lines().filter_map(|row| {
            let (_, row) = row.split_once("│")?;
            // With a mark before it: not what is still being written.
            let (mark, text) = row.trim().split_once("  ")?;
            (mark == "○" || mark.starts_with('✓')).then(|| text.to_owned())
        }));
        kill(terminal);
    }
    let terminal = started_anew(&home, &server);
    terminal.shows("Bo");
    terminal.press(&format!("{ENTER}{}the end{ENTER}", ctrl('u')));
    terminal.shows("✓  the end");

    let said = bo.said_in(conversation);
    let once: HashSet<&String> = said.iter().collect();
    assert_eq!(once.len(), said.len(), "{said:?}");
    assert!(shown.len() >= 3 * 4);
    assert!(
        shown.iter().all(|text| once.contains(text)),
        "{shown:?} {said:?}"
    );
    let counted: Vec<&String> = said
        .iter()
        .filter(|text| text.starts_with("count"))
        .collect();
    assert!(counted.is_sorted(), "{said:?}");
}

#[test]
fn a_draft_is_there_again_after_signing_out_and_in() {
    let (server, home) = (Server::start(), Home::new());
    let (terminal, _) = half_a_thought(&home, &server);
    terminal.press(F9);
    terminal.shows("Sign out here?");
    terminal.press("y");
    terminal.shows("you are signed out");
    // The form knows who it was.
    terminal.paste(PASSWORD);
    terminal.press(ENTER);
    terminal.shows("draft");
    terminal.press(ENTER);
    terminal.shows("half a thought");
}
