//! A restart, as at every upgrade of the operator: what is not due is not asked for, what changed meanwhile is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{A_WHILE, HEALED, Operator, Place, Result, SOON};
use external_secrets_rs::api::{ExternalSecret, SecretStore};
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use std::time::{Duration, Instant};
use testbed::{holds_for, wait_until};

/// `db-0` to `db-4`, synced.
async fn synced(hint: &str, interval: &str) -> Result<(Place, Operator)> {
    let (place, operator) = Place::with_operator(hint).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    for n in 0..5 {
        place
            .apply_external(place.external(&format!("db-{n}"), &[("password", "db#password")]).every(interval))
            .await?;
    }
    for n in 0..5 {
        place.ready(&format!("db-{n}")).await?;
    }
    place.store_is("vault", "True", &[]).await?;
    Ok((place, operator))
}

/// Every object's version: what changes with any write.
async fn versions(place: &Place) -> Result<Vec<Option<String>>> {
    let mut versions = Vec::new();
    for n in 0..5 {
        let name = format!("db-{n}");
        versions.push(place.api::<Secret>().get(&name).await?.metadata.resource_version);
        versions.push(place.api::<ExternalSecret>().get(&name).await?.metadata.resource_version);
    }
    versions.push(place.api::<SecretStore>().get("vault").await?.metadata.resource_version);
    Ok(versions)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn with_nothing_due_reads_and_writes_nothing() -> Result {
    let (place, operator) = synced("restart", "1h").await?;
    operator.stop()?;
    let before = versions(&place).await?;
    let events = place.events("db-0").await?;
    place.proxy.reset();

    let operator = Operator::start(place.name()).await?;
    // A new one is synced: the operator is at work, and the old ones were looked at before.
    place.apply_external(place.external("new", &[("password", "new#password")])).await?;
    place.write("new", json!({"password": "new"})).await?;
    place.holds("new", &[("password", "new")]).await?;
    holds_for("no read of what is not due", A_WHILE, async || match place.reads("db") {
        0 => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    assert_eq!(versions(&place).await?, before);
    assert_eq!(place.events("db-0").await?, events);
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());
    assert_eq!(operator.complaints().len(), 0, "{:?}", operator.complaints());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn due_times_hold() -> Result {
    const INTERVAL: Duration = Duration::from_secs(6);
    let (place, operator) = Place::with_operator("due").await?;
    place.write("db", json!({"password": "old"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).every("6s")).await?;
    place.ready("db").await?;
    let read_at = place.read_at("db");
    let first = place.proxy.requests().into_iter().find(|seen| seen.path == read_at).expect("a read").at;
    operator.stop()?;
    place.write("db", json!({"password": "new"})).await?;

    let _operator = Operator::start(place.name()).await?;
    assert!(first.elapsed() < INTERVAL, "too slow a machine to show anything: {:?}", first.elapsed());
    place.holds("db", &[("password", "new")]).await?;
    let second =
        place.proxy.requests().into_iter().filter(|seen| seen.path == read_at).nth(1).expect("a second read").at;
    // `refreshTime` counts whole seconds, so up to one is lost.
    let gap = second - first;
    assert!(gap > INTERVAL - Duration::from_millis(1200) && gap < INTERVAL + Duration::from_secs(3), "{gap:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_changed_meanwhile_is_followed_at_once() -> Result {
    let (place, operator) = synced("meanwhile", "1h").await?;
    place.write("db", json!({"password": "s3cret", "user": "app"})).await?;
    operator.stop()?;
    place.proxy.reset();
    // One is changed, one deleted, one edited, one made, and one goes with its Secret.
    place.apply_external(place.external("db-0", &[("user", "db#user")])).await?;
    place.delete::<Secret>("db-1").await?;
    place.patch::<Secret>("db-2", json!({"stringData": {"password": "mine"}})).await?;
    place.apply_external(place.external("made", &[("user", "db#user")])).await?;
    let untouched = place.secret("db-4").await?;
    // The Secret first: after its owner's end the garbage collector may be there before us.
    place.delete::<Secret>("db-3").await?;
    place.delete::<ExternalSecret>("db-3").await?;

    let start = Instant::now();
    let _operator = Operator::start(place.name()).await?;
    place.holds_within("db-0", &[("user", "app")], SOON).await?;
    place.holds_within("db-1", &[("password", "s3cret")], SOON).await?;
    place.holds_within("db-2", &[("password", "s3cret")], SOON).await?;
    place.holds_within("made", &[("user", "app")], SOON).await?;
    assert!(start.elapsed() < 2 * HEALED, "{:?}", start.elapsed());
    place.stays_absent("db-3").await?;
    assert_eq!(place.secret("db-4").await?, untouched);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_failed_before_is_tried_again() -> Result {
    let (place, operator) = Place::with_operator("failed").await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.failed("db", &["404"]).await?;
    operator.stop()?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let _operator = Operator::start(place.name()).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    place.ready("db").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_fell_due_meanwhile_is_read_soon() -> Result {
    let (place, operator) = synced("overdue", "2s").await?;
    operator.stop()?;
    place.write("db", json!({"password": "rotated"})).await?;
    let last = place.api::<ExternalSecret>().get("db-0").await?.status.unwrap().refresh_time.unwrap().0;
    wait_until("the interval's end", SOON, async || {
        let age = k8s_openapi::jiff::Timestamp::now().duration_since(last);
        if age.as_secs() >= 3 { Ok(()) } else { Err(age.to_string()) }
    })
    .await?;
    let _operator = Operator::start(place.name()).await?;
    for n in 0..5 {
        place.holds_within(&format!("db-{n}"), &[("password", "rotated")], HEALED).await?;
    }
    Ok(())
}
