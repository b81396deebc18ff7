//! No word is lost: between the composer, the outbox on disk, and the server.

use chat_core::{
    client::{ClientError, Event as LiveEvent},
    model::{ClientId, Draft, Profile},
    protocol::rest,
};
use chat_tui::{
    app::{Screen, keymap::Code, link::LinkState, timeline::Sending},
    effect::Effect,
    event::{Event, Source},
    kept::{Kept, KeptDraft, KeptReply, Queued, Refusal},
};

use crate::stage::{
    ANA, BO, ME, Stage, at, conversation, direct, entry, group, message, online, profile, user,
};

/// As a run left it in which Ana was written to.
fn kept() -> Kept {
    Kept {
        me: Some(profile(ME, "Maya")),
        rows: vec![
            direct(ANA, "Ana Lindqvist", 3, 0, -60),
            direct(BO, "Bo", 2, 0, -90),
        ],
        people: vec![profile(ANA, "Ana Lindqvist")],
        ..Kept::default()
    }
}

fn queued(n: u128, body: &str, refusal: Option<Refusal>) -> Queued {
    Queued {
        conversation: conversation(ANA),
        draft: Draft {
            client_id: ClientId::from_uuid(uuid::Uuid::from_u128(n)),
            body: body.to_owned(),
            reply_to: None,
        },
        at: at(-5),
        refusal,
    }
}

fn signed_in(stage: &mut Stage) {
    let me: Profile = profile(ME, "Maya");
    stage.event(Event::SignedIn(Ok(me)));
    stage.live(LiveEvent::Link(online()));
}

fn snapshot(stage: &mut Stage, head: u64, unread: u64) {
    stage.live(LiveEvent::Rows {
        rows: vec![
            direct(ANA, "Ana Lindqvist", head, unread, 0),
            direct(BO, "Bo", 2, 0, -90),
        ],
        gone: Vec::new(),
        snapshot: true,
    });
}

#[test]
fn the_draft_leaves_the_composer_when_the_outbox_has_it_and_not_before() {
    let mut stage = Stage::with(80, 24, vec![direct(ANA, "Ana Lindqvist", 0, 0, 0)]);
    stage.key(Code::Enter);
    stage.disk_answers = false;
    stage.write("hello");
    stage.key(Code::Enter);
    let (place, draft) = stage.sent();
    assert_eq!(stage.app.chat().unwrap().composer.text(), "hello");
    assert!(stage.app.chat().unwrap().timeline.pending().is_empty());
    // What is typed meanwhile is not lost, and is not part of it.
    stage.write("and more");
    stage.event(Event::Queued(place, draft.client_id, Ok(())));
    let chat = stage.app.chat().unwrap();
    assert_eq!(chat.composer.text(), "and more");
    assert_eq!(chat.timeline.pending()[0].body.as_str(), "hello");
}

#[test]
fn a_disk_that_takes_no_more_leaves_the_words_in_the_composer_and_says_so() {
    let mut stage = Stage::with(100, 24, vec![direct(ANA, "Ana Lindqvist", 0, 0, 0)]);
    stage.key(Code::Enter);
    stage.disk_answers = false;
    stage.write("hello");
    stage.key(Code::Enter);
    let (place, draft) = stage.sent();
    let full = Err("database or disk is full".to_owned());
    stage.event(Event::Queued(place, draft.client_id, full));
    assert_eq!(stage.app.chat().unwrap().composer.text(), "hello");
    assert!(stage.app.chat().unwrap().timeline.pending().is_empty());
    assert_eq!(stage.rows_with("still in your draft").len(), 1);
    assert_eq!(stage.rows_with("disk is full").len(), 1);
    // The next try is another one.
    stage.disk_answers = true;
    stage.key(Code::Enter);
    assert!(stage.app.chat().unwrap().composer.is_empty());
    assert_eq!(stage.app.chat().unwrap().timeline.pending().len(), 1);
}

