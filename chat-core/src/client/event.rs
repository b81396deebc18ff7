//! What the live connection tells an application.

use std::time::Duration;

use crate::{
    model::{ClientId, ConversationId, Entry, Message, Presence, Row, Seq, UserId},
    protocol::{Hello, Problem},
};

/// One thing that an application should know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The connection is now in this state.
    Link(Link),
    /// These rows of the list are new or changed. The first one after [`Client::live`](super::Client::live), and after
    /// [`Restored`](Self::Restored), holds the whole list. The presence of a direct conversation's peer is as it was when the
    /// row was told: what becomes of it comes as [`Presence`](Self::Presence) of those who are watched.
    Rows {
        /// To be put in the place of older ones.
        rows: Vec<Row>,
        /// No longer in the list.
        gone: Vec<ConversationId>,
        /// `rows` is the whole list: what is not in it is gone.
        snapshot: bool,
    },
    /// The next entry of an opened conversation. No gap, no duplicate: `seq` is one more than that of the last one, or where
    /// my history begins later (`me.history_from` of the row), that place.
    Entry(Box<Entry>),
    /// The server's store was restored from a backup: forget what you hold of all conversations and open them anew; none
    /// is open any more. The outbox is kept.
    Restored,
    /// A message of the outbox was accepted; it also comes, or came, as an entry if its conversation is open.
    Sent(Box<Message>),
    /// A message of the outbox was refused for good and is no longer in it.
    SendFailed {
        /// Where.
        conversation_id: ConversationId,
        /// Which.
        client_id: ClientId,
        /// Why.
        problem: Box<Problem>,
    },
    /// An opened conversation cannot be followed any more: I left it, was removed, or it was deleted.
    Closed {
        /// Which.
        conversation_id: ConversationId,
        /// Why.
        problem: Box<Problem>,
    },
    /// Somebody else has read up to here, at least. Up to where I have read is in the row, `me.read_seq`: it can be set back.
    Read {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_id: UserId,
        /// Up to where.
        seq: Seq,
    },
    /// A device of somebody else has the log up to here, at least. Who has read up to somewhere has it up to there.
    Delivered {
        /// Where.
        conversation_id: ConversationId,
        /// Whose.
        user_id: UserId,
        /// Up to where.
        seq: Seq,
    },
    /// A watched user's presence is now this.
    Presence(Presence),
    /// Who is typing now: the whole set, myself not in it.
    Typing {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_ids: Vec<UserId>,
    },
}

/// The state of the connection.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Link {
    /// A connection is being made.
    Connecting,
    /// Connected, authenticated, the list is up to date.
    Online(Box<Hello>),
    /// Not connected; the next try is after this time.
    Waiting {
        /// How long from now.
        retry_in: Duration,
        /// What went wrong, for people.
        reason: String,
    },
    /// The sign-in is no longer valid, or the server will not have this client any more: nothing more happens until the
    /// user signs in again and [`Live::retry_now`](super::Live::retry_now) is called.
    SignedOut {
        /// What went wrong, for people.
        reason: String,
    },
}
