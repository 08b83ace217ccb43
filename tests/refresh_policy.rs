//! When values are read again: each `refreshPolicy`, an interval of zero, and `syncWindows`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, stalled};
use common::place::STORE;
use common::{A_WHILE, HEALED, Operator, Place, Result, SOON};
use external_secrets_rs::api::ExternalSecret;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use testbed::{holds_for, wait_until};

/// An ExternalSecret `db` with these fields of the spec, synced, and its value changed in Vault since.
async fn changed_in_vault(hint: &str, fields: &[(&str, Value)]) -> Result<(Place, Operator, External)> {
    let (place, operator) = Place::with_operator(hint).await?;
    place.write("db", json!({"v": "one", "w": "w"})).await?;
    let with = |external: External, (field, value): &(&str, Value)| external.with("/spec", field, value.clone());
    let external = fields.iter().fold(place.external("db", &[("v", "db#v")]), with);
    place.apply_external(external.clone()).await?;
    place.holds("db", &[("v", "one")]).await?;
    place.ready("db").await?;
    place.write("db", json!({"v": "two", "w": "w"})).await?;
    Ok((place, operator, external))
}

async fn not_followed(place: &Place) -> Result {
    holds_for("no refresh", A_WHILE, async || {
        let secret = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
        let seen = common::data_of(&secret);
        if seen["v"] == "one" { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await?;
    Ok(())
}

async fn force(place: &Place, kind: &str, value: &str) -> Result {
    place.patch::<ExternalSecret>("db", json!({"metadata": {kind: {"force-sync": value}}})).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn periodic_is_the_default_and_reads_at_the_interval() -> Result {
    for (hint, fields) in [("default", vec![]), ("periodic", vec![("refreshPolicy", json!("Periodic"))])] {
        let fields = [fields, vec![("refreshInterval", json!("1s"))]].concat();
        let (place, _operator, _) = changed_in_vault(hint, &fields).await?;
        place.holds("db", &[("v", "two")]).await?;
    }
    Ok(())
}

/// ESO at zero also ignores later changes of the spec and a force-sync.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_interval_of_zero_reads_once_and_heeds_changes() -> Result {
    let (place, _operator, external) = changed_in_vault("zero", &[("refreshInterval", json!("0"))]).await?;
    not_followed(&place).await?;
    force(&place, "annotations", "1").await?;
    place.holds_within("db", &[("v", "two")], HEALED).await?;
    place.write("db", json!({"v": "three", "w": "w"})).await?;
    force(&place, "labels", "1").await?;
    place.holds_within("db", &[("v", "three")], HEALED).await?;
    let more = json!([{"secretKey": "v", "remoteKey": place.key("db#w")}]);
    place.apply_external(external.with("/spec", "data", more)).await?;
    place.holds_within("db", &[("v", "w")], HEALED).await?;
    // And it is still repaired.
    place.delete::<Secret>("db").await?;
    place.holds_within("db", &[("v", "w")], HEALED).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_change_reads_when_the_object_changes() -> Result {
    let fields = [("refreshPolicy", json!("OnChange")), ("refreshInterval", json!("1s"))];
    let (place, _operator, external) = changed_in_vault("on-change", &fields).await?;
    not_followed(&place).await?;
    force(&place, "annotations", "1").await?;
    place.holds_within("db", &[("v", "two")], HEALED).await?;
    let more = json!([{"secretKey": "v", "remoteKey": place.key("db#w")}]);
    place.apply_external(external.with("/spec", "data", more)).await?;
    place.holds_within("db", &[("v", "w")], HEALED).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn created_once_reads_once() -> Result {
    let fields = [("refreshPolicy", json!("CreatedOnce")), ("refreshInterval", json!("1s"))];
    let (place, operator, external) = changed_in_vault("created-once", &fields).await?;
    force(&place, "annotations", "1").await?;
    let more = json!([{"secretKey": "v", "remoteKey": place.key("db#w")}]);
    place.apply_external(external.with("/spec", "data", more)).await?;
    not_followed(&place).await?;
    // Whoever waits for the object (Flux, kubectl wait) must not wait for ever.
    let object = place.ready("db").await?;
    assert!(object.metadata.generation > Some(1));
    // Nor does a restart read it again.
    let reads = place.reads("db");
    operator.stop()?;
    let _operator = Operator::start(place.name()).await?;
    not_followed(&place).await?;
    assert_eq!(place.reads("db"), reads, "{}", place.proxy.summary());
    // A Secret that is gone is made again.
    place.delete::<Secret>("db").await?;
    place.holds_within("db", &[("v", "w")], HEALED).await?;
    Ok(())
}

/// An edit of the store, its templates or its namespace is no reason to read what is not read by the clock: its values would
/// follow Vault by chance.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_edit_of_the_store_reads_nothing_anew_but_by_the_clock() -> Result {
    let template = json!({"templateFrom": [{"configMap": {"name": "texts", "items": [{"key": "v"}]}}]});
    let texts = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}, "data": {"v": text}});
    for (hint, policy, interval) in
        [("once-store", "CreatedOnce", "1h"), ("on-change-store", "OnChange", "1h"), ("zero-store", "Periodic", "0")]
    {
        let (place, _operator) = Place::with_operator(hint).await?;
        place.write("db", json!({"v": "one"})).await?;
        place.apply([texts("{{ .v }}")]).await?;
        let external = place.external("db", &[("v", "db#v")]).every(interval);
        let external = external.with("/spec", "refreshPolicy", json!(policy));
        place.apply_external(external.with("/spec", "target", json!({"template": template}))).await?;
        place.apply([place.external("clock", &[("v", "db#v")]).into()]).await?;
        for name in ["db", "clock"] {
            place.holds(name, &[("v", "one")]).await?;
            place.ready(name).await?;
        }
        // A refresh shares a read that began a moment ago, so these have to be over.
        not_followed(&place).await?;
        place.write("db", json!({"v": "two"})).await?;
        let mut store = place.store(STORE);
        store["spec"]["refreshInterval"] = json!("30m");
        place.apply([store, texts("{{/* the same */}}{{ .v }}")]).await?;
        place.holds_within("clock", &[("v", "two")], HEALED).await?;
        not_followed(&place).await?;
    }
    Ok(())
}

/// An edit of the store of one that is well is no reason to open its window.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_edit_of_the_store_waits_for_the_window() -> Result {
    let (place, _operator, _) =
        changed_in_vault("store-window", &[("refreshInterval", json!("1h")), far_windows("allow")]).await?;
    place.apply([place.external("clock", &[("v", "db#v")]).into()]).await?;
    place.holds("clock", &[("v", "two")]).await?;
    place.ready("clock").await?;
    not_followed(&place).await?;
    place.write("db", json!({"v": "three", "w": "w"})).await?;
    let mut store = place.store(STORE);
    store["spec"]["refreshInterval"] = json!("30m");
    place.apply([store]).await?;
    place.holds_within("clock", &[("v", "three")], HEALED).await?;
    not_followed(&place).await?;
    Ok(())
}

