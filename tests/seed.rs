//! The seed's manifests, word for word, on a real cluster: what `kubectl apply -f examples/seed/` gives a person.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{Operator, Place, Result, data_of, message, ready_status};
use external_secrets_rs::api::{ExternalSecret, SecretStore};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const EXTERNAL_SECRET: &str = "my-app-db-credentials";
const TARGET: &str = "db-credentials";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn as_they_stand_in_v1beta1() -> Result {
    seed("seed-v1beta1", "v1beta1").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_same_in_v1() -> Result {
    seed("seed-v1", "v1").await
}

async fn seed(hint: &str, version: &str) -> Result {
    let place = Place::with_role(hint, json!({"token_policies": []})).await?;
    place.stack.vault().allow_reading(place.name(), &["kv/data/database/config"]).await?;
    place.kv.write("database/config", json!({"username": "admin", "password": "s3cret"})).await?;
    let operator = Operator::start(place.name()).await?;
    for file in ["secret-store.yaml", "vault-approle-secret.yaml", "external-secret.yaml"] {
        place.namespace.apply(&manifest(&place, file, version)?).await?;
    }

    let object = place.ready(EXTERNAL_SECRET).await?;
    let store = place.store_is("vault-store", "True", &["store validated"]).await?;
    is_as_users_know_it(&place, &object).await?;
    the_status_says_all(&object);
    assert_eq!(serde_json::to_value(&store.status)?["capabilities"], "ReadWrite");
    place.event(EXTERNAL_SECRET, "Normal", "Created", &[TARGET]).await?;
    place.event("vault-store", "Normal", "Valid", &[]).await?;
    the_columns_are_esos(&place).await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

/// A file of examples/seed with this test's server, role id, secret id and namespace in it, and nothing else changed.
fn manifest(place: &Place, file: &str, version: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/seed").join(file);
    let text = std::fs::read_to_string(path)?;
    let text = text
        .replace("https://vault.example.com:8200", place.stack.vault().addr())
        .replace("a1b2c3d4-e5f6-7890-1234-abcdef123456", &place.role.role_id)
        .replace("c1d2e3f4-g5h6-7890-1234-abcdef123456", &place.role.secret_id)
        .replace("namespace: default", &format!("namespace: {}", place.name()));
    Ok(text.replace("external-secrets.io/v1beta1", &format!("external-secrets.io/{version}")))
}

async fn is_as_users_know_it(place: &Place, object: &ExternalSecret) -> Result {
    let secret = place.holds(TARGET, &[("username", "admin"), ("password", "s3cret")]).await?;
    assert_eq!(data_of(&secret).len(), 2);
    assert_eq!(secret.type_.as_deref(), Some("Opaque"));
    let metadata = serde_json::to_value(&secret.metadata)?;
    let owner = json!([{
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "name": EXTERNAL_SECRET,
        "uid": object.metadata.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    }]);
    assert_eq!(metadata["ownerReferences"], owner);
    assert_eq!(metadata["labels"]["reconcile.external-secrets.io/managed"], "true");
    assert_eq!(
        metadata["labels"]["reconcile.external-secrets.io/created-by"],
        sha3(&format!("{}/{EXTERNAL_SECRET}", place.name()))
    );
    let data = format!("map[password:{:?} username:{:?}]", b"s3cret", b"admin").replace(", ", " ");
    assert_eq!(metadata["annotations"]["reconcile.external-secrets.io/data-hash"], sha3(&data));
    assert_eq!(
        metadata["managedFields"][0]["manager"],
        format!("externalsecrets.external-secrets.io/{EXTERNAL_SECRET}")
    );
    Ok(())
}

fn sha3(text: &str) -> String {
    use sha3::Digest;
    sha3::Sha3_224::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn the_status_says_all(object: &ExternalSecret) {
    let status = serde_json::to_value(&object.status).unwrap();
    let generation = object.metadata.generation.unwrap();
    assert_eq!((ready_status(object), message(object).as_str()), (Some("True"), "secret synced"));
    assert_eq!(status["conditions"][0]["reason"], "SecretSynced");
    assert_eq!(status["conditions"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(status["observedGeneration"], generation);
    assert_eq!(status["binding"]["name"], TARGET);
    assert!(status["syncedResourceVersion"].as_str().unwrap().starts_with(&format!("{generation}-")), "{status}");
    let refreshed = object.status.as_ref().unwrap().refresh_time.as_ref().unwrap().0;
    let age = k8s_openapi::jiff::Timestamp::now().duration_since(refreshed);
    assert!(Duration::try_from(age).unwrap() < Duration::from_secs(30), "{status}");
}

/// What `kubectl get es` and `kubectl get ss` print: the API server's own table.
async fn the_columns_are_esos(place: &Place) -> Result {
    let expected = [
        ("Name", json!(EXTERNAL_SECRET)),
        ("StoreType", json!("SecretStore")),
        ("Store", json!("vault-store")),
        ("Refresh Interval", json!("1h")),
        ("Status", json!("SecretSynced")),
        ("Ready", json!("True")),
    ];
    let row = row(place, "externalsecrets", &mut ["es"]).await?;
    for (column, value) in expected {
        assert_eq!(row[column], value, "{row}");
    }
    assert!(row["Last Sync"].as_str().is_some_and(|age| age.ends_with('s')), "{row}");
    let row = self::row(place, "secretstores", &mut ["ss"]).await?;
    for (column, value) in
        [("Name", "vault-store"), ("Status", "Valid"), ("Capabilities", "ReadWrite"), ("Ready", "True")]
    {
        assert_eq!(row[column], value, "{row}");
    }
    assert!(row["Age"].is_string(), "{row}");
    Ok(())
}

/// The one object of a kind as the columns of its table, after a look that `short` means that kind.
async fn row(place: &Place, plural: &str, short: &mut [&str]) -> Result<Value> {
    let group = "/apis/external-secrets.io/v1";
    let resources: Value = place.client.request(http::Request::get(group).body(Vec::new())?).await?;
    let resource = resources["resources"].as_array().unwrap().iter().find(|one| one["name"] == plural).unwrap();
    assert_eq!(resource["shortNames"], json!(short));
    assert_eq!(resource["categories"], json!(["external-secrets"]));

    let request = http::Request::get(format!("{group}/namespaces/{}/{plural}", place.name()))
        .header("Accept", "application/json;as=Table;g=meta.k8s.io;v=v1")
        .body(Vec::new())?;
    let table: Value = place.client.request(request).await?;
    let names =
        table["columnDefinitions"].as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap().to_owned());
    let cells = table["rows"][0]["cells"].as_array().unwrap().iter().cloned();
    Ok(names.zip(cells).collect::<serde_json::Map<_, _>>().into())
}

/// Both versions show one object, so that tools of either age agree.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_object_is_the_same_in_both_versions() -> Result {
    let place = Place::new("seed-versions").await?;
    for file in ["secret-store.yaml", "external-secret.yaml"] {
        place.namespace.apply(&manifest(&place, file, "v1beta1")?).await?;
    }
    for (plural, name) in [("externalsecrets", EXTERNAL_SECRET), ("secretstores", "vault-store")] {
        let mut specs = Vec::new();
        for version in ["v1", "v1beta1"] {
            let path = format!("/apis/external-secrets.io/{version}/namespaces/{}/{plural}/{name}", place.name());
            let object: Value = place.client.request(http::Request::get(path).body(Vec::new())?).await?;
            specs.push(object["spec"].clone());
        }
        assert_eq!(specs[0], specs[1]);
    }
    let beta = manifest(&place, "external-secret.yaml", "v1beta1")?;
    let written: Value = serde_saphyr::from_str(&beta)?;
    let stored = place.api::<ExternalSecret>().get(EXTERNAL_SECRET).await?;
    let raw = format!("/apis/external-secrets.io/v1/namespaces/{}/externalsecrets/{EXTERNAL_SECRET}", place.name());
    let raw: Value = place.client.request(http::Request::get(raw).body(Vec::new())?).await?;
    assert_eq!(raw["spec"], written["spec"], "the schema adds nothing, so GitOps tools see no drift");
    assert_eq!(stored.status.and_then(|status| status.observed_generation), Some(-1), "new, and not taken for healthy");
    let _ = place.api::<SecretStore>().get("vault-store").await?;
    Ok(())
}
