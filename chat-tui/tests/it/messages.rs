//! What can be done with messages, and what others do with them.

use chat_core::{
    client::{ClientError, Event as LiveEvent},
    model::{Change, Emoji, Member, Message, Reaction, Role, Row},
    protocol::{ErrorCode, Problem, rest},
};
use chat_tui::{
    app::{Dialog, Pane, keymap::Code},
    deed::Deed,
    effect::{Effect, Page},
    event::{Event, Source},
};

use crate::stage::{
    ANA, BO, ME, Stage, at, change, conversation, direct, entry, group, message, of, profile, user,
};

const BOATS: u128 = 10;

/// In a group with Ana and Bo; she said lines 1 and 3, I said line 2.
fn in_boats(role: Role) -> Stage {
    let mut row = group(BOATS, "Boats", 3, 0, -1);
    row.me.role = role;
    let mut stage = Stage::with(80, 24, vec![row, direct(BO, "Bo", 5, 2, -9)]);
    stage.key(Code::Enter);
    let members = [(ME, "Maya"), (ANA, "Ana Lindqvist"), (BO, "Bo")];
    let members = members.map(|(id, name)| Member {
        user: profile(id, name),
        role: if id == ME { role } else { Role::Member },
        read_seq: 0,
        delivered_seq: 0,
    });
    stage.event(Event::Members(conversation(BOATS), Ok(members.to_vec())));
    stage.entries([
        entry(BOATS, 1, ANA, "line 1.", -20),
        entry(BOATS, 2, ME, "line 2.", -10),
        entry(BOATS, 3, ANA, "line 3.", -1),
    ]);
    stage.screen();
    stage.asked();
    stage
}

fn thumb(by: &[u128]) -> Reaction {
    Reaction {
        emoji: Emoji::try_from("👍".to_owned()).unwrap(),
        count: by.len() as u64,
        user_ids: by.iter().map(|id| user(*id)).collect(),
    }
}

fn said(seq: u64, sender: u128, body: &str) -> Message {
    message(BOATS, seq, sender, body, at(-20))
}

fn refused(detail: &str) -> ClientError {
    ClientError::Problem(Box::new(Problem::new(ErrorCode::Forbidden, detail)))
}

fn deeds(stage: &mut Stage) -> Vec<Deed> {
    let asked = stage.asked().into_iter();
    asked
        .filter_map(|effect| match effect {
            Effect::Do(deed) => Some(deed),
            _ => None,
        })
        .collect()
}

#[test]
fn what_becomes_of_a_message_is_seen_where_it_stands() {
    let mut stage = in_boats(Role::Member);
    let mut edited = said(1, ANA, "line one!");
    edited.edited_at = Some(at(0));
    edited.changed_seq = 4;
    stage.entries([change(
        BOATS,
        4,
        0,
        Change::MessageEdited { message: edited },
    )]);
    assert_eq!(stage.rows_with("line one! (edited)").len(), 1);

    let added = Change::ReactionAdded {
        message_id: said(1, ANA, "").id,
        message_seq: 1,
        user_id: user(BO),
        reaction: thumb(&[BO, ME]),
    };
    stage.entries([change(BOATS, 5, 0, added)]);
    assert_eq!(stage.rows_with("👍 2").len(), 1);

    let mut stub = said(1, ANA, "");
    stub.deleted_at = Some(at(0));
    stub.changed_seq = 6;
    let deleted = Change::MessageDeleted {
        message: stub,
        by: user(ANA),
    };
    stage.entries([change(BOATS, 6, 0, deleted)]);
    assert_eq!(stage.rows_with("message deleted").len(), 1);
    let screen = stage.screen();
    assert!(!screen.contains("line one!") && !screen.contains('👍'));
}

#[test]
fn what_i_must_not_see_leaves_no_trace() {
    let mut stage = in_boats(Role::Member);
    let before = stage.screen();
    stage.entries([change(BOATS, 4, 0, Change::Hidden {})]);
    assert_eq!(stage.screen(), before);
}

