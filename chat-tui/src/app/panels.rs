//! Lists above the conversations: readers, pinned messages, members, sign-ins.

use chat_core::{
    model::{ConversationId, Seq, SignInId, Timestamp, UserId},
    protocol::rest::SignIn,
};

use super::{search::Hit, text::Plain};

/// What was asked for: it is on its way, here, or did not come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Loading<T> {
    /// On its way.
    #[default]
    Waiting,
    /// Here.
    Here(T),
    /// It did not come, and why.
    Failed(Plain),
}

impl<T> Loading<Vec<T>> {
    /// What is here.
    #[must_use]
    pub fn items(&self) -> &[T] {
        match self {
            Self::Here(items) => items,
            Self::Waiting | Self::Failed(_) => &[],
        }
    }
}

/// Moves a selection by so many places in a list of this length, as far as it goes.
pub(super) fn go(selected: &mut usize, by: isize, length: usize) {
    *selected = selected
        .saturating_add_signed(by)
        .min(length.saturating_sub(1));
}

/// Who has read a message.
#[derive(Debug)]
pub struct Readers {
    /// The message.
    pub seq: Seq,
    /// Who said it.
    pub sender: UserId,
    /// Who has read it, its sender left out.
    pub readers: Loading<Vec<UserId>>,
    /// Scrolled down by so many lines.
    pub line: usize,
}

impl Readers {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(seq: Seq, sender: UserId) -> Self {
        Self {
            seq,
            sender,
            readers: Loading::Waiting,
            line: 0,
        }
    }
}

/// The pinned messages of a conversation.
#[derive(Debug)]
pub struct Pins {
    /// Which.
    pub conversation: ConversationId,
    /// What is pinned, the newest first.
    pub pins: Loading<Vec<Hit>>,
    /// Which of it, from the top.
    pub selected: usize,
}

/// The members of the open group. Who they are is in its [`Chat`](super::chat::Chat).
#[derive(Debug)]
pub struct Members {
    /// The group.
    pub conversation: ConversationId,
    /// Who is banned; not asked for where I may not know it.
    pub banned: Vec<UserId>,
    /// Which of all, from the top.
    pub selected: usize,
}

/// Where I am signed in.
#[derive(Debug, Default)]
pub struct SignIns {
    /// The places, the newest first.
    pub places: Loading<Vec<Place>>,
    /// Which of them, from the top.
    pub selected: usize,
}

/// Where I am signed in: one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub id: SignInId,
    /// It is here.
    pub here: bool,
    /// The program, by its own account.
    pub program: Plain,
    /// The address.
    pub address: Plain,
    /// When I signed in.
    pub since: Timestamp,
    /// When it was last used.
    pub used: Timestamp,
}

impl Place {
    /// Makes a sign-in safe to show.
    #[must_use]
    pub fn new(sign_in: &SignIn) -> Self {
        let or_unknown = |text: &Option<String>, unknown| match text.as_deref() {
            Some(text) if !text.is_empty() => Plain::line(text),
            _ => Plain::line(unknown),
        };
        Self {
            id: sign_in.id,
            here: sign_in.current,
            program: or_unknown(&sign_in.user_agent, "an unknown program"),
            address: or_unknown(&sign_in.address, "an unknown address"),
            since: sign_in.created_at,
            used: sign_in.last_used_at,
        }
    }
}
