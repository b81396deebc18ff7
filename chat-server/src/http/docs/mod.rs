//! `/openapi.json` and `/docs`: the API for people and programs to read, without anything from elsewhere.

mod errors;
mod page;

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use serde_json::Value;
use utoipa_swagger_ui::Config;

use super::error::no_such_path;

/// The page may run the scripts and use the style sheets that come from here, and call the API that it shows.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const SOCKET: &str = include_str!("../../../docs/socket.md");

/// The routes, for a document that is ready. They belong at the root, where the `type` of a problem points to.
pub(crate) fn routes(document: &Value) -> Router {
    let document = Bytes::from(document.to_string());
    let socket = page::of_markdown("The socket", SOCKET);
    let errors = page::of_markdown("Errors", &errors::table());
    Router::new()
        .route(
            "/openapi.json",
            get(|| async { file("application/json", document) }),
        )
        .route(
            "/docs",
            get(|| async { html(include_str!("index.html").into()) }),
        )
        .route("/docs/socket", get(|| async { html(socket.into()) }))
        .route("/docs/errors", get(|| async { html(errors.into()) }))
        .route("/docs/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "start.js" => file("text/javascript", include_str!("start.js").into()),
        "style.css" => file("text/css", include_str!("style.css").into()),
        "swagger-ui.css" => library("swagger-ui.css", "text/css"),
        "swagger-ui-bundle.js" => library("swagger-ui-bundle.js", "text/javascript"),
        _ => no_such_path().await.into_response(),
    }
}

/// A file of the library that shows the document; it is kept compressed.
fn library(name: &str, kind: &'static str) -> Response {
    match utoipa_swagger_ui::serve(name, Arc::new(Config::default())) {
        Ok(Some(found)) => {
            let mut response = file(kind, Bytes::from(found.bytes.into_owned()));
            if found.gzpipped {
                let gzip = HeaderValue::from_static("gzip");
                response
                    .headers_mut()
                    .insert(header::CONTENT_ENCODING, gzip);
            }
            response
        }
        _ => file(kind, Bytes::new()),
    }
}

fn html(text: Bytes) -> Response {
    let mut response = file("text/html; charset=utf-8", text);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

fn file(kind: &'static str, bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, kind)], bytes).into_response()
}
