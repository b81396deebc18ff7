//! The errors of every operation: those that follow from what it takes, and its own.

use std::collections::BTreeMap;

use chat_core::protocol::{
    ErrorCode::{
        self, Internal, Invalid, Malformed, NotFound, RateLimited, ShuttingDown, Timeout,
        TokenExpired, TooLarge, Unauthenticated, Unavailable, UnknownField, UnsupportedMediaType,
    },
    Problem,
};
use serde_json::{Map, Value, json};

/// Where a handler lists the codes that it alone can answer with.
const OWN_ERRORS: &str = "x-errors";

/// Adds to an operation the errors that it can answer with, and the headers of every answer.
pub(super) fn complete(operation: &mut Value, path: &str, refusals: &mut Refusals) {
    let mut codes = errors_of(operation, path);
    if let Some(own) = operation
        .as_object_mut()
        .and_then(|it| it.remove(OWN_ERRORS))
    {
        codes.extend(serde_json::from_value::<Vec<ErrorCode>>(own).unwrap_or_default());
    }
    let Some(Value::Object(responses)) = operation.get_mut("responses") else {
        return;
    };
    for response in responses.values_mut() {
        response["headers"] = json!({"X-Request-Id": {"$ref": "#/components/headers/RequestId"}});
    }
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in ErrorCode::ALL {
        if codes.contains(&code) {
            by_status.entry(code.status()).or_default().push(code);
        }
    }
    for (status, codes) in by_status {
        responses.insert(status.to_string(), refusals.response(status, &codes));
    }
}

/// The errors that follow from what an operation takes.
fn errors_of(operation: &Value, path: &str) -> Vec<ErrorCode> {
    let mut codes = vec![Malformed, UnknownField, Internal, Unavailable, ShuttingDown];
    if !path.ends_with("/healthz") && !path.ends_with("/readyz") {
        codes.push(RateLimited);
    } else {
        codes.retain(|code| !matches!(code, UnknownField));
    }
    if operation.get("security").is_none() {
        codes.extend([Unauthenticated, TokenExpired]);
    }
    let parameters = operation.get("parameters").and_then(Value::as_array);
    for parameter in parameters.into_iter().flatten() {
        match parameter["in"].as_str() {
            Some("path") => codes.push(NotFound),
            Some("query" | "header") => codes.push(Invalid),
            _ => {}
        }
    }
    if operation.get("requestBody").is_some() {
        codes.extend([Invalid, Timeout, TooLarge, UnsupportedMediaType]);
    }
    codes
}

/// Responses for sets of errors, each kept once.
#[derive(Default)]
pub(super) struct Refusals {
    pub(super) components: Map<String, Value>,
}

impl Refusals {
    /// A reference to the response with which any of these codes is answered.
    fn response(&mut self, status: u16, codes: &[ErrorCode]) -> Value {
        let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
        let name = format!("{status}.{}", names.join("."));
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        self.components
            .entry(name)
            .or_insert_with(|| refusal(status, codes));
        reference
    }
}

fn refusal(status: u16, codes: &[ErrorCode]) -> Value {
    let lines = codes.iter().map(|code| {
        let (name, title) = (code.as_str(), code.title());
        format!(
            "[`{name}`](/docs/errors#{name}): {title}. {}",
            code.remedy()
        )
    });
    let examples = codes.iter().map(|code| {
        let mut problem = Problem::new(*code, code.title());
        problem.request_id = Some("019aa5e8-0000-7000-8000-0000000000ff".to_owned());
        if matches!(status, 429 | 503) {
            problem.retry_after_ms = Some(1_000);
        }
        (code.as_str().to_owned(), json!({"value": problem}))
    });
    let mut headers = json!({"X-Request-Id": {"$ref": "#/components/headers/RequestId"}});
    if matches!(status, 429 | 503) {
        headers["Retry-After"] = json!({"$ref": "#/components/headers/RetryAfter"});
    }
    if status == 401 {
        headers["WWW-Authenticate"] = json!({"$ref": "#/components/headers/Authenticate"});
    }
    json!({
        "description": lines.collect::<Vec<_>>().join("\n\n"),
        "headers": headers,
        "content": {"application/problem+json": {
            "schema": {
                "allOf": [
                    {"$ref": "#/components/schemas/Problem"},
                    {"type": "object", "properties": {
                        "status": {"const": status},
                        "code": {"enum": codes},
                    }},
                ],
            },
            "examples": examples.collect::<Map<_, _>>(),
        }},
    })
}
