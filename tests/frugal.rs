//! What it costs Vault and the API server: reads, logins, tokens and writes, as the counting proxy sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::External;
use common::place::{CREDENTIALS, STORE, secret};
use common::{A_WHILE, HEALED, Operator, Place, Result, SOON};
use external_secrets_rs::api::{ExternalSecret, SecretStore};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testbed::proxy::Action;
use testbed::{holds_for, wait_until};

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("db-{n}")).collect()
}

/// Like [`Place::external`] with `keys` keys of one secret.
fn many_keys(place: &Place, name: &str, keys: usize) -> External {
    let fields: Vec<(String, String)> = (0..keys).map(|n| (format!("key-{n}"), "db#password".to_owned())).collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(key, remote)| (key.as_str(), remote.as_str())).collect();
    place.external(name, &fields)
}

async fn force(place: &Place, name: &str, mark: &str) -> Result {
    let patch = json!({"metadata": {"annotations": {"force-sync": mark}}});
    place.patch::<ExternalSecret>(name, patch).await?;
    Ok(())
}

/// A sum of the operator's own counters whose lines hold all these parts.
async fn metric(operator: &Operator, parts: &[&str]) -> Result<f64> {
    let (_, text) = operator.get("/metrics").await?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && parts.iter().all(|part| line.contains(part)));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hundred_references_to_one_path_are_at_most_a_read_for_each_object() -> Result {
    let place = Place::new("frugal-reads").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let mut objects = vec![place.credentials(), place.store(STORE)];
    objects.extend(names(20).iter().map(|name| many_keys(&place, name, 5).into()));
    place.apply(objects).await?;
    let operator = Operator::start(place.name()).await?;
    for name in names(20) {
        place.ready(&name).await?;
        assert_eq!(common::data_of(&place.secret(&name).await?.unwrap()).len(), 5);
    }
    let (reads, logins) = (place.reads("db"), place.proxy.logins());
    println!("100 references in 20 objects: {reads} reads, {logins} logins");
    assert!(reads <= 20 && logins == 1, "{}", place.proxy.summary());

    // At rest nothing is asked and nothing is written.
    place.proxy.reset();
    let writes = metric(&operator, &["external_secrets_kubernetes_writes_total"]).await?;
    holds_for("silence", A_WHILE, async || match place.proxy.requests().len() {
        0 => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    assert_eq!(metric(&operator, &["external_secrets_kubernetes_writes_total"]).await?, writes);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_thousand_refreshes_log_in_once_and_write_nothing() -> Result {
    let place = Place::new("frugal-refreshes").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let mut objects = vec![place.credentials(), place.store(STORE)];
    let every = |name: &String| place.external(name, &[("password", "db#password")]).every("1s").into();
    objects.extend(names(50).iter().map(every));
    place.apply(objects).await?;
    let operator = Operator::start(place.name()).await?;
    for name in names(50) {
        place.ready(&name).await?;
    }
    let begun = Instant::now();
    wait_until("1,000 syncs", Duration::from_secs(60), async || {
        let syncs =
            metric(&operator, &["externalsecret_sync_calls_total{"]).await.map_err(|error| error.to_string())?;
        if syncs >= 1000.0 { Ok(()) } else { Err(syncs.to_string()) }
    })
    .await?;
    println!("1,000 refreshes: {} reads in {:?}", place.reads("db"), begun.elapsed());
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());
    let secrets = metric(&operator, &["external_secrets_kubernetes_writes_total", "kind=\"Secret\""]).await?;
    let statuses = metric(&operator, &["external_secrets_kubernetes_writes_total", "kind=\"ExternalSecret\""]).await?;
    assert_eq!(secrets, 50.0, "one for each object, at its creation");
    assert!(statuses <= 100.0 + 50.0 * begun.elapsed().as_secs_f64() / 60.0, "{statuses} status writes");
    assert_eq!(place.events("db-0").await?.len(), 1, "{:?}", place.events("db-0").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn refused_credentials_cost_two_logins_and_heal_together() -> Result {
    let place = Place::new("frugal-refused").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let mut objects = vec![place.credentials_of("00000000-0000-0000-0000-000000000000"), place.store(STORE)];
    let every = |name: &String| place.external(name, &[("password", "db#password")]).every("1s").into();
    objects.extend(names(20).iter().map(every));
    place.apply(objects).await?;
    let operator = Operator::start(place.name()).await?;
    for name in names(20) {
        place.failed(&name, &["SecretStore \"vault\" is not ready", "refused the login"]).await?;
    }
    holds_for("two logins at most", Duration::from_secs(20), async || match place.proxy.logins() {
        0..=2 => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    let writes = metric(&operator, &["external_secrets_kubernetes_writes_total", "kind=\"ExternalSecret\""]).await?;
    assert!(writes <= 20.0, "the condition never changed: {writes} status writes");

    let mended = Instant::now();
    place.apply([place.credentials()]).await?;
    for name in names(20) {
        place.ready_within(&name, HEALED.saturating_sub(mended.elapsed())).await?;
    }
    println!("20 objects healed after {:?}", mended.elapsed());
    assert!(place.proxy.logins() <= 4, "{}", place.proxy.summary());
    Ok(())
}

/// The ladder of new logins for a live token is 30 s, then a minute: so a minute of refreshes sees one beside the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_denied_path_refreshed_for_a_minute_costs_two_logins() -> Result {
    let place = Place::new("frugal-denied").await?;
    place.stack.vault().allow_reading(place.name(), &["kv/data/nothing"]).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let mut store = place.store(STORE);
    store["spec"]["refreshInterval"] = json!("1s");
    let external = place.external("db", &[("password", "db#password")]).every("1s");
    place.apply([place.credentials(), store, external.into()]).await?;
    let _operator = Operator::start(place.name()).await?;
    place.failed("db", &["Vault denied reading", "lack \"read\""]).await?;
    place.store_is(STORE, "True", &[]).await?;
    holds_for("two logins at most", Duration::from_secs(60), async || match place.proxy.logins() {
        1 | 2 => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    println!("a minute of refreshes of a denied path:\n{}", place.proxy.summary());
    assert_eq!(place.events("db").await?.len(), 1, "{:?}", place.events("db").await?);
    Ok(())
}

/// A store that is checked often and is as well as before wakes nobody: who fails on a path of its own waits its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_that_stays_well_hastens_nobody() -> Result {
    let place = Place::new("frugal-well").await?;
    let mut store = place.store(STORE);
    store["spec"]["refreshInterval"] = json!("1s");
    let external = place.external("db", &[("password", "no-such-path#password")]);
    place.apply([place.credentials(), store, external.into()]).await?;
    let operator = Operator::start(place.name()).await?;
    place.failed("db", &["no secret at"]).await?;
    place.store_is(STORE, "True", &[]).await?;
    let begun = Instant::now();
    // After 2, 4 and 8 seconds: at most three more in ten.
    holds_for("few tries", Duration::from_secs(10), async || match place.reads("no-such-path") {
        1..=5 => Ok(()),
        reads => Err(format!("{reads} reads after {:?}", begun.elapsed())),
    })
    .await?;
    drop(operator);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn equal_stores_share_one_session() -> Result {
    let place = Place::new("frugal-equal").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let mut objects = Vec::new();
    for n in 0..10 {
        // The same values from Secrets of their own: the identity is what counts, not where it is read.
        let (store, credentials) = (format!("store-{n}"), format!("credentials-{n}"));
        objects.push(secret(&credentials, &[("id", &place.role.secret_id)]));
        let auth = json!({"appRole": {
            "path": place.role.mount,
            "roleId": place.role.role_id,
            "secretRef": {"name": credentials, "key": "id"},
        }});
        objects.push(place.store_with(&store, auth));
        objects.push(place.external(&format!("db-{n}"), &[("password", "db#password")]).from_store(&store).into());
    }
    place.apply(objects).await?;
    let operator = Operator::start(place.name()).await?;
    for n in 0..10 {
        place.ready(&format!("db-{n}")).await?;
        place.store_is(&format!("store-{n}"), "True", &[]).await?;
    }
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());

    // Nine go, the session stays; with the last one it ends.
    for n in 0..9 {
        place.delete::<SecretStore>(&format!("store-{n}")).await?;
    }
    holds_for("a shared token", A_WHILE, async || match place.revocations() {
        0 => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    let token = place.last_token();
    assert!(place.is_alive(&token).await?);
    place.delete::<SecretStore>("store-9").await?;
    place.revoked(1).await?;
    assert!(!place.is_alive(&token).await?);
    drop(operator);
    assert_eq!(place.revocations(), 1, "{}", place.proxy.summary());
    Ok(())
}

/// Not even when the operator looks at it again: the values are what they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_label_on_the_credentials_logs_nobody_in_and_writes_nothing() -> Result {
    let (place, operator) = Place::with_operator("frugal-label").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.ready("db").await?;
    place.store_is(STORE, "True", &[]).await?;
    let (version, events) =
        (place.store_now(STORE).await?["metadata"]["resourceVersion"].clone(), place.events(STORE).await?);
    for n in 0..5 {
        place.patch::<Secret>(CREDENTIALS, json!({"metadata": {"labels": {"edit": n.to_string()}}})).await?;
    }
    holds_for("one login", A_WHILE, async || match (place.proxy.logins(), place.revocations(), place.reads("db")) {
        (1, 0, 1) => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    assert_eq!(place.store_now(STORE).await?["metadata"]["resourceVersion"], version);
    assert_eq!(place.events(STORE).await?, events);
    drop(operator);
    Ok(())
}

/// A store that is checked every second says what it says once.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_tells_only_what_changed() -> Result {
    let place = Place::new("frugal-store").await?;
    let mut store = place.store(STORE);
    store["spec"]["refreshInterval"] = json!("1s");
    place.apply([place.credentials(), store]).await?;
    let operator = Operator::start(place.name()).await?;
    place.store_is(STORE, "True", &[]).await?;
    let version = place.store_now(STORE).await?["metadata"]["resourceVersion"].clone();
    holds_for("one status", 2 * A_WHILE, async || {
        let now =
            place.store_now(STORE).await.map_err(|error| error.to_string())?["metadata"]["resourceVersion"].clone();
        if now == version { Ok(()) } else { Err(format!("{now}")) }
    })
    .await?;
    assert_eq!(place.events(STORE).await?.len(), 1, "{:?}", place.events(STORE).await?);
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());
    let requests = place.proxy.requests().len();
    assert!(requests <= 4, "what is known is not asked again: {}", place.proxy.summary());
    drop(operator);
    Ok(())
}

/// A place whose role's tokens have these options, with `db` refreshed every second.
async fn with_tokens(hint: &str, options: Value) -> Result<(Place, Operator)> {
    let place = Place::with_role(hint, options).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let external = place.external("db", &[("password", "db#password")]).every("1s");
    place.apply([place.credentials(), place.store(STORE), external.into()]).await?;
    let operator = Operator::start(place.name()).await?;
    place.ready("db").await?;
    Ok((place, operator))
}

/// The object stays Ready, and follows Vault, for this long; then nothing was ever said of trouble.
async fn serves_on(place: &Place, operator: &Operator, during: Duration) -> Result {
    holds_for("Ready", during, async || {
        let object = place.api::<ExternalSecret>().get("db").await.map_err(|error| error.to_string())?;
        if common::ready_status(&object) == Some("True") { Ok(()) } else { Err(common::message(&object)) }
    })
    .await?;
    place.write("db", json!({"password": "rotated"})).await?;
    place.holds("db", &[("password", "rotated")]).await?;
    place.store_is(STORE, "True", &[]).await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_of_three_seconds_is_renewed_and_replaced() -> Result {
    let (place, operator) = with_tokens("token-ttl", json!({"token_ttl": "3s", "token_max_ttl": "8s"})).await?;
    serves_on(&place, &operator, Duration::from_secs(12)).await?;
    let renewals = place.proxy.count_of("POST", "/v1/auth/token/renew-self");
    println!("3 s tokens with a maximum of 8 s for 12 s: {} logins, {renewals} renewals", place.proxy.logins());
    assert!((2..=4).contains(&place.proxy.logins()), "{}", place.proxy.summary());
    assert!(renewals >= 2, "{}", place.proxy.summary());
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_of_one_use_serves_one_request() -> Result {
    let (place, operator) = with_tokens("token-uses", json!({"token_num_uses": 1})).await?;
    serves_on(&place, &operator, Duration::from_secs(2)).await?;
    // One login for each request that needs a token, and none besides.
    let (logins, others) = (place.proxy.logins(), place.proxy.requests().len() - place.proxy.logins());
    println!("tokens of one use: {logins} logins for {others} requests");
    assert!(logins <= others + 2, "{}", place.proxy.summary());
    assert_eq!(place.revocations(), 0, "a used token is gone by itself: {}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_batch_token_is_neither_renewed_nor_revoked() -> Result {
    let (place, operator) = with_tokens("token-batch", json!({"token_type": "batch", "token_ttl": "4s"})).await?;
    serves_on(&place, &operator, Duration::from_secs(6)).await?;
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0));
    assert!((2..=5).contains(&place.proxy.logins()), "{}", place.proxy.summary());
    let about = place.proxy.count(|seen| seen.path.ends_with("/renew-self") || seen.path.ends_with("/revoke-self"));
    assert_eq!(about, 0, "{}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_without_an_end_is_left_in_peace() -> Result {
    let (place, operator) = with_tokens("token-endless", json!({"token_period": "24h"})).await?;
    serves_on(&place, &operator, Duration::from_secs(2)).await?;
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());
    drop(operator);
    place.revoked(1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_revoked_token_is_replaced_within_the_refresh() -> Result {
    let (place, operator) = Place::with_operator("token-revoked").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    place.ready("db").await?;
    place.stack.vault().revoke(&place.last_token()).await?;
    place.write("db", json!({"password": "rotated"})).await?;
    force(&place, "db", "1").await?;
    place.holds("db", &[("password", "rotated")]).await?;
    assert_eq!(place.proxy.logins(), 2, "{}", place.proxy.summary());
    let events: Vec<_> = place.events("db").await?.into_iter().map(|(type_, ..)| type_).collect();
    assert_eq!(events, ["Normal", "Normal"], "nobody hears of it: Created and Updated");
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_token_is_given_back_at_the_end() -> Result {
    let place = Place::new("token-end").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let own = place.stack.vault().create_token(&[place.name()], json!({"ttl": "1h"})).await?;
    let with_token = json!({"tokenSecretRef": {"name": "own", "key": "token"}});
    let by_header =
        |store: &mut Value, n: usize| store["spec"]["provider"]["vault"]["headers"] = json!({"X-Store": n.to_string()});
    let mut objects = vec![place.credentials(), secret("own", &[("token", &own)]), place.store_with("own", with_token)];
    for n in 0..5 {
        let mut store = place.store(&format!("store-{n}"));
        by_header(&mut store, n);
        objects.push(store);
    }
    place.apply(objects).await?;
    let operator = Operator::start(place.name()).await?;
    for n in 0..5 {
        place.store_is(&format!("store-{n}"), "True", &[]).await?;
    }
    place.store_is("own", "True", &[]).await?;
    assert_eq!(place.proxy.logins(), 5, "{}", place.proxy.summary());

    place.delete::<SecretStore>("store-0").await?;
    place.revoked(1).await?;
    let stopped = operator.stop()?;
    assert_eq!((stopped.code, place.revocations()), (Some(0), 5), "{}", place.proxy.summary());
    assert!(stopped.took < SOON, "{:?}", stopped.took);
    assert!(place.is_alive(&own).await?, "a user's own token is not ours to revoke");
    Ok(())
}

/// A server that is away does not hold up the stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hanging_server_does_not_hold_up_the_stop() -> Result {
    let (place, operator) = Place::with_operator("token-hang").await?;
    place.store_is(STORE, "True", &[]).await?;
    place.proxy.always(Action::Hang);
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0));
    assert!(stopped.took < Duration::from_secs(10), "{:?}", stopped.took);
    Ok(())
}