#[test]
fn a_reaction_does_not_mark_anything_read() {
    let mut stage = in_boats(Role::Member);
    let added = Change::ReactionAdded {
        message_id: said(2, ME, "").id,
        message_seq: 2,
        user_id: user(BO),
        reaction: thumb(&[BO]),
    };
    stage.entries([change(BOATS, 4, 0, added)]);
    stage.screen();
    assert_eq!(stage.asked(), []);
}

#[test]
fn editing_takes_the_text_into_the_draft_and_esc_brings_the_draft_back() {
    let mut stage = in_boats(Role::Member);
    stage.write("half a thou");
    let draft = |stage: &Stage| stage.app.chat().unwrap().composer.text().to_owned();
    select_my_message(&mut stage);
    stage.write("e");
    assert_eq!(draft(&stage), "line 2.");
    assert_eq!(stage.rows_with("✎ changing: line 2.").len(), 1);
    stage.key(Code::Esc);
    assert_eq!(draft(&stage), "half a thou");

    select_my_message(&mut stage);
    stage.write("e");
    stage.write(" Really.");
    stage.asked();
    stage.key(Code::Enter);
    let edit = Deed::Edit {
        conversation: conversation(BOATS),
        message: said(2, ME, "").id,
        body: "line 2. Really.".to_owned(),
    };
    assert_eq!(deeds(&mut stage), std::slice::from_ref(&edit));
    assert_eq!(draft(&stage), "half a thou");

    // What cannot be changed is not lost.
    let error = ClientError::Unreachable("connection refused".to_owned());
    stage.event(Event::Done(edit, Err(error)));
    assert_eq!(stage.rows_with("not changed").len(), 1);
    stage.ctrl('y');
    assert_eq!(draft(&stage), "half a thouline 2. Really.");
}

fn select_my_message(stage: &mut Stage) {
    stage.key(Code::Up);
    stage.key(Code::Up);
    let chat = stage.app.chat().unwrap();
    assert_eq!(chat.selected_said().unwrap().0, 2);
}

#[test]
fn what_others_said_cannot_be_edited() {
    let mut stage = in_boats(Role::Owner);
    stage.key(Code::Up);
    stage.write("e");
    assert_eq!(stage.rows_with("only what you said yourself").len(), 1);
    assert_eq!(deeds(&mut stage), []);
}

#[test]
fn deleting_asks_first() {
    let mut stage = in_boats(Role::Member);
    stage.key(Code::Up);
    stage.key(Code::Up);
    stage.write("d");
    assert_eq!(
        stage.rows_with("Delete this message for everyone?").len(),
        1
    );
    stage.write("n");
    assert_eq!(deeds(&mut stage), []);
    stage.write("d");
    stage.write("y");
    let delete = Deed::Delete(conversation(BOATS), said(2, ME, "").id);
    assert_eq!(deeds(&mut stage), std::slice::from_ref(&delete));
    stage.event(Event::Done(
        delete,
        Err(refused("your role does not permit this")),
    ));
    assert_eq!(stage.rows_with("not deleted: your role").len(), 1);
}

#[test]
fn a_reaction_is_picked_by_name_and_taken_away_again() {
    let mut stage = in_boats(Role::Member);
    stage.key(Code::Up);
    stage.write("+");
    stage.write("rocket");
    stage.key(Code::Enter);
    let [
        Deed::React {
            emoji, on: true, ..
        },
    ] = &deeds(&mut stage)[..]
    else {
        panic!("no reaction")
    };
    assert_eq!(emoji.as_str(), "🚀");

    let added = Change::ReactionAdded {
        message_id: said(3, ANA, "").id,
        message_seq: 3,
        user_id: user(ME),
        reaction: thumb(&[ME]),
    };
    stage.entries([change(BOATS, 4, 0, added)]);
    stage.write("-");
    let [
        Deed::React {
            emoji, on: false, ..
        },
    ] = &deeds(&mut stage)[..]
    else {
        panic!("nothing taken away")
    };
    assert_eq!(emoji.as_str(), "👍");
}

