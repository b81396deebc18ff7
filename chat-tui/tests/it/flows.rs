//! What becomes of things: sending, reading, paging, moving in the list.

use chat_core::{
    client::{ClientError, Event as LiveEvent, Link},
    model::{Change, Member, Role},
    protocol::{ErrorCode, Problem},
};
use chat_tui::{
    app::{
        Screen,
        keymap::{Code, Key},
        sign_in::Field,
    },
    effect::{Effect, Page},
    event::Event,
};

use crate::stage::{
    ANA, BO, ME, Stage, at, change, conversation, direct, entry, group, is_online, message, of,
    online, profile, user,
};

/// In the direct conversation with Ana, of which these many entries exist and the newest 50 have come.
fn with_ana(head: u64) -> Stage {
    let rows = vec![direct(ANA, "Ana", head, 0, -1), direct(BO, "Bo", 5, 2, -9)];
    let mut stage = Stage::with(80, 24, rows);
    stage.key(Code::Enter);
    let after = head.saturating_sub(50);
    assert!(
        stage
            .asked()
            .contains(&Effect::Open(conversation(ANA), after))
    );
    stage
        .entries((after + 1..=head).map(|seq| entry(ANA, seq, ANA, &format!("line {seq}."), -200)));
    stage.screen();
    stage.asked();
    stage
}

fn offline(stage: &mut Stage) {
    stage.live(LiveEvent::Link(Link::Waiting {
        retry_in: std::time::Duration::from_secs(7),
        reason: "connection refused".to_owned(),
    }));
}

/// Sends a text, and gives the message as the server will have accepted it.
fn send(stage: &mut Stage, text: &str, seq: u64) -> chat_core::model::Message {
    stage.write(text);
    stage.key(Code::Enter);
    let (_, draft) = stage.sent();
    let mut accepted = message(ANA, seq, ME, text, at(0));
    accepted.client_id = draft.client_id;
    accepted
}

#[test]
fn a_sent_message_stands_there_at_once_and_once_only_when_the_ack_comes_first() {
    let mut stage = with_ana(3);
    let accepted = send(&mut stage, "hello", 4);
    assert_eq!(stage.rows_with("○  hello").len(), 1);
    stage.live(LiveEvent::Sent(Box::new(accepted.clone())));
    assert_eq!(stage.rows_with("✓  hello").len(), 1);
    stage.entries([of(accepted)]);
    assert_eq!(stage.rows_with("hello").len(), 1);
    assert_eq!(stage.rows_with("✓  hello").len(), 1);
}

#[test]
fn a_sent_message_is_there_once_when_its_entry_comes_before_the_ack() {
    let mut stage = with_ana(3);
    let accepted = send(&mut stage, "hello", 4);
    stage.entries([of(accepted.clone()), of(accepted.clone())]);
    stage.live(LiveEvent::Sent(Box::new(accepted)));
    assert_eq!(stage.rows_with("hello").len(), 1);
    assert!(stage.app.chat().unwrap().timeline.pending().is_empty());
}

#[test]
fn a_refused_message_says_why_and_can_be_sent_again() {
    let mut stage = with_ana(3);
    let refused = send(&mut stage, "hello", 4);
    stage.live(LiveEvent::SendFailed {
        conversation_id: conversation(ANA),
        client_id: refused.client_id,
        problem: Box::new(Problem::new(ErrorCode::Refused, "no greetings here")),
    });
    assert_eq!(stage.rows_with("not sent: no greetings here").len(), 1);
    stage.asked();
    stage.key(Code::Up);
    stage.write("t");
    assert_eq!(stage.sent().1.client_id, refused.client_id);
    assert_eq!(stage.rows_with("○  hello").len(), 1);
}

#[test]
fn a_refused_message_goes_back_into_the_draft_before_what_was_begun() {
    let mut stage = with_ana(3);
    let refused = send(&mut stage, "hello", 4);
    stage.live(LiveEvent::SendFailed {
        conversation_id: conversation(ANA),
        client_id: refused.client_id,
        problem: Box::new(Problem::new(ErrorCode::Refused, "no")),
    });
    stage.key(Code::Up);
    stage.write("e");
    let chat = stage.app.chat().unwrap();
    assert_eq!(chat.composer.text(), "hello");
    assert!(chat.timeline.is_empty() || chat.timeline.pending().is_empty());
}

