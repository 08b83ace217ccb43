//! When Vault is asked again: at the refresh interval and not before, at once when the ExternalSecret changes, and what stays still.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::External;
use common::{A_WHILE, HEALED, Place, Result, SOON};
use external_secrets_rs::api::{ExternalSecret, SecretStore};
use serde_json::json;
use std::time::Duration;
use testbed::{holds_for, wait_until};

const INTERVAL: Duration = Duration::from_secs(3);
/// An interval runs from the start of a sync, and the first one logs in before it reads.
const EARLY: Duration = Duration::from_millis(500);
/// How late a shared machine may be.
const LATE: Duration = Duration::from_secs(2);

/// Waits until `path` was read this often, and gives the times between the reads.
async fn gaps(place: &Place, path: &str, reads: usize) -> Result<Vec<Duration>> {
    wait_until(&format!("read {reads} of {path}"), INTERVAL * 2 + SOON, async || match place.reads(path) {
        seen if seen >= reads => Ok(()),
        seen => Err(seen.to_string()),
    })
    .await?;
    let read_at = place.read_at(path);
    let times: Vec<_> =
        place.proxy.requests().into_iter().filter(|seen| seen.path == read_at).map(|seen| seen.at).collect();
    Ok(times.windows(2).map(|pair| pair[1] - pair[0]).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_rotated_value_is_seen_at_the_interval_and_not_before() -> Result {
    let (place, _operator) = Place::with_operator("rotation").await?;
    place.write("db", json!({"password": "old"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).every("3s")).await?;
    place.holds("db", &[("password", "old")]).await?;
    place.write("db", json!({"password": "new"})).await?;
    place.holds("db", &[("password", "new")]).await?;
    place.event("db", "Normal", "Updated", &["db"]).await?;

    for gap in gaps(&place, "db", 4).await? {
        assert!(gap > INTERVAL - EARLY && gap < INTERVAL + LATE, "{gap:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_is_written_while_nothing_changes() -> Result {
    let (place, operator) = Place::with_operator("still").await?;
    place.write("db", json!({"password": "same"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).every("1s")).await?;
    let before = (place.holds("db", &[("password", "same")]).await?, place.ready("db").await?);
    let store = place.store_is("vault", "True", &[]).await?;

    gaps(&place, "db", 6).await?;
    let after = (place.secret("db").await?.unwrap(), place.api::<ExternalSecret>().get("db").await?);
    assert_eq!(before.0.metadata.resource_version, after.0.metadata.resource_version);
    // `refreshTime` is written once a minute at most, so no write at all has come so soon.
    assert_eq!(before.1.metadata.resource_version, after.1.metadata.resource_version, "{:?}", after.1.status);
    let store_after = place.api::<SecretStore>().get("vault").await?;
    assert_eq!(store.metadata.resource_version, store_after.metadata.resource_version);
    assert_eq!(place.events("db").await?.len(), 1, "{:?}", place.events("db").await?);
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_applied_change_syncs_now() -> Result {
    let (place, _operator) = Place::with_operator("reapply").await?;
    place.write("db", json!({"password": "old", "user": "app"})).await?;
    let external = place.external("db", &[("password", "db#password")]);
    place.apply_external(external.clone()).await?;
    place.holds("db", &[("password", "old")]).await?;
    place.ready("db").await?;

    // What people do to force a sync.
    place.write("db", json!({"password": "new", "user": "app"})).await?;
    place.apply_external(external.clone().annotated("force-sync", "1700000000")).await?;
    let secret = place.holds_within("db", &[("password", "new")], HEALED).await?;
    assert_eq!(secret.metadata.annotations.unwrap().get("force-sync").map(String::as_str), Some("1700000000"));

    // A changed spec: a key more, a key less, another target.
    place.apply_external(place.external("db", &[("user", "db#user")])).await?;
    place.holds_within("db", &[("user", "app")], HEALED).await?;
    place.apply_external(external.target("other")).await?;
    place.holds_within("other", &[("password", "new")], HEALED).await?;
    Ok(())
}

/// The same manifest once more is no change: GitOps tools apply it every few minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_same_manifest_again_is_no_reason_to_ask_vault() -> Result {
    let (place, _operator) = Place::with_operator("again").await?;
    place.write("db", json!({"password": "same"})).await?;
    let external = place.external("db", &[("password", "db#password")]);
    place.apply_external(external.clone()).await?;
    place.ready("db").await?;
    for _ in 0..3 {
        place.apply_external(external.clone()).await?;
        place.apply([place.store("vault"), place.credentials()]).await?;
    }
    holds_for("one read", A_WHILE, async || match place.reads("db") {
        1 => Ok(()),
        reads => Err(reads.to_string()),
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_interval_of_zero_reads_once_and_heeds_changes() -> Result {
    let (place, _operator) = Place::with_operator("zero").await?;
    place.write("db", json!({"password": "old"})).await?;
    let external = place.external("db", &[("password", "db#password")]).every("0");
    place.apply_external(external.clone()).await?;
    place.holds("db", &[("password", "old")]).await?;
    place.write("db", json!({"password": "new"})).await?;
    // One with an interval beside it shows that time passes.
    place.write("clock", json!({"tick": "x"})).await?;
    place.apply_external(place.external("clock", &[("tick", "clock#tick")]).every("1s")).await?;
    gaps(&place, "clock", 4).await?;
    assert_eq!(place.reads("db"), 1, "{}", place.proxy.summary());
    place.apply_external(external.annotated("force-sync", "now")).await?;
    place.holds_within("db", &[("password", "new")], HEALED).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refresh_policy_says_when() -> Result {
    let (place, _operator) = Place::with_operator("policy").await?;
    place.write("db", json!({"password": "old"})).await?;
    let external = |name: &str, policy: &str| -> External {
        let external = place.external(name, &[("password", "db#password")]).every("1s");
        external.with("/spec", "refreshPolicy", json!(policy))
    };
    for (name, policy) in [("once", "CreatedOnce"), ("change", "OnChange"), ("periodic", "Periodic")] {
        place.apply_external(external(name, policy)).await?;
        place.holds(name, &[("password", "old")]).await?;
    }
    place.write("db", json!({"password": "new"})).await?;
    place.holds("periodic", &[("password", "new")]).await?;
    for name in ["once", "change"] {
        place
            .apply_external(
                external(name, if name == "once" { "CreatedOnce" } else { "OnChange" }).annotated("force-sync", "now"),
            )
            .await?;
    }
    place.holds_within("change", &[("password", "new")], HEALED).await?;
    place.holds("once", &[("password", "old")]).await?;
    Ok(())
}
