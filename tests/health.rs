//! What the operator says of itself: health, readiness, metrics, its end, and messages to whoever starts it wrongly.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use common::operator::binary;
use common::{Operator, Place, Result, SOON};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use testbed::proxy::Action;
use testbed::{Proxy, wait_until};

/// The kubelet waits 30 s; an upgrade should not.
const PROMPT: Duration = Duration::from_secs(5);

/// A kubeconfig for a server of plain HTTP, in the folder that cargo gives to integration tests.
fn kubeconfig(name: &str, server: &str) -> Result<PathBuf> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    });
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kubeconfig-{name}-{}", std::process::id()));
    std::fs::write(&path, config.to_string())?;
    Ok(path)
}

/// Waits for a log line of level WARN with all these words.
async fn warns(operator: &Operator, words: &[&str]) -> Result {
    wait_until(&format!("a warning with {words:?}"), SOON, async || {
        let complaints = operator.complaints();
        let is_told = complaints.iter().any(|line| words.iter().all(|word| line.contains(word)));
        if is_told { Ok(()) } else { Err(format!("{complaints:#?}")) }
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_healthy_one_says_so() -> Result {
    let (place, operator) = Place::with_operator("healthy").await?;
    assert_eq!(operator.get("/healthz").await?, (200, "ok\n".to_owned()));
    assert_eq!(operator.get("/readyz").await?, (200, "ok\n".to_owned()));
    assert_eq!(operator.get("/nope").await?.0, 404);
    drop(place);
    Ok(())
}

/// Names, labels and values that ESO's dashboards ask for.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn metrics_have_esos_names() -> Result {
    let (place, operator) = Place::with_operator("metrics").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply_external(place.external("good", &[("password", "db#password")])).await?;
    place.apply_external(place.external("bad", &[("password", "db#nope")])).await?;
    place.ready("good").await?;
    place.failed("bad", &[]).await?;
    place.store_is("vault", "True", &[]).await?;
    let labels = |name: &str| format!("name=\"{name}\",namespace=\"{}\"", place.name());
    let (good, bad, store) = (labels("good"), labels("bad"), labels("vault"));
    let expected = [
        format!("externalsecret_sync_calls_total{{{good}}} 1"),
        format!("externalsecret_sync_calls_error{{{good}}} 0"),
        format!("externalsecret_status_condition{{condition=\"Ready\",{good},status=\"True\"}} 1"),
        format!("externalsecret_status_condition{{condition=\"Ready\",{good},status=\"False\"}} 0"),
        format!("externalsecret_status_condition{{condition=\"Ready\",{bad},status=\"False\"}} 1"),
        format!("externalsecret_reconcile_duration{{{good}}} "),
        format!("secretstore_status_condition{{condition=\"Ready\",{store},status=\"True\"}} 1"),
        "externalsecret_provider_api_calls_count{call=\"ReadSecretData\",provider=\"HashiCorp/Vault\",status=\"success\"} ".to_owned(),
        "external_secrets_build_info{".to_owned(),
        "external_secrets_reconcile_seconds_bucket{".to_owned(),
    ];
    wait_until("all metrics", SOON, async || {
        let (_, text) = operator.get("/metrics").await.map_err(|error| error.to_string())?;
        let missing: Vec<_> =
            expected.iter().filter(|line| !text.lines().any(|seen| seen.starts_with(line.as_str()))).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("without {missing:#?} in\n{text}")) }
    })
    .await?;
    let (_, text) = operator.get("/metrics").await?;
    assert!(!text.contains(&format!("externalsecret_sync_calls_error{{{bad}}} 0")), "{text}");

    // The series of an object go with it.
    place.delete::<external_secrets_rs::api::ExternalSecret>("bad").await?;
    wait_until("the end of its series", SOON, async || match operator.get("/metrics").await {
        Ok((_, text)) if !text.contains(&bad) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sigterm_ends_it_soon_and_well() -> Result {
    let (place, operator) = Place::with_operator("sigterm").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).every("1s")).await?;
    place.ready("db").await?;
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    assert!(stopped.took < PROMPT, "{:?}\n{}", stopped.took, stopped.log);
    assert!(stopped.log.contains("\"stopped\""), "{}", stopped.log);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_sigterm_ends_it_while_vault_is_away() -> Result {
    let (mut place, operator) = Place::with_operator("sigterm-away").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply_external(place.external("db", &[("password", "db#password")]).every("1s")).await?;
    place.ready("db").await?;
    place.proxy.refuse().await;
    place.failed("db", &["reached"]).await?;
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    assert!(stopped.took < 2 * PROMPT, "{:?}\n{}", stopped.took, stopped.log);
    Ok(())
}

/// Ctrl-C twice: who is in a hurry need not wait for what hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_second_signal_ends_it_at_once() -> Result {
    let (place, operator) = Place::with_operator("twice").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let read_at = place.read_at("db");
    place.proxy.rule(move |seen| seen.path == read_at, Action::Hang);
    place.apply([place.external("db", &[("password", "db#password")]).into()]).await?;
    wait_until("the read", SOON, async || if place.reads("db") > 0 { Ok(()) } else { Err(place.proxy.summary()) })
        .await?;
    operator.signal()?;
    let log = |words: &'static str| {
        let operator = &operator;
        async move || if operator.log().contains(words) { Ok(()) } else { Err(operator.log()) }
    };
    wait_until("the first signal", PROMPT, log("stopping")).await?;
    operator.signal()?;
    let ended = operator.ended(PROMPT).await?;
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    assert!(ended.log.contains("second signal"), "{}", ended.log);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_rights_it_says_which_and_goes_on_when_it_has_them() -> Result {
    let place = Place::new("rights").await?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator"}});
    place.apply([account]).await?;
    let kubeconfig = place.stack.kube().service_account_kubeconfig(place.name(), "operator").await?;
    let operator = Operator::start_with(&["--namespace", place.name()], Some(&kubeconfig)).await?;
    warns(&operator, &["can't watch ExternalSecrets", "forbidden", "give the operator's ServiceAccount that right"])
        .await?;
    let (status, body) = operator.get("/readyz").await?;
    assert_eq!(status, 503);
    for what in ["waiting for", "ExternalSecrets", "SecretStores"] {
        assert!(body.contains(what), "{body}");
    }
    assert_eq!(operator.get("/healthz").await?.0, 200, "a restart would not help");

    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "operator"},
        "rules": [
            {"apiGroups": ["external-secrets.io"], "resources": ["*"], "verbs": ["*"]},
            {"apiGroups": [""], "resources": ["secrets", "configmaps"], "verbs": ["*"]},
            {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": place.name()}],
    });
    place.apply([role, binding]).await?;
    wait_until("readiness", 2 * SOON, async || match operator.get("/readyz").await {
        Ok((200, _)) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await?;
    Ok(())
}

/// An API server that does not know our kinds.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_the_crds_it_says_how_to_install_them() -> Result {
    let server = Proxy::start("http://127.0.0.1:9").await?;
    let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": "404 page not found"});
    server.always(Action::json(404, &status));
    let operator = Operator::start_with(&[], Some(&kubeconfig("no-crds", &server.url())?)).await?;
    warns(&operator, &["can't watch ExternalSecrets", "install the CRDs", "external-secrets crds"]).await?;
    let (status, body) = operator.get("/readyz").await?;
    assert_eq!((status, body.contains("the list of ExternalSecrets")), (503, true), "{body}");
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    assert!(stopped.took < PROMPT, "{:?}", stopped.took);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_an_api_server_it_says_so_and_waits() -> Result {
    let mut server = Proxy::start("http://127.0.0.1:9").await?;
    server.refuse().await;
    let operator = Operator::start_with(&[], Some(&kubeconfig("no-server", &server.url())?)).await?;
    warns(&operator, &["can't watch ExternalSecrets", "trying again"]).await?;
    assert_eq!(operator.get("/readyz").await?.0, 503);
    let stopped = operator.stop()?;
    assert_eq!(stopped.code, Some(0), "{}", stopped.log);
    Ok(())
}

/// Exit code and standard error of a start that can't work.
fn refused(args: &[&str], kubeconfig: &Path) -> Result<(Option<i32>, String)> {
    let output = binary(args)
        .env("KUBECONFIG", kubeconfig)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env("HOME", "/nonexistent")
        .output()?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_start_is_told_in_plain_words() -> Result {
    let kubeconfig = kubeconfig("wrong", "http://127.0.0.1:9")?;
    let here = "--metrics-addr=127.0.0.1:0";
    for (args, code, words) in [
        (vec!["run", "--concurent=3"], 2, vec!["--concurent", "--concurrent"]),
        (vec!["run", "--concurrent=0"], 2, vec!["--concurrent", "1..=1024"]),
        (vec!["run", "--loglevel=loud"], 2, vec!["loud", "debug"]),
        (vec!["run", "--store-requeue-interval=5"], 2, vec!["--store-requeue-interval", "write 60s, not 60"]),
        (vec!["run", "--live-addr=8082"], 2, vec!["8082", "127.0.0.1:8080"]),
        (vec!["run", here, "--live-addr", "192.0.2.1:1"], 1, vec!["can't listen on 192.0.2.1:1"]),
        (vec!["walk"], 2, vec!["walk"]),
    ] {
        let (seen, told) = refused(&args, &kubeconfig)?;
        assert_eq!(seen, Some(code), "{args:?}: {told}");
        for word in words {
            assert!(told.contains(word), "{args:?} should say {word:?}: {told}");
        }
    }
    let occupied = std::net::TcpListener::bind("127.0.0.1:0")?;
    let taken = occupied.local_addr()?.to_string();
    let (code, told) = refused(&["run", here, "--live-addr", &taken], &kubeconfig)?;
    assert_eq!((code, told.contains(&taken) && told.contains("another process")), (Some(1), true), "{told}");
    drop(occupied);

    let (code, told) = refused(&["run"], Path::new("/nonexistent/kubeconfig"))?;
    assert_eq!(code, Some(1), "{told}");
    for word in ["no Kubernetes cluster", "KUBECONFIG", "/nonexistent/kubeconfig"] {
        assert!(told.contains(word), "{told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_log_level_changes_while_it_runs() -> Result {
    let (place, operator) = Place::with_operator("loglevel").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    assert_eq!(operator.get("/loglevel").await?, (200, "debug\n".to_owned()));
    assert_eq!(operator.put_log_level("error").await?, (200, "error\n".to_owned()));
    place.apply_external(place.external("quiet", &[("password", "db#password")])).await?;
    place.ready("quiet").await?;
    let (status, told) = operator.put_log_level("loud").await?;
    assert_eq!((status, told.as_str()), (400, "\"loud\" is no log level; send debug, info, warn or error\n"));
    assert_eq!(operator.put_log_level(&"x".repeat(1000)).await?.0, 413);
    assert_eq!(operator.put_log_level("Debug\n").await?, (200, "debug\n".to_owned()));
    place.apply_external(place.external("loud", &[("password", "db#password")])).await?;
    place.ready("loud").await?;
    let created =
        |name: &str| operator.lines().iter().any(|line| line["message"] == "secret created" && line["name"] == name);
    wait_until("its Secret in the log", SOON, async || if created("loud") { Ok(()) } else { Err(operator.log()) })
        .await?;
    assert!(!created("quiet"), "{}", operator.log());
    Ok(())
}

#[test]
fn it_says_what_it_is() -> Result {
    let help = String::from_utf8(binary(&["run", "--help"]).output()?.stdout)?;
    for flag in [
        "--metrics-addr",
        "--live-addr",
        "--concurrent",
        "--namespace",
        "--controller-class",
        "--loglevel",
        "--store-requeue-interval",
    ] {
        assert!(help.contains(flag), "{flag}: {help}");
    }
    let version = String::from_utf8(binary(&["--version"]).output()?.stdout)?;
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
    Ok(())
}
