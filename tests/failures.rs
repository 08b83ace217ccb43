//! Each way in which it fails for people: the condition and an event say the cause, no Secret is harmed, and it heals by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, condition, message, stalled};
use common::place::{CREDENTIALS, STORE};
use common::{A_WHILE, HEALED, Operator, Place, Result, SOON};
use external_secrets_rs::api::ExternalSecret;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testbed::{holds_for, wait_until};

/// What is mended in Vault is seen at the next try: after 2 s, then 4 s, then 8 s. These tests mend within the first two.
const LADDER: Duration = Duration::from_secs(14);

/// A place with `db` in Vault, and `objects` of its own.
async fn place(hint: &str) -> Result<(Place, Operator)> {
    let place = Place::new(hint).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let operator = Operator::start(place.name()).await?;
    Ok((place, operator))
}

fn external(place: &Place) -> External {
    place.external("db", &[("password", "db#password")])
}

/// Not Ready with these words, a Warning that says the same, and no Secret.
async fn fails(place: &Place, words: &[&str]) -> Result<ExternalSecret> {
    let object = place.failed("db", words).await?;
    place.event("db", "Warning", "UpdateFailed", words).await?;
    let status = serde_json::to_value(&object.status)?;
    assert_eq!(condition(&status, "Ready")["reason"], "SecretSyncedError");
    assert_eq!(status["refreshTime"], Value::Null, "never refreshed");
    assert!(place.secret("db").await?.is_none(), "no Secret may come of it");
    Ok(object)
}

