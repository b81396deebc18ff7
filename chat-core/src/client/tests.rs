//! What a client does when the server, or what is between, does not answer as it should.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tokio::sync::{Mutex, OwnedMutexGuard};
use uuid::Uuid;

use super::{
    BorrowedToken, Client, ClientError, Event, Link, TokenStore,
    fake_server::{Answer, FakeServer, Request},
};
use crate::{
    NewGroup,
    model::{ConversationId, Emoji, MessageId, Profile, Title, UserId},
    protocol::{ErrorCode, Problem},
};

fn profile() -> serde_json::Value {
    let id = UserId::from_uuid(Uuid::from_u128(1));
    json!({ "id": id, "username": "ada", "display_name": "Ada" })
}

fn signed_in(number: usize) -> Answer {
    let body = json!({
        "user": profile(),
        "access_token": format!("access-{number}"),
        "refresh_token": format!("refresh-{number}"),
        "expires_in": 600,
    });
    Answer::Body(200, body.to_string())
}

fn problem(code: ErrorCode) -> Answer {
    let problem = Problem::new(code, "as the test wants it");
    let status = problem.status;
    Answer::Body(status, serde_json::to_string(&problem).unwrap())
}

/// Accepts only the newest access token; a refresh token holds once.
async fn strict_server() -> FakeServer {
    let newest = AtomicUsize::new(1);
    FakeServer::start(move |request: &Request| {
        let number = newest.load(Ordering::SeqCst);
        match request.line.as_str() {
            "POST /api/v1/auth/login" => signed_in(number),
            "POST /api/v1/auth/refresh" if request.body.contains(&format!("refresh-{number}")) => {
                newest.store(number + 1, Ordering::SeqCst);
                signed_in(number + 1)
            }
            "POST /api/v1/auth/refresh" => problem(ErrorCode::RefreshReused),
            // The first token has run out already.
            _ if number > 1 && request.token == Some(format!("access-{number}")) => {
                Answer::Body(200, profile().to_string())
            }
            _ => problem(ErrorCode::TokenExpired),
        }
    })
    .await
}

async fn login(server: &FakeServer) -> Client {
    let client = Client::new(&server.address).unwrap();
    client.login("ada", "correct horse").await.unwrap();
    client
}

#[tokio::test]
async fn calls_at_one_time_share_one_renewal_of_the_token() {
    let server = strict_server().await;
    let client = login(&server).await;
    let mut tokens = client.refresh_tokens();
    let calls = (0..20).map(|_| client.me());
    for answer in futures_util::future::join_all(calls).await {
        assert!(matches!(answer, Ok(Profile { .. })), "{answer:?}");
    }
    assert_eq!(server.requests("/auth/refresh").len(), 1);
    assert_eq!(tokens.borrow_and_update().as_deref(), Some("refresh-2"));
}

