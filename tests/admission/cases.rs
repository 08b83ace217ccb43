//! Specs, and what the API server is to say to each.

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

/// The spec of a store that says the least.
pub fn store() -> Value {
    json!({"provider": {"vault": {"server": "https://vault.example.com:8200", "auth": app_role(json!({"roleID": "r"}))}}})
}

fn app_role(role: Value) -> Value {
    let mut method = json!({"secretRef": {"name": "n", "key": "k"}});
    lay_over(&mut method, role);
    json!({"appRole": method})
}

/// Replaces fields of `spec`; null takes one out.
fn lay_over(spec: &mut Value, fields: Value) {
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

fn vault(fields: Value) -> Value {
    let mut spec = store();
    lay_over(&mut spec["provider"]["vault"], fields);
    spec
}

fn auth(methods: Value) -> Value {
    vault(json!({"auth": methods}))
}

const ONE_METHOD: &[&str] = &["spec.provider.vault.auth", "set exactly one way to log in"];
const ONE_ROLE: &[&str] = &["spec.provider.vault.auth.appRole", "say which role in exactly one way"];
const SERVER: &[&str] = &["spec.provider.vault.server", "for example https://vault.example.com:8200"];
const STORE_DURATION: &[&str] = &["spec.refreshInterval", "a number of seconds of 0 or more"];

/// Stores of both kinds.
pub fn stores() -> Vec<(&'static str, Value, Expect)> {
    let key = json!({"name": "n", "key": "k"});
    let account = json!({"name": "n", "audiences": ["vault"]});
    let mut cases = vec![
        ("least", store(), Kept),
        ("no login, for a Vault Agent", vault(json!({"auth": null})), Kept),
        ("no method", auth(json!({"namespace": "n"})), Refused(ONE_METHOD)),
        (
            "two methods",
            auth(json!({"tokenSecretRef": key, "userPass": {"username": "u", "secretRef": key}})),
            Refused(ONE_METHOD),
        ),
        ("token", auth(json!({"tokenSecretRef": key, "namespace": "n"})), Kept),
        ("roleId", auth(app_role(json!({"path": "p", "roleId": "r"}))), Kept),
        ("roleRef", auth(app_role(json!({"roleRef": key}))), Kept),
        (
            "roleRef and an empty roleId, as charts write it",
            auth(app_role(json!({"roleRef": key, "roleId": ""}))),
            Kept,
        ),
        ("no role", auth(app_role(json!({}))), Refused(ONE_ROLE)),
        ("both spellings", auth(app_role(json!({"roleId": "r", "roleID": "r"}))), Refused(ONE_ROLE)),
        ("roleId and roleRef", auth(app_role(json!({"roleId": "r", "roleRef": key}))), Refused(ONE_ROLE)),
        (
            "no secret id",
            auth(json!({"appRole": {"roleId": "r"}})),
            Refused(&["spec.provider.vault.auth.appRole.secretRef", "Required"]),
        ),
        (
            "kubernetes",
            auth(json!({"kubernetes": {"mountPath": "m", "role": "r", "serviceAccountRef": account}})),
            Kept,
        ),
        ("kubernetes as itself", auth(json!({"kubernetes": {"role": "r"}})), Kept),
        (
            "kubernetes by both",
            auth(json!({"kubernetes": {"role": "r", "serviceAccountRef": account, "secretRef": key}})),
            Refused(&["set serviceAccountRef or secretRef, not both"]),
        ),
        (
            "jwt",
            auth(
                json!({"jwt": {"path": "p", "kubernetesServiceAccountToken": {"serviceAccountRef": account, "expirationSeconds": 600}}}),
            ),
            Kept,
        ),
        (
            "jwt by nothing",
            auth(json!({"jwt": {"role": "r"}})),
            Refused(&["set exactly one of secretRef and kubernetesServiceAccountToken"]),
        ),
        ("ldap", auth(json!({"ldap": {"path": "p", "username": "u", "secretRef": key}})), Kept),
        ("cert", auth(json!({"cert": {"path": "p", "vaultRole": "v", "clientCert": key, "secretRef": key}})), Kept),
        (
            "iam",
            auth(json!({"iam": {"vaultRole": "v", "externalID": "e", "jwt": {"serviceAccountRef": account}}})),
            Kept,
        ),
        (
            "gcp",
            auth(json!({"gcp": {"role": "r", "projectID": "p", "workloadIdentity": {"serviceAccountRef": account}}})),
            Kept,
        ),
        (
            "what Go leaves empty",
            vault(json!({"tls": {}, "auth": {"cert": {"clientCert": {}, "secretRef": {}}}})),
            Kept,
        ),
        ("tls", vault(json!({"tls": {"certSecretRef": key, "keySecretRef": key}})), Kept),
        (
            "half of tls",
            vault(json!({"tls": {"certSecretRef": key}})),
            Refused(&["spec.provider.vault.tls", "set both certSecretRef and keySecretRef"]),
        ),
        ("caBundle", vault(json!({"caBundle": "UEVN"})), Kept),
        (
            "caBundle as PEM",
            vault(json!({"caBundle": "-----BEGIN CERTIFICATE-----"})),
            Refused(&["spec.provider.vault.caBundle"]),
        ),
        (
            "caProvider",
            vault(json!({"caProvider": {"type": "ConfigMap", "name": "n", "key": "k", "namespace": "ns"}})),
            Kept,
        ),
        (
            "caProvider of a Pod",
            vault(json!({"caProvider": {"type": "Pod", "name": "n"}})),
            Refused(&["caProvider.type", "\"ConfigMap\""]),
        ),
        ("version v3", vault(json!({"version": "v3"})), Refused(&["spec.provider.vault.version", "\"v1\""])),
        (
            "the rest",
            vault(
                json!({"checkAndSet": {"required": true}, "headers": {"a": "b"}, "readYourWrites": true, "forwardInconsistent": true}),
            ),
            Kept,
        ),
        (
            "openbao",
            json!({"provider": {"openbao": {"server": "https://bao", "version": "v2", "auth": {"tokenSecretRef": key}}}}),
            Kept,
        ),
        (
            "another provider",
            json!({"provider": {"fake": {"data": [{"key": "k", "value": "v", "version": "v1"}]}}}),
            Kept,
        ),
        (
            "two providers",
            json!({"provider": {"fake": {}, "vault": store()["provider"]["vault"]}}),
            Refused(&["spec.provider", "at most 1"]),
        ),
        ("no provider", json!({"provider": {}}), Refused(&["spec.provider"])),
        ("nothing", json!({}), Refused(&["spec.provider", "Required"])),
        ("an unknown field of vault goes", vault(json!({"unknown": 1})), KeptAs(store())),
        (
            "conditions",
            json!({"provider": {"fake": {}}, "controller": "c", "retrySettings": {"maxRetries": 3, "retryInterval": "10s"}, "conditions": [
                {"namespaces": ["a"], "namespaceRegexes": ["^a-.*$"], "namespaceSelector": {"matchLabels": {"a": "b"}}},
            ]}),
            Kept,
        ),
    ];
    for server in ["http://127.0.0.1:8200", "https://v", "HTTPS://v/base/", "https://[::1]:8200"] {
        cases.push(("a server", vault(json!({"server": server})), Kept));
    }
    for server in ["", "vault.example.com:8200", "ftp://v", "https://", "https:///v", " https://v"] {
        cases.push(("no server", vault(json!({"server": server})), Refused(SERVER)));
    }
    for interval in [json!(0), json!(300), json!("5m"), json!("0")] {
        let mut spec = store();
        lay_over(&mut spec, json!({"refreshInterval": interval}));
        cases.push(("an interval", spec, Kept));
    }
    for interval in [json!(-1), json!("5 minutes"), json!("300")] {
        let mut spec = store();
        lay_over(&mut spec, json!({"refreshInterval": interval}));
        cases.push(("no interval", spec, Refused(STORE_DURATION)));
    }
    cases
}
