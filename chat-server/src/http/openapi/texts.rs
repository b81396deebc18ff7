//! Texts for readers of the document, from those for readers of the code.

use serde_json::Value;

use super::schemas;

/// Makes texts that were written for readers of the code into texts for readers of the document.
pub(super) fn tidy(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == "description" => *text = without_links(text),
                    Value::String(text) if name == "$ref" => schemas::correct(text),
                    field => tidy(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// The text without links to items of the code: `` [`Row`](crate::model::Row) `` becomes `` `Row` ``.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once("[`") {
        plain.push_str(before);
        let Some((name, after)) = link.split_once("`]") else {
            plain.push_str("[`");
            rest = link;
            continue;
        };
        let target = after.strip_prefix('(').and_then(|it| it.split_once(')'));
        match target {
            Some((target, _)) if target.starts_with('/') => {
                plain.push_str("[`");
                rest = link;
            }
            Some((_, after)) => {
                plain.extend(["`", name, "`"]);
                rest = after;
            }
            None => {
                plain.extend(["`", name, "`"]);
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}
