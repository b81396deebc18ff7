//! The chat's routes inside an axum application that has its own users and tokens.

use std::net::SocketAddr;

use axum::{Router, routing::get};
use chat_core::{
    Chat,
    model::{Timestamp, UserId},
};
use chat_server::{AuthError, Authenticate, Identity};

/// The application's own sign-in. Here a token is simply the id of a user; yours would be checked.
struct OurTokens;

impl Authenticate for OurTokens {
    async fn authenticate(&self, token: &str) -> Result<Identity, AuthError> {
        let Ok(user_id) = token.parse::<UserId>() else {
            return Err(AuthError::Invalid("this token is not one of ours"));
        };
        let in_an_hour = Timestamp::from_millis(Timestamp::now().as_millis() + 3_600_000);
        Ok(Identity {
            user_id,
            sign_in: token.to_owned(),
            expires_at: in_an_hour,
        })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let chat = Chat::builder().start().await?;
    let app = Router::new()
        .route(
            "/",
            get(|| async { "an application with a chat under /chat" }),
        )
        .nest("/chat", chat_server::router(chat.clone(), OurTokens));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let (address, you) = (listener.local_addr()?, UserId::new());
    #[expect(
        clippy::print_stdout,
        reason = "whoever runs the example wants to try it"
    )]
    {
        println!("listening on http://{address}; try:");
        println!("curl -H 'Authorization: Bearer {you}' http://{address}/chat/conversations");
    }
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async {
        // Ctrl-C, or no way to hear of it: either way it is time to stop.
        let _ = tokio::signal::ctrl_c().await;
    })
    .await?;
    chat.shutdown().await;
    Ok(())
}
