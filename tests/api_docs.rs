//! `docs/api.md` says every field of the API, with an example: it is made from the CRDs and the manifests under `examples/`.
//! To write it anew: `UPDATE_DOCS=1 cargo test --test api_docs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use external_secrets_rs::api;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What the manifests say: by kind and field, each value with its file.
type Examples = BTreeMap<(&'static str, String), Vec<(String, Value)>>;

/// Values of fields that no manifest under `examples/` sets: what is only read, what is kept for other operators' manifests,
/// and other ways to say the same.
fn more() -> Vec<(&'static str, &'static str, Value)> {
    let account = "spec.provider.vault.auth.gcp.workloadIdentity";
    vec![
        ("ExternalSecret", "spec.data[].remoteRef.conversionStrategy", json!("Unicode")),
        (
            "ExternalSecret",
            "spec.data[].sourceRef.generatorRef",
            json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "random"}),
        ),
        (
            "ExternalSecret",
            "spec.dataFrom[].sourceRef.generatorRef",
            json!({"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "random"}),
        ),
        ("ExternalSecret", "spec.dataFrom[].extract.decodingStrategy", json!("Base64")),
        ("ExternalSecret", "spec.dataFrom[].extract.metadataPolicy", json!("Fetch")),
        ("ExternalSecret", "spec.dataFrom[].extract.nullBytePolicy", json!("Fail")),
        ("ExternalSecret", "spec.dataFrom[].extract.version", json!("3")),
        ("ExternalSecret", "spec.dataFrom[].find.conversionStrategy", json!("Unicode")),
        ("ExternalSecret", "spec.dataFrom[].find.decodingStrategy", json!("Auto")),
        ("ExternalSecret", "spec.dataFrom[].find.nullBytePolicy", json!("Fail")),
        ("ExternalSecret", "spec.target.manifest", json!({"apiVersion": "v1", "kind": "ConfigMap"})),
        ("ExternalSecret", "spec.target.template.metadata.finalizers", json!(["example.com/keep"])),
        (
            "ExternalSecret",
            "spec.target.template.templateFrom[].secret",
            json!({"name": "templates", "items": [{"key": "app.conf", "templateAs": "KeysAndValues"}]}),
        ),
        ("ExternalSecret", "spec.target.template.templateFrom[].valuesDecodingStrategy", json!("Base64")),
        (
            "ExternalSecret",
            "status",
            json!({
                "refreshTime": "2026-11-24T10:00:00Z",
                "syncedResourceVersion": "1-1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64",
                "observedGeneration": 1,
                "conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced", "lastTransitionTime": "2026-11-24T10:00:00Z", "observedGeneration": 1}],
                "binding": {"name": "db-credentials"},
                "target": {"uid": "b4c0a2a8-4a3e-4f0c-9a53-0d7c1a1f8f2e", "resourceVersion": "4711"},
            }),
        ),
        ("SecretStore", "spec.provider.vault.caProvider.namespace", json!("vault-auth")),
        (
            "SecretStore",
            "spec.provider.vault.auth.jwt.kubernetesServiceAccountToken.serviceAccountRef.audiences",
            json!(["vault"]),
        ),
        ("SecretStore", "spec.provider.vault.caBundle", json!("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t…")),
        ("SecretStore", "spec.provider.vault.checkAndSet.required", json!(true)),
        (
            "SecretStore",
            "spec.provider.vault.auth.iam",
            json!({
                "path": "aws", "region": "eu-central-1", "role": "arn:aws:iam::123456789012:role/app", "vaultRole": "app", "externalID": "app", "vaultAwsIamServerID": "vault.example.com",
                "jwt": {"serviceAccountRef": {"name": "app", "namespace": "shop", "audiences": ["sts.amazonaws.com"]}},
                "secretRef": {
                    "accessKeyIDSecretRef": {"name": "aws", "key": "id", "namespace": "shop"},
                    "secretAccessKeySecretRef": {"name": "aws", "key": "secret", "namespace": "shop"},
                    "sessionTokenSecretRef": {"name": "aws", "key": "token", "namespace": "shop"},
                },
            }),
        ),
        (
            "SecretStore",
            "spec.provider.vault.auth.gcp",
            json!({
                "path": "gcp", "role": "app", "projectID": "shop", "location": "europe-west1",
                "serviceAccountRef": {"name": "app", "namespace": "shop", "audiences": ["vault"]},
                "secretRef": {"secretAccessKeySecretRef": {"name": "gcp", "key": "key.json", "namespace": "shop"}},
            }),
        ),
        (
            "SecretStore",
            account,
            json!({
                "clusterName": "main", "clusterLocation": "europe-west1", "clusterProjectID": "shop",
                "serviceAccountRef": {"name": "app", "namespace": "shop", "audiences": ["vault"]},
            }),
        ),
        (
            "SecretStore",
            "status",
            json!({
                "capabilities": "ReadWrite",
                "observedGeneration": 1,
                "conditions": [{"type": "Ready", "status": "True", "reason": "Valid", "message": "store validated", "lastTransitionTime": "2026-11-24T10:00:00Z", "observedGeneration": 1}],
            }),
        ),
    ]
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    all.sort();
    all
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file's name below `examples/`.
fn short(file: &Path) -> String {
    file.strip_prefix(root().join("examples")).unwrap().display().to_string()
}

