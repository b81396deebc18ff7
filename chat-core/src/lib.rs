//! An embeddable chat engine: rooms, presence and message fan-out over pluggable storage.
//!
//! *A conversation is a log. A room is the part of that log that this node holds in memory. A session is a set of
//! cursors.* Joining, reconnecting, reading slowly and missing a hint of the bus are all the same thing, a cursor that is
//! behind, and the same code heals them: read the room's window, else the store.
//!
//! # A chat in forty lines
//!
//! ```
//! use chat_core::{Chat, model::{ClientId, Draft, UserId}, protocol::ServerFrame};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), chat_core::Error> {
//! // Everything has a default: a store in memory, one node, everybody exists, everything may be said.
//! let chat = Chat::builder().start().await?;
//!
//! // Users are yours. The engine knows them by their ids and asks your `Directory` for the rest.
//! let (ana, ben) = (UserId::new(), UserId::new());
//! let (row, is_new) = chat.direct(ana, ben).await?;
//! assert!(is_new);
//! let conversation = row.conversation.id;
//!
//! // A session is one connected client. Joining after a cursor replays what came after it, then follows live.
//! let mut session = chat.connect(ben).await?;
//! session.join(conversation, Some(0)).await?;
//!
//! // When `send` returns, the message is durable. A retry with the same `client_id` has no second effect, for ever.
//! let draft = Draft { client_id: ClientId::new(), body: "Lunch?".to_owned(), reply_to: None };
//! let sent = chat.send(ana, conversation, draft.clone()).await?;
//! assert!(chat.send(ana, conversation, draft).await?.repeated);
//!
//! // The next frames for this client: JSON that is ready for the wire, or decoded for use right here.
//! let got = 'got: loop {
//!     for frame in &session.next().await? {
//!         if let Some(ServerFrame::Log(entry)) = frame.decode() {
//!             break 'got entry;
//!         }
//!     }
//! };
//! assert_eq!(got.message(), Some(&sent.message));
//!
//! // What is unread is derived from the log and the cursor; it cannot drift.
//! assert_eq!(chat.row(ben, conversation).await?.unread.count, 1);
//! chat.mark_read(ben, conversation, got.seq).await?;
//! assert_eq!(chat.row(ben, conversation).await?.unread.count, 0);
//!
//! session.close();
//! chat.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Where things are
//!
//! - [`Chat`] is the handle; [`Builder`] chooses its parts; [`Session`] is one connected client; [`Stats`] are the numbers
//!   of whoever operates it.
//! - [`store`] has the four traits of a store with their contracts, [`MemoryStore`](store::MemoryStore), with the feature
//!   `sqlite` a store in a file, with `postgres` one in a PostgreSQL database that several nodes may share, and with
//!   `testing` the suite that every store passes, yours included.
//! - [`Directory`] tells who the users are, [`access::Policy`] who may say what, [`bus`] how several nodes on one store hear
//!   of each other.
//! - [`model`] has the nouns and [`protocol`] the wire; both ends speak them.
//! - `client` (feature `client`) is the other end: REST, the socket, reconnecting, an outbox, no gap and no duplicate.
//!
//! # Features
//!
//! None is on by default. `sqlite` and `postgres`: the stores. `client`: the client library. `testing`: the
//! conformance suite and, with `postgres`, a private server to run it on. `openapi`: schemas of the model and
//! the wire. `bugs`: for this project's own tests only.

#![warn(missing_docs)]

pub mod access;
mod append;
mod batch;
#[cfg(any(test, feature = "bugs"))]
pub mod bug;
mod builder;
pub mod bus;
mod chat;
#[cfg(feature = "client")]
pub mod client;
mod cluster;
mod directory;
mod engine;
mod error;
mod frame;
mod herald;
mod hub;
mod inbox;
mod indexer;
mod limits;
mod mention;
pub mod model;
mod nodes;
mod presence;
pub mod protocol;
mod room;
mod row_marks;
mod session;
#[cfg(test)]
mod simulation;
mod source;
mod stats;
pub mod store;
#[cfg(all(feature = "testing", any(feature = "nats", feature = "postgres")))]
pub mod testing;
mod typing;
mod window;

pub use batch::{Batch, Iter};
pub use builder::Builder;
pub use chat::{Chat, NewGroup, Query, Sent};
pub use directory::{Directory, OpenDirectory};
pub use error::Error;
pub use frame::Frame;
pub use limits::Limits;
pub use session::{Joined, Session, TryNext};
pub use stats::{Histogram, Stats};
