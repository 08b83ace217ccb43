//! The Secret is what its ExternalSecret says: what others do to it is undone, and it goes when its ExternalSecret goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::data_of;
use common::{A_WHILE, HEALED, Operator, Place, Result};
use external_secrets_rs::api::ExternalSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::time::Duration;
use testbed::holds_for;

/// Garbage collection and the end of a namespace take the controller-manager seconds.
const COLLECTED: Duration = Duration::from_secs(60);

/// A synced ExternalSecret `db` whose Secret holds `password: s3cret`.
async fn synced(hint: &str) -> Result<(Place, Operator)> {
    let (place, operator) = Place::with_operator(hint).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    place.ready("db").await?;
    Ok((place, operator))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deleted_secret_comes_back() -> Result {
    let (place, _operator) = synced("deleted").await?;
    let before = place.secret("db").await?.unwrap();
    place.delete::<Secret>("db").await?;
    let after = place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    assert_ne!(before.metadata.uid, after.metadata.uid);
    assert_eq!(before.metadata.owner_references, after.metadata.owner_references);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_edit_is_undone() -> Result {
    let (place, _operator) = synced("edited").await?;
    for patch in [
        json!({"stringData": {"password": "mine"}}),
        json!({"stringData": {"more": "mine"}}),
        json!({"data": {"password": null}}),
        json!({"metadata": {"labels": {"reconcile.external-secrets.io/managed": null}}}),
        json!({"metadata": {"ownerReferences": null}}),
    ] {
        place.patch::<Secret>("db", patch.clone()).await?;
        testbed::wait_until(&format!("{patch} undone"), HEALED, async || {
            let secret = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
            let metadata = serde_json::to_value(&secret.metadata).map_err(|error| error.to_string())?;
            let is_restored = data_of(&secret) == [("password".to_owned(), "s3cret".to_owned())].into()
                && metadata["labels"]["reconcile.external-secrets.io/managed"] == "true"
                && metadata["ownerReferences"][0]["controller"] == true;
            if is_restored { Ok(()) } else { Err(format!("{metadata} {:?}", data_of(&secret))) }
        })
        .await?;
    }
    Ok(())
}

/// Argo CD, Reloader and people put labels and annotations of their own on Secrets.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn labels_of_others_stay_and_cost_nothing() -> Result {
    let (place, operator) = synced("labelled").await?;
    let reads = place.all_reads();
    let patch = json!({"metadata": {"labels": {"team": "blue"}, "annotations": {"note": "ours"}}});
    let edited: Secret = place.patch("db", patch).await?;
    holds_for("no read and no write", A_WHILE, async || {
        let now = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
        let is_untouched = now.metadata.resource_version == edited.metadata.resource_version;
        if is_untouched && place.all_reads() == reads { Ok(()) } else { Err(place.proxy.summary()) }
    })
    .await?;

    // And they stay when the Secret is written the next time.
    place.write("db", json!({"password": "rotated"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).annotated("force-sync", "now")).await?;
    let secret = place.holds_within("db", &[("password", "rotated")], HEALED).await?;
    let metadata = serde_json::to_value(&secret.metadata)?;
    assert_eq!((&metadata["labels"]["team"], &metadata["annotations"]["note"]), (&json!("blue"), &json!("ours")));
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn labels_of_the_external_secret_follow_it() -> Result {
    let (place, _operator) = synced("labels").await?;
    let external = place.external("db", &[("password", "db#password")]);
    place.apply_external(external.clone().with("/metadata", "labels", json!({"app": "shop"}))).await?;
    let labels = async |expected: Value| {
        testbed::wait_until(&format!("label app={expected}"), HEALED, async || {
            let secret = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
            let metadata = serde_json::to_value(&secret.metadata).map_err(|error| error.to_string())?;
            if metadata["labels"]["app"] == expected { Ok(()) } else { Err(metadata.to_string()) }
        })
        .await
    };
    labels(json!("shop")).await?;
    place.apply_external(external).await?;
    labels(Value::Null).await?;
    Ok(())
}

/// Velero, or an old manifest with `kubectl replace`: data and hash come back together and fit each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_restored_backup_is_undone() -> Result {
    let (place, operator) = synced("restored").await?;
    let backup = place.secret("db").await?.unwrap();
    place.write("db", json!({"password": "rotated"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).annotated("force-sync", "now")).await?;
    place.holds_within("db", &[("password", "rotated")], HEALED).await?;
    let hash = json!(backup.metadata.annotations.as_ref().unwrap()["reconcile.external-secrets.io/data-hash"]);
    let restored =
        json!({"data": backup.data, "metadata": {"annotations": {"reconcile.external-secrets.io/data-hash": hash}}});
    place.patch::<Secret>("db", restored).await?;
    place.holds_within("db", &[("password", "rotated")], HEALED).await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

/// A label that the ExternalSecret sets, overwritten: its data is right, so it waits for the refresh.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_overwritten_label_comes_back_at_the_refresh() -> Result {
    let (place, _operator) = Place::with_operator("overwritten").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = place.external("db", &[("password", "db#password")]).every("3s");
    place.apply_external(external.with("/metadata", "labels", json!({"app": "shop"}))).await?;
    place.ready("db").await?;
    place.patch::<Secret>("db", json!({"metadata": {"labels": {"app": "mine"}}})).await?;
    testbed::wait_until("the label", HEALED, async || {
        let secret = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
        let labels = secret.metadata.labels.unwrap_or_default();
        if labels["app"] == "shop" { Ok(()) } else { Err(format!("{labels:?}")) }
    })
    .await?;
    Ok(())
}

/// Deletes the ExternalSecret so, and waits until both are gone and stay so.
async fn deleted(hint: &str, how: DeleteParams) -> Result {
    let (place, operator) = synced(hint).await?;
    assert!(place.stack.has_controller_manager(), "this needs the garbage collector");
    place.api::<ExternalSecret>().delete("db", &how).await?;
    place.gone::<Secret>("db", COLLECTED).await?;
    place.gone::<ExternalSecret>("db", COLLECTED).await?;
    place.stays_absent("db").await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_goes_with_its_external_secret() -> Result {
    deleted("background", DeleteParams::background()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_goes_before_its_external_secret_in_a_foreground_deletion() -> Result {
    deleted("foreground", DeleteParams::foreground()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_stays_where_the_deletion_orphans_it() -> Result {
    let (place, _operator) = synced("orphan").await?;
    assert!(place.stack.has_controller_manager(), "this needs the garbage collector");
    let orphan =
        DeleteParams { propagation_policy: Some(kube::api::PropagationPolicy::Orphan), ..DeleteParams::default() };
    place.api::<ExternalSecret>().delete("db", &orphan).await?;
    place.gone::<ExternalSecret>("db", COLLECTED).await?;
    let secret = place.holds("db", &[("password", "s3cret")]).await?;
    assert_eq!(secret.metadata.owner_references, None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_namespace_ends_quietly() -> Result {
    let (place, operator) = synced("ending").await?;
    assert!(place.stack.has_controller_manager(), "this needs the namespace controller");
    for number in 0..5 {
        let name = format!("busy-{number}");
        place.apply_external(place.external(&name, &[("password", "db#password")]).every("1s")).await?;
        place.ready(&name).await?;
    }
    place.namespace.delete(COLLECTED).await?;
    operator.ready().await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

/// A Secret that somebody made before is taken over where no controller has it, and left alone where one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_that_was_there_before() -> Result {
    let (place, _operator) = Place::with_operator("adopted").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply([common::place::secret("free", &[("foreign", "x"), ("password", "old")])]).await?;
    place.apply_external(place.external("free", &[("password", "db#password")])).await?;
    place.holds("free", &[("password", "s3cret")]).await?;
    place.event("free", "Normal", "Updated", &["took over", "foreign"]).await?;

    let mut owned = common::place::secret("owned", &[("foreign", "x")]);
    let shop = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}});
    let shop = place.namespace.apply(&shop.to_string()).await?;
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "shop", "uid": shop[0]["metadata"]["uid"], "controller": true});
    owned["metadata"]["ownerReferences"] = json!([owner]);
    place.apply([owned]).await?;
    place.apply_external(place.external("owned", &[("password", "db#password")])).await?;
    place.failed("owned", &["controlled by ConfigMap", "shop"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_external_secrets_never_fight_over_one_secret() -> Result {
    let (place, _operator) = synced("shared").await?;
    place.write("other", json!({"password": "theirs"})).await?;
    let rival = place.external("rival", &[("password", "other#password")]).target("db").every("1s");
    place.apply_external(rival).await?;
    let object = place.failed("rival", &["owned by another ExternalSecret", "\"db\""]).await?;
    assert_eq!(common::objects::stalled(&object), Some("InvalidSpec"));
    place.holds("db", &[("password", "s3cret")]).await?;

    Ok(())
}

/// The data is the same, so only the name tells that there is something to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_renamed_target_is_made() -> Result {
    let (place, _operator) = synced("renamed").await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).target("elsewhere")).await?;
    place.holds_within("elsewhere", &[("password", "s3cret")], HEALED).await?;
    place.delete::<Secret>("elsewhere").await?;
    place.holds_within("elsewhere", &[("password", "s3cret")], HEALED).await?;
    Ok(())
}
