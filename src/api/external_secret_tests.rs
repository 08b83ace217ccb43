use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::api::{
    ConversionStrategy, CreationPolicy, DecodingStrategy, DeletionPolicy, MetadataPolicy, NullBytePolicy, StoreKind,
    TemplateScope, TemplateTarget,
    policy::{MergeConflictPolicy, MergePriorityPolicy, MergeStrategy, TemplateEngineVersion, TemplateMergePolicy},
    target::TemplateFrom,
};

#[test]
fn reads_the_seeds_manifest() {
    let yaml = include_str!("../../examples/seed/external-secret.yaml");
    let object: ExternalSecret = serde_saphyr::from_str(yaml).unwrap();
    assert_eq!(object.metadata.name.as_deref(), Some("my-app-db-credentials"));
    let spec = object.spec;
    assert_eq!(spec.refresh_interval(), GoDuration::from_secs(3600));
    let store = spec.store_of(None).unwrap();
    assert_eq!((store.name.as_str(), store.kind()), ("vault-store", StoreKind::SecretStore));
    assert_eq!(spec.target.name("other"), "db-credentials");
    assert_eq!(spec.target.creation_policy, CreationPolicy::Owner);
    let data: Vec<_> = spec.data.iter().map(|entry| (entry.secret_key.as_str(), entry.remote_key.as_deref())).collect();
    assert_eq!(data, [("username", Some("database/config#username")), ("password", Some("database/config#password"))]);
}

#[test]
fn what_is_absent_has_its_default() {
    let spec: ExternalSecretSpec = serde_json::from_value(json!({})).unwrap();
    assert_eq!(spec, ExternalSecretSpec::default());
    assert_eq!(spec.refresh_interval().to_string(), "1h0m0s");
    assert_eq!(spec.target.name("own"), "own");
    assert_eq!(spec.target.deletion_policy, DeletionPolicy::Retain);
    assert_eq!(spec.refresh_policy, RefreshPolicy::Periodic);
    assert!(spec.store_of(None).is_none());
    assert_eq!(serde_json::to_value(&spec).unwrap(), json!({}), "and isn't written");
}

#[test]
fn an_entrys_own_store_wins() {
    let spec: ExternalSecretSpec = serde_json::from_value(json!({
        "secretStoreRef": {"name": "one"},
        "data": [
            {"secretKey": "a", "remoteKey": "a", "sourceRef": {"storeRef": {"name": "two", "kind": "ClusterSecretStore"}}},
            {"secretKey": "b", "remoteKey": "b", "sourceRef": {"storeRef": {}}},
        ],
    }))
    .unwrap();
    let stores: Vec<_> = spec.data.iter().filter_map(|entry| spec.store_of(entry.source_ref.as_ref())).collect();
    assert_eq!(stores[0].kind(), StoreKind::ClusterSecretStore);
    assert_eq!(stores[1].name, "one", "a reference without a name, as Go writes it, names nothing");
}

