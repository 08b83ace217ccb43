//! Neither a value nor a credential is ever in a log line, an event or a status: searched for, after much has gone well and wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use base64::Engine;
use common::objects::External;
use common::{Operator, Place, Result, SOON};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use testbed::proxy::Action;

/// The values that Vault holds: each in a form that could slip out in another way.
const VALUES: [(&str, &str); 5] = [
    ("plain", "hunter2-plain-value"),
    ("json", r#"{"inner":"hunter3-in-json"}"#),
    ("number", "8675309123"),
    ("lines", "hunter4-first\nhunter5-second"),
    ("quoted", "hunter6-\"quoted\"\\back"),
];

/// What would give a value away, in any of the forms that texts take.
fn needles(place: &Place) -> Vec<String> {
    let mut needles: Vec<String> = ["hunter", "8675309123", "Basic aHVudGVy"].map(str::to_owned).into();
    let mut secrets: Vec<String> = VALUES.iter().map(|(_, value)| (*value).to_owned()).collect();
    secrets.push(place.role.secret_id.clone());
    needles.push(place.role.secret_id.clone());
    for seen in place.proxy.requests() {
        let token = seen.header("x-vault-token").unwrap_or_default();
        if !token.is_empty() && !needles.iter().any(|known| known == token) {
            needles.push(token.to_owned());
            secrets.push(token.to_owned());
        }
    }
    let encoded = secrets.iter().map(|secret| base64::engine::general_purpose::STANDARD_NO_PAD.encode(secret));
    needles.extend(encoded.map(|text| text.chars().take(16).collect()));
    needles
}

fn is_clean(place: &Place, what: &str, text: &str) {
    assert!(!text.is_empty(), "nothing to search in {what}");
    for needle in needles(place) {
        assert!(!text.contains(&needle), "{what} holds {needle:?}:\n{text}");
    }
}

/// Everything that anybody may read of this namespace without the right to read Secrets.
async fn published(place: &Place) -> Result<String> {
    let mut text = String::new();
    let group = format!("/apis/external-secrets.io/v1/namespaces/{}", place.name());
    let events = format!("/apis/events.k8s.io/v1/namespaces/{}/events", place.name());
    for path in [format!("{group}/externalsecrets"), format!("{group}/secretstores"), events] {
        let list: Value = place.client.request(http::Request::get(&path).body(Vec::new())?).await?;
        assert!(!list["items"].as_array().unwrap().is_empty(), "{path}");
        text.push_str(&list.to_string());
    }
    // The metadata of Secrets too: labels and annotations are no place for values.
    let secrets = place.api::<Secret>().list_metadata(&Default::default()).await?;
    for secret in secrets.items {
        text.push_str(&serde_json::to_string(&secret.metadata)?);
    }
    Ok(text)
}

async fn rig(hint: &str) -> Result<(Place, Operator)> {
    let (place, operator) = Place::with_operator(hint).await?;
    let data: serde_json::Map<String, Value> =
        VALUES.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    place.write("db", data.into()).await?;
    let entries = VALUES.map(|(key, _)| json!({"secretKey": key, "remoteKey": format!("{}#{key}", place.key("db"))}));
    place.apply_external(External::new("db", entries.into()).every("1s")).await?;
    place.holds("db", &VALUES).await?;
    Ok((place, operator))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_all_is_well() -> Result {
    let (place, operator) = rig("well").await?;
    place.write("db", json!({"plain": "hunter7-rotated"})).await?;
    place.apply_external(place.external("db", &[("plain", "db#plain"), ("whole", "db")])).await?;
    place.holds("db", &[("plain", "hunter7-rotated"), ("whole", r#"{"plain":"hunter7-rotated"}"#)]).await?;
    place.patch::<Secret>("db", json!({"stringData": {"plain": "hunter8-edited", "more": "hunter9"}})).await?;
    place.holds("db", &[("plain", "hunter7-rotated"), ("whole", r#"{"plain":"hunter7-rotated"}"#)]).await?;
    is_clean(&place, "a status, an event or metadata", &published(&place).await?);
    is_clean(&place, "/metrics", &operator.get("/metrics").await?.1);
    is_clean(&place, "the log", &operator.stop()?.log);
    Ok(())
}

/// A Secret of somebody's is taken over: the keys that go are named, what was in them is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn when_a_secret_is_taken_over() -> Result {
    let (place, operator) = rig("adopted").await?;
    place.apply([common::place::secret("theirs", &[("foreign", "hunter-of-others")])]).await?;
    place.apply_external(place.external("theirs", &[("plain", "db#plain")])).await?;
    place.event("theirs", "Normal", "Updated", &["foreign"]).await?;
    is_clean(&place, "a status, an event or metadata", &published(&place).await?);
    is_clean(&place, "the log", &operator.stop()?.log);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn when_much_goes_wrong() -> Result {
    let (place, operator) = rig("wrong").await?;
    let mut failing = Vec::new();
    // Keys and properties that are not there, or lead into a value.
    for (name, key) in
        [("missing", "db#nope"), ("into", "db#json.inner.deeper"), ("odd", "db#plain|@fromstr"), ("gone", "gone#plain")]
    {
        place.apply_external(place.external(name, &[("v", key)])).await?;
        failing.push(name);
    }
    // Values of types that the operator did not expect, in answers of shapes that it did not expect.
    let data = json!({"plain": "hunter2-plain-value"});
    for (name, action) in [
        ("no-data", Action::json(200, &data)),
        ("no-object", Action::json(200, &json!({"data": {"data": "hunter2-plain-value", "metadata": {}}}))),
        ("list", Action::json(200, &json!({"data": {"data": ["hunter2-plain-value"], "metadata": {}}}))),
        ("bad-metadata", Action::json(200, &json!({"data": {"data": data, "metadata": "hunter2-plain-value"}}))),
        ("html", Action::answer(200, "text/html", "<html>hunter2-plain-value</html>")),
        ("broken", Action::answer(200, "application/json", r#"{"data":{"data":{"plain":"hunter2-pl"#)),
        ("error-page", Action::answer(502, "text/html", "<html>hunter2-plain-value</html>")),
        ("odd-errors", Action::json(500, &json!({"errors": [{"secret": "hunter2-plain-value"}]}))),
    ] {
        let read_at = place.read_at(name);
        place.proxy.rule(move |seen| seen.path == read_at, action);
        place.apply_external(place.external(name, &[("v", &format!("{name}#plain"))])).await?;
        failing.push(name);
    }
    for name in failing {
        place.failed(name, &[]).await.map_err(|error| format!("{name}: {error}"))?;
    }
    is_clean(&place, "a status, an event or metadata", &published(&place).await?);
    is_clean(&place, "the log", &operator.stop()?.log);
    Ok(())
}

/// A server that repeats what was sent to it gets none of that into our messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn when_a_login_is_refused() -> Result {
    let (place, operator) = rig("refused").await?;
    let said = format!("secret id {} is not valid, says hunter", place.role.secret_id);
    place.proxy.rule(testbed::proxy::Seen::is_login, Action::refuse(400, &said));
    let mut store = place.store("other");
    store["spec"]["provider"]["vault"]["auth"]["appRole"]["roleId"] = json!("another");
    place.apply([store, place.external("other", &[("plain", "db#plain")]).from_store("other").into()]).await?;
    place.failed("other", &["refused the login"]).await?;
    place.store_is("other", "False", &["refused the login"]).await?;

    // A credential that is no text, and one that is no header.
    let odd = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "odd"}, "data": {"secretID": "/wBodW50ZXI="}});
    let mut store = place.store("odd");
    store["spec"]["provider"]["vault"]["auth"]["appRole"]["secretRef"]["name"] = json!("odd");
    place.apply([odd, store]).await?;
    place.store_is("odd", "False", &["UTF-8"]).await?;
    is_clean(&place, "a status, an event or metadata", &published(&place).await?);
    is_clean(&place, "the log", &operator.stop()?.log);
    Ok(())
}

/// The search itself finds what it looks for.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_search_can_fail() -> Result {
    let (place, operator) = rig("search").await?;
    let needles = needles(&place);
    assert!(needles.len() >= 9, "values, secret id and token, each plain and encoded: {}", needles.len());
    let secret = serde_json::to_string(&place.secret("db").await?)?;
    assert!(needles.iter().any(|needle| secret.contains(needle)), "the Secret itself holds values");
    testbed::wait_until("a log line", SOON, async || if operator.log().is_empty() { Err("none") } else { Ok(()) })
        .await?;
    Ok(())
}
