//! The nouns that both ends of a chat speak, as they travel on the wire.

mod conversation;
mod entry;
mod id;
mod member;
mod message;
mod presence;
mod row;
mod time;
mod user;

pub use conversation::{Conversation, ConversationKind, History, Title, Topic};
pub use entry::{Change, Entry};
pub use id::{
    ClientId, ConversationId, MessageId, NodeId, SessionId, SignInId, StoreEpoch, UserId,
};
pub use member::{Member, Membership, Role};
pub use message::{Draft, Emoji, Message, Reaction};
#[cfg(feature = "openapi")]
pub(crate) use presence::lasting_availability;
pub use presence::{Availability, Presence, Status};
pub use row::{Mine, MineChanges, Notify, Row, Unread};
pub use time::Timestamp;
pub use user::{Profile, Settings};

/// The place of an entry in the log of its conversation: 1, 2, 3 … without holes.
///
/// As a cursor, `n` means "I have applied everything up to and including `n`"; 0 is "nothing yet".
pub type Seq = u64;