/// What the first object of a manifest is.
fn name(text: &str) -> String {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    format!("{} {}.", objects[0]["kind"].as_str().unwrap(), objects[0]["metadata"]["name"].as_str().unwrap())
}

/// Both kinds of stores have one schema.
fn schema_of(kind: &str) -> Option<&'static str> {
    match kind {
        "ExternalSecret" => Some("ExternalSecret"),
        "SecretStore" | "ClusterSecretStore" => Some("SecretStore"),
        _ => None,
    }
}

fn examples() -> Examples {
    let mut examples = Examples::new();
    for file in files(&root().join("examples")) {
        let objects: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for object in objects {
            if let Some(kind) = schema_of(object["kind"].as_str().unwrap()) {
                note(&mut examples, kind, "spec", &object["spec"], &short(&file));
            }
        }
    }
    for (kind, field, value) in more() {
        note(&mut examples, kind, field, &value, "");
    }
    examples
}

/// Enters a value and all in it.
fn note(examples: &mut Examples, kind: &'static str, field: &str, value: &Value, file: &str) {
    examples.entry((kind, field.to_owned())).or_default().push((file.to_owned(), value.clone()));
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| note(examples, kind, &format!("{field}.{name}"), value, file))
        }
        Value::Array(items) => items.iter().for_each(|item| note(examples, kind, &format!("{field}[]"), item, file)),
        _ => {}
    }
}

struct Page<'a> {
    kind: &'static str,
    examples: &'a Examples,
    out: String,
    without_example: Vec<String>,
}

