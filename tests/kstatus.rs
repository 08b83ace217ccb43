//! What kstatus makes of stores and ExternalSecrets, by which Flux's `wait: true` goes on, waits or gives up.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::kstatus::{Kstatus, kstatus};
use common::place::{CREDENTIALS, SECRET_ID_KEY, STORE};
use common::{A_WHILE, HEALED, Operator, Place, Result, SOON};
use serde_json::{Value, json};
use testbed::{Method, holds_for, wait_until};

const NO_SUCH_ID: &str = "00000000-0000-0000-0000-000000000000";

#[test]
fn the_rules() {
    let condition = |type_: &str, status: &str| json!({"type": type_, "status": status});
    let (ready, waiting) = (condition("Ready", "True"), condition("Ready", "False"));
    let stalled = condition("Stalled", "True");
    let cases = [
        ("no status", json!({}), Kstatus::Current),
        ("the CRD's default", json!({"observedGeneration": -1}), Kstatus::InProgress),
        ("ready", json!({"observedGeneration": 2, "conditions": [ready]}), Kstatus::Current),
        ("ready, of the spec before", json!({"observedGeneration": 1, "conditions": [ready]}), Kstatus::InProgress),
        ("stalled, of the spec before", json!({"observedGeneration": 1, "conditions": [stalled]}), Kstatus::InProgress),
        ("no observedGeneration, ready", json!({"conditions": [ready]}), Kstatus::Current),
        ("not ready", json!({"conditions": [waiting]}), Kstatus::InProgress),
        ("unknown", json!({"conditions": [condition("Ready", "Unknown")]}), Kstatus::InProgress),
        ("stalled", json!({"conditions": [waiting, stalled]}), Kstatus::Failed),
        ("stalled goes before ready", json!({"conditions": [ready, stalled]}), Kstatus::Failed),
        ("no more stalled", json!({"conditions": [ready, condition("Stalled", "False")]}), Kstatus::Current),
        ("reconciling", json!({"conditions": [ready, condition("Reconciling", "True")]}), Kstatus::InProgress),
        ("another condition", json!({"conditions": [condition("Deleted", "False")]}), Kstatus::Current),
    ];
    for (name, status, wanted) in cases {
        let object = json!({"metadata": {"generation": 2}, "status": status});
        assert_eq!(kstatus(&object), wanted, "{name}");
    }
    let leaving = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"conditions": [ready]}});
    assert_eq!(kstatus(&leaving), Kstatus::Terminating);
}

impl Place {
    /// A store whose secret id stands in the Secret of this name.
    fn store_of_credentials(&self, name: &str, secret: &str) -> Value {
        let mut store = self.store(name);
        store["spec"]["provider"]["vault"]["auth"]["appRole"]["secretRef"]["name"] = json!(secret);
        store
    }
}

/// An object as the API server gives it, status and all.
async fn object(place: &Place, name: &str) -> std::result::Result<Value, String> {
    let plural = if name.starts_with(STORE) { "secretstores" } else { "externalsecrets" };
    let path = format!("/apis/external-secrets.io/v1/namespaces/{}/{plural}/{name}", place.name());
    place.stack.kube().request(Method::GET, &path, None).await.map_err(|error| error.to_string())
}

/// Waits until kstatus says this of each.
async fn turn(place: &Place, names: &[&str], wanted: Kstatus) -> Result {
    for name in names {
        wait_until(&format!("{name} to be {wanted:?}"), SOON, async || {
            let object = object(place, name).await?;
            if kstatus(&object) == wanted { Ok(()) } else { Err(object["status"].to_string()) }
        })
        .await?;
    }
    Ok(())
}

/// Checks for a while that kstatus says nothing but this of each.
async fn stay(place: &Place, names: &[&str], wanted: Kstatus) -> Result {
    holds_for(&format!("{names:?} stay {wanted:?}"), A_WHILE, async || {
        for name in names {
            let object = object(place, name).await?;
            if kstatus(&object) != wanted {
                return Err(format!("{name}: {}", object["status"]));
            }
        }
        Ok(())
    })
    .await?;
    Ok(())
}

