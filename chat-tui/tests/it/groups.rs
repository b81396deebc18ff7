//! Conversations as a whole, their members, and what concerns me.

use chat_core::{
    client::{ClientError, Event as LiveEvent},
    model::{
        Availability, Member, MineChanges, Notify, Presence, Role, Row, Settings, SignInId, Status,
        Unread,
    },
    protocol::{
        ErrorCode, Problem,
        rest::{PatchSettings, SignIn},
    },
};
use chat_tui::{
    app::{Dialog, keymap::Code},
    config::Preferences,
    deed::Deed,
    effect::Effect,
    event::Event,
};

use crate::stage::{ANA, BO, ME, Stage, at, conversation, direct, group, profile, user};

const BOATS: u128 = 10;

fn with(rows: Vec<Row>) -> Stage {
    let mut stage = Stage::with(80, 24, rows);
    stage.screen();
    stage.asked();
    stage
}

fn boats(role: Role) -> Stage {
    let mut row = group(BOATS, "Boats", 0, 0, 0);
    row.me.role = role;
    let mut stage = with(vec![row, direct(BO, "Bo", 5, 0, -9)]);
    stage.key(Code::Enter);
    let roles = [(ME, role), (ANA, Role::Member), (BO, Role::Admin)];
    let members = roles.map(|(id, role)| Member {
        user: profile(id, ["Maya", "Ana", "Bo"][usize::try_from(id).unwrap() - 1]),
        role,
        read_seq: 0,
        delivered_seq: 0,
    });
    stage.event(Event::Members(conversation(BOATS), Ok(members.to_vec())));
    stage.asked();
    stage
}

