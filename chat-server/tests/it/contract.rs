//! Holds every answer of the server to its own `OpenAPI` document.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::support::Answer;

static CONTRACT: OnceCell<Contract> = OnceCell::const_new();

/// The document, and what of it was asked for before.
pub struct Contract {
    pub document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One operation of the document.
pub struct Operation<'a> {
    pub id: &'a str,
    pub method: Method,
    pub path: &'a str,
    pub description: &'a Value,
}

impl Contract {
    /// The document of the server at `origin`. All servers have the same, but for limits that are not checked here.
    pub async fn of(http: &reqwest::Client, origin: &str) -> &'static Self {
        let load = async {
            let url = format!("{origin}/openapi.json");
            let document = http.get(url).send().await.unwrap().json().await.unwrap();
            Self {
                document,
                validators: Mutex::default(),
            }
        };
        CONTRACT.get_or_init(|| load).await
    }

    pub fn operations(&self) -> Vec<Operation<'_>> {
        let mut all = Vec::new();
        for (path, operations) in self.document["paths"].as_object().unwrap() {
            for (method, description) in operations.as_object().unwrap() {
                all.push(Operation {
                    id: description["operationId"].as_str().unwrap(),
                    method: method.to_uppercase().parse().unwrap(),
                    path,
                    description,
                });
            }
        }
        all
    }

    /// What is described; paths and methods that are not offered have no answer to hold anything to.
    pub fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let Some(operation) = self.operation(method, path) else {
            assert!(
                matches!(answer.status.as_u16(), 404 | 405),
                "{method} {path}"
            );
            return;
        };
        let (id, status) = (operation.id, answer.status.as_u16());
        let response = &operation.description["responses"][status.to_string()];
        assert!(
            response.is_object(),
            "{id} answers {status}: {:?}",
            answer.body
        );
        let response = self.resolve(response);
        for name in response["headers"].as_object().unwrap().keys() {
            assert!(answer.headers.contains_key(name), "{id} {status}: {name}");
        }
        let kind = answer.headers.get("content-type");
        let Some(kind) = kind.map(|kind| kind.to_str().unwrap()) else {
            assert!(response["content"].is_null(), "{id} {status}: no content");
            return;
        };
        let schema = &response["content"][kind]["schema"];
        assert!(schema.is_object(), "{id} {status}: {kind}");
        let validator = self.validator(&format!("{id} {status}"), schema);
        let wrong: Vec<_> = validator.iter_errors(&answer.body).collect();
        assert!(
            wrong.is_empty(),
            "{id} {status}: {wrong:?} in {}",
            answer.body
        );
    }

    fn operation(&self, method: &Method, path: &str) -> Option<Operation<'_>> {
        let path = path.split('?').next().unwrap();
        let mut fitting: Vec<_> = self
            .operations()
            .into_iter()
            .filter(|operation| operation.method == *method && fits(operation.path, path))
            .collect();
        fitting.sort_by_key(|operation| operation.path.matches('{').count());
        fitting.into_iter().next()
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.trim_start_matches('#');
                self.document.pointer(pointer).unwrap()
            }
            None => value,
        }
    }

    /// For answers as this version gives them: with nothing that is not described.
    fn validator(&self, name: &str, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let make = || {
            let mut whole = schema.clone();
            whole["components"] = self.document["components"].clone();
            for (name, schema) in whole["components"]["schemas"].as_object_mut().unwrap() {
                if name == "Entry" {
                    schema["unevaluatedProperties"] = json!(false);
                } else if schema["properties"].is_object() {
                    schema["additionalProperties"] = json!(false);
                }
            }
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&whole).unwrap())
        };
        Arc::clone(validators.entry(name.to_owned()).or_insert_with(make))
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    let part = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
    template.len() == path.len() && template.iter().zip(&path).all(part)
}
