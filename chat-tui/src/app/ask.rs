//! Questions before what cannot be undone, and small texts that are asked for.

use chat_core::model::{ConversationId, Title, Topic};

use super::{composer::Composer, text::Plain};
use crate::{deed::Deed, effect::Effect};

/// Whether something is meant.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is asked.
    pub text: Plain,
    /// What happens then.
    pub then: Effect,
}

impl Question {
    /// Asks before the sign-in here ends.
    #[must_use]
    pub fn sign_out() -> Self {
        Self {
            text: Plain::line("Sign out here? What was not sent yet waits until you come back."),
            then: Effect::SignOut,
        }
    }

    /// Asks before the server does something.
    #[must_use]
    pub fn before(deed: Deed, text: &str) -> Self {
        Self {
            text: Plain::line(text),
            then: Effect::Do(deed),
        }
    }
}

/// What a text is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The title of a group.
    Title(ConversationId),
    /// The topic of a group.
    Topic(ConversationId),
    /// My name.
    Name,
}

/// A text that is asked for.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// For what.
    pub wanted: Wanted,
    /// What is written so far.
    pub value: Composer,
    /// What is wrong with it.
    pub error: Option<Plain>,
}

impl Prompt {
    /// Asks for a text that is this so far.
    #[must_use]
    pub fn new(wanted: Wanted, so_far: &str) -> Self {
        let mut value = Composer::default();
        value.set(so_far);
        Self {
            wanted,
            value,
            error: None,
        }
    }

    /// What stands above it.
    #[must_use]
    pub const fn title(&self) -> &'static str {
        match self.wanted {
            Wanted::Title(_) => "Name of the group",
            Wanted::Topic(_) => "Topic of the group",
            Wanted::Name => "Your name",
        }
    }

    /// What is to be done with the text, if it is as it must be.
    pub fn enter(&mut self) -> Option<Deed> {
        let text = self.value.text().trim().to_owned();
        let deed = match self.wanted {
            Wanted::Title(id) => Title::try_from(text).map(|title| Deed::Rename(id, title)),
            Wanted::Topic(id) if text.is_empty() => Ok(Deed::Topic(id, None)),
            Wanted::Topic(id) => Topic::try_from(text).map(|topic| Deed::Topic(id, Some(topic))),
            Wanted::Name if text.is_empty() => Err("a name needs at least one visible character"),
            Wanted::Name => Ok(Deed::RenameMe(text)),
        };
        match deed {
            Ok(deed) => Some(deed),
            Err(why) => {
                self.error = Some(Plain::line(why));
                None
            }
        }
    }
}
