//! How little Vault is asked: one login for all who share an identity, one token that is given back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::{Operator, Place, Result};
use serde_json::{Value, json};
use testbed::Method;

const MANY: usize = 20;

/// The last token that the proxy saw.
fn token(place: &Place) -> String {
    let requests = place.proxy.requests();
    requests.iter().rev().find_map(|seen| seen.header("x-vault-token")).expect("a request with a token").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_external_secrets_of_one_store_log_in_once() -> Result {
    let (place, _operator) = Place::with_operator("many").await?;
    let mut objects: Vec<Value> = Vec::new();
    for n in 0..MANY {
        place.write(&format!("s{n}"), json!({"v": n.to_string()})).await?;
        objects.push(place.external(&format!("s{n}"), &[("v", &format!("s{n}#v"))]).every("2s").into());
    }
    place.apply(objects).await?;
    for n in 0..MANY {
        place.holds(&format!("s{n}"), &[("v", &n.to_string())]).await?;
    }
    // Nor does a refresh log in.
    place.write("s0", json!({"v": "rotated"})).await?;
    place.holds("s0", &[("v", "rotated")]).await?;
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn equal_stores_share_a_login_and_others_do_not() -> Result {
    let place = Place::new("equal").await?;
    place.write("db", json!({"v": "x"})).await?;
    place.apply([place.credentials()]).await?;
    // They differ in what does not matter to Vault.
    place.apply([place.store("first"), place.store_at("second", Some("kv/data"), "v2"), place.store("third")]).await?;
    let _operator = Operator::start(place.name()).await?;
    for store in ["first", "second", "third"] {
        place.apply_external(place.external(store, &[("v", "db#v")]).from_store(store)).await?;
        place.holds(store, &[("v", "x")]).await?;
    }
    assert_eq!(place.proxy.logins(), 1, "{}", place.proxy.summary());

    let role = place
        .stack
        .vault()
        .create_approle(
            &place.role.mount,
            &place.key("other").replace('/', "-"),
            json!({"token_policies": [place.name()]}),
        )
        .await?;
    let mut other = place.store("other");
    let app_role = &mut other["spec"]["provider"]["vault"]["auth"]["appRole"];
    app_role["roleId"] = json!(role.role_id);
    app_role["secretRef"]["name"] = json!("other");
    place.apply([common::place::secret("other", &[(common::place::SECRET_ID_KEY, &role.secret_id)]), other]).await?;
    place.apply_external(place.external("theirs", &[("v", "db#v")]).from_store("other")).await?;
    place.holds("theirs", &[("v", "x")]).await?;
    assert_eq!(place.proxy.logins(), 2, "{}", place.proxy.summary());
    Ok(())
}

/// Twenty ask for one path at once; what is under way serves them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_path_is_not_read_once_for_each_who_wants_it() -> Result {
    let place = Place::new("one-path").await?;
    place.write("db", json!({"v": "x"})).await?;
    place.apply([place.credentials(), place.store("vault")]).await?;
    let objects: Vec<Value> = (0..MANY).map(|n| place.external(&format!("db-{n}"), &[("v", "db#v")]).into()).collect();
    place.apply(objects).await?;
    // A read takes so long that all come while it runs.
    let slow = place.read_at("db");
    place
        .proxy
        .rule(move |seen| seen.path == slow, testbed::proxy::Action::Delay(std::time::Duration::from_millis(700)));
    let _operator = Operator::start(place.name()).await?;
    for n in 0..MANY {
        place.holds(&format!("db-{n}"), &[("v", "x")]).await?;
    }
    // 16 are worked on at a time: one read runs, one waits for the rest of them, and so for the last four.
    assert!(place.reads("db") <= 4, "{}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_token_is_given_back_at_the_end() -> Result {
    let (place, operator) = Place::with_operator("revoked").await?;
    place.write("db", json!({"v": "x"})).await?;
    place.apply_external(place.external("db", &[("v", "db#v")])).await?;
    place.holds("db", &[("v", "x")]).await?;
    let token = place.stack.vault().with_token(token(&place));
    token.request(Method::GET, "auth/token/lookup-self", None).await?;

    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    assert_eq!(place.proxy.count_of("POST", "/v1/auth/token/revoke-self"), 1, "{}", place.proxy.summary());
    let (status, _) = token.send(Method::GET, "auth/token/lookup-self", None).await?;
    assert_eq!(status, 403, "the token is dead");
    // Its Secret is not touched by the end.
    place.holds("db", &[("v", "x")]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_token_is_given_back_when_its_store_goes() -> Result {
    let (place, _operator) = Place::with_operator("store-gone").await?;
    place.write("db", json!({"v": "x"})).await?;
    place.apply_external(place.external("db", &[("v", "db#v")])).await?;
    place.holds("db", &[("v", "x")]).await?;
    place.ready("db").await?;
    place.delete::<external_secrets_rs::api::SecretStore>("vault").await?;
    testbed::wait_until("a revoked token", common::SOON, async || {
        match place.proxy.count_of("POST", "/v1/auth/token/revoke-self") {
            1 => Ok(()),
            _ => Err(place.proxy.summary()),
        }
    })
    .await?;
    place.holds("db", &[("v", "x")]).await?;
    Ok(())
}

/// A token that somebody revoked is replaced at once, and nobody notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_dead_token_is_replaced_without_an_error() -> Result {
    let (place, operator) = Place::with_operator("dead").await?;
    place.write("db", json!({"v": "x"})).await?;
    place.apply_external(place.external("db", &[("v", "db#v")]).every("1s")).await?;
    place.holds("db", &[("v", "x")]).await?;
    place.stack.vault().revoke(&token(&place)).await?;
    place.write("db", json!({"v": "rotated"})).await?;
    place.holds("db", &[("v", "rotated")]).await?;
    assert_eq!(place.proxy.logins(), 2, "{}", place.proxy.summary());
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}
