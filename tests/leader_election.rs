//! Leader election: of several operators one works, and another goes on when it ends, however it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::operator::binary;
use common::{Operator, Place, Result, SOON};
use external_secrets_rs::controller::key::ObjectKey;
use external_secrets_rs::lease::claim::Terms;
use external_secrets_rs::lease::{Candidate, Claim};
use futures::poll;
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;
use std::pin::pin;
use std::time::Duration;
use testbed::wait_until;

/// The lease of these tests lasts this long, so that its end can be waited for.
const LEASE: Duration = Duration::from_secs(3);
const TERMS: [&str; 3] = [
    "--leader-election-lease-duration=3s",
    "--leader-election-renew-deadline=2s",
    "--leader-election-retry-period=500ms",
];

/// An operator of the place's namespace that stands in the election for its lease `operators`.
async fn candidate(place: &Place, kubeconfig: Option<&std::path::Path>) -> Result<Operator> {
    let namespace = ["--namespace", place.name(), "--leader-election-namespace", place.name()];
    let election = ["--enable-leader-election", "--leader-election-id=operators"];
    let operator = Operator::start_with(&[&namespace[..], &election[..], &TERMS[..]].concat(), kubeconfig).await?;
    operator.ready().await?;
    Ok(operator)
}

async fn is_leader(operator: &Operator) -> Result<bool> {
    let (_, metrics) = operator.get("/metrics").await?;
    Ok(metrics.contains("leader_election_master_status{name=\"operators\"} 1"))
}

async fn leads(operator: &Operator) -> Result {
    wait_until("the operator leads", SOON, async || match is_leader(operator).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(operator.log()),
        Err(error) => Err(error.to_string()),
    })
    .await?;
    Ok(())
}

async fn holder(place: &Place) -> Result<String> {
    let spec = place.api::<Lease>().get("operators").await?.spec.unwrap();
    Ok(spec.holder_identity.unwrap_or_default())
}

/// A leader that has synced `first`, and one that waits.
async fn two(hint: &str) -> Result<(Place, Operator, Operator)> {
    let place = Place::new(hint).await?;
    place.apply([place.credentials(), place.store("vault")]).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let leader = candidate(&place, None).await?;
    leads(&leader).await?;
    let standby = candidate(&place, None).await?;
    place.apply_external(place.external("first", &[("password", "db#password")])).await?;
    place.ready("first").await?;
    Ok((place, leader, standby))
}

