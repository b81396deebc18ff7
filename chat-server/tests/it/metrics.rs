//! What an operator reads of a server: its numbers, and the dashboard that shows them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{PASSWORD, Running, start, start_with};

const DASHBOARD: &str = include_str!("../../dashboards/grafana.json");

struct Scrape {
    samples: BTreeMap<String, f64>,
    /// The type of each metric, by its name.
    types: BTreeMap<String, String>,
    described: BTreeSet<String>,
    /// The names of all samples.
    names: BTreeSet<String>,
}

impl Scrape {
    fn read(text: &str) -> Self {
        let mut scrape = Self {
            samples: BTreeMap::new(),
            types: BTreeMap::new(),
            described: BTreeSet::new(),
            names: BTreeSet::new(),
        };
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(help.len() > 10 && help.ends_with('.'), "{line}");
                assert!(scrape.described.insert(name.to_owned()), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                scrape.types.insert(name.to_owned(), kind.to_owned());
            } else {
                let (key, value) = line.rsplit_once(' ').unwrap();
                let name = key.split('{').next().unwrap();
                scrape.names.insert(name.to_owned());
                scrape
                    .samples
                    .insert(key.to_owned(), value.parse().unwrap());
            }
        }
        scrape
    }

    /// What the sample of this name and labels says; 0 if there is none.
    fn value(&self, key: &str) -> f64 {
        self.samples.get(key).copied().unwrap_or(0.0)
    }

    /// The metric that a sample belongs to: those of a histogram have three names.
    fn metric_of<'a>(&self, name: &'a str) -> &'a str {
        ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .find(|metric| {
                self.types
                    .get(*metric)
                    .is_some_and(|kind| kind == "histogram")
            })
            .unwrap_or(name)
    }
}

