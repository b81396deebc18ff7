//! The usual chat example: a task for each socket, which waits for what the peer sends and for a `broadcast` channel at once.

use std::io::Write;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast::{self, error::RecvError},
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let (room, _) = broadcast::channel(1_024);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, room.clone()));
    }
}

async fn serve(stream: TcpStream, room: broadcast::Sender<Message>) {
    let Ok(mut socket) = accept_async(stream).await else {
        return;
    };
    let mut messages = room.subscribe();
    loop {
        tokio::select! {
            said = socket.next() => match said {
                Some(Ok(message @ Message::Text(_))) => {
                    let _nobody = room.send(message);
                }
                Some(Ok(_)) => {}
                _ => return,
            },
            message = messages.recv() => match message {
                Ok(message) => {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}
