//! Where the values come from: every way to name them, how they become keys and data, and which of them wins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod find;

use common::objects::{External, message, stalled};
use common::{Place, Result, data_of};
use serde_json::{Value, json};
use testbed::KvVersion;
use testbed::proxy::Action;

/// What becomes of one ExternalSecret.
enum Expected {
    /// A Secret with just this.
    Data(&'static [(&'static str, &'static str)]),
    /// No Secret, and a message with these words.
    Error(&'static [&'static str]),
}
use Expected::{Data, Error};

/// An ExternalSecret with these entries of `dataFrom` alone.
fn data_from(name: &str, entries: Value) -> External {
    External::new(name, Vec::new()).with("/spec", "dataFrom", entries)
}

/// An ExternalSecret with one value `v`.
fn value(name: &str, remote_ref: Value) -> External {
    External::new(name, vec![json!({"secretKey": "v", "remoteRef": remote_ref})])
}

/// Applies all rows at once and looks at each.
async fn check(place: &Place, rows: Vec<(&str, External, Expected)>) -> Result {
    place.apply(rows.iter().map(|(_, external, _)| external.clone().into())).await?;
    for (name, _, expected) in rows {
        match expected {
            Data(data) => {
                place.holds(name, data).await.map_err(|error| format!("{name}: {error}"))?;
                place.ready(name).await?;
            }
            Error(words) => {
                place.failed(name, words).await.map_err(|error| format!("{name}: {error}"))?;
                place.event(name, "Warning", "UpdateFailed", words).await?;
                assert!(place.secret(name).await?.is_none(), "{name}: a Secret was made");
            }
        }
    }
    Ok(())
}