/// What failed was not created: it is tried until it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn created_once_is_tried_until_it_succeeds() -> Result {
    let (place, _operator) = Place::with_operator("created-once-late").await?;
    place
        .apply_external(place.external("db", &[("v", "db#v")]).with("/spec", "refreshPolicy", json!("CreatedOnce")))
        .await?;
    place.failed("db", &["db"]).await?;
    place.write("db", json!({"v": "late"})).await?;
    place.holds("db", &[("v", "late")]).await?;
    Ok(())
}

/// A window that is open all day, or closed all day.
fn windows(kind: &str) -> (&'static str, Value) {
    ("syncWindows", json!({"kind": kind, "windows": [{"schedule": "0 0 * * *", "duration": "24h"}]}))
}

/// A window that is open for an hour on a 29th of February.
fn far_windows(kind: &str) -> (&'static str, Value) {
    ("syncWindows", json!({"kind": kind, "windows": [{"schedule": "0 0 29 2 *", "duration": "1h"}]}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn windows_gate_the_periodic_refresh() -> Result {
    for (hint, window, is_open) in [
        ("allow-open", windows("allow"), true),
        ("deny-shut", far_windows("deny"), true),
        ("allow-shut", far_windows("allow"), false),
        ("deny-open", windows("deny"), false),
    ] {
        let (place, _operator, external) = changed_in_vault(hint, &[("refreshInterval", json!("1s")), window]).await?;
        if is_open {
            place.holds("db", &[("v", "two")]).await?;
            continue;
        }
        not_followed(&place).await?;
        // A change is followed at any time, and so is a repair.
        force(&place, "annotations", "1").await?;
        place.holds_within("db", &[("v", "two")], HEALED).await.map_err(|error| format!("{hint}: {error}"))?;
        place.delete::<Secret>("db").await?;
        place.holds_within("db", &[("v", "two")], HEALED).await?;
        let more = json!([{"secretKey": "v", "remoteKey": place.key("db#w")}]);
        place.apply_external(external.with("/spec", "data", more)).await?;
        place.holds_within("db", &[("v", "w")], HEALED).await?;
    }
    Ok(())
}

/// A change that fails at first is no periodic refresh, and is tried again while the window is shut.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_is_retried_in_a_shut_window() -> Result {
    let (place, _operator, external) =
        changed_in_vault("retried", &[("refreshInterval", json!("1h")), windows("deny")]).await?;
    let more = json!([{"secretKey": "v", "remoteKey": place.key("later#v")}]);
    place.apply_external(external.with("/spec", "data", more)).await?;
    place.failed("db", &["later"]).await?;
    place.write("later", json!({"v": "at last"})).await?;
    place.holds("db", &[("v", "at last")]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_schedule_that_can_not_be_read_is_told() -> Result {
    let (place, _operator) = Place::with_operator("schedule").await?;
    place.write("db", json!({"v": "one"})).await?;
    let bad = json!({"kind": "allow", "windows": [{"schedule": "61 * * * *", "duration": "1h"}]});
    place.apply_external(place.external("db", &[("v", "db#v")]).with("/spec", "syncWindows", bad)).await?;
    let told = place.failed("db", &["spec.syncWindows", "61 * * * *"]).await?;
    assert_eq!(stalled(&told), Some("InvalidSpec"));
    place.apply_external(place.external("db", &[("v", "db#v")])).await?;
    wait_until("no more Stalled", SOON, async || {
        let object = place.ready("db").await.map_err(|error| error.to_string())?;
        if stalled(&object).is_none() { Ok(()) } else { Err("Stalled".to_owned()) }
    })
    .await?;
    Ok(())
}
