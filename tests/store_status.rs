//! What a store says of itself, when it looks, and who hears of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{condition, stalled};
use common::place::{CREDENTIALS, STORE, store_of};
use common::{A_WHILE, HEALED, Operator, Place, Result, SOON};
use external_secrets_rs::api::SecretStore;
use serde_json::{Value, json};
use std::time::Duration;
use testbed::{KvVersion, Method, holds_for, wait_until};

/// `spec.refreshInterval` of a store.
fn checked_every(mut store: Value, interval: Value) -> Value {
    store["spec"]["refreshInterval"] = interval;
    store
}

/// How often the store was looked at: what a check of a session that lives asks once its token was accepted long ago is
/// its mount or nothing, so checks are counted by the look-up of the secret id, which is never remembered.
fn checks(place: &Place) -> usize {
    place.proxy.count(|seen| seen.path.ends_with("/secret-id/lookup"))
}

/// Lets the role of a place look its secret ids up.
async fn may_look_up(place: &Place) -> Result {
    let name = place.name();
    let policy = format!(
        "path \"kv/data/{name}/*\" {{ capabilities = [\"read\"] }}\n\
         path \"auth/{}/role/{name}/secret-id/lookup\" {{ capabilities = [\"update\"] }}\n",
        place.role.mount
    );
    place.stack.vault().write_policy(name, &policy).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_that_works_is_valid() -> Result {
    let (place, _operator) = Place::with_operator("store-valid").await?;
    let store = place.store_is(STORE, "True", &["store validated"]).await?;
    let status = serde_json::to_value(&store.status)?;
    let ready = condition(&status, "Ready");
    assert_eq!((&ready["reason"], &status["capabilities"]), (&json!("Valid"), &json!("ReadWrite")));
    assert_eq!(status["conditions"].as_array().map(Vec::len), Some(1), "{status}");
    place.event(STORE, "Normal", "Valid", &["store validated"]).await?;
    let (_, metrics) = _operator.get("/metrics").await?;
    let series = |status: &str, value: u8| {
        let name = place.name();
        format!(
            "secretstore_status_condition{{condition=\"Ready\",name=\"{STORE}\",namespace=\"{name}\",status=\"{status}\"}} {value}"
        )
    };
    assert!(metrics.contains(&series("True", 1)) && metrics.contains(&series("False", 0)), "{metrics}");

    // Its series go with it.
    place.delete::<SecretStore>(STORE).await?;
    wait_until("no series of the store", SOON, async || {
        let (_, metrics) = _operator.get("/metrics").await.map_err(|error| error.to_string())?;
        if metrics.contains("secretstore_status_condition{") { Err(metrics) } else { Ok(()) }
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_broken_store_says_why_and_its_dependents_too() -> Result {
    let place = Place::new("store-broken").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = place.external("db", &[("password", "db#password")]);
    place.apply([place.store(STORE), external.into()]).await?;
    let operator = Operator::start(place.name()).await?;
    let cause = ["provider.vault.auth.appRole.secretRef", CREDENTIALS, "does not exist; create it"];
    let store = place.store_is(STORE, "False", &cause).await?;
    let status = serde_json::to_value(&store.status)?;
    assert_eq!(condition(&status, "Ready")["reason"], "InvalidProviderConfig");
    place.event(STORE, "Warning", "InvalidProviderConfig", &cause).await?;
    let waiting = format!("SecretStore \"{STORE}\" is not ready: ");
    place.failed("db", &[&[waiting.as_str()], &cause[..]].concat()).await?;

    // A cause that changes is told anew, and the dependents wake with the store.
    place.apply([place.credentials_of("00000000-0000-0000-0000-000000000000")]).await?;
    let refused = ["refused the login", "auth/approle"];
    place.store_status_within(STORE, "False", &refused, HEALED).await?;
    place.apply([place.credentials()]).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    place.store_status_within(STORE, "True", &[], HEALED).await?;
    place.event(STORE, "Normal", "Valid", &[]).await?;
    let reasons: Vec<_> = place.events(STORE).await?.into_iter().map(|(_, reason, _)| reason).collect();
    assert_eq!(reasons, ["InvalidProviderConfig", "InvalidProviderConfig", "Valid"]);
    drop(operator);
    Ok(())
}

/// Each thing that can be wrong with `path` and `version`, with the words that mend it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_mount_that_is_not_what_the_store_says_is_named_with_the_fix() -> Result {
    let place = Place::new("store-mount").await?;
    let v1 = place.namespace.kv("one", KvVersion::V1).await?;
    let (one, two) = (v1.mount().to_owned(), place.namespace.kv("two", KvVersion::V2).await?.mount().to_owned());
    let transit = format!("{}/transit", place.name());
    place.vault_write(&format!("sys/mounts/{transit}"), json!({"type": "transit"})).await?;
    let nowhere = format!("{}/nowhere", place.name());
    let operator = Operator::start(place.name()).await?;
    let cases = [
        ("v1-as-v2", &one, "v2", vec![one.as_str(), "is KV v1", "set `version: v1`"]),
        ("v2-as-v1", &two, "v1", vec![two.as_str(), "is KV v2", "set `version: v2`"]),
        (
            "no-kv",
            &transit,
            "v2",
            vec![transit.as_str(), "\"transit\" engine, not KV", "point the store's `path` to a KV mount"],
        ),
    ];
    let mut objects = vec![place.credentials()];
    objects.extend(cases.iter().map(|(name, path, version, _)| place.store_at(name, Some(path), version)));
    objects.push(place.store_at("nowhere", Some(&nowhere), "v2"));
    place.apply(objects).await?;
    for (name, _, _, words) in &cases {
        let store = place.store_is(name, "False", words).await?;
        let status = serde_json::to_value(&store.status)?;
        assert_eq!(condition(&status, "Stalled")["status"], "True", "{status}");
        place.event(name, "Warning", "InvalidProviderConfig", words).await?;
    }
    // OpenBao tells of no mount that is not there, so the first 404 has to.
    let external = place.external("db", &[("password", "db#password")]).from_store("nowhere");
    place.apply_external(external).await?;
    place.failed("db", &["nowhere", "(404)"]).await?;

    place.apply([place.store_at("v1-as-v2", Some(&one), "v1"), place.store_at("v2-as-v1", Some(&two), "v2")]).await?;
    for name in ["v1-as-v2", "v2-as-v1"] {
        place.store_status_within(name, "True", &[], HEALED).await?;
    }
    drop(operator);
    Ok(())
}

/// Where the token may not ask what a mount is, the first 404 says it as far as it can be known.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hidden_mount_is_no_reason_to_call_a_store_broken() -> Result {
    let place = Place::new("store-hidden").await?;
    place.stack.vault().allow_reading(place.name(), &["kv/data/nothing"]).await?;
    let elsewhere = place.namespace.kv("elsewhere", KvVersion::V1).await?;
    place.apply([place.credentials(), place.store_at(STORE, Some(elsewhere.mount()), "v2")]).await?;
    let _operator = Operator::start(place.name()).await?;
    place.store_is(STORE, "True", &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_for_something_else_is_told_and_kept() -> Result {
    let place = Place::new("store-foreign").await?;
    let provider = json!({"aws": {"service": "SecretsManager", "region": "eu-west-1"}});
    let external = place.external("db", &[("password", "db#password")]);
    place.apply([store_of(STORE, provider.clone()), external.into()]).await?;
    let _operator = Operator::start(place.name()).await?;
    let words = ["\"aws\"", "Vault and OpenBao only", "provider.vault"];
    place.store_is(STORE, "False", &words).await?;
    let object = place.failed("db", &words).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"));
    assert_eq!(place.store_now(STORE).await?["spec"]["provider"], provider, "nothing is pruned");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_is_checked_at_its_interval_or_the_operators() -> Result {
    let place = Place::new("store-interval").await?;
    may_look_up(&place).await?;
    place.apply([place.credentials(), checked_every(place.store(STORE), json!("1s"))]).await?;
    let operator = Operator::start(place.name()).await?;
    place.store_is(STORE, "True", &[]).await?;
    let (before, start) = (checks(&place), std::time::Instant::now());
    wait_until("three more checks", SOON, async || match checks(&place) {
        seen if seen >= before + 3 => Ok(()),
        seen => Err(seen.to_string()),
    })
    .await?;
    assert!(start.elapsed() > Duration::from_millis(1900), "{:?}", start.elapsed());
    assert_eq!(place.proxy.logins(), 1, "no check logs in while a session lives: {}", place.proxy.summary());

    // A number is seconds.
    place.apply([checked_every(place.store(STORE), json!(3600))]).await?;
    place.store_is(STORE, "True", &[]).await?;
    let before = checks(&place);
    holds_for("no check", 2 * A_WHILE, async || match checks(&place) {
        seen if seen == before => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    drop(operator);

    let mut store = place.store(STORE);
    store["spec"].as_object_mut().unwrap().remove("refreshInterval");
    place.apply([store]).await?;
    let operator =
        Operator::start_with(&["--namespace", place.name(), "--store-requeue-interval", "500ms"], None).await?;
    operator.ready().await?;
    let before = checks(&place);
    wait_until("three more checks", SOON, async || match checks(&place) {
        seen if seen >= before + 3 => Ok(()),
        seen => Err(seen.to_string()),
    })
    .await?;
    Ok(())
}

/// The operator's rights lack the store's status: what it would say is told once, and nobody waits or hurries because of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_status_that_can_not_be_written_hastens_nobody() -> Result {
    let place = Place::new("store-unwritten").await?;
    let rules = json!([
        {"apiGroups": ["external-secrets.io"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["external-secrets.io"], "resources": ["externalsecrets/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]},
        {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
    ]);
    let meta = json!({"name": "operator"});
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": rules});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": place.name()}],
    });
    let external = place.external("db", &[("password", "no-such-path#password")]);
    let objects = [place.account("operator"), role, binding, place.credentials(), place.store(STORE), external.into()];
    place.apply(objects).await?;
    let kubeconfig = place.stack.kube().service_account_kubeconfig(place.name(), "operator").await?;
    let operator = Operator::start_with(&["--namespace", place.name()], Some(&kubeconfig)).await?;
    operator.ready().await?;
    place.failed("db", &["no secret at"]).await?;
    let refusals = || operator.log().matches("could not write a status").count();
    // After 2, 4 and 8 seconds each: at most three more in ten.
    holds_for("few tries", Duration::from_secs(10), async || match (place.reads("no-such-path"), refusals()) {
        (1..=5, 0..=4) => Ok(()),
        seen => Err(format!("{seen:?} reads of the object and writes of the store's status")),
    })
    .await?;
    assert!(refusals() >= 2, "it is tried again");
    assert_eq!(place.events(STORE).await?.len(), 1, "{:?}", place.events(STORE).await?);
    Ok(())
}

/// A token that nobody has used for a while is asked about, and one that died is replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_check_notices_that_the_role_is_gone() -> Result {
    let place = Place::with_role("store-role-gone", json!({"token_ttl": "2s", "token_max_ttl": "2s"})).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = place.external("db", &[("password", "db#password")]);
    place.apply([place.credentials(), checked_every(place.store(STORE), json!("1s")), external.into()]).await?;
    let _operator = Operator::start(place.name()).await?;
    place.ready("db").await?;
    place.store_is(STORE, "True", &[]).await?;
    let role = format!("auth/{}/role/{}", place.role.mount, place.role.name);
    place.stack.vault().request(Method::DELETE, &role, None).await?;
    let store = place.store_status_within(STORE, "False", &["refused the login", "check roleId"], SOON).await?;
    assert_eq!(condition(&store, "Stalled")["reason"], "CredentialsRefused");
    place.holds("db", &[("password", "s3cret")]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_end_of_a_secret_id_is_announced() -> Result {
    let place = Place::with_role("store-expiring", json!({"secret_id_ttl": "1h", "secret_id_num_uses": 100})).await?;
    may_look_up(&place).await?;
    place.apply([place.credentials(), checked_every(place.store(STORE), json!("1s"))]).await?;
    let operator = Operator::start(place.name()).await?;
    let status = expiring(&place, &["secret id ends at 20", "issue a new one", "credentials Secret"]).await?;
    assert_eq!(condition(&status, "CredentialsExpiring")["reason"], "SecretIdExpiring");
    assert_eq!(condition(&status, "Ready")["status"], "True", "it works until then");
    let (_, metrics) = operator.get("/metrics").await?;
    let labels = format!("{{kind=\"SecretStore\",name=\"{STORE}\",namespace=\"{}\"}} ", place.name());
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name}{labels}")));
        line.and_then(|line| line.rsplit(' ').next()).and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    let ends = value("external_secrets_store_secret_id_expiry_timestamp_seconds");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
    assert!((now + 3000.0..now + 3700.0).contains(&ends), "{ends} {now}");
    assert_eq!(value("external_secrets_store_secret_id_uses_left"), 99.0, "{metrics}");

    // The text names the end and not the time left: it is written once.
    let version = place.store_now(STORE).await?["metadata"]["resourceVersion"].clone();
    holds_for("one status", A_WHILE, async || {
        let now =
            place.store_now(STORE).await.map_err(|error| error.to_string())?["metadata"]["resourceVersion"].clone();
        if now == version { Ok(()) } else { Err(now.to_string()) }
    })
    .await?;

    // A new one without an end: nothing is left to say.
    let role = format!("auth/{}/role/{}", place.role.mount, place.role.name);
    place.vault_write(&role, json!({"secret_id_ttl": 0, "secret_id_num_uses": 0})).await?;
    let new = place.stack.vault().new_secret_id(&place.role.mount, &place.role.name).await?;
    place.apply([place.credentials_of(&new)]).await?;
    wait_until("no CredentialsExpiring", HEALED, async || {
        let store = place.store_now(STORE).await.map_err(|error| error.to_string())?;
        match condition(&store["status"], "CredentialsExpiring") {
            Value::Null => Ok(()),
            told => Err(told.to_string()),
        }
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_last_uses_of_a_secret_id_are_announced_and_its_end() -> Result {
    let place = Place::with_role("store-uses", json!({"secret_id_num_uses": 2})).await?;
    may_look_up(&place).await?;
    place.apply([place.credentials(), checked_every(place.store(STORE), json!("1s"))]).await?;
    let operator = Operator::start(place.name()).await?;
    expiring(&place, &["good for 1 more login", "issue a new one"]).await?;
    drop(operator);
    place.revoked(1).await?;

    // The last login uses it up: it works on, and says that it will not for ever.
    let operator = Operator::start(place.name()).await?;
    let status = expiring(&place, &["used up", "as long as its token lives", "issue a new one"]).await?;
    assert_eq!(condition(&status, "Ready")["status"], "True");
    drop(operator);
    Ok(())
}

/// Where the role may not look itself up, it is asked once and not at each check.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_role_that_may_not_look_itself_up_is_not_asked_again() -> Result {
    let place = Place::with_role("store-no-lookup", json!({"secret_id_ttl": "1h"})).await?;
    place.apply([place.credentials(), checked_every(place.store(STORE), json!("1s"))]).await?;
    let _operator = Operator::start(place.name()).await?;
    let store = place.store_is(STORE, "True", &[]).await?;
    let status = serde_json::to_value(&store.status)?;
    assert_eq!(condition(&status, "CredentialsExpiring"), Value::Null);
    holds_for("one question", 2 * A_WHILE, async || match checks(&place) {
        1 => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    Ok(())
}

/// Waits until the store says that its credentials end, in these words.
async fn expiring(place: &Place, words: &[&str]) -> Result<Value> {
    let what = format!("CredentialsExpiring {words:?}");
    let found = wait_until(&what, SOON, async || {
        let store = place.store_now(STORE).await.map_err(|error| error.to_string())?;
        let told = condition(&store["status"], "CredentialsExpiring");
        let message = told["message"].as_str().unwrap_or_default();
        if told["status"] == "True" && words.iter().all(|word| message.contains(word)) {
            Ok(store["status"].clone())
        } else {
            Err(store["status"].to_string())
        }
    });
    Ok(found.await?)
}
