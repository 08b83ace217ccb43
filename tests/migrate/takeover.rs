//! The operator takes over what ESO left, and gives it back.

use crate::common::doc::{Doc, kubectl};
use crate::common::{A_WHILE, External, HEALED, Operator, Place, Result, SOON, eso};
use crate::state::{self, ESO, manager};
use external_secrets_rs::api::ExternalSecret;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use testbed::{holds_for, wait_until};

const LONG: &str = "a-name-so-long-that-the-field-manager-of-its-secret-has-to-be-a-hash";
const ALL: [&str; 5] = ["owned", "rendered", "orphan", "merged", LONG];

/// Every Secret event of the namespace since now, as `TYPE name`.
async fn watch(place: &Place) -> Result<Arc<Mutex<Vec<String>>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let list = place.api::<Secret>().list(&kube::api::ListParams::default()).await?;
    let from = list.metadata.resource_version.unwrap_or_default();
    let secrets = place.api::<Secret>();
    let mut events = secrets.watch(&WatchParams::default().timeout(290), &from).await?.boxed();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            let text = match event {
                Ok(WatchEvent::Added(secret)) => format!("ADDED {}", secret.name_any()),
                Ok(WatchEvent::Modified(secret)) => format!("MODIFIED {}", secret.name_any()),
                Ok(WatchEvent::Deleted(secret)) => format!("DELETED {}", secret.name_any()),
                Ok(WatchEvent::Bookmark(_)) => continue,
                other => format!("{other:?}"),
            };
            kept.lock().unwrap().push(text);
        }
    });
    Ok(seen)
}

/// A namespace that ESO works in: each creation policy, a template, labels and annotations, and a name that is too long.
async fn esos_namespace(place: &Place) -> Result {
    for name in ["owned", "orphan", "merged"] {
        place.write(name, json!({"v": "one"})).await?;
    }
    place.write("rendered", json!({"user": "app", "password": "s3cret"})).await?;
    place.write("long", json!({"v": "one"})).await?;
    let external = |name: &str, path: &str, properties: &[&str]| {
        let entry = |property: &&str| json!({"secretKey": property, "remoteRef": {"key": place.key(path), "property": property}});
        External::new(name, properties.iter().map(entry).collect())
    };
    let owned = external("owned", "owned", &["v"]).annotated("team.example.com/contact", "a@example.com").with(
        "/metadata",
        "labels",
        json!({"app": "owned"}),
    );
    state::sync(place, owned, &[("v", "one")]).await?;
    let template =
        json!({"metadata": {"labels": {"app": "rendered"}}, "data": {"url": "https://{{ .user }}:{{ .password }}@db"}});
    let rendered =
        external("rendered", "rendered", &["user", "password"]).with("/spec", "target", json!({"template": template}));
    state::sync(place, rendered, &[("url", "https://app:s3cret@db")]).await?;
    let orphan = external("orphan", "orphan", &["v"]).with("/spec", "target", json!({"creationPolicy": "Orphan"}));
    state::sync(place, orphan, &[("v", "one")]).await?;
    let shared = json!({"metadata": {"name": "shared"}, "stringData": {"theirs": "kept"}});
    let params = PostParams { field_manager: Some("somebody".to_owned()), ..PostParams::default() };
    place.api::<Secret>().create(&params, &serde_json::from_value(shared)?).await?;
    let merged = external("merged", "merged", &["v"]).with(
        "/spec",
        "target",
        json!({"name": "shared", "creationPolicy": "Merge"}),
    );
    state::sync(place, merged, &[("v", "one")]).await?;
    state::sync(place, external(LONG, "long", &["v"]), &[("v", "one")]).await
}

/// Reads of all five sources.
fn reads(place: &Place) -> Vec<usize> {
    ["owned", "rendered", "orphan", "merged", "long"].map(|path| place.reads(path)).to_vec()
}

async fn every(place: &Place, interval: &str) -> Result {
    for name in ALL {
        place.patch::<ExternalSecret>(name, json!({"spec": {"refreshInterval": interval}})).await?;
    }
    Ok(())
}

async fn replace_crds(place: &Place, crds: Vec<Value>) -> Result {
    let api: Api<CustomResourceDefinition> = Api::all(place.client.clone());
    for mut crd in crds {
        let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
        crd["metadata"]["resourceVersion"] = json!(api.get(&name).await?.resource_version());
        api.replace(&name, &PostParams::default(), &serde_json::from_value(crd)?).await?;
    }
    eso::served(&place.client).await
}

