//! What the state asks of the world.

use std::fmt;

use chat_core::model::{
    Availability, ClientId, ConversationId, Draft, MessageId, Seq, Title, UserId,
};

use crate::{
    app::{address::Address, slash::Errand, text::Plain},
    config::Preferences,
    deed::Deed,
    kept::KeptDraft,
};

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
    /// What is kept on disk of this conversation.
    Recall(ConversationId),
    /// Put the draft of this conversation into the outbox.
    Send(ConversationId, Draft),
    /// Put a message into the outbox that was in it before.
    Resend {
        /// Where.
        conversation: ConversationId,
        /// What.
        draft: Draft,
        /// Its name until now, if it has another one.
        replaces: Option<ClientId>,
    },
    /// Keep on disk what stands in a composer.
    KeepDraft(ConversationId, Box<KeptDraft>),
    /// Take it out again.
    Discard(ClientId),
    /// I have read up to here.
    MarkRead(ConversationId, Seq),
    /// What comes after this is unread again.
    MarkUnread(ConversationId, Seq),
    /// I am typing, or no longer.
    Typing(ConversationId, bool),
    /// Whose presence I want to be told.
    Watch(Vec<UserId>),
    /// Connect now instead of waiting.
    RetryNow,
    /// A stretch of a log.
    Page {
        /// Of this conversation.
        conversation: ConversationId,
        /// What it is for.
        page: Page,
        /// After this place.
        after: Seq,
        /// So many.
        limit: usize,
        /// All that became of what is kept of it on disk has been heard.
        is_kept_up: bool,
    },
    /// Something to be done at the server.
    Do(Deed),
    /// The place of a message.
    Find(ConversationId, MessageId),
    /// Who has read up to here.
    Readers(ConversationId, Seq),
    /// The pinned messages of a conversation.
    Pins(ConversationId),
    /// Who is banned from a group.
    Bans(ConversationId),
    /// Whom I have blocked.
    Blocks,
    /// What I let others know.
    Settings,
    /// Where I am signed in.
    SignIns,
    /// Messages with these words.
    Search {
        /// The words.
        query: String,
        /// Only here.
        conversation: Option<ConversationId>,
        /// After the page that told this.
        cursor: Option<String>,
        /// Comes back with the answer.
        ticket: u64,
    },
    /// How I want to be seen.
    SetPresence(Availability),
    /// Put a text where other programs can paste it.
    Copy(String),
    /// Let the user write this draft in their own editor.
    Editor(ConversationId, String),
    /// The mouse is for this client, or for the terminal.
    Mouse(bool),
    /// Open an address of the web or of mail; where nobody would see it, copy it.
    OpenAddress(Address),
    /// Make a noise, and tell why.
    Notify(Notification),
    /// Keep how the user wants this client to be.
    Keep(Preferences),
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
    /// Who has this user name, for an errand.
    Whois(String, Errand),
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
    /// Stop until the user comes back, as any program of a shell.
    Suspend,
    /// End the program.
    Quit,
}

/// What a stretch of a log is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// It comes before what is shown.
    Older,
    /// It comes after what is shown.
    Newer,
    /// It is to be shown itself, with this place selected.
    At(Seq),
}

/// Something that makes itself heard while nobody looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Who or where.
    pub title: Plain,
    /// What.
    pub text: Plain,
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