#[test]
fn the_menu_of_a_message_offers_what_may_be_done_with_it() {
    let mut stage = in_boats(Role::Member);
    stage.key(Code::Up);
    stage.key(Code::Enter);
    let screen = stage.screen();
    assert!(screen.contains("who has read it") && !screen.contains("delete for everyone"));
    stage.key(Code::Esc);
    stage.key(Code::Up);
    stage.key(Code::Enter);
    assert!(stage.screen().contains("delete for everyone"));
    stage.key(Code::Esc);

    let mut stage = in_boats(Role::Admin);
    stage.key(Code::Up);
    stage.key(Code::Enter);
    assert!(stage.screen().contains("delete for everyone"));
    stage.write("p");
    let pin = Deed::Pin(conversation(BOATS), said(3, ANA, "").id, true);
    assert_eq!(deeds(&mut stage), [pin]);
    assert!(stage.app.dialog.is_none());
}

#[test]
fn a_pin_is_told_and_shown_on_the_message() {
    let mut stage = in_boats(Role::Member);
    let mut pinned = said(1, ANA, "line 1.");
    pinned.pinned_at = Some(at(0));
    pinned.changed_seq = 4;
    let change_of_pin = Change::MessagePinned {
        message: pinned,
        by: user(BO),
    };
    stage.entries([change(BOATS, 4, 0, change_of_pin)]);
    assert_eq!(stage.rows_with("line 1. ⚑ pinned").len(), 1);
    assert_eq!(stage.rows_with("Bo pinned “line 1.”").len(), 1);
}

#[test]
fn ticks_tell_what_was_delivered_and_who_has_read() {
    let mut stage = in_boats(Role::Member);
    let reach = |stage: &mut Stage, who, delivered| {
        let (conversation_id, user_id, seq) = (conversation(BOATS), user(who), 2);
        stage.live(if delivered {
            LiveEvent::Delivered {
                conversation_id,
                user_id,
                seq,
            }
        } else {
            LiveEvent::Read {
                conversation_id,
                user_id,
                seq,
            }
        });
    };
    // Ana said line 3 after it, so she has read it.
    assert_eq!(stage.rows_with("✓  line 2.").len(), 1);
    reach(&mut stage, BO, true);
    assert_eq!(stage.rows_with("✓✓ line 2.").len(), 1);
    assert_eq!(stage.rows_with("read by Ana").len(), 1);
    reach(&mut stage, BO, false);
    assert_eq!(stage.rows_with("read by everybody").len(), 1);

    stage.key(Code::Up);
    stage.key(Code::Up);
    stage.write("w");
    assert_eq!(stage.asked(), [Effect::Readers(conversation(BOATS), 2)]);
    let member = |id, name| Member {
        user: profile(id, name),
        role: Role::Member,
        read_seq: 2,
        delivered_seq: 2,
    };
    let readers = vec![member(ANA, "Ana Lindqvist"), member(ME, "Maya")];
    stage.event(Event::Readers(Ok(readers)));
    assert_eq!(stage.rows_with("Ana Lindqvist  @ana").len(), 1);
    assert!(stage.rows_with("Maya (you)").is_empty());
}

#[test]
fn a_message_marked_unread_stays_so_while_it_is_looked_at() {
    let mut stage = in_boats(Role::Member);
    stage.key(Code::Up);
    stage.write("u");
    assert_eq!(stage.asked(), [Effect::MarkUnread(conversation(BOATS), 2)]);
    assert_eq!(stage.rows_with("─ new ─").len(), 1);
    stage.entries([entry(BOATS, 4, ANA, "line 4.", 0)]);
    stage.screen();
    assert_eq!(stage.asked(), []);
    // Coming back reads it.
    stage.ctrl('n');
    stage.screen();
    stage.asked();
    stage.ctrl('p');
    stage.screen();
    let read = Effect::MarkRead(conversation(BOATS), 4);
    assert!(stage.asked().contains(&read));
}

