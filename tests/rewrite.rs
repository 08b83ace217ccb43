//! How `dataFrom` renames and merges keys before they are written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::objects::{External, stalled};
use common::{HEALED, Operator, Place, Result};
use serde_json::{Value, json};

/// Three secrets: `flat` with plain keys, `objects` with objects under its keys, `text` with no object.
async fn place(hint: &str) -> Result<(Place, Operator)> {
    let (place, operator) = Place::with_operator(hint).await?;
    place.write("flat", json!({"db-user": "u", "db-pass": "p", "other": "o"})).await?;
    place.write("objects", json!({"one": {"a": 1, "s": "x"}, "two": "{\"b\":[1],\"s\":\"y\"}"})).await?;
    place.write("text", json!({"one": {"a": 1}, "plain": "text"})).await?;
    Ok((place, operator))
}

/// Name, secret, steps, and what becomes of it.
type Row<T> = (&'static str, &'static str, Value, T);

fn external(place: &Place, name: &str, secret: &str, steps: Value) -> External {
    let entry = json!({"extract": {"key": place.key(secret)}, "rewrite": steps});
    External::new(name, Vec::new()).with("/spec", "dataFrom", json!([entry]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn keys_are_renamed_and_merged_as_the_steps_say() -> Result {
    let (place, _operator) = place("rewrite").await?;
    let regexp = |source: &str, target: &str| json!({"regexp": {"source": source, "target": target}});
    let merge = |options: Value| json!([{"merge": options}]);
    let rows: [Row<&[(&str, &str)]>; 11] = [
        ("number", "flat", json!([regexp("^db-(.*)$", "$1")]), &[("user", "u"), ("pass", "p"), ("other", "o")]),
        (
            "braces",
            "flat",
            json!([regexp("^db-(.*)$", "${1}_db")]),
            &[("user_db", "u"), ("pass_db", "p"), ("other", "o")],
        ),
        (
            "name",
            "flat",
            json!([regexp("(?P<a>[a-z]+)-(?P<b>[a-z]+)", "${b}.${a}")]),
            &[("user.db", "u"), ("pass.db", "p"), ("other", "o")],
        ),
        (
            "dollar",
            "flat",
            json!([regexp("^db-", ""), regexp("$", "_x")]),
            &[("user_x", "u"), ("pass_x", "p"), ("other_x", "o")],
        ),
        ("none", "flat", json!([regexp("^nothing$", "x")]), &[("db-user", "u"), ("db-pass", "p"), ("other", "o")]),
        ("ignore", "objects", merge(json!({"conflictPolicy": "Ignore"})), &[("a", "1"), ("b", "[1]"), ("s", "y")]),
        (
            "priority",
            "objects",
            merge(json!({"conflictPolicy": "Ignore", "priority": ["one"]})),
            &[("a", "1"), ("b", "[1]"), ("s", "x")],
        ),
        (
            "lenient",
            "objects",
            merge(
                json!({"conflictPolicy": "Ignore", "priority": ["three", "one"], "priorityPolicy": "IgnoreNotFound"}),
            ),
            &[("a", "1"), ("b", "[1]"), ("s", "x")],
        ),
        (
            "json",
            "objects",
            merge(json!({"strategy": "JSON", "into": "all", "conflictPolicy": "Ignore"})),
            &[("all", r#"{"a":1,"b":[1],"s":"y"}"#), ("one", r#"{"a":1,"s":"x"}"#), ("two", r#"{"b":[1],"s":"y"}"#)],
        ),
        (
            "into",
            "objects",
            merge(json!({"strategy": "JSON", "into": "one", "conflictPolicy": "Ignore"})),
            &[("one", r#"{"a":1,"b":[1],"s":"y"}"#), ("two", r#"{"b":[1],"s":"y"}"#)],
        ),
        (
            "steps",
            "objects",
            json!([{"merge": {"conflictPolicy": "Ignore"}}, regexp("^", "merged-")]),
            &[("merged-a", "1"), ("merged-b", "[1]"), ("merged-s", "y")],
        ),
    ];
    place
        .apply(rows.iter().map(|(name, secret, steps, _)| external(&place, name, secret, steps.clone()).into()))
        .await?;
    for (name, _, _, data) in rows {
        place.holds(name, data).await.map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_can_not_be_rewritten_is_told_and_nothing_is_written() -> Result {
    let (place, _operator) = place("rewrite-errors").await?;
    let regexp = |source: &str, target: &str| json!([{"regexp": {"source": source, "target": target}}]);
    let merge = |options: Value| json!([{"merge": options}]);
    let rows: [Row<&[&str]>; 7] = [
        ("one-key", "flat", regexp(".*", "x"), &["both become the key \"x\"", "\"db-pass\"", "\"db-user\""]),
        ("bad-key", "flat", regexp("-", "/"), &["\"db/pass\"", "can't be a key of a Secret"]),
        ("syntax", "flat", regexp("(", ""), &["\"(\"", "RE2"]),
        ("conflict", "objects", merge(json!({})), &["more than once: s", "conflictPolicy: Ignore"]),
        ("strict", "objects", merge(json!({"priority": ["three"]})), &["\"three\"", "IgnoreNotFound"]),
        ("text", "text", merge(json!({})), &["\"plain\"", "not a JSON object"]),
        ("huge", "flat", regexp("((a{1000}){1000}){1000}", ""), &["can't be used"]),
    ];
    place
        .apply(rows.iter().map(|(name, secret, steps, _)| external(&place, name, secret, steps.clone()).into()))
        .await?;
    for (name, _, _, words) in rows {
        let told = place.failed(name, &[&["spec.dataFrom[0].extract"], words].concat()).await;
        let told = told.map_err(|error| format!("{name}: {error}"))?;
        assert!(place.secret(name).await?.is_none(), "{name}: a Secret was made");
        assert_eq!(stalled(&told).is_some(), ["syntax", "huge"].contains(&name), "{name}: only an edit mends those");
    }
    // An edit mends it.
    place.apply_external(external(&place, "syntax", "flat", regexp("^db-", ""))).await?;
    place.holds_within("syntax", &[("user", "u"), ("pass", "p"), ("other", "o")], HEALED).await?;
    Ok(())
}

/// A template for each key; errors in it name the key or the place, and only an edit mends what is wrong in itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn keys_are_made_anew_by_a_template() -> Result {
    let (place, _operator) = place("transform").await?;
    let step = |template: &str| json!([{"transform": {"template": template}}]);
    place
        .apply([
            external(&place, "upper", "flat", step("{{ .value | upper | replace \"-\" \"_\" }}")).into(),
            external(&place, "one", "flat", step("x")).into(),
            external(&place, "wrong", "flat", step("{{ .value | nope }}")).into(),
        ])
        .await?;
    place.holds("upper", &[("DB_USER", "u"), ("DB_PASS", "p"), ("OTHER", "o")]).await?;
    place.failed("one", &["both become the key \"x\""]).await?;
    let told = place.failed("wrong", &["rewrite.transform", "nope"]).await?;
    assert!(stalled(&told).is_some());
    Ok(())
}

/// A rewrite takes the place of the conversion: what it leaves is not touched further.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn conversion_is_for_entries_without_a_rewrite() -> Result {
    let (place, _operator) = Place::with_operator("conversion").await?;
    place.write("db", json!({"a/b": "1"})).await?;
    let entry = |rewrite: Value| json!([{"extract": {"key": place.key("db"), "conversionStrategy": "Unicode"}, "rewrite": rewrite}]);
    let external =
        |name: &str, rewrite: Value| External::new(name, Vec::new()).with("/spec", "dataFrom", entry(rewrite));
    let regexp = |source: &str| json!([{"regexp": {"source": source, "target": "-"}}]);
    place
        .apply([
            external("converted", json!([])).into(),
            external("rewritten", regexp("/")).into(),
            external("left", regexp("x")).into(),
        ])
        .await?;
    place.holds("converted", &[("a_U002f_b", "1")]).await?;
    place.holds("rewritten", &[("a-b", "1")]).await?;
    place.failed("left", &["\"a/b\"", "rewrite it"]).await?;
    Ok(())
}
