//! A socket that says what it is told: what suites that test WebSocket servers talk to.

use axum::{
    extract::{Request, State},
    response::Response,
};
use hyper::upgrade::OnUpgrade;

use super::{
    accept_key, connection::MOST_UNWRITTEN, ending::Ending, not_a_websocket, reader::Happened,
    socket::Socket, switching_protocols,
};
use crate::{http::error::ApiError, state::Shared};

pub(crate) async fn upgrade(
    State(state): State<Shared>,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    let accept = accept_key(&parts.headers)?;
    let upgrading = parts.extensions.remove::<OnUpgrade>();
    let upgrading =
        upgrading.ok_or_else(|| not_a_websocket("this connection cannot become one"))?;
    state.sockets.spawn(serve(Shared::clone(&state), upgrading));
    Ok(switching_protocols(accept, None))
}

async fn serve(state: Shared, upgrading: OnUpgrade) {
    let Ok(upgraded) = upgrading.await else {
        return;
    };
    let mut socket = Socket::new(upgraded, &state);
    loop {
        let may_read = socket.backlog() < MOST_UNWRITTEN;
        match socket.advance(may_read).await {
            Happened::Called | Happened::Flushed | Happened::Control => {}
            Happened::Text(text) => socket.queue_text(text),
            Happened::Left => return socket.finish().await,
            Happened::Lost => return,
            Happened::Violation(code) => {
                if let Ending::Close(code, reason) = Ending::broken(code) {
                    socket.close(code, reason).await;
                }
                return;
            }
        }
    }
}
