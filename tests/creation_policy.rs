//! How the Secret comes to be and whose it is: each `creationPolicy`, and what is written on the Secret beside its data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, condition};
use common::place::secret;
use common::{A_WHILE, HEALED, Operator, Place, Result, SOON, data_of};
use external_secrets_rs::api::ExternalSecret;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use testbed::{holds_for, wait_until};

const COLLECTED: Duration = Duration::from_secs(60);

async fn place(hint: &str) -> Result<(Place, Operator)> {
    let (place, operator) = Place::with_operator(hint).await?;
    place.write("db", json!({"user": "u", "password": "p"})).await?;
    Ok((place, operator))
}

/// `user` and `password` of `db`, by this policy, into this Secret.
fn external(place: &Place, name: &str, policy: &str, target: &str) -> External {
    place.external(name, &[("user", "db#user"), ("password", "db#password")]).with(
        "/spec",
        "target",
        json!({"name": target, "creationPolicy": policy}),
    )
}

const BOTH: &[(&str, &str)] = &[("user", "u"), ("password", "p")];

async fn metadata(place: &Place, name: &str) -> Result<Value> {
    Ok(serde_json::to_value(place.secret(name).await?.ok_or("no such Secret")?.metadata)?)
}

async fn force(place: &Place, name: &str, value: &str) -> Result {
    place.patch::<ExternalSecret>(name, json!({"metadata": {"annotations": {"force-sync": value}}})).await?;
    Ok(())
}

