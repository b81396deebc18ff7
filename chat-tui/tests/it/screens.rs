//! Whole screens, as they are looked at.

use chat_core::{
    client::{ClientError, Event as LiveEvent, Link},
    model::{Change, Emoji, Member, Reaction, Role},
    protocol::{ErrorCode, Problem, rest::Page},
};
use chat_tui::{
    app::keymap::Code,
    event::{Event, Source},
    ui::{Glyphs, Palette, Theme},
};

use crate::stage::{
    ANA, BO, ME, NOW, Stage, at, change, conversation, direct, entry, group, is_online, message,
    of, profile, user,
};

const SIZES: [(u16, u16); 3] = [(20, 5), (80, 24), (200, 60)];

fn look(name: &str, stage: &mut Stage) {
    for (width, height) in SIZES {
        stage.resize(width, height);
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), stage.screen());
    }
}

/// A group in the middle of a conversation.
fn lively() -> Stage {
    let mut rows = vec![
        direct(ANA, "Ana Lindqvist", 3, 0, -2),
        group(10, "Release 1.0", 12, 3, -4),
        direct(BO, "Bo", 90, 1, -700),
        group(11, "日本語の部屋 🌸", 40, 0, -3_000),
        group(
            12,
            "Everyone at the lighthouse and on the boats",
            5_000,
            4_000,
            -90_000,
        ),
    ];
    rows[0].me.pinned = true;
    let mut stage = Stage::with(80, 24, rows);
    stage.live(is_online(ANA));
    stage.key(Code::Down);
    stage.key(Code::Enter);
    let members = [(ME, "Maya", 12), (ANA, "Ana Lindqvist", 12), (BO, "Bo", 9)];
    let members = members.map(|(id, name, read_seq)| Member {
        user: profile(id, name),
        role: Role::Member,
        read_seq,
        delivered_seq: read_seq,
    });
    stage.event(Event::Members(conversation(10), Ok(members.to_vec())));
    let mut answer = message(10, 9, ME, "On it. I will have the notes by four.", at(-31));
    answer.reply_to = Some(message(10, 7, ANA, "", at(0)).id);
    stage.entries([
        change(10, 1, -2_900, Change::MemberJoined { user_id: user(ANA), role: Role::Owner, by: user(ANA) }),
        change(10, 2, -2_900, Change::MemberJoined { user_id: user(ME), role: Role::Member, by: user(ANA) }),
        change(10, 3, -2_899, Change::MemberJoined { user_id: user(BO), role: Role::Member, by: user(ANA) }),
        entry(10, 4, ANA, "Welcome both! This is where we get 1.0 out of the door.", -2_890),
        change(10, 5, -1_500, Change::ConversationRenamed { title: "Release 1.0".to_owned(), by: user(BO) }),
        entry(10, 6, BO, "Morning. CI is green on all three platforms 🎉", -45),
        entry(10, 7, ANA, "Lovely. Who writes the release notes?", -42),
        entry(10, 8, ANA, "The last ones took us two days, so the earlier somebody starts, the better it is for all of us.", -41),
        of(answer),
        entry(10, 10, BO, "I can proof-read.", -5),
        entry(10, 11, BO, "Also, did anybody look at the upgrade path from 0.9?\nIt needs:\n  1. a dump of the old tables\n  2. the new migration\n  3. a restart", -4),
        entry(10, 12, ANA, "Looks good to me 👍🏽", -4),
    ]);
    stage.live(LiveEvent::Typing {
        conversation_id: conversation(10),
        user_ids: vec![user(ANA)],
    });
    stage
}

#[test]
fn list_and_chat() {
    look("list_and_chat", &mut lively());
}

#[test]
fn the_list_alone() {
    let mut stage = lively();
    stage.key(Code::Esc);
    stage.resize(40, 12);
    insta::assert_snapshot!("list_40x12", stage.screen());
    stage.resize(80, 24);
    insta::assert_snapshot!("list_80x24", stage.screen());
}

#[test]
fn a_message_that_failed() {
    let mut stage = lively();
    stage.write("First try");
    stage.key(Code::Enter);
    let (conversation_id, draft) = stage.sent();
    stage.live(LiveEvent::SendFailed {
        conversation_id,
        client_id: draft.client_id,
        problem: Box::new(Problem::new(
            ErrorCode::Refused,
            "links are not allowed here",
        )),
    });
    stage.write("And another");
    stage.key(Code::Enter);
    look("failed", &mut stage);
    stage.key(Code::Up);
    stage.key(Code::Up);
    look("failed_selected", &mut stage);
}

