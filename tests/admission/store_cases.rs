//! Specs of stores, and what the API server is to say to each.

use super::cases::Expect::{self, Kept, KeptAs, Refused};
use super::cases::lay_over;
use serde_json::{Value, json};

/// The spec of a store that says the least.
pub fn store() -> Value {
    json!({"provider": {"vault": {"server": "https://vault.example.com:8200", "auth": app_role(json!({"roleID": "r"}))}}})
}

fn app_role(role: Value) -> Value {
    let mut method = json!({"secretRef": {"name": "n", "key": "k"}});
    lay_over(&mut method, role);
    json!({"appRole": method})
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
