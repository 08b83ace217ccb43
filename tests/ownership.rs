//! Whose Secret may be written: what is taken over, what is left to others, and what becomes of a Secret that is ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, stalled};
use common::place::{CREDENTIALS, SECRET_ID_KEY, secret};
use common::{A_WHILE, HEALED, Operator, Place, Result, SOON};
use external_secrets_rs::api::ExternalSecret;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use testbed::{holds_for, wait_until};

async fn place(hint: &str) -> Result<(Place, Operator)> {
    let (place, operator) = Place::with_operator(hint).await?;
    place.write("db", json!({"user": "u", "password": "p"})).await?;
    Ok((place, operator))
}

fn external(place: &Place, name: &str, policy: &str, target: &str) -> External {
    place.external(name, &[("user", "db#user")]).with(
        "/spec",
        "target",
        json!({"name": target, "creationPolicy": policy}),
    )
}

async fn metadata(place: &Place, name: &str) -> Result<Value> {
    Ok(serde_json::to_value(place.secret(name).await?.ok_or("no such Secret")?.metadata)?)
}

/// Nobody writes the Secret for a while.
async fn untouched(place: &Place, name: &str, version: Option<&String>) -> Result {
    holds_for(&format!("Secret {name} as it is"), A_WHILE, async || {
        let now = place.secret(name).await.map_err(|error| error.to_string())?.ok_or("no such Secret")?;
        if now.metadata.resource_version.as_ref() == version { Ok(()) } else { Err(format!("{:?}", now.metadata)) }
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_without_a_controller_is_taken_over_and_what_leaves_is_told() -> Result {
    let (place, _operator) = place("adopted").await?;
    let mut theirs = secret("db", &[("user", "before"), ("old", "x"), ("older", "y")]);
    theirs["metadata"]["labels"] = json!({"team": "blue"});
    theirs["metadata"]["annotations"] = json!({"note": "theirs"});
    place.apply([theirs]).await?;
    let before = place.secret("db").await?.unwrap().metadata.uid;
    place.apply_external(external(&place, "es", "Owner", "db")).await?;
    place.holds("db", &[("user", "u")]).await?;
    let metadata = metadata(&place, "db").await?;
    assert_eq!(metadata["uid"], json!(before), "it was made anew");
    assert_eq!((&metadata["labels"]["team"], &metadata["annotations"]["note"]), (&json!("blue"), &json!("theirs")));
    assert_eq!(metadata["ownerReferences"][0]["name"], "es");
    place.event("es", "Normal", "Updated", &["took over", "\"db\"", "old, older"]).await?;
    Ok(())
}

/// What ESO made has all of our marks and none of our memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_eso_made_is_taken_over_without_a_write() -> Result {
    let place = Place::new("eso-made").await?;
    place.write("db", json!({"user": "u"})).await?;
    place.apply([place.credentials(), place.store("vault"), external(&place, "es", "Owner", "db").into()]).await?;
    let uid = place.api::<ExternalSecret>().get("es").await?.metadata.uid;
    let mut theirs = secret("db", &[("user", "u")]);
    let value = external_secrets_rs::sync::select::SecretValue::new(b"u".to_vec());
    let hash = external_secrets_rs::sync::hash::data_hash([("user", &*value)]);
    theirs["metadata"]["annotations"] = json!({"reconcile.external-secrets.io/data-hash": hash});
    theirs["metadata"]["labels"] = json!({
        "reconcile.external-secrets.io/managed": "true",
        "reconcile.external-secrets.io/created-by": external_secrets_rs::sync::hash::created_by(place.name(), "es"),
    });
    theirs["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "es", "uid": uid, "controller": true, "blockOwnerDeletion": true,
    }]);
    place.apply([theirs]).await?;
    let version = place.secret("db").await?.unwrap().metadata.resource_version;
    let _operator = Operator::start(place.name()).await?;
    place.ready("es").await?;
    untouched(&place, "db", version.as_ref()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_controllers_secret_is_left_alone() -> Result {
    let (place, _operator) = place("controlled").await?;
    let owner = place.api::<Secret>().get(CREDENTIALS).await?.metadata.uid;
    let mut theirs = secret("db", &[("user", "theirs")]);
    // Any object of this namespace will do as a controller that is there.
    theirs["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "v1", "kind": "Secret", "name": CREDENTIALS, "uid": owner, "controller": true}]);
    place.apply([theirs]).await?;
    let version = place.secret("db").await?.unwrap().metadata.resource_version;
    for policy in ["Owner", "Orphan"] {
        let name = policy.to_lowercase();
        place.apply_external(external(&place, &name, policy, "db")).await?;
        let told =
            place.failed(&name, &["Secret \"db\"", "controlled by Secret", CREDENTIALS, "spec.target.name"]).await?;
        assert_eq!(stalled(&told), Some("InvalidSpec"));
    }
    untouched(&place, "db", version.as_ref()).await?;
    // Merge adds to it, as cert-manager's users do.
    place.apply_external(external(&place, "merge", "Merge", "db")).await?;
    place.holds("db", &[("user", "u")]).await?;
    assert_eq!(metadata(&place, "db").await?["ownerReferences"][0]["name"], CREDENTIALS);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_external_secrets_target_is_left_alone() -> Result {
    let (place, _operator) = place("others").await?;
    place.apply_external(external(&place, "first", "Owner", "db")).await?;
    place.ready("first").await?;
    let version = place.secret("db").await?.unwrap().metadata.resource_version;
    for policy in ["Owner", "Orphan", "Merge", "CreateOrMerge"] {
        let name = format!("second-{}", policy.to_lowercase());
        let other = place.external(&name, &[("password", "db#password")]);
        let other = other.with("/spec", "target", json!({"name": "db", "creationPolicy": policy}));
        place.apply_external(other).await?;
        place
            .failed(&name, &["target is owned by another ExternalSecret", "\"first\""])
            .await
            .map_err(|error| format!("{policy}: {error}"))?;
    }
    untouched(&place, "db", version.as_ref()).await?;
    place.ready("first").await?;
    // The first one leaves it, and it is free.
    place.delete::<ExternalSecret>("first").await?;
    place.ready_within("second-owner", std::time::Duration::from_secs(60)).await?;
    place.holds("db", &[("password", "p")]).await?;
    Ok(())
}

/// A backup that is restored gives objects new uids; the reference then names us under an old one.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_reference_with_an_old_uid_is_ours() -> Result {
    let (place, _operator) = place("restored").await?;
    place.apply_external(external(&place, "es", "Owner", "db")).await?;
    let object = place.ready("es").await?;
    let old = json!([{
        "apiVersion": "external-secrets.io/v1beta1", "kind": "ExternalSecret", "name": "es", "controller": true,
        "uid": "11111111-2222-3333-4444-555555555555",
    }]);
    place.patch::<Secret>("db", json!({"metadata": {"ownerReferences": old}})).await?;
    wait_until("our uid in the reference", HEALED, async || {
        let metadata = metadata(&place, "db").await.map_err(|error| error.to_string())?;
        let owners = &metadata["ownerReferences"];
        let is_ours =
            owners.as_array().is_some_and(|all| all.len() == 1) && owners[0]["uid"] == json!(object.metadata.uid);
        if is_ours { Ok(()) } else { Err(metadata.to_string()) }
    })
    .await?;
    place.holds("db", &[("user", "u")]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_renamed_target_moves() -> Result {
    let (place, operator) = place("renamed").await?;
    place.apply_external(external(&place, "es", "Owner", "old")).await?;
    place.holds("old", &[("user", "u")]).await?;
    place.ready("es").await?;

    // The new name is taken: the old one stays, for somebody works with it.
    place.apply_external(external(&place, "taken", "Owner", "new")).await?;
    place.ready("taken").await?;
    place.apply_external(external(&place, "es", "Owner", "new")).await?;
    place.failed("es", &["owned by another ExternalSecret"]).await?;
    place.holds("old", &[("user", "u")]).await?;

    place.apply_external(external(&place, "es", "Owner", "newer")).await?;
    place.holds_within("newer", &[("user", "u")], HEALED).await?;
    place.gone::<Secret>("old", HEALED).await?;
    let object = place.ready("es").await?;
    assert_eq!(serde_json::to_value(&object.status)?["binding"]["name"], "newer");
    place.holds("new", &[("user", "u")]).await?;
    assert!(!operator.log().contains("\"u\""));
    Ok(())
}

/// Only what is ours by label and by reference goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_renamed_targets_old_secret_stays_where_it_is_not_ours() -> Result {
    let (place, operator) = place("renamed-not-ours").await?;
    for (name, policy) in [("unlabelled", "Owner"), ("orphan", "Orphan")] {
        place.apply_external(external(&place, name, policy, &format!("{name}-old"))).await?;
        place.ready(name).await?;
    }
    operator.stop()?;
    place
        .patch::<Secret>(
            "unlabelled-old",
            json!({"metadata": {"labels": {"reconcile.external-secrets.io/created-by": null}}}),
        )
        .await?;
    for (name, policy) in [("unlabelled", "Owner"), ("orphan", "Orphan")] {
        place.apply_external(external(&place, name, policy, &format!("{name}-new"))).await?;
    }
    let _operator = Operator::start(place.name()).await?;
    for name in ["unlabelled", "orphan"] {
        place.ready(name).await?;
        place.holds(&format!("{name}-new"), &[("user", "u")]).await?;
        place.holds(&format!("{name}-old"), &[("user", "u")]).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn secrets_that_others_depend_on_are_never_taken_over() -> Result {
    let (place, _operator) = place("protected").await?;
    let mut token = secret("token", &[("extra", "x")]);
    token["type"] = json!("kubernetes.io/service-account-token");
    token["metadata"]["annotations"] = json!({"kubernetes.io/service-account.name": "default"});
    let mut release = secret("release", &[("release", "x")]);
    release["type"] = json!("helm.sh/release.v1");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    place.apply([account, token, release]).await?;
    for (target, type_) in [("token", "kubernetes.io/service-account-token"), ("release", "helm.sh/release.v1")] {
        let version = place.secret(target).await?.unwrap().metadata.resource_version;
        for policy in ["Owner", "Orphan", "Merge", "CreateOrMerge"] {
            let name = format!("{target}-{}", policy.to_lowercase());
            place.apply_external(external(&place, &name, policy, target)).await?;
            place.failed(&name, &[type_, "never taken over", "spec.target.name"]).await?;
        }
        untouched(&place, target, version.as_ref()).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stores_credential_is_never_a_target() -> Result {
    let (place, _operator) = place("credential").await?;
    place.store_is("vault", "True", &[]).await?;
    let version = place.secret(CREDENTIALS).await?.unwrap().metadata.resource_version;
    for policy in ["Owner", "Orphan", "Merge", "CreateOrMerge"] {
        let name = policy.to_lowercase();
        let external = place.external(&name, &[(SECRET_ID_KEY, "db#user")]);
        let external = external.with("/spec", "target", json!({"name": CREDENTIALS, "creationPolicy": policy}));
        place.apply_external(external).await?;
        let told = place.failed(&name, &[CREDENTIALS, "reads its credentials from", "spec.target.name"]).await?;
        assert!(stalled(&told).is_some());
    }
    untouched(&place, CREDENTIALS, version.as_ref()).await
}

/// Kubernetes can't change a type: what we made is made anew, what others made is theirs to delete.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn another_type_makes_our_secret_anew_and_no_other() -> Result {
    let (place, _operator) = place("type").await?;
    let typed = |name: &str, type_: &str| {
        let template = json!({"type": type_, "mergePolicy": "Merge"});
        external(&place, name, "Owner", name).with("/spec/target", "template", template)
    };
    place.apply_external(typed("ours", "Opaque")).await?;
    let before = place.holds("ours", &[("user", "u")]).await?;
    place.ready("ours").await?;
    place.apply_external(typed("ours", "example.com/user")).await?;
    wait_until("the other type", HEALED, async || {
        let now = place.secret("ours").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
        let is_new = now.metadata.uid != before.metadata.uid && now.type_.as_deref() == Some("example.com/user");
        if is_new { Ok(()) } else { Err(format!("{:?} {:?}", now.type_, now.metadata.uid)) }
    })
    .await?;
    place.holds("ours", &[("user", "u")]).await?;
    place.ready("ours").await?;

    place.apply([secret("theirs", &[("user", "before")])]).await?;
    let version = place.secret("theirs").await?.unwrap().metadata.resource_version;
    place.apply_external(typed("theirs", "example.com/user")).await?;
    place.failed("theirs", &["\"Opaque\"", "\"example.com/user\"", "delete it"]).await?;
    untouched(&place, "theirs", version.as_ref()).await?;
    place.delete::<Secret>("theirs").await?;
    place.holds_within("theirs", &[("user", "u")], HEALED).await?;
    place.ready("theirs").await?;
    Ok(())
}

/// A Secret that is held by a finalizer: told, and made anew once it is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_that_is_being_deleted_is_waited_for() -> Result {
    let (place, _operator) = place("deleting").await?;
    place.apply_external(external(&place, "es", "Owner", "db")).await?;
    place.ready("es").await?;
    place.patch::<Secret>("db", json!({"metadata": {"finalizers": ["example.com/hold"]}})).await?;
    place.delete::<Secret>("db").await?;
    place.patch::<ExternalSecret>("es", json!({"metadata": {"annotations": {"force-sync": "1"}}})).await?;
    place.write("db", json!({"user": "changed"})).await?;
    place.patch::<ExternalSecret>("es", json!({"metadata": {"annotations": {"force-sync": "2"}}})).await?;
    place.failed("es", &["being deleted", "example.com/hold"]).await?;
    let before = place.secret("db").await?.unwrap().metadata.uid;
    place.patch::<Secret>("db", json!({"metadata": {"finalizers": null}})).await?;
    let secret = place.holds_within("db", &[("user", "changed")], SOON).await?;
    assert_ne!(secret.metadata.uid, before);
    place.ready("es").await?;
    Ok(())
}
