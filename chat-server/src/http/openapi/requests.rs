//! What may be absent from a request may not be null there.

use serde_json::{Value, json};

/// Takes the null from optional parameters and an optional body.
pub(super) fn without_null(operation: &mut Value) {
    let parameters = operation.get_mut("parameters");
    for parameter in parameters
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        if let Some(schema) = not_null(&parameter["schema"]) {
            parameter["schema"] = schema;
        }
    }
    if let Some(body) = operation.get_mut("requestBody") {
        let schema = &mut body["content"]["application/json"]["schema"];
        if let Some(not_null) = not_null(schema) {
            *schema = not_null;
            body["required"] = json!(false);
        }
    }
}

/// The other one of two schemas of which one is null.
fn not_null(schema: &Value) -> Option<Value> {
    let null = json!({"type": "null"});
    if let Some(choices) = schema["oneOf"].as_array() {
        let mut others = choices.iter().filter(|choice| **choice != null);
        return (choices.len() == 2).then(|| others.next().cloned())?;
    }
    let types = schema["type"].as_array()?;
    let other = types.iter().find(|kind| *kind != "null")?;
    let mut schema = schema.clone();
    schema["type"] = other.clone();
    Some(schema)
}
