//! What is left of a connection once it is no longer HTTP.

use axum::{
    extract::Request,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;
use crate::stream::Stream;

/// Nothing in this test takes this long; it is there so that a failure is one.
const PATIENCE: Duration = Duration::from_secs(20);

/// Routes that hand over the connection of whoever asks for it.
fn handing_over(to: mpsc::Sender<Upgraded>) -> axum::Router {
    let upgrade = async move |request: Request| {
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(request).await.unwrap();
            to.send(upgraded).await.unwrap();
        });
        let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "chat")];
        (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
    };
    axum::Router::new().route("/", get(upgrade))
}

#[tokio::test]
async fn after_an_upgrade_there_is_the_socket_and_nothing_of_http() {
    let listener = Listener::bind(
        "127.0.0.1:0".parse().unwrap(),
        None,
        0,
        Connections::default(),
    )
    .unwrap();
    let address = listener.local_addr();
    let (to, mut upgraded) = mpsc::channel(1);
    let connections = TaskTracker::new();
    let (stopping, given_up) = (CancellationToken::new(), CancellationToken::new());
    let serving = serve(
        listener,
        handing_over(to),
        &stopping,
        &given_up,
        &connections,
    );
    let using = async {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
        client.write_all(request).await.unwrap();
        let parts = upgraded.recv().await.unwrap();
        let parts = parts.downcast::<TokioIo<Stream>>().unwrap();
        while !connections.is_empty() {
            tokio::task::yield_now().await;
        }
        let Stream::Plain(mut socket) = parts.io.into_inner() else {
            panic!("nobody spoke TLS");
        };
        socket.write_all(b"hello").await.unwrap();
        drop(socket);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("\r\n\r\nhello"));
        stopping.cancel();
    };
    let both = async { tokio::join!(serving, using) };
    timeout(PATIENCE, both).await.unwrap();
}
