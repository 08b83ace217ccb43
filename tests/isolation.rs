//! One bad server harms only its own, and an outage asks little, changes nothing and mends itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::place::STORE;
use common::{A_WHILE, Operator, Place, Result, SOON};
use external_secrets_rs::api::ExternalSecret;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testbed::proxy::Action;
use testbed::{KvVersion, Proxy, SHARED_KV, Storage, holds_for, wait_until};

/// The breaker asks for a server's health at most this far apart, and its objects come spread out then.
const RECOVERED: Duration = Duration::from_secs(40);

/// A store like [`Place::store`] at another server.
fn store_at(place: &Place, name: &str, server: &str) -> Value {
    let mut store = place.store(name);
    store["spec"]["provider"]["vault"]["server"] = json!(server);
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hanging_server_delays_no_other_stores_objects() -> Result {
    let place = Place::new("isolation-hang").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let hanging = Proxy::start(place.stack.vault().addr()).await?;
    // Its health is fine, as where one engine hangs: no breaker helps.
    hanging.rule(|seen| seen.path != "/v1/sys/health", Action::Hang);
    let mut objects = vec![place.credentials()];
    for n in 0..50 {
        // A store of its own for each, so that the checks of stores hang too.
        let store = format!("hanging-{n}");
        let mut manifest = store_at(&place, &store, &hanging.url());
        // And a role: logins of one role wait for each other, since refused ones lock it.
        manifest["spec"]["provider"]["vault"]["auth"]["appRole"]["roleId"] = json!(store);
        objects.push(manifest);
        objects.push(place.external(&format!("hanging-{n}"), &[("password", "db#password")]).from_store(&store).into());
    }
    let operator = Operator::start(place.name()).await?;
    place.apply(objects).await?;
    wait_until("hanging requests", SOON, async || match hanging.requests().len() {
        0..16 => Err(hanging.summary()),
        _ => Ok(()),
    })
    .await?;

    let begun = Instant::now();
    let external = place.external("db", &[("password", "db#password")]);
    place.apply([place.store(STORE), external.into()]).await?;
    place.ready("db").await?;
    let (ready, valid) = (begun.elapsed(), place.store_is(STORE, "True", &[]).await);
    println!("a new object and its store beside 50 that hang: {ready:?}, store valid after {:?}", begun.elapsed());
    valid?;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());

    // And its refreshes go on.
    place.write("db", json!({"password": "rotated"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).every("1s")).await?;
    place.holds("db", &[("password", "rotated")]).await?;
    let words = ["no answer from Vault", "does not answer in time"];
    place.failed_within("hanging-0", &[], RECOVERED).await?;
    place.failed_within("hanging-0", &words[1..], RECOVERED).await?;
    hanging.clear_rules();
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0));
    Ok(())
}

/// A place with `db` synced from a server of its own behind its proxy, refreshed every second.
struct Outage {
    place: Place,
    proxy: Proxy,
    kv: testbed::Kv,
    _operator: Operator,
}

impl Outage {
    async fn new(hint: &str, bao: &testbed::OpenBao, objects: usize) -> Result<Self> {
        let place = Place::new(hint).await?;
        let (vault, proxy) = (bao.vault(), Proxy::start(bao.addr()).await?);
        let kv = vault.enable_kv(SHARED_KV, KvVersion::V2).await?;
        kv.write(&place.key("db"), json!({"password": "s3cret"})).await?;
        vault.allow_reading("reader", &["kv/*"]).await?;
        vault.enable_auth("approle", "approle").await?;
        let role = vault.create_approle("approle", "app", json!({"token_policies": ["reader"]})).await?;
        let mut store = store_at(&place, STORE, &proxy.url());
        let auth = &mut store["spec"]["provider"]["vault"]["auth"]["appRole"];
        (auth["path"], auth["roleId"]) = (json!("approle"), json!(role.role_id));
        place.apply([place.credentials_of(&role.secret_id), store]).await?;
        let external = |n| place.external(&format!("db-{n}"), &[("password", "db#password")]).every("1s").into();
        place.apply((0..objects).map(external)).await?;
        let _operator = Operator::start(place.name()).await?;
        let outage = Self { place, proxy, kv, _operator };
        outage.heals("s3cret", objects).await?;
        Ok(outage)
    }