#[test]
fn offline_with_a_message_in_the_outbox() {
    let mut stage = lively();
    stage.live(LiveEvent::Link(Link::Waiting {
        retry_in: std::time::Duration::from_secs(7),
        reason: "connection refused".to_owned(),
    }));
    stage.write("Can you hear me?");
    stage.key(Code::Enter);
    stage.write("Still typing\nsecond line");
    look("offline", &mut stage);
}

#[test]
fn signing_in() {
    let mut stage = Stage::signed_out(80, 24);
    look("sign_in", &mut stage);
    stage.write("maya");
    stage.key(Code::Tab);
    stage.write("correct horse");
    stage.key(Code::Enter);
    let problem = Problem::new(ErrorCode::WrongCredentials, "wrong user name or password");
    stage.event(Event::SignedIn(Err(ClientError::Problem(Box::new(
        problem,
    )))));
    look("sign_in_failed", &mut stage);
    stage.key(Code::F(2));
    look("register", &mut stage);
}

#[test]
fn a_server_that_cannot_be_reached_at_the_start() {
    let mut stage = Stage::start(80, 24, true);
    let error = ClientError::Unreachable("connection refused".to_owned());
    stage.event(Event::SignedIn(Err(error)));
    look("unreachable", &mut stage);
}

#[test]
fn hostile_text() {
    let rows = vec![
        direct(ANA, "Eve\r\nMaya: I quit\u{202E}", 6, 0, -1),
        group(10, "\u{1b}]0;pwned\u{7}\u{1b}[2J", 1, 0, -4),
    ];
    let mut stage = Stage::with(80, 24, rows);
    let evil = profile(ANA, "Eve\r\nMaya: I quit\u{202E}");
    stage.event(Event::Person(user(ANA), Ok(evil)));
    stage.key(Code::Enter);
    let zalgo = format!("Z{}algo", "\u{301}".repeat(2_000));
    stage.entries([
        entry(
            ANA,
            1,
            ANA,
            "\u{1b}]52;c;ZXZpbA==\u{7}\u{9b}2J\u{1b}P+q\u{1b}\\",
            -6,
        ),
        entry(ANA, 2, ANA, "exe.\u{202E}gpj.\u{2066}harmless\u{200B}!", -6),
        entry(ANA, 3, ANA, &zalgo, -6),
        entry(ANA, 4, ANA, "👩🏽‍❤️‍💋‍👨🏽 👨‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 ❤️ שלום עולם 日本語テキスト", -6),
        entry(ANA, 5, ANA, &"line\n".repeat(10_000), -6),
        entry(ANA, 6, ANA, &"x".repeat(1_000_000), -6),
    ]);
    look("hostile", &mut stage);
    stage.entries([entry(ANA, 7, ANA, "the end", -1)]);
    for _ in 0..4 {
        stage.resize(80, 24);
        stage.screen();
        stage.key(Code::PageUp);
    }
    insta::assert_snapshot!("hostile_scrolled_80x24", stage.screen());
}

#[test]
fn dialogs() {
    let mut stage = lively();
    stage.key(Code::F(1));
    look("help", &mut stage);
    stage.key(Code::Esc);
    stage.ctrl('k');
    stage.write("re");
    look("switcher", &mut stage);
    stage.key(Code::Esc);
    stage.ctrl('t');
    stage.write("bo");
    let found = vec![profile(BO, "Bo"), profile(4, "Bojana Petrović")];
    stage.event(Event::Found(2, Ok(found)));
    look("new_conversation", &mut stage);
}

/// The group, with all that can become of messages.
fn eventful() -> Stage {
    let mut stage = lively();
    let reaction = |emoji: &str, by: &[u128]| Reaction {
        emoji: Emoji::try_from(emoji.to_owned()).unwrap(),
        count: by.len() as u64,
        user_ids: by.iter().map(|id| user(*id)).collect(),
    };
    let mut called = message(
        10,
        13,
        BO,
        "@maya and @ana, can you look at 👩‍👩‍👧‍👦 and ❤️ on a narrow screen, @everyone?",
        at(-3),
    );
    called.mentions = vec![user(ME), user(ANA)];
    called.mentions_everyone = true;
    called.reactions = vec![
        reaction("👍", &[ME, ANA]),
        reaction("❤️", &[BO]),
        reaction("👩‍👩‍👧‍👦", &[ANA]),
    ];
    called.edited_at = Some(at(-2));
    called.pinned_at = Some(at(-2));
    let mut stub = message(10, 11, BO, "", at(-4));
    stub.deleted_at = Some(at(-1));
    stub.changed_seq = 14;
    let by = user(BO);
    stage.entries([
        of(called.clone()),
        change(10, 14, -1, Change::MessageDeleted { message: stub, by }),
        change(
            10,
            15,
            -1,
            Change::MessagePinned {
                message: called,
                by,
            },
        ),
        change(
            10,
            16,
            -1,
            Change::ConversationTopic {
                topic: Some("Out of the door".to_owned()),
                by,
            },
        ),
        change(10, 17, -1, Change::Hidden {}),
    ]);
    stage
}

