//! Whether an object that was written for External Secrets Operator (ESO) works here: pure, from the object's JSON.
//!
//! No rule is written down a second time: an object is held against the schema of our own CRDs, read by the types that the
//! operator reads it by, and then looked at by the functions that a sync begins with.

mod external_secret;
mod reserved;
mod schema;
mod store;

pub use schema::Schemas;

use crate::api::{SecretStoreSpec, names};
use crate::controller::error::SyncError;
use crate::controller::key::ObjectKey;
use reserved::Reserved;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// API group of ESO's generators.
const GENERATORS: &str = "generators.external-secrets.io";

/// What becomes of an object, from best to worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As with ESO.
    #[default]
    Works,
    /// It works, and something is done otherwise.
    Differs,
    /// It is refused as it stands.
    NeedsEdit,
    /// Nothing here does what it asks for.
    NotServed,
}

impl Verdict {
    /// The word in a table, and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Differs => "differs",
            Self::NeedsEdit => "needs-edit",
            Self::NotServed => "not-served",
        }
    }

    /// Whether nothing has to be done before the move.
    pub const fn is_fine(self) -> bool {
        matches!(self, Self::Works | Self::Differs)
    }
}

/// What was found out about one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// As it is written.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; none for a kind of the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// What becomes of it: the worst of its reasons.
    pub verdict: Verdict,
    /// Why, and what to do. Holds no value.
    pub why: Vec<String>,
}

/// Verdicts with their reasons, as they are found.
#[derive(Clone, Debug, Default)]
struct Findings {
    verdict: Verdict,
    why: Vec<String>,
}

impl Findings {
    fn add(&mut self, verdict: Verdict, why: impl ToString) {
        self.verdict = self.verdict.max(verdict);
        self.why.push(why.to_string());
    }
}

/// A store's findings, and what it says where it can be read.
struct Store {
    findings: Findings,
    spec: Option<SecretStoreSpec>,
}

/// The stores among the objects, by kind, namespace (empty for the whole cluster) and name.
type Stores = BTreeMap<(String, String, String), Store>;

/// Whether an object is of ESO's groups, and so to be judged.
pub fn is_concerned(object: &Value) -> bool {
    let group = text(object, "apiVersion").split('/').next().unwrap_or_default();
    group == names::GROUP || group == GENERATORS
}

/// Judges objects; those of other groups are passed over. A namespaced object without a namespace is in `namespace`.
pub fn judge(schemas: &Schemas, objects: &[Value], namespace: &str) -> Vec<Judgement> {
    let concerned = || objects.iter().filter(|object| is_concerned(object));
    let stores: Stores = concerned()
        .filter(|object| is_store(text(object, "kind")))
        .map(|object| {
            let identity = identity(object, namespace);
            let own = identity.namespace.as_deref();
            let store = store::judge(schemas, &identity.kind, own, &spec(object));
            ((identity.kind, identity.namespace.unwrap_or_default(), identity.name), store)
        })
        .collect();
    let is_ours = |object: &&Value| text(object, "apiVersion").starts_with(names::GROUP);
    let own = |object| (object, identity(object, namespace).namespace.unwrap_or_default());
    let reserved = reserved::reserved(&stores, concerned().filter(is_ours).map(own));
    concerned()
        .map(|object| {
            let mut judgement = identity(object, namespace);
            let findings = findings(schemas, (&stores, &reserved), &judgement, object);
            judgement.verdict = findings.verdict;
            judgement.why = findings.why;
            judgement
        })
        .collect()
}

fn findings(
    schemas: &Schemas,
    (stores, reserved): (&Stores, &Reserved),
    identity: &Judgement,
    object: &Value,
) -> Findings {
    let mut findings = Findings::default();
    let kind = identity.kind.as_str();
    let key = |namespace: &str| (kind.to_owned(), namespace.to_owned(), identity.name.clone());
    let is_ours = text(object, "apiVersion").starts_with(names::GROUP);
    match kind {
        _ if is_ours && schemas.has(kind) && !schemas.serves(&identity.api_version, kind) => findings.add(
            Verdict::NeedsEdit,
            format!("apiVersion {} is not served; write {}/{}", identity.api_version, names::GROUP, names::VERSION),
        ),
        names::KIND_EXTERNAL_SECRET if is_ours => {
            let namespace = identity.namespace.as_deref().unwrap_or_default();
            findings = external_secret::judge(schemas, stores, namespace, &spec(object));
            let target = object.pointer("/spec/target/name").and_then(Value::as_str).unwrap_or_default();
            let target = if target.is_empty() { identity.name.as_str() } else { target };
            if let Some(source) = reserved.get(&ObjectKey::new(namespace, target)) {
                let (target, source) = (target.to_owned(), source.clone());
                findings.add(Verdict::NeedsEdit, SyncError::Target { target, source });
            }
        }
        _ if is_ours && is_store(kind) => {
            if let Some(store) = stores.get(&key(identity.namespace.as_deref().unwrap_or_default())) {
                findings = store.findings.clone();
            }
        }
        "ClusterExternalSecret" => findings.add(
            Verdict::NotServed,
            "nothing makes ExternalSecrets of it; apply an ExternalSecret in each namespace (before ESO goes: with its \
             CRD the ExternalSecrets that it made go too)",
        ),
        "PushSecret" | "ClusterPushSecret" => findings.add(
            Verdict::NotServed,
            "external-secrets-rs writes nothing to Vault; leave ESO in charge of it, or write the value by other means",
        ),
        _ if is_ours => findings.add(
            Verdict::NeedsEdit,
            format!("{} has no kind {kind}, here or in External Secrets Operator; correct it", names::GROUP),
        ),
        _ => findings
            .add(Verdict::NotServed, "external-secrets-rs has no generators; keep the value in Vault and refer to it"),
    }
    findings
}

fn is_store(kind: &str) -> bool {
    kind == names::KIND_SECRET_STORE || kind == names::KIND_CLUSTER_SECRET_STORE
}

fn identity(object: &Value, namespace: &str) -> Judgement {
    let kind = text(object, "kind").to_owned();
    let metadata = &object["metadata"];
    let own = Some(text(metadata, "namespace")).filter(|own| !own.is_empty()).unwrap_or(namespace);
    Judgement {
        api_version: text(object, "apiVersion").to_owned(),
        namespace: (!kind.starts_with("Cluster")).then(|| own.to_owned()),
        kind,
        name: text(metadata, "name").to_owned(),
        verdict: Verdict::Works,
        why: Vec::new(),
    }
}

/// An object's spec as the API server would store it: a field that is null is not there.
fn spec(object: &Value) -> Value {
    fn without_nulls(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields.iter().filter(|(_, value)| !value.is_null());
                Value::Object(fields.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
            other => other.clone(),
        }
    }
    without_nulls(object.get("spec").unwrap_or(&Value::Object(serde_json::Map::new())))
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
