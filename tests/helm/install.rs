//! An installation from its first day to its last.

use crate::common::helm::{Helm, NAME, chart, folder, of_kind};
use crate::common::{Operator, Result, SOON};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testbed::{Binaries, Guard, Kube, KvVersion, Method, Running, SHARED_APPROLE, SHARED_KV, Stack, wait_until};

const SECRET: &str = "/api/v1/namespaces/default/secrets/app";

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn installs_syncs_upgrades_rolls_back_and_leaves_what_was_made() -> Result {
    for scoped in [false, true] {
        let guard = Guard::new()?;
        let binaries = Binaries::get(&guard, false).await?;
        let running = Running::start(guard, &binaries).await?;
        lives(running.stack(), scoped).await.map_err(|error| format!("scoped: {scoped}: {error}"))?;
    }
    Ok(())
}

async fn lives(stack: &Stack, scoped: bool) -> Result {
    let kube = stack.kube();
    let mut helm = Helm::new().await?;
    helm.kubeconfig = Some(kube.kubeconfig().to_owned());
    namespace(kube).await?;
    tells_what_is_ignored(&helm)?;
    let scope: &[&str] = if scoped { &["--set", "scopedRBAC=true,scopedNamespace=default"] } else { &[] };
    let chart = chart();
    helm.run(&[&["install", NAME, &chart], scope].concat())?;
    let rendered = helm.template(scope)?;
    restricted(kube, &of_kind(&rendered, "Deployment")["spec"]["template"]["spec"]).await?;
    restricted(kube, &of_kind(&rendered, "Pod")["spec"]).await?;
    syncs(stack, of_kind(&rendered, "Deployment")).await?;

    helm.run(&[&["upgrade", NAME, &chart, "--set", "concurrent=3"], scope].concat())?;
    assert!(args(kube).await?.contains(&json!("--concurrent=3")));
    helm.run(&["rollback", NAME, "1"])?;
    assert!(args(kube).await?.contains(&json!("--concurrent=16")));
    helm.run(&["uninstall", NAME])?;

    let deployments = kube.request(Method::GET, "/apis/apps/v1/deployments", None).await?;
    assert_eq!(deployments["items"], json!([]));
    let external = "/apis/external-secrets.io/v1/namespaces/default/externalsecrets/app";
    assert_eq!(kube.request(Method::GET, external, None).await?["metadata"]["deletionTimestamp"], Value::Null);
    assert_eq!(kube.request(Method::GET, SECRET, None).await?["data"]["password"], "b25l");
    // Kept CRDs carry the release's marks, so it can be installed again.
    helm.run(&[&["install", NAME, &chart], scope].concat())?;
    Ok(())
}

/// Values of External Secrets Operator's chart are taken, and NOTES has a line for each.
fn tells_what_is_ignored(helm: &Helm) -> Result {
    let ignored = std::fs::read_to_string(folder().join("files/ignored-values.yaml"))?;
    let ignored: BTreeMap<String, String> = serde_saphyr::from_str(&ignored)?;
    let all: Vec<String> = ignored.keys().map(|path| format!("{path}.a=b")).collect();
    let dry = ["install", NAME, &chart(), "--dry-run=client", "--set", "crds.enabled=false", "--set"];
    let notes = helm.run(&[&dry[..], &[&all.join(",")]].concat())?;
    for (path, why) in &ignored {
        assert!(notes.contains(&format!("  - {path} is ignored: {why}")), "{path}: {notes}");
    }
    let odd = "leaderElect=false,strategy.type=RollingUpdate,podDisruptionBudget.enabled=true,podDisruptionBudget.minAvailable=1";
    let notes = helm.run(&["install", NAME, &chart(), "--dry-run=client", "--set", odd])?;
    for word in ["  - strategy is ignored", "  - podDisruptionBudget.minAvailable is not below replicaCount"] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
    let quiet = helm.run(&["install", NAME, &chart(), "--dry-run=client", "--set", "crds.enabled=false"])?;
    assert!(!quiet.contains("To know:") && quiet.contains("rollout status deployment/external-secrets"), "{quiet}");
    Ok(())
}

async fn namespace(kube: &Kube) -> Result {
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": labels}});
    kube.apply(&namespace.to_string(), "default").await?;
    // No controller-manager runs that makes it.
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    kube.apply(&account.to_string(), NAME).await?;
    Ok(())
}

/// The API server judges a pod by Pod Security's level restricted.
async fn restricted(kube: &Kube, spec: &Value) -> Result {
    let pods = format!("/api/v1/namespaces/{NAME}/pods?dryRun=All");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "judged"}, "spec": spec});
    kube.request(Method::POST, &pods, Some(pod.clone())).await?;
    let mut free = pod;
    free["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    let refused = kube.request(Method::POST, &pods, Some(free)).await.expect_err("a pod that may escalate");
    assert_eq!(refused.status(), Some(403), "{refused}");
    Ok(())
}

async fn args(kube: &Kube) -> Result<Vec<Value>> {
    let path = format!("/apis/apps/v1/namespaces/{NAME}/deployments/{NAME}");
    let found = kube.request(Method::GET, &path, None).await?;
    Ok(found["spec"]["template"]["spec"]["containers"][0]["args"].as_array().cloned().unwrap_or_default())
}

/// The operator with the token of the chart's ServiceAccount and the Deployment's flags. Its ports and log level are the test's: two
/// tests can't have port 8080.
async fn syncs(stack: &Stack, deployment: &Value) -> Result {
    let kube = stack.kube();
    let given = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    let given: Vec<&str> = given.iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(given[0], "run");
    let tests_own = ["--metrics-addr=", "--live-addr=", "--loglevel="];
    let is_kept = |one: &&str| !tests_own.iter().any(|own| one.starts_with(own));
    let flags: Vec<&str> = given[1..].iter().copied().filter(is_kept).collect();
    let kubeconfig = kube.service_account_kubeconfig(NAME, NAME).await?;
    let operator = Operator::start_with(&flags, Some(&kubeconfig)).await?;
    operator.ready().await?;
    objects(stack).await?;
    wait_until("the Secret", SOON, async || {
        let secret = kube.request(Method::GET, SECRET, None).await.map_err(|error| error.to_string())?;
        if secret["data"]["password"] == "b25l" { Ok(()) } else { Err("another password".to_owned()) }
    })
    .await?;
    assert_eq!(operator.complaints(), Vec::<String>::new());
    Ok(())
}

async fn objects(stack: &Stack) -> Result {
    let vault = stack.vault();
    vault.kv(SHARED_KV, KvVersion::V2).write("app", json!({"password": "one"})).await?;
    vault.allow_reading("app", &["kv/data/app"]).await?;
    let role = vault.create_approle(SHARED_APPROLE, "app", json!({"token_policies": ["app"]})).await?;
    let credentials = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "approle"}, "stringData": {"secretID": role.secret_id},
    });
    let store = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": "vault"},
        "spec": {"provider": {"vault": {"server": vault.addr(), "path": SHARED_KV, "auth": {"appRole": {
            "path": SHARED_APPROLE, "roleId": role.role_id, "secretRef": {"name": "approle", "key": "secretID"},
        }}}}},
    });
    let external = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": "app"},
        "spec": {"secretStoreRef": {"name": "vault"}, "data": [{"secretKey": "password", "remoteKey": "app#password"}]},
    });
    let all = [credentials, store, external].map(|object| object.to_string());
    stack.kube().apply(&all.join("\n---\n"), "default").await?;
    Ok(())
}