#[test]
fn all_that_becomes_of_messages() {
    let mut stage = eventful();
    look("eventful", &mut stage);
    stage.resize(60, 20);
    insta::assert_snapshot!("eventful_60x20", stage.screen());
}

#[test]
fn more_dialogs() {
    const SIZES: [(u16, u16); 3] = [(20, 5), (60, 20), (80, 24)];
    let look = |name: &str, stage: &mut Stage| {
        for (width, height) in SIZES {
            stage.resize(width, height);
            insta::assert_snapshot!(format!("{name}_{width}x{height}"), stage.screen());
        }
    };
    let mut stage = eventful();
    stage.key(Code::Up);
    stage.key(Code::Enter);
    look("message_menu", &mut stage);
    stage.key(Code::Esc);
    stage.write("+");
    look("picker", &mut stage);
    stage.key(Code::Esc);
    stage.key(Code::Esc);
    stage.ctrl('o');
    look("conversation_menu", &mut stage);
    stage.write("l");
    look("question", &mut stage);
    stage.key(Code::Esc);
    stage.key(Code::F(7));
    look("members", &mut stage);
    stage.key(Code::Esc);
    stage.ctrl('f');
    stage.write("proof");
    let found = Page {
        items: vec![message(10, 10, BO, "I can proof-read.", at(-5))],
        next_cursor: None,
    };
    stage.event(Event::Searched(5, Ok(found), Source::Server));
    look("search", &mut stage);
    stage.key(Code::Esc);
    stage.write("ask @b");
    look("completion", &mut stage);
}

#[test]
fn what_there_is_to_know_and_to_open() {
    let mut stage = lively();
    let link = "Both are at https://example.org/release/1.0?from=chat and http://ana@evil.example";
    stage.entries([entry(10, 13, BO, link, -1)]);
    stage.key(Code::Up);
    stage.write("o");
    look("addresses", &mut stage);
    stage.key(Code::Esc);
    stage.write("i");
    look("details", &mut stage);
    stage.key(Code::Esc);
    stage.write("s");
    look("profile", &mut stage);
    stage.key(Code::Esc);
    stage.key(Code::Esc);
    stage.write("/s");
    look("slash", &mut stage);
    stage.key(Code::Esc);
    stage.ctrl('c');
    stage.key(Code::F(10));
    stage.write("mute");
    look("commands", &mut stage);
}

#[test]
fn in_ascii_and_for_screen_readers() {
    for (name, glyphs) in [("ascii", Glyphs::Ascii), ("plain", Glyphs::Plain)] {
        let mut stage = eventful();
        stage.theme = Theme::new(Palette::colorless(), glyphs);
        let look = |part: &str, stage: &mut Stage| {
            let screen = stage.screen();
            let drawn = |c: char| matches!(c, '\u{2194}'..='\u{25FF}' | '…' | '·' | '“' | '”');
            assert_eq!(screen.chars().find(|c| drawn(*c)), None, "{screen}");
            insta::assert_snapshot!(format!("{name}_{part}_80x24"), screen);
        };
        stage.write("First try");
        stage.key(Code::Enter);
        look("chat", &mut stage);
        stage.ctrl('k');
        look("switcher", &mut stage);
        stage.key(Code::Esc);
        stage.key(Code::Esc);
        look("list", &mut stage);
    }
}

#[test]
fn with_nothing_in_it() {
    let mut stage = Stage::with(80, 24, Vec::new());
    look("empty", &mut stage);
    let mut stage = Stage::with(80, 24, vec![direct(ANA, "Ana Lindqvist", 0, 0, 0)]);
    stage.key(Code::Enter);
    look("nothing_said", &mut stage);
}

#[test]
fn a_countdown_counts_down() {
    let mut stage = lively();
    stage.live(LiveEvent::Link(Link::Waiting {
        retry_in: std::time::Duration::from_secs(7),
        reason: "connection refused".to_owned(),
    }));
    assert!(stage.screen().contains("retry in 7 s"));
    stage.app.changed = false;
    let millis = |n| chat_core::model::Timestamp::from_millis(NOW + n);
    stage.event(Event::Tick(millis(0)));
    assert!(
        !stage.app.changed,
        "nothing to draw before a second has passed"
    );
    assert_eq!(stage.app.next_tick(), Some(millis(1_000)));
    stage.event(Event::Tick(millis(1_000)));
    assert!(stage.app.changed);
    assert!(stage.screen().contains("retry in 6 s"));
}
