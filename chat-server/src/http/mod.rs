//! The REST routes, all on one screen.

#![expect(
    unused_qualifications,
    reason = "`utoipa::path` qualifies what its attribute names"
)]

pub(crate) mod accounts;
mod blocks;
mod conversations;
pub(crate) mod cursors;
pub(crate) mod docs;
pub(crate) mod error;
pub(crate) mod extract;
pub(crate) mod health;
mod log;
mod members;
mod messages;
pub(crate) mod openapi;
mod page;
mod path;
mod pins;
mod reactions;
mod search;
mod settings;
pub(crate) mod users;

use axum::Router;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{state::Shared, ws};

/// The routes of the chat itself, below `/api/v1`.
pub(crate) fn chat_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(conversations::list, conversations::create))
        .routes(routes!(conversations::changes))
        .routes(routes!(
            conversations::row,
            conversations::update,
            conversations::delete
        ))
        .routes(routes!(conversations::update_mine))
        .routes(routes!(conversations::direct))
        .routes(routes!(members::list))
        .routes(routes!(members::put, members::remove))
        .routes(routes!(members::banned))
        .routes(routes!(members::lift_ban))
        .routes(routes!(messages::history, messages::send))
        .routes(routes!(messages::one, messages::edit, messages::delete))
        .routes(routes!(reactions::put, reactions::remove))
        .routes(routes!(pins::put, pins::remove))
        .routes(routes!(pins::list))
        .routes(routes!(log::events))
        .routes(routes!(cursors::mark_read))
        .routes(routes!(cursors::mark_delivered))
        .routes(routes!(cursors::readers))
        .routes(routes!(search::messages))
        .routes(routes!(settings::read, settings::update))
        .routes(routes!(blocks::list))
        .routes(routes!(blocks::put, blocks::remove))
        .routes(routes!(ws::upgrade))
}

/// The routes of the server's own accounts, below `/api/v1`.
pub(crate) fn account_routes() -> OpenApiRouter<accounts::Desk> {
    OpenApiRouter::default()
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::login))
        .routes(routes!(accounts::refresh))
        .routes(routes!(accounts::logout))
        .routes(routes!(accounts::sign_ins))
        .routes(routes!(accounts::end_sign_in))
        .routes(routes!(users::search))
        .routes(routes!(users::me, users::patch_me))
        .routes(routes!(users::one))
}

/// The routes for whoever operates the server, below the root.
pub(crate) fn health_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::default()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
}

/// Completes routes: everything else is refused in the same form, and every answer gets its headers.
pub(crate) fn finish(routes: Router, state: &Shared) -> Router {
    let complete = routes
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method);
    envelop(complete, state)
}

/// Gives every answer of these routes its headers and its form.
pub(crate) fn envelop(routes: Router, state: &Shared) -> Router {
    routes
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(
            Shared::clone(state),
            error::envelope,
        ))
}
