//! Templates that are wrong, or mean harm.

use crate::common::place::Place;
use crate::common::{A_WHILE, External, HEALED, Operator, Result, message, stalled};
use crate::{VALUE, place, secret_now};
use serde_json::{Value, json};
use testbed::holds_for;

/// An ExternalSecret of all of `db`, value included.
fn templated(place: &Place, name: &str, template: Value) -> External {
    let data = [("user", "db#user"), ("password", "db#password"), ("value", "db#value")];
    place.external(name, &data).with("/spec", "target", json!({"template": template}))
}

fn of_url(text: &str) -> Value {
    json!({"data": {"url": text}})
}

/// Checks that nothing that people can see of an ExternalSecret holds the value.
async fn shows_nothing(place: &Place, operator: &Operator, name: &str) -> Result {
    let object = place.api::<external_secrets_rs::api::ExternalSecret>().get(name).await?;
    let status = serde_json::to_string(&object.status)?;
    let events = format!("{:?}", place.events(name).await?);
    for (what, text) in [("status", status), ("events", events), ("log", operator.log())] {
        let is_told = VALUE.split(' ').any(|word| word.len() > 4 && text.contains(word));
        assert!(!is_told, "{name}: {what} holds the value: {text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn errors_name_the_place_and_no_value_and_keep_the_secret() -> Result {
    let (place, operator) = place("template-errors").await?;
    let rows: [(&str, Value, &[&str], bool); 10] = [
        ("missing", of_url("{{ .user }}\n  {{ .nope }}"), &["template \"data.url\"", "line 2, column", "nope"], false),
        ("syntax", of_url("{{ .user"), &["template \"data.url\"", "line 1, column"], true),
        ("function", of_url("a\nb{{ exec .value }}"), &["line 2, column 5", "exec"], true),
        ("refused", of_url("{{ env \"HOME\" }}"), &["line 1, column", "env"], true),
        ("fail", of_url("{{ fail .value }}"), &["line 1, column", "fail"], false),
        ("type", of_url("{{ index .value .value }}"), &["line 1, column", "index"], false),
        ("regex", of_url("{{ mustRegexMatch (cat .value \"(\") .user }}"), &["line 1, column"], false),
        (
            "label",
            json!({"metadata": {"labels": {"for": "{{ .value }}"}}}),
            &["template \"metadata.labels.for\""],
            false,
        ),
        (
            "map",
            json!({"templateFrom": [{"literal": "- {{ .value | quote }}"}]}),
            &["templateFrom[0].literal", "YAML"],
            false,
        ),
        (
            "key",
            json!({"templateFrom": [{"literal": "{{ .value | quote }}: x"}]}),
            &["templateFrom[0].literal", "key"],
            false,
        ),
    ];
    place.apply(rows.iter().map(|(name, ..)| templated(&place, name, of_url("{{ .user }}@db")).into())).await?;
    for (name, ..) in &rows {
        place.holds(name, &[("url", "admin@db")]).await?;
        place.ready(name).await?;
    }
    place.apply(rows.iter().map(|(name, template, ..)| templated(&place, name, template.clone()).into())).await?;
    for (name, _, words, is_stalled) in &rows {
        let told = place.failed(name, words).await?;
        assert_eq!(stalled(&told).is_some(), *is_stalled, "{name}: only an edit mends it: {}", message(&told));
        place.event(name, "Warning", "UpdateFailed", words).await?;
        shows_nothing(&place, &operator, name).await?;
        place.holds(name, &[("url", "admin@db")]).await?;
    }
    // An edit mends each.
    place.apply(rows.iter().map(|(name, ..)| templated(&place, name, of_url("{{ .user }}@2")).into())).await?;
    for (name, ..) in rows {
        place.holds_within(name, &[("url", "admin@2")], HEALED).await?;
        place.ready_within(name, HEALED).await?;
    }
    Ok(())
}

/// Each of these stops the peer. Here it ends at once with an error, and what stands beside it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn hostile_templates_harm_nobody_else() -> Result {
    let (place, operator) = place("template-hostile").await?;
    place.write("well", json!({"v": "1"})).await?;
    let well = place.external("well", &[("v", "well#v")]).every("1s");
    place.apply_external(well.with("/spec", "target", json!({"template": {"data": {"v": "{{ .v }}"}}}))).await?;
    place.holds("well", &[("v", "1")]).await?;

    let nested = format!("{{{{ {}1{} }}}}", "(".repeat(5000), ")".repeat(5000));
    let rows = [
        ("repeat", "{{ repeat 2000000000 \"x\" }}", "more than"),
        ("until", "{{ until 2000000000 }}", "too much work"),
        ("range", "{{ range until 1000000 }}{{ range until 1000000 }}x{{ end }}{{ end }}", "line 1, column"),
        ("double", "{{ $x := \"x\" }}{{ range until 64 }}{{ $x = cat $x $x }}{{ end }}{{ $x }}", "more than"),
        ("self", "{{ define \"t\" }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}", "nested more than"),
        ("nested", &nested, "line 1, column"),
    ];
    place.apply(rows.iter().map(|(name, text, _)| templated(&place, name, of_url(text)).every("1s").into())).await?;
    for (name, _, word) in rows {
        place.failed_within(name, &["template \"data.url\"", "line 1, column", word], HEALED).await?;
        assert!(place.secret(name).await?.is_none(), "{name}");
    }
    // While they fail again and again.
    for round in ["2", "3", "4"] {
        place.write("well", json!({"v": round})).await?;
        place.holds_within("well", &[("v", round)], HEALED).await?;
    }
    let version = secret_now(&place, "well").await?["metadata"]["resourceVersion"].clone();
    holds_for("a well operator", A_WHILE, async || match operator.get("/readyz").await {
        Ok((200, _)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    assert_eq!(secret_now(&place, "well").await?["metadata"]["resourceVersion"], version);
    Ok(())
}
