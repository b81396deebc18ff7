//! Names in texts: those that a message calls, and those that are offered while one writes `@`.

use std::ops::Range;

use chat_core::model::UserId;

use super::{
    conversations::ConversationList,
    people::People,
    slash::{self, Argument},
    text::Plain,
    timeline::Said,
};

/// So many names are offered.
const OFFERED: usize = 6;
const EVERYONE: &str = "everyone";

/// A name in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// Where it stands, the `@` included.
    pub range: Range<usize>,
    /// It calls me.
    pub me: bool,
}

/// The names in the text of a message that call somebody.
#[must_use]
pub fn called(said: &Said, people: &People, me: Option<UserId>) -> Vec<Called> {
    if said.mentions.is_empty() && !said.everyone {
        return Vec::new();
    }
    let text = said.body.as_str();
    let calls = |at: usize| {
        let name = name_in(&text[at + 1..]);
        let range = at..at + 1 + name.len();
        let name = name.to_lowercase();
        if said.everyone && name == EVERYONE {
            let me = Some(said.sender) != me;
            return Some(Called { range, me });
        }
        let called = said.mentions.iter().find(|id| {
            let person = people.get(**id);
            person.is_some_and(|person| person.username.as_str().to_lowercase() == name)
        })?;
        let me = Some(*called) == me;
        Some(Called { range, me })
    };
    text.match_indices('@')
        .filter(|(at, _)| begins(&text[..*at]))
        .filter_map(|(at, _)| calls(at))
        .collect()
}

/// Whether a name can begin after this: where no letter or digit stands before it.
fn begins(before: &str) -> bool {
    let last = before.chars().next_back();
    last.is_none_or(|last| !last.is_alphanumeric())
}

/// The name that a text begins with; a stop or a dash at its end belongs to the sentence.
fn name_in(text: &str) -> &str {
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', '-'])
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// A name that can be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is written.
    pub username: Plain,
    /// Who that is.
    pub name: Plain,
}

/// The names that fit to the letters after an `@`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The names.
    pub offers: Vec<Offer>,
    /// Which of them, from the top.
    pub selected: usize,
    /// How many bytes before the cursor they take the place of.
    pub letters: usize,
    /// What stands before each.
    pub sign: &'static str,
}

impl Completion {
    /// What is offered where the text before the cursor ends in `@` and letters.
    #[must_use]
    pub fn of(
        before: &str,
        members: impl Iterator<Item = UserId>,
        people: &People,
        can_call_everyone: bool,
    ) -> Option<Self> {
        let at = before.rfind(|c| !is_of_name(c))?;
        let letters = before[at..].strip_prefix('@')?;
        if letters.is_empty() || !begins(&before[..at]) {
            return None;
        }
        let wanted = letters.to_lowercase();
        let mut offers: Vec<Offer> = members
            .filter_map(|id| people.get(id))
            .filter(|person| {
                let name = person.name.as_str().to_lowercase();
                let mut words = name.split_whitespace();
                person.username.as_str().to_lowercase().starts_with(&wanted)
                    || words.any(|word| word.starts_with(&wanted))
            })
            .map(|person| Offer {
                username: person.username.clone(),
                name: person.name.clone(),
            })
            .collect();
        offers.sort_by(|a, b| a.username.as_str().cmp(b.username.as_str()));
        if can_call_everyone && EVERYONE.starts_with(&wanted) {
            offers.push(Offer {
                username: Plain::line(EVERYONE),
                name: Plain::line("all who belong here"),
            });
        }
        offers.truncate(OFFERED);
        // A name that stands there in full needs no offer: Enter is to send then.
        let is_whole = |offer: &Offer| offer.username.as_str().to_lowercase() == wanted;
        let done = offers.len() == 1 && offers.first().is_some_and(is_whole);
        (!offers.is_empty() && !done).then_some(Self {
            offers,
            selected: 0,
            letters: letters.len(),
            sign: "@",
        })
    }

