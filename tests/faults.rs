//! Answers that can't be trusted: from a server, or from what stands before it. None of them ever changes a Secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::stalled;
use common::{Place, Result, SOON};
use futures::future::try_join_all;
use serde_json::json;
use std::time::Duration;
use testbed::proxy::Action;
use testbed::wait_until;

/// The longest that a request to Vault may hang, and the tries within one sync.
const GIVEN_UP: Duration = Duration::from_secs(40);

/// A fault, what is done to a read, and what the condition must say.
fn table() -> Vec<(&'static str, Action, Vec<&'static str>)> {
    vec![
        ("html", Action::html(), vec!["HTML", "check that `server` is Vault itself"]),
        ("null", Action::answer(200, "application/json", "null"), vec!["null"]),
        ("null-data", Action::json(200, &json!({"data": null})), vec!["null"]),
        ("null-secret", Action::json(200, &json!({"data": {"data": null, "metadata": {"version": 1}}})), vec!["null"]),
        ("empty", Action::answer(200, "application/json", ""), vec!["not whole JSON"]),
        ("no-secret", Action::json(200, &json!({"data": {}})), vec!["shape"]),
        ("half", Action::answer(200, "application/json", r#"{"data":{"data":{"v":"ha"#), vec!["not whole JSON"]),
        ("truncated", Action::Truncate { keep: 40 }, vec!["breaks connections off"]),
        ("huge", Action::huge(40 << 20), vec!["exceeds", "bytes"]),
        ("broken", Action::Break, vec!["breaks connections off"]),
        ("error", Action::refuse(500, "internal error"), vec!["500", "internal error"]),
        ("gateway", Action::answer(502, "text/html", "<html>bad gateway"), vec!["502"]),
        ("busy", Action::refuse(429, "rate limit"), vec!["429", "quota"]),
        ("bad-request", Action::refuse(400, "odd request"), vec!["400", "odd request"]),
        ("proxy-404", Action::answer(404, "text/html", "<html>not found"), vec!["404", "HTML"]),
        (
            "redirect",
            Action::redirect(307, "https://evil.example.com/v1/kv"),
            vec!["redirects to", "evil.example.com", "token is not sent"],
        ),
        ("hang", Action::Hang, vec!["does not answer in time"]),
        ("stall", Action::Stall { keep: 40 }, vec!["does not answer in time"]),
    ]
}

/// Each on a path of its own, all at once: one that fails harms no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leave_the_secret_as_it_is_and_heal_by_themselves() -> Result {
    let (place, _operator) = Place::with_operator("faults").await?;
    let names: Vec<_> = table().into_iter().map(|(name, ..)| name).chain(["well"]).collect();
    for name in &names {
        place.write(name, json!({"v": "old"})).await?;
        place.apply_external(place.external(name, &[("v", &format!("{name}#v"))]).every("1s")).await?;
    }
    let secrets = try_join_all(names.iter().map(|name| place.holds(name, &[("v", "old")]))).await?;
    for (name, action, _) in table() {
        let read_at = place.read_at(name);
        place.proxy.rule(move |seen| seen.path == read_at, action);
    }
    for name in &names {
        place.write(name, json!({"v": "new"})).await?;
    }

    // The one that is well follows Vault while the others fail.
    place.holds("well", &[("v", "new")]).await?;
    let faults = table();
    try_join_all(faults.iter().map(async |(name, _, words)| -> Result {
        let object = place.failed_within(name, words, GIVEN_UP).await.map_err(|error| format!("{name}: {error}"))?;
        let mut all = vec![place.read_at(name).trim_start_matches("/v1/").to_owned()];
        if *name == "redirect" {
            all.clear();
        }
        assert!(
            all.iter().all(|path| common::objects::message(&object).contains(path)),
            "{name}: no path in {:?}",
            object.status
        );
        assert_eq!(stalled(&object).is_some(), *name == "redirect", "{name}: {:?}", object.status);
        place.event(name, "Warning", "UpdateFailed", words).await?;
        Ok(())
    }))
    .await?;
    for ((name, ..), before) in faults.iter().zip(&secrets) {
        let now = place.secret(name).await?.ok_or("a Secret is gone")?;
        assert_eq!(before.metadata.resource_version, now.metadata.resource_version, "{name}");
    }

    place.proxy.clear_rules();
    for (name, ..) in &faults {
        place.holds_within(name, &[("v", "new")], GIVEN_UP).await.map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

/// A token must not follow a redirect; that nothing was sent there is seen by a server that counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_token_never_leaves_for_another_host() -> Result {
    let (place, _operator) = Place::with_operator("redirect").await?;
    let elsewhere = testbed::Proxy::start(place.stack.vault().addr()).await?;
    place.write("db", json!({"v": "x"})).await?;
    let to = elsewhere.url().replace("127.0.0.1", "localhost");
    let read_at = place.read_at("db");
    let target = format!("{to}{read_at}");
    place.proxy.rule(move |seen| seen.path == read_at, Action::redirect(307, &target));
    place.apply_external(place.external("db", &[("v", "db#v")])).await?;
    place.failed("db", &["redirects to", &to]).await?;
    assert_eq!(elsewhere.requests().len(), 0, "{}", elsewhere.summary());
    place.stays_absent("db").await?;
    Ok(())
}

/// A login page in place of a login, as a portal gives it when its session ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_login_that_is_no_login() -> Result {
    let place = Place::new("portal").await?;
    place.write("db", json!({"v": "x"})).await?;
    let portal = place.proxy.always(Action::html());
    place.apply([place.credentials(), place.store("vault"), place.external("db", &[("v", "db#v")]).into()]).await?;
    let _operator = common::Operator::start(place.name()).await?;
    place.failed("db", &["HTML", "auth/approle/login"]).await?;
    place.store_is("vault", "False", &["HTML"]).await?;
    place.proxy.remove(portal);
    place.holds_within("db", &[("v", "x")], SOON).await?;
    place.store_is("vault", "True", &[]).await?;
    Ok(())
}

/// While a server is away its objects do not ask one by one, and they come back without being told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_is_sealed_is_asked_by_one_probe() -> Result {
    let (place, _operator) = Place::with_operator("sealed").await?;
    place.write("db", json!({"v": "old"})).await?;
    for n in 0..10 {
        place.apply_external(place.external(&format!("db-{n}"), &[("v", "db#v")]).every("1s")).await?;
    }
    for n in 0..10 {
        place.holds(&format!("db-{n}"), &[("v", "old")]).await?;
    }
    place.write("db", json!({"v": "new"})).await?;
    let sealed = place.proxy.always(Action::refuse(503, "Vault is sealed"));
    for n in 0..10 {
        place.failed_within(&format!("db-{n}"), &["sealed (503)", "unseal"], GIVEN_UP).await?;
    }
    place.proxy.reset();
    wait_until("two probes", SOON, async || match place.proxy.count_of("GET", "/v1/sys/health") {
        0 | 1 => Err(place.proxy.summary()),
        _ => Ok(()),
    })
    .await?;
    assert_eq!(place.all_reads(), 0, "{}", place.proxy.summary());
    place.proxy.remove(sealed);
    for n in 0..10 {
        place.holds_within(&format!("db-{n}"), &[("v", "new")], GIVEN_UP).await?;
    }
    Ok(())
}
