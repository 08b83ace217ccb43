//! Another operator beside us, most likely External Secrets Operator that nobody stopped yet: two that write one object would
//! never come to rest, so we leave it alone and say so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{A_WHILE, Operator, Place, Result, SOON, data_of};
use external_secrets_rs::api::ExternalSecret;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::{holds_for, wait_until};

/// ESO's binary is named so, and with it the field manager of its writes.
const ESO: &str = "external-secrets";

/// Writes the status as ESO does.
async fn eso_writes(place: &Place, name: &str, refreshed: &str) -> Result {
    let params = PatchParams { field_manager: Some(ESO.to_owned()), ..PatchParams::default() };
    let status = json!({"status": {"refreshTime": refreshed}});
    place.api::<ExternalSecret>().patch_status(name, &params, &Patch::Merge(status)).await?;
    Ok(())
}

async fn yielded(operator: &Operator, wanted: u64) -> Result {
    wait_until(&format!("{wanted} yielded"), SOON, async || {
        let (_, text) = operator.get("/metrics").await.map_err(|error| error.to_string())?;
        let line = text.lines().find(|line| line.starts_with("external_secrets_yielded_objects")).unwrap_or_default();
        if line == format!("external_secrets_yielded_objects {wanted}") { Ok(()) } else { Err(line.to_owned()) }
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_object_that_another_operator_works_on_is_left_alone_and_told() -> Result {
    let (place, operator) = Place::with_operator("coexist").await?;
    place.write("db", json!({"v": "one"})).await?;
    for name in ["theirs", "ours"] {
        place.apply_external(place.external(name, &[("v", "db#v")]).every("1s")).await?;
        place.holds(name, &[("v", "one")]).await?;
    }
    yielded(&operator, 0).await?;
    // Its writes go on while it lives; one that is as old as our start would be what it left behind.
    let mut minute = 0;
    wait_until("it to be noticed", SOON, async || {
        minute += 1;
        let at = format!("2026-01-01T00:{:02}:{:02}Z", minute / 60, minute % 60);
        eso_writes(&place, "theirs", &at).await.map_err(|error| error.to_string())?;
        let told = place.events("theirs").await.map_err(|error| error.to_string())?;
        if told.iter().any(|(_, reason, _)| reason == "OtherOperator") { Ok(()) } else { Err(format!("{told:?}")) }
    })
    .await?;
    place
        .event(
            "theirs",
            "Warning",
            "OtherOperator",
            &["External Secrets Operator", "leaves it alone", "stop one of the two"],
        )
        .await?;
    yielded(&operator, 1).await?;

    // We don't fight: what changes is followed for ours alone, even where the object itself changes.
    place.write("db", json!({"v": "two"})).await?;
    place.holds("ours", &[("v", "two")]).await?;
    place.patch::<ExternalSecret>("theirs", json!({"metadata": {"annotations": {"force-sync": "1"}}})).await?;
    let version = place.api::<ExternalSecret>().get("theirs").await?.metadata.resource_version;
    holds_for("theirs untouched", A_WHILE, async || {
        let secret = place.secret("theirs").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
        let now = place.api::<ExternalSecret>().get("theirs").await.map_err(|error| error.to_string())?;
        let is_left = data_of(&secret)["v"] == "one" && now.metadata.resource_version == version;
        if is_left { Ok(()) } else { Err(format!("{:?} {:?}", data_of(&secret), now.status)) }
    })
    .await?;
    let events = place.events("theirs").await?;
    assert_eq!(events.iter().filter(|(_, reason, _)| reason == "OtherOperator").count(), 1, "told once");
    let said = operator.complaints();
    assert!(said.len() == 1 && said[0].contains("another operator") && said[0].contains("theirs"), "{said:?}");

    // It was stopped, and we are started anew: what it left behind is no reason to wait.
    operator.stop()?;
    let operator = Operator::start(place.name()).await?;
    place.holds("theirs", &[("v", "two")]).await?;
    yielded(&operator, 0).await?;
    Ok(())
}
