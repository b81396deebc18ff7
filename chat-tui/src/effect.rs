//! What the state asks of the world.

use std::fmt;

use chat_core::model::{ClientId, ConversationId, Draft, Seq, Title, UserId};

/// One thing to be done outside of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Sign in, or make an account.
    SignIn(Credentials),
    /// Go on with the earlier sign-in.
    Resume,
    /// End the sign-in, here and on the server.
    SignOut,
    /// Close the connection, and try no longer to go on with the sign-in.
    Forget,
    /// Follow a conversation after this place.
    Open(ConversationId, Seq),
    /// Follow it no longer.
    Leave(ConversationId),
    /// Put a message into the outbox.
    Send(ConversationId, Draft),
    /// Take it out again.
    Discard(ClientId),
    /// I have read up to here.
    MarkRead(ConversationId, Seq),
    /// I am typing, or no longer.
    Typing(ConversationId, bool),
    /// Whose presence I want to be told.
    Watch(Vec<UserId>),
    /// Connect now instead of waiting.
    RetryNow,
    /// Older entries.
    Older {
        /// Of this conversation.
        conversation: ConversationId,
        /// After this place.
        after: Seq,
        /// So many.
        limit: usize,
    },
    /// Who belongs to a conversation.
    Members(ConversationId),
    /// Who somebody is.
    Person(UserId),
    /// People by a few letters of their names.
    FindUsers {
        /// The letters.
        query: String,
        /// Comes back with the answer.
        ticket: u64,
    },
    /// Start, or find, the direct conversation with somebody.
    Direct(UserId),
    /// Start a group.
    CreateGroup {
        /// Its title.
        title: Title,
        /// Who belongs to it besides me.
        members: Vec<UserId>,
    },
    /// Draw every cell anew.
    Redraw,
    /// End the program.
    Quit,
}

/// What somebody signs in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The address of the server.
    pub server: String,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
    /// Make a new account.
    pub register: bool,
    /// How others see the new user.
    pub display_name: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("server", &self.server)
            .field("username", &self.username)
            .field("register", &self.register)
            .finish_non_exhaustive()
    }
}