#[test]
fn a_discarded_message_can_be_brought_back() {
    let mut stage = with_ana(3);
    offline(&mut stage);
    let waiting = send(&mut stage, "hello", 4);
    assert_eq!(stage.rows_with("waiting for connection").len(), 1);
    stage.key(Code::Up);
    stage.write("d");
    assert!(stage.asked().contains(&Effect::Discard(waiting.client_id)));
    assert!(stage.rows_with("hello").is_empty());
    stage.ctrl('y');
    assert_eq!(stage.app.chat().unwrap().composer.text(), "hello");
}

#[test]
fn a_message_that_is_too_long_stays_in_the_draft() {
    let mut stage = with_ana(3);
    stage.event(Event::Paste("x".repeat(8_001)));
    stage.asked();
    stage.key(Code::Enter);
    assert!(stage.asked().is_empty());
    assert_eq!(stage.rows_with("8001 characters").len(), 1);
    assert_eq!(stage.app.chat().unwrap().composer.text().len(), 8_001);
}

#[test]
fn ctrl_c_never_loses_a_word_and_quits_only_when_pressed_twice() {
    let mut stage = with_ana(3);
    stage.write("precious");
    stage.ctrl('c');
    assert!(stage.app.chat().unwrap().composer.is_empty());
    stage.ctrl('y');
    assert_eq!(stage.app.chat().unwrap().composer.text(), "precious");
    stage.ctrl('c');
    stage.ctrl('c');
    assert!(!stage.asked().contains(&Effect::Quit));
    stage.ctrl('c');
    assert!(stage.asked().contains(&Effect::Quit));
}

#[test]
fn drafts_stay_with_their_conversation() {
    let mut stage = with_ana(3);
    stage.write("for Ana");
    stage.ctrl('n');
    assert_eq!(stage.app.open, Some(conversation(BO)));
    assert!(stage.app.chat().unwrap().composer.is_empty());
    assert_eq!(stage.rows_with("draft").len(), 1);
    stage.ctrl('p');
    assert_eq!(stage.app.chat().unwrap().composer.text(), "for Ana");
}

#[test]
fn typing_is_told_at_each_key_and_ends_when_the_draft_is_empty() {
    let mut stage = with_ana(3);
    stage.write("hi");
    stage.key(Code::Backspace);
    stage.key(Code::Backspace);
    let told = |on| Effect::Typing(conversation(ANA), on);
    let mut asked = stage.asked();
    asked.retain(|effect| matches!(effect, Effect::Typing(..)));
    assert_eq!(asked, [told(true), told(true), told(true), told(false)]);
    stage.write("hello");
    stage.asked();
    stage.key(Code::Enter);
    assert_eq!(stage.asked()[0], told(false));
}

#[test]
fn others_who_type_are_named_and_their_message_ends_it() {
    let mut stage = with_ana(3);
    stage.live(LiveEvent::Typing {
        conversation_id: conversation(ANA),
        user_ids: vec![user(ANA), user(ME)],
    });
    assert_eq!(stage.rows_with("is typing…").len(), 1);
    stage.entries([entry(ANA, 4, ANA, "there", 0)]);
    assert!(stage.rows_with("is typing…").is_empty());
}

#[test]
fn a_new_message_moves_its_conversation_up_and_the_selection_stays_on_its_own() {
    let mut stage = with_ana(3);
    stage.key(Code::Esc);
    assert_eq!(stage.app.list.selected(), Some(conversation(ANA)));
    // Under the hand of somebody who looks at it, it would hold still.
    stage.event(Event::Focus(false));
    stage.live(LiveEvent::Rows {
        rows: vec![direct(BO, "Bo", 6, 3, 1)],
        gone: Vec::new(),
        snapshot: false,
    });
    assert_eq!(stage.app.list.position(conversation(BO)), Some(0));
    assert_eq!(stage.app.list.selected(), Some(conversation(ANA)));
    assert!(stage.screen().lines().nth(2).unwrap().contains('3'));
}

#[test]
fn an_older_row_never_takes_the_place_of_a_newer_one() {
    let mut stage = with_ana(3);
    stage.live(LiveEvent::Rows {
        rows: vec![direct(BO, "Bo", 4, 1, 5)],
        gone: Vec::new(),
        snapshot: false,
    });
    assert_eq!(stage.app.list.get(conversation(BO)).unwrap().head_seq, 5);
}

