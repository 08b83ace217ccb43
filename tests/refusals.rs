//! What is in the schema and not built yet is refused in so many words: never pruned, never half done, never ignored.
//! A row goes when its feature comes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, condition, message, stalled};
use common::place::{STORE, store_of};
use common::{Operator, Place, Result};
use serde_json::{Value, json};

/// A field of an ExternalSecret: where it stands, and what is written there.
fn unbuilt() -> Vec<(&'static str, &'static str, Value)> {
    let generator = json!([{"sourceRef": {"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": "p"}}}]);
    vec![
        (
            "manifest",
            "spec.target.manifest",
            json!({"target": {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}}),
        ),
        ("generator", "spec.dataFrom[0].sourceRef.generatorRef", json!({"dataFrom": generator})),
    ]
}

/// The object as the API server holds it.
async fn stored(place: &Place, plural: &str, name: &str) -> Result<Value> {
    let path = format!("/apis/external-secrets.io/v1/namespaces/{}/{plural}/{name}", place.name());
    Ok(place.client.request(http::Request::get(path).body(Vec::new())?).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_an_external_secret_asks_for_in_vain() -> Result {
    let (place, _operator) = Place::with_operator("unbuilt").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    for (name, field, spec) in unbuilt() {
        let mut external: Value = place.external(name, &[("password", "db#password")]).into();
        let fields = external["spec"].as_object_mut().unwrap();
        fields.extend(spec.as_object().unwrap().clone());
        place.apply([external.clone()]).await?;
        let object = place.failed(name, &[field, "not supported by this version"]).await?;
        assert_eq!(stalled(&object), Some("InvalidSpec"), "{name}: {}", message(&object));
        place.event(name, "Warning", "UpdateFailed", &[field]).await?;
        assert_eq!(stored(&place, "externalsecrets", name).await?["spec"], external["spec"], "{name} was pruned");
        assert!(place.secret(name).await?.is_none(), "{name}: a Secret was made");
    }
    assert_eq!(place.all_reads(), 0, "{}", place.proxy.summary());

    // A row that is mended is synced.
    let (name, ..) = unbuilt()[0];
    place.apply_external(place.external(name, &[("password", "db#password")])).await?;
    place.holds_within(name, &[("password", "s3cret")], common::HEALED).await?;
    assert_eq!(stalled(&place.ready(name).await?), None);
    Ok(())
}

/// A cluster that ran ESO with other providers loses nothing when our CRDs are applied over its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_of_another_provider_is_kept_and_told() -> Result {
    let (place, _operator) = Place::with_operator("provider").await?;
    for (name, provider) in [
        (
            "aws",
            json!({"aws": {"service": "SecretsManager", "region": "eu-central-1", "auth": {"jwt": {"serviceAccountRef": {"name": "app"}}}}}),
        ),
        ("fake", json!({"fake": {"data": [{"key": "/foo", "value": "bar", "version": "v1"}]}})),
    ] {
        let store = store_of(name, provider);
        let external = place.external(name, &[("password", "db#password")]).from_store(name);
        place.apply([store.clone(), external.into()]).await?;
        let words = [name, "reads from Vault and OpenBao only"];
        let object = place.store_is(name, "False", &words).await?;
        assert_eq!(condition(&serde_json::to_value(&object.status)?, "Stalled")["reason"], "InvalidSpec");
        assert_eq!(stalled(&place.failed(name, &words).await?), Some("InvalidSpec"));
        assert_eq!(stored(&place, "secretstores", name).await?["spec"], store["spec"], "{name} was pruned");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_login_that_nobody_built_is_told() -> Result {
    let (place, _operator) = Place::with_operator("auth").await?;
    for (name, auth) in [
        ("iam", json!({"iam": {"vaultRole": "app", "region": "eu-central-1"}})),
        ("gcp", json!({"gcp": {"role": "app"}})),
    ] {
        let vault = json!({"server": place.proxy.url(), "path": "kv", "version": "v2", "auth": auth});
        let store = store_of(name, json!({"vault": vault}));
        let external = place.external(name, &[("password", "db#password")]).from_store(name);
        place.apply([store.clone(), external.into()]).await?;
        let words = [name, "not supported"];
        let object = place.store_is(name, "False", &words).await?;
        assert_eq!(condition(&serde_json::to_value(&object.status)?, "Stalled")["status"], "True");
        assert_eq!(stalled(&place.failed(name, &words).await?), Some("InvalidSpec"));
        assert_eq!(stored(&place, "secretstores", name).await?["spec"], store["spec"], "{name} was pruned");
    }
    assert_eq!(place.proxy.logins(), 1, "that of {STORE}: {}", place.proxy.summary());
    Ok(())
}

/// An operator of one namespace does not look at ClusterSecretStores, and says so rather than that there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_cluster_store_is_out_of_reach_of_a_namespaced_operator() -> Result {
    let (place, _operator) = Place::with_operator("cluster-store").await?;
    let external = place.external("db", &[("password", "db#password")]);
    let external = external.with("/spec", "secretStoreRef", json!({"name": "global", "kind": "ClusterSecretStore"}));
    place.apply_external(external).await?;
    let object = place.failed("db", &["ClusterSecretStore \"global\"", "--namespace"]).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"));
    Ok(())
}

/// A store of another class belongs to another operator: not a word is written to it or to what reads from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_of_another_class_is_left_alone() -> Result {
    let place = Place::new("class").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let mut theirs = place.store("theirs");
    theirs["spec"]["controller"] = json!("another");
    let mut ours = place.store("ours");
    ours["spec"]["controller"] = json!("this");
    place.apply([place.credentials(), theirs, ours]).await?;
    let operator = Operator::start_with(&["--namespace", place.name(), "--controller-class", "this"], None).await?;
    operator.ready().await?;
    for name in ["theirs", "ours"] {
        place.apply_external(place.external(name, &[("password", "db#password")]).from_store(name)).await?;
    }
    place.holds("ours", &[("password", "s3cret")]).await?;
    place.store_is("ours", "True", &[]).await?;
    place.stays_absent("theirs").await?;
    for (plural, name) in [("externalsecrets", "theirs"), ("secretstores", "theirs")] {
        let status = stored(&place, plural, name).await?["status"].clone();
        assert_eq!(status, json!({"observedGeneration": -1}));
    }
    Ok(())
}

/// What another operator does is not told of as ours: its state would stay as it was when we first saw it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn metrics_tell_nothing_of_what_another_class_works_on() -> Result {
    let place = Place::new("class-metrics").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let mut theirs = place.store("vault");
    theirs["spec"]["controller"] = json!("another");
    place.apply([place.credentials(), theirs]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    let series = [
        "externalsecret_status_condition{",
        "external_secrets_last_success_timestamp_seconds{",
        "external_secrets_refresh_interval_seconds{",
    ];
    for (class, is_told) in [("another", true), ("this", false)] {
        let operator = Operator::start_with(&["--namespace", place.name(), "--controller-class", class], None).await?;
        operator.ready().await?;
        if is_told {
            place.ready("db").await?;
        }
        let (_, metrics) = operator.get("/metrics").await?;
        for name in series {
            assert_eq!(metrics.contains(name), is_told, "{class}: {name}: {metrics}");
        }
    }
    Ok(())
}

/// Schema or condition: whatever a person may write wrongly in `data` is told by one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_version_that_is_no_number_is_told() -> Result {
    let (place, _operator) = Place::with_operator("version").await?;
    let entry = json!({"secretKey": "v", "remoteRef": {"key": place.key("db"), "property": "v", "version": "latest"}});
    place.apply_external(External::new("db", vec![entry])).await?;
    let object = place.failed("db", &["\"latest\"", "write a number"]).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"));
    Ok(())
}
