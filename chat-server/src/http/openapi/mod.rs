//! The `OpenAPI` document: what the handlers say of themselves, completed by what holds for all of them.

mod errors;
mod links;
mod requests;
mod schemas;
mod texts;

use chat_core::protocol::Announced;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

use self::errors::Refusals;

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];
const DESCRIPTION: &str = include_str!("description.md");

/// The whole document for routes that describe themselves so, on a server with these limits.
pub(crate) fn document(routes: &OpenApi, announced: &Announced) -> serde_json::Result<Value> {
    let mut document = serde_json::to_value(routes)?;
    document["openapi"] = json!("3.1.0");
    document["info"] = json!({
        "title": "Chat",
        "version": env!("CARGO_PKG_VERSION"),
        "description": DESCRIPTION,
        "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
    });
    document["servers"] = json!([{"url": "/"}]);
    document["tags"] = tags();
    document["security"] = json!([{"bearer": []}]);
    document["components"]["securitySchemes"] = json!({"bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `access_token` of `/auth/login`, or whatever the application takes that the routes are mounted in.",
    }});
    document["components"]["headers"] = headers();
    schemas::name(&mut document["components"]["schemas"]);
    let mut refusals = Refusals::default();
    if let Some(Value::Object(paths)) = document.get_mut("paths") {
        for (path, operations) in paths {
            for method in METHODS {
                if let Some(operation) = operations.get_mut(method) {
                    requests::without_null(operation);
                    errors::complete(operation, path, &mut refusals);
                }
            }
        }
    }
    document["components"]["responses"] = Value::Object(refusals.components);
    for schema in ["NewMessage", "EditMessage"] {
        let body = &mut document["components"]["schemas"][schema]["properties"]["body"];
        body["maxLength"] = json!(announced.max_body_chars);
    }
    links::add(&mut document["paths"]);
    texts::tidy(&mut document);
    Ok(document)
}

fn tags() -> Value {
    json!([
        {"name": "auth", "description": "Accounts of the server's own: register, sign in, refresh, sign out."},
        {"name": "users", "description": "Profiles, what I let others know, and whom I have blocked."},
        {"name": "conversations", "description": "My list, groups, and direct conversations."},
        {"name": "members", "description": "Who belongs to a group, in what role, and who is banned."},
        {"name": "messages", "description": "Saying, reading, changing, finding; reactions, pins, cursors."},
        {"name": "socket", "description": "The WebSocket, whose protocol is at [/docs/socket](/docs/socket)."},
        {"name": "operation", "description": "For whoever runs the server."},
    ])
}

fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "The request, as the server's log names it.",
            "schema": {"type": "string", "format": "uuid"},
        },
        "RetryAfter": {
            "description": "How many seconds to wait before a retry.",
            "schema": {"type": "integer", "minimum": 1},
        },
        "Authenticate": {
            "description": "The scheme to authenticate with.",
            "schema": {"type": "string", "const": "Bearer"},
        },
    })
}
