//! The wire: frames of the socket, bodies of REST, codes of errors and of closing.

mod code;
mod frame;
mod problem;
pub mod rest;

pub use code::{CloseCode, ErrorCode};
pub use frame::{Ack, Announced, BadFrame, ClientCommand, ClientFrame, Hello, ServerFrame, Signal};
pub use problem::{FieldError, Problem};

/// The subprotocol of the socket.
pub const SUBPROTOCOL: &str = "chat.v1";
