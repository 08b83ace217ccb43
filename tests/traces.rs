//! Traces, as a collector sees them: what a sync waited for, nothing secret, and no harm from a collector that is dead.
//! `cargo test --features otel --test traces`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "traces/collector.rs"]
mod collector;
mod common;

use collector::{Collector, Mood, Told};
use common::objects::External;
use common::{HEALED, Operator, Place, Result, SOON};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use testbed::{KvVersion, wait_until};

const VALUE: &str = "hunter2-of-traces";
/// Exported this often, in milliseconds: a test has no five seconds to wait.
const OFTEN: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "100");
/// Never, within a test.
const SELDOM: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "3600000");
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// A place with a secret and a store, and an operator with these arguments and variables.
async fn rig(hint: &str, args: &[&str], variables: &[(&str, &str)]) -> Result<(Place, Operator)> {
    let place = Place::new(hint).await?;
    place.apply([place.credentials(), place.store("vault")]).await?;
    place.write("db", json!({"password": VALUE})).await?;
    let args = [&["--namespace", place.name()], args].concat();
    let operator = Operator::start_in(&args, variables.iter().copied()).await?;
    operator.ready().await?;
    Ok((place, operator))
}

async fn synced(place: &Place, name: &str) -> Result {
    place.apply_external(place.external(name, &[("password", "db#password")])).await?;
    place.holds_within(name, &[("password", VALUE)], HEALED).await?;
    place.ready(name).await?;
    Ok(())
}

/// The root of the first trace about this object, once the collector has it, with all of its trace.
async fn trace(collector: &Collector, name: &str) -> Result<(Told, Vec<Told>)> {
    let what = format!("a trace about {name}");
    let found = wait_until(&what, SOON, async || {
        let spans = collector.spans();
        let root = spans.iter().find(|span| span.parent.is_empty() && span.get("name") == name);
        let root = root.ok_or_else(|| format!("{:?}", names(&spans)))?.clone();
        let trace: Vec<Told> = spans.into_iter().filter(|span| span.trace == root.trace).collect();
        Ok::<_, String>((root, trace))
    });
    Ok(found.await?)
}

fn names(spans: &[Told]) -> BTreeSet<&str> {
    spans.iter().map(|span| span.name.as_str()).collect()
}