async fn start(place: &Place, more: &[&str]) -> Result<Operator> {
    let args = [&["--namespace", place.name()], more].concat();
    let operator = Operator::start_with(&args, Some(place.stack.kube().kubeconfig())).await?;
    operator.ready().await?;
    Ok(operator)
}

type Snapshot = std::collections::BTreeMap<String, Value>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_changes_hands_and_back_and_no_secret_changes() -> Result {
    let (running, place) = eso::place("move", true).await?;
    place.apply([place.credentials(), place.store("vault")]).await?;
    esos_namespace(&place).await?;
    let before = state::secrets(&place).await?;
    assert_eq!(before.len(), 6, "five targets and the credentials: {:?}", before.keys());
    let events = watch(&place).await?;
    let operator = start(&place, &[]).await?;
    taken_over(&place, &before).await?;
    assert_eq!(*events.lock().unwrap(), Vec::<String>::new());
    ours_now(&place).await?;
    // A watch that ends because its CRD changed is begun again, and told.
    let told = operator.complaints();
    let is_known = |line: &String| line.contains("broke off and is begun again") || line.contains("sync failed");
    assert!(told.iter().all(is_known), "{told:?}");
    operator.stop()?;
    given_back(&place).await?;
    wait_until("no Secret to have gone, or come anew", SOON, async || {
        let events = events.lock().unwrap().clone();
        let wanted = ["MODIFIED owned", "MODIFIED shared", "MODIFIED owned"];
        if events == wanted { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await?;
    drop(place);
    drop(running);
    Ok(())
}

/// ESO is stopped, and we have started on its CRDs.
async fn taken_over(place: &Place, before: &Snapshot) -> Result {
    place.store_is_valid("vault").await?;
    // What ESO synced lately is not due.
    holds_for("nothing read", A_WHILE, async || {
        if reads(place).iter().all(|count| *count == 0) { Ok(()) } else { Err(place.proxy.summary()) }
    })
    .await?;
    assert!(state::secrets(place).await? == *before);

    // Our CRDs take the place of ESO's, and all is refreshed, many times.
    let ours =
        external_secrets_rs::api::all().iter().map(serde_json::to_value).collect::<std::result::Result<_, _>>()?;
    replace_crds(place, ours).await?;
    every(place, "1s").await?;
    wait_until("each to be read twice", SOON, async || {
        let reads = reads(place);
        if reads.iter().all(|count| *count > 1) { Ok(()) } else { Err(format!("{reads:?}")) }
    })
    .await?;
    for name in ALL {
        place.ready(name).await?;
    }
    assert!(state::secrets(place).await? == *before, "down to resourceVersion and managedFields");
    Ok(())
}

/// What changes in Vault is seen to.
async fn ours_now(place: &Place) -> Result {
    place.write("owned", json!({"v": "two"})).await?;
    place.holds("owned", &[("v", "two")]).await?;
    place.write("merged", json!({"v": "two"})).await?;
    place.holds("shared", &[("v", "two"), ("theirs", "kept")]).await?;
    every(place, "1h").await?;
    for name in ALL {
        place.ready(name).await?;
    }
    // One that only an edit mends: its Stalled condition is none of ESO's.
    let entry = json!({"secretKey": "v", "remoteRef": {"key": "a", "version": "x"}});
    place.patch::<ExternalSecret>("orphan", json!({"spec": {"data": [entry]}})).await?;
    place.failed("orphan", &["version"]).await?;
    Ok(())
}

/// ESO's CRDs again, and a look at everything that it looks at.
async fn given_back(place: &Place) -> Result {
    let left = state::secrets(place).await?;
    replace_crds(place, eso::crds()).await?;
    for name in ALL {
        state::is_as_eso_wants(place, name).await?;
    }
    for name in ["owned", "rendered", "merged", LONG] {
        state::status(place, name).await?;
    }
    stalled_is_cleared(place).await?;
    assert!(state::secrets(place).await? == left);
    // A key that it no longer wants is its own to take away, for the field manager is its own.
    let mut secret = place.secret("owned").await?.unwrap();
    secret.data.as_mut().unwrap().clear();
    let params = PostParams { field_manager: Some(manager("owned")), ..PostParams::default() };
    place.api::<Secret>().replace("owned", &params, &secret).await?;
    place.holds("owned", &[]).await?;
    Ok(())
}

/// ESO writes whole statuses, and its CRD knows Ready and Deleted only: it can't write one that says Stalled, until that is taken out
/// as the document has it.
async fn stalled_is_cleared(place: &Place) -> Result {
    let params = PatchParams { field_manager: Some(ESO.to_owned()), ..PatchParams::default() };
    let api = place.api::<ExternalSecret>();
    let mut object = serde_json::to_value(api.get("orphan").await?)?;
    let conditions = object["status"]["conditions"].as_array_mut().unwrap();
    assert!(conditions.iter().any(|one| one["type"] == "Stalled"), "{conditions:?}");
    conditions.iter_mut().filter(|one| one["type"] == "Ready").for_each(|one| one["status"] = json!("True"));
    let patch = json!({"status": {"conditions": conditions}});
    let refused = api.patch_status("orphan", &params, &Patch::Merge(patch)).await.expect_err("a status with Stalled");
    assert!(refused.to_string().contains("Unsupported value: \"Stalled\""), "{refused}");
    for command in Doc::read()?.section("What is Stalled") {
        kubectl(&place.client, &command.replace("team-a", place.name()).replace("my-app", "orphan")).await?;
    }
    state::status(place, "orphan").await
}

impl Place {
    /// Waits until a store is Ready, under a schema that may not know observedGeneration.
    async fn store_is_valid(&self, name: &str) -> Result {
        let api = self.api::<external_secrets_rs::api::SecretStore>();
        wait_until("the store", SOON, async || {
            let status = serde_json::to_value(api.get(name).await.map_err(|error| error.to_string())?.status);
            let status = status.map_err(|error| error.to_string())?;
            if status["conditions"][0]["status"] == "True" { Ok(()) } else { Err(status.to_string()) }
        })
        .await?;
        Ok(())
    }
}

/// One namespace moves by its stores' class, by the document's commands, while ESO goes on in others.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_namespace_moves_by_the_class_of_its_stores() -> Result {
    let place = Place::new("class").await?;
    place.apply([place.credentials(), place.store("vault")]).await?;
    place.write("db", json!({"v": "one"})).await?;
    let doc = Doc::read()?;
    let step = |heading: &str, number: usize| doc.section(heading)[number].replace("team-a", place.name());
    let there = "Namespace by namespace";
    kubectl(&place.client, &step(there, 0)).await?;
    let entry = json!({"secretKey": "v", "remoteRef": {"key": place.key("db"), "property": "v"}});
    let external = External::new("db", vec![entry]).every("1s");
    state::sync(&place, external.clone(), &[("v", "one")]).await?;
    let before = state::secrets(&place).await?;

    // While the class is ESO's, we look at nothing; ESO refreshes.
    let ours = ["--controller-class", "external-secrets-rs"];
    assert!(step(there, 1).contains("controllerClass=external-secrets-rs"));
    let operator = start(&place, &ours).await?;
    place.write("db", json!({"v": "two"})).await?;
    holds_for("nothing done", A_WHILE, async || {
        let now = state::secrets(&place).await.map_err(|error| error.to_string())?;
        if now == before && place.reads("db") == 0 { Ok(()) } else { Err(place.proxy.summary()) }
    })
    .await?;
    state::status(&place, "db").await?;

    // The class changes, and ours is started anew, as the document says.
    kubectl(&place.client, &step(there, 2)).await?;
    assert_eq!(step(there, 3), "kubectl rollout restart deployment external-secrets-rs -n external-secrets-rs");
    operator.stop()?;
    let operator = start(&place, &ours).await?;
    place.holds_within("db", &[("v", "two")], HEALED).await?;
    state::is_as_eso_wants(&place, "db").await?;

    // And back: ours leaves it alone.
    kubectl(&place.client, &step("A namespace back", 0)).await?;
    place.write("db", json!({"v": "three"})).await?;
    holds_for("nothing written", A_WHILE, async || {
        let secret = place.secret("db").await.map_err(|error| error.to_string())?.ok_or("no Secret")?;
        let data = crate::common::data_of(&secret);
        if data["v"] == "two" { Ok(()) } else { Err(format!("{data:?}")) }
    })
    .await?;
    operator.stop()?;
    Ok(())
}
