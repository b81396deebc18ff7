//! The popup that leads everywhere, and commands that are written as messages.

use chat_core::model::Role;
use chat_tui::{
    app::{Dialog, Pane, keymap::Code, slash::Errand},
    deed::Deed,
    effect::Effect,
    event::Event,
};

use crate::stage::{ANA, BO, Stage, conversation, direct, group, profile, user};

const BOATS: u128 = 10;

fn stage() -> Stage {
    let mut boats = group(BOATS, "Boats", 0, 0, 0);
    boats.me.role = Role::Admin;
    let rows = vec![
        boats,
        direct(ANA, "Ana Lindqvist", 5, 0, -1),
        group(11, "Lighthouse", 0, 0, -9),
    ];
    let mut stage = Stage::with(80, 24, rows);
    stage.key(Code::Enter);
    stage.screen();
    stage.asked();
    stage
}

/// Writes a line as a message and sends it, whatever is offered meanwhile.
fn say(stage: &mut Stage, line: &str) -> Vec<Effect> {
    stage.write(line);
    if stage.app.completion.is_some() {
        stage.key(Code::Esc);
    }
    stage.asked();
    stage.key(Code::Enter);
    let mut asked = stage.asked();
    asked.retain(|effect| !matches!(effect, Effect::KeepDraft(..)));
    asked
}

fn draft(stage: &Stage) -> &str {
    stage.app.chat().unwrap().composer.text()
}

/// The rows of the popup.
fn targets(stage: &mut Stage) -> Vec<String> {
    let screen = stage.screen();
    let rows = screen
        .lines()
        .skip_while(|row| !row.contains("Go to"))
        .skip(3);
    let rows = rows.filter_map(|row| row.split('│').find(|part| part.len() > 60));
    let rows = rows.map(|row| row.trim().to_owned());
    rows.take_while(|row| !row.is_empty()).collect()
}

#[test]
fn letters_lead_to_conversations_people_and_commands() {
    let mut stage = stage();
    stage.ctrl('k');
    stage.write("ligh");
    assert_eq!(targets(&mut stage)[0], "# Lighthouse");
    stage.key(Code::Enter);
    assert_eq!(stage.app.open, Some(conversation(11)));

    stage.ctrl('k');
    stage.write("@bo");
    assert_eq!(
        targets(&mut stage)[0].split_whitespace().last(),
        Some("@bo")
    );
    stage.key(Code::Enter);
    assert!(stage.asked().contains(&Effect::Direct(user(BO))));

    stage.ctrl('k');
    stage.write(">sign");
    assert!(targets(&mut stage)[0].starts_with("> sign out"));
    stage.key(Code::Enter);
    assert!(matches!(stage.app.dialog, Some(Dialog::Ask(_))));
}

#[test]
fn who_has_a_conversation_with_me_is_one_row_and_is_not_started_again() {
    let mut stage = stage();
    stage.ctrl('k');
    stage.write("lindq");
    assert_eq!(targets(&mut stage).len(), 1);
    stage.key(Code::Esc);
    stage.ctrl('k');
    stage.write("@ana");
    stage.asked();
    stage.key(Code::Enter);
    assert_eq!(stage.app.open, Some(conversation(ANA)));
    assert!(!stage.asked().contains(&Effect::Direct(user(ANA))));
}

#[test]
fn people_whom_nobody_met_are_looked_for_at_the_server() {
    let mut stage = stage();
    stage.ctrl('k');
    stage.write("@zo");
    let asked = stage
        .asked()
        .into_iter()
        .rev()
        .find_map(|effect| match effect {
            Effect::FindUsers { query, ticket } => Some((query, ticket)),
            _ => None,
        });
    let (query, ticket) = asked.unwrap();
    assert_eq!(query, "zo");
    assert_eq!(stage.rows_with("searching…").len(), 1);
    let zoe = profile(77, "Zoe");
    stage.event(Event::Found(ticket - 1, Ok(vec![profile(78, "Zorro")])));
    assert!(targets(&mut stage).iter().all(|row| !row.contains("Zorro")));
    stage.event(Event::Found(ticket, Ok(vec![zoe])));
    assert!(targets(&mut stage)[0].starts_with("@ Zoe"));
    stage.key(Code::Enter);
    assert_eq!(stage.asked(), [Effect::Direct(user(77))]);
}

#[test]
fn a_hash_leaves_out_whoever_is_no_group() {
    let mut stage = stage();
    stage.ctrl('k');
    stage.write("#");
    assert_eq!(targets(&mut stage), ["# Boats", "# Lighthouse"]);
}

