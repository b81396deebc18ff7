//! Talking: from an account that is made in the client to words that two people see, whatever happens to the server.

use super::{
    client::{ENTER, Home, TAB, ctrl},
    server::Server,
    terminal::Terminal,
};

#[test]
fn two_people_make_accounts_in_the_client_and_talk() {
    let server = Server::start();
    let (maya_home, bo_home) = (Home::new(), Home::new());
    let bo = Terminal::with_client(&bo_home, &server);
    bo.register("bo", "Bo");

    let maya = Terminal::with_client(&maya_home, &server);
    maya.register("maya", "Maya");
    maya.press(&ctrl('t'));
    maya.shows("New conversation");
    maya.press("bo");
    maya.shows("@bo");
    maya.press(ENTER);
    maya.shows("Write a message");
    maya.press(&format!("Hello Bo, this is Maya{ENTER}"));
    maya.shows("✓");

    bo.open_first("Maya");
    bo.shows("Hello Bo, this is Maya");
    bo.paste("Hello Maya,\nof two lines");
    bo.press(ENTER);
    maya.shows("of two lines");
}

#[test]
fn nothing_is_lost_or_said_twice_when_the_server_is_killed_while_messages_are_sent() {
    let mut server = Server::start();
    let home = Home::new();
    let (maya, conversation) = {
        let (maya, bo) = (server.person("maya", "Maya"), server.person("bo", "Bo"));
        let conversation = maya.direct(bo.id);
        bo.says(conversation, "Tell me everything");
        (Terminal::signed_in(&home, &server, "maya"), conversation)
    };
    maya.open_first("Bo");
    for n in 0..20 {
        maya.press(&format!("word {n}{ENTER}"));
        if n == 10 {
            server.kill();
        }
    }
    maya.shows("word 19");
    // Until it knows that the server is gone; what was typed meanwhile waits.
    maya.hides("● online");
    server.start_again();
    maya.shows("● online");
    maya.press(&format!("the end{ENTER}"));
    let bo = Terminal::signed_in(&Home::new(), &server, "bo");
    bo.shows("the end");

    let witness = server.sign_in("bo");
    let mut expected = vec!["Tell me everything".to_owned()];
    expected.extend((0..20).map(|n| format!("word {n}")));
    expected.push("the end".to_owned());
    assert_eq!(witness.said_in(conversation), expected);
}

#[test]
fn a_paste_is_text_whatever_is_in_it() {
    let server = Server::start();
    let home = Home::new();
    let (maya, bo) = (server.person("maya", "Maya"), server.person("bo", "Bo"));
    let conversation = bo.direct(maya.id);
    bo.says(conversation, "Paste it here");
    let terminal = Terminal::signed_in(&home, &server, "maya");
    terminal.open_first("Bo");
    // Keys that quit, send and clear, an escape sequence, and a line break of a terminal.
    terminal.paste("rm -rf\r\x03\x11\x1b]0;evil\x07 done");
    terminal.shows("done");
    terminal.press(&format!("{TAB}{TAB}{ENTER}"));
    terminal.shows("✓");
    let said = bo.said_in(conversation);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[1].starts_with("rm -rf\n") && said[1].ends_with("done"),
        "{said:?}"
    );
    assert!(
        !terminal
            .outside()
            .titles
            .iter()
            .any(|title| title.contains("evil"))
    );
}
