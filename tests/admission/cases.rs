//! Specs of ExternalSecrets, and what the API server is to say to each.

use serde_json::{Value, json};

/// What becomes of a spec.
#[derive(Debug)]
pub enum Expect {
    /// It is taken, and nothing of it is lost or added.
    Kept,
    /// It is taken, and kept as this.
    KeptAs(Value),
    /// It is refused, and the answer contains all of these.
    Refused(&'static [&'static str]),
}
use Expect::{Kept, KeptAs, Refused};

/// The spec of an ExternalSecret that says the least.
pub fn external_secret() -> Value {
    json!({"secretStoreRef": {"name": "vault-store"}, "data": [{"secretKey": "a", "remoteKey": "path#a"}]})
}

/// Replaces fields of `spec`; null takes one out.
pub fn lay_over(spec: &mut Value, fields: Value) {
    for (name, value) in fields.as_object().cloned().unwrap_or_default() {
        match value {
            Value::Null => spec.as_object_mut().unwrap().remove(&name),
            value => spec.as_object_mut().unwrap().insert(name, value),
        };
    }
}

fn es(fields: Value) -> Value {
    let mut spec = external_secret();
    lay_over(&mut spec, fields);
    spec
}

fn data(entry: Value) -> Value {
    es(json!({"data": [entry]}))
}

fn from(entry: Value) -> Value {
    es(json!({"data": null, "dataFrom": [entry]}))
}

fn rewrite(step: Value) -> Value {
    from(json!({"extract": {"key": "k"}, "rewrite": [step]}))
}

fn interval(text: &str) -> Value {
    es(json!({"refreshInterval": text}))
}

fn target(fields: Value) -> Value {
    es(json!({"target": fields}))
}

const DURATION: &[&str] = &["spec.refreshInterval", "must be a duration such as 90s, 15m, 1h30m or 0"];
const ONE_KEY: &[&str] = &["spec.data[0]", "set exactly one of remoteKey (\"path#property\") and remoteRef"];
const ONE_SOURCE: &[&str] = &["spec.dataFrom[0]", "set exactly one of extract, find and sourceRef.generatorRef"];
const OWNER: &[&str] = &["spec.target", "set creationPolicy to Owner"];