#[tokio::test]
async fn a_renewal_goes_on_when_the_call_that_wanted_it_is_dropped() {
    let server = strict_server().await;
    let client = login(&server).await;
    let mut tokens = client.refresh_tokens();
    tokens.borrow_and_update();
    tokio::select! {
        biased;
        () = async { while server.requests("/auth/refresh").is_empty() { tokio::task::yield_now().await } } => {}
        _ = client.me() => {}
    }
    tokens.changed().await.unwrap();
    client.me().await.unwrap();
    assert_eq!(server.requests("/auth/refresh").len(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_a_renewal_is_asked_for_again_with_the_same_token() {
    let asked = AtomicUsize::new(0);
    let server = FakeServer::start(move |request| match request.line.as_str() {
        "POST /api/v1/auth/login" => signed_in(1),
        "POST /api/v1/auth/refresh" if asked.fetch_add(1, Ordering::SeqCst) == 0 => Answer::Hangup,
        "POST /api/v1/auth/refresh" => signed_in(2),
        _ if request.token.as_deref() == Some("access-2") => {
            Answer::Body(200, profile().to_string())
        }
        _ => problem(ErrorCode::TokenExpired),
    })
    .await;
    let client = login(&server).await;
    client.me().await.unwrap();
    let requests = server.requests("/auth/refresh");
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body);
}

#[tokio::test]
async fn a_sign_in_that_is_refused_is_forgotten() {
    let server = FakeServer::start(|request| match request.line.as_str() {
        "POST /api/v1/auth/login" => signed_in(1),
        "POST /api/v1/auth/refresh" => problem(ErrorCode::RefreshReused),
        _ => problem(ErrorCode::Unauthenticated),
    })
    .await;
    let client = login(&server).await;
    let tokens = client.refresh_tokens();
    assert_eq!(client.me().await, Err(ClientError::SignedOut));
    assert_eq!(*tokens.borrow(), None);
    let (_live, mut events) = client.live();
    assert_eq!(events.next().await, Some(Event::Link(Link::Connecting)));
    let event = events.next().await;
    assert!(
        matches!(event, Some(Event::Link(Link::SignedOut { .. }))),
        "{event:?}"
    );
}

#[tokio::test]
async fn a_problem_keeps_its_code_and_another_error_gets_one() {
    let server = FakeServer::start(|request| match request.line.as_str() {
        "POST /api/v1/auth/login" => problem(ErrorCode::WrongCredentials),
        _ => Answer::Body(502, "<html>Bad Gateway</html>".to_owned()),
    })
    .await;
    let client = Client::new(&server.address).unwrap();
    let error = client.login("ada", "wrong horse").await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::WrongCredentials));
    let error = client.resume("refresh-1").await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::Unavailable));
    assert!(error.retryable());
    assert_eq!(client.me().await, Err(ClientError::SignedOut));
}

#[tokio::test]
async fn an_answer_that_is_not_the_protocol_is_an_error() {
    for body in [String::new(), "[]".to_owned(), "x".repeat(20 << 20)] {
        let answer = body.clone();
        let server = FakeServer::start(move |_| Answer::Body(200, answer.clone())).await;
        let client = Client::new(&server.address).unwrap();
        let error = client.login("ada", "correct horse").await.unwrap_err();
        assert!(matches!(error, ClientError::Protocol(_)), "{error:?}");
    }
}

/// A server that breaks the connection at the first request of this kind, and then answers.
async fn breaking_server(kind: &'static str, then: fn() -> Answer) -> FakeServer {
    let asked = AtomicUsize::new(0);
    FakeServer::start(move |request| match request.line.as_str() {
        "POST /api/v1/auth/login" => signed_in(1),
        line if line.starts_with(kind) => match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::Hangup,
            _ => then(),
        },
        _ => problem(ErrorCode::NotFound),
    })
    .await
}

#[tokio::test]
async fn what_may_be_done_twice_is_asked_again_when_the_connection_breaks() {
    let server = breaking_server("PUT", || Answer::Body(204, String::new())).await;
    let client = login(&server).await;
    let (conversation, message) = (ConversationId::new(), MessageId::new());
    let emoji = Emoji::try_from("👍".to_owned()).unwrap();
    client.react(conversation, message, &emoji).await.unwrap();
    let asked = server.requests("/reactions/%F0%9F%91%8D");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0], asked[1]);
}