/// Waits until nobody has written the Secret for a while: whoever works on it has come to rest.
async fn rests(place: &Place, name: &str) -> Result {
    let mut seen = (None, Instant::now());
    wait_until(&format!("rest of Secret {name}"), SOON, async || {
        let now = place.secret(name).await.map_err(|error| error.to_string())?.ok_or("no such Secret")?;
        if seen.0 != now.metadata.resource_version {
            seen = (now.metadata.resource_version.clone(), Instant::now());
        }
        if seen.1.elapsed() >= A_WHILE { Ok(()) } else { Err(serde_json::to_string(&now.metadata).unwrap()) }
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn owner_is_the_default_and_says_whose_it_is() -> Result {
    let (place, _operator) = place("owner").await?;
    let annotations = json!({
        "note": "copied",
        "kubectl.kubernetes.io/last-applied-configuration": "{\"kind\":\"ExternalSecret\"}",
    });
    let external = external(&place, "es", "Owner", "db").with("/metadata", "labels", json!({"app": "shop"}));
    place.apply_external(external.with("/metadata", "annotations", annotations)).await?;
    place.holds("db", BOTH).await?;
    let object = place.ready("es").await?;
    let metadata = metadata(&place, "db").await?;
    assert_eq!(metadata["labels"]["app"], "shop");
    assert_eq!(metadata["labels"]["reconcile.external-secrets.io/managed"], "true");
    let created_by = external_secrets_rs::sync::hash::created_by(place.name(), "es");
    assert_eq!(metadata["labels"]["reconcile.external-secrets.io/created-by"], created_by.as_str());
    assert_eq!(metadata["annotations"]["note"], "copied");
    assert_eq!(metadata["annotations"]["kubectl.kubernetes.io/last-applied-configuration"], Value::Null);
    assert_eq!(
        metadata["ownerReferences"],
        json!([{
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "es", "uid": object.metadata.uid,
            "controller": true, "blockOwnerDeletion": true,
        }])
    );
    let managers: Vec<_> = metadata["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["manager"].as_str().unwrap(), entry["operation"].as_str().unwrap()))
        .collect();
    assert_eq!(managers, [("externalsecrets.external-secrets.io/es", "Update")]);

    let status = serde_json::to_value(&object.status)?;
    assert_eq!(status["binding"], json!({"name": "db"}));
    let version = status["syncedResourceVersion"].as_str().unwrap();
    let (generation, hash) = version.split_once('-').expect("<generation>-<hash>");
    assert_eq!(generation, object.metadata.generation.unwrap().to_string());
    assert!(hash.len() == 56 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{version}");
    assert_eq!(condition(&status, "Ready")["reason"], "SecretSynced");
    assert_eq!(condition(&status, "Ready")["message"], "secret synced");
    Ok(())
}

/// The hash that ESO's documentation and tests have, byte for byte.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_hash_is_esos() -> Result {
    let (place, _operator) = Place::with_operator("hash").await?;
    place.write("db", json!({"foo": "value1", "bar": "value2"})).await?;
    let entries = json!([{"extract": {"key": place.key("db")}}]);
    place.apply_external(External::new("db", Vec::new()).with("/spec", "dataFrom", entries)).await?;
    place.holds("db", &[("foo", "value1"), ("bar", "value2")]).await?;
    let hash = &metadata(&place, "db").await?["annotations"]["reconcile.external-secrets.io/data-hash"];
    assert_eq!(hash, "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64");
    Ok(())
}

/// A field manager has at most 63 characters in ESO.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_long_name_is_a_hash_in_the_field_manager() -> Result {
    let (place, _operator) = place("long").await?;
    let name = "n".repeat(100);
    place.apply_external(external(&place, &name, "Owner", "db")).await?;
    place.holds("db", BOTH).await?;
    let metadata = metadata(&place, "db").await?;
    let manager = metadata["managedFields"][0]["manager"].as_str().unwrap();
    let hash = manager.strip_prefix("externalsecrets.external-secrets.io/sha3/").expect(manager);
    assert_eq!(hash.len(), 56);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn orphan_stays_when_its_external_secret_goes() -> Result {
    let (place, _operator) = place("orphan").await?;
    place.apply_external(external(&place, "es", "Orphan", "db")).await?;
    place.holds("db", BOTH).await?;
    place.ready("es").await?;
    let metadata = metadata(&place, "db").await?;
    assert_eq!(metadata["ownerReferences"], Value::Null);
    assert_eq!(metadata["labels"]["reconcile.external-secrets.io/managed"], "true");
    assert_eq!(
        metadata["labels"]["reconcile.external-secrets.io/created-by"],
        Value::Null,
        "only an owned Secret has it"
    );
    // An edit is undone, foreign keys leave.
    place.patch::<Secret>("db", json!({"stringData": {"user": "mine", "more": "mine"}})).await?;
    place.holds_within("db", BOTH, HEALED).await?;
    place.api::<ExternalSecret>().delete("es", &DeleteParams::background()).await?;
    place.gone::<ExternalSecret>("es", COLLECTED).await?;
    rests(&place, "db").await?;
    place.holds("db", BOTH).await?;
    Ok(())
}

/// From Owner to Orphan and back: the reference comes and goes, and nobody's Secret is lost on the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_changed_policy_changes_whose_it_is() -> Result {
    let (place, _operator) = place("changed").await?;
    let owners = async |policy: &str, expected: usize| -> Result {
        place.apply_external(external(&place, "es", policy, "db")).await?;
        wait_until(&format!("{expected} owners by {policy}"), HEALED, async || {
            let metadata = metadata(&place, "db").await.map_err(|error| error.to_string())?;
            let found = metadata["ownerReferences"].as_array().map_or(0, Vec::len);
            let label = metadata["labels"]["reconcile.external-secrets.io/created-by"].is_string();
            if found == expected && label == (expected > 0) { Ok(()) } else { Err(metadata.to_string()) }
        })
        .await?;
        Ok(())
    };
    owners("Owner", 1).await?;
    let uid = place.secret("db").await?.unwrap().metadata.uid;
    owners("Orphan", 0).await?;
    owners("Owner", 1).await?;
    assert_eq!(place.secret("db").await?.unwrap().metadata.uid, uid, "the same Secret all along");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn merge_waits_for_the_secret_and_adds_to_it() -> Result {
    let (place, operator) = place("merge").await?;
    place.apply_external(external(&place, "es", "Merge", "theirs")).await?;
    let object = place.ready("es").await?;
    assert_eq!(condition(&serde_json::to_value(&object.status)?, "Ready")["reason"], "SecretMissing");
    place.stays_absent("theirs").await?;
    // As soon as it is there.
    place.apply([secret("theirs", &[("mine", "x")])]).await?;
    let all = &[("mine", "x"), ("user", "u"), ("password", "p")];
    place.holds_within("theirs", all, HEALED).await?;
    let metadata = metadata(&place, "theirs").await?;
    assert_eq!(metadata["ownerReferences"], Value::Null);
    wait_until("SecretSynced", SOON, async || {
        let object = place.ready("es").await.map_err(|error| error.to_string())?;
        let reason = condition(&serde_json::to_value(&object.status).unwrap(), "Ready")["reason"].clone();
        if reason == "SecretSynced" { Ok(()) } else { Err(reason.to_string()) }
    })
    .await?;
    rests(&place, "theirs").await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

/// Which keys are ours stands in the managed fields; others may write the Secret as they like in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn merge_removes_its_own_keys_only_whoever_writes_next() -> Result {
    let (place, _operator) = place("merge-keys").await?;
    place.apply([secret("theirs", &[("mine", "x"), ("user", "before")])]).await?;
    place.apply_external(external(&place, "es", "Merge", "theirs")).await?;
    place.holds("theirs", &[("mine", "x"), ("user", "u"), ("password", "p")]).await?;
    // By update, by server-side apply of the same owner as before, and by a third one.
    place.patch::<Secret>("theirs", json!({"stringData": {"patched": "y"}})).await?;
    place.apply([secret("theirs", &[("mine", "z"), ("applied", "a")])]).await?;
    let all = &[("mine", "z"), ("applied", "a"), ("patched", "y"), ("user", "u"), ("password", "p")];
    place.holds_within("theirs", all, HEALED).await?;
    rests(&place, "theirs").await?;
    place.holds("theirs", all).await?;

    // An edit of one of ours is undone, the others' stay.
    place.patch::<Secret>("theirs", json!({"stringData": {"user": "edited"}})).await?;
    place.holds_within("theirs", all, HEALED).await?;

    // One entry leaves the spec: its key leaves, and no other.
    let fewer = place.external("es", &[("user", "db#user")]).with(
        "/spec",
        "target",
        json!({"name": "theirs", "creationPolicy": "Merge"}),
    );
    place.apply_external(fewer).await?;
    place.holds_within("theirs", &[("mine", "z"), ("applied", "a"), ("patched", "y"), ("user", "u")], HEALED).await?;

    // Their Secret does not go with our object.
    place.delete::<ExternalSecret>("es").await?;
    place.gone::<ExternalSecret>("es", COLLECTED).await?;
    rests(&place, "theirs").await?;
    assert!(place.secret("theirs").await?.is_some());
    Ok(())
}

/// Several that add to one Secret are a common pattern.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn two_that_merge_into_one_secret_come_to_rest() -> Result {
    let (place, operator) = Place::with_operator("two").await?;
    place.write("one", json!({"v": "1"})).await?;
    place.write("two", json!({"v": "2"})).await?;
    for (name, policy) in [("one", "CreateOrMerge"), ("two", "Merge")] {
        let target = json!({"name": "both", "creationPolicy": policy});
        let external = place.external(name, &[(name, &format!("{name}#v"))]).with("/spec", "target", target);
        place.apply_external(external.with("/metadata", "labels", json!({"from": name})).every("1s")).await?;
    }
    place.holds("both", &[("one", "1"), ("two", "2")]).await?;
    place.ready("one").await?;
    place.ready("two").await?;
    rests(&place, "both").await?;
    for (one, two) in [("3", "2"), ("3", "4")] {
        place.write("one", json!({"v": one})).await?;
        place.write("two", json!({"v": two})).await?;
        place.holds("both", &[("one", one), ("two", two)]).await?;
        rests(&place, "both").await?;
    }
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn create_or_merge_does_both() -> Result {
    let (place, _operator) = place("create-or-merge").await?;
    place.apply([secret("there", &[("mine", "x")])]).await?;
    place.apply_external(external(&place, "there", "CreateOrMerge", "there")).await?;
    place.apply_external(external(&place, "new", "CreateOrMerge", "new")).await?;
    place.holds("there", &[("mine", "x"), ("user", "u"), ("password", "p")]).await?;
    place.holds("new", BOTH).await?;
    for name in ["there", "new"] {
        assert_eq!(metadata(&place, name).await?["ownerReferences"], Value::Null, "{name}");
    }
    place.patch::<Secret>("new", json!({"stringData": {"mine": "y"}})).await?;
    force(&place, "new", "1").await?;
    rests(&place, "new").await?;
    place.holds("new", &[("mine", "y"), ("user", "u"), ("password", "p")]).await?;
    place.delete::<Secret>("new").await?;
    place.holds_within("new", BOTH, HEALED).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn none_writes_nothing_and_still_looks() -> Result {
    let (place, _operator) = place("none").await?;
    place.apply([secret("theirs", &[("mine", "x")])]).await?;
    let before = place.secret("theirs").await?.unwrap().metadata.resource_version;
    place.apply_external(external(&place, "es", "None", "theirs")).await?;
    place.apply_external(external(&place, "absent", "None", "absent")).await?;
    place.ready("es").await?;
    place.ready("absent").await?;
    place.stays_absent("absent").await?;
    assert_eq!(place.secret("theirs").await?.unwrap().metadata.resource_version, before);
    // What is missing in Vault is told all the same.
    let wrong = place.external("wrong", &[("v", "db#nope")]).with("/spec", "target", json!({"creationPolicy": "None"}));
    place.apply_external(wrong).await?;
    place.failed("wrong", &["\"nope\""]).await?;
    Ok(())
}

/// Keys that leave the spec leave the Secret; keys that others add leave too, where it is owned.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn removed_keys_leave() -> Result {
    let (place, _operator) = place("removed").await?;
    for policy in ["Owner", "Orphan"] {
        let name = policy.to_lowercase();
        place.apply_external(external(&place, &name, policy, &name)).await?;
        place.holds(&name, BOTH).await?;
        let fewer = place.external(&name, &[("user", "db#user")]).with(
            "/spec",
            "target",
            json!({"name": name, "creationPolicy": policy}),
        );
        place.apply_external(fewer).await?;
        let secret = place.holds_within(&name, &[("user", "u")], HEALED).await?;
        assert_eq!(data_of(&secret).into_keys().collect::<BTreeSet<_>>(), BTreeSet::from(["user".to_owned()]));
    }
    Ok(())
}

/// A change is an error, and nothing but an edit or a new Secret mends it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_immutable_secret_is_written_once() -> Result {
    let (place, _operator) = place("immutable").await?;
    let target = json!({"name": "db", "immutable": true});
    place.apply_external(external(&place, "es", "Owner", "db").with("/spec", "target", target).every("1s")).await?;
    let secret = place.holds("db", BOTH).await?;
    assert_eq!(secret.immutable, Some(true));
    place.write("db", json!({"user": "u", "password": "changed"})).await?;
    let told = place.failed("es", &["Secret \"db\"", "immutable", "delete it"]).await?;
    assert!(common::stalled(&told).is_some());
    let reads = place.reads("db");
    holds_for(
        "no retry",
        A_WHILE,
        async || if place.reads("db") == reads { Ok(()) } else { Err(place.proxy.summary()) },
    )
    .await?;
    place.holds("db", BOTH).await?;
    place.delete::<Secret>("db").await?;
    let secret = place.holds_within("db", &[("user", "u"), ("password", "changed")], HEALED).await?;
    assert_eq!(secret.immutable, Some(true));
    place.ready("es").await?;
    Ok(())
}

/// The data stays, so nothing but the policy tells that there is something to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_edit_of_the_policy_is_followed() -> Result {
    let (place, _operator) = place("policy-edit").await?;
    place.apply([secret("db", &[("foreign", "x")])]).await?;
    place.apply_external(external(&place, "es", "Merge", "db")).await?;
    place.holds("db", &[BOTH, &[("foreign", "x")]].concat()).await?;
    place.ready("es").await?;
    place.apply_external(external(&place, "es", "Orphan", "db")).await?;
    place.holds_within("db", BOTH, HEALED).await?;

    let is = async |what: &str, holds: fn(&Secret) -> bool| {
        wait_until(what, HEALED, async || {
            let secret = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
            if holds(&secret) { Ok(()) } else { Err(format!("{:?} {:?}", secret.immutable, secret.metadata)) }
        })
        .await
    };
    let held = json!({"metadata": {"finalizers": ["example.com/held"]}});
    let target = json!({"name": "db", "creationPolicy": "Orphan", "template": held});
    place.apply_external(external(&place, "es", "Orphan", "db").with("/spec", "target", target)).await?;
    is("the finalizer", |secret| secret.metadata.finalizers.as_deref() == Some(&["example.com/held".to_owned()]))
        .await?;
    let target = json!({"name": "db", "creationPolicy": "Orphan", "immutable": true, "template": held});
    place.apply_external(external(&place, "es", "Orphan", "db").with("/spec", "target", target)).await?;
    is("an immutable Secret", |secret| secret.immutable == Some(true)).await?;
    place.patch::<Secret>("db", json!({"metadata": {"finalizers": null}})).await?;
    Ok(())
}