/// From the first moment on, also before an operator saw it: whoever waits for it finds its Secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn current_means_that_the_secret_is_there() -> Result {
    let place = Place::new("kstatus-current").await?;
    let names: Vec<String> = (0..20).map(|n| format!("db-{n}")).collect();
    let external = |name: &String| -> Value { place.external(name, &[("password", "db#password")]).every("1s").into() };
    place.apply([place.credentials(), place.store(STORE)].into_iter().chain(names.iter().map(external))).await?;
    stay(&place, &[STORE, "db-0", "db-19"], Kstatus::InProgress).await?;

    let _operator = Operator::start(place.name()).await?;
    turn(&place, &[STORE], Kstatus::Current).await?;
    place.failed("db-0", &["db"]).await?;
    stay(&place, &["db-0", "db-19"], Kstatus::InProgress).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    wait_until("all to be Current", SOON, async || {
        let mut waiting = 0;
        for name in &names {
            let told = kstatus(&object(&place, name).await?);
            let secret = place.secret(name).await.map_err(|error| error.to_string())?;
            match told {
                Kstatus::Current => assert!(secret.is_some(), "{name} is Current without its Secret"),
                told => assert_eq!(told, Kstatus::InProgress, "{name}"),
            }
            waiting += usize::from(told != Kstatus::Current);
        }
        if waiting == 0 { Ok(()) } else { Err(format!("{waiting} wait")) }
    })
    .await?;
    Ok(())
}

/// It comes back by itself, so nobody should give up.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_vault_that_is_away_is_in_progress() -> Result {
    let (mut place, _operator) = Place::with_operator("kstatus-away").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = |name: &str| place.external(name, &[("password", "db#password")]).every("1s");
    place.apply_external(external("old")).await?;
    turn(&place, &[STORE, "old"], Kstatus::Current).await?;

    // With a secret id of its own: else it has the first one's session, which has logged in already.
    let second_id = place.stack.vault().new_secret_id(&place.role.mount, &place.role.name).await?;
    let second = place.store_of_credentials("vault-second", "second");
    let new = external("new");
    place.proxy.refuse().await;
    let credentials = common::place::secret("second", &[(SECRET_ID_KEY, &second_id)]);
    place.apply([credentials, second, new.into()]).await?;
    turn(&place, &["old", "new", "vault-second"], Kstatus::InProgress).await?;
    stay(&place, &["old", "new", "vault-second"], Kstatus::InProgress).await?;
    // While nothing answers nobody can know that these credentials will be refused.
    let wrong = common::place::secret("third", &[(SECRET_ID_KEY, NO_SUCH_ID)]);
    place.apply([wrong, place.store_of_credentials("vault-third", "third")]).await?;
    stay(&place, &["vault-third"], Kstatus::InProgress).await?;

    place.proxy.listen_again().await?;
    turn(&place, &["old", "new", "vault-second", STORE], Kstatus::Current).await?;
    turn(&place, &["vault-third"], Kstatus::Failed).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refused_credentials_are_failed_until_they_are_mended() -> Result {
    let (place, _operator) = Place::with_operator("kstatus-refused").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = place.external("db", &[("password", "db#password")]);
    // What is not there yet may come.
    let store = place.store_of_credentials("vault-early", "not-yet");
    place.apply([place.credentials_of(NO_SUCH_ID), external.into(), store]).await?;
    turn(&place, &[STORE, "db"], Kstatus::Failed).await?;
    turn(&place, &["vault-early"], Kstatus::InProgress).await?;
    stay(&place, &["vault-early"], Kstatus::InProgress).await?;
    assert!(place.secret("db").await?.is_none());

    let early = common::place::secret("not-yet", &[(SECRET_ID_KEY, &place.role.secret_id)]);
    place.apply([place.credentials(), early]).await?;
    turn(&place, &[STORE, "db", "vault-early"], Kstatus::Current).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bad_spec_is_failed_until_it_is_edited() -> Result {
    let (place, _operator) = Place::with_operator("kstatus-spec").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = || place.external("db", &[("password", "db#password")]);
    let mut store = place.store("vault-foreign");
    store["spec"]["provider"]["vault"]["auth"]["appRole"]["secretRef"]["namespace"] = json!("kube-system");
    place.apply([external().target(CREDENTIALS).into(), store]).await?;
    turn(&place, &["db", "vault-foreign"], Kstatus::Failed).await?;

    place.apply([external().into(), place.store("vault-foreign")]).await?;
    turn(&place, &["db", "vault-foreign"], Kstatus::Current).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    Ok(())
}
