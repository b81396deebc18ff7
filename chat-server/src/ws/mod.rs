//! `/ws`: from a GET request to a WebSocket.

mod answers;
mod asking;
mod boundary;
mod connection;
#[cfg(feature = "autobahn")]
pub(crate) mod echo;
mod ending;
mod greeting;
mod lane;
mod line;
mod marks;
mod outbox;
mod reader;
mod socket;
mod transport;
mod worker;

use std::{net::SocketAddr, time::Duration};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chat_core::protocol::{ErrorCode, SUBPROTOCOL};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::Instrument;

use self::socket::Socket;
pub(crate) use self::worker::Workers;
use crate::{
    auth::Identity,
    http::{
        error::ApiError,
        extract::{client_address, identify},
    },
    limits::{OpenSocket, TooMany},
    state::Shared,
    telemetry::connection_span,
};

/// A client that was told to go ahead has this long until its connection is ours.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);

/// Open the socket
///
/// A WebSocket with the subprotocol `chat.v1`; [its protocol](/docs/socket). The token goes into the `Authorization` header, or into
/// the first frame. A page's `Origin` must be one that the operator allows (`forbidden`).
#[utoipa::path(
    get, path = "/ws", operation_id = "open_socket", tag = "socket",
    security((), ("bearer" = [])),
    responses((status = SWITCHING_PROTOCOLS, description = "From here on it is a WebSocket.")),
    extensions(("x-errors" = json!([ErrorCode::Forbidden, ErrorCode::Unauthenticated, ErrorCode::TokenExpired]))),
)]
pub(crate) async fn upgrade(
    State(state): State<Shared>,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    check_origin(&parts.headers, &state.origins)?;
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(ApiError::new(
            ErrorCode::Malformed,
            "the socket has no query parameters: a token goes into the Authorization header or the first frame",
        ));
    }
    let caller = if parts.headers.contains_key(header::AUTHORIZATION) {
        Some(admit(&state, &parts).await?)
    } else {
        let limited = state.limits.anonymous.check(&client_address(&parts));
        limited.map_err(|too_many| ApiError::too_many(too_many, "requests"))?;
        None
    };
    let accept = accept_key(&parts.headers)?;
    let subprotocol = subprotocol(&parts.headers)?;
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let span = connection_span(peer.map(|peer| peer.0));
    let upgrading = parts.extensions.remove::<OnUpgrade>();
    let upgrading =
        upgrading.ok_or_else(|| not_a_websocket("this connection cannot become one"))?;
    if state.draining.is_cancelled() {
        return Err(ApiError::new(
            ErrorCode::ShuttingDown,
            "the server is stopping: connect to another node",
        ));
    }
    state
        .sockets
        .spawn(serve(Shared::clone(&state), upgrading, caller).instrument(span));
    Ok(switching_protocols(accept, subprotocol))
}

async fn serve(state: Shared, upgrading: OnUpgrade, caller: Option<(Identity, OpenSocket)>) {
    match tokio::time::timeout(UPGRADE_TIMEOUT, upgrading).await {
        Ok(Ok(upgraded)) => {
            let socket = Socket::new(upgraded, &state);
            connection::run(state, socket, caller).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "a socket was gone before it was open"),
        Err(_) => tracing::debug!("a socket did not open in time"),
    }
}

/// Browsers say which page opens a socket, and would send that page's visitors here; other clients say nothing.
fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), ApiError> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if allowed.iter().any(|allowed| origin == allowed.as_str()) => Ok(()),
        _ => Err(ApiError::new(
            ErrorCode::Forbidden,
            "pages of this origin may not open a socket here: its operator can allow them",
        )),
    }
}

/// Who connects, by the `Authorization` header, and within their limits.
async fn admit(
    state: &Shared,
    parts: &axum::http::request::Parts,
) -> Result<(Identity, OpenSocket), ApiError> {
    let identity = identify(state, parts).await?;
    let place = state.limits.sockets.open(identity.user_id);
    let place = place.ok_or_else(|| ApiError::too_many(TooMany::SOCKETS, "open sockets"))?;
    Ok((identity, place))
}

/// Checks that this is the beginning of a WebSocket, and computes the answer that proves we know.
fn accept_key(headers: &HeaderMap) -> Result<String, ApiError> {
    if !has_token(headers, &header::CONNECTION, "upgrade")
        || !has_token(headers, &header::UPGRADE, "websocket")
    {
        return Err(not_a_websocket("there is no `Upgrade: websocket`"));
    }
    if !has_token(headers, &header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(not_a_websocket("the version is not 13"));
    }
    match headers.get(header::SEC_WEBSOCKET_KEY) {
        Some(key) if key.len() == 24 => Ok(derive_accept_key(key.as_bytes())),
        _ => Err(not_a_websocket("the key is missing or malformed")),
    }
}

fn not_a_websocket(why: &str) -> ApiError {
    ApiError::new(
        ErrorCode::Malformed,
        format!("this path speaks WebSocket only: {why}"),
    )
}

/// Our subprotocol, if any is asked for. Who asks only for others would not understand us.
fn subprotocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, ApiError> {
    if !headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        return Ok(None);
    }
    if !has_token(headers, &header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err(not_a_websocket("the subprotocol is chat.v1"));
    }
    Ok(Some(HeaderValue::from_static(SUBPROTOCOL)))
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

fn switching_protocols(accept: String, subprotocol: Option<HeaderValue>) -> Response {
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(subprotocol) = subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    response
}
