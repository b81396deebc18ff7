//! `/metrics`, on a listener of its own: numbers are for operators.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::Api;

/// What the listener for metrics serves.
pub(crate) fn routes(api: Api) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(api)
}

async fn scrape(State(api): State<Api>) -> Response {
    const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
    match tokio::task::spawn_blocking(move || api.metrics()).await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