#[test]
fn each_letter_of_a_draft_is_kept_and_an_empty_draft_too() {
    let mut stage = Stage::with(80, 24, vec![direct(ANA, "Ana Lindqvist", 1, 0, 0)]);
    stage.key(Code::Enter);
    stage.entries([entry(ANA, 1, ANA, "one", -5)]);
    stage.asked();
    stage.write("hi");
    stage.key(Code::Backspace);
    stage.key(Code::Backspace);
    let asked = stage.asked();
    let kept: Vec<&str> = asked
        .iter()
        .filter_map(|effect| match effect {
            Effect::KeepDraft(_, draft) => Some(draft.body.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(kept, ["h", "hi", "h", ""]);
    // What it answers belongs to it.
    stage.key(Code::Up);
    stage.write("r");
    let asked = stage.asked();
    let reply = asked.iter().find_map(|effect| match effect {
        Effect::KeepDraft(_, draft) => draft.reply_to.as_ref(),
        _ => None,
    });
    assert_eq!(reply.unwrap().text, "one");
}

#[test]
fn an_earlier_run_is_on_the_screen_before_the_server_is_asked() {
    let mut kept = kept();
    kept.drafts = vec![(
        conversation(BO),
        KeptDraft {
            body: "not yet".to_owned(),
            reply_to: Some(KeptReply {
                id: message(BO, 1, BO, "when?", at(0)).id,
                sender: user(BO),
                text: "when?".to_owned(),
            }),
            editing: None,
        },
    )];
    kept.outbox = vec![queued(1, "waiting words", None)];
    let mut stage = Stage::with_kept(80, 24, true, kept);
    assert_eq!(stage.asked(), [Effect::Resume]);
    stage.disk_answers = false;
    let screen = stage.screen();
    assert!(screen.contains("Ana Lindqvist") && screen.contains("draft"));
    assert!(screen.contains("connecting"));

    // The conversation opens with what is kept of it.
    stage.key(Code::Enter);
    assert_eq!(stage.asked(), [Effect::Recall(conversation(ANA))]);
    let entries = (1..=3).map(|seq| entry(ANA, seq, ANA, &format!("line {seq}."), -60));
    stage.event(Event::Recalled(conversation(ANA), entries.collect()));
    let screen = stage.screen();
    assert!(screen.contains("line 3.") && screen.contains("waiting words"));
    assert!(stage.asked().is_empty());

    // Once the server is there, what waited is sent, and the log goes on after what is kept.
    signed_in(&mut stage);
    let asked = stage.asked();
    let resent = asked.iter().any(
        |effect| matches!(effect, Effect::Resend { draft, .. } if draft.body == "waiting words"),
    );
    assert!(resent);
    snapshot(&mut stage, 5, 2);
    let open = Effect::Open(conversation(ANA), 3);
    assert!(stage.asked().contains(&open));
    // What came meanwhile stands below the ruler.
    stage.entries([
        entry(ANA, 4, ANA, "line 4.", -2),
        entry(ANA, 5, ANA, "line 5.", -1),
    ]);
    assert_eq!(stage.app.chat().unwrap().ruler, Some(3));
    let screen = stage.screen();
    assert!(screen.contains("line 3.") && screen.contains("line 5."));
    stage.ctrl('n');
    assert_eq!(stage.app.chat().unwrap().composer.text(), "not yet");
    assert_eq!(stage.rows_with("when?").len(), 1);
}

#[test]
fn a_message_that_was_refused_is_still_there_after_a_restart_with_its_reason() {
    let refusal = Refusal {
        reason: "you are blocked here".to_owned(),
        needs_new_id: false,
    };
    let mut kept = kept();
    kept.outbox = vec![queued(1, "rude words", Some(refusal))];
    let mut stage = Stage::with_kept(80, 24, true, kept);
    stage.key(Code::Enter);
    assert_eq!(stage.rows_with("you are blocked here").len(), 1);
    signed_in(&mut stage);
    let sends = |effect: &Effect| matches!(effect, Effect::Resend { .. });
    assert!(!stage.asked().iter().any(sends));
    // The user decides: try again, edit, or discard.
    stage.key(Code::Up);
    stage.write("t");
    assert!(stage.asked().iter().any(sends));
}

#[test]
fn a_message_that_the_server_had_already_is_shown_once_after_a_restart() {
    let sent = message(ANA, 4, ME, "did it arrive?", at(-5));
    let mut kept = kept();
    let mut waiting = queued(1, "did it arrive?", None);
    waiting.draft.client_id = sent.client_id;
    kept.outbox = vec![waiting];
    let mut stage = Stage::with_kept(80, 24, true, kept);
    stage.key(Code::Enter);
    signed_in(&mut stage);
    snapshot(&mut stage, 4, 0);
    stage.entries((1..=3).map(|seq| entry(ANA, seq, ANA, "earlier", -60)));
    stage.entries([crate::stage::of(sent.clone())]);
    stage.live(LiveEvent::Sent(Box::new(sent)));
    assert_eq!(stage.rows_with("did it arrive?").len(), 1);
    assert!(stage.app.chat().unwrap().timeline.pending().is_empty());
}

#[test]
fn what_is_long_out_of_date_gives_way_to_the_newest() {
    let mut stage = Stage::with_kept(80, 24, true, kept());
    stage.disk_answers = false;
    stage.key(Code::Enter);
    let entries = (1..=3).map(|seq| entry(ANA, seq, ANA, &format!("line {seq}."), -60));
    stage.event(Event::Recalled(conversation(ANA), entries.collect()));
    signed_in(&mut stage);
    snapshot(&mut stage, 4_000, 0);
    let open = Effect::Open(conversation(ANA), 3_950);
    assert!(stage.asked().contains(&open));
    assert!(stage.rows_with("line 3.").is_empty());
}

#[test]
fn without_a_server_the_next_try_is_counted_down_and_can_be_made_at_once() {
    let mut stage = Stage::with_kept(80, 24, true, kept());
    let gone = ClientError::Unreachable("connection refused".to_owned());
    stage.asked();
    stage.event(Event::SignedIn(Err(gone.clone())));
    assert!(matches!(stage.app.screen, Screen::Main));
    assert_eq!(stage.rows_with("retry in 1 s").len(), 1);
    assert_eq!(stage.rows_with("connection refused").len(), 1);
    stage.event(Event::Tick(at(0)));
    assert!(stage.asked().is_empty());
    stage.key(Code::F(5));
    assert_eq!(stage.asked(), [Effect::Resume]);
    assert_eq!(stage.app.link, LinkState::Connecting);
    stage.event(Event::SignedIn(Err(gone)));
    stage.event(Event::Tick(at(1)));
    assert_eq!(stage.asked(), [Effect::Resume]);
    // A sign-in that has ended is asked for again, and nothing that was written is lost by it.
    stage.key(Code::Enter);
    stage.write("still mine");
    stage.event(Event::SignedIn(Err(ClientError::SignedOut)));
    assert!(matches!(stage.app.screen, Screen::SignIn(_)));
    signed_in(&mut stage);
    snapshot(&mut stage, 3, 0);
    stage.key(Code::Enter);
    assert_eq!(stage.app.chat().unwrap().composer.text(), "still mine");
}

#[test]
fn what_could_not_be_kept_when_it_was_sent_again_stays_refused() {
    let refusal = Refusal {
        reason: "too fast".to_owned(),
        needs_new_id: false,
    };
    let mut kept = kept();
    kept.outbox = vec![queued(1, "words", Some(refusal))];
    let mut stage = Stage::with_kept(100, 24, true, kept);
    stage.key(Code::Enter);
    stage.disk_answers = false;
    stage.key(Code::Up);
    stage.write("t");
    let (place, draft) = stage.sent();
    stage.event(Event::Queued(
        place,
        draft.client_id,
        Err("disk full".to_owned()),
    ));
    let chat = stage.app.chat().unwrap();
    assert!(matches!(
        chat.timeline.pending()[0].state,
        Sending::Failed { .. }
    ));
}

#[test]
fn a_group_that_is_only_kept_is_not_followed_before_the_server_tells_how_far_it_is() {
    let mut kept = kept();
    kept.rows = vec![group(10, "Boats", 100, 0, 0)];
    let mut stage = Stage::with_kept(80, 24, true, kept);
    stage.key(Code::Enter);
    signed_in(&mut stage);
    let opens = |effect: &Effect| matches!(effect, Effect::Open(..));
    assert!(!stage.asked().iter().any(opens));
    stage.live(LiveEvent::Rows {
        rows: vec![group(10, "Boats", 300, 200, 0)],
        gone: Vec::new(),
        snapshot: true,
    });
    assert!(stage.asked().contains(&Effect::Open(conversation(10), 250)));
}

#[test]
fn without_a_server_what_is_kept_is_searched_and_said_to_be_no_more_than_that() {
    let mut stage = Stage::with_kept(100, 24, true, kept());
    stage.asked();
    stage.ctrl('f');
    stage.write("pears");
    let asked = stage.asked();
    let ticket = asked.iter().rev().find_map(|effect| match effect {
        Effect::Search { ticket, query, .. } if query == "pears" => Some(*ticket),
        _ => None,
    });
    let found = rest::Page {
        items: vec![message(ANA, 2, ANA, "apples and pears", at(-60))],
        next_cursor: None,
    };
    stage.event(Event::Searched(ticket.unwrap(), Ok(found), Source::Disk));
    assert_eq!(stage.rows_with("offline: what is kept here").len(), 1);
    assert_eq!(stage.rows_with("apples and pears").len(), 1);
}
