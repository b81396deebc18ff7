//! The chat engine over REST and WebSocket: a server of its own, or routes inside any axum application.
//!
//! # Inside your application
//!
//! Bring your users: say who a bearer token belongs to, and mount the routes where you like.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use chat_core::{Chat, model::{Timestamp, UserId}};
//! use chat_server::{AuthError, Authenticate, Identity};
//!
//! struct MyTokens;
//!
//! impl Authenticate for MyTokens {
//!     async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
//!         // Ask your own sign-in here.
//!         let user_id: UserId = token
//!             .parse()
//!             .map_err(|_| AuthError::Invalid("this token is not one of ours"))?;
//!         let in_an_hour = Timestamp::now().as_millis() + 3_600_000;
//!         Ok(Identity {
//!             user_id,
//!             sign_in: token.to_owned(),
//!             expires_at: Timestamp::from_millis(in_an_hour),
//!         })
//!     }
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let chat = Chat::builder().start().await?;
//! let app = Router::new()
//!     .route("/", get(|| async { "my application" }))
//!     .nest("/api/v1", chat_server::router(chat.clone(), MyTokens));
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, app).await?;
//! chat.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`Api`] has more to set, and drains the sockets when your application stops. With
//! `into_make_service_with_connect_info::<SocketAddr>()` callers without a token are counted by their address; without
//! it they all share one count.
//!
//! # A server of its own
//!
//! [`Server`] is what the binary runs: its own accounts, one file for everything, an accept loop that hostile clients do not
//! hold up, and a graceful stop.

mod api;
mod auth;
mod config;
mod database;
mod http;
mod limits;
mod listener;
mod metrics;
mod server;
mod state;
mod stream;
pub mod telemetry;
mod ws;

pub use api::{Api, Settings, router};
pub use auth::{AuthError, Authenticate, Identity, Registration};
pub use config::{Config, ConfigError};
pub use database::{Database, DatabaseError, PostgresUrl};
pub use listener::{ProxyNetwork, TlsError, TlsFiles};
pub use server::{Server, StartError};
