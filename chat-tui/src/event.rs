//! Everything that can happen to the client.

use chat_core::{
    client::{ClientError, Event as LiveEvent},
    model::{
        ClientId, ConversationId, Entry, Member, Message, Profile, Row, Settings, Timestamp, UserId,
    },
    protocol::rest::{self, SignIn},
};

use crate::{
    app::{keymap::Key, slash::Errand, text::Plain, timeline::ItemId},
    deed::Deed,
    effect::Page,
    kept::Kept,
};

/// One thing that happened; time passes only by [`Event::Tick`].
#[derive(Debug)]
pub enum Event {
    /// It is now this late.
    Tick(Timestamp),
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// The mouse was used on something.
    Pointer(Gesture, Spot),
    /// The terminal got or lost the focus.
    Focus(bool),
    /// The terminal has another size.
    Resized,
    /// What the last drawing showed.
    Seen(Seen),
    /// The user's own editor was left, with this draft, or why there is none.
    Edited(ConversationId, Result<String, Plain>),
    /// The live connection has something to say.
    Live(LiveEvent),
    /// An attempt to sign in, or to go on with an earlier sign-in, is over.
    SignedIn(Result<Profile, ClientError>),
    /// What is kept on disk of whoever has just signed in.
    Remembered(Box<Kept>),
    /// The newest of a log that is kept on disk.
    Recalled(ConversationId, Vec<Entry>),
    /// A message is in the outbox, which survives whatever becomes of this process, or is not, and why.
    Queued(ConversationId, ClientId, Result<(), String>),
    /// The sign-in was ended, or could not be.
    SignedOut(Result<(), ClientError>),
    /// A stretch of the log of a conversation came, or did not.
    Page(ConversationId, Page, Result<Vec<Entry>, ClientError>),
    /// What the server was asked to do is done, or is not.
    Done(Deed, Result<(), ClientError>),
    /// A message came that was asked for by its name, or did not.
    Message(Result<Box<Message>, ClientError>),
    /// Who has read up to somewhere came, or did not.
    Readers(Result<Vec<Member>, ClientError>),
    /// The pinned messages of a conversation came, or did not.
    Pins(ConversationId, Result<Vec<Message>, ClientError>),
    /// Who is banned from a group came, or did not.
    Bans(ConversationId, Result<Vec<Profile>, ClientError>),
    /// Whom I have blocked came, or did not.
    Blocks(Result<Vec<Profile>, ClientError>),
    /// What I let others know came, or did not.
    Settings(Result<Settings, ClientError>),
    /// Where I am signed in came, or did not.
    SignIns(Result<Vec<SignIn>, ClientError>),
    /// The answer to a search: by which number it was asked for, a page of what was found, and where.
    Searched(u64, Result<rest::Page<Message>, ClientError>, Source),
    /// The members of a conversation came, or did not.
    Members(ConversationId, Result<Vec<Member>, ClientError>),
    /// A person came, or did not.
    Person(UserId, Result<Profile, ClientError>),
    /// The answer to a search for people: by which number it was asked for, and who was found.
    Found(u64, Result<Vec<Profile>, ClientError>),
    /// Who has this user name came, for an errand, or did not; none if nobody has it.
    Whois(String, Errand, Result<Option<Profile>, ClientError>),
    /// An address was opened; or was copied instead, and why.
    Opened(Result<(), Plain>),
    /// A conversation that was to be started is there, or is not.
    Started(Result<Box<Row>, ClientError>),
    /// The client cannot stop, because nobody could let it go on.
    NotSuspended,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The server.
    Server,
    /// The disk: the server cannot be reached.
    Disk,
}

/// What the last drawing showed: what only the layout can know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Of this conversation.
    pub conversation: Option<ConversationId>,
    /// The uppermost row of a text, and how many rows it is below the top.
    pub top: Option<(Anchor, isize)>,
    /// The newest of all is on the screen.
    pub at_end: bool,
    /// The newest of an earlier stretch is on the screen, or nearly.
    pub near_end: bool,
    /// The oldest of what is held is on the screen, or nearly.
    pub near_start: bool,
    /// The rows that messages have.
    pub page: usize,
    /// The columns that the draft has.
    pub draft_columns: usize,
    /// The lines a scrolling dialog can still be scrolled.
    pub dialog_rest: usize,
    /// The place of the uppermost conversation of the list that is shown.
    pub list_top: usize,
}

/// What is done with the mouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gesture {
    /// Its button is pressed.
    Press,
    /// Its wheel is turned back by a notch.
    WheelUp,
    /// Its wheel is turned on by a notch.
    WheelDown,
}

/// What was drawn where the mouse is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// The list, where there is no conversation.
    List,
    /// A conversation in the list.
    Conversation(ConversationId),
    /// The timeline, where there is no message.
    Timeline,
    /// A message, or what stands above it.
    Message(ItemId),
    /// A cell of the draft.
    Draft {
        /// Which row of all.
        row: usize,
        /// Which column.
        column: usize,
    },
    /// A name that is offered for what is being written, from the top.
    Offer(usize),
    /// A dialog, where nothing can be chosen.
    Dialog,
    /// A row of a dialog, from the top of all.
    Row(usize),
    /// A key in the key bar.
    Key(Key),
}

/// A row of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// What it belongs to.
    pub item: ItemId,
    /// Which row of it, from the first row of its text; what stands above that counts back from -1.
    pub row: isize,
}
