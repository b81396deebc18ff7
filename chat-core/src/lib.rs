//! An embeddable chat engine.

pub mod access;
mod append;
mod builder;
pub mod bus;
mod chat;
#[cfg(feature = "client")]
pub mod client;
mod directory;
mod error;
mod hub;
mod limits;
pub mod model;
mod presence;
pub mod protocol;
mod room;
mod session;
pub mod store;
mod typing;

pub use builder::Builder;
pub use chat::{Chat, Sent};
pub use directory::{Directory, OpenDirectory};
pub use error::Error;
pub use limits::Limits;
pub use session::{Frame, Joined, Session};