#[test]
fn the_next_unread_conversation_is_one_key_away() {
    let mut stage = with_ana(3);
    stage.ctrl('g');
    assert_eq!(stage.app.open, Some(conversation(BO)));
    assert!(stage.asked().contains(&Effect::Open(conversation(BO), 0)));
}

#[test]
fn what_is_seen_is_marked_read_and_what_is_not_is_not() {
    let mut stage = with_ana(100);
    stage.entries([entry(ANA, 101, ANA, "seen", 0)]);
    stage.screen();
    let read = |seq| Effect::MarkRead(conversation(ANA), seq);
    assert_eq!(stage.asked(), [read(101)]);

    stage.event(Event::Focus(false));
    stage.entries([entry(ANA, 102, ANA, "behind another window", 0)]);
    stage.screen();
    assert_eq!(stage.asked(), []);
    stage.event(Event::Focus(true));
    assert_eq!(stage.asked(), [read(102)]);

    stage.key(Code::PageUp);
    stage.screen();
    stage.entries([entry(ANA, 103, ANA, "below the screen", 0)]);
    assert_eq!(stage.rows_with("End ↓ 1 new").len(), 1);
    assert!(!stage.asked().contains(&read(103)));
    stage.key(Code::End);
    stage.screen();
    assert!(stage.asked().contains(&read(103)));
}

#[test]
fn the_unread_ruler_stays_where_it_was_when_the_conversation_was_opened() {
    let mut stage = Stage::with(80, 24, vec![direct(ANA, "Ana", 5, 2, -1)]);
    stage.key(Code::Enter);
    stage.entries((1..=5).map(|seq| entry(ANA, seq, ANA, &format!("line {seq}."), -10)));
    let ruler = |stage: &mut Stage| {
        let row = stage.rows_with("─ new ─");
        let next = stage.rows_with("line 4.");
        assert_eq!(row.len(), 1);
        assert!(row[0] < next[0]);
    };
    ruler(&mut stage);
    stage.entries([entry(ANA, 6, ANA, "line 6.", 0)]);
    ruler(&mut stage);
}

#[test]
fn older_messages_come_without_moving_what_is_on_the_screen() {
    let mut stage = with_ana(120);
    for _ in 0..3 {
        stage.key(Code::PageUp);
        stage.screen();
    }
    let asked = stage.asked();
    let older = Effect::Page {
        conversation: conversation(ANA),
        page: Page::Older,
        after: 20,
        limit: 50,
        is_kept_up: true,
    };
    assert_eq!(asked, [older]);
    let place = stage.rows_with("line 75.");
    assert_eq!(place.len(), 1);
    let page = (21..=70).map(|seq| entry(ANA, seq, ANA, &format!("line {seq}."), -200));
    stage.event(Event::Page(
        conversation(ANA),
        Page::Older,
        Ok(page.collect()),
    ));
    assert_eq!(stage.rows_with("line 75."), place);
    stage.entries([entry(ANA, 121, ANA, "below", 0)]);
    assert_eq!(stage.rows_with("line 75."), place);
    stage.key(Code::PageUp);
    assert_eq!(stage.rows_with("line 64.").len(), 1);
}

#[test]
fn an_older_page_that_does_not_come_says_why_and_is_asked_for_again() {
    let mut stage = with_ana(120);
    for _ in 0..4 {
        stage.key(Code::PageUp);
        stage.screen();
    }
    stage.asked();
    let error = ClientError::Unreachable("timed out".to_owned());
    stage.event(Event::Page(conversation(ANA), Page::Older, Err(error)));
    assert_eq!(stage.rows_with("older messages did not come").len(), 1);
    assert_eq!(stage.asked(), []);
    stage.key(Code::PageUp);
    stage.screen();
    assert!(matches!(stage.asked().as_slice(), [Effect::Page { .. }]));
}

#[test]
fn scrolling_down_to_the_end_follows_what_comes() {
    let mut stage = with_ana(80);
    stage.key(Code::PageUp);
    stage.screen();
    stage.key(Code::PageDown);
    stage.key(Code::PageDown);
    stage.screen();
    stage.entries([entry(ANA, 81, ANA, "the newest", 0)]);
    assert_eq!(stage.rows_with("the newest").len(), 1);
}