fn rows(stage: &mut Stage, rows: Vec<Row>) {
    stage.live(LiveEvent::Rows {
        rows,
        gone: Vec::new(),
        snapshot: false,
    });
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
fn the_menu_of_a_conversation_sets_what_it_is_to_me() {
    let mut stage = boats(Role::Member);
    let none = MineChanges::default();
    let cases = [
        (
            'p',
            MineChanges {
                pinned: Some(true),
                ..none
            },
        ),
        (
            'm',
            MineChanges {
                muted: Some(true),
                ..none
            },
        ),
        (
            'a',
            MineChanges {
                archived: Some(true),
                ..none
            },
        ),
        (
            'n',
            MineChanges {
                notify: Some(Notify::Mentions),
                ..none
            },
        ),
    ];
    for (letter, changes) in cases {
        stage.ctrl('o');
        stage.key(Code::Char(letter));
        assert_eq!(
            deeds(&mut stage),
            [Deed::Mine(conversation(BOATS), changes)]
        );
        assert!(stage.app.dialog.is_none());
    }
}

#[test]
fn the_menu_offers_what_my_role_permits() {
    let offers = |role, text: &str| {
        let mut stage = boats(role);
        stage.ctrl('o');
        stage.screen().contains(text)
    };
    assert!(offers(Role::Member, "leave") && !offers(Role::Member, "rename"));
    assert!(offers(Role::Admin, "rename") && !offers(Role::Admin, "delete for everyone"));
    assert!(offers(Role::Owner, "delete for everyone"));
    let mut stage = with(vec![direct(BO, "Bo", 5, 0, -9)]);
    stage.ctrl('o');
    let screen = stage.screen();
    assert!(screen.contains("block") && !screen.contains("leave"));
}

#[test]
fn a_title_is_asked_for_and_checked_before_the_server_is() {
    let mut stage = boats(Role::Admin);
    stage.ctrl('o');
    stage.write("r");
    stage.ctrl('u');
    stage.key(Code::Enter);
    assert_eq!(stage.rows_with("a title needs at least").len(), 1);
    stage.write("Ships");
    stage.asked();
    stage.key(Code::Enter);
    let [Deed::Rename(_, title)] = &deeds(&mut stage)[..] else {
        panic!("nothing renamed")
    };
    assert_eq!(title.as_str(), "Ships");
    stage.ctrl('o');
    stage.write("t");
    stage.key(Code::Enter);
    assert_eq!(deeds(&mut stage), [Deed::Topic(conversation(BOATS), None)]);
}

#[test]
fn what_is_archived_is_out_of_sight_until_it_is_asked_for() {
    let mut row = direct(BO, "Bo", 5, 2, -1);
    row.me.archived = true;
    let mut stage = with(vec![row.clone(), direct(ANA, "Ana", 3, 0, -9)]);
    assert!(stage.rows_with("Bo ").is_empty());
    assert_eq!(stage.rows_with("1 archived").len(), 1);
    stage.ctrl('r');
    assert_eq!(stage.rows_with("archived mess").len(), 1);
    stage.ctrl('r');
    assert!(stage.rows_with("Bo ").is_empty());
    // It is found by name all the same.
    stage.ctrl('k');
    stage.write("bo");
    stage.key(Code::Enter);
    assert_eq!(stage.app.open, Some(conversation(BO)));
    row.me.archived = false;
    row.me.rev = 2;
    rows(&mut stage, vec![row]);
    assert_eq!(stage.rows_with("○ Bo ").len(), 1);
}

#[test]
fn what_is_muted_or_archived_is_not_counted_in_the_title() {
    let unread = |row: &mut Row, count, mentions| row.unread = Unread::from_count(count, mentions);
    let mut loud = group(BOATS, "Boats", 9, 3, -1);
    unread(&mut loud, 3, 1);
    let mut muted = direct(BO, "Bo", 5, 2, -1);
    muted.me.muted = true;
    let mut called = group(11, "Harbours", 9, 5, -1);
    called.me.notify = Notify::Mentions;
    unread(&mut called, 5, 1);
    let mut stage = with(vec![loud, muted, called]);
    assert_eq!(stage.app.title(), "(4 @2) Maya — chat");
    assert_eq!(stage.rows_with("@1 3").len(), 1);
}

#[test]
fn unread_and_muted_is_gone_to_last() {
    let mut muted = direct(BO, "Bo", 5, 2, -1);
    muted.me.muted = true;
    let rows = vec![
        muted,
        direct(ANA, "Ana", 5, 1, -5),
        group(BOATS, "Boats", 1, 0, -9),
    ];
    let mut stage = with(rows);
    stage.ctrl('g');
    assert_eq!(stage.app.open, Some(conversation(ANA)));
}

#[test]
fn owners_give_roles_and_others_are_told_that_they_cannot() {
    let mut stage = boats(Role::Owner);
    stage.key(Code::F(7));
    let screen = stage.screen();
    let place = |name: &str| screen.find(name).unwrap();
    assert!(place("(you)") < place("@bo") && place("@bo") < place("@ana"));
    stage.key(Code::Down);
    stage.key(Code::Down);
    stage.write("r");
    stage.write("a");
    let role = Deed::Role(conversation(BOATS), user(ANA), Role::Admin);
    assert_eq!(deeds(&mut stage), [role]);
    assert!(matches!(stage.app.dialog, Some(Dialog::Members(_))));

    let mut stage = boats(Role::Admin);
    stage.key(Code::F(7));
    stage.write("r");
    assert_eq!(stage.rows_with("only owners give roles").len(), 1);
    stage.write("k");
    assert_eq!(stage.rows_with("only owners can remove Bo").len(), 1);
}

#[test]
fn removing_and_banning_ask_first_and_a_ban_is_lifted() {
    let mut stage = boats(Role::Owner);
    stage.key(Code::F(7));
    assert!(stage.asked().contains(&Effect::Bans(conversation(BOATS))));
    stage.key(Code::Down);
    stage.write("b");
    assert_eq!(deeds(&mut stage), []);
    stage.write("y");
    let ban = Deed::Ban(conversation(BOATS), user(BO));
    assert_eq!(deeds(&mut stage), std::slice::from_ref(&ban));
    stage.event(Event::Done(ban, Ok(())));
    let banned = vec![profile(4, "Carl")];
    stage.event(Event::Bans(conversation(BOATS), Ok(banned)));
    assert_eq!(stage.rows_with("Carl  banned").len(), 1);
    stage.key(Code::Down);
    stage.key(Code::Down);
    stage.write("b");
    let lift = Deed::LiftBan(conversation(BOATS), user(4));
    assert_eq!(deeds(&mut stage), [lift]);
}

#[test]
fn people_are_added_by_name_and_a_refusal_is_told_where_it_was_asked() {
    let mut stage = boats(Role::Owner);
    stage.key(Code::F(7));
    stage.write("a");
    stage.write("car");
    stage.event(Event::Found(3, Ok(vec![profile(4, "Carl")])));
    stage.asked();
    stage.key(Code::Enter);
    let add = Deed::Add(conversation(BOATS), vec![user(4)]);
    assert_eq!(deeds(&mut stage), std::slice::from_ref(&add));
    let problem = Problem::new(
        ErrorCode::Conflict,
        "this user is banned here: lift the ban first",
    );
    let error = ClientError::Problem(Box::new(problem));
    stage.event(Event::Done(add.clone(), Err(error)));
    assert_eq!(stage.rows_with("this user is banned here").len(), 1);
    stage.key(Code::Enter);
    stage.event(Event::Done(add, Ok(())));
    assert!(matches!(stage.app.dialog, Some(Dialog::Members(_))));
}

#[test]
fn blocking_asks_first_and_is_shown() {
    let mut stage = with(vec![direct(BO, "Bo", 5, 0, -9)]);
    stage.key(Code::Enter);
    stage.ctrl('o');
    stage.write("b");
    stage.write("y");
    let block = Deed::Block(user(BO), true);
    assert_eq!(deeds(&mut stage), std::slice::from_ref(&block));
    stage.event(Event::Done(block, Ok(())));
    assert!(stage.screen().contains("blocked by you"));
    stage.ctrl('o');
    stage.write("b");
    assert_eq!(deeds(&mut stage), [Deed::Block(user(BO), false)]);
    stage.event(Event::Blocks(Ok(Vec::new())));
    assert!(!stage.screen().contains("blocked by you"));
}

#[test]
fn presence_is_told_by_a_sign_and_in_words() {
    let mut stage = with(vec![direct(BO, "Bo", 5, 0, -9)]);
    stage.key(Code::Enter);
    let cases = [
        (Status::Online, "● Bo", "● online"),
        (Status::Idle, "◐ Bo", "◐ idle"),
        (Status::Dnd, "⊘ Bo", "⊘ do not disturb"),
        (Status::Offline, "○ Bo", "last seen 14:10"),
    ];
    for (status, sign, words) in cases {
        stage.live(LiveEvent::Presence(Presence {
            user_id: user(BO),
            status,
            last_seen_at: (status == Status::Offline).then(|| at(-20)),
        }));
        let screen = stage.screen();
        assert!(screen.contains(sign) && screen.contains(words), "{screen}");
    }
}

#[test]
fn nobody_at_the_keys_is_idle_and_the_first_key_ends_it() {
    let mut stage = with(vec![direct(BO, "Bo", 5, 0, -9)]);
    let asked = |stage: &mut Stage| stage.asked();
    stage.event(Event::Tick(at(1)));
    stage.key(Code::Down);
    assert_eq!(stage.app.next_tick(), Some(at(6)));
    stage.event(Event::Tick(at(5)));
    assert_eq!(asked(&mut stage), []);
    stage.event(Event::Tick(at(6)));
    assert_eq!(asked(&mut stage), [Effect::SetPresence(Availability::Idle)]);
    assert!(stage.screen().contains("◐ idle"));
    stage.key(Code::Down);
    assert_eq!(
        asked(&mut stage),
        [Effect::SetPresence(Availability::Online)]
    );
    assert!(stage.screen().contains("● online"));
}

#[test]
fn who_does_not_want_to_be_disturbed_does_not_become_idle() {
    let mut stage = with(vec![direct(BO, "Bo", 5, 0, -9)]);
    stage.ctrl('x');
    stage.write("d");
    let asked = stage.asked();
    assert!(asked.contains(&Effect::SetPresence(Availability::Dnd)));
    assert!(
        stage
            .screen()
            .lines()
            .next()
            .unwrap()
            .contains("⊘ do not disturb")
    );
    stage.event(Event::Tick(at(60)));
    assert_eq!(stage.asked(), []);
}

#[test]
fn how_long_it_takes_to_be_idle_is_chosen_and_kept() {
    let mut stage = with(Vec::new());
    stage.ctrl('x');
    stage.asked();
    stage.write("a");
    let kept = Preferences {
        idle_after_minutes: 15,
        ..Preferences::default()
    };
    assert_eq!(stage.asked(), [Effect::Keep(kept)]);
    assert_eq!(stage.rows_with("idle after 15 minutes").len(), 1);
}

#[test]
fn privacy_is_shown_as_the_server_has_it_and_changed_there() {
    let mut stage = with(Vec::new());
    stage.ctrl('x');
    assert_eq!(stage.asked(), [Effect::Settings]);
    stage.event(Event::Settings(Ok(Settings {
        read_receipts: false,
        ..Settings::default()
    })));
    assert_eq!(stage.rows_with("what you have read: no").len(), 1);
    stage.write("r");
    let changes = PatchSettings {
        read_receipts: Some(true),
        ..PatchSettings::default()
    };
    assert_eq!(deeds(&mut stage), [Deed::Settings(changes)]);
}

#[test]
fn a_sign_in_elsewhere_is_ended_after_a_question() {
    let mut stage = with(Vec::new());
    stage.ctrl('x');
    stage.write("s");
    assert!(stage.asked().contains(&Effect::SignIns));
    let place = |current| SignIn {
        id: SignInId::new(),
        current,
        created_at: at(-60),
        last_used_at: at(-3),
        address: Some("192.0.2.7".to_owned()),
        user_agent: Some("chat-core/0.1.0".to_owned()),
    };
    let other = place(false);
    stage.event(Event::SignIns(Ok(vec![place(true), other.clone()])));
    assert_eq!(stage.rows_with("last used 14:27").len(), 1);
    stage.key(Code::Down);
    stage.key(Code::Enter);
    assert_eq!(deeds(&mut stage), []);
    stage.key(Code::Enter);
    assert_eq!(deeds(&mut stage), [Deed::EndSignIn(other.id)]);
    assert!(matches!(stage.app.dialog, Some(Dialog::SignIns(_))));
}
