//! The client library: calls over REST, and a live connection that reconnects by itself and leaves no gap.
//!
//! A [`Client`] is a server and who I am there; its methods are the calls of the REST interface. [`Client::live`] opens
//! the live connection: [`Live`] says what the application wants, [`LiveEvents`] tells what happens.
//!
//! ```no_run
//! use chat_core::{
//!     client::{Client, ClientError, Event},
//!     model::{ClientId, Draft},
//! };
//!
//! # async fn run() -> Result<(), ClientError> {
//! let client = Client::new("https://chat.example.org")?;
//! client.login("ada", "correct horse battery staple").await?;
//! let (live, mut events) = client.live();
//!
//! while let Some(event) = events.next().await {
//!     match event {
//!         // The whole list first, then what changes. Rows of other conversations may be on their way already.
//!         Event::Rows { rows, .. } => {
//!             for row in rows {
//!                 live.open(row.conversation.id, row.conversation.head_seq);
//!             }
//!         }
//!         Event::Entry(entry) => {
//!             let Some(message) = entry.message() else { continue };
//!             println!("{}", message.body);
//!             if message.body == "ping" {
//!                 let (client_id, body) = (ClientId::new(), "pong".to_owned());
//!                 live.send(entry.conversation_id, Draft { client_id, body, reply_to: None });
//!             }
//!         }
//!         Event::Link(state) => println!("{state:?}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Calls tell by their error what to do: [`ClientError`] has one kind for each answer to that question.
//!
//! ```no_run
//! use chat_core::{
//!     client::{Client, ClientError},
//!     model::Message,
//!     protocol::ErrorCode,
//! };
//!
//! # async fn edit(client: &Client, message: &Message) -> Result<(), ClientError> {
//! let (conversation, id) = (message.conversation_id, message.id);
//! match client.edit_message(conversation, id, "pears, not apples").await {
//!     Ok(edited) => println!("{}", edited.body),
//!     Err(error) if error.code() == Some(ErrorCode::Forbidden) => println!("it is not yours"),
//!     Err(error) if error.retryable() => println!("{error}; try again"),
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Messages`] puts pages of history and the entries of the live connection together, in whatever order they come.
//!
//! # What can be relied on
//!
//! - The entries of an opened conversation come once each, in order, without a gap, however often the connection breaks.
//! - A message in the outbox is sent until the server accepts or refuses it, with one effect and one last word:
//!   [`Event::Sent`] or [`Event::SendFailed`]. Messages to the same conversation keep their order.
//! - Read cursors are told until the server has them; my own is in the row, where it shows too that another device of mine
//!   set it back.
//! - Edits, deletions, reactions, pins and all else that is not a send or a cursor are calls with an answer: what may be done
//!   twice is asked twice when the connection breaks, and an error is the caller's to show.
//! - Whom to watch, and that nobody sits at this device, is told to each connection anew.
//! - After [`Link::Online`] the list, put together from [`Event::Rows`], is what the server holds, and stays so.
//! - A slow application loses nothing: the connection then stops reading.
//! - Nothing the server sends makes this panic or grow without bound.

mod error;
mod event;
#[cfg(test)]
mod fake_server;
mod http;
mod live;
mod messages;
mod outbox;
mod reconnect;
mod rest;
mod sign_in;
#[cfg(test)]
pub(crate) mod simulated;
mod socket;
mod sync;
mod task;
#[cfg(test)]
mod tests;
mod token_store;
mod wants;

use std::sync::Arc;

use tokio::sync::watch;

pub use error::ClientError;
pub use event::{Event, Link};
pub use live::{Live, LiveEvents, LiveOptions};
pub use messages::Messages;
pub use sign_in::Tokens;
pub use token_store::{BorrowedToken, TokenStore};

use crate::model::UserId;
use http::Http;
use sign_in::SignIn;

/// A server, and who I am there. Clones share the sign-in.
///
/// The access token is renewed as needed, by one request at a time whatever is under way.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Http,
    sign_in: Arc<SignIn>,
}

impl Client {
    /// A client that is not signed in. `server` is `http://host:port` or `https://…`, with or without a path prefix;
    /// anything else is [`ClientError::Address`].
    pub fn new(server: &str) -> Result<Self, ClientError> {
        Ok(Self::of(Http::new(server)?, None))
    }

    /// The same with a store of the sign-in that other processes use as well: they share it instead of ending it for each
    /// other. What [`login`](Self::login) and [`register`](Self::register) bring, the application stores itself, at once;
    /// what comes later the client does.
    pub fn with_token_store(server: &str, store: Arc<dyn TokenStore>) -> Result<Self, ClientError> {
        Ok(Self::of(Http::new(server)?, Some(store)))
    }

    /// The same for a server whose certificate only these authorities vouch for, given in PEM. Those of the system are
    /// trusted as well.
    pub fn trusting(server: &str, authorities: &[u8]) -> Result<Self, ClientError> {
        Ok(Self::of(Http::trusting(server, authorities)?, None))
    }

    fn of(http: Http, store: Option<Arc<dyn TokenStore>>) -> Self {
        let sign_in = Arc::new(SignIn::new(store));
        Self(Arc::new(Inner { http, sign_in }))
    }

    /// The present refresh token and each later one: the application stores it whenever it changes, so that
    /// [`resume`](Self::resume) works after a restart. `None`: signed out.
    #[must_use]
    pub fn refresh_tokens(&self) -> watch::Receiver<Option<String>> {
        self.sign_in().refresh_tokens()
    }

    /// The present sign-in, for an application that speaks to the server by other means as well.
    #[must_use]
    pub fn tokens(&self) -> Option<Tokens> {
        self.sign_in().tokens()
    }

    /// Who is signed in.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.sign_in().user()
    }

    /// Opens the live connection and keeps it open until [`Live::close`], or until the handle and all clones are
    /// dropped.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn live(&self) -> (Live, LiveEvents) {
        self.live_with(LiveOptions::default())
    }

    /// The same with other [options](LiveOptions).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn live_with(&self, options: LiveOptions) -> (Live, LiveEvents) {
        live::start(self, options)
    }

    fn http(&self) -> &Http {
        &self.0.http
    }

    fn sign_in(&self) -> &Arc<SignIn> {
        &self.0.sign_in
    }
}
