//! What becomes of the Secret when its source is gone: each `deletionPolicy`, what counts as gone, and the brake.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, condition, message, stalled};
use common::place::secret;
use common::{A_WHILE, Operator, Place, Result, SOON};
use external_secrets_rs::api::ExternalSecret;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use std::time::Duration;
use testbed::proxy::Action;
use testbed::{KvVersion, holds_for, wait_until};

/// `a` of the secret `a` and `b` of the secret `b`, refreshed each second.
fn external(place: &Place, name: &str, target: Value) -> External {
    place.external(name, &[("a", "a#v"), ("b", "b#v")]).every("1s").with("/spec", "target", target)
}

const BOTH: &[(&str, &str)] = &[("a", "1"), ("b", "2")];

async fn place(hint: &str) -> Result<(Place, Operator)> {
    let (place, operator) = Place::with_operator(hint).await?;
    place.write("a", json!({"v": "1"})).await?;
    place.write("b", json!({"v": "2"})).await?;
    Ok((place, operator))
}

/// A place with a synced ExternalSecret `es` and its Secret `db`.
async fn synced(hint: &str, policy: &str) -> Result<(Place, Operator)> {
    let (place, operator) = place(hint).await?;
    place.apply_external(external(&place, "es", json!({"name": "db", "deletionPolicy": policy}))).await?;
    place.holds("db", BOTH).await?;
    place.ready("es").await?;
    Ok((place, operator))
}