#[test]
fn everything_that_can_be_said_is_read_and_written_again() {
    let spec = json!({
        "secretStoreRef": {"name": "s", "kind": "ClusterSecretStore"},
        "refreshPolicy": "OnChange",
        "refreshInterval": "1h30m0s",
        "syncWindows": {"kind": "deny", "windows": [{"schedule": "0 22 * * 1-5", "duration": "8h0m0s"}]},
        "target": {
            "name": "t", "creationPolicy": "Merge", "deletionPolicy": "Merge", "immutable": true,
            "manifest": {"apiVersion": "v1", "kind": "ConfigMap"},
            "template": {
                "type": "kubernetes.io/tls", "mergePolicy": "Merge",
                "metadata": {"annotations": {"a": "1"}, "labels": {"l": "2"}, "finalizers": ["f"]},
                "data": {"url": "{{ .u }}"},
                "templateFrom": [
                    {"configMap": {"name": "c", "items": [{"key": "k", "templateAs": "KeysAndValues"}]}, "target": "Labels"},
                    {"secret": {"name": "c", "items": [{"key": "k"}]}, "valuesDecodingStrategy": "Base64"},
                    {"literal": "a: b"},
                ],
            },
        },
        "data": [
            {"secretKey": "a", "remoteRef": {
                "key": "k", "property": "p", "version": "3", "metadataPolicy": "Fetch",
                "conversionStrategy": "Unicode", "decodingStrategy": "Auto", "nullBytePolicy": "Fail",
            }, "sourceRef": {"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "g"}}},
        ],
        "dataFrom": [
            {"extract": {"key": "k"}, "rewrite": [
                {"regexp": {"source": "a", "target": "b"}},
                {"transform": {"template": "{{ .value }}"}},
                {"merge": {
                    "into": "i", "priority": ["a"], "priorityPolicy": "IgnoreNotFound", "conflictPolicy": "Ignore", "strategy": "JSON",
                }},
            ]},
            {"find": {"path": "p", "name": {"regexp": "r"}, "tags": {"t": "v"}, "conversionStrategy": "Unicode", "decodingStrategy": "Base64URL", "nullBytePolicy": "Fail"},
             "sourceRef": {"storeRef": {"name": "other"}}},
        ],
    });
    let read: ExternalSecretSpec = serde_json::from_value(spec.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), spec);
}

#[test]
fn status_is_read_and_written_again() {
    let status = json!({
        "refreshTime": "2024-05-06T07:08:09Z",
        "syncedResourceVersion": "1-abc",
        "observedGeneration": 3,
        "conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "secret synced"}],
        "binding": {"name": "t"},
        "target": {"uid": "u", "resourceVersion": "7"},
    });
    let read: ExternalSecretStatus = serde_json::from_value(status.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), status);
    let unseen: ExternalSecretStatus = serde_json::from_value(json!({"observedGeneration": -1})).unwrap();
    assert_eq!(unseen.observed_generation, Some(-1));
}

#[test]
fn every_word_of_every_choice_is_esos() {
    fn words<T: DeserializeOwned + serde::Serialize>(words: &[&str]) {
        for word in words {
            let value: T = serde_json::from_value(Value::from(*word)).unwrap_or_else(|error| panic!("{word}: {error}"));
            assert_eq!(serde_json::to_value(&value).unwrap(), *word);
        }
        assert!(serde_json::from_value::<T>(Value::from("NoSuchWord")).is_err());
    }
    words::<CreationPolicy>(&["Owner", "Orphan", "Merge", "None", "CreateOrMerge"]);
    words::<DeletionPolicy>(&["Delete", "Merge", "Retain"]);
    words::<RefreshPolicy>(&["CreatedOnce", "Periodic", "OnChange"]);
    words::<MetadataPolicy>(&["None", "Fetch"]);
    words::<ConversionStrategy>(&["Default", "Unicode"]);
    words::<DecodingStrategy>(&["Auto", "Base64", "Base64URL", "None"]);
    words::<NullBytePolicy>(&["Ignore", "Fail"]);
    words::<TemplateMergePolicy>(&["Replace", "Merge"]);
    words::<TemplateEngineVersion>(&["v2"]);
    words::<TemplateScope>(&["Values", "KeysAndValues"]);
    words::<MergeConflictPolicy>(&["Ignore", "Error"]);
    words::<MergePriorityPolicy>(&["IgnoreNotFound", "Strict"]);
    words::<MergeStrategy>(&["Extract", "JSON"]);
    words::<SyncWindowKind>(&["allow", "deny"]);
    words::<StoreKind>(&["SecretStore", "ClusterSecretStore"]);
}

#[test]
fn a_templates_target_is_read_without_regard_to_case() {
    let of = |target: Option<&str>| {
        TemplateFrom { target: target.map(str::to_owned), ..TemplateFrom::default() }.template_target()
    };
    assert_eq!(of(None), Some(TemplateTarget::Data));
    assert_eq!(of(Some("")), Some(TemplateTarget::Data));
    assert_eq!(of(Some("data")), Some(TemplateTarget::Data));
    assert_eq!(of(Some("Annotations")), Some(TemplateTarget::Annotations));
    assert_eq!(of(Some("LABELS")), Some(TemplateTarget::Labels));
    assert_eq!(of(Some("spec.database")), None);
}