impl Page<'_> {
    /// A row for the field, and one for each in it.
    fn field(&mut self, field: &str, schema: &Value, is_required: bool) {
        let type_ = match (schema["type"].as_str(), &schema["enum"]) {
            (_, Value::Array(words)) => words
                .iter()
                .map(|word| format!("`{}`", word.as_str().unwrap_or_default()))
                .collect::<Vec<_>>()
                .join(" "),
            (Some("array"), _) => format!("list of {}s", schema["items"]["type"].as_str().unwrap_or("value")),
            (Some("object"), _) if schema.get("properties").is_none() => "map".to_owned(),
            (Some(type_), _) => type_.to_owned(),
            (None, _) => "integer or string".to_owned(),
        };
        let needed = if is_required { "; required" } else { "" };
        let text = schema["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let example = self.example(field, schema);
        writeln!(self.out, "| `{field}` | {type_}{needed} | {} | {example} |", text.replace('|', "\\|")).unwrap();
        // OpenBao's fields are Vault's, and are told once.
        if !field.ends_with("provider.openbao") {
            self.inside(field, schema);
        }
    }

    fn inside(&mut self, field: &str, schema: &Value) {
        let list = if schema["type"] == "array" { "[]" } else { "" };
        let schema = schema.get("items").unwrap_or(schema);
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
            self.field(&format!("{field}{list}.{name}"), schema, required.iter().any(|required| required == name));
        }
    }

    /// A value for a plain field, the first manifest for one that holds others.
    fn example(&mut self, field: &str, schema: &Value) -> String {
        let found = self.examples.get(&(self.kind, field.to_owned()));
        let first = found.and_then(|all| all.iter().find(|(file, _)| !file.is_empty()).or_else(|| all.first()));
        let holds_fields = schema.get("properties").or_else(|| schema["items"].get("properties")).is_some();
        match first {
            Some((file, _)) if holds_fields && !file.is_empty() => format!("[{file}](../examples/{file})"),
            Some((_, Value::String(text))) if !holds_fields => code(text),
            Some((_, value)) => code(&value.to_string()),
            // Of whatever is referred to.
            None if field.ends_with("Ref.namespace") || field.ends_with("clientCert.namespace") => code("vault-auth"),
            None => {
                if !field.ends_with("provider.openbao") && !holds_fields {
                    self.without_example.push(format!("{} {field}", self.kind));
                }
                String::new()
            }
        }
    }
}

/// On one line, however long it is.
fn code(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let line = if line.len() < text.trim().len() { format!("{line} …") } else { line.to_owned() };
    format!("`{}`", line.replace('|', "\\|"))
}

const HEAD: &str = "# The API, field by field

Group `external-secrets.io`, served as `v1` (stored) and `v1beta1`, with one schema. The same texts are in `kubectl explain`.
This page is made from the CRDs and from the manifests under [examples/](../examples): `UPDATE_DOCS=1 cargo test --test api_docs`.

## Manifests to start from

";

fn render() -> (String, Vec<String>) {
    let examples = examples();
    let mut out = HEAD.to_owned();
    for file in files(&root().join("examples")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let title =
            text.lines().next().and_then(|line| line.strip_prefix("# ")).map_or_else(|| name(&text), str::to_owned);
        let file = short(&file);
        writeln!(out, "- [{file}](../examples/{file}): {title}").unwrap();
    }
    let mut without_example = Vec::new();
    for crd in api::all() {
        let name = crd.spec.names.kind.clone();
        let crd = serde_json::to_value(&crd).unwrap();
        let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        writeln!(out, "\n## {name}\n\n{}\n", schema["description"].as_str().unwrap()).unwrap();
        if name == "ClusterSecretStore" {
            out.push_str("Its fields are those of a [SecretStore](#secretstore). `spec.conditions` say which namespaces it is for; a reference without a namespace means that of the ExternalSecret.\n");
            continue;
        }
        out.push_str("| Field | Type | What it is | Example |\n|---|---|---|---|\n");
        let kind = schema_of(&name).unwrap();
        let mut page = Page { kind, examples: &examples, out, without_example };
        for part in ["spec", "status"] {
            page.inside(part, &schema["properties"][part]);
        }
        (out, without_example) = (page.out, page.without_example);
    }
    (out, without_example)
}

#[test]
fn every_field_is_told_with_an_example() {
    let (text, without_example) = render();
    assert_eq!(without_example, Vec::<String>::new(), "fields that neither a manifest nor this test has a value for");
    let path = root().join("docs/api.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stands = std::fs::read_to_string(&path).unwrap_or_default();
    let is_equal = stands == text;
    assert!(is_equal, "docs/api.md is not what the CRDs and examples say: UPDATE_DOCS=1 cargo test --test api_docs");
}
