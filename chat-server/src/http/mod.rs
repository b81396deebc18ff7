//! The REST routes, all on one screen.

pub(crate) mod accounts;
mod conversations;
pub(crate) mod error;
pub(crate) mod extract;
pub(crate) mod health;
mod members;
mod messages;
pub(crate) mod users;

use axum::{
    Router,
    routing::{get, post, put},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{state::Shared, ws};

/// The routes of the chat itself, below `/api/v1`.
pub(crate) fn chat_routes() -> Router<Shared> {
    Router::new()
        .route("/ws", get(ws::upgrade))
        .route(
            "/conversations",
            get(conversations::list).post(conversations::create),
        )
        .route("/conversations/changes", post(conversations::changes))
        .route(
            "/conversations/{id}",
            get(conversations::row).patch(conversations::rename),
        )
        .route("/conversations/{id}/members", get(members::list))
        .route(
            "/conversations/{id}/members/{user_id}",
            put(members::put).delete(members::remove),
        )
        .route(
            "/conversations/{id}/messages",
            get(messages::history).post(messages::send),
        )
        .route("/conversations/{id}/events", get(messages::events))
        .route("/conversations/{id}/read", put(messages::mark_read))
        .route("/direct/{user_id}", put(conversations::direct))
}

/// The routes of the server's own accounts, below `/api/v1`.
pub(crate) fn account_routes() -> Router<accounts::Desk> {
    Router::new()
        .route("/auth/register", post(accounts::register))
        .route("/auth/login", post(accounts::login))
        .route("/auth/refresh", post(accounts::refresh))
        .route("/auth/logout", post(accounts::logout))
        .route("/users", get(users::search))
        .route("/users/me", get(users::me).patch(users::patch_me))
        .route("/users/{id}", get(users::one))
}

/// The routes for whoever operates the server, below the root.
pub(crate) fn health_routes() -> Router<Shared> {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
}

/// Completes routes: everything else is refused in the same form, and every answer gets its headers.
pub(crate) fn finish(routes: Router) -> Router {
    routes
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn(error::envelope))
}
