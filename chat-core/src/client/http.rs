//! Requests to the server, and its answers or problems.

use std::time::Duration;

use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, Url, header, redirect};
use serde::de::DeserializeOwned;

use super::ClientError;
use crate::protocol::{ErrorCode, Problem};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest page of the longest messages fits well; a server that sends more is not one of ours.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// The address of a server and the connections to it.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    base: Url,
}

impl Http {
    pub(super) fn new(server: &str) -> Result<Self, ClientError> {
        Self::trusting(server, &[])
    }

    /// Trusts these authorities too, given in PEM.
    pub(super) fn trusting(server: &str, authorities: &[u8]) -> Result<Self, ClientError> {
        let base = parse_address(server)?;
        let authorities = Certificate::from_pem_bundle(authorities)
            .map_err(|error| ClientError::Address(error.to_string()))?;
        let client = reqwest::Client::builder()
            .user_agent(concat!("chat-core/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            // The socket needs it, whatever else the server would speak.
            .http1_only()
            .tls_certs_merge(authorities)
            .build()
            .map_err(|error| ClientError::Address(error.to_string()))?;
        Ok(Self { client, base })
    }

    /// A request without a time limit: for the socket.
    pub(super) fn request(
        &self,
        method: Method,
        path: &[impl AsRef<str>],
    ) -> Result<RequestBuilder, ClientError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| ClientError::Address("the address cannot have paths".to_owned()))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path.iter().map(AsRef::as_ref));
        Ok(self.client.request(method, url))
    }

    pub(super) fn get(&self, path: &[impl AsRef<str>]) -> Result<RequestBuilder, ClientError> {
        self.limited(Method::GET, path)
    }

    pub(super) fn post(&self, path: &[impl AsRef<str>]) -> Result<RequestBuilder, ClientError> {
        self.limited(Method::POST, path)
    }

    pub(super) fn put(&self, path: &[impl AsRef<str>]) -> Result<RequestBuilder, ClientError> {
        self.limited(Method::PUT, path)
    }

    pub(super) fn patch(&self, path: &[impl AsRef<str>]) -> Result<RequestBuilder, ClientError> {
        self.limited(Method::PATCH, path)
    }

    pub(super) fn delete(&self, path: &[impl AsRef<str>]) -> Result<RequestBuilder, ClientError> {
        self.limited(Method::DELETE, path)
    }

    fn limited(
        &self,
        method: Method,
        path: &[impl AsRef<str>],
    ) -> Result<RequestBuilder, ClientError> {
        Ok(self.request(method, path)?.timeout(REQUEST_TIMEOUT))
    }
}

/// Sends a request; an answer that is not a success is the problem it carries.
pub(super) async fn send(request: RequestBuilder) -> Result<Response, ClientError> {
    accept(request.send().await?).await
}

/// Sends a request and reads the whole answer.
pub(super) async fn exchange(request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
    read(send(request).await?).await
}

/// Understands an answer.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Protocol(error.to_string()))
}

fn parse_address(server: &str) -> Result<Url, ClientError> {
    let explain = |what: &str| {
        ClientError::Address(format!(
            "{server:?} is not the address of a server, such as https://chat.example.org: {what}"
        ))
    };
    let url = Url::parse(server.trim()).map_err(|error| explain(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(explain("it must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(explain("a name and password do not belong in it"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(explain("a query or fragment does not belong in it"));
    }
    Ok(url)
}

async fn accept(response: Response) -> Result<Response, ClientError> {
    let status = response.status();
    if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    let retry_after = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok())
        .map(|seconds| seconds.saturating_mul(1_000));
    let body = read(response).await?;
    let mut problem = serde_json::from_slice::<Problem>(&body)
        .unwrap_or_else(|_not_ours| foreign_problem(status));
    problem.retry_after_ms = problem.retry_after_ms.or(retry_after);
    Err(ClientError::Problem(Box::new(problem)))
}

/// What an error means that something between us and the server answered in its place, such as a proxy.
fn foreign_problem(status: StatusCode) -> Problem {
    let code = match status.as_u16() {
        401 => ErrorCode::Unauthenticated,
        403 => ErrorCode::Forbidden,
        404 => ErrorCode::NotFound,
        405 => ErrorCode::MethodNotAllowed,
        408 => ErrorCode::Timeout,
        413 => ErrorCode::TooLarge,
        429 => ErrorCode::RateLimited,
        502..=504 => ErrorCode::Unavailable,
        _ => ErrorCode::Unknown,
    };
    let mut problem = Problem::new(code, format!("the server answered {status}"));
    problem.status = status.as_u16();
    problem
}

async fn read(mut response: Response) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(ClientError::Protocol("it is too large".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