#[test]
fn a_read_receipt_doubles_the_tick_and_says_so_in_a_word() {
    let mut stage = with_ana(3);
    let members = [ME, ANA].map(|id| Member {
        user: profile(id, "somebody"),
        role: Role::Member,
        read_seq: 3,
        delivered_seq: 3,
    });
    stage.event(Event::Members(conversation(ANA), Ok(members.to_vec())));
    let accepted = send(&mut stage, "hello", 4);
    stage.entries([of(accepted)]);
    assert_eq!(stage.rows_with("✓  hello").len(), 1);
    stage.live(LiveEvent::Read {
        conversation_id: conversation(ANA),
        user_id: user(ANA),
        seq: 4,
    });
    assert_eq!(stage.rows_with("✓✓ hello").len(), 1);

    // An answer is a receipt too.
    let accepted = send(&mut stage, "anyone?", 5);
    stage.entries([of(accepted)]);
    assert_eq!(stage.rows_with("✓  anyone?").len(), 1);
    stage.entries([entry(ANA, 6, ANA, "yes", 0)]);
    assert_eq!(stage.rows_with("✓✓ anyone?").len(), 1);
    // Without colours the mark is that of a delivered one.
    let row = stage.rows_with("✓✓ anyone?")[0];
    let screen = stage.screen();
    assert!(screen.lines().nth(row + 1).unwrap().ends_with("│    read"));
}

#[test]
fn presence_is_not_vouched_for_while_offline() {
    let mut stage = with_ana(3);
    stage.live(is_online(ANA));
    assert_eq!(stage.rows_with("● Ana").len(), 1);
    assert!(stage.screen().lines().nth(1).unwrap().contains("● online"));
    offline(&mut stage);
    assert_eq!(stage.rows_with("◌ Ana").len(), 1);
    assert!(
        stage
            .screen()
            .lines()
            .nth(1)
            .unwrap()
            .contains("was online")
    );
    stage.key(Code::F(5));
    assert!(stage.asked().contains(&Effect::RetryNow));
    stage.live(LiveEvent::Link(online()));
    assert_eq!(stage.rows_with("● Ana").len(), 1);
}

#[test]
fn the_presence_of_those_in_the_list_is_watched() {
    let mut stage = Stage::signed_out(80, 24);
    stage.event(Event::SignedIn(Ok(profile(ME, "Maya"))));
    stage.live(LiveEvent::Rows {
        rows: vec![direct(BO, "Bo", 1, 0, 0), direct(ANA, "Ana", 1, 0, 0)],
        gone: Vec::new(),
        snapshot: true,
    });
    assert!(
        stage
            .asked()
            .contains(&Effect::Watch(vec![user(ANA), user(BO)]))
    );
}

#[test]
fn replying_names_the_message_and_esc_drops_it() {
    let mut stage = with_ana(3);
    stage.key(Code::Up);
    stage.write("r");
    assert_eq!(stage.rows_with("↪ to Ana").len(), 1);
    stage.key(Code::Esc);
    assert!(stage.rows_with("↪ to Ana").is_empty());
    stage.key(Code::Up);
    stage.write("r");
    stage.write("yes");
    stage.key(Code::Enter);
    let replied = message(ANA, 3, ANA, "", at(0)).id;
    assert_eq!(stage.sent().1.reply_to, Some(replied));
}

#[test]
fn a_sign_in_that_fails_says_so_beside_the_field_and_works_the_next_time() {
    let mut stage = Stage::signed_out(80, 24);
    stage.key(Code::Enter);
    assert_eq!(stage.rows_with("is needed").len(), 1);
    stage.write("maya");
    stage.key(Code::Tab);
    stage.write("wrong horse battery");
    stage.key(Code::Enter);
    let [Effect::SignIn(credentials)] = &stage.asked()[..] else {
        panic!("nothing was asked")
    };
    assert_eq!(credentials.username, "maya");
    assert!(!format!("{credentials:?}").contains("horse"));
    let problem = Problem::new(ErrorCode::WrongCredentials, "wrong user name or password");
    stage.event(Event::SignedIn(Err(ClientError::Problem(Box::new(
        problem,
    )))));
    assert_eq!(stage.rows_with("wrong user name or password").len(), 1);
    stage.write("right");
    stage.key(Code::Enter);
    stage.event(Event::SignedIn(Ok(profile(ME, "Maya"))));
    assert!(matches!(stage.app.screen, Screen::Main));
}

