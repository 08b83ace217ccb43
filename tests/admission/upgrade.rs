//! Our CRDs over those that ESO leaves behind: nothing of any object is lost, and what ESO let in can still be worked with.
//!
//! In a group of its own, for the CRDs of the shared cluster are other tests' too. The old CRD has the shape of ESO's (its
//! versions, its way of pruning, its defaults), not all of its fields.

use super::common::{Result, SOON};
use external_secrets_rs::api;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use testbed::{Namespace, Stack, wait_until};

/// A cluster with two of ESO's CRDs and a user's objects, in a group of its own.
struct Old {
    client: Client,
    namespace: Namespace,
    group: String,
}

impl Old {
    async fn new(hint: &str, conversion: Value) -> Result<Self> {
        let stack = Stack::from_env()?;
        let client = Client::try_default().await?;
        let namespace = stack.namespace(hint).await?;
        let group = format!("{}.example.com", namespace.name());
        let old = Self { client, namespace, group };
        for (kind, spec) in [("SecretStore", store_schema()), ("ExternalSecret", external_schema())] {
            let crd = old.old_crd(kind, &spec, &conversion);
            old.crds().create(&PostParams::default(), &serde_json::from_value(crd)?).await?;
            old.served(kind, "v1").await?;
        }
        Ok(old)
    }

    fn crds(&self) -> Api<CustomResourceDefinition> {
        Api::all(self.client.clone())
    }

    fn old_crd(&self, kind: &str, spec: &Value, conversion: &Value) -> Value {
        let (plural, status) = (plural(kind), json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
        let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}});
        let version = |name: &str, served: bool, storage: bool| json!({"name": name, "served": served, "storage": storage, "schema": schema, "subresources": {"status": {}}});
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{}", self.group)},
            "spec": {
                "group": self.group, "scope": "Namespaced", "conversion": conversion,
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [version("v1", true, true), version("v1beta1", false, false)],
            },
        })
    }

    /// Our CRD of a kind, moved into the group.
    fn our_crd(&self, kind: &str) -> Result<CustomResourceDefinition> {
        let mut crd = api::all().into_iter().find(|crd| crd.spec.names.kind == kind).ok_or("no such kind")?;
        crd.metadata.name = Some(format!("{}.{}", plural(kind), self.group));
        crd.spec.group.clone_from(&self.group);
        Ok(crd)
    }

    fn api(&self, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(&self.group, version, kind));
        Api::namespaced_with(self.client.clone(), self.namespace.name(), &resource)
    }

    async fn create(&self, kind: &str, name: &str, spec: &Value) -> Result<DynamicObject> {
        let object = json!({
            "apiVersion": format!("{}/v1", self.group), "kind": kind, "metadata": {"name": name}, "spec": spec,
        });
        Ok(self.api("v1", kind).create(&PostParams::default(), &serde_json::from_value(object)?).await?)
    }

    async fn served(&self, kind: &str, version: &str) -> Result {
        let what = format!("{kind} {version} to be served");
        wait_until(&what, SOON, async || self.api(version, kind).list(&Default::default()).await).await?;
        Ok(())
    }

    async fn install_ours(&self, kind: &str) -> Result {
        let crd = self.our_crd(kind)?;
        self.crds().patch(&crd.name_any(), &PatchParams::apply("us").force(), &Patch::Apply(&crd)).await?;
        self.served(kind, "v1beta1").await
    }

    async fn delete_crds(&self) -> Result {
        for kind in ["SecretStore", "ExternalSecret"] {
            self.crds().delete(&format!("{}.{}", plural(kind), self.group), &Default::default()).await?;
        }
        Ok(())
    }
}

fn plural(kind: &str) -> String {
    format!("{}s", kind.to_lowercase())
}

fn object_of(properties: Value) -> Value {
    json!({"type": "object", "properties": properties})
}

/// Typed providers, one of them another than Vault, and several login methods at once, as ESO allows.
fn store_schema() -> Value {
    let text = json!({"type": "string"});
    let key = object_of(json!({"name": text, "key": text, "namespace": text}));
    let entry = object_of(json!({"key": text, "value": text, "version": text}));
    let user =
        object_of(json!({"path": {"type": "string", "default": "userpass"}, "username": text, "secretRef": key}));
    let auth = object_of(json!({"tokenSecretRef": key, "userPass": user}));
    let vault =
        object_of(json!({"server": text, "path": text, "version": {"type": "string", "default": "v2"}, "auth": auth}));
    let fake = object_of(json!({"data": {"type": "array", "items": entry}}));
    let aws = object_of(
        json!({"service": text, "region": text, "sessionTags": {"type": "array", "items": object_of(json!({"key": text, "value": text}))}}),
    );
    object_of(json!({"controller": text, "provider": object_of(json!({"vault": vault, "fake": fake, "aws": aws}))}))
}