#[test]
fn a_cursor_that_was_set_back_on_another_device_is_followed() {
    let mut stage = Stage::with(80, 24, vec![direct(BO, "Bo", 5, 0, -9)]);
    stage.key(Code::Enter);
    stage.entries((1..=5).map(|seq| entry(BO, seq, BO, &format!("line {seq}."), -9)));
    stage.screen();
    stage.asked();
    let mut row: Row = direct(BO, "Bo", 5, 2, -9);
    row.me.rev = 2;
    stage.live(LiveEvent::Rows {
        rows: vec![row],
        gone: Vec::new(),
        snapshot: false,
    });
    stage.screen();
    assert_eq!(stage.asked(), []);
    assert!(stage.rows_with("○ Bo").len() == 1 && !stage.rows_with(" 2 ").is_empty());
}

#[test]
fn what_is_copied_is_what_was_seen() {
    let mut stage = in_boats(Role::Member);
    let hostile = "rm\u{202E} -rf\u{1b}[2J";
    stage.entries([entry(BOATS, 4, ANA, hostile, 0)]);
    stage.key(Code::Up);
    stage.write("c");
    let shown = "rm<U+202E> -rf␛[2J";
    assert!(stage.asked().contains(&Effect::Copy(shown.to_owned())));
}

#[test]
fn members_are_offered_after_an_at_and_taken_with_enter() {
    let mut stage = in_boats(Role::Member);
    stage.write("ask @li");
    assert_eq!(stage.rows_with("@ana  Ana Lindqvist").len(), 1);
    stage.key(Code::Enter);
    let chat = stage.app.chat().unwrap();
    assert_eq!(chat.composer.text(), "ask @ana ");
    assert!(chat.timeline.pending().is_empty());
    stage.key(Code::Enter);
    assert_eq!(stage.sent().1.body, "ask @ana");

    stage.write("@a");
    stage.key(Code::Esc);
    assert!(stage.rows_with("@ana  Ana").is_empty());
    assert_eq!(stage.app.pane, Pane::Composer);
}

#[test]
fn everyone_is_offered_to_those_who_may_call_everyone() {
    let mut stage = in_boats(Role::Admin);
    stage.write("@ever");
    assert_eq!(stage.rows_with("@everyone").len(), 1);
    let mut stage = in_boats(Role::Member);
    stage.write("@ever");
    assert!(stage.rows_with("@everyone  all").is_empty());
}

#[test]
fn a_search_leads_to_the_message_and_back_to_the_newest() {
    let rows = vec![direct(ANA, "Ana", 400, 0, -1), direct(BO, "Bo", 5, 0, -9)];
    let mut stage = Stage::with(80, 24, rows);
    stage.key(Code::Enter);
    let line = |seq| entry(ANA, seq, ANA, &format!("line {seq}."), -200);
    stage.entries((351..=400).map(line));
    stage.screen();
    stage.asked();
    stage.ctrl('f');
    stage.write("line");
    let asked = stage.asked();
    let Some(Effect::Search {
        query,
        conversation: None,
        cursor: None,
        ticket,
    }) = asked.last()
    else {
        panic!("{asked:?}")
    };
    assert_eq!(query, "line");
    let found = rest::Page {
        items: vec![message(ANA, 100, ANA, "line 100.", at(-200))],
        next_cursor: None,
    };
    stage.event(Event::Searched(*ticket, Ok(found), Source::Server));
    assert_eq!(stage.rows_with("in Ana").len(), 1);
    stage.key(Code::Enter);
    let page = Page::At(100);
    let asked = stage.asked();
    assert!(
        matches!(asked[..], [Effect::Page { page: p, after: 75, .. }] if p == page),
        "{asked:?}"
    );
    let around: Vec<_> = (76..=125).map(line).collect();
    stage.event(Event::Page(conversation(ANA), page, Ok(around)));
    assert_eq!(stage.rows_with("▌   line 100.").len(), 1);

    // What comes meanwhile is not read, and does not move what is looked at.
    stage.asked();
    stage.entries([line(401)]);
    assert_eq!(stage.rows_with("▌   line 100.").len(), 1);
    assert_eq!(stage.asked(), []);
    assert_eq!(stage.rows_with("line 95.").len(), 1);
    assert_eq!(stage.rows_with("line 105.").len(), 1);

    // On the way down more comes, until the end is reached.
    stage.key(Code::Esc);
    for _ in 0..3 {
        stage.key(Code::PageDown);
        stage.screen();
    }
    let asked = stage.asked();
    assert!(
        asked.iter().any(|e| matches!(
            e,
            Effect::Page {
                page: Page::Newer,
                after: 125,
                ..
            }
        )),
        "{asked:?}"
    );
    let newer: Vec<_> = (126..=360).map(line).collect();
    stage.event(Event::Page(conversation(ANA), Page::Newer, Ok(newer)));
    assert!(!stage.app.chat().unwrap().timeline.is_aside());
    stage.key(Code::End);
    assert_eq!(stage.rows_with("line 401.").len(), 1);
    assert!(
        stage
            .asked()
            .contains(&Effect::MarkRead(conversation(ANA), 401))
    );
}

