//! Where a key is read: KV v1 and v2, and each way in which people write a store's path and a key.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, message, stalled};
use common::{Operator, Place, Result};
use serde_json::json;
use testbed::{KvVersion, SHARED_KV};

/// One row: the store's path and version, the key, and the one request that reads it.
struct Row {
    path: Option<String>,
    version: &'static str,
    key: String,
    read_at: String,
}

fn row(path: Option<&str>, version: &'static str, key: &str, read_at: &str) -> Row {
    Row { path: path.map(str::to_owned), version, key: key.to_owned(), read_at: read_at.to_owned() }
}

/// `kv` is a mount of one segment, `deep` of two (v2), `old` of two (v1); `own` keeps tests apart on the shared one.
fn table(own: &str) -> Vec<Row> {
    let (kv, deep, old) = (SHARED_KV, format!("{own}/path"), format!("{own}/old"));
    let mut rows = Vec::new();
    for path in [kv.to_owned(), format!("{kv}/data"), format!("{kv}/")] {
        for key in [
            format!("{own}/config"),
            format!("{kv}/data/{own}/config"),
            format!("{kv}/{own}/config"),
            format!("/{own}/config/"),
        ] {
            rows.push(row(Some(&path), "v2", &key, &format!("{kv}/data/{own}/config")));
        }
    }
    for path in [deep.clone(), format!("{deep}/data")] {
        for key in ["test".to_owned(), format!("{deep}/test"), format!("{deep}/data/test")] {
            rows.push(row(Some(&path), "v2", &key, &format!("{deep}/data/test")));
        }
    }
    for key in ["test", &format!("{old}/test")] {
        rows.push(row(Some(&old), "v1", key, &format!("{old}/test")));
    }
    rows.push(row(None, "v2", &format!("{kv}/{own}/big/path"), &format!("{kv}/data/{own}/big/path")));
    rows.push(row(None, "v2", &format!("{deep}/data/not/real"), &format!("{deep}/data/not/real")));
    rows.push(row(None, "v1", &format!("{old}/test"), &format!("{old}/test")));
    rows.push(row(Some(""), "v1", &format!("{old}/test"), &format!("{old}/test")));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_form_of_path_and_key_reads_the_place_it_means() -> Result {
    let place = Place::new("paths").await?;
    let deep = place.namespace.kv("path", KvVersion::V2).await?;
    let old = place.namespace.kv("old", KvVersion::V1).await?;
    for path in ["config", "big/path"] {
        place.write(path, json!({"place": place.kv.read_path(&place.key(path))})).await?;
    }
    for path in ["test", "not/real"] {
        deep.write(path, json!({"place": deep.read_path(path)})).await?;
    }
    old.write("test", json!({"place": old.read_path("test")})).await?;

    let _operator = Operator::start(place.name()).await?;
    let rows = table(place.name());
    let mut objects = vec![place.credentials()];
    for (number, row) in rows.iter().enumerate() {
        let name = format!("row-{number}");
        objects.push(place.store_at(&name, row.path.as_deref(), row.version));
        let flat = json!({"secretKey": "flat", "remoteKey": format!("{}#place", row.key)});
        let full = json!({"secretKey": "full", "remoteRef": {"key": row.key, "property": "place"}});
        objects.push(External::new(&name, vec![flat, full]).from_store(&name).into());
    }
    place.apply(objects).await?;
    for (number, row) in rows.iter().enumerate() {
        let held = place.holds(&format!("row-{number}"), &[("flat", &row.read_at), ("full", &row.read_at)]).await;
        held.map_err(|error| format!("store path {:?} {}, key {:?}: {error}", row.path, row.version, row.key))?;
    }

    // Nothing was guessed: no path was asked for that no row reads.
    let asked = |path: &str| rows.iter().any(|row| path == format!("/v1/{}", row.read_at));
    let is_question = |path: &str| path.starts_with("/v1/auth/") || path.starts_with("/v1/sys/");
    let guesses: Vec<_> = place
        .proxy
        .requests()
        .into_iter()
        .map(|seen| seen.path)
        .filter(|path| !asked(path) && !is_question(path))
        .collect();
    assert_eq!(guesses, Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_path_is_read_once_for_all_its_keys() -> Result {
    let (place, _operator) = Place::with_operator("once").await?;
    place.write("db", json!({"a": "1", "b": "2", "c": "3"})).await?;
    place.apply_external(place.external("db", &[("a", "db#a"), ("b", "db#b"), ("c", "db#c")])).await?;
    place.holds("db", &[("a", "1"), ("b", "2"), ("c", "3")]).await?;
    assert_eq!(place.reads("db"), 1, "{}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_property_is_a_key_or_a_path_into_json() -> Result {
    let (place, _operator) = Place::with_operator("property").await?;
    let text = r#"{"nested.bar":"exact","nested":{"bar":"deep","list":[{"id":"one","n":7}]},"number":2.1234534153423423,
        "yes":true,"nothing":null,"markup":"<&>","json":"{\"inner\":\"x\"}"}"#;
    place.write("app", serde_json::from_str(text)?).await?;
    let entries = [
        ("exact", "app#nested.bar"),
        ("deep", "app#nested.list.0.id"),
        ("found", "app#nested.list.#(id==\"one\").n"),
        ("count", "app#nested.list.#"),
        ("object", "app#nested.list.0"),
        ("number", "app#number"),
        ("yes", "app#yes"),
        ("nothing", "app#nothing"),
        ("markup", "app#markup"),
        ("json", "app#json"),
    ];
    place.apply_external(place.external("app", &entries)).await?;
    let expected = [
        ("exact", "exact"),
        ("deep", "one"),
        ("found", "7"),
        ("count", "1"),
        ("object", r#"{"id":"one","n":7}"#),
        ("number", "2.1234534153423423"),
        ("yes", "true"),
        ("nothing", ""),
        ("markup", "<&>"),
        ("json", r#"{"inner":"x"}"#),
    ];
    place.holds("app", &expected).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_a_property_the_whole_secret_is_written_as_json() -> Result {
    let (place, _operator) = Place::with_operator("whole").await?;
    place.write("app", json!({"b": "<&>", "a": {"z": 1, "y": [true, null]}})).await?;
    place.apply_external(place.external("app", &[("config.json", "app")])).await?;
    place.holds("app", &[("config.json", r#"{"a":{"y":[true,null],"z":1},"b":"<&>"}"#)]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pinned_version_stays_that_version() -> Result {
    let (place, _operator) = Place::with_operator("pinned").await?;
    for value in ["first", "second"] {
        place.write("app", json!({"v": value})).await?;
    }
    let entry = |version: &str| json!({"secretKey": "v", "remoteRef": {"key": place.key("app"), "property": "v", "version": version}});
    place.apply_external(External::new("old", vec![entry("1")])).await?;
    place.apply_external(External::new("latest", vec![entry("")])).await?;
    place.apply_external(External::new("unborn", vec![entry("9")])).await?;
    place.holds("old", &[("v", "first")]).await?;
    place.holds("latest", &[("v", "second")]).await?;
    place.failed("unborn", &["version 9", "404", "remoteRef.version"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_of_the_wrong_kv_version_is_told_so() -> Result {
    let place = Place::new("wrong-version").await?;
    let old = place.namespace.kv("old", KvVersion::V1).await?;
    old.write("app", json!({"v": "x"})).await?;
    place.write("app", json!({"v": "x"})).await?;
    place.apply([place.credentials(), place.store_at("says-v1", Some(SHARED_KV), "v1")]).await?;
    place.apply([place.store_at("says-v2", Some(old.mount()), "v2")]).await?;
    let _operator = Operator::start(place.name()).await?;
    let v1 = External::new("v1", vec![json!({"secretKey": "v", "remoteKey": "app#v"})]).from_store("says-v2");
    place.apply_external(v1).await?;
    place.apply_external(place.external("v2", &[("v", "app#v")]).from_store("says-v1")).await?;

    place.store_is("says-v1", "False", &[SHARED_KV, "set `version: v2`"]).await?;
    place.store_is("says-v2", "False", &[old.mount(), "set `version: v1`"]).await?;
    let object = place.failed("v2", &[SHARED_KV, "set `version: v2`"]).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"), "{}", message(&object));
    place.failed("v1", &[old.mount(), "set `version: v1`"]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_that_a_server_could_read_another_way_is_refused_and_not_asked_for() -> Result {
    let (place, _operator) = Place::with_operator("bad-key").await?;
    for (name, key, words) in
        [("up", "a/../../sys/raw#v", "\"..\""), ("empty", "a//b#v", "segment"), ("no-property", "a/b#", "'#'")]
    {
        place.apply_external(External::new(name, vec![json!({"secretKey": "v", "remoteKey": key})])).await?;
        let object = place.failed(name, &[words, "write"]).await?;
        assert_eq!(stalled(&object), Some("InvalidSpec"), "{}", message(&object));
    }
    assert_eq!(place.all_reads(), 0, "{}", place.proxy.summary());
    Ok(())
}