    /// All objects fail with these words, the store too, and no Secret changes.
    async fn fails(&self, words: &[&str], objects: usize) -> Result {
        for n in 0..objects {
            self.place.failed_within(&format!("db-{n}"), words, RECOVERED).await?;
            self.place.holds(&format!("db-{n}"), &[("password", "s3cret")]).await?;
        }
        Ok(())
    }

    async fn heals(&self, value: &str, objects: usize) -> Result {
        for n in 0..objects {
            self.place.holds_within(&format!("db-{n}"), &[("password", value)], RECOVERED).await?;
            self.place.ready_within(&format!("db-{n}"), RECOVERED).await?;
        }
        self.place.store_status_within(STORE, "True", &[], RECOVERED).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sealed_server_is_told_asked_little_and_followed_when_it_is_unsealed() -> Result {
    let stack = testbed::Stack::from_env()?;
    let bao = stack.own_openbao(Storage::Memory).await?;
    let outage = Outage::new("isolation-sealed", &bao, 20).await?;
    bao.seal().await?;
    let words = ["SecretStore \"vault\" is not ready", "is sealed (503): unseal it"];
    outage.fails(&words, 20).await?;
    outage.place.store_status_within(STORE, "False", &words[1..], SOON).await?;
    outage.place.event("db-0", "Warning", "UpdateFailed", &words).await?;

    // Twenty objects and a store wait, refreshed every second: only the server's health is asked for.
    outage.proxy.reset();
    holds_for("nothing but probes", 4 * A_WHILE, async || {
        match outage.proxy.count(|seen| seen.path != "/v1/sys/health") {
            0 => Ok(()),
            _ => Err(outage.proxy.summary()),
        }
    })
    .await?;
    let probes = outage.proxy.requests().len();
    println!("{probes} requests in {:?} while 20 objects wait for a sealed server", 4 * A_WHILE);
    assert!(probes <= 6, "{}", outage.proxy.summary());

    bao.unseal().await?;
    outage.kv.write(&outage.place.key("db"), json!({"password": "rotated"})).await?;
    outage.heals("rotated", 20).await?;
    assert!(outage.proxy.logins() <= 1, "the token outlives a seal: {}", outage.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_restarted_server_is_followed() -> Result {
    let stack = testbed::Stack::from_env()?;
    let mut bao = stack.own_openbao(Storage::Files).await?;
    let outage = Outage::new("isolation-restart", &bao, 3).await?;
    bao.kill();
    // The proxy before it says 502, as any does.
    outage.fails(&["is not ready", "502"], 3).await?;
    bao.restart_sealed().await?;
    outage.fails(&["is sealed (503)"], 3).await?;
    bao.unseal().await?;
    outage.kv.write(&outage.place.key("db"), json!({"password": "rotated"})).await?;
    outage.heals("rotated", 3).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_is_away_is_told_and_followed() -> Result {
    let (mut place, _operator) = Place::with_operator("isolation-away").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).every("1s")).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    place.proxy.refuse().await;
    let words = ["not ready", "can't be reached", "check `server`, the network"];
    place.failed("db", &words).await?;
    place.store_status_within(STORE, "False", &words[1..], SOON).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    place.write("db", json!({"password": "rotated"})).await?;
    place.proxy.listen_again().await?;
    place.holds_within("db", &[("password", "rotated")], RECOVERED).await?;
    place.ready_within("db", RECOVERED).await?;
    place.store_status_within(STORE, "True", &[], RECOVERED).await?;
    Ok(())
}

/// A short one is waited for within the refresh, and nobody hears of it; a long one is told, and changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_throttling_server_is_waited_for() -> Result {
    let (place, operator) = Place::with_operator("isolation-429").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let throttled = Action::refuse(429, "request path: rate limit quota exceeded").with_header("Retry-After", "1");
    place.proxy.rule_times(2, |seen| seen.path.contains("/data/"), throttled.clone());
    let begun = Instant::now();
    place.apply_external(place.external("db", &[("password", "db#password")]).every("1s")).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    assert!(begun.elapsed() >= Duration::from_secs(2), "Retry-After is heeded: {:?}", begun.elapsed());
    // The event comes after the Secret, and before the status.
    place.ready("db").await?;
    let events: Vec<_> = place.events("db").await?.into_iter().map(|(_, reason, _)| reason).collect();
    assert_eq!(events, ["Created"]);

    let rule = place.proxy.rule(|seen| seen.path.contains("/data/"), throttled);
    place.write("db", json!({"password": "rotated"})).await?;
    place.failed_within("db", &["limits the rate (429)", "raise its quota or the refreshInterval"], RECOVERED).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    place.store_is(STORE, "True", &[]).await?;
    place.proxy.remove(rule);
    place.holds_within("db", &[("password", "rotated")], RECOVERED).await?;
    drop(operator);
    Ok(())
}

/// `retrySettings` of a store: how often within one refresh.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn retry_settings_are_heeded() -> Result {
    let place = Place::new("isolation-retries").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    for (name, retries) in [("none", 0), ("two", 2)] {
        let mut store = place.store(name);
        store["spec"]["retrySettings"] = json!({"maxRetries": retries, "retryInterval": "100ms"});
        store["spec"]["provider"]["vault"]["headers"] = json!({"X-Store": name});
        place.apply([store]).await?;
    }
    place.proxy.rule(|seen| seen.path.contains("/data/"), Action::refuse(500, "1 error occurred"));
    place.apply([place.credentials()]).await?;
    let operator = Operator::start(place.name()).await?;
    for name in ["none", "two"] {
        // A store that becomes valid gives those that wait for it one more try.
        place.store_is(name, "True", &[]).await?;
        place.apply_external(place.external(name, &[("password", "db#password")]).from_store(name)).await?;
    }
    for (name, tries) in [("none", 1), ("two", 3)] {
        place.failed(name, &["failed on", "(500)"]).await?;
        let seen = place.proxy.requests();
        let reads: Vec<_> =
            seen.iter().filter(|seen| seen.path.contains("/data/") && seen.header("x-store") == Some(name)).collect();
        let first = reads.iter().filter(|read| read.at - reads[0].at < Duration::from_secs(1)).count();
        assert_eq!(first, tries, "{name}: {}", place.proxy.summary());
    }
    drop(operator);
    Ok(())
}

/// A server whose objects wait has room for what is urgent: a full group of refreshes keeps no new object waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn slow_refreshes_leave_room_for_a_new_object_of_the_same_server() -> Result {
    let (place, _operator) = Place::with_operator("isolation-slow").await?;
    place.write("fast", json!({"password": "s3cret"})).await?;
    for n in 0..40 {
        place.write(&format!("slow-{n}"), json!({"password": "s3cret"})).await?;
    }
    let external = |n: usize| {
        let remote = format!("slow-{n}#password");
        place.external(&format!("slow-{n}"), &[("password", remote.as_str())]).every("1s").into()
    };
    place.apply((0..40).map(external)).await?;
    for n in 0..40 {
        place.ready(&format!("slow-{n}")).await?;
    }
    place.proxy.rule(|seen| seen.path.contains("/slow-"), Action::Delay(Duration::from_secs(5)));
    wait_until("slow requests", SOON, async || match place.proxy.peak_in_flight() {
        0..8 => Err(place.proxy.summary()),
        _ => Ok(()),
    })
    .await?;
    let begun = Instant::now();
    place.apply_external(place.external("fast", &[("password", "fast#password")])).await?;
    place.ready("fast").await?;
    println!("a new object beside 40 slow refreshes of its server: {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let object = place.api::<ExternalSecret>().get("slow-0").await?;
    assert_eq!(common::ready_status(&object), Some("True"), "slow is not broken: {}", common::message(&object));
    Ok(())
}
