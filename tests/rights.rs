//! A right that the operator lacks for a while: what it can't write is written once it may, and costs nothing until then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{HEALED, Operator, Place, Result, SOON};
use external_secrets_rs::api::{ExternalSecret, SecretStore};
use serde_json::{Value, json};
use std::time::Duration;
use testbed::{holds_for, wait_until};

const ON_EXTERNAL_SECRETS: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
const ON_STORES: &str = "secretstore.externalsecrets.io/finalizer";

/// What a right that came back is noticed within: the pauses between tries grow.
const NOTICED: Duration = Duration::from_secs(60);

async fn grant(place: &Place, patched: &[&str]) -> Result {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "operator"},
        "rules": [
            {"apiGroups": ["external-secrets.io"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["external-secrets.io"], "resources": patched, "verbs": ["patch"]},
            {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["*"]},
            {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
        ],
    });
    place.apply([role]).await
}

/// A place with store and credentials, and an operator that may patch these resources only.
async fn operator_that_patches(hint: &str, patched: &[&str]) -> Result<(Place, Operator)> {
    let place = Place::new(hint).await?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator"}});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": place.name()}],
    });
    place.apply([account, binding, place.credentials(), place.store("vault")]).await?;
    grant(&place, patched).await?;
    let kubeconfig = place.stack.kube().service_account_kubeconfig(place.name(), "operator").await?;
    let operator = Operator::start_with(&["--namespace", place.name()], Some(&kubeconfig)).await?;
    Ok((place, operator))
}

async fn events(place: &Place, name: &str) -> std::result::Result<Vec<String>, String> {
    let events = place.events(name).await.map_err(|error| error.to_string())?;
    Ok(events.into_iter().map(|(_, reason, _)| reason).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_status_that_can_not_be_written_costs_no_read_and_no_second_event() -> Result {
    let (place, _operator) = operator_that_patches("no-status", &["externalsecrets", "secretstores/status"]).await?;
    place.write("db", json!({"v": "one"})).await?;
    let wrong = json!({"template": {"data": {"v": "{{ .v | nope }}"}}});
    place.apply_external(place.external("good", &[("v", "db#v")])).await?;
    // What only an edit mends.
    place.apply([place.external("bad", &[("v", "db#v")]).with("/spec", "target", wrong).into()]).await?;
    place.holds("good", &[("v", "one")]).await?;
    wait_until("both events", SOON, async || match (events(&place, "good").await?, events(&place, "bad").await?) {
        (good, bad) if good == ["Created"] && bad == ["UpdateFailed"] => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    let reads = place.reads("db");
    holds_for("no read, no event", Duration::from_secs(11), async || {
        let seen = (place.reads("db"), events(&place, "good").await?, events(&place, "bad").await?);
        if seen == (reads, vec!["Created".to_owned()], vec!["UpdateFailed".to_owned()]) {
            Ok(())
        } else {
            Err(format!("{seen:?} after {reads} reads"))
        }
    })
    .await?;
    grant(&place, &["externalsecrets", "externalsecrets/status", "secretstores/status"]).await?;
    let good = place.ready_within("good", NOTICED).await?;
    place.failed_within("bad", &["nope"], NOTICED).await?;
    assert_eq!(place.reads("db"), reads, "{}", place.proxy.summary());
    // It is the sync that the status tells of, not its writing.
    let status = serde_json::to_value(&good.status)?;
    let secret = place.secret("good").await?.unwrap();
    assert_eq!(status["target"]["uid"], json!(secret.metadata.uid));
    Ok(())
}

fn with_finalizer(object: impl Into<Value>, finalizer: &str) -> Value {
    let mut object = object.into();
    object["metadata"]["finalizers"] = json!([finalizer]);
    object
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_finalizer_that_can_not_be_taken_off_is_taken_off_later() -> Result {
    let status = ["externalsecrets/status", "secretstores/status"];
    let (place, operator) = operator_that_patches("no-finalizer", &status).await?;
    place.write("db", json!({"v": "one"})).await?;
    let external = with_finalizer(place.external("db", &[("v", "db#v")]), ON_EXTERNAL_SECRETS);
    place.apply([external, with_finalizer(place.store("other"), ON_STORES)]).await?;
    place.ready("db").await?;
    place.delete::<ExternalSecret>("db").await?;
    place.delete::<SecretStore>("other").await?;
    wait_until("both refusals", SOON, async || {
        let complaints = operator.complaints();
        let refused = complaints.iter().filter(|line| line.contains("could not remove a finalizer")).count();
        if refused >= 2 { Ok(()) } else { Err(format!("{complaints:#?}")) }
    })
    .await?;
    grant(&place, &[&status[..], &["externalsecrets", "secretstores"]].concat()).await?;
    place.gone::<ExternalSecret>("db", 2 * HEALED).await?;
    place.gone::<SecretStore>("other", 2 * HEALED).await?;
    Ok(())
}
