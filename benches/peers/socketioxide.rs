//! A room of socketioxide: whatever is sent goes to everybody in it.

use std::{io::Write, time::Duration};

use axum::Router;
use socketioxide::{
    SocketIo,
    extract::{Data, SocketRef},
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (layer, io) = SocketIo::builder()
        .ping_interval(Duration::from_mins(50))
        .ping_timeout(Duration::from_mins(50))
        .build_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.join("room");
        socket.on(
            "publish",
            async |socket: SocketRef, Data::<String>(message)| {
                let _gone = socket.to("room").emit("new_message", &message).await;
            },
        );
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _gone = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, Router::new().layer(layer)).await?)
}