fn below<'a>(spans: &'a [Told], parent: &Told, name: &str) -> Vec<&'a Told> {
    spans.iter().filter(|span| span.parent == parent.id && span.name == name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sync_is_told_with_what_it_waited_for() -> Result {
    let collector = Collector::start(Mood::Takes).await?;
    let (place, operator) = rig("told", &["--otlp-endpoint", &collector.url], &[OFTEN]).await?;
    synced(&place, "db").await?;
    let (root, trace_of_db) = trace(&collector, "db").await?;
    assert_eq!(root.name, "reconcile");
    let about = ["kind", "namespace", "lane", "cause", "result", "reason"].map(|name| root.get(name));
    assert_eq!(about, ["ExternalSecret", place.name(), "urgent", "new", "created", "SecretSynced"]);
    assert_eq!(root.error, None);

    let [read] = below(&trace_of_db, &root, "vault.read")[..] else { panic!("{trace_of_db:#?}") };
    assert_eq!(format!("/v1/{}", read.get("vault.path")), place.read_at("db"));
    assert_eq!((read.get("result"), &read.error), ("ok", &None));
    let [asked] = below(&trace_of_db, read, "vault.request")[..] else { panic!("{trace_of_db:#?}") };
    let about = ["http.request.method", "http.response.status_code", "vault.call", "vault.address"];
    assert_eq!(about.map(|name| asked.get(name)), ["GET", "200", "ReadSecretData", &place.proxy.url()]);
    assert!(root.took >= read.took && read.took >= asked.took && asked.took > 0, "{trace_of_db:#?}");

    let [created] = below(&trace_of_db, &root, "kubernetes.create")
        .into_iter()
        .filter(|span| span.get("http.url").contains("/secrets?"))
        .collect::<Vec<_>>()[..]
    else {
        panic!("{trace_of_db:#?}")
    };
    assert_eq!((created.get("http.method"), created.get("http.status_code")), ("POST", "201"));
    let patched = below(&trace_of_db, &root, "kubernetes.patch");
    assert!(patched.iter().any(|span| span.get("http.url").contains("/db/status?")), "{trace_of_db:#?}");

    // Whoever came first logged in: the store or the ExternalSecret.
    let spans = collector.spans();
    let login =
        spans.iter().find(|span| span.name == "vault.login" && !below(&spans, span, "vault.request").is_empty());
    let login = login.unwrap_or_else(|| panic!("{spans:#?}"));
    assert_eq!((login.get("vault.mount"), login.get("result")), (place.role.mount.as_str(), "ok"));
    assert_eq!(below(&spans, login, "vault.request")[0].get("http.response.status_code"), "200");
    let (store, _) = trace(&collector, "vault").await?;
    assert_eq!(["kind", "result", "reason"].map(|name| store.get(name)), ["SecretStore", "ok", "Valid"]);
    operator.stop()?;
    no_span_is_lost(&collector.spans());
    Ok(())
}

/// Every trace begins with a reconcile, and every other span has a parent in it: watches, renewals and the export are not told.
fn no_span_is_lost(spans: &[Told]) {
    for span in spans {
        assert_eq!((span.trace.len(), span.id.len()), (16, 8), "{span:?}");
        if span.parent.is_empty() {
            assert_eq!(span.name, "reconcile", "{span:?}");
        } else {
            let parent = spans.iter().find(|other| other.id == span.parent);
            assert_eq!(parent.map(|parent| &parent.trace), Some(&span.trace), "{span:?}");
        }
        let known = ["reconcile", "vault.login", "vault.read", "vault.list", "vault.request"];
        assert!(known.contains(&span.name.as_str()) || span.name.starts_with("kubernetes."), "{span:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_fails_and_what_is_found_is_told() -> Result {
    let collector = Collector::start(Mood::Takes).await?;
    let (place, _operator) = rig("fails", &["--otlp-endpoint", &collector.url], &[OFTEN]).await?;
    place.apply_external(place.external("missing", &[("password", "nope#password")])).await?;
    let told = place.failed("missing", &[]).await?;
    let (root, spans) = trace(&collector, "missing").await?;
    assert_eq!((root.get("result"), root.get("reason")), ("failed", "SecretSyncedError"));
    assert_eq!(root.error.as_deref(), Some(&*common::message(&told)), "the condition's message");
    let read = below(&spans, &root, "vault.read")[0];
    assert!(read.get("result") == "gone" && read.error.is_some(), "{read:?}");
    assert_eq!(below(&spans, read, "vault.request")[0].get("http.response.status_code"), "404");

    let folders = place.namespace.kv("found", KvVersion::V2).await?;
    folders.write("team/db", json!({"password": VALUE})).await?;
    let find = json!([{"find": {"path": "team", "name": {"regexp": ".*"}}}]);
    let found = External::new("found", Vec::new()).from_store("folders").with("/spec", "dataFrom", find);
    place.apply([place.store_at("folders", Some(folders.mount()), "v2"), found.into()]).await?;
    place.ready("found").await?;
    let spans = wait_until("a list", SOON, async || {
        let spans = collector.spans();
        if names(&spans).contains("vault.list") { Ok(spans) } else { Err(format!("{:?}", names(&spans))) }
    })
    .await?;
    let list = spans.iter().find(|span| span.name == "vault.list").unwrap();
    assert_eq!(list.get("vault.path"), format!("{}/metadata/team", folders.mount()));
    assert_eq!(below(&spans, list, "vault.request")[0].get("vault.call"), "ListSecrets");
    Ok(())
}

/// What the standard's variables say is heeded, and what is exported holds neither a value nor a credential; nor do log lines
/// change.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_secret_is_exported_and_the_log_stays_as_it_is() -> Result {
    let collector = Collector::start(Mood::Takes).await?;
    let variables = [
        OFTEN,
        (ENDPOINT, collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter3,x-tenant=a"),
        ("OTEL_SERVICE_NAME", "secrets-of-a"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=overruled"),
    ];
    let (place, operator) = rig("clean", &[], &variables).await?;
    synced(&place, "db").await?;
    place.write("db", json!({"password": "hunter4"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password"), ("into", "db#password.deeper")])).await?;
    place.failed("db", &[]).await?;
    trace(&collector, "db").await?;
    let lines = operator.lines();
    let log = operator.stop()?.log;

    let mut needles = vec!["hunter".to_owned(), place.role.secret_id.clone(), "aHVudGVy".to_owned()];
    needles.extend(place.proxy.requests().iter().filter_map(|seen| seen.header("x-vault-token").map(str::to_owned)));
    assert!(needles.len() > 3, "no token was seen");
    let taken = collector.taken();
    let is_legible = |body: &[u8]| String::from_utf8_lossy(body).contains(&place.key("db"));
    assert!(taken.iter().any(|(_, body)| is_legible(body)), "a path is found as a value would be");
    for (headers, body) in taken {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        assert_eq!((&headers["authorization"], &headers["x-tenant"]), (&"Bearer hunter3".parse()?, &"a".parse()?));
        let body = String::from_utf8_lossy(&body);
        needles.iter().for_each(|needle| assert!(!body.contains(needle.as_str()), "{needle:?} was exported: {body}"));
    }
    needles.iter().for_each(|needle| assert!(!log.contains(needle.as_str()), "{needle:?} was logged: {log}"));
    let resource = &collector.spans()[0].resource;
    assert_eq!((&*resource["service.name"], &*resource["deployment.environment.name"]), ("secrets-of-a", "test"));
    assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));

    let created = lines.iter().find(|line| line["message"] == "secret created").unwrap();
    let fields: Vec<&String> = created.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["level", "message", "name", "namespace", "target", "timestamp"], "{created}");
    assert!(lines.iter().all(|line| line.get("span").is_none() && line.get("spans").is_none()), "{log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_exports_what_is_left() -> Result {
    let collector = Collector::start(Mood::Takes).await?;
    let (place, operator) = rig("flush", &["--otlp-endpoint", &format!("{}/", collector.url)], &[SELDOM]).await?;
    synced(&place, "db").await?;
    assert_eq!(collector.taken().len(), 0, "it is not yet time to export");
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    trace(&collector, "db").await?;
    no_span_is_lost(&collector.spans());
    Ok(())
}

/// With a queue so small that it is full at once, so that what hangs would hang here.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_dead_collector_slows_no_sync_and_is_told_of_once() -> Result {
    let hanging = Collector::start(Mood::Hangs).await?;
    // Nobody listens where somebody just has.
    let refused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        format!("http://{}", listener.local_addr()?)
    };
    for (hint, url, is_told) in [("hangs", &hanging.url, false), ("refuses", &refused, true)] {
        let small = [("OTEL_BSP_MAX_QUEUE_SIZE", "8"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"), OFTEN];
        let (place, operator) = rig(hint, &["--otlp-endpoint", url], &small).await?;
        let names: Vec<String> = (0..20).map(|number| format!("db-{number}")).collect();
        let entry = [("password", "db#password")];
        let start = Instant::now();
        place.apply(names.iter().map(|name| place.external(name, &entry).into())).await?;
        for name in &names {
            place
                .holds_within(name, &[("password", VALUE)], HEALED)
                .await
                .map_err(|error| format!("{hint}: {error}"))?;
        }
        assert!(start.elapsed() < SOON, "{hint}: {:?}", start.elapsed());
        if is_told {
            wait_until("a warning", SOON, async || match complaints(&operator)[..] {
                [] => Err(operator.log()),
                _ => Ok(()),
            })
            .await?;
            // More batches that fail.
            place.apply(names.iter().map(|name| place.external(name, &entry).every("1s").into())).await?;
            wait_until("reads", SOON, async || match place.reads("db") {
                reads if reads >= 5 => Ok(()),
                reads => Err(format!("{reads} reads")),
            })
            .await?;
            let told = complaints(&operator);
            assert!(told.len() == 1 && told[0].contains("Connection refused"), "{told:#?}");
            assert_eq!(operator.complaints().len(), 1, "{}", operator.log());
        }
        let stopped = operator.stop()?;
        assert_eq!(stopped.code, Some(0), "{}", stopped.log);
        assert!(stopped.took < Duration::from_secs(6), "{hint}: {:?}", stopped.took);
    }
    Ok(())
}

fn complaints(operator: &Operator) -> Vec<String> {
    operator.complaints().into_iter().filter(|line| line.contains("traces can't be exported")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_collector_that_recovers_is_told_of() -> Result {
    let collector = Collector::start(Mood::Refuses).await?;
    let (place, operator) = rig("recovers", &["--otlp-endpoint", &collector.url], &[OFTEN]).await?;
    synced(&place, "db").await?;
    let told =
        wait_until("a warning", SOON, async || complaints(&operator).pop().ok_or_else(|| operator.log())).await?;
    assert!(told.contains("401") && told.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{told}");
    collector.set(Mood::Takes);
    synced(&place, "again").await?;
    trace(&collector, "again").await?;
    let says = |line: &Value| line["level"] == "INFO" && line["message"] == "traces are exported again";
    wait_until("its recovery", SOON, async || match operator.lines().iter().any(says) {
        true => Ok(()),
        false => Err(operator.log()),
    })
    .await?;
    // Log levels change here too.
    assert_eq!(operator.put_log_level("error").await?, (200, "error\n".to_owned()));
    synced(&place, "quiet").await?;
    trace(&collector, "quiet").await?;
    let lines = operator.lines();
    assert_eq!(lines.last().unwrap()["message"], "log level changed", "{}", operator.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_is_exported_where_nobody_asks_for_it() -> Result {
    let collector = Collector::start(Mood::Takes).await?;
    let endpoint = (ENDPOINT, collector.url.as_str());
    for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_TRACES_SAMPLER", "always_off")]
    {
        let (place, operator) = rig("off", &[], &[OFTEN, endpoint, off]).await?;
        synced(&place, "db").await?;
        operator.stop()?;
    }
    assert_eq!(collector.taken().len(), 0);
    Ok(())
}

#[test]
fn a_collector_that_can_not_be_meant_is_refused_at_the_start() -> Result {
    for (args, variables) in
        [(&["run", "--otlp-endpoint=collector:4318"][..], None), (&["run"][..], Some((ENDPOINT, "http://")))]
    {
        // Should it start after all, it finds no cluster.
        let output = common::operator::binary(args).env("KUBECONFIG", "none").envs(variables).output()?;
        let said = String::from_utf8(output.stderr)? + &String::from_utf8(output.stdout)?;
        assert!(!output.status.success() && said.contains("otlp-endpoint"), "{said}");
    }
    Ok(())
}