    /// What is offered while the name of a command, or what it wants to be told, is written.
    #[must_use]
    pub fn of_command(before: &str, people: &People, list: &ConversationList) -> Option<Self> {
        let line = before
            .strip_prefix('/')
            .filter(|line| !line.contains('\n'))?;
        let Some((name, argument)) = line.split_once(' ') else {
            return Self::of_names(line);
        };
        let argument = argument.trim_start();
        let written = argument.trim_start_matches('@');
        let wanted = written.to_lowercase();
        let offer = |text: &str, name: &str| Offer {
            username: Plain::line(text),
            name: Plain::line(name),
        };
        let fits = |text: &str| text.to_lowercase().starts_with(&wanted);
        let (mut offers, sign): (Vec<Offer>, _) = match slash::named(name)?.argument {
            Argument::Nothing | Argument::Words(_) => return None,
            Argument::Choice(all) => {
                let all = all.iter().filter(|text| fits(text));
                (all.map(|text| offer(text, "")).collect(), "")
            }
            Argument::Conversation => {
                let all = list.all().filter(|item| fits(item.name.as_str()));
                let all = all.map(|item| offer(item.name.as_str(), ""));
                (all.take(OFFERED).collect(), "")
            }
            Argument::Person => {
                let all = people.iter().map(|(_, person)| person);
                let all = all.filter(|p| fits(p.username.as_str()) || fits(p.name.as_str()));
                let all = all.map(|p| offer(p.username.as_str(), p.name.as_str()));
                let mut all: Vec<Offer> = all.collect();
                all.sort_by(|a, b| a.username.as_str().cmp(b.username.as_str()));
                (all, "@")
            }
        };
        offers.truncate(OFFERED);
        // What stands there in full needs no offer: Enter is to run the command then.
        let is_whole = |offer: &Offer| offer.username.as_str().to_lowercase() == wanted.trim_end();
        (!offers.is_empty() && !offers.iter().any(is_whole)).then_some(Self {
            offers,
            selected: 0,
            letters: written.len(),
            sign,
        })
    }

    fn of_names(letters: &str) -> Option<Self> {
        let wanted = letters.to_lowercase();
        if slash::named(letters).is_some() {
            return None;
        }
        let commands = slash::COMMANDS.iter();
        let commands = commands.filter(|command| command.name.starts_with(&wanted));
        let offers: Vec<Offer> = commands
            .map(|command| {
                let argument = command.argument.shown();
                let gap = if argument.is_empty() { "" } else { " — " };
                Offer {
                    username: Plain::line(command.name),
                    name: Plain::line(&format!("{argument}{gap}{}", command.help)),
                }
            })
            .collect();
        (!offers.is_empty()).then_some(Self {
            offers,
            selected: 0,
            letters: letters.len(),
            sign: "/",
        })
    }
}

#[cfg(test)]
mod tests {
    use chat_core::model::{Profile, UserId};

    use super::*;

    fn people() -> (People, Vec<UserId>) {
        let mut people = People::default();
        let names = [("ana", "Ana Lindqvist"), ("ben.b", "Ben"), ("lin", "Lin")];
        let ids = names.map(|(username, name)| {
            let profile = Profile {
                id: UserId::new(),
                username: username.to_owned(),
                display_name: name.to_owned(),
                presence: None,
            };
            people.learn(&profile);
            profile.id
        });
        (people, ids.to_vec())
    }

    fn offered(before: &str) -> Vec<String> {
        let (people, ids) = people();
        let offered = Completion::of(before, ids.into_iter(), &people, true);
        let offers = offered.map_or_else(Vec::new, |completion| completion.offers);
        offers.into_iter().map(|o| o.username.to_string()).collect()
    }

    #[test]
    fn letters_after_an_at_offer_members_by_either_name() {
        assert_eq!(offered("hello @lin"), ["ana", "lin"]);
        assert_eq!(offered("(@BEN"), ["ben.b"]);
        assert_eq!(offered("@e"), [EVERYONE]);
    }

    #[test]
    fn nothing_is_offered_in_an_address_after_a_space_or_for_a_whole_name() {
        for text in ["me@ana", "@", "@ana ", "ana", "@ben.b", "@zoe"] {
            assert!(offered(text).is_empty(), "{text}");
        }
    }
}