const ODD: &str = r#"{"s":"text","n":2.1234534153423423,"big":9007199254740991,"t":true,"null":null,"o":{"z":1,"a":"<&>"},"l":[1,"x"],"e":""}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn extract_takes_every_key_of_a_secret_or_of_a_part_of_it() -> Result {
    let (place, _operator) = Place::with_operator("extract").await?;
    let old = place.namespace.kv("old", KvVersion::V1).await?;
    place.apply([place.store_at("old", Some(old.mount()), "v1")]).await?;
    place.write("odd", serde_json::from_str(ODD)?).await?;
    old.write("odd", serde_json::from_str(ODD)?).await?;
    let nested = json!({"config": {"db": {"user": "u", "port": 5432}}, "text": "{\"user\":\"inner\",\"deep\":{\"a\":1}}", "user": "top"});
    place.write("nested", nested).await?;
    let (odd, nested) = (place.key("odd"), place.key("nested"));
    let all = &[
        ("s", "text"),
        ("n", "2.1234534153423423"),
        ("big", "9007199254740991"),
        ("t", "true"),
        ("null", ""),
        ("o", r#"{"a":"<&>","z":1}"#),
        ("l", r#"[1,"x"]"#),
        ("e", ""),
    ];
    let part = |property: &str| json!([{"extract": {"key": nested, "property": property}}]);
    check(
        &place,
        vec![
            ("v2", data_from("v2", json!([{"extract": {"key": odd}}])), Data(all)),
            ("v1", data_from("v1", json!([{"extract": {"key": "odd"}}])).from_store("old"), Data(all)),
            ("part", data_from("part", part("config.db")), Data(&[("user", "u"), ("port", "5432")])),
            // A property whose value is a string that holds JSON, as people store it.
            ("text", data_from("text", part("text")), Data(&[("user", "inner"), ("deep", r#"{"a":1}"#)])),
            ("scalar", data_from("scalar", part("user")), Error(&["spec.dataFrom[0].extract", "not a JSON object"])),
            ("missing", data_from("missing", part("nope")), Error(&["spec.dataFrom[0].extract", "\"nope\"", "nested"])),
        ],
    )
    .await
}

/// The examples of ESO's documentation and tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_property_is_a_key_or_else_a_path() -> Result {
    let (place, _operator) = Place::with_operator("property").await?;
    let secret = json!({
        "nested.bar": "something different",
        "nested": {"foo": "oke", "bar": "also ok?"},
        "l": [{"id": "one", "n": 1}, {"id": "two", "n": 2.50}],
        "html": "<a>&",
    });
    place.write("db", secret).await?;
    let key = place.key("db");
    let of = |name: &str, property: &str| value(name, json!({"key": key, "property": property}));
    let whole = r#"{"html":"<a>&","l":[{"id":"one","n":1},{"id":"two","n":2.5}],"nested":{"bar":"also ok?","foo":"oke"},"nested.bar":"something different"}"#;
    check(
        &place,
        vec![
            ("exact", of("exact", "nested.bar"), Data(&[("v", "something different")])),
            ("path", of("path", "nested.foo"), Data(&[("v", "oke")])),
            ("object", of("object", "nested"), Data(&[("v", r#"{"bar":"also ok?","foo":"oke"}"#)])),
            ("count", of("count", "l.#"), Data(&[("v", "2")])),
            ("index", of("index", "l.0.id"), Data(&[("v", "one")])),
            ("query", of("query", r#"l.#(id=="two").n"#), Data(&[("v", "2.5")])),
            ("all", of("all", "l.#.id"), Data(&[("v", r#"["one","two"]"#)])),
            (
                "missing",
                of("missing", "nope"),
                Error(&["cannot find secret data for key: \"nope\"", "db", "spec.data[0] (v)"]),
            ),
        ],
    )
    .await?;
    place.apply_external(value("whole", json!({"key": key}))).await?;
    let secret = place.ready("whole").await.map(|_| place.secret("whole"))?.await?.expect("a Secret");
    assert_eq!(data_of(&secret)["v"].replace("2.50", "2.5"), whole);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn names_become_keys_as_the_strategy_says() -> Result {
    let (place, _operator) = Place::with_operator("convert").await?;
    place.write("odd", json!({"foo/bar": "1", "a-b_c.d": "2", "ä": "3"})).await?;
    place.write("clash", json!({"a/b": "1", "a:b": "2"})).await?;
    let of = |name: &str, key: &str, strategy: &str| {
        data_from(name, json!([{"extract": {"key": place.key(key), "conversionStrategy": strategy}}]))
    };
    check(
        &place,
        vec![
            ("default", of("default", "odd", "Default"), Data(&[("foo_bar", "1"), ("a-b_c.d", "2"), ("_", "3")])),
            (
                "unicode",
                of("unicode", "odd", "Unicode"),
                Data(&[("foo_U002f_bar", "1"), ("a-b_c.d", "2"), ("_U00e4_", "3")]),
            ),
            (
                "clash",
                of("clash", "clash", "Default"),
                Error(&["\"a/b\"", "\"a:b\"", "\"a_b\"", "conversionStrategy: Unicode"]),
            ),
            ("told", of("told", "clash", "Unicode"), Data(&[("a_U002f_b", "1"), ("a_U003a_b", "2")])),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn values_are_decoded_as_the_strategy_says() -> Result {
    let (place, _operator) = Place::with_operator("decode").await?;
    place.write("b64", json!({"std": "Pz8+", "url": "Pz8-", "text": "no base64!", "nul": "AGE="})).await?;
    let key = place.key("b64");
    let one = |name: &str, property: &str, strategy: &str| {
        value(name, json!({"key": key, "property": property, "decodingStrategy": strategy}))
    };
    let nul = |name: &str, policy: &str| {
        value(name, json!({"key": key, "property": "nul", "decodingStrategy": "Base64", "nullBytePolicy": policy}))
    };
    place.write("auto", json!({"std": "Pz8+", "url": "Pz8-", "text": "no base64!"})).await?;
    let auto = json!([{"extract": {"key": place.key("auto"), "decodingStrategy": "Auto"}}]);
    check(
        &place,
        vec![
            ("none", one("none", "std", "None"), Data(&[("v", "Pz8+")])),
            ("std", one("std", "std", "Base64"), Data(&[("v", "??>")])),
            ("url", one("url", "url", "Base64URL"), Data(&[("v", "??>")])),
            ("auto", data_from("auto", auto), Data(&[("std", "??>"), ("url", "??>"), ("text", "no base64!")])),
            ("bad", one("bad", "text", "Base64"), Error(&["spec.data[0] (v)", "base64", "decodingStrategy", "Auto"])),
            ("other", one("other", "std", "Base64URL"), Error(&["URL-safe base64"])),
            ("nul-ignored", nul("nul-ignored", "Ignore"), Data(&[("v", "\0a")])),
            ("nul-refused", nul("nul-refused", "Fail"), Error(&["NUL byte", "nullBytePolicy: Fail"])),
        ],
    )
    .await?;
    for name in ["bad", "other", "nul-refused"] {
        let told = message(&place.failed(name, &[]).await?);
        assert!(!told.contains("no base64!") && !told.contains("Pz8+"), "a value in {told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn later_entries_win_and_data_wins_over_all() -> Result {
    let (place, _operator) = Place::with_operator("order").await?;
    let other = place.namespace.kv("other", KvVersion::V1).await?;
    place.apply([place.store_at("other", Some(other.mount()), "v1")]).await?;
    place.write("first", json!({"a": "first", "b": "first", "c": "first"})).await?;
    other.write("second", json!({"b": "second", "c": "second", "d": "second"})).await?;
    place.write("third", json!({"c": "third"})).await?;
    let own = json!({"storeRef": {"name": "other", "kind": "SecretStore"}});
    let entries = json!([
        {"extract": {"key": place.key("first")}},
        {"extract": {"key": "second"}, "sourceRef": own},
    ]);
    let both = External::new(
        "both",
        vec![
            json!({"secretKey": "c", "remoteRef": {"key": place.key("third"), "property": "c"}}),
            json!({"secretKey": "e", "remoteRef": {"key": "second", "property": "d"}, "sourceRef": own}),
        ],
    );
    let reversed = json!([entries[1], entries[0]]);
    check(
        &place,
        vec![
            (
                "both",
                both.with("/spec", "dataFrom", entries),
                Data(&[("a", "first"), ("b", "second"), ("c", "third"), ("d", "second"), ("e", "second")]),
            ),
            (
                "reversed",
                data_from("reversed", reversed),
                Data(&[("a", "first"), ("b", "first"), ("c", "first"), ("d", "second")]),
            ),
        ],
    )
    .await?;

    // One of the two stores fails: nothing is written, and it is named.
    place.proxy.rule(|seen| seen.path.ends_with("/second"), Action::refuse(500, "internal error"));
    let before = place.secret("both").await?.unwrap().metadata.resource_version;
    place.write("first", json!({"a": "changed"})).await?;
    place
        .patch::<external_secrets_rs::api::ExternalSecret>(
            "both",
            json!({"metadata": {"annotations": {"force-sync": "1"}}}),
        )
        .await?;
    place.failed("both", &["500", "second", "SecretStore", "other"]).await?;
    assert_eq!(place.secret("both").await?.unwrap().metadata.resource_version, before, "half of the data was written");
    Ok(())
}

/// A path is read once, however many entries want something of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_path_and_version_is_read_once() -> Result {
    let (place, _operator) = Place::with_operator("once").await?;
    place.write("db", json!({"a": "1", "b": "2"})).await?;
    let key = place.key("db");
    let entry = |name: &str, version: &str| json!({"secretKey": name, "remoteRef": {"key": key, "property": "a", "version": version}});
    let external = External::new("db", vec![entry("x", ""), entry("y", ""), entry("z", "1")]);
    place.apply_external(external.with("/spec", "dataFrom", json!([{"extract": {"key": key}}]))).await?;
    place.holds("db", &[("a", "1"), ("b", "2"), ("x", "1"), ("y", "1"), ("z", "1")]).await?;
    assert_eq!(place.reads("db"), 2, "the newest and version 1: {}", place.proxy.summary());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_version_pins_the_value() -> Result {
    let (place, _operator) = Place::with_operator("pinned").await?;
    place.write("db", json!({"v": "one"})).await?;
    place.write("db", json!({"v": "two"})).await?;
    let old = place.namespace.kv("old", KvVersion::V1).await?;
    old.write("db", json!({"v": "unversioned"})).await?;
    place.apply([place.store_at("old", Some(old.mount()), "v1")]).await?;
    let key = place.key("db");
    let of = |name: &str, version: &str| value(name, json!({"key": key, "property": "v", "version": version}));
    let on_v1 = value("on-v1", json!({"key": "db", "property": "v", "version": "3"})).from_store("old");
    let extract = json!([{"extract": {"key": key, "version": "1"}}]);
    check(
        &place,
        vec![
            ("first", of("first", "1"), Data(&[("v", "one")])),
            ("second", of("second", "2"), Data(&[("v", "two")])),
            ("newest", of("newest", ""), Data(&[("v", "two")])),
            ("extract", data_from("extract", extract), Data(&[("v", "one")])),
            ("never", of("never", "9"), Error(&["version 9", "db"])),
            ("word", of("word", "latest"), Error(&["\"latest\"", "write a number"])),
            ("on-v1", on_v1, Data(&[("v", "unversioned")])),
        ],
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn metadata_is_read_in_place_of_the_value() -> Result {
    let (place, _operator) = Place::with_operator("metadata").await?;
    let kv = place.namespace.kv("tagged", KvVersion::V2).await?;
    let old = place.namespace.kv("old", KvVersion::V1).await?;
    kv.write("db", json!({"v": "s3cret"})).await?;
    kv.write("db", json!({"v": "s3cret 2"})).await?;
    kv.write_metadata("db", json!({"owner": "team-a", "created_time": "long ago"})).await?;
    old.write("db", json!({"v": "x"})).await?;
    place
        .apply([place.store_at("tagged", Some(kv.mount()), "v2"), place.store_at("old", Some(old.mount()), "v1")])
        .await?;
    let of = |name: &str, property: Option<&str>| {
        value(name, json!({"key": "db", "property": property, "metadataPolicy": "Fetch"})).from_store("tagged")
    };
    let all = data_from("all", json!([{"extract": {"key": "db", "metadataPolicy": "Fetch"}}])).from_store("tagged");
    check(
        &place,
        vec![
            ("owner", of("owner", Some("owner")), Data(&[("v", "team-a")])),
            ("version", of("version", Some("current_version")), Data(&[("v", "2")])),
            ("custom", of("custom", Some("created_time")), Data(&[("v", "long ago")])),
            (
                "all",
                all,
                Data(&[
                    ("owner", "team-a"),
                    ("current_version", "2"),
                    ("created_time", "long ago"),
                    ("delete_version_after", "0s"),
                ]),
            ),
            ("missing", of("missing", Some("nope")), Error(&["\"nope\"", "metadata/db"])),
            ("old", of("old", Some("owner")).from_store("old"), Error(&["KV v1", "no metadata", "spec.data[0] (v)"])),
        ],
    )
    .await?;
    assert_eq!(stalled(&place.failed("old", &[]).await?), Some("InvalidSpec"));
    assert_eq!(
        place.proxy.count_of("GET", &format!("/v1/{}", kv.read_path("db"))),
        0,
        "a value was read: {}",
        place.proxy.summary()
    );
    Ok(())
}

/// The older version of the API means the same; its manifests say the defaults in full.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn both_versions_of_the_api_say_the_same() -> Result {
    let (place, _operator) = Place::with_operator("versions").await?;
    place.write("db", json!({"a/b": "1", "c": "Mg=="})).await?;
    for version in ["v1", "v1beta1"] {
        place
            .apply([json!({
                "apiVersion": format!("external-secrets.io/{version}"),
                "kind": "ExternalSecret",
                "metadata": {"name": version},
                "spec": {
                    "refreshInterval": "1h",
                    "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
                    "target": {"creationPolicy": "Owner", "deletionPolicy": "Retain"},
                    "data": [{"secretKey": "d", "remoteRef": {
                        "key": place.key("db"), "property": "c", "conversionStrategy": "Default", "decodingStrategy": "Base64", "metadataPolicy": "None",
                    }}],
                    "dataFrom": [{"extract": {"key": place.key("db"), "conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}}],
                },
            })])
            .await?;
        place.holds(version, &[("a_b", "1"), ("c", "Mg=="), ("d", "2")]).await?;
    }
    Ok(())
}
