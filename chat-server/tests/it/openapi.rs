//! The document itself, and the pages that show it.

use std::net::SocketAddr;

use axum::Router;
use chat_core::{
    Chat,
    model::{Reaction, Title, Topic},
    protocol::{CloseCode, ErrorCode},
};
use chat_server::{Api, AuthError, Authenticate, Identity, Settings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{start, start_with};

#[tokio::test]
async fn the_document_repeats_the_limits_that_hold() {
    let running = start_with(&["--limits", "max_body_chars=100"]).await;
    let url = running.url("/openapi.json");
    let document: Value = running
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = &document["components"]["schemas"];
    let longest =
        |schema: &str, field: &str| schemas[schema]["properties"][field]["maxLength"].clone();
    assert_eq!(longest("NewMessage", "body"), 100);
    assert_eq!(longest("EditMessage", "body"), 100);
    for schema in ["CreateGroup", "PatchConversation"] {
        assert_eq!(longest(schema, "title"), Title::MAX_CHARS);
        assert_eq!(longest(schema, "topic"), Topic::MAX_CHARS);
    }
    assert_eq!(schemas["Seq"]["maximum"], i64::MAX);
    let text = document.to_string();
    for leftover in ["u64", "crate::", "x-errors"] {
        assert!(!text.contains(leftover), "{leftover}");
    }
    assert_eq!(Reaction::MAX_EMOJI, 20, "as add_reaction says");
}

#[tokio::test]
async fn requests_are_closed_and_every_operation_is_told_in_full() {
    let running = start().await;
    let contract = crate::contract::Contract::of(&running.http, &running.url("")).await;
    let schemas = &contract.document["components"]["schemas"];
    let codes = json!(ErrorCode::ALL.map(ErrorCode::as_str));
    assert_eq!(schemas["ErrorCode"]["enum"], codes);
    for operation in contract.operations() {
        let (id, it) = (operation.id, operation.description);
        for text in ["summary", "operationId"] {
            assert!(it[text].is_string(), "{id}: {text}");
        }
        for parameter in it["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{id}: {parameter}");
        }
        let body = &it["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        if let Some(name) = body.as_str().and_then(|it| it.rsplit('/').next()) {
            assert_eq!(schemas[name]["additionalProperties"], false, "{name}");
        }
        let statuses = it["responses"].as_object().unwrap().keys();
        assert!(
            statuses
                .clone()
                .any(|status| status.starts_with(['1', '2'])),
            "{id}"
        );
        assert!(statuses.clone().any(|status| status == "500"), "{id}");
    }
}

#[tokio::test]
async fn the_pages_need_nothing_from_elsewhere() {
    let running = start().await;
    let mut pages = Vec::new();
    for (path, kind) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/socket", "text/html; charset=utf-8"),
        ("/docs/errors", "text/html; charset=utf-8"),
        ("/docs/assets/start.js", "text/javascript"),
        ("/docs/assets/style.css", "text/css"),
        ("/docs/assets/swagger-ui.css", "text/css"),
        ("/docs/assets/swagger-ui-bundle.js", "text/javascript"),
    ] {
        let response = running.http.get(running.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], kind);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        if kind.starts_with("text/html") {
            let policy = response.headers()["content-security-policy"]
                .to_str()
                .unwrap();
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self';"),
                "{policy}"
            );
            let page = response.text().await.unwrap();
            assert!(
                !page.contains("src=\"http") && !page.contains("href=\"http"),
                "{path}"
            );
            pages.push(page);
        } else {
            assert!(!response.bytes().await.unwrap().is_empty(), "{path}");
        }
    }
    for code in ErrorCode::ALL {
        let anchor = format!("id=\"{}\"", code.as_str());
        assert!(pages[2].contains(&anchor), "{anchor}");
    }
    for code in CloseCode::ALL {
        let row = format!("<td>{}</td>", code.as_u16());
        assert!(pages[1].contains(&row), "{row}");
    }
    let nothing = running.http.get(running.url("/docs/assets/nothing")).send();
    assert_eq!(nothing.await.unwrap().status(), 404);
}

/// Nobody is let in.
struct Nobody;

impl Authenticate for Nobody {
    async fn authenticate(&self, _: &str) -> Result<Identity, AuthError> {
        Err(AuthError::Invalid("nobody"))
    }
}

#[tokio::test]
async fn an_application_shows_the_documents_of_what_it_mounts() {
    let chat = Chat::builder().start().await.unwrap();
    let api = Api::new(chat.clone(), Nobody, Settings::default());
    let app = Router::new()
        .nest("/chat", api.router())
        .merge(api.docs("/chat").unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });

    let document: Value = reqwest::get(format!("{base}/openapi.json"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.contains_key("/chat/conversations"));
    assert!(
        paths.keys().all(|path| path.starts_with("/chat/")),
        "without accounts"
    );
    let refused = reqwest::get(format!("{base}/chat/conversations"))
        .await
        .unwrap();
    let problem: Value = refused.json().await.unwrap();
    let about = reqwest::get(format!("{base}{}", problem["type"].as_str().unwrap()))
        .await
        .unwrap();
    assert_eq!(about.status(), 200);
    chat.shutdown().await;
}
