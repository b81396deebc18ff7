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

pub use conversation::{Conversation, ConversationKind, Title};
pub use entry::{Change, Entry};
pub use id::{ClientId, ConversationId, MessageId, NodeId, SessionId, StoreEpoch, UserId};
pub use member::{Member, Membership, Role};
pub use message::{Draft, Message, Reaction};
pub use presence::{Presence, Status};
pub use row::{Mine, Row, Unread};
pub use time::Timestamp;
pub use user::Profile;

/// The place of an entry in the log of its conversation: 1, 2, 3 … without holes.
///
/// As a cursor, `n` means "I have applied everything up to and including `n`"; 0 is "nothing yet".
pub type Seq = u64;
