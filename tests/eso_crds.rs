//! A cluster that still has ESO's own CRDs: fields of ours are pruned from what is written, conditions of other types are
//! refused, only v1 is served, and defaults stand in every object. The operator runs on it and syncs.
//!
//! CRDs are the whole cluster's, so this test has a control plane and a Vault of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::External;
use common::{Operator, Place, Result, SOON};
use external_secrets_rs::api::{self, ExternalSecret};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::{Api, Client, Config, ResourceExt};
use serde_json::{Value, json};
use testbed::{Binaries, Guard, KvVersion, Proxy, Running, SHARED_KV, wait_until};

/// A place in a stack of its own, with ESO's kind of CRDs in it.
async fn place() -> Result<(Running, Place)> {
    let guard = Guard::new()?;
    let binaries = Binaries::get(&guard, false).await?;
    let running = Running::start(guard, &binaries).await?;
    let stack = running.stack().clone();
    let kubeconfig = Kubeconfig::read_from(stack.kube().kubeconfig())?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    install(&client).await?;
    let namespace = stack.namespace("eso-crds").await?;
    let paths = [format!("{SHARED_KV}/data/{}/*", namespace.name()), format!("{}/*", namespace.name())];
    let role = namespace.reader(&[&paths[0], &paths[1]], json!({})).await?;
    let proxy = Proxy::start(stack.vault().addr()).await?;
    let kv = stack.vault().kv(SHARED_KV, KvVersion::V2);
    Ok((running, Place { stack, namespace, client, kv, role, proxy }))
}

async fn install(client: &Client) -> Result {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for crd in api::all() {
        let old = as_eso_has_it(serde_json::to_value(&crd)?);
        crds.create(&PostParams::default(), &serde_json::from_value(old)?).await?;
    }
    for crd in api::all() {
        let kind = GroupVersionKind::gvk("external-secrets.io", "v1", &crd.spec.names.kind);
        let objects: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
        wait_until(&crd.name_any(), SOON, async || objects.list(&ListParams::default()).await).await?;
    }
    Ok(())
}

/// One of our CRDs in the shape of ESO's: one version, no rules, no columns, a status without our fields and with its own
/// condition types, its defaults, and none of the fields that ESO does not have.
fn as_eso_has_it(mut crd: Value) -> Value {
    let versions = crd["spec"]["versions"].as_array_mut().unwrap();
    versions.retain(|version| version["name"] == "v1");
    let version = &mut versions[0];
    version.as_object_mut().unwrap().remove("additionalPrinterColumns");
    version.as_object_mut().unwrap().remove("selectableFields");
    let schema = &mut version["schema"]["openAPIV3Schema"];
    without(schema, "x-kubernetes-validations");
    let is_store = schema["properties"]["spec"]["properties"].get("provider").is_some();
    let types =
        if is_store { json!({"type": "string"}) } else { json!({"type": "string", "enum": ["Ready", "Deleted"]}) };
    let text = json!({"type": "string"});
    let condition = json!({"type": "object", "required": ["status", "type"], "properties": {
        "type": types, "status": text, "reason": text, "message": text, "lastTransitionTime": {"type": "string", "format": "date-time"},
    }});
    let mut status = json!({"type": "object", "properties": {"conditions": {"type": "array", "items": condition}}});
    let fields = status["properties"].as_object_mut().unwrap();
    if is_store {
        fields.insert("capabilities".to_owned(), text);
    } else {
        fields.insert("refreshTime".to_owned(), json!({"type": "string", "format": "date-time", "nullable": true}));
        fields.insert("syncedResourceVersion".to_owned(), text);
        fields.insert(
            "binding".to_owned(),
            json!({"type": "object", "properties": {"name": {"type": "string", "default": ""}}}),
        );
    }
    schema["properties"]["status"] = status;
    if !is_store {
        let spec = &mut schema["properties"]["spec"]["properties"];
        spec["refreshInterval"]["default"] = json!("1h0m0s");
        spec["target"]["default"] = json!({"creationPolicy": "Owner", "deletionPolicy": "Retain"});
        spec["target"]["properties"]["creationPolicy"]["default"] = json!("Owner");
        spec["target"]["properties"]["deletionPolicy"]["default"] = json!("Retain");
        let entry = &mut spec["data"]["items"];
        entry["properties"].as_object_mut().unwrap().remove("remoteKey");
        entry["required"] = json!(["remoteRef", "secretKey"]);
        let remote = &mut entry["properties"]["remoteRef"]["properties"];
        remote["conversionStrategy"]["default"] = json!("Default");
        remote["decodingStrategy"]["default"] = json!("None");
        remote["metadataPolicy"]["default"] = json!("None");
        for remote in ["extract", "find"] {
            let remote = &mut spec["dataFrom"]["items"]["properties"][remote]["properties"];
            remote["conversionStrategy"]["default"] = json!("Default");
            remote["decodingStrategy"]["default"] = json!("None");
        }
    }
    crd
}