/// What is asked for from now on is done by this one.
async fn works(place: &Place, operator: &Operator) -> Result {
    leads(operator).await?;
    place.apply_external(place.external("second", &[("password", "db#password")])).await?;
    place.holds("second", &[("password", "s3cret")]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_works_and_the_other_is_ready_and_does_nothing() -> Result {
    let (place, leader, standby) = two("standby").await?;
    assert!(!is_leader(&standby).await?);
    assert_eq!(standby.get("/readyz").await?, (200, "ok\n".to_owned()));
    let (_, metrics) = standby.get("/metrics").await?;
    assert!(metrics.contains("leader_election_master_status{name=\"operators\"} 0"), "{metrics}");
    // It keeps nothing of the namespace's objects, so it watches none.
    assert!(!metrics.contains("externalsecret_sync_calls_total{"), "{metrics}");
    assert!(standby.log().contains("waiting for the lease, which "), "{}", standby.log());
    assert!(leader.complaints().is_empty() && standby.complaints().is_empty());
    drop(place);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_leader_that_is_stopped_hands_over_at_once() -> Result {
    let (place, leader, standby) = two("handed-over").await?;
    let old = holder(&place).await?;
    let stopped = leader.stop()?;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    assert!(stopped.log.contains("lease released"), "{}", stopped.log);
    works(&place, &standby).await?;
    let lease = place.api::<Lease>().get("operators").await?.spec.unwrap();
    assert_ne!(lease.holder_identity, Some(old));
    assert_eq!(lease.lease_transitions, Some(1));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_leader_that_vanished_is_replaced_when_its_lease_has_ended() -> Result {
    let (place, leader, standby) = two("vanished").await?;
    let lease = place.api::<Lease>().get("operators").await?.spec.unwrap();
    leader.kill()?;
    works(&place, &standby).await?;
    let next = place.api::<Lease>().get("operators").await?.spec.unwrap();
    let after = next.acquire_time.unwrap().0.duration_since(lease.renew_time.unwrap().0);
    assert!(after >= LEASE.try_into()?, "taken after {after}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_leader_whose_lease_is_taken_ends_and_says_why() -> Result {
    let (place, leader, standby) = two("taken").await?;
    drop(standby);
    place.patch::<Lease>("operators", json!({"spec": {"holderIdentity": "somebody-else"}})).await?;
    let ended = leader.ended(SOON).await?;
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    let words = format!("the lease {}/operators was taken by \"somebody-else\"", place.name());
    assert!(ended.log.contains(&words), "{}", ended.log);
    assert_eq!(holder(&place).await?, "somebody-else");
    Ok(())
}

/// The rights of a leader, and no more: those of deploy/manifests.
fn rights(namespace: &str) -> String {
    let meta = json!({"name": "leader", "namespace": namespace});
    let rules = json!([
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": ["operators"], "verbs": ["get", "update"]},
        {"apiGroups": ["external-secrets.io"], "resources": ["externalsecrets", "secretstores"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]},
    ]);
    [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": rules}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "leader"},
            "subjects": [{"kind": "ServiceAccount", "name": "leader", "namespace": namespace}]}),
    ]
    .map(|object| object.to_string())
    .join("\n---\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_leader_that_can_not_renew_ends_before_another_may_begin() -> Result {
    let place = Place::new("not-renewed").await?;
    let kube = place.stack.kube();
    kube.apply(&rights(place.name()), place.name()).await?;
    let kubeconfig = kube.service_account_kubeconfig(place.name(), "leader").await?;
    let leader = candidate(&place, Some(&kubeconfig)).await?;
    leads(&leader).await?;
    place.delete::<k8s_openapi::api::rbac::v1::RoleBinding>("leader").await?;
    let ended = leader.ended(SOON).await?;
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    for words in ["could not be renewed for 2", "is forbidden", "start it again to wait for the lease"] {
        assert!(ended.log.contains(words), "{words}: {}", ended.log);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_without_the_right_says_which_is_missing() -> Result {
    let place = Place::new("no-right").await?;
    let kube = place.stack.kube();
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody"}});
    kube.apply(&account.to_string(), place.name()).await?;
    let kubeconfig = kube.service_account_kubeconfig(place.name(), "nobody").await?;
    let args = ["--enable-leader-election=true", "--leader-election-namespace", place.name()];
    let operator = Operator::start_with(&args, Some(&kubeconfig)).await?;
    wait_until("a warning", SOON, async || {
        let complaints = operator.complaints().join("\n");
        let is_told = complaints.contains("can't look for the lease") && complaints.contains("cannot get resource");
        if is_told { Ok(()) } else { Err(complaints) }
    })
    .await?;
    let waits = (503, "waiting for: the lease of leader election\n".to_owned());
    assert_eq!(operator.get("/readyz").await?, waits);
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    Ok(())
}

#[test]
fn terms_by_which_two_could_lead_are_refused() {
    let args = ["run", "--enable-leader-election", "--leader-election-renew-deadline=15s"];
    let output = binary(&args).env("KUBECONFIG", "/dev/null").output().unwrap();
    assert!(!output.status.success());
}

/// A stop comes while a renewal is under way: whether that has arrived is not known, and the lease is given back all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lease_is_given_back_whose_renewal_was_cut_off() -> Result {
    let place = Place::new("cut-off").await?;
    let retry = Duration::from_millis(100);
    let terms = Terms::new(Duration::from_secs(15), Duration::from_secs(10), retry)?;
    let key = ObjectKey::new(place.name(), "operators");
    let claim = Claim { key, identity: "us".to_owned(), terms };
    let mut candidate = Candidate::new(place.client.clone(), claim);
    candidate.acquire(|| {}).await;
    assert_eq!(holder(&place).await?, "us");
    {
        let mut hold = pin!(candidate.hold());
        assert!(poll!(hold.as_mut()).is_pending());
        // The pause is over, so this look sends the renewal, and nobody waits for the answer.
        tokio::time::sleep(2 * retry).await;
        assert!(poll!(hold.as_mut()).is_pending());
    }
    candidate.release().await;
    assert_eq!(holder(&place).await?, "");
    Ok(())
}