#[test]
fn what_a_message_answers_is_one_key_away() {
    let mut stage = in_boats(Role::Member);
    let mut answer = said(4, ANA, "as I said");
    answer.reply_to = Some(said(1, ANA, "").id);
    stage.entries([of(answer)]);
    stage.key(Code::Up);
    stage.write("g");
    assert_eq!(stage.rows_with("▌   line 1.").len(), 1);
}

#[test]
fn pinned_messages_are_listed_and_gone_to() {
    let mut stage = in_boats(Role::Member);
    stage.key(Code::F(8));
    assert_eq!(stage.asked(), [Effect::Pins(conversation(BOATS))]);
    let pins = vec![said(1, ANA, "line 1.")];
    stage.event(Event::Pins(conversation(BOATS), Ok(pins)));
    stage.key(Code::Enter);
    assert!(stage.app.dialog.is_none());
    assert_eq!(stage.rows_with("▌   line 1.").len(), 1);

    stage.key(Code::F(8));
    let error = ClientError::Unreachable("timed out".to_owned());
    stage.event(Event::Pins(conversation(BOATS), Err(error)));
    assert!(matches!(stage.app.dialog, Some(Dialog::Pins(_))));
    assert_eq!(stage.rows_with("cannot reach the server").len(), 1);
}

#[test]
fn a_link_is_shown_in_full_before_it_is_opened() {
    let mut stage = in_boats(Role::Member);
    let long = format!("https://example.org/{}/end?q=1", "deep/".repeat(20));
    let body = format!("Look: {long} or http://ana@evil.example/ (not file:///etc/passwd)");
    stage.entries([entry(BOATS, 4, ANA, &body, 0)]);
    stage.key(Code::Up);
    stage.asked();
    stage.write("o");
    assert!(stage.asked().is_empty(), "nothing is opened at once");
    let screen = stage.screen();
    for words in [
        "2 links",
        "end?q=1",
        "leads to example.org",
        "leads to evil.example",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    assert!(!screen.contains("leads to etc"));
    stage.key(Code::Enter);
    let asked = stage.asked();
    assert!(
        matches!(&asked[..], [Effect::OpenAddress(address)] if address.as_str() == long),
        "{asked:?}"
    );
    let why = chat_tui::app::text::Plain::line("there is no display here");
    stage.event(Event::Opened(Err(why)));
    assert_eq!(
        stage
            .rows_with("copied instead of opened: there is no")
            .len(),
        1
    );
    stage.write("oc");
    assert_eq!(stage.asked(), [Effect::Copy(long)]);
}

#[test]
fn who_said_a_message_and_when_is_told() {
    let mut stage = in_boats(Role::Member);
    stage.key(Code::Up);
    stage.write("i");
    let screen = stage.screen();
    for words in [
        "Ana Lindqvist  @ana",
        "Sunday 22 November 2026, 14:29:00",
        "place      3",
    ] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    stage.key(Code::Esc);
    stage.asked();
    stage.write("s");
    assert_eq!(stage.asked(), [Effect::Person(user(ANA))]);
    let screen = stage.screen();
    for words in ["Ana Lindqvist", "@ana", "groups     Boats"] {
        assert!(screen.contains(words), "{words}: {screen}");
    }
    stage.write("b");
    stage.write("y");
    assert_eq!(deeds(&mut stage), [Deed::Block(user(ANA), true)]);
    stage.write("w");
    assert_eq!(stage.asked(), [Effect::Direct(user(ANA))]);
}