async fn scrape(running: &Running) -> Scrape {
    let address = running.server.metrics_addr().unwrap();
    let url = format!("http://{address}/metrics");
    let response = running.http.get(url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    Scrape::read(&response.text().await.unwrap())
}

async fn start_watched() -> Running {
    start_with(&[
        "--metrics-listen",
        "127.0.0.1:0",
        "--limits",
        "send_burst=2,sends_per_second=1",
    ])
    .await
}

/// Lets everything happen once that is counted.
async fn use_all(running: &Running) {
    let (ana, ben) = (running.person("ana").await, running.person("ben").await);
    let group = ana.group("Lunch", &[&ben]).await;
    let mut socket = ben.connect().await;
    socket.join(&group).await;
    ana.say(&group, "Lunch?").await;
    socket.until("new_message").await;
    let refused = socket
        .call(json!({"type": "join_conversation", "conversation_id": ana.id}))
        .await;
    assert_eq!(refused["problem"]["code"], "not_found");
    ana.say(&group, "Anybody?").await;
    let path = format!("/conversations/{group}/messages");
    let hasty = json!({"client_id": uuid::Uuid::new_v4(), "body": "!"});
    assert_eq!(ana.post(&path, hasty).await.status, 429);
    let wrong = json!({"username": "ana", "password": "not this one, sorry"});
    running.post("/api/v1/auth/login", wrong).await;
    ana.get("/nowhere/at/all").await;
    socket.stream.close(None).await.unwrap();
    socket.closed().await;
}

#[tokio::test]
async fn what_happens_is_counted_where_an_operator_looks_for_it() {
    let running = start_watched().await;
    let before = scrape(&running).await;
    assert!(before.value("chat_sockets_open") < 1.0);

    use_all(&running).await;
    let ana = running.signed_in(
        &running
            .post(
                "/api/v1/auth/login",
                json!({"username": "ana", "password": PASSWORD}),
            )
            .await
            .body,
    );
    let _open = ana.connect().await;

    let after = scrape(&running).await;
    for (key, least) in [
        ("chat_sockets_open", 1.0),
        ("chat_sockets_opened_total", 2.0),
        ("chat_sockets_closed_total{how=\"left\"}", 1.0),
        ("chat_sessions", 1.0),
        ("chat_users_connected", 1.0),
        ("chat_delivered_frames_total", 1.0),
        ("chat_delivered_bytes_total", 100.0),
        ("chat_writes_total{outcome=\"committed\"}", 2.0),
        ("chat_commits_total", 2.0),
        ("chat_commit_writes_count", 2.0),
        ("chat_commit_duration_seconds_bucket{le=\"+Inf\"}", 2.0),
        (
            "chat_http_requests_total{method=\"POST\",route=\"/api/v1/conversations/{id}/messages\",status=\"201\"}",
            2.0,
        ),
        (
            "chat_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}",
            1.0,
        ),
        (
            "chat_http_request_duration_seconds_count{method=\"POST\",route=\"/api/v1/conversations/{id}/messages\"}",
            3.0,
        ),
        (
            "chat_refusals_total{transport=\"rest\",code=\"wrong_credentials\"}",
            1.0,
        ),
        (
            "chat_refusals_total{transport=\"rest\",code=\"rate_limited\"}",
            1.0,
        ),
        (
            "chat_refusals_total{transport=\"socket\",code=\"not_found\"}",
            1.0,
        ),
        ("chat_rate_limited_total{kind=\"sends\"}", 1.0),
        (
            &format!(
                "chat_build_info{{version=\"{}\"}}",
                env!("CARGO_PKG_VERSION")
            ),
            1.0,
        ),
        ("process_start_time_seconds", 1_000_000_000.0),
    ] {
        assert!(
            after.value(key) >= least,
            "{key}: {} of {:#?}",
            after.value(key),
            after.samples
        );
    }
    assert!(
        after.value("chat_sockets_open") < 1.5,
        "one is closed again"
    );
    if cfg!(target_os = "linux") {
        assert!(after.value("process_resident_memory_bytes") > 1e6);
        assert!(after.value("process_open_fds") > 3.0);
        assert!(after.value("process_max_fds") >= after.value("process_open_fds"));
    }
    let metrics = running
        .request(reqwest::Method::GET, "/metrics", None)
        .await;
    assert_eq!(metrics.status, 404, "they are not for everybody");
    running.stop().await;
}

#[tokio::test]
async fn labels_are_bounded_whatever_clients_send() {
    let running = start_watched().await;
    let ana = running.person("ana").await;
    for n in 0..20 {
        ana.get(&format!("/made/up/{n}")).await;
        ana.get(&format!("/conversations/{}", uuid::Uuid::new_v4()))
            .await;
        let method = reqwest::Method::from_bytes(format!("METHOD{n}").as_bytes()).unwrap();
        ana.request(method, "/users/me", None).await;
    }
    let scrape = scrape(&running).await;
    let requests = scrape
        .samples
        .keys()
        .filter(|key| key.starts_with("chat_http_requests_total{"));
    let requests: Vec<&String> = requests.collect();
    assert!(requests.len() <= 4, "{requests:#?}");
    assert!(
        !requests.iter().any(|key| key.contains("made")),
        "{requests:#?}"
    );
    running.stop().await;
}

#[tokio::test]
async fn each_metric_says_what_it_is_and_what_it_is_measured_in() {
    let running = start_watched().await;
    use_all(&running).await;
    let scrape = scrape(&running).await;
    for name in &scrape.names {
        let metric = scrape.metric_of(name);
        assert!(scrape.described.contains(metric), "{name} has no HELP");
        let kind = scrape.types[metric].as_str();
        assert_eq!(
            kind == "counter",
            name.ends_with("_total"),
            "{name} is a {kind}"
        );
        assert!(
            metric.starts_with("chat_") || metric.starts_with("process_"),
            "{name}"
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn the_dashboard_shows_what_is_exported_and_leaves_nothing_out() {
    let running = start_watched().await;
    use_all(&running).await;
    let scrape = scrape(&running).await;
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut shown = BTreeSet::new();
    let mut expressions = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let targets = panel["targets"].as_array();
        for target in targets.into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{target}");
            expressions.push(target["expr"].as_str().unwrap());
        }
    }
    assert!(expressions.len() > 20);
    for expression in expressions {
        let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names = words.filter(|word| word.starts_with("chat_") || word.starts_with("process_"));
        for name in names {
            let exported = scrape.names.contains(name);
            let elsewhere = name.starts_with("process_") && !cfg!(target_os = "linux");
            assert!(
                exported || elsewhere,
                "{name} of {expression} is not exported"
            );
            shown.insert(scrape.metric_of(name).to_owned());
        }
    }
    let missing: Vec<&String> = scrape.described.difference(&shown).collect();
    assert!(missing.is_empty(), "not on the dashboard: {missing:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_server_can_do_without_metrics() {
    let running = start().await;
    assert_eq!(running.server.metrics_addr(), None);
    running.stop().await;
}
