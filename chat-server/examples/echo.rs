//! Says what it is told, over the sockets of the server: what the Autobahn suite talks to. `tests/autobahn/run` starts it.

use std::io::Write;

use axum::{Router, routing::get};
use chat_core::Chat;
use chat_server::{Api, AuthError, Authenticate, Identity, Settings};
use tokio::net::TcpListener;

/// The largest messages of the suite have 16 MiB.
const MAX_FRAME_BYTES: usize = 20 * 1024 * 1024;

struct Nobody;

impl Authenticate for Nobody {
    async fn authenticate(&self, _token: &str) -> Result<Identity, AuthError> {
        Err(AuthError::Invalid("nobody signs in here"))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut settings = Settings::default();
    settings.limits.max_frame_bytes = MAX_FRAME_BYTES;
    let api = Api::new(Chat::builder().start().await?, Nobody, settings);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    let routes = Router::new().route("/ready", get(|| async { "ready" }));
    Ok(axum::serve(listener, routes.merge(api.echo())).await?)
}
