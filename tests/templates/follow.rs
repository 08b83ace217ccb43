//! Templates in ConfigMaps and Secrets: who edits them need not touch the ExternalSecret.

use crate::common::place::secret;
use crate::common::{A_WHILE, External, HEALED, Place, Result};
use crate::{config_map, place, secret_now, templated};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::{Value, json};
use testbed::{holds_for, wait_until};

/// Reads its one template from the key `url` of an object of this kind (`configMap` or `secret`).
fn reader(place: &Place, name: &str, kind: &str, source: &str) -> External {
    templated(place, name, json!({"templateFrom": [{kind: {"name": source, "items": [{"key": "url"}]}}]}))
}

fn holder(kind: &str, name: &str, text: &str) -> Value {
    match kind {
        "configMap" => config_map(name, json!({"url": text})),
        _ => secret(name, &[("url", text)]),
    }
}

async fn changes_are_followed(kind: &str) -> Result {
    let (place, _operator) = place(&format!("template-{}", kind.to_lowercase())).await?;
    // The ExternalSecret first: the watch tells of all versions of its templates.
    place.apply([reader(&place, "db", kind, "templates").into()]).await?;
    place.failed("db", &["does not exist"]).await?;
    for round in ["1", "2", "3"] {
        place.apply([holder(kind, "templates", &format!("{{{{ .user }}}}@{round}"))]).await?;
        place.holds_within("db", &[("url", &format!("admin@{round}"))], HEALED).await?;
        place.ready_within("db", HEALED).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_changed_config_map_is_followed() -> Result {
    changes_are_followed("configMap").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_changed_secret_is_followed() -> Result {
    changes_are_followed("secret").await
}

/// The templates stood there long before anybody asked for them, while all watches ran.
async fn changes_of_old_templates_are_followed(kind: &str) -> Result {
    let (place, _operator) = place(&format!("template-old-{}", kind.to_lowercase())).await?;
    let first =
        [holder(kind, "first-templates", "{{ .user }}"), reader(&place, "first", kind, "first-templates").into()];
    place.apply(first).await?;
    place.ready("first").await?;
    place.apply([holder(kind, "old-templates", "{{ .user }}@1")]).await?;
    // The watch has told of it: what came later is followed.
    place.apply([holder(kind, "first-templates", "{{ .user }}@2")]).await?;
    place.holds_within("first", &[("url", "admin@2")], HEALED).await?;
    place.apply([reader(&place, "old", kind, "old-templates").into()]).await?;
    place.holds("old", &[("url", "admin@1")]).await?;
    place.ready("old").await?;
    for round in ["2", "3"] {
        place.apply([holder(kind, "old-templates", &format!("{{{{ .user }}}}@{round}"))]).await?;
        place.holds_within("old", &[("url", &format!("admin@{round}"))], HEALED).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_of_an_old_config_map_is_followed() -> Result {
    changes_of_old_templates_are_followed("configMap").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_of_an_old_secret_is_followed() -> Result {
    changes_of_old_templates_are_followed("secret").await
}

/// A change costs its readers one read each, and the others nothing; where it makes no other Secret, none is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_change_costs_its_readers_alone() -> Result {
    let (place, _operator) = place("template-cost").await?;
    place.write("other", json!({"user": "u"})).await?;
    let other = place.external("other", &[("user", "other#user")]);
    let objects = [
        config_map("shared", json!({"url": "{{ .user }}@1"})),
        reader(&place, "one", "configMap", "shared").into(),
        reader(&place, "two", "configMap", "shared").into(),
        other.with("/spec", "target", json!({"template": {"data": {"u": "{{ .user }}"}}})).into(),
    ];
    place.apply(objects).await?;
    for name in ["one", "two"] {
        place.holds(name, &[("url", "admin@1")]).await?;
        place.ready(name).await?;
    }
    place.ready("other").await?;
    place.proxy.reset();
    place.apply([holder("configMap", "shared", "{{ .user }}@2")]).await?;
    for name in ["one", "two"] {
        place.holds_within(name, &[("url", "admin@2")], HEALED).await?;
    }
    let is_one_each = async || match (place.reads("db"), place.reads("other"), place.proxy.logins()) {
        (1..=2, 0, 0) => Ok(()),
        _ => Err(place.proxy.summary()),
    };
    holds_for("one read for each reader", A_WHILE, is_one_each).await?;

    let version = secret_now(&place, "one").await?["metadata"]["resourceVersion"].clone();
    place.proxy.reset();
    let same = json!({"url": "{{/* the same */}}{{ .user }}@2", "more": "not read"});
    place.apply([config_map("shared", same)]).await?;
    wait_until("the readers' look", HEALED, async || match place.reads("db") {
        0 => Err(place.proxy.summary()),
        _ => Ok(()),
    })
    .await?;
    holds_for("one read for each reader", A_WHILE, is_one_each).await?;
    assert_eq!(secret_now(&place, "one").await?["metadata"]["resourceVersion"], version, "the same Secret");

    // Of a ConfigMap that nobody reads, nothing.
    place.proxy.reset();
    place.apply([config_map("unread", json!({"url": "{{ .user }}"}))]).await?;
    place.apply([config_map("unread", json!({"url": "{{ .password }}"}))]).await?;
    holds_for("silence", A_WHILE, async || match place.proxy.requests().len() {
        0 => Ok(()),
        _ => Err(place.proxy.summary()),
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_missing_config_map_is_told_and_heals() -> Result {
    let (place, _operator) = place("template-absent").await?;
    // The watch of ConfigMaps runs already.
    place.apply([holder("configMap", "there", "x"), reader(&place, "there", "configMap", "there").into()]).await?;
    place.ready("there").await?;
    place
        .apply([
            reader(&place, "map", "configMap", "absent").into(),
            reader(&place, "secret", "secret", "absent").into(),
        ])
        .await?;
    let words = |kind: &str| {
        ["spec.target.template.templateFrom", kind, "absent\" does not exist", "create it"].map(str::to_owned)
    };
    for (name, kind) in [("map", "ConfigMap"), ("secret", "Secret")] {
        let words = words(kind);
        place.failed(name, &words.each_ref().map(String::as_str)).await?;
        assert!(place.secret(name).await?.is_none(), "{name}");
    }

    place.apply([config_map("absent", json!({"other": "x"})), secret("absent", &[("other", "x")])]).await?;
    for (name, kind) in [("map", "ConfigMap"), ("secret", "Secret")] {
        let words = [kind, "has no key \"url\"", "add it"];
        place.failed_within(name, &words, HEALED).await?;
        assert!(place.secret(name).await?.is_none(), "{name}");
    }
    place.apply([holder("configMap", "absent", "{{ .user }}@1"), holder("secret", "absent", "{{ .user }}@1")]).await?;
    for name in ["map", "secret"] {
        place.holds_within(name, &[("url", "admin@1")], HEALED).await?;
        place.ready_within(name, HEALED).await?;
    }

    // Gone again, it is told, and the Secret stays as it was.
    place.delete::<ConfigMap>("absent").await?;
    place.delete::<Secret>("absent").await?;
    for name in ["map", "secret"] {
        place.failed_within(name, &["does not exist"], HEALED).await?;
        place.holds(name, &[("url", "admin@1")]).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn templates_are_never_written_over() -> Result {
    let (place, _operator) = place("template-own").await?;
    let target = json!({
        "name": "templates",
        "template": {"templateFrom": [{"secret": {"name": "templates", "items": [{"key": "url"}]}}]},
    });
    place.apply([holder("secret", "templates", "{{ .user }}")]).await?;
    place.apply([reader(&place, "db", "secret", "templates").with("/spec", "target", target).into()]).await?;
    place.failed("db", &["templates are read from", "choose another spec.target.name"]).await?;
    place.holds("templates", &[("url", "{{ .user }}")]).await?;
    Ok(())
}