#[tokio::test]
async fn what_is_gone_at_the_second_attempt_went_with_the_first() {
    let server = breaking_server("DELETE", || problem(ErrorCode::NotFound)).await;
    let client = login(&server).await;
    let conversation = ConversationId::new();
    client.delete_conversation(conversation).await.unwrap();
    let error = client.delete_conversation(conversation).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn what_must_not_be_done_twice_is_left_to_the_caller_when_the_connection_breaks() {
    let server = breaking_server("POST /api/v1/conversations", || {
        problem(ErrorCode::Unavailable)
    })
    .await;
    let client = login(&server).await;
    let title = Title::try_from("Garden".to_owned()).unwrap();
    let group = NewGroup::new(title, Vec::new());
    let error = client.create_group(group).await.unwrap_err();
    assert!(matches!(error, ClientError::Interrupted(_)), "{error:?}");
    assert!(error.retryable());
    assert_eq!(server.requests("/conversations").len(), 1);
}

#[tokio::test]
async fn a_call_to_a_server_that_is_not_there_had_no_effect() {
    let server = strict_server().await;
    let (client, server_address) = (login(&server).await, server.address.clone());
    server.stop().await;
    let nobody = Client::new(&server_address).unwrap();
    let error = nobody.login("ada", "correct horse").await.unwrap_err();
    let refused = ClientError::Unreachable("connection refused".to_owned());
    assert_eq!(error, refused);
    assert!(error.retryable());
    assert!(client.me().await.unwrap_err().retryable());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_in_words_and_tried_again() {
    let server = strict_server().await;
    let client = login(&server).await;
    server.stop().await;
    let (live, mut events) = client.live();
    for _ in 0..2 {
        assert_eq!(events.next().await, Some(Event::Link(Link::Connecting)));
        let event = events.next().await;
        let Some(Event::Link(Link::Waiting { reason, .. })) = event else {
            panic!("{event:?}");
        };
        assert_eq!(reason, "connection refused");
        live.retry_now();
    }
    live.close().await;
    while events.next().await.is_some() {}
}

#[tokio::test]
async fn the_connection_ends_when_all_handles_are_dropped() {
    let client = Client::new("http://127.0.0.1:9").unwrap();
    let (live, mut events) = client.live();
    let other = live.clone();
    drop(live);
    assert_eq!(events.next().await, Some(Event::Link(Link::Connecting)));
    drop(other);
    while events.next().await.is_some() {}
}

#[test]
fn an_address_is_http_or_https_with_or_without_a_path() {
    for good in [
        "http://localhost:8080",
        "https://chat.example.org/",
        "https://example.org/chat",
    ] {
        Client::new(good).unwrap();
    }
    for bad in [
        "",
        "localhost:8080",
        "ftp://example.org",
        "https://ada:x@example.org",
        "https://example.org/?a=b",
    ] {
        let error = Client::new(bad).unwrap_err();
        assert!(matches!(error, ClientError::Address(_)), "{bad}: {error}");
        assert!(
            error.to_string().contains("https://chat.example.org"),
            "{error}"
        );
    }
}

/// Keeps a token for clients that stand for as many processes.
#[derive(Clone, Debug, Default)]
struct Shelf(Arc<Mutex<Option<String>>>);

impl TokenStore for Shelf {
    fn borrow(&self) -> io::Result<Box<dyn BorrowedToken>> {
        Ok(Box::new(FromShelf(
            Arc::clone(&self.0).blocking_lock_owned(),
        )))
    }
}

struct FromShelf(OwnedMutexGuard<Option<String>>);

impl BorrowedToken for FromShelf {
    fn token(&self) -> Option<String> {
        self.0.clone()
    }

    fn replace(&mut self, token: Option<&str>) -> io::Result<()> {
        *self.0 = token.map(str::to_owned);
        Ok(())
    }
}

#[tokio::test]
async fn processes_that_share_a_store_do_not_end_the_sign_in_for_each_other() {
    let newest = AtomicUsize::new(1);
    let server = FakeServer::start(move |request: &Request| {
        let number = newest.load(Ordering::SeqCst);
        let newest_refresh = request.body.contains(&format!("refresh-{number}"));
        match request.line.as_str() {
            "POST /api/v1/auth/refresh" if newest_refresh => {
                newest.store(number + 1, Ordering::SeqCst);
                signed_in(number + 1)
            }
            "POST /api/v1/auth/refresh" => problem(ErrorCode::RefreshReused),
            "POST /api/v1/auth/logout" if newest_refresh => Answer::Body(204, String::new()),
            "POST /api/v1/auth/logout" => problem(ErrorCode::Invalid),
            _ if request.token == Some(format!("access-{number}")) => {
                Answer::Body(200, profile().to_string())
            }
            _ => problem(ErrorCode::TokenExpired),
        }
    })
    .await;
    let shelf = Shelf::default();
    *shelf.0.lock().await = Some("refresh-1".to_owned());
    let process = || Client::with_token_store(&server.address, Arc::new(shelf.clone())).unwrap();
    let processes = [process(), process(), process()];
    for process in &processes {
        process.resume_stored().await.unwrap();
    }
    // Each has an access token that has run out by now, but for the last one, and a refresh token that another one has spent.
    for process in &processes {
        process.me().await.unwrap();
    }
    processes[0].logout().await.unwrap();
    assert_eq!(*shelf.0.lock().await, None);
    let error = process().resume_stored().await.unwrap_err();
    assert_eq!(error, ClientError::SignedOut);
}