#[test]
fn what_looks_like_a_command_and_is_none_is_never_sent_and_stays_in_the_draft() {
    let mut stage = stage();
    for (line, words) in [
        ("/serach boats", "is it /search?"),
        ("/etc/passwd", "begin it with //"),
        ("/quit now", "stands alone"),
        ("/status asleep", "online, or idle"),
    ] {
        let asked = say(&mut stage, line);
        assert!(asked.is_empty(), "{asked:?}");
        assert_eq!(draft(&stage), line);
        assert!(stage.screen().contains(words), "{}", stage.screen());
        stage.ctrl('c');
    }
}

#[test]
fn a_text_that_begins_with_a_slash_is_sent_with_two() {
    let mut stage = stage();
    say(&mut stage, "//etc/hosts");
    stage.write("x");
    stage.key(Code::Enter);
    let pending = stage.app.chat().unwrap().timeline.pending();
    assert_eq!(pending[0].draft.body, "/etc/hosts");
}

#[test]
fn commands_do_what_their_names_say() {
    let mut stage = stage();
    let here = conversation(BOATS);
    let asked = say(&mut stage, "/topic Out at sea");
    assert!(
        matches!(&asked[..], [Effect::Do(Deed::Topic(id, Some(topic)))] if *id == here && topic.as_str() == "Out at sea"),
        "{asked:?}"
    );
    assert_eq!(draft(&stage), "");
    let asked = say(&mut stage, "/invite @bo");
    assert_eq!(asked, [Effect::Do(Deed::Add(here, vec![user(BO)]))]);
    let asked = say(&mut stage, "/dm bo");
    assert_eq!(asked, [Effect::Direct(user(BO))]);
    say(&mut stage, "/leave");
    assert_eq!(stage.rows_with("Leave “Boats”?").len(), 1);
    stage.write("n");
    say(&mut stage, "/search words here");
    assert_eq!(stage.rows_with("words here").len(), 1);
    stage.key(Code::Esc);
    say(&mut stage, "/switch lighthouse");
    assert_eq!(stage.app.open, Some(conversation(11)));
    assert_eq!(stage.app.pane, Pane::Composer);
    assert_eq!(say(&mut stage, "/quit"), [Effect::Quit]);
}

#[test]
fn a_command_about_somebody_who_was_not_met_asks_the_server_who_that_is() {
    let mut stage = stage();
    let asked = say(&mut stage, "/dm @zoe");
    assert_eq!(asked, [Effect::Whois("zoe".to_owned(), Errand::Direct)]);
    let answer = |found| Event::Whois("zoe".to_owned(), Errand::Direct, Ok(found));
    stage.event(answer(None));
    assert_eq!(stage.rows_with("nobody has the user name @zoe").len(), 1);
    stage.event(answer(Some(profile(77, "Zoe"))));
    assert_eq!(stage.asked(), [Effect::Direct(user(77))]);
}

#[test]
fn names_of_commands_and_of_people_are_completed() {
    let mut stage = stage();
    stage.write("/inv");
    assert_eq!(stage.rows_with("/invite  @name").len(), 1);
    stage.key(Code::Tab);
    assert_eq!(draft(&stage), "/invite ");
    stage.write("@b");
    stage.key(Code::Tab);
    assert_eq!(draft(&stage), "/invite @bo ");
    stage.asked();
    stage.key(Code::Enter);
    let add = Deed::Add(conversation(BOATS), vec![user(BO)]);
    assert!(stage.asked().contains(&Effect::Do(add)));
}

#[test]
fn writing_a_command_does_not_tell_the_others_that_one_types() {
    let mut stage = stage();
    stage.write("/topic secret");
    let typing = |effect: &Effect| matches!(effect, Effect::Typing(..));
    assert!(!stage.asked().iter().any(typing));
}

#[test]
fn thousands_of_conversations_are_matched_when_a_letter_is_written_and_not_when_drawn() {
    let rows = (0..5_000).map(|n| group(1_000 + n, &format!("Harbour {n}"), 0, 0, 0));
    let mut stage = Stage::with(80, 24, rows.collect());
    stage.ctrl('k');
    stage.write("harb 2345");
    let Some(Dialog::Switcher(switcher)) = &stage.app.dialog else {
        panic!("the popup is open");
    };
    assert_eq!(switcher.targets.len(), 1, "{:?}", switcher.targets);
    assert_eq!(stage.rows_with("# Harbour 2345").len(), 1);
}
