//! Links: which calls can go on from what another one answered.

use serde_json::{Map, Value, json};

/// What an answer gives to the paths of later calls.
struct Giver {
    operation: &'static str,
    /// Every parameter of the later path, and where its value is found.
    gives: &'static [(&'static str, &'static str)],
    /// What the later path holds.
    place: &'static str,
}

const GIVERS: [Giver; 6] = [
    Giver {
        operation: "create_group",
        gives: &[("id", "$response.body#/conversation/id")],
        place: "/conversations/{id}",
    },
    Giver {
        operation: "open_direct",
        gives: &[("id", "$response.body#/conversation/id")],
        place: "/conversations/{id}",
    },
    Giver {
        operation: "send_message",
        gives: &[
            ("id", "$response.body#/conversation_id"),
            ("message_id", "$response.body#/id"),
        ],
        place: "/messages/{message_id}",
    },
    Giver {
        operation: "put_member",
        gives: &[
            ("id", "$request.path.id"),
            ("user_id", "$response.body#/user/id"),
        ],
        place: "/members/{user_id}",
    },
    Giver {
        operation: "register",
        gives: &[("id", "$response.body#/user/id")],
        place: "/users/{id}",
    },
    Giver {
        operation: "register",
        gives: &[("user_id", "$response.body#/user/id")],
        place: "/direct/{user_id}",
    },
];

/// Adds links to the answers of those calls that make something.
pub(super) fn add(paths: &mut Value) {
    let operations = operations(paths);
    let Some(paths) = paths.as_object_mut() else {
        return;
    };
    let all = paths.values_mut().filter_map(Value::as_object_mut);
    for operation in all.flat_map(Map::values_mut) {
        for giver in &GIVERS {
            if operation["operationId"] == giver.operation {
                link(operation, giver, &operations);
            }
        }
    }
}

/// Every operation: its path and its id.
fn operations(paths: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (path, methods) in paths.as_object().into_iter().flatten() {
        for operation in methods.as_object().into_iter().flat_map(Map::values) {
            if let Some(id) = operation["operationId"].as_str() {
                all.push((path.clone(), id.to_owned()));
            }
        }
    }
    all
}

fn link(operation: &mut Value, giver: &Giver, operations: &[(String, String)]) {
    let mut links = Map::new();
    for (path, id) in operations {
        // What else a path needs, whoever follows the link chooses.
        let fits = path.contains(giver.place) && id != giver.operation;
        if fits {
            let parameters: Map<_, _> = giver
                .gives
                .iter()
                .map(|(name, place)| ((*name).to_owned(), json!(place)))
                .collect();
            links.insert(
                id.clone(),
                json!({"operationId": id, "parameters": parameters}),
            );
        }
    }
    for status in ["200", "201"] {
        if let Some(response) = operation["responses"].get_mut(status) {
            let present = response["links"].as_object().cloned().unwrap_or_default();
            let all: Map<_, _> = present.into_iter().chain(links.clone()).collect();
            response["links"] = Value::Object(all);
        }
    }
}
