//! The Secret that a store logs in with: how it is read, followed and kept apart from targets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::stalled;
use common::place::{CREDENTIALS, SECRET_ID_KEY, STORE};
use common::{A_WHILE, HEALED, Operator, Place, Result};
use serde_json::{Value, json};
use testbed::holds_for;

async fn place(hint: &str) -> Result<(Place, Operator)> {
    let place = Place::new(hint).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let operator = Operator::start(place.name()).await?;
    Ok((place, operator))
}

/// `echo secret | base64` adds one, and nobody sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_trailing_newline_does_no_harm() -> Result {
    let (place, _operator) = place("newline").await?;
    let with_newline = format!("{}\r\n", place.role.secret_id);
    place.apply([place.credentials_of(&with_newline), place.store(STORE)]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_role_id_may_stand_in_a_secret_too() -> Result {
    let (place, _operator) = place("role-ref").await?;
    let credentials =
        common::place::secret(CREDENTIALS, &[("role", &place.role.role_id), (SECRET_ID_KEY, &place.role.secret_id)]);
    let mut store = place.store(STORE);
    let app_role = &mut store["spec"]["provider"]["vault"]["auth"]["appRole"];
    app_role.as_object_mut().unwrap().remove("roleId");
    app_role["roleRef"] = json!({"name": CREDENTIALS, "key": "role"});
    place.apply([credentials, store]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_changed_secret_id_is_followed() -> Result {
    let (place, _operator) = place("followed").await?;
    place.apply([place.credentials(), place.store(STORE)]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).every("1s")).await?;
    place.ready("db").await?;

    // As a rotation does it: a new one is there before the old one ends.
    let new = place.stack.vault().new_secret_id(&place.role.mount, &place.role.name).await?;
    place.apply([place.credentials_of(&new)]).await?;
    testbed::wait_until("a second login", HEALED, async || match place.proxy.logins() {
        2 => Ok(()),
        logins => Err(logins.to_string()),
    })
    .await?;
    place.stack.vault().destroy_secret_id(&place.role).await?;
    place.write("db", json!({"password": "rotated"})).await?;
    place.holds("db", &[("password", "rotated")]).await?;
    assert_eq!(place.proxy.logins(), 2, "{}", place.proxy.summary());
    // The token of the old one is of no more use to anybody.
    testbed::wait_until("the old token's end", HEALED, async || match revocations(&place) {
        1 => Ok(()),
        seen => Err(seen.to_string()),
    })
    .await?;
    Ok(())
}

fn revocations(place: &Place) -> usize {
    place.proxy.count(|seen| seen.path.ends_with("/token/revoke-self"))
}

/// A label on the credentials Secret, or a key that no store reads, is no new credential.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_edit_that_changes_no_credential_logs_nobody_in() -> Result {
    let (place, _operator) = place("same").await?;
    place.apply([place.credentials(), place.store(STORE)]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.ready("db").await?;
    let edit = json!({"metadata": {"labels": {"team": "blue"}}, "stringData": {"note": "hello"}});
    place.patch::<k8s_openapi::api::core::v1::Secret>(CREDENTIALS, edit).await?;
    holds_for("one login and one read", A_WHILE, async || match (place.proxy.logins(), place.reads("db")) {
        (1, 1) => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_target_is_never_a_credential() -> Result {
    let (place, _operator) = place("own-credential").await?;
    place.apply([place.credentials(), place.store(STORE)]).await?;
    let before = place.secret(CREDENTIALS).await?.unwrap();
    let external = place.external("db", &[(SECRET_ID_KEY, "db#password")]).target(CREDENTIALS);
    place.apply_external(external).await?;
    let object = place.failed("db", &[CREDENTIALS, "reads its credentials from", "spec.target.name"]).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"));
    let after = place.secret(CREDENTIALS).await?.unwrap();
    assert_eq!(before.metadata.resource_version, after.metadata.resource_version);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_store_reads_in_its_own_namespace_only() -> Result {
    let (place, operator) = place("foreign").await?;
    let (other, other_operator) = self::place("elsewhere").await?;
    drop(other_operator);
    other.apply([place.credentials()]).await?;
    let mut store = place.store(STORE);
    store["spec"]["provider"]["vault"]["auth"]["appRole"]["secretRef"]["namespace"] = json!(other.name());
    place.apply([store.clone(), place.external("db", &[("password", "db#password")]).into()]).await?;
    let words = ["appRole.secretRef", other.name(), "own namespace", "ClusterSecretStore"];
    let object = place.failed("db", &words).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"));
    place.store_is(STORE, "False", &words).await?;
    place.event(STORE, "Warning", "InvalidProviderConfig", &[other.name()]).await?;
    assert_eq!(place.proxy.requests().len(), 0, "{}", place.proxy.summary());

    // Its own, said in so many words, is fine.
    store["spec"]["provider"]["vault"]["auth"]["appRole"]["secretRef"]["namespace"] = json!(place.name());
    place.apply([place.credentials(), store]).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    drop(operator);
    Ok(())
}

/// Used up is not gone: the token lives on, and no login is wasted.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_id_that_logs_in_once_is_enough() -> Result {
    let place = Place::with_role("one-use", json!({"secret_id_num_uses": 1})).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let _operator = Operator::start(place.name()).await?;
    let mut objects: Vec<Value> = vec![place.credentials(), place.store(STORE)];
    objects
        .extend((0..4).map(|n| place.external(&format!("db-{n}"), &[("password", "db#password")]).every("1s").into()));
    place.apply(objects).await?;
    for n in 0..4 {
        place.ready(&format!("db-{n}")).await?;
    }
    place.write("db", json!({"password": "rotated"})).await?;
    place.holds("db-0", &[("password", "rotated")]).await?;
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());
    Ok(())
}