#[test]
fn every_reason_not_to_get_in_is_shown_beside_what_has_to_change() {
    let problem = |code, detail: &str| Problem::new(code, detail);
    let short = problem(ErrorCode::Invalid, "a value cannot be accepted").with_field(
        "password",
        "too_short",
        "at least 12 characters",
    );
    let taken = problem(ErrorCode::UsernameTaken, "maya is taken");
    let closed = problem(
        ErrorCode::RegistrationClosed,
        "new accounts cannot be made here",
    );
    let many = problem(ErrorCode::RateLimited, "too many attempts: wait 15 minutes");
    let cases = [
        (
            ClientError::Problem(Box::new(short)),
            Field::Password,
            "at least 12 characters",
        ),
        (
            ClientError::Problem(Box::new(taken)),
            Field::Username,
            "maya is taken",
        ),
        (
            ClientError::Problem(Box::new(closed)),
            Field::Server,
            "new accounts cannot be made",
        ),
        (
            ClientError::Problem(Box::new(many)),
            Field::Password,
            "too many attempts",
        ),
        (
            ClientError::Unreachable("no route".to_owned()),
            Field::Server,
            "cannot reach the server",
        ),
        (
            ClientError::Address("not an address".to_owned()),
            Field::Server,
            "not an address",
        ),
    ];
    for (error, field, text) in cases {
        let mut stage = Stage::signed_out(80, 24);
        stage.key(Code::F(2));
        stage.write("maya");
        stage.event(Event::SignedIn(Err(error)));
        assert_eq!(stage.rows_with(text).len(), 1, "{text}");
        let Screen::SignIn(form) = &stage.app.screen else {
            panic!("not at the form")
        };
        assert_eq!(form.focused(), field);
    }
}

#[test]
fn an_unreachable_server_is_tried_again_and_a_void_sign_in_is_not() {
    let mut stage = Stage::start(80, 24, true);
    assert_eq!(stage.asked(), [Effect::Resume]);
    stage.event(Event::SignedIn(Err(ClientError::Unreachable(
        "refused".to_owned(),
    ))));
    assert_eq!(stage.asked(), []);
    stage.event(Event::Tick(at(1)));
    assert_eq!(stage.asked(), [Effect::Resume]);
    let problem = Problem::new(
        ErrorCode::RefreshReused,
        "signed in elsewhere: sign in again",
    );
    stage.event(Event::SignedIn(Err(ClientError::Problem(Box::new(
        problem,
    )))));
    assert_eq!(stage.rows_with("sign in again").len(), 1);
}

#[test]
fn a_sign_in_that_ends_leads_to_the_form_and_back_without_losing_what_was_not_sent() {
    let mut stage = with_ana(3);
    offline(&mut stage);
    let waiting = send(&mut stage, "hello", 4);
    stage.live(LiveEvent::Link(Link::SignedOut {
        reason: "signed out from another device".to_owned(),
    }));
    assert!(stage.asked().contains(&Effect::Forget));
    assert_eq!(stage.rows_with("signed out from another device").len(), 1);
    stage.event(Event::SignedIn(Ok(profile(ME, "Maya"))));
    assert_eq!(stage.sent().1.client_id, waiting.client_id);
}

#[test]
fn signing_out_has_to_be_meant() {
    let mut stage = with_ana(3);
    stage.key(Code::F(9));
    assert_eq!(stage.asked(), []);
    assert_eq!(stage.rows_with("Sign out here?").len(), 1);
    stage.write("y");
    assert_eq!(stage.asked(), [Effect::SignOut]);
}

#[test]
fn a_conversation_starts_with_a_person_found_by_name() {
    let mut stage = with_ana(3);
    stage.ctrl('t');
    stage.write("bo");
    let asked = stage.asked();
    let Some(Effect::FindUsers { query, ticket }) = asked.last() else {
        panic!("nobody was looked for")
    };
    assert_eq!(query, "bo");
    let late = vec![profile(ANA, "Ana")];
    stage.event(Event::Found(*ticket - 1, Ok(late)));
    stage.event(Event::Found(*ticket, Ok(vec![profile(BO, "Bo")])));
    stage.key(Code::Enter);
    assert_eq!(stage.asked(), [Effect::Direct(user(BO))]);
    let row = direct(BO, "Bo", 0, 0, 1);
    stage.event(Event::Started(Ok(Box::new(row))));
    assert!(stage.app.dialog.is_none());
}

