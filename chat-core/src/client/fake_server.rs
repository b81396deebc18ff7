//! An HTTP server of a few lines for tests of what goes wrong between a client and a server.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// A request, as far as the tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// `POST /api/v1/auth/refresh`.
    pub(super) line: String,
    pub(super) token: Option<String>,
    pub(super) body: String,
}

/// What is answered.
pub(super) enum Answer {
    Body(u16, String),
    /// The connection is closed without a word.
    Hangup,
}

/// Serves until dropped.
pub(super) struct FakeServer {
    pub(super) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeServer {
    pub(super) async fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&seen), Arc::clone(&answer)));
            }
        });
        Self {
            address,
            requests,
            task,
        }
    }

    /// Stops; whoever connects from now on is refused.
    pub(super) async fn stop(mut self) {
        self.task.abort();
        let _aborted = (&mut self.task).await;
    }

    /// The requests to a path so far.
    pub(super) fn requests(&self, path: &str) -> Vec<Request> {
        let requests = self.requests.lock();
        let to_it = |request: &&Request| request.line.ends_with(path);
        requests.iter().filter(to_it).cloned().collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<Request>>>,
    answer: Arc<impl Fn(&Request) -> Answer>,
) {
    while let Some(request) = read(&mut stream).await {
        seen.lock().push(request.clone());
        let Answer::Body(status, body) = answer(&request) else {
            return;
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let written = stream.write_all((head + &body).as_bytes()).await;
        if written.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let header = |name: &str| {
        let mut lines = head.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let length = header("content-length:").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        line: head
            .lines()
            .next()?
            .trim_end_matches(" HTTP/1.1")
            .to_owned(),
        token: header("authorization: Bearer ").map(str::to_owned),
        body: String::from_utf8(body).ok()?,
    })
}
