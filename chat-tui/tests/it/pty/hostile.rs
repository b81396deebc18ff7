//! Everything that others can write, as attackers write it: none of it acts on the terminal.

use super::{
    client::{ENTER, ESC, Home, UP, ctrl},
    server::Server,
    terminal::Terminal,
};

/// Sequences that would act on a terminal, each with a mark by which it would be found.
const ATTACKS: [&str; 10] = [
    "\u{1b}]52;c;cHduZWQ=\u{7}",
    "\u{1b}]8;;http://pwned.example/\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{1b}]0;pwned\u{7}",
    "\u{1b}]9;pwned\u{7}",
    "\u{1b}[2J\u{1b}[31;1m\u{1b}[999;999H",
    "\u{1b}P+q706e\u{1b}\\",
    "\u{9b}2J\u{9d}0;pwned\u{9c}",
    "\u{202E}gpj.exe\u{2066}\u{2069}\u{200F}\u{061C}",
    "zero\u{200B}\u{200C}\u{FEFF}width\u{00AD}",
    "\u{1b}[?1049l\u{1b}[?2004l\u{1b}c\u{5}\u{e}",
];

#[test]
fn names_titles_and_messages_leave_no_sequence_of_theirs_in_what_is_written_to_the_terminal() {
    let (server, home) = (Server::start(), Home::new());
    let maya = server.person("maya", "Maya");
    // What a server lets through as a name or a title is its own affair; what it does is tried here.
    let name = ATTACKS
        .iter()
        .find_map(|attack| server.try_person("eve", &format!("Eve{attack}")))
        .unwrap_or_else(|| server.person("eve", "Eve"));
    let direct = name.direct(maya.id);
    for title in ATTACKS {
        if let Some(group) = name.try_group(&format!("G{title}"), vec![maya.id]) {
            name.says(group, "in the group");
        }
    }
    let mut program = home.program(&server.url());
    program.env("TERM", "foot");
    let terminal = Terminal::run(program, 100, 40);
    terminal.shows("Sign in");
    terminal.sign_in("maya");
    terminal.shows("Eve");
    // Nobody looks: what comes now is told by notifications.
    terminal.press("\u{1b}[O");
    // Keys are taken in their order: what they do shows that it is known.
    terminal.press(&ctrl('t'));
    terminal.shows("New conversation");
    terminal.press(ESC);
    terminal.hides("New conversation");
    for (told, attack) in ATTACKS.iter().enumerate() {
        name.says(direct, &format!("say {attack} http://example.org/{attack}"));
        terminal.until("it is told", |_, outside| outside.bells > told);
    }
    name.says(direct, "the end");
    terminal.press("\u{1b}[I");
    terminal.press(&ctrl('k'));
    terminal.press(&format!("Eve{ENTER}"));
    terminal.shows("the end");
    // The selected message goes to the clipboard, and its menu and its search are looked at.
    terminal.press(&format!("{UP}{UP}c"));
    terminal.until("it is copied", |_, outside| {
        outside
            .requests
            .iter()
            .any(|request| request.starts_with("52;"))
    });
    terminal.press(ENTER);
    terminal.press(&format!("{ESC}{ESC}"));
    terminal.press(&ctrl('f'));
    terminal.press("say");
    terminal.shows("Search");
    terminal.press(&format!("{ESC}{ESC}"));
    terminal.resize(30, 10);
    terminal.shows("Eve");

    let raw = String::from_utf8(terminal.raw()).expect("what is written is text");
    let harmful = |c: &char| {
        matches!(c, '\u{80}'..='\u{9F}' | '\u{061C}' | '\u{200E}' | '\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{200B}')
    };
    assert_eq!(raw.chars().find(harmful), None);
    for sequence in sequences(&raw) {
        assert!(is_ours(&sequence), "{sequence:?}");
    }
    let outside = terminal.outside();
    assert!(
        outside
            .titles
            .iter()
            .all(|title| title.contains("chat") && !title.contains("pwned"))
    );
    assert!(
        outside
            .requests
            .iter()
            .all(|request| request != "52;c;cHduZWQ=")
    );
    assert!(
        outside
            .requests
            .iter()
            .any(|request| request.starts_with("777;notify;Eve"))
    );
    assert!(raw.contains(";http://example.org/"), "addresses are links");
    terminal.is_taken();
}

/// What begins with an escape character, up to its end; and single control characters.
fn sequences(raw: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = raw;
    while let Some(at) = rest.find(|c: char| c.is_control()) {
        rest = &rest[at..];
        let length = match rest.as_bytes() {
            [0x1b, b'[', body @ ..] => {
                3 + body.iter().position(|b| (0x40..=0x7e).contains(b)).unwrap()
            }
            [0x1b, b']' | b'P', ..] => {
                let bell = rest.find('\u{7}').map_or(usize::MAX, |at| at + 1);
                bell.min(rest.find("\u{1b}\\").map_or(usize::MAX, |at| at + 2))
            }
            [0x1b, ..] => 2,
            _ => 1,
        };
        found.push(rest[..length].to_owned());
        rest = &rest[length..];
    }
    found
}

/// The mark of the beginning of a link, or of its end.
fn is_link(mark: &str) -> bool {
    let Some((name, address)) = mark.split_once(';') else {
        return false;
    };
    let leads = ["http://", "https://", "mailto:"].iter();
    let begins = name.starts_with("id=") && leads.clone().any(|start| address.starts_with(start));
    (mark == ";" || begins) && address.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What the client itself has to say to a terminal.
fn is_ours(sequence: &str) -> bool {
    let Some(inner) = sequence.strip_prefix('\u{1b}') else {
        return matches!(sequence, "\u{7}" | "\r" | "\n");
    };
    if let Some(osc) = inner.strip_prefix(']') {
        let body = osc.trim_end_matches(['\u{7}', '\\', '\u{1b}']);
        if let Some(link) = body.strip_prefix("8;") {
            return is_link(link);
        }
        let known = ["0;", "2;", "52;c;", "777;notify;"];
        return known.iter().any(|start| body.starts_with(start))
            && !body.contains(char::is_control);
    }
    let Some(csi) = inner.strip_prefix('[') else {
        // The cursor is put aside while links are written.
        return matches!(inner, "7" | "8");
    };
    let (parameters, last) = csi.split_at(csi.len() - 1);
    match last {
        "m" | "H" | "G" | "d" | "A" | "B" | "C" | "D" => true,
        "J" | "K" => matches!(parameters, "" | "0" | "2"),
        "h" | "l" => {
            let modes = [
                "25", "1004", "1049", "2004", "2026", "1000", "1002", "1003", "1006", "1015",
            ];
            parameters
                .strip_prefix('?')
                .is_some_and(|mode| modes.contains(&mode))
        }
        "t" => matches!(parameters, "22;2" | "23;2"),
        "u" => matches!(parameters.as_bytes().first(), Some(b'<' | b'>')),
        _ => false,
    }
}