/// ExternalSecrets.
pub fn external_secrets() -> Vec<(&'static str, Value, Expect)> {
    let generator = json!({"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "g"}});
    let mut cases = vec![
        ("least", external_secret(), Kept),
        (
            "remoteRef",
            data(json!({"secretKey": "a", "remoteRef": {"key": "k", "property": "p", "version": "1"}})),
            Kept,
        ),
        ("both keys", data(json!({"secretKey": "a", "remoteKey": "k", "remoteRef": {"key": "k"}})), Refused(ONE_KEY)),
        ("neither key", data(json!({"secretKey": "a"})), Refused(ONE_KEY)),
        (
            "null is absent",
            data(json!({"secretKey": "a", "remoteKey": "k", "remoteRef": null, "sourceRef": null})),
            KeptAs(data(json!({"secretKey": "a", "remoteKey": "k"}))),
        ),
        ("empty remoteKey", data(json!({"secretKey": "a", "remoteKey": ""})), Refused(&["spec.data[0].remoteKey"])),
        (
            "bad secretKey",
            data(json!({"secretKey": "user name", "remoteKey": "k"})),
            Refused(&["spec.data[0].secretKey", "must be a key that a Secret can hold"]),
        ),
        (
            "long secretKey",
            data(json!({"secretKey": "a".repeat(254), "remoteKey": "k"})),
            Refused(&["spec.data[0].secretKey", "253"]),
        ),
        (
            "secretKey twice",
            es(json!({"data": [{"secretKey": "a", "remoteKey": "k"}, {"secretKey": "a", "remoteKey": "l"}]})),
            Refused(&["spec.data[1]", "Duplicate value"]),
        ),
        ("nothing to fetch", es(json!({"data": null})), Refused(&["nothing to fetch: set data, dataFrom or both"])),
        ("empty lists", es(json!({"data": [], "dataFrom": []})), Refused(&["nothing to fetch"])),
        (
            "too many",
            es(json!({"data": vec![json!({"secretKey": "a", "remoteKey": "k"}); 4097]})),
            Refused(&["spec.data", "4096"]),
        ),
        ("no store", es(json!({"secretStoreRef": null})), Refused(&["no store to read from: set secretStoreRef.name"])),
        (
            "a store without a name",
            es(json!({"secretStoreRef": {"kind": "SecretStore"}})),
            Refused(&["no store to read from"]),
        ),
        (
            "a store for each entry",
            es(json!({
                "secretStoreRef": null,
                "data": [{"secretKey": "a", "remoteKey": "k", "sourceRef": {"storeRef": {"name": "s"}}}],
                "dataFrom": [{"sourceRef": generator}],
            })),
            Kept,
        ),
        (
            "a store for some entries",
            es(json!({
                "secretStoreRef": null,
                "data": [{"secretKey": "a", "remoteKey": "k", "sourceRef": {"storeRef": {"name": "s"}}}],
                "dataFrom": [{"extract": {"key": "k"}}],
            })),
            Refused(&["no store to read from"]),
        ),
        (
            "unknown kind of store",
            es(json!({"secretStoreRef": {"name": "s", "kind": "Store"}})),
            Refused(&["spec.secretStoreRef.kind", "ClusterSecretStore"]),
        ),
        ("a generator", from(json!({"sourceRef": generator})), Kept),
        (
            "extract of another store",
            from(json!({"extract": {"key": "k"}, "sourceRef": {"storeRef": {"name": "s"}}})),
            Kept,
        ),
        ("extract and find", from(json!({"extract": {"key": "k"}, "find": {"path": "p"}})), Refused(ONE_SOURCE)),
        ("extract and generator", from(json!({"extract": {"key": "k"}, "sourceRef": generator})), Refused(ONE_SOURCE)),
        ("nothing in an entry", from(json!({})), Refused(ONE_SOURCE)),
        (
            "an empty sourceRef",
            data(json!({"secretKey": "a", "remoteKey": "k", "sourceRef": {}})),
            Refused(&["exactly one of storeRef"]),
        ),
        ("find by name", from(json!({"find": {"name": {"regexp": "^a.*$"}}})), Kept),
        ("find by tags", from(json!({"find": {"tags": {"env": "prod"}}})), Kept),
        (
            "find by path",
            from(json!({"find": {"path": "team-a", "conversionStrategy": "Unicode", "decodingStrategy": "Auto"}})),
            Kept,
        ),
        (
            "find nothing",
            from(json!({"find": {"conversionStrategy": "Unicode"}})),
            Refused(&["spec.dataFrom[0].find", "say what to find"]),
        ),
        (
            "find by what Go can't read",
            from(json!({"find": {"name": {"regexp": "(?=a)"}}})),
            Refused(&["spec.dataFrom[0].find.name.regexp", "must be a regular expression in Go's RE2 syntax"]),
        ),
        ("rewrite by regexp", rewrite(json!({"regexp": {"source": "a(.*)", "target": "$1"}})), Kept),
        ("rewrite by transform", rewrite(json!({"transform": {"template": "{{ .value }}"}})), Kept),
        ("rewrite by merge", rewrite(json!({"merge": {}})), Kept),
        (
            "rewrite by nothing",
            rewrite(json!({})),
            Refused(&["spec.dataFrom[0].rewrite[0]", "set exactly one of regexp, transform and merge"]),
        ),
        (
            "rewrite by two",
            rewrite(json!({"regexp": {"source": "a", "target": "b"}, "merge": {}})),
            Refused(&["spec.dataFrom[0].rewrite[0]", "set exactly one of regexp, transform and merge"]),
        ),
        (
            "manifest",
            target(
                json!({"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}, "template": {"templateFrom": [{"literal": "a: b", "target": "spec.a"}]}}),
            ),
            Kept,
        ),
        (
            "templateFrom elsewhere",
            target(json!({"template": {"templateFrom": [{"literal": "a: b", "target": "spec.a"}]}})),
            Refused(&["must be Data, Annotations or Labels"]),
        ),
        (
            "templateFrom in small letters",
            target(json!({"template": {"templateFrom": [{"literal": "a: b", "target": "labels"}]}})),
            Kept,
        ),
        (
            "a token for the API",
            target(json!({"template": {"type": "kubernetes.io/service-account-token"}})),
            Refused(&["spec.target.template.type", "may not make credentials"]),
        ),
        (
            "a bootstrap token",
            target(json!({"template": {"type": "bootstrap.kubernetes.io/token"}})),
            Refused(&["may not make credentials"]),
        ),
        (
            "engine v1",
            target(json!({"template": {"engineVersion": "v1"}})),
            Refused(&["spec.target.template.engineVersion", "\"v2\""]),
        ),
        (
            "unknown policy",
            target(json!({"creationPolicy": "Always"})),
            Refused(&["spec.target.creationPolicy", "\"Owner\""]),
        ),
        ("no defaults", target(json!({"name": "t"})), Kept),
        (
            "Merge of None",
            target(json!({"creationPolicy": "None", "deletionPolicy": "Merge"})),
            Refused(&["no Secret to remove keys from"]),
        ),
        (
            "windows",
            es(
                json!({"syncWindows": {"kind": "deny", "windows": [{"schedule": "0 22 * * 1-5", "duration": "8h"}, {"schedule": "@every 6h", "duration": "1h"}]}}),
            ),
            Kept,
        ),
        (
            "a window without time",
            es(json!({"syncWindows": {"kind": "deny", "windows": [{"schedule": "at noon", "duration": "8h"}]}})),
            Refused(&["schedule"]),
        ),
        (
            "no windows",
            es(json!({"syncWindows": {"kind": "allow", "windows": []}})),
            Refused(&["spec.syncWindows.windows"]),
        ),
    ];
    for text in ["0", "0s", "90s", "1h30m", "1h0m0s", "1.5h", "300ms", ".5h", "8760h", "999999h", "2\u{b5}s"] {
        cases.push(("a duration", interval(text), Kept));
    }
    for text in ["", "1 hour", "60", "1d", "-1h", "1h 30m", "h", "1000001h", "99999999999h", "1h\n"] {
        cases.push(("no duration", interval(text), Refused(DURATION)));
    }
    for creation in ["Owner", "Orphan", "Merge", "CreateOrMerge", "None"] {
        for deletion in ["Retain", "Delete", "Merge"] {
            // What ESO's webhook refuses, and no more: a manifest that works there has to work here.
            let expect = match (creation, deletion) {
                ("Merge" | "CreateOrMerge" | "None", "Delete") => Refused(OWNER),
                ("None", "Merge") => Refused(&["spec.target"]),
                _ => Kept,
            };
            cases.push((creation, target(json!({"creationPolicy": creation, "deletionPolicy": deletion})), expect));
        }
    }
    cases
}
