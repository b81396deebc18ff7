//! The dialog that starts a conversation, with one person or several, or adds people to one.

use chat_core::{
    client::ClientError,
    model::{ConversationId, Profile, Title, UserId},
};

use super::{
    composer::Composer,
    fault,
    keymap::{Action, Code, Key},
    text::Plain,
};
use crate::{deed::Deed, effect::Effect};

/// Somebody who was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Who.
    pub id: UserId,
    /// The name they are shown by.
    pub name: Plain,
    /// The unique name.
    pub username: Plain,
}

/// The dialog.
#[derive(Debug, Default)]
pub struct NewConversation {
    /// The letters of a name.
    pub query: Composer,
    /// Who was found by them.
    pub found: Vec<Found>,
    /// Which of them, from the top.
    pub selected: usize,
    /// Who will be in the group.
    pub chosen: Vec<Found>,
    /// They are added to this group; none is started.
    pub group: Option<ConversationId>,
    /// The title of the group, once it is asked for.
    pub title: Option<Composer>,
    /// The server was asked and has not answered yet.
    pub busy: bool,
    /// What went wrong.
    pub error: Option<Plain>,
    ticket: u64,
    answered: u64,
}

/// What becomes of the dialog after a key.
#[derive(Debug)]
pub enum Next {
    /// It stays.
    Stay(Option<Effect>),
    /// It is closed.
    Close,
}

impl NewConversation {
    /// Adds people to a group.
    #[must_use]
    pub fn adding_to(group: ConversationId) -> Self {
        Self {
            group: Some(group),
            ..Self::default()
        }
    }

    /// A pressed key.
    pub fn key(&mut self, key: Key, action: Option<Action>) -> Next {
        if self.busy {
            return match action {
                Some(Action::Back) => Next::Close,
                _ => Next::Stay(None),
            };
        }
        match action {
            Some(Action::Back) if self.title.is_some() => {
                self.title = None;
                self.error = None;
            }
            Some(Action::Back) => return Next::Close,
            Some(Action::Up) => self.selected = self.selected.saturating_sub(1),
            Some(Action::Down) => {
                self.selected = (self.selected + 1).min(self.found.len().saturating_sub(1));
            }
            Some(Action::Mark) if self.title.is_none() => self.mark(),
            Some(Action::Enter) => return Next::Stay(self.enter()),
            Some(Action::Move(motion)) => self.field().go(motion),
            Some(Action::Delete(motion)) => {
                if self.title.is_none()
                    && self.query.is_empty()
                    && let Some(last) = self.chosen.pop()
                {
                    drop(last);
                } else {
                    self.field().delete(motion);
                    return Next::Stay(self.search());
                }
            }
            Some(_) => {}
            None => {
                if let Code::Char(letter) = key.code
                    && !key.ctrl
                    && !key.alt
                {
                    return Next::Stay(self.insert(letter.encode_utf8(&mut [0; 4])));
                }
            }
        }
        Next::Stay(None)
    }

    /// Typed or pasted text.
    pub fn insert(&mut self, text: &str) -> Option<Effect> {
        let line = text.lines().next().unwrap_or_default();
        self.field().insert(line);
        self.search()
    }

    fn field(&mut self) -> &mut Composer {
        self.title.as_mut().unwrap_or(&mut self.query)
    }

    /// Asks for the people that the letters find.
    fn search(&mut self) -> Option<Effect> {
        self.error = None;
        if self.title.is_some() {
            return None;
        }
        self.ticket += 1;
        let query = self.query.text().trim();
        if query.is_empty() {
            self.found.clear();
            self.selected = 0;
            self.answered = self.ticket;
            return None;
        }
        Some(Effect::FindUsers {
            query: query.to_owned(),
            ticket: self.ticket,
        })
    }

    /// Whether an answer is still on its way.
    #[must_use]
    pub fn searching(&self) -> bool {
        self.answered < self.ticket
    }

    /// Who was found; an answer to an earlier search is passed over.
    pub fn answer(
        &mut self,
        ticket: u64,
        answer: Result<Vec<Profile>, ClientError>,
        me: Option<UserId>,
    ) {
        if ticket != self.ticket {
            return;
        }
        self.answered = ticket;
        match answer {
            Ok(profiles) => {
                self.found = profiles
                    .iter()
                    .filter(|profile| Some(profile.id) != me)
                    .map(|profile| Found {
                        id: profile.id,
                        name: Plain::line(&profile.display_name),
                        username: Plain::line(&profile.username),
                    })
                    .collect();
                self.selected = 0;
            }
            Err(error) => self.failed(&error),
        }
    }

    /// The server could not do it.
    pub fn failed(&mut self, error: &ClientError) {
        self.busy = false;
        self.error = Some(fault::words(error));
    }

    /// Whether somebody is among the chosen.
    #[must_use]
    pub fn is_chosen(&self, id: UserId) -> bool {
        self.chosen.iter().any(|person| person.id == id)
    }

    fn mark(&mut self) {
        let Some(person) = self.found.get(self.selected).cloned() else {
            return;
        };
        if self.is_chosen(person.id) {
            self.chosen.retain(|other| other.id != person.id);
        } else {
            self.chosen.push(person);
            self.query.take();
            self.found.clear();
            self.ticket += 1;
            self.answered = self.ticket;
        }
    }

    fn enter(&mut self) -> Option<Effect> {
        if let Some(group) = self.group {
            return self.add_to(group);
        }
        if let Some(title) = &self.title {
            match Title::try_from(title.text().to_owned()) {
                Ok(title) => {
                    self.busy = true;
                    let members = self.chosen.iter().map(|person| person.id).collect();
                    return Some(Effect::CreateGroup { title, members });
                }
                Err(why) => self.error = Some(Plain::line(why)),
            }
            return None;
        }
        if !self.chosen.is_empty() {
            self.title = Some(Composer::default());
            return None;
        }
        let person = self.found.get(self.selected)?;
        self.busy = true;
        Some(Effect::Direct(person.id))
    }

    fn add_to(&mut self, group: ConversationId) -> Option<Effect> {
        let mut people: Vec<UserId> = self.chosen.iter().map(|person| person.id).collect();
        if people.is_empty() {
            people.push(self.found.get(self.selected)?.id);
        }
        self.busy = true;
        Some(Effect::Do(Deed::Add(group, people)))
    }
}
