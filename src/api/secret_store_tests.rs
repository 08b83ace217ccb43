use serde_json::json;

use super::*;
use crate::api::{AppRoleAuth, KvVersion};

#[test]
fn reads_the_seeds_manifest() {
    let yaml = include_str!("../../examples/seed/secret-store.yaml");
    let store: SecretStore = serde_saphyr::from_str(yaml).unwrap();
    let vault = store.spec.provider.vault().unwrap();
    assert_eq!(vault.server, "https://vault.example.com:8200");
    assert_eq!((vault.path.as_deref(), vault.version), (Some("kv/data"), KvVersion::V2));
    let app_role = vault.auth.as_ref().and_then(|auth| auth.app_role.as_ref()).unwrap();
    assert_eq!((app_role.mount(), app_role.role_id()), ("approle", Some("a1b2c3d4-e5f6-7890-1234-abcdef123456")));
    assert_eq!(app_role.secret_ref.name, "vault-approle-secret");
    assert_eq!(app_role.secret_ref.key.as_deref(), Some("secretID"));
}

#[test]
fn a_role_id_is_read_in_either_spelling() {
    let of = |json| serde_json::from_value::<AppRoleAuth>(json).unwrap().role_id().map(str::to_owned);
    assert_eq!(of(json!({"roleId": "a", "secretRef": {}})).as_deref(), Some("a"));
    assert_eq!(of(json!({"roleID": "a", "secretRef": {}})).as_deref(), Some("a"));
    assert_eq!(of(json!({"roleId": "", "roleID": "a", "secretRef": {}})).as_deref(), Some("a"));
    assert_eq!(of(json!({"roleRef": {"name": "n", "key": "k"}, "secretRef": {}})), None);
}

#[test]
fn other_providers_are_kept_and_never_shown() {
    let spec = json!({"provider": {"fake": {"data": [{"key": "k", "value": "hunter2"}]}}});
    let read: SecretStoreSpec = serde_json::from_value(spec.clone()).unwrap();
    assert!(read.provider.vault().is_none());
    assert_eq!(read.provider.foreign(), Some("fake"));
    assert!(!format!("{read:?}").contains("hunter2"));
    assert_eq!(serde_json::to_value(&read).unwrap(), spec);
}

#[test]
fn headers_are_shown_by_name_alone() {
    let spec = json!({"provider": {"vault": {"server": "https://v", "headers": {"X-Token": "hunter2"}}}});
    let read: SecretStoreSpec = serde_json::from_value(spec.clone()).unwrap();
    let shown = format!("{read:?}");
    assert!(shown.contains("X-Token") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(serde_json::to_value(&read).unwrap(), spec);
}

#[test]
fn openbao_is_vault_under_another_name() {
    let store: ClusterSecretStore = serde_json::from_value(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": {"name": "bao"},
        "spec": {"provider": {"openbao": {"server": "https://bao", "namespace": "n", "auth": {"namespace": "login"}}}},
    }))
    .unwrap();
    let vault = store.spec.0.provider.vault().unwrap();
    let login = vault.auth.as_ref().unwrap().namespace.as_deref();
    assert_eq!((vault.server.as_str(), vault.namespace.as_deref(), login), ("https://bao", Some("n"), Some("login")));
    assert_eq!(store.spec.0.provider.foreign(), None);
}

#[test]
fn everything_that_can_be_said_is_read_and_written_again() {
    let key = json!({"name": "n", "namespace": "ns", "key": "k"});
    let account = json!({"name": "n", "namespace": "ns", "audiences": ["vault"]});
    let auth = json!({
        "namespace": "a",
        "tokenSecretRef": key,
        "appRole": {"path": "p", "roleId": "r", "roleID": "r", "roleRef": key, "secretRef": key},
        "kubernetes": {"mountPath": "m", "role": "r", "serviceAccountRef": account, "secretRef": key},
        "userPass": {"path": "p", "username": "u", "secretRef": key},
        "ldap": {"path": "p", "username": "u", "secretRef": key},
        "jwt": {"path": "p", "role": "r", "secretRef": key, "kubernetesServiceAccountToken": {
            "serviceAccountRef": account, "audiences": ["vault"], "expirationSeconds": 600,
        }},
        "cert": {"path": "p", "vaultRole": "r", "clientCert": key, "secretRef": key},
        "iam": {
            "path": "p", "region": "r", "role": "r", "vaultRole": "v", "externalID": "e", "vaultAwsIamServerID": "s",
            "secretRef": {"accessKeyIDSecretRef": key, "secretAccessKeySecretRef": key, "sessionTokenSecretRef": key},
            "jwt": {"serviceAccountRef": account},
        },
        "gcp": {
            "path": "p", "role": "r", "projectID": "i", "location": "l", "secretRef": {"secretAccessKeySecretRef": key},
            "workloadIdentity": {"serviceAccountRef": account, "clusterLocation": "l", "clusterName": "n", "clusterProjectID": "p"},
            "serviceAccountRef": account,
        },
    });
    let spec = json!({
        "controller": "c",
        "retrySettings": {"maxRetries": 5, "retryInterval": "10s"},
        "refreshInterval": "5m0s",
        "conditions": [{
            "namespaces": ["a"], "namespaceRegexes": ["^a$"],
            "namespaceSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "k", "operator": "Exists"}]},
        }],
        "provider": {"vault": {
            "server": "https://v", "path": "kv", "version": "v1", "namespace": "n", "caBundle": "UEVN",
            "caProvider": {"type": "ConfigMap", "name": "n", "key": "k", "namespace": "ns"},
            "tls": {"certSecretRef": key, "keySecretRef": key},
            "readYourWrites": true, "forwardInconsistent": true, "headers": {"a": "b"}, "auth": auth,
            "checkAndSet": {"required": true},
        }},
    });
    let read: SecretStoreSpec = serde_json::from_value(spec.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), spec);
    assert_eq!(read.provider.vault().unwrap().ca_bundle.as_ref().unwrap().0, b"PEM");
}