async fn heals(place: &Place, within: Duration) -> Result {
    place.holds_within("db", &[("password", "s3cret")], within).await?;
    let object = place.ready("db").await?;
    assert_eq!(stalled(&object), None, "{:?}", object.status);
    place.event("db", "Normal", "Created", &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_role_id() -> Result {
    let (place, _operator) = place("role-id").await?;
    let mut store = place.store(STORE);
    store["spec"]["provider"]["vault"]["auth"]["appRole"]["roleId"] = json!("00000000-0000-0000-0000-000000000000");
    place.apply([place.credentials(), store, external(&place).into()]).await?;
    let object = fails(&place, &["refused the login", "auth/approle", "400", "check roleId"]).await?;
    assert_eq!(stalled(&object), Some("CredentialsRefused"));
    place.store_is(STORE, "False", &["refused the login", "check roleId"]).await?;
    place.event(STORE, "Warning", "InvalidProviderConfig", &["check roleId"]).await?;

    place.apply([place.store(STORE)]).await?;
    heals(&place, HEALED).await?;
    place.store_is(STORE, "True", &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_secret_id() -> Result {
    let (place, _operator) = place("secret-id").await?;
    let wrong = place.credentials_of("00000000-0000-0000-0000-000000000000");
    place.apply([wrong, place.store(STORE), external(&place).every("1s").into()]).await?;
    let object = fails(&place, &["refused the login", "auth/approle", "400", "the secret id"]).await?;
    assert_eq!(stalled(&object), Some("CredentialsRefused"));
    place.store_is(STORE, "False", &["refused the login"]).await?;

    // Vault locks the role after five refusals, and a mended secret id with it.
    holds_for("few logins", 2 * A_WHILE, async || match place.proxy.logins() {
        0..=3 => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    place.apply([place.credentials()]).await?;
    heals(&place, HEALED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_credentials_secret() -> Result {
    let (place, _operator) = place("no-credentials").await?;
    place.apply([place.store(STORE), external(&place).into()]).await?;
    fails(&place, &[CREDENTIALS, "does not exist", "appRole.secretRef"]).await?;
    place.store_is(STORE, "False", &[CREDENTIALS, "does not exist"]).await?;
    place.apply([place.credentials()]).await?;
    heals(&place, HEALED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_such_key_in_the_credentials_secret() -> Result {
    let (place, _operator) = place("no-key").await?;
    place
        .apply([common::place::secret(CREDENTIALS, &[("secretId", "x")]), place.store(STORE), external(&place).into()])
        .await?;
    let object = fails(&place, &[CREDENTIALS, "has no key \"secretID\""]).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"));
    place.apply([place.credentials()]).await?;
    heals(&place, HEALED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_empty_secret_id() -> Result {
    let (place, _operator) = place("empty").await?;
    place.apply([place.credentials_of(" \n"), place.store(STORE), external(&place).into()]).await?;
    fails(&place, &["the secret id is empty"]).await?;
    place.apply([place.credentials()]).await?;
    heals(&place, HEALED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_store() -> Result {
    let (place, _operator) = place("no-store").await?;
    place.apply([place.credentials(), external(&place).into()]).await?;
    fails(&place, &["SecretStore", STORE, "does not exist"]).await?;
    place.apply([place.store(STORE)]).await?;
    heals(&place, HEALED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_policy() -> Result {
    let (place, _operator) = place("no-policy").await?;
    place.stack.vault().allow_reading(place.name(), &["kv/data/nothing"]).await?;
    place.apply([place.credentials(), place.store(STORE), external(&place).into()]).await?;
    let path = place.kv.read_path(&place.key("db"));
    let object = fails(&place, &["Vault denied reading", &path, "403", place.name(), "lack \"read\""]).await?;
    assert_eq!(stalled(&object), None, "it may be mended in Vault: {}", message(&object));
    place.store_is(STORE, "True", &[]).await?;

    let readable = format!("kv/data/{}/*", place.name());
    place.stack.vault().allow_reading(place.name(), &[&readable]).await?;
    heals(&place, LADDER).await?;
    assert_eq!(place.proxy.logins(), 1, "a policy is no reason to log in: {}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_path_with_nothing_there() -> Result {
    let (place, _operator) = place("no-path").await?;
    let external = place.external("db", &[("password", "elsewhere#password")]);
    place.apply([place.credentials(), place.store(STORE), external.into()]).await?;
    fails(&place, &["no secret at", &place.kv.read_path(&place.key("elsewhere")), "404"]).await?;
    place.write("elsewhere", json!({"password": "s3cret"})).await?;
    heals(&place, LADDER).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mount_that_is_not_there() -> Result {
    let (place, _operator) = place("no-mount").await?;
    let mount = place.key("nowhere");
    place.apply([place.credentials(), place.store_at(STORE, Some(&mount), "v2"), external(&place).into()]).await?;
    fails(&place, &[&mount]).await?;
    place.apply([place.store(STORE)]).await?;
    heals(&place, HEALED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_that_the_secret_lacks() -> Result {
    let (place, _operator) = place("no-property").await?;
    place.write("db", json!({"passwort": "s3cret", "other": "x"})).await?;
    let external = place.external("db", &[("other", "db#other"), ("password", "db#password")]);
    place.apply([place.credentials(), place.store(STORE), external.into()]).await?;
    let words = [
        "cannot find secret data for key: \"password\"",
        &place.kv.read_path(&place.key("db")),
        "spec.data[1] (password)",
    ];
    let object = fails(&place, &words).await?;
    assert!(!message(&object).contains("s3cret") && !message(&object).contains("passwort"), "{}", message(&object));
    place.write("db", json!({"password": "s3cret", "other": "x"})).await?;
    place.holds_within("db", &[("other", "x"), ("password", "s3cret")], LADDER).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_deleted_version() -> Result {
    let (place, _operator) = place("deleted-version").await?;
    place.kv.delete(&place.key("db")).await?;
    place.apply([place.credentials(), place.store(STORE), external(&place).into()]).await?;
    fails(&place, &["no secret at", "404", "deleted"]).await?;
    place.kv.undelete(&place.key("db"), &[1]).await?;
    heals(&place, LADDER).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_listens() -> Result {
    let (mut place, _operator) = place("no-network").await?;
    place.proxy.refuse().await;
    place.apply([place.credentials(), place.store(STORE), external(&place).into()]).await?;
    let server = place.proxy.url();
    fails(&place, &[&server, "can't be reached", "check `server`"]).await?;
    place.store_is(STORE, "False", &[&server, "can't be reached"]).await?;
    place.proxy.listen_again().await?;
    heals(&place, LADDER).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_host_without_a_name() -> Result {
    let (place, _operator) = place("no-host").await?;
    let mut store = place.store(STORE);
    store["spec"]["provider"]["vault"]["server"] = json!("http://vault.nowhere.invalid:8200");
    place.apply([place.credentials(), store, external(&place).into()]).await?;
    fails(&place, &["vault.nowhere.invalid", "does not resolve", "DNS"]).await?;
    place.apply([place.store(STORE)]).await?;
    heals(&place, HEALED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_certificate_that_nobody_vouches_for() -> Result {
    let (place, _operator) = place("tls").await?;
    let mut store = place.store(STORE);
    store["spec"]["provider"]["vault"]["server"] = json!(place.stack.vault_tls_addr());
    place.apply([place.credentials(), store.clone(), external(&place).into()]).await?;
    fails(&place, &["TLS", place.stack.vault_tls_addr(), "caBundle"]).await?;

    use base64::Engine;
    let bundle = base64::engine::general_purpose::STANDARD.encode(place.stack.pki().ca()?);
    store["spec"]["provider"]["vault"]["caBundle"] = json!(bundle);
    place.apply([store]).await?;
    heals(&place, HEALED).await
}

/// What goes wrong later leaves the Secret as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_outlives_what_fails_after_it() -> Result {
    let (place, _operator) = place("outlives").await?;
    place.apply([place.credentials(), place.store(STORE), external(&place).every("1s").into()]).await?;
    let before = place.holds("db", &[("password", "s3cret")]).await?;
    let untouched = async |words: &[&str]| -> Result {
        place.failed("db", words).await?;
        let now = place.secret("db").await?.ok_or("the Secret is gone")?;
        assert_eq!(before.metadata.resource_version, now.metadata.resource_version);
        Ok(())
    };
    place.kv.delete(&place.key("db")).await?;
    untouched(&["404", "deleted"]).await?;
    place.kv.undelete(&place.key("db"), &[1]).await?;
    place.ready("db").await?;

    place.stack.vault().allow_reading(place.name(), &["kv/data/nothing"]).await?;
    untouched(&["403", "lack \"read\""]).await?;
    place.stack.vault().allow_reading(place.name(), &[&format!("kv/data/{}/*", place.name())]).await?;
    place.ready("db").await?;

    place.delete::<Secret>(CREDENTIALS).await?;
    untouched(&[CREDENTIALS, "does not exist"]).await?;
    place.apply([place.credentials()]).await?;
    place.ready("db").await?;
    Ok(())
}

/// Each new error is told, even where its reason is the same; the same error again is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_new_error_is_an_event_and_no_old_one() -> Result {
    let (place, _operator) = place("events").await?;
    place.apply([place.credentials(), place.store(STORE)]).await?;
    for key in ["db#first", "db#second", "gone#first"] {
        place.apply_external(place.external("db", &[("password", key)]).every("1s")).await?;
        let (path, property) = key.split_once('#').unwrap();
        let words = if path == "gone" { ["404", path] } else { ["cannot find", property] };
        place.failed("db", &words).await?;
        place.event("db", "Warning", "UpdateFailed", &words).await?;
    }
    // Tried again and again, and told once.
    let tries = place.reads("gone") + 2;
    wait_until("two more tries", SOON, async || match place.reads("gone") {
        seen if seen >= tries => Ok(()),
        seen => Err(seen.to_string()),
    })
    .await?;
    let warnings = place.events("db").await?.into_iter().filter(|(type_, ..)| type_ == "Warning").count();
    assert_eq!(warnings, 3, "{:?}", place.events("db").await?);
    Ok(())
}

/// A retry that fails as before writes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_failure_at_rest_writes_nothing() -> Result {
    let (place, _operator) = place("rest").await?;
    place.apply([place.credentials(), place.store(STORE)]).await?;
    place.apply_external(place.external("db", &[("password", "gone#password")]).every("1s")).await?;
    let before = place.failed("db", &["404"]).await?;
    let start = Instant::now();
    let tries = place.reads("gone") + 2;
    wait_until("two more tries", SOON, async || if place.reads("gone") >= tries { Ok(()) } else { Err("not yet") })
        .await?;
    assert!(start.elapsed() > Duration::from_secs(2), "tried again too soon: {:?}", start.elapsed());
    let after = place.api::<ExternalSecret>().get("db").await?;
    assert_eq!(before.metadata.resource_version, after.metadata.resource_version, "{:?}", after.status);
    Ok(())
}

/// `kubectl describe` must not end on a failure that is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn that_it_is_over_is_told_though_nothing_is_written() -> Result {
    let (place, _operator) = Place::with_operator("over").await?;
    place.write("db", json!({"v": "one"})).await?;
    place.apply_external(place.external("db", &[("v", "db#v")]).every("1s")).await?;
    let before = place.holds("db", &[("v", "one")]).await?;
    place.ready("db").await?;
    let read_at = place.read_at("db");
    let rule = place.proxy.rule(move |seen| seen.path == read_at, testbed::proxy::Action::refuse(500, "down"));
    place.failed("db", &["500"]).await?;
    place.event("db", "Warning", "UpdateFailed", &["500"]).await?;
    place.proxy.remove(rule);
    place.ready("db").await?;
    place.event("db", "Normal", "SecretSynced", &["\"db\"", "again"]).await?;
    holds_for("one event of each", A_WHILE, async || {
        let events = place.events("db").await.map_err(|error| error.to_string())?;
        let reasons: Vec<&str> = events.iter().map(|(_, reason, _)| reason.as_str()).collect();
        if reasons == ["Created", "UpdateFailed", "SecretSynced"] { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await?;
    assert_eq!(place.secret("db").await?.unwrap().metadata.resource_version, before.metadata.resource_version);
    Ok(())
}
