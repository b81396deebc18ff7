//! What an operator asks of a running server, counted and rendered for Prometheus.

mod connections;
mod engine;
mod exposition;
mod listener;
#[cfg(target_os = "linux")]
mod process;

use std::{
    borrow::Cow,
    fmt,
    time::{Duration, SystemTime},
};

use axum::http::{Method, StatusCode};
use chat_core::{Chat, protocol::ErrorCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use self::engine::EngineCollector;
pub(crate) use self::{
    connections::{Connections, Unserved},
    listener::routes,
};

/// Upper bounds in seconds; what takes longer is counted beyond them.
const REQUEST_SECONDS: [f64; 12] = [
    0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// Requests to paths that do not exist are counted together: whoever invents paths makes no series of them.
const NO_ROUTE: &str = "none";

/// By which way in something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Transport {
    Rest,
    Socket,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    transport: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct How {
    how: Cow<'static, str>,
}

/// The numbers of one server, with those of its engine and its process.
///
/// All labels are bounded: route patterns, codes and kinds, never a path, an id or a name.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    request_seconds: Family<Route, Histogram, fn() -> Histogram>,
    refusals: Family<Refusal, Counter>,
    rate_limited: Family<Kind, Counter>,
    pub(crate) connections: Connections,
    sockets_open: Gauge,
    sockets_opened: Counter,
    sockets_closed: Family<How, Counter>,
    /// Sockets whose peers do not take what is written to them.
    pub(crate) sockets_stalled: Gauge,
    /// Times that the store failed a session, which is then asked again.
    pub(crate) session_retries: Counter,
}

impl Metrics {
    pub(crate) fn new(chat: Chat) -> Self {
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(REQUEST_SECONDS)),
            refusals: Family::default(),
            rate_limited: Family::default(),
            connections: Connections::default(),
            sockets_open: Gauge::default(),
            sockets_opened: Counter::default(),
            sockets_closed: Family::default(),
            sockets_stalled: Gauge::default(),
            session_retries: Counter::default(),
        };
        for how in ["left", "lost"] {
            let how = How { how: how.into() };
            drop(metrics.sockets_closed.get_or_create(&how));
        }
        metrics.registered(chat)
    }

    fn registered(mut self, chat: Chat) -> Self {
        let registry = &mut self.registry;
        self.connections.register(registry);
        registry.register(
            "chat_http_requests",
            "Requests that were answered, by route pattern, method and status",
            self.requests.clone(),
        );
        registry.register(
            "chat_http_request_duration_seconds",
            "Time from the head of a request to its answer",
            self.request_seconds.clone(),
        );
        registry.register(
            "chat_refusals",
            "Requests and commands that were refused or failed, by the code of the problem",
            self.refusals.clone(),
        );
        registry.register(
            "chat_rate_limited",
            "What was too much in too little time, by what was counted",
            self.rate_limited.clone(),
        );
        registry.register(
            "chat_sockets_open",
            "Sockets that are open, those included that have not said who they are",
            self.sockets_open.clone(),
        );
        registry.register(
            "chat_sockets_opened",
            "Sockets that were opened",
            self.sockets_opened.clone(),
        );
        registry.register(
            "chat_sockets_closed",
            "Sockets that ended, by our close code, or else `left` (the peer closed) or `lost` (the connection broke)",
            self.sockets_closed.clone(),
        );
        registry.register(
            "chat_sockets_stalled",
            "Sockets with something to write whose peer reads nothing at the moment",
            self.sockets_stalled.clone(),
        );
        registry.register(
            "chat_session_retries",
            "Times that the store failed a session, which is then asked again",
            self.session_retries.clone(),
        );
        let build = Gauge::<i64>::default();
        build.set(1);
        registry
            .sub_registry_with_label(("version".into(), env!("CARGO_PKG_VERSION").into()))
            .register("chat_build_info", "The version that runs; always 1", build);
        registry.register_collector(Box::new(EngineCollector::new(chat)));
        #[cfg(target_os = "linux")]
        registry.register_collector(Box::new(process::ProcessCollector));
        let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let start = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
        start.set(started.map_or(0.0, |since| since.as_secs_f64()));
        registry.register(
            "process_start_time_seconds",
            "When the server was started, since the Unix epoch",
            start,
        );
        self
    }

    /// All numbers as they are now, in the text format of Prometheus. Reads files of the kernel, which takes a moment.
    pub(crate) fn render(&self) -> String {
        // Writing into a string does not fail.
        exposition::render(&self.registry).unwrap_or_default()
    }

    /// A request was answered. `route` is its pattern, if there is one.
    pub(crate) fn answered(
        &self,
        method: &Method,
        route: Option<&str>,
        status: StatusCode,
        took: Duration,
    ) {
        let method = method_label(method);
        let route = route.unwrap_or(NO_ROUTE).to_owned();
        let seconds = self.request_seconds.get_or_create(&Route {
            method,
            route: route.clone(),
        });
        seconds.observe(took.as_secs_f64());
        drop(seconds);
        let status = status.as_u16();
        let request = Request {
            method,
            route,
            status,
        };
        self.requests.get_or_create(&request).inc();
    }

    /// A request or a command was refused or failed, and its sender was told so.
    pub(crate) fn refused(&self, transport: Transport, code: ErrorCode) {
        let transport = match transport {
            Transport::Rest => "rest",
            Transport::Socket => "socket",
        };
        let code = match serde_json::to_value(code) {
            Ok(serde_json::Value::String(code)) => code,
            _ => "unknown".to_owned(),
        };
        let refusal = Refusal { transport, code };
        self.refusals.get_or_create(&refusal).inc();
    }

    /// Counts what is refused for coming too often.
    pub(crate) fn rate_limited(&self, kind: &'static str) -> Counter {
        self.rate_limited.get_or_create_owned(&Kind { kind })
    }

    /// A socket was opened; it is counted as open until the answer is dropped.
    pub(crate) fn socket_opened(&self) -> Counted {
        self.sockets_opened.inc();
        Counted::new(&self.sockets_open)
    }

    pub(crate) fn socket_closed(&self, how: Cow<'static, str>) {
        self.sockets_closed.get_or_create(&How { how }).inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// One more of what a gauge counts, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Counted {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Anybody can invent methods, which are then one.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
