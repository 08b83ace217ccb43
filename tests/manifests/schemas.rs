//! JSON schemas for kubeconform, out of what the testbed's API server serves: its own source of them is the internet.

use crate::common::{Result, SOON};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use testbed::{Kube, Method, wait_until};

/// Where `write` puts a kind's schema, in kubeconform's words.
pub const FILE: &str = "{{.Group}}_{{.ResourceAPIVersion}}_{{.ResourceKind}}.json";

/// The `apiVersion` and kind of each document.
pub fn kinds(documents: &[Value]) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    documents.iter().map(|one| (text(&one["apiVersion"]), text(&one["kind"]))).collect()
}

/// Writes a schema for each kind: all that the server says of it, and no field that it does not name.
pub async fn write(kube: &Kube, folder: &Path, kinds: &BTreeSet<(String, String)>) -> Result {
    let versions: BTreeSet<&String> = kinds.iter().map(|(version, _)| version).collect();
    for version in versions {
        let wanted: Vec<&String> = kinds.iter().filter(|(one, _)| one == version).map(|(_, kind)| kind).collect();
        let mut definitions = served(kube, version, &wanted).await?;
        definitions.values_mut().for_each(strict);
        for kind in wanted {
            let (group, of_group) = (version.split('/').next().unwrap(), version.split('/').next_back().unwrap());
            let file = folder.join(format!("{group}_{of_group}_{}.json", kind.to_lowercase()));
            let name = name_of(&definitions, version, kind).expect("what was waited for");
            let schema = json!({
                "$schema": "http://json-schema.org/draft-07/schema#",
                "allOf": [{"$ref": format!("#/definitions/{name}")}], "definitions": definitions,
            });
            std::fs::write(file, schema.to_string())?;
        }
    }
    Ok(())
}

/// The schemas of an API version. Those of a CRD come a moment after the CRD.
async fn served(kube: &Kube, version: &str, kinds: &[&String]) -> Result<Map<String, Value>> {
    let prefix = if version.contains('/') { "apis" } else { "api" };
    let path = format!("/openapi/v3/{prefix}/{version}");
    let what = format!("{kinds:?} in {path}");
    let found = wait_until(&what, SOON, async || {
        let found = kube.request(Method::GET, &path, None).await.map_err(|error| error.to_string())?;
        let schemas = found["components"]["schemas"].as_object().cloned().unwrap_or_default();
        match kinds.iter().find(|kind| name_of(&schemas, version, kind).is_none()) {
            Some(missing) => Err(format!("no {missing}")),
            None => Ok(schemas),
        }
    });
    Ok(found.await?)
}

/// The name of the schema that says it is this kind's.
fn name_of(schemas: &Map<String, Value>, version: &str, kind: &str) -> Option<String> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let meant = json!({"group": group, "version": version, "kind": kind});
    let is_meant = |schema: &Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| kinds.len() == 1 && kinds[0] == meant)
    };
    schemas.iter().find(|(_, schema)| is_meant(schema)).map(|(name, _)| name.clone())
}

/// From OpenAPI to JSON schema: references lead to where they now are, `nullable` is a type, and a field that is not named is refused
/// where the server would prune it or refuse it.
fn strict(schema: &mut Value) {
    match schema {
        Value::Array(all) => all.iter_mut().for_each(strict),
        Value::Object(map) => {
            map.values_mut().for_each(strict);
            if let Some(name) = map.get("$ref").and_then(Value::as_str).and_then(|to| to.rsplit('/').next()) {
                let here = json!(format!("#/definitions/{name}"));
                map.insert("$ref".to_owned(), here);
            }
            if map.get("nullable") == Some(&json!(true)) {
                let nullable = json!([map["type"], "null"]);
                map.insert("type".to_owned(), nullable);
            }
            let is_open = map.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
            let names_fields = map.get("properties").is_some_and(Value::is_object);
            if names_fields && map.get("type") == Some(&json!("object")) && !is_open {
                map.entry("additionalProperties").or_insert(json!(false));
            }
        }
        _ => {}
    }
}
