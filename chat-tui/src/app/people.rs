//! What is known of other people: names and presence.

use std::collections::{HashMap, HashSet};

use chat_core::model::{Presence, Profile, Status, UserId};

use super::text::Plain;

/// A person as shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name they are shown by.
    pub name: Plain,
    /// The unique name they are found by.
    pub username: Plain,
    /// As far as it is known.
    pub presence: Option<Presence>,
}

/// Everybody who was met so far.
#[derive(Debug, Default)]
pub struct People {
    known: HashMap<UserId, Person>,
    asked: HashSet<UserId>,
}

impl Person {
    /// Makes a profile safe to show.
    #[must_use]
    pub fn new(profile: &Profile) -> Self {
        let name = match Plain::line(&profile.display_name) {
            blank if blank.is_empty() => Plain::line(&profile.username),
            name => name,
        };
        Self {
            name,
            username: Plain::line(&profile.username),
            presence: profile.presence,
        }
    }
}

impl People {
    /// Takes over what a profile says; presence only where it says something.
    pub fn learn(&mut self, profile: &Profile) {
        let older = self.known.get(&profile.id).and_then(|p| p.presence);
        let mut person = Person::new(profile);
        person.presence = person.presence.or(older);
        self.known.insert(profile.id, person);
        self.asked.remove(&profile.id);
    }

    /// Takes over who somebody was when it was kept; whether they are there now is not known by that.
    pub(super) fn remember(&mut self, profile: Profile) {
        let presence = None;
        self.learn(&Profile {
            presence,
            ..profile
        });
    }

    /// Takes over a presence; false if nothing changes.
    pub fn set_presence(&mut self, presence: Presence) -> bool {
        match self.known.get_mut(&presence.user_id) {
            Some(person) if person.presence != Some(presence) => {
                person.presence = Some(presence);
                true
            }
            _ => false,
        }
    }

    /// Everybody, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (UserId, &Person)> {
        self.known.iter().map(|(id, person)| (*id, person))
    }

    /// Who has this user name, if they were met.
    #[must_use]
    pub fn by_username(&self, username: &str) -> Option<UserId> {
        let wanted = username.to_lowercase();
        let is = |person: &Person| person.username.as_str().to_lowercase() == wanted;
        let mut known = self.known.iter();
        known.find(|(_, person)| is(person)).map(|(id, _)| *id)
    }

    /// Who this is, if it is known.
    #[must_use]
    pub fn get(&self, id: UserId) -> Option<&Person> {
        self.known.get(&id)
    }

    /// The name to show.
    #[must_use]
    pub fn name(&self, id: UserId) -> &str {
        self.known
            .get(&id)
            .map_or("…", |person| person.name.as_str())
    }

    /// How somebody is seen, as far as it is known.
    #[must_use]
    pub fn status(&self, id: UserId) -> Option<Status> {
        let presence = self.known.get(&id)?.presence?;
        Some(presence.status)
    }

    /// Whether this person has to be asked for; true only once until [`People::forget_asking`].
    pub fn ask(&mut self, id: UserId) -> bool {
        !self.known.contains_key(&id) && self.asked.insert(id)
    }

    /// The question was not answered: it may be put again.
    pub fn forget_asking(&mut self, id: UserId) {
        self.asked.remove(&id);
    }
}