/// Removes a key wherever it is.
fn without(value: &mut Value, key: &str) {
    match value {
        Value::Object(fields) => {
            fields.remove(key);
            fields.values_mut().for_each(|value| without(value, key));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| without(value, key)),
        _ => {}
    }
}

async fn status(place: &Place, name: &str) -> Result<Value> {
    Ok(serde_json::to_value(place.api::<ExternalSecret>().get(name).await?.status)?)
}

/// Waits until `Ready` is this, with these words. [`Place::ready`] waits for observedGeneration, which is pruned here.
async fn told(place: &Place, name: &str, ready: &str, words: &str) -> Result<Value> {
    let what = format!("{name} with Ready={ready} {words:?}");
    let found = wait_until(&what, SOON, async || {
        let status = status(place, name).await.map_err(|error| error.to_string())?;
        let condition = &status["conditions"][0];
        let is_told =
            condition["status"] == ready && condition["message"].as_str().is_some_and(|text| text.contains(words));
        if is_told { Ok(status) } else { Err(status.to_string()) }
    });
    Ok(found.await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_runs_on_esos_crds() -> Result {
    let (running, place) = place().await?;
    place.write("db", json!({"v": "one"})).await?;
    let key = place.key("db");
    let entry = |property: &str| json!({"secretKey": "v", "remoteRef": {"key": key, "property": property}});
    place.apply([place.credentials(), place.store("vault")]).await?;
    let kubeconfig = place.stack.kube().kubeconfig();
    let start = async || -> Result<Operator> {
        // Of the whole cluster, as ESO ran.
        let operator = Operator::start_with(&[], Some(kubeconfig)).await?;
        operator.ready().await?;
        Ok(operator)
    };
    let operator = start().await?;
    place.apply_external(External::new("db", vec![entry("v")]).every("1s")).await?;
    place.apply_external(External::new("wrong", vec![entry("nope")])).await?;
    let transform = json!([{"extract": {"key": key}, "rewrite": [{"regexp": {"source": "(", "target": ""}}]}]);
    place.apply_external(External::new("stalled", Vec::new()).with("/spec", "dataFrom", transform)).await?;

    // It syncs, follows, repairs, and tells what is wrong.
    place.holds("db", &[("v", "one")]).await?;
    told(&place, "db", "True", "secret synced").await?;
    told(&place, "wrong", "False", "\"nope\"").await?;
    let stalled = told(&place, "stalled", "False", "RE2").await?;
    assert_eq!(stalled["conditions"].as_array().unwrap().len(), 1, "Stalled is refused by the schema");
    assert_eq!(status(&place, "db").await?.get("observedGeneration"), None, "it is pruned by the schema");
    place.write("db", json!({"v": "two"})).await?;
    place.holds("db", &[("v", "two")]).await?;
    place.delete::<k8s_openapi::api::core::v1::Secret>("db").await?;
    place.holds_within("db", &[("v", "two")], common::HEALED).await?;
    let store = serde_json::to_value(place.api::<api::SecretStore>().get("vault").await?.status)?;
    assert_eq!((&store["conditions"][0]["type"], &store["conditions"][0]["status"]), (&json!("Ready"), &json!("True")));

    // Nor does a restart stumble, and nothing is written again.
    let secret = place.secret("db").await?.unwrap().metadata.resource_version;
    let complaints = operator.complaints();
    assert!(complaints.iter().all(|line| line.contains("sync failed")), "{complaints:?}");
    operator.stop()?;
    let operator = start().await?;
    place.write("db", json!({"v": "two", "w": "x"})).await?;
    told(&place, "db", "True", "secret synced").await?;
    testbed::holds_for("no write of the Secret", common::A_WHILE, async || {
        let now = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("no Secret".to_owned())?;
        if now.metadata.resource_version == secret { Ok(()) } else { Err(format!("{:?}", now.metadata)) }
    })
    .await?;
    operator.stop()?;
    drop(place);
    drop(running);
    Ok(())
}
