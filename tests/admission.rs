//! What the API server takes and refuses with our CRDs, in both versions, and what it says; and that nothing it takes is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "admission/cases.rs"]
mod cases;
mod common;
#[path = "admission/store_cases.rs"]
mod store_cases;
#[path = "admission/upgrade.rs"]
mod upgrade;

use cases::Expect;
use common::{Result, crds};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use testbed::{Namespace, Stack};

const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// A namespace in a cluster that has the CRDs.
struct Cluster {
    client: Client,
    namespace: Namespace,
}

impl Cluster {
    async fn new(hint: &str) -> Result<Self> {
        let stack = Stack::from_env()?;
        let client = Client::try_default().await?;
        crds::install(&client).await?;
        Ok(Self { client, namespace: stack.namespace(hint).await? })
    }

    fn api(&self, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("external-secrets.io", version, kind));
        if kind == "ClusterSecretStore" {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), self.namespace.name(), &resource)
        }
    }

    /// What the API server would keep of this spec, or why it refuses it; writes nothing.
    async fn admit(&self, version: &str, kind: &str, spec: &Value) -> Result<std::result::Result<Value, String>> {
        let object = object(version, kind, "admitted", spec);
        let params = PostParams { dry_run: true, ..PostParams::default() };
        match self.api(version, kind).create(&params, &object).await {
            Ok(kept) => Ok(Ok(kept.data["spec"].clone())),
            Err(kube::Error::Api(status)) if status.code == 422 => Ok(Err(status.message)),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for each case in each version, and tells all that went wrong at once.
    async fn check(&self, kind: &str, cases: Vec<(&str, Value, Expect)>) -> Result {
        let mut wrong = Vec::new();
        for version in VERSIONS {
            for (name, spec, expect) in &cases {
                let answer = self.admit(version, kind, spec).await?;
                match (expect, answer) {
                    (Expect::Kept, Ok(kept)) if kept == *spec => {}
                    (Expect::KeptAs(other), Ok(kept)) if kept == *other => {}
                    (Expect::Refused(messages), Err(found))
                        if messages.iter().all(|message| found.contains(message)) => {}
                    (expect, answer) => wrong.push(format!("{version} {name}: expected {expect:?}, got {answer:?}")),
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    }
}

fn object(version: &str, kind: &str, name: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": format!("external-secrets.io/{version}"), "kind": kind, "metadata": {"name": name}, "spec": spec,
    }))
    .unwrap()
}

#[tokio::test]
async fn external_secrets_are_checked() -> Result {
    Cluster::new("admission-es").await?.check("ExternalSecret", cases::external_secrets()).await
}

#[tokio::test]
async fn stores_are_checked() -> Result {
    Cluster::new("admission-ss").await?.check("SecretStore", store_cases::stores()).await
}

#[tokio::test]
async fn cluster_stores_are_checked_alike() -> Result {
    Cluster::new("admission-css").await?.check("ClusterSecretStore", store_cases::stores()).await
}

#[tokio::test]
async fn the_seeds_manifests_are_taken_as_they_stand() -> Result {
    let cluster = Cluster::new("admission-seed").await?;
    for (file, kind) in [("external-secret", "ExternalSecret"), ("secret-store", "SecretStore")] {
        let path = format!("{}/examples/seed/{file}.yaml", env!("CARGO_MANIFEST_DIR"));
        let manifest: Value = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
        for version in VERSIONS {
            let kept = cluster.admit(version, kind, &manifest["spec"]).await?;
            assert_eq!(kept.as_ref(), Ok(&manifest["spec"]), "{file} {version}");
        }
    }
    Ok(())
}

/// kstatus takes an object without a status for healthy, so none may be without one, not even for a moment.
#[tokio::test]
async fn a_new_object_has_a_status_about_nothing() -> Result {
    let cluster = Cluster::new("admission-new").await?;
    for (kind, spec) in [("ExternalSecret", cases::external_secret()), ("SecretStore", store_cases::store())] {
        let created = cluster.api("v1", kind).create(&PostParams::default(), &object("v1", kind, "new", &spec)).await?;
        assert_eq!(created.data["status"], json!({"observedGeneration": -1}), "{kind}");
    }
    Ok(())
}

/// What is written in one version reads the same in the other, and a status too.
#[tokio::test]
async fn both_versions_are_one_object() -> Result {
    let cluster = Cluster::new("admission-versions").await?;
    let (v1, beta) = (cluster.api("v1", "ExternalSecret"), cluster.api("v1beta1", "ExternalSecret"));
    let object = object("v1beta1", "ExternalSecret", "one", &cases::external_secret());
    beta.create(&PostParams::default(), &object).await?;
    let status = json!({"status": {
        "observedGeneration": 1, "refreshTime": "2026-01-02T03:04:05Z", "syncedResourceVersion": "1-a", "binding": {"name": "one"},
        "target": {"uid": "u", "resourceVersion": "7"},
        "conditions": [{"type": "Ready", "status": "True", "reason": "SecretSynced", "message": "m", "lastTransitionTime": "2026-01-02T03:04:05Z"}],
    }});
    v1.patch_status("one", &PatchParams::default(), &Patch::Merge(&status)).await?;
    let (one, other) = (v1.get("one").await?, beta.get("one").await?);
    assert_eq!(one.data, other.data);
    assert_eq!(one.data["status"], status["status"]);
    assert_eq!(one.data["spec"], cases::external_secret());
    Ok(())
}

#[tokio::test]
async fn columns_and_selectors_are_those_users_know() -> Result {
    let cluster = Cluster::new("admission-columns").await?;
    let api = cluster.api("v1", "ExternalSecret");
    api.create(&PostParams::default(), &object("v1", "ExternalSecret", "one", &cases::external_secret())).await?;
    let names = |selector: &str| {
        let params = kube::api::ListParams::default().fields(selector);
        let api = api.clone();
        async move { api.list(&params).await.map(|list| list.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>()) }
    };
    assert_eq!(names("spec.secretStoreRef.name=vault-store").await?, ["one"]);
    assert!(names("spec.secretStoreRef.name=other").await?.is_empty());
    for (kind, columns) in [
        ("externalsecrets", &["Name", "StoreType", "Store", "Refresh Interval", "Status", "Ready", "Last Sync"][..]),
        ("secretstores", &["Name", "Age", "Status", "Capabilities", "Ready"]),
    ] {
        let url = format!("/apis/external-secrets.io/v1/namespaces/{}/{kind}", cluster.namespace.name());
        let accept = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let request = http::Request::get(url).header("Accept", accept).body(Vec::new())?;
        let table: Value = cluster.client.request(request).await?;
        let found: Vec<&str> = table["columnDefinitions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column["name"].as_str().unwrap())
            .collect();
        assert_eq!(found, columns, "{kind}");
    }
    Ok(())
}
