//! The brake on deletions: many Secrets whose sources are gone at once are kept until a person confirms.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, message, stalled};
use common::{Operator, Place, Result, SOON};
use external_secrets_rs::api::ExternalSecret;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use std::time::Duration;
use testbed::proxy::Action;

/// This many ExternalSecrets of one key each, `s0` and so on, with `deletionPolicy: Delete`.
async fn herd(place: &Place, count: usize) -> Result {
    let mut objects: Vec<Value> = Vec::new();
    for n in 0..count {
        let name = format!("s{n}");
        place.write(&name, json!({"v": "x"})).await?;
        let external = place.external(&name, &[("v", &format!("{name}#v"))]).every("1s");
        objects.push(external.with("/spec", "target", json!({"deletionPolicy": "Delete"})).into());
    }
    place.apply(objects).await?;
    for n in 0..count {
        place.ready_within(&format!("s{n}"), Duration::from_secs(60)).await?;
    }
    Ok(())
}

async fn operator_with(place: &Place, flags: &[&str]) -> Result<Operator> {
    let operator = Operator::start_with(&[&["--namespace", place.name()], flags].concat(), None).await?;
    operator.ready().await?;
    Ok(operator)
}

/// Many at once, however few are looked at at a time: none of them goes until a person says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_herd_that_is_gone_at_once_is_kept_until_a_person_confirms() -> Result {
    const ALL: usize = 40;
    const GONE: usize = 15;
    let place = Place::new("brake").await?;
    place.apply([place.credentials(), place.store("vault")]).await?;
    let operator = operator_with(&place, &["--deletion-brake", "10", "--concurrent", "4"]).await?;
    herd(&place, ALL).await?;
    // They vanish as a mount does that was replaced: all at once.
    let gone = json!({"data": {"data": null, "metadata": {"version": 1, "deletion_time": "2026-01-01T00:00:00Z", "destroyed": false}}});
    let paths: Vec<String> = (0..GONE).map(|n| place.read_at(&format!("s{n}"))).collect();
    place.proxy.rule(move |seen| paths.contains(&seen.path), Action::json(404, &gone));
    let words = [
        "gone from Vault",
        "nothing is deleted",
        "kubectl annotate externalsecret",
        "external-secrets-rs.io/confirm-deletion",
    ];
    for n in 0..GONE {
        let name = format!("s{n}");
        let told = place.failed_within(&name, &words, Duration::from_secs(60)).await?;
        assert_eq!(stalled(&told), None, "it may come back by itself");
        assert!(place.secret(&name).await?.is_some(), "{name} was deleted");
    }
    // One event for the whole herd, on its store.
    place.event("vault", "Warning", "DeletionHeld", &["no Secret is deleted", "confirm-deletion"]).await?;
    let events = place.events("vault").await?;
    assert_eq!(events.iter().filter(|(_, reason, _)| reason == "DeletionHeld").count(), 1, "{events:?}");
    for n in 0..GONE {
        let events = place.events(&format!("s{n}")).await?;
        assert!(events.iter().all(|(_, reason, _)| reason != "UpdateFailed"), "{events:?}");
    }
    assert!(place.secret("s30").await?.is_some());
    // One that never had a Secret has nothing to hold: a mistyped path, most likely, and told as that.
    let new =
        place.external("new", &[("v", "mistyped#v")]).with("/spec", "target", json!({"deletionPolicy": "Delete"}));
    place.apply_external(new).await?;
    let told = place.ready("new").await?;
    assert!(message(&told).contains("correct the keys"), "{}", message(&told));

    // A person confirms one of them: that one goes, the others stay.
    let today = std::process::Command::new("date").args(["-u", "+%F"]).output()?.stdout;
    let today = String::from_utf8(today)?.trim().to_owned();
    let confirm = |day: &str| json!({"metadata": {"annotations": {"external-secrets-rs.io/confirm-deletion": day}}});
    place.patch::<ExternalSecret>("s1", confirm("2020-01-01")).await?;
    place.patch::<ExternalSecret>("s0", confirm(&today)).await?;
    place.gone::<Secret>("s0", SOON).await?;
    place.event("s0", "Normal", "Deleted", &[]).await?;
    for n in 1..GONE {
        assert!(place.secret(&format!("s{n}")).await?.is_some(), "s{n} was deleted");
    }
    // What comes back is synced again.
    place.proxy.clear_rules();
    for n in 1..GONE {
        place.ready_within(&format!("s{n}"), Duration::from_secs(60)).await?;
    }
    drop(operator);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn half_of_a_store_is_a_herd_and_the_brake_can_be_switched_off() -> Result {
    for (flag, is_kept) in [("50", true), ("0", false)] {
        let place = Place::new("half").await?;
        place.apply([place.credentials(), place.store("vault")]).await?;
        let _operator = operator_with(&place, &["--deletion-brake", flag]).await?;
        herd(&place, 10).await?;
        let gone = json!({"data": {"data": null, "metadata": {"version": 1, "deletion_time": "2026-01-01T00:00:00Z", "destroyed": false}}});
        let paths: Vec<String> = (0..6).map(|n| place.read_at(&format!("s{n}"))).collect();
        place.proxy.rule(move |seen| paths.contains(&seen.path), Action::json(404, &gone));
        for n in 0..6 {
            let name = format!("s{n}");
            if is_kept {
                place.failed_within(&name, &["nothing is deleted"], Duration::from_secs(60)).await?;
                assert!(place.secret(&name).await?.is_some(), "{name} was deleted");
            } else {
                place.gone::<Secret>(&name, Duration::from_secs(60)).await?;
            }
        }
    }
    Ok(())
}

/// Each entry names its store, the object none: the second look and the brake hold all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_brake_holds_for_stores_of_entries_too() -> Result {
    let place = Place::new("entries").await?;
    place.apply([place.credentials(), place.store("vault")]).await?;
    let _operator = operator_with(&place, &[]).await?;
    let mut objects: Vec<Value> = Vec::new();
    for n in 0..6 {
        place.write(&format!("s{n}"), json!({"v": "x"})).await?;
        let entry = json!({"secretKey": "v", "remoteKey": place.key(&format!("s{n}#v")), "sourceRef": {"storeRef": {"name": "vault", "kind": "SecretStore"}}});
        let mut external: Value = External::new(&format!("s{n}"), vec![entry])
            .every("1s")
            .with("/spec", "target", json!({"deletionPolicy": "Delete"}))
            .into();
        external["spec"].as_object_mut().unwrap().remove("secretStoreRef");
        objects.push(external);
    }
    place.apply(objects).await?;
    for n in 0..6 {
        place.ready(&format!("s{n}")).await?;
    }
    let prefix = place.read_at("");
    let gone = json!({"data": {"data": null, "metadata": {"version": 1, "deletion_time": "2026-01-01T00:00:00Z", "destroyed": false}}});
    place.proxy.rule(move |seen| seen.path.starts_with(&prefix), Action::json(404, &gone));
    for n in 0..6 {
        place.failed_within(&format!("s{n}"), &["nothing is deleted"], Duration::from_secs(30)).await?;
        assert!(place.secret(&format!("s{n}")).await?.is_some(), "s{n} was deleted");
    }
    Ok(())
}
