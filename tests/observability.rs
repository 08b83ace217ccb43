//! The dashboard, the alerts and the document, held to a real Prometheus that scrapes a real operator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;
#[allow(dead_code, reason = "the pictures need more of it than the queries")]
#[path = "panels/src/dashboard.rs"]
mod dashboard;
#[path = "observability/scenario.rs"]
mod scenario;

use common::{Result, SOON};
use dashboard::Dashboard;
use scenario::Scenario;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use testbed::{Binaries, Guard, Tool, wait_until};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/observability")
}

fn read(name: &str) -> Result<String> {
    let path = folder().join(name);
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Runs promtool in the folder of the rules.
async fn promtool(args: &[&str], input: &str) -> Result<Output> {
    let guard = Guard::new()?;
    let mut command = Command::new(Binaries::tool(&guard, Tool::Promtool).await?);
    command.args(args).current_dir(folder()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    child.stdin.take().unwrap().write_all(input.as_bytes())?;
    Ok(child.wait_with_output()?)
}

#[tokio::test]
async fn promtool_takes_the_alerts_and_sees_each_fire_and_be_silent() -> Result {
    for args in
        [&["check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"][..], &["test", "rules", "alerts_test.yaml"]]
    {
        let output = promtool(args, "").await?;
        assert!(output.status.success(), "promtool {args:?}: {output:?}");
    }
    Ok(())
}

/// What promtool has against names that are External Secrets Operator's, and stay for its dashboards.
const GIVEN: &[&str] = &[
    "externalsecret_provider_api_calls_count counter metrics should have \"_total\" suffix",
    "externalsecret_provider_api_calls_count non-histogram and non-summary metrics should not have \"_count\" suffix",
    "externalsecret_sync_calls_error counter metrics should have \"_total\" suffix",
];

/// A real operator with all that can go well and wrong, scraped by a real Prometheus that has the alerts: each question is put to both.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn everything_that_is_asked_for_is_exported() -> Result {
    let scenario = Scenario::start(&folder().join("alerts.yaml")).await?;
    alerts_are_pending(&scenario).await?;
    for panel in Dashboard::read()?.panels {
        assert_eq!(panel.kind == "row", panel.targets.is_empty(), "{}", panel.title);
        for query in &panel.targets {
            let expression = query.over("1m");
            let series = scenario.series(&expression).await.map_err(|error| format!("{}: {error}", panel.title))?;
            for (one, label) in series.iter().flat_map(|one| query.legend_labels().map(move |label| (one, label))) {
                assert!(one["metric"][label].is_string(), "{}: no {label} in {one}", panel.title);
            }
            assert_eq!(missing(&scenario, &expression).await?, [""; 0], "{}", panel.title);
            if panel.title == "ExternalSecrets that are not ready" {
                // What other tests left behind is there too: without a store, it is nobody else's.
                let own = series.iter().filter(|one| one["metric"]["namespace"] == scenario.place.name());
                let found: BTreeSet<_> = own.map(|one| one["metric"].to_string()).collect();
                let expected =
                    ["bad", "forbidden"].map(|name| json!({"namespace": scenario.place.name(), "name": name}));
                assert_eq!(found, expected.iter().map(Value::to_string).collect());
            }
        }
    }
    for rule in rules(&yaml("alerts.yaml")?) {
        assert_eq!(missing(&scenario, rule["expr"].as_str().unwrap()).await?, [""; 0], "{}", rule["alert"]);
    }
    let condition = "externalsecret_status_condition";
    for (expression, expected) in [
        ("vector(1)".to_owned(), "any metric".to_owned()),
        (
            format!("sum({condition}{{reason=\"x\"}}) or vector(0)"),
            format!("{{reason=\"x\",__name__=\"{condition}\"}}"),
        ),
    ] {
        assert_eq!(missing(&scenario, &expression).await?, [expected]);
    }
    the_table_tells_every_metric(&scenario).await?;
    names_are_good(&scenario).await?;
    scenario.end().await
}

/// Prometheus evaluates every rule, and those whose condition holds wait for their time to pass.
async fn alerts_are_pending(scenario: &Scenario) -> Result {
    let expected = [
        "ClusterSecretStoreNotReady",
        "ExternalSecretNotReady",
        "ExternalSecretStale",
        "ExternalSecretsProviderErrors",
        "SecretIdEndsSoon",
        "SecretIdUsesLow",
        "SecretStoreNotReady",
    ];
    wait_until("the alerts", SOON, async || {
        let data = scenario.prometheus.get("rules", &[]).await.map_err(|error| error.to_string())?;
        let rules = rules(&data);
        let is_well = rules.len() > expected.len() && rules.iter().all(|rule| rule["health"] == "ok");
        let mut names: Vec<_> =
            rules.iter().filter(|rule| rule["state"] == "pending").map(|rule| rule["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        if is_well && names == expected { Ok(()) } else { Err(data.to_string()) }
    })
    .await?;
    Ok(())
}

/// What an expression is about and is not there: metrics with the labels that they are asked for with. The expression alone would not
/// tell: beside an `or` or a condition, what is not there looks like what is well.
async fn missing(scenario: &Scenario, expression: &str) -> Result<Vec<String>> {
    let tree = scenario.prometheus.get("parse_query", &[("query", expression)]).await?;
    let (mut selectors, mut rest) = (BTreeSet::new(), vec![&tree]);
    while let Some(node) = rest.pop() {
        if let Some(matchers) = node["matchers"].as_array() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let matchers =
                matchers.iter().map(|one| format!("{}{}{}", text(&one["name"]), text(&one["type"]), one["value"]));
            selectors.insert(format!("{{{}}}", matchers.collect::<Vec<_>>().join(",")));
        }
        rest.extend(node.as_array().into_iter().flatten());
        rest.extend(node.as_object().into_iter().flat_map(serde_json::Map::values));
    }
    if selectors.is_empty() {
        return Ok(vec!["any metric".to_owned()]);
    }
    let mut missing = Vec::new();
    for selector in selectors {
        if scenario.prometheus.query(&selector).await?.is_empty() {
            missing.push(selector);
        }
    }
    Ok(missing)
}

async fn the_table_tells_every_metric(scenario: &Scenario) -> Result {
    let (_, table) = include_str!("../docs/observability.md").split_once("\n## Metrics\n").expect("the table");
    let table = table.split("\n## ").next().unwrap().lines();
    let told: BTreeSet<_> = table.filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let metadata = scenario.prometheus.get("metadata", &[]).await?;
    let exported: BTreeSet<_> = metadata.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(told, exported);
    Ok(())
}

async fn names_are_good(scenario: &Scenario) -> Result {
    let (_, scrape) = scenario.operator.get("/metrics").await?;
    let output = promtool(&["check", "metrics"], &scrape).await?;
    let complaints = String::from_utf8(output.stderr)?;
    assert_eq!(complaints.lines().collect::<Vec<_>>(), GIVEN, "{}", String::from_utf8_lossy(&output.stdout));
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