fn external_schema() -> Value {
    let text = json!({"type": "string"});
    let remote = object_of(
        json!({"key": text, "property": text, "conversionStrategy": {"type": "string", "default": "Default"}}),
    );
    let entry = object_of(json!({"secretKey": text, "remoteRef": remote}));
    let generator = object_of(
        json!({"apiVersion": {"type": "string", "default": "generators.external-secrets.io/v1alpha1"}, "kind": text, "name": text}),
    );
    let from = object_of(json!({"extract": remote, "sourceRef": object_of(json!({"generatorRef": generator}))}));
    let target = object_of(json!({
        "name": text, "creationPolicy": {"type": "string", "default": "Owner"}, "deletionPolicy": {"type": "string", "default": "Retain"},
        "manifest": object_of(json!({"apiVersion": text, "kind": text})),
    }));
    object_of(json!({
        "refreshInterval": {"type": "string", "default": "1h0m0s"},
        "secretStoreRef": object_of(json!({"name": text, "kind": text})),
        "target": target,
        "data": {"type": "array", "items": entry},
        "dataFrom": {"type": "array", "items": from},
    }))
}

/// A user's objects: name, kind, spec.
fn objects() -> Vec<(&'static str, &'static str, Value)> {
    let key = json!({"name": "n", "key": "k", "namespace": "ns"});
    let store = |provider: Value| json!({"controller": "c", "provider": provider});
    let external = |fields: Value| {
        let mut spec = json!({"secretStoreRef": {"name": "s", "kind": "SecretStore"}});
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        spec
    };
    let entry = |key: &str| json!({"secretKey": key, "remoteRef": {"key": "k", "property": "p"}});
    vec![
        ("fake", "SecretStore", store(json!({"fake": {"data": [{"key": "a", "value": "b", "version": "v1"}]}}))),
        (
            "aws",
            "SecretStore",
            store(
                json!({"aws": {"service": "SecretsManager", "region": "r", "sessionTags": [{"key": "a", "value": "b"}]}}),
            ),
        ),
        (
            "vault",
            "SecretStore",
            store(json!({"vault": {"server": "https://v", "path": "kv", "auth": {"tokenSecretRef": key}}})),
        ),
        // Admission refuses the next one, and a secretKey twice; ESO let them in.
        (
            "methods",
            "SecretStore",
            store(
                json!({"vault": {"server": "https://v", "auth": {"tokenSecretRef": key, "userPass": {"username": "u"}}}}),
            ),
        ),
        (
            "twice",
            "ExternalSecret",
            external(json!({"data": [entry("a"), entry("a")], "target": {"deletionPolicy": "Delete"}})),
        ),
        ("data", "ExternalSecret", external(json!({"data": [entry("a"), entry("b")]}))),
        (
            "generated",
            "ExternalSecret",
            external(json!({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Password", "name": "g"}}}]})),
        ),
        (
            "manifest",
            "ExternalSecret",
            external(json!({"data": [entry("a")], "target": {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}})),
        ),
    ]
}

#[tokio::test]
async fn nothing_is_lost_when_ours_replace_esos() -> Result {
    let old = Old::new("upgrade", json!({"strategy": "None"})).await?;
    let mut stored = Vec::new();
    for (name, kind, spec) in objects() {
        stored.push((name, kind, old.create(kind, name, &spec).await?.data["spec"].clone()));
    }
    old.install_ours("SecretStore").await?;
    // The other one by update, as `kubectl replace` does.
    let mut ours = old.our_crd("ExternalSecret")?;
    ours.metadata.resource_version = old.crds().get(&ours.name_any()).await?.metadata.resource_version;
    old.crds().replace(&ours.name_any(), &PostParams::default(), &ours).await?;
    old.served("ExternalSecret", "v1beta1").await?;

    for (name, kind, spec) in stored {
        let api = old.api("v1", kind);
        assert_eq!(api.get(name).await?.data["spec"], spec, "{kind} {name} as read");
        // Written again by whatever touches it: what our schema doesn't hold would be gone now.
        let label = json!({"metadata": {"labels": {"touched": "yes"}}});
        let touched = api.patch(name, &PatchParams::default(), &Patch::Merge(&label)).await?;
        assert_eq!(touched.data["spec"], spec, "{kind} {name} as written");
        let condition =
            json!({"type": "Ready", "status": "False", "reason": "r", "message": "m", "lastTransitionTime": null});
        let status = json!({"status": {"observedGeneration": 1, "conditions": [condition]}});
        let told = api.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await?;
        assert_eq!(told.data["status"]["conditions"][0]["message"], "m", "{kind} {name}");
        assert_eq!(old.api("v1beta1", kind).get(name).await?.data["spec"], spec, "{kind} {name} as v1beta1");
    }
    old.delete_crds().await
}

/// ESO before 0.16 converted by webhook. A server-side apply can't take that away, for no manifest can say "none" for a field
/// that another manager set: it is refused, nothing is changed, and one merge patch before it mends it.
#[tokio::test]
async fn a_conversion_webhook_goes_with_one_patch() -> Result {
    let service = json!({"name": "webhook", "namespace": "gone", "path": "/convert"});
    let webhook = json!({"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"], "clientConfig": {"service": service}}});
    let old = Old::new("upgrade-webhook", webhook).await?;
    let (name, kind, spec) = objects().remove(0);
    let stored = old.create(kind, name, &spec).await?;
    let refused = old.install_ours(kind).await.unwrap_err().to_string();
    assert!(refused.contains("should not be set when strategy is not set to Webhook"), "{refused}");

    let patch = json!({"spec": {"conversion": {"strategy": "None", "webhook": null}}});
    let crd = format!("{}.{}", plural(kind), old.group);
    old.crds().patch(&crd, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    old.install_ours(kind).await?;
    assert_eq!(old.api("v1beta1", kind).get(name).await?.data["spec"], stored.data["spec"]);
    old.delete_crds().await
}
