//! A cluster that still has ESO's own CRDs: fields of ours are pruned from what is written, conditions of other types are
//! refused, only v1 is served, and defaults stand in every object. The operator runs on it and syncs.
//!
//! CRDs are the whole cluster's, so this test has a control plane and a Vault of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::External;
use common::{Operator, Place, Result, SOON, eso};
use external_secrets_rs::api::{self, ExternalSecret};
use serde_json::{Value, json};
use testbed::wait_until;

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
    let (running, place) = eso::place("eso-crds", false).await?;
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
