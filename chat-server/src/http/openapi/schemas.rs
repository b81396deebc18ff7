//! Schemas under their names: those that no handler mentions, and those that were written out in place.

use chat_core::protocol::Problem;
use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::http::extract::MAX_SEQ;

/// What the schema of a `Seq` is called that is known by the type behind it.
const ALIAS_OF_SEQ: &str = "u64";

/// Adds the schemas that no handler names, and refers to those that were written out where they are used.
pub(super) fn name(schemas: &mut Value) {
    let mut named = Vec::new();
    Problem::schemas(&mut named);
    named.push((Problem::name().into_owned(), Problem::schema()));
    for (name, schema) in named {
        schemas[name] = json!(schema);
    }
    let Some(schemas) = schemas.as_object_mut() else {
        return;
    };
    if let Some(mut seq) = schemas.remove(ALIAS_OF_SEQ) {
        seq["description"] =
            json!("The place of an entry in the log of its conversation; 0 is before the first.");
        seq["maximum"] = json!(MAX_SEQ);
        schemas.insert("Seq".to_owned(), seq);
    }
    let pages: Vec<_> = schemas
        .keys()
        .filter(|name| name.starts_with("Page_"))
        .cloned()
        .collect();
    for page in pages {
        let item = page.trim_start_matches("Page_");
        if schemas.contains_key(item) {
            let reference = json!({"$ref": format!("#/components/schemas/{item}")});
            schemas[&page]["properties"]["items"]["items"] = reference;
        }
    }
}

/// The name that a reference should have had.
pub(super) fn correct(reference: &mut String) {
    if reference.ends_with(&format!("/{ALIAS_OF_SEQ}")) {
        "#/components/schemas/Seq".clone_into(reference);
    }
}