/// Waits until `Ready` has this reason.
async fn reason(place: &Place, name: &str, wanted: &str) -> Result {
    wait_until(&format!("{name} with reason {wanted}"), SOON, async || {
        let object = place.api::<ExternalSecret>().get(name).await.map_err(|error| error.to_string())?;
        let ready = condition(&serde_json::to_value(&object.status).unwrap(), "Ready");
        if ready["reason"] == wanted { Ok(()) } else { Err(ready.to_string()) }
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn retain_is_the_default_and_keeps_the_secret() -> Result {
    let (place, _operator) = place("retain").await?;
    place.apply_external(external(&place, "es", json!({"name": "db"}))).await?;
    let version = place.holds("db", BOTH).await?.metadata.resource_version;
    for path in ["a", "b"] {
        place.kv.delete(&place.key(path)).await?;
        place.failed("es", &["no secret at", "its latest version is deleted", "spec.data[0] (a)"]).await?;
        assert_eq!(place.secret("db").await?.unwrap().metadata.resource_version, version);
    }
    place.kv.delete_metadata(&place.key("a")).await?;
    place.failed("es", &["spec.data[0] (a)"]).await?;
    assert_eq!(place.secret("db").await?.unwrap().metadata.resource_version, version);
    place.write("a", json!({"v": "1"})).await?;
    place.write("b", json!({"v": "3"})).await?;
    place.holds("db", &[("a", "1"), ("b", "3")]).await?;
    place.ready("es").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn delete_drops_keys_and_then_the_secret() -> Result {
    let (place, operator) = synced("delete", "Delete").await?;
    place.kv.delete(&place.key("a")).await?;
    place.holds("db", &[("b", "2")]).await?;
    place.ready("es").await?;
    place.kv.delete_metadata(&place.key("b")).await?;
    place.gone::<Secret>("db", SOON).await?;
    reason(&place, "es", "SecretDeleted").await?;
    place.ready("es").await?;
    place.event("es", "Normal", "Deleted", &["\"db\"", "gone from Vault"]).await?;
    // It stays away, and comes back with its source.
    place.stays_absent("db").await?;
    place.write("a", json!({"v": "back"})).await?;
    place.holds("db", &[("a", "back")]).await?;
    reason(&place, "es", "SecretSynced").await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

/// Each way in which Vault says for certain that there is nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn deleted_destroyed_and_never_there_are_gone() -> Result {
    let (place, _operator) = Place::with_operator("gone").await?;
    let old = place.namespace.kv("old", KvVersion::V1).await?;
    place.apply([place.store_at("old", Some(old.mount()), "v1")]).await?;
    old.write("stays", json!({"v": "x"})).await?;
    old.write("v1", json!({"v": "x"})).await?;
    for name in ["deleted", "destroyed", "erased", "found"] {
        place.write(name, json!({"v": "x"})).await?;
    }
    let target = json!({"deletionPolicy": "Delete"});
    let externals = ["deleted", "destroyed", "erased"].map(|name| {
        place.external(name, &[("v", &format!("{name}#v"))]).every("1s").with("/spec", "target", target.clone()).into()
    });
    place.apply(externals).await?;
    let on_v1 = External::new("v1", vec![json!({"secretKey": "v", "remoteKey": "v1#v"})]).from_store("old");
    let found = External::new("found", Vec::new()).from_store("old").with(
        "/spec",
        "dataFrom",
        json!([{"find": {"path": "found"}}]),
    );
    old.write("found/x", json!({"v": "x"})).await?;
    for external in [on_v1, found] {
        place.apply_external(external.every("1s").with("/spec", "target", target.clone())).await?;
    }
    for name in ["deleted", "destroyed", "erased", "v1", "found"] {
        place.ready(name).await.map_err(|error| format!("{name}: {error}"))?;
    }
    // One after the other, so that the brake has nothing to say.
    place.kv.delete(&place.key("deleted")).await?;
    place.gone::<Secret>("deleted", SOON).await?;
    place.kv.destroy(&place.key("destroyed"), &[1]).await?;
    place.gone::<Secret>("destroyed", SOON).await?;
    place.kv.delete_metadata(&place.key("erased")).await?;
    place.gone::<Secret>("erased", SOON).await?;
    old.delete("v1").await?;
    place.gone::<Secret>("v1", SOON).await?;
    old.delete("found/x").await?;
    place.gone::<Secret>("found", SOON).await?;
    Ok(())
}

/// What leaves any doubt changes nothing, neither the Secret nor one key of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_doubtful_answer_deletes_nothing() -> Result {
    let (place, _operator) = synced("doubt", "Delete").await?;
    let version = place.secret("db").await?.unwrap().metadata.resource_version;
    let nothing = json!({"data": {"data": null, "metadata": {"version": 1, "deletion_time": "", "destroyed": false}}});
    let answers = [
        ("denied", Action::refuse(403, "permission denied")),
        ("failed", Action::refuse(500, "internal error")),
        ("bad gateway", Action::answer(502, "text/html", "<html>502</html>")),
        ("sealed", Action::refuse(503, "Vault is sealed")),
        ("null", Action::answer(200, "application/json", "null")),
        ("null data", Action::json(200, &json!({"data": null}))),
        ("null in data", Action::json(200, &nothing)),
        ("empty", Action::answer(200, "application/json", "")),
        ("login page", Action::html()),
        ("truncated", Action::Truncate { keep: 20 }),
        ("404 of a proxy", Action::answer(404, "text/html", "<html>not found</html>")),
        ("404 without a word", Action::answer(404, "text/plain", "")),
        ("404 null", Action::answer(404, "application/json", "null")),
        ("404 that names no deletion", Action::json(404, &nothing)),
        ("no mount", Action::refuse(404, "no handler for route \"kv/data/x\". route entry not found.")),
        ("broken", Action::Break),
    ];
    for (what, answer) in answers {
        let prefix = place.read_at("");
        let rule = place.proxy.rule(move |seen| seen.path.starts_with(&prefix), answer);
        let told = place.failed("es", &[]).await.map_err(|error| format!("{what}: {error}"))?;
        let now = place.secret("db").await?.unwrap_or_else(|| panic!("{what}: it was deleted"));
        assert_eq!(now.metadata.resource_version, version, "{what}: it was written\n{}", message(&told));
        place.proxy.remove(rule);
        place.ready_within("es", Duration::from_secs(30)).await.map_err(|error| format!("{what}: {error}"))?;
    }
    assert_eq!(place.secret("db").await?.unwrap().metadata.resource_version, version);
    Ok(())
}

/// One of two paths is gone for certain, the other in doubt: the certain one changes nothing either.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn gone_beside_doubt_changes_nothing() -> Result {
    let (place, _operator) = synced("beside", "Delete").await?;
    let version = place.secret("db").await?.unwrap().metadata.resource_version;
    let doubtful = place.read_at("b");
    place.proxy.rule(move |seen| seen.path == doubtful, Action::refuse(403, "permission denied"));
    place.kv.delete(&place.key("a")).await?;
    place.failed("es", &["denied"]).await?;
    holds_for("the Secret as it is", A_WHILE, async || {
        let now = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
        if now.metadata.resource_version == version { Ok(()) } else { Err(format!("{:?}", common::data_of(&now))) }
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pinned_version_that_is_deleted_is_not_gone() -> Result {
    let (place, _operator) = Place::with_operator("pinned-gone").await?;
    place.write("db", json!({"v": "one"})).await?;
    place.write("db", json!({"v": "two"})).await?;
    let entry = json!({"secretKey": "v", "remoteRef": {"key": place.key("db"), "property": "v", "version": "1"}});
    let external = External::new("es", vec![entry]).every("1s");
    place.apply_external(external.with("/spec", "target", json!({"name": "db", "deletionPolicy": "Delete"}))).await?;
    let version = place.holds("db", &[("v", "one")]).await?.metadata.resource_version;
    place.kv.destroy(&place.key("db"), &[1]).await?;
    place.failed("es", &["version 1"]).await?;
    place.kv.delete_metadata(&place.key("db")).await?;
    place.failed("es", &["version 1"]).await?;
    assert_eq!(place.secret("db").await?.unwrap().metadata.resource_version, version);
    Ok(())
}

/// Asked with the other version's API, every path of a mount is not found.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mount_of_the_other_version_deletes_nothing() -> Result {
    let (place, _operator) = Place::with_operator("other-version").await?;
    let target = json!({"deletionPolicy": "Delete"});
    for (name, version, other) in [("new", KvVersion::V2, "v1"), ("old", KvVersion::V1, "v2")] {
        let kv = place.namespace.kv(name, version).await?;
        kv.write("db", json!({"v": "x"})).await?;
        let right = if other == "v1" { "v2" } else { "v1" };
        place.apply([place.store_at(name, Some(kv.mount()), right)]).await?;
        let external = External::new(name, vec![json!({"secretKey": "v", "remoteKey": "db#v"})]).from_store(name);
        place.apply_external(external.every("1s").with("/spec", "target", target.clone())).await?;
        let version = place.holds(name, &[("v", "x")]).await?.metadata.resource_version;
        place.ready(name).await?;
        place.apply([place.store_at(name, Some(kv.mount()), other)]).await?;
        place.failed_within(name, &["KV"], Duration::from_secs(30)).await?;
        assert_eq!(place.secret(name).await?.expect(name).metadata.resource_version, version, "{name}");
    }
    Ok(())
}

/// The first look may be a mistake: a second one, a moment later, decides.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_look_decides() -> Result {
    let (place, operator) = place("second-look").await?;
    let target = json!({"name": "db", "deletionPolicy": "Delete"});
    place.apply_external(external(&place, "es", target).every("1h")).await?;
    let uid = place.holds("db", BOTH).await?.metadata.uid;
    place.ready("es").await?;
    let deleted = json!({"data": {"data": null, "metadata": {"version": 1, "deletion_time": "2026-01-01T00:00:00Z", "destroyed": false}}});
    let prefix = place.read_at("");
    place.proxy.rule_times(2, move |seen| seen.path.starts_with(&prefix), Action::json(404, &deleted));
    place.proxy.reset();
    place.patch::<ExternalSecret>("es", json!({"metadata": {"annotations": {"force-sync": "1"}}})).await?;
    wait_until("the second look", SOON, async || {
        if place.reads("a") >= 2 && place.reads("b") >= 2 { Ok(()) } else { Err(place.proxy.summary()) }
    })
    .await?;
    wait_until("the sync", SOON, async || {
        let now = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("it was deleted".to_owned())?;
        let found = now.metadata.annotations.and_then(|all| all.get("force-sync").cloned());
        if found.is_some() { Ok(()) } else { Err("not copied yet".to_owned()) }
    })
    .await?;
    let now = place.holds("db", BOTH).await?;
    assert_eq!(now.metadata.uid, uid, "it was deleted and made anew");
    place.ready("es").await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

/// Renamed and gone at once: the old Secret is no less to be looked after than one that kept its name.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_renamed_targets_old_secret_waits_for_the_second_look_too() -> Result {
    let (place, operator) = place("renamed").await?;
    let named = |name: &str| external(&place, "es", json!({"name": name, "deletionPolicy": "Delete"})).every("1h");
    place.apply_external(named("old")).await?;
    place.holds("old", BOTH).await?;
    place.ready("es").await?;
    let deleted = json!({"data": {"data": null, "metadata": {"version": 1, "deletion_time": "2026-01-01T00:00:00Z", "destroyed": false}}});
    let prefix = place.read_at("");
    place.proxy.rule_times(2, move |seen| seen.path.starts_with(&prefix), Action::json(404, &deleted));
    place.apply_external(named("new")).await?;
    wait_until("the new Secret", SOON, async || {
        let (old, new) = (place.secret("old").await, place.secret("new").await);
        match (old.map_err(|error| error.to_string())?, new.map_err(|error| error.to_string())?) {
            (_, Some(new)) => Ok(Ok(new)),
            (Some(_), None) => Err("only the old one".to_owned()),
            (None, None) => Ok(Err("the old one went before the new one stood")),
        }
    })
    .await??;
    place.holds("new", BOTH).await?;
    place.gone::<Secret>("old", SOON).await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());

    // Renamed while all of it is gone for good: the old one goes too, and none is made.
    place.kv.delete(&place.key("a")).await?;
    place.kv.delete(&place.key("b")).await?;
    place.apply_external(named("newest")).await?;
    place.gone::<Secret>("new", SOON).await?;
    reason(&place, "es", "SecretDeleted").await?;
    place.stays_absent("newest").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn merge_removes_what_is_gone_and_keeps_the_secret() -> Result {
    let (place, _operator) = place("merge").await?;
    place.apply([secret("theirs", &[("mine", "x")])]).await?;
    let owned = json!({"name": "owned", "deletionPolicy": "Merge"});
    let merged = json!({"name": "theirs", "deletionPolicy": "Merge", "creationPolicy": "Merge"});
    place.apply_external(external(&place, "owned", owned)).await?;
    place.apply_external(external(&place, "merged", merged)).await?;
    place.holds("owned", BOTH).await?;
    place.holds("theirs", &[("mine", "x"), ("a", "1"), ("b", "2")]).await?;
    place.kv.delete(&place.key("a")).await?;
    place.holds("owned", &[("b", "2")]).await?;
    place.holds("theirs", &[("mine", "x"), ("b", "2")]).await?;
    place.kv.delete(&place.key("b")).await?;
    place.holds("owned", &[]).await?;
    place.holds("theirs", &[("mine", "x")]).await?;
    place.ready("owned").await?;
    place.ready("merged").await?;
    place.write("a", json!({"v": "back"})).await?;
    place.holds("owned", &[("a", "back")]).await?;
    place.holds("theirs", &[("mine", "x"), ("a", "back")]).await?;
    Ok(())
}

/// A wrong path looks like one whose secret was deleted: it is told, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_missing_is_told_once() -> Result {
    let (place, operator) = place("missing").await?;
    let mistyped = |place: &Place, name: &str, policy: &str| {
        let data = place.external(name, &[("a", "a#v"), ("b", "typo#v")]).every("1s");
        data.with("/spec", "target", json!({"deletionPolicy": policy}))
    };
    place.apply_external(mistyped(&place, "delete", "Delete")).await?;
    place.apply([mistyped(&place, "merge", "Merge").into()]).await?;
    let all = place.external("all", &[("a", "typo#v")]).every("1s");
    place.apply([all.with("/spec", "target", json!({"deletionPolicy": "Delete"})).into()]).await?;
    for (name, entry) in [("delete", "spec.data[1] (b)"), ("merge", "spec.data[1] (b)"), ("all", "spec.data[0] (a)")] {
        place.event(name, "Warning", "MissingProviderSecret", &[entry, "typo", "correct the entry"]).await?;
        place.ready(name).await?;
    }
    let told = async |place: &Place| {
        let mut told = 0;
        for name in ["delete", "merge", "all"] {
            let events = place.events(name).await.map_err(|error| error.to_string())?;
            told += events.iter().filter(|(_, reason, _)| reason == "MissingProviderSecret").count();
        }
        Ok::<usize, String>(told)
    };
    let once = async || match told(&place).await? {
        3 => Ok(()),
        other => Err(format!("{other} events")),
    };
    testbed::holds_for("one event each", 2 * A_WHILE, once).await?;
    // Nor is it news after a restart.
    operator.stop()?;
    let reads = place.reads("typo");
    let _operator = Operator::start(place.name()).await?;
    wait_until(
        "refreshes",
        SOON,
        async || if place.reads("typo") > reads + 6 { Ok(()) } else { Err(place.proxy.summary()) },
    )
    .await?;
    once().await?;
    Ok(())
}

/// Only an owned Secret is deleted; any other is kept, told, and heals by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_orphan_is_not_deleted() -> Result {
    let (place, _operator) = place("orphan").await?;
    let target = json!({"name": "db", "deletionPolicy": "Delete", "creationPolicy": "Orphan"});
    place.apply_external(external(&place, "es", target)).await?;
    place.holds("db", BOTH).await?;
    place.kv.delete(&place.key("a")).await?;
    place.holds("db", &[("b", "2")]).await?;
    place.kv.delete(&place.key("b")).await?;
    place.failed("es", &["Secret \"db\"", "kept", "creationPolicy Owner"]).await?;
    place.holds("db", &[("b", "2")]).await?;
    place.write("a", json!({"v": "back"})).await?;
    place.holds("db", &[("a", "back")]).await?;
    place.ready("es").await?;
    Ok(())
}

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