#[test]
fn a_group_starts_with_several_people_and_a_title() {
    let mut stage = with_ana(3);
    stage.ctrl('t');
    for (n, (id, name)) in [(ANA, "Ana"), (BO, "Bo")].into_iter().enumerate() {
        stage.write(&name[..1]);
        let ticket = 1 + 2 * u64::try_from(n).unwrap();
        stage.event(Event::Found(ticket, Ok(vec![profile(id, name)])));
        stage.key(Code::Tab);
    }
    stage.key(Code::Enter);
    stage.key(Code::Enter);
    assert_eq!(stage.rows_with("a title needs").len(), 1);
    stage.write("Boats");
    stage.asked();
    stage.key(Code::Enter);
    let asked = stage.asked();
    let [Effect::CreateGroup { title, members }] = &asked[..] else {
        panic!("{asked:?}")
    };
    assert_eq!(title.as_str(), "Boats");
    assert_eq!(members, &[user(ANA), user(BO)]);
    let error = ClientError::Unreachable("timed out".to_owned());
    stage.event(Event::Started(Err(error)));
    assert_eq!(stage.rows_with("timed out").len(), 1);
}

#[test]
fn the_switcher_goes_to_a_conversation_by_its_letters() {
    let mut stage = with_ana(3);
    stage.ctrl('k');
    stage.write("b");
    stage.key(Code::Enter);
    assert_eq!(stage.app.open, Some(conversation(BO)));
}

#[test]
fn a_conversation_that_is_taken_away_leaves_the_screen_and_says_so() {
    let mut stage = with_ana(3);
    stage.live(LiveEvent::Rows {
        rows: Vec::new(),
        gone: vec![conversation(ANA)],
        snapshot: false,
    });
    assert_eq!(stage.app.open, None);
    assert_eq!(stage.rows_with("no longer belong").len(), 1);
}

#[test]
fn a_conversation_that_is_closed_takes_no_more_messages() {
    let mut stage = with_ana(3);
    stage.live(LiveEvent::Closed {
        conversation_id: conversation(ANA),
        problem: Box::new(Problem::new(ErrorCode::NotFound, "no such conversation")),
    });
    stage.write("hello?");
    stage.asked();
    stage.key(Code::Enter);
    assert!(stage.asked().is_empty());
    assert_eq!(stage.app.chat().unwrap().composer.text(), "hello?");
}

#[test]
fn a_restored_store_means_that_the_conversation_is_loaded_anew() {
    let mut stage = with_ana(3);
    stage.live(LiveEvent::Restored);
    let asked = stage.asked();
    assert!(asked.contains(&Effect::Leave(conversation(ANA))));
    assert!(stage.rows_with("line 3.").is_empty());
    // From where to follow it, only the new list tells.
    stage.live(LiveEvent::Rows {
        rows: vec![direct(ANA, "Ana Lindqvist", 2, 0, 0)],
        gone: Vec::new(),
        snapshot: true,
    });
    assert!(stage.asked().contains(&Effect::Open(conversation(ANA), 0)));
}

#[test]
fn comings_and_goings_are_told_in_words() {
    let mut stage = Stage::with(80, 24, vec![group(10, "Boats", 4, 0, 0)]);
    stage.key(Code::Enter);
    let joined = Change::MemberJoined {
        user_id: user(BO),
        role: Role::Member,
        by: user(ANA),
    };
    let made = Change::MemberRole {
        user_id: user(ME),
        role: Role::Admin,
        by: user(ANA),
    };
    let left = Change::MemberLeft {
        user_id: user(BO),
        by: user(ME),
        banned: false,
    };
    let named = Change::ConversationRenamed {
        title: "Ships".to_owned(),
        by: user(ME),
    };
    let changes = [joined, made, left, named];
    stage.entries(
        (1..)
            .zip(changes)
            .map(|(seq, what)| change(10, seq, 0, what)),
    );
    let screen = stage.screen();
    for line in [
        "Ana Lindqvist added Bo",
        "Ana Lindqvist made you an admin",
        "You removed Bo",
        "You named it “Ships”",
    ] {
        assert!(screen.contains(line), "{line}");
    }
}

#[test]
fn keys_with_alt_have_twins() {
    let mut stage = with_ana(3);
    stage.write("one");
    stage.press(Key::alt(Code::Enter));
    stage.write("two");
    stage.ctrl('j');
    assert_eq!(stage.app.chat().unwrap().composer.text(), "one\ntwo\n");
}
