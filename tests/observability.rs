//! The dashboard, the alerts and the document ask only for what an operator exports.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;
#[path = "observability/promql.rs"]
mod promql;
#[path = "observability/scrape.rs"]
mod scrape;

use common::{Operator, Place, Result, SOON};
use scrape::Scrape;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use testbed::wait_until;

/// Labels that Prometheus gives to what it scrapes, and the namespace of an object where the target's went before it.
const TARGET_LABELS: &[&str] = &["instance", "pod", "exported_namespace"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/observability")
}

fn read(name: &str) -> Result<String> {
    let path = folder().join(name);
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Each query of the dashboard with its panel's title and the labels of its legend.
fn queries_of_the_dashboard() -> Result<Vec<(String, String, Vec<String>)>> {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")?)?;
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let legend = target["legendFormat"].as_str().unwrap_or_default();
            let labels = legend.split("{{").skip(1).map(|part| part.split("}}").next().unwrap().to_owned()).collect();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            queries.push((text(&panel["title"]), text(&target["expr"]), labels));
        }
    }
    Ok(queries)
}

/// Why a query finds nothing in a scrape, or groups by what is not there.
fn unknown(scrape: &Scrape, query: &str, legend: &[String]) -> Vec<String> {
    let names = promql::names(query);
    let mut unknown = Vec::new();
    let mut all: Vec<&str> = TARGET_LABELS.to_vec();
    for (metric, matched) in &names.metrics {
        let Some(found) = scrape.get(metric) else {
            unknown.push(format!("no metric {metric}"));
            continue;
        };
        let Some(labels) = &found.labels else {
            unknown.push(format!("no series of {metric}"));
            continue;
        };
        all.extend(labels.iter().map(String::as_str));
        unknown.extend(matched.difference(labels).map(|label| format!("{metric} has no label {label}")));
    }
    let asked = names.grouping.iter().chain(legend);
    unknown.extend(asked.filter(|label| !all.contains(&label.as_str())).map(|label| format!("nothing has {label}")));
    if names.metrics.is_empty() {
        unknown.push("it asks for no metric".to_owned());
    }
    unknown
}

#[test]
fn a_query_for_what_is_not_there_is_told() {
    let text = "# TYPE a gauge\na{x=\"1\"} 1\n# TYPE b gauge\n";
    let told = |query: &str, legend: &str| unknown(&scrape::read(text), query, &[legend.to_owned()]).join(", ");
    assert_eq!(told("sum by (x) (a{x=\"1\"})", "pod"), "");
    assert_eq!(told("sum(c)", "pod"), "no metric c");
    assert_eq!(told("b + a{y=\"1\"}", "x"), "no series of b, a has no label y");
    assert_eq!(told("sum by (y) (a)", "z"), "nothing has y, nothing has z");
    assert_eq!(told("vector(1)", "pod"), "it asks for no metric");
}

/// An operator that leads, with an ExternalSecret that works and one that does not, stores of both kinds, and a secret id that ends.
async fn scraped() -> Result<Scrape> {
    let place = Place::with_role("observability", json!({"secret_id_ttl": "1h", "secret_id_num_uses": 100})).await?;
    let name = place.name();
    let policy = format!(
        "path \"kv/data/{name}/*\" {{ capabilities = [\"read\"] }}\n\
         path \"auth/{}/role/{name}/secret-id/lookup\" {{ capabilities = [\"update\"] }}\n",
        place.role.mount
    );
    place.stack.vault().write_policy(name, &policy).await?;
    let mut store = place.store("vault");
    store["spec"]["controller"] = json!(name);
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply([place.credentials(), store, place.cluster_store(name, place.app_role())]).await?;
    place.apply_external(place.external("good", &[("password", "db#password")])).await?;
    place.apply_external(place.external("bad", &[("password", "db#nope")])).await?;
    let election = ["--enable-leader-election", "--leader-election-id=observed", "--leader-election-namespace", name];
    let operator = Operator::start_with(&[&["--controller-class", name][..], &election[..]].concat(), None).await?;
    operator.ready().await?;
    place.ready("good").await?;
    place.failed("bad", &[]).await?;
    place.cluster_store_is(name, "True", &[]).await?;
    let found = wait_until("a series of every metric", SOON, async || {
        let (_, text) = operator.get("/metrics").await.map_err(|error| error.to_string())?;
        let scrape = scrape::read(&text);
        let missing: Vec<_> = scrape.iter().filter(|(_, metric)| metric.labels.is_none()).collect();
        if missing.is_empty() { Ok(scrape) } else { Err(format!("{missing:?}")) }
    });
    let scrape = found.await?;
    place.delete_cluster_store(name).await?;
    Ok(scrape)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn everything_that_is_asked_for_is_exported() -> Result {
    let scrape = scraped().await?;
    let (_, table) = include_str!("../docs/observability.md").split_once("\n## Metrics\n").expect("the table");
    let table = table.split("\n## ").next().unwrap().lines();
    let told: std::collections::BTreeSet<_> =
        table.filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let base = |name| ["_bucket", "_sum", "_count"].iter().fold(name, |name: &str, end| name.trim_end_matches(end));
    let exported =
        scrape.iter().map(|(name, metric)| if metric.kind == "histogram" { base(name) } else { name.as_str() });
    assert_eq!(told, exported.collect());
    let queries = queries_of_the_dashboard()?;
    assert!(queries.len() > 20, "{queries:?}");
    for (title, query, legend) in &queries {
        let unknown = unknown(&scrape, query, legend);
        assert!(unknown.is_empty(), "{title}: {query}: {unknown:?}");
    }
    for rule in rules(&yaml("alerts.yaml")?) {
        let unknown = unknown(&scrape, rule["expr"].as_str().unwrap(), &[]);
        assert!(unknown.is_empty(), "{}: {unknown:?}", rule["alert"]);
    }
    Ok(())
}

fn yaml(name: &str) -> Result<Value> {
    Ok(serde_saphyr::from_str(&read(name)?)?)
}

fn rules(file: &Value) -> Vec<Value> {
    file["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn both_forms_of_the_alerts_are_one_and_each_is_told_and_tried() -> Result {
    let (plain, object) = (yaml("alerts.yaml")?, yaml("prometheus-rule.yaml")?);
    assert_eq!(plain["groups"], object["spec"]["groups"]);
    let tried = read("alerts_test.yaml")?;
    for rule in rules(&plain) {
        let name = rule["alert"].as_str().unwrap();
        assert!(rule["annotations"]["summary"].is_string(), "{name}");
        assert!(rule["annotations"]["description"].as_str().is_some_and(|text| text.contains("kubectl ")), "{name}");
        assert!(tried.contains(&format!("alertname: {name}\n        exp_alerts:\n")), "{name} fires in no test");
        assert!(tried.contains(&format!("alertname: {name}\n        exp_alerts: []")), "{name} is silent in no test");
    }
    Ok(())
}

#[test]
fn panels_are_told_and_do_not_cover_each_other() -> Result {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")?)?;
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut cells) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24, "{panel}");
        for (x, y) in
            (side("x")..side("x") + side("w")).flat_map(|x| (side("y")..side("y") + side("h")).map(move |y| (x, y)))
        {
            assert!(cells.insert((x, y)), "{} covers another", panel["title"]);
        }
        if panel["type"] != "row" {
            assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{panel}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
        }
    }
    Ok(())
}
