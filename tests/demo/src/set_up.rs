//! What has to stand before the first step: servers, CRDs, a secret in OpenBao with a role that may read it, the operator.

use crate::{
    cluster::Cluster,
    operator::Operator,
    screen,
    seed::{self, Seed},
};
use serde_json::json;
use std::{
    process::Command,
    time::{Duration, Instant},
};
use testbed::{
    AppRole, Binaries, Error, Guard, Kv, KvVersion, Method, Proxy, Result, Running, SHARED_APPROLE, SHARED_KV, Vault,
    wait_until,
};

/// Far above the second it takes, for machines under load.
const DEADLINE: Duration = Duration::from_secs(60);
/// Role and policy in OpenBao.
const ROLE: &str = "demo";
/// What the secret holds at first.
pub const FIRST_PASSWORD: &str = "first-password";

/// A stack with an operator on it.
pub struct Demo {
    /// The operator. Before the servers, so that it goes first.
    pub operator: Operator,
    /// The API server.
    pub cluster: Cluster,
    /// The mount that holds the seed's secret.
    pub kv: Kv,
    /// The seed's manifests for this stack.
    pub seed: Seed,
    /// Between the operator and OpenBao: passes everything on, and counts.
    pub proxy: Proxy,
    running: Running,
}

impl Demo {
    /// Starts everything, telling how long each part takes.
    ///
    /// # Errors
    /// Of the first part that fails.
    pub async fn start() -> Result<Self> {
        let crds = crds()?;
        let guard = Guard::new()?;
        let binaries = Binaries::get(&guard, false).await?;
        let running = timed("etcd, kube-apiserver and OpenBao are up", Running::start(guard, &binaries)).await?;
        let stack = running.stack();
        let cluster = Cluster::new(stack.kube().clone()).await?;
        timed("CRDs are served", install(&cluster, &crds)).await?;
        let vault = stack.vault();
        let kv = vault.kv(SHARED_KV, KvVersion::V2);
        let what = format!("OpenBao holds {}, role \"{ROLE}\" may read it", kv.read_path(seed::PATH));
        let role = timed(&what, fill(vault, &kv)).await?;
        let proxy = Proxy::start(vault.addr()).await?;
        let seed = Seed::read(&proxy.url(), &role)?;
        let mut operator = Operator::start(running.guard(), stack.kube().kubeconfig(), "operator", &[])?;
        let started = timed("external-secrets run is ready", operator.ready(DEADLINE)).await;
        if started.is_err() {
            operator.last_lines().iter().for_each(|line| screen::line(line));
        }
        started?;
        Ok(Self { operator, cluster, kv, seed, proxy, running })
    }

    /// Stops the operator in order and checks that it ends well; the servers go when this is dropped.
    ///
    /// # Errors
    /// Where it does not end, or not with 0.
    pub async fn stop(&mut self) -> Result<()> {
        let status = self.operator.stop().await?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Unexpected { what: "the operator's end".to_owned(), why: status.to_string() })
    }

    /// Leaves everything running until Ctrl-C, and says how to get at it.
    ///
    /// # Errors
    /// As [`Demo::stop`].
    pub async fn keep(&mut self) -> Result<()> {
        let stack = self.running.stack();
        screen::line("Everything stays up until Ctrl-C. In another terminal:");
        screen::line("");
        let wanted = ["KUBECONFIG", "VAULT_ADDR", "VAULT_TOKEN", "BAO_ADDR", "BAO_TOKEN"];
        for (name, value) in stack.variables().into_iter().filter(|(name, _)| wanted.contains(name)) {
            screen::plain(&format!("export {name}={value}"));
        }
        screen::plain(&format!("alias bao={}", stack.bao().display()));
        screen::line("");
        screen::plain("kubectl get es,secretstore,secret");
        screen::plain(&format!("bao kv put {}/{} username=app password=mine", self.kv.mount(), seed::PATH));
        screen::line("");
        let interrupted = tokio::signal::ctrl_c().await;
        interrupted.map_err(|source| Error::Io { what: "listen for", path: "Ctrl-C".into(), source })?;
        self.stop().await
    }
}

/// Runs one part, and says how long it took.
async fn timed<T>(what: &str, part: impl Future<Output = Result<T>>) -> Result<T> {
    let start = Instant::now();
    let result = part.await?;
    screen::ready(what, start.elapsed());
    Ok(result)
}

/// What `external-secrets crds` prints.
fn crds() -> Result<String> {
    let program = Operator::program()?;
    let output = Command::new(&program).arg("crds").output();
    let output = output.map_err(|source| Error::Io { what: "run", path: program.clone(), source })?;
    let failed = |why: String| Error::Unexpected { what: format!("{} crds", program.display()), why };
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    String::from_utf8(output.stdout).map_err(|error| failed(error.to_string()))
}

/// Applies the CRDs and waits until the API server serves what they define.
async fn install(cluster: &Cluster, crds: &str) -> Result<()> {
    let kube = cluster.kube();
    for crd in kube.apply(crds, seed::NAMESPACE).await? {
        let name = crd.pointer("/metadata/name").and_then(|name| name.as_str()).unwrap_or_default();
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        wait_until(&format!("CRD {name} to be established"), DEADLINE, async || {
            let crd = kube.request(Method::GET, &path, None).await.map_err(|error| error.to_string())?;
            let conditions = crd.pointer("/status/conditions").cloned().unwrap_or_default();
            let is_served = |one: &serde_json::Value| {
                one.get("type").is_some_and(|of| of == "Established")
                    && one.get("status").is_some_and(|is| is == "True")
            };
            if conditions.as_array().into_iter().flatten().any(is_served) {
                Ok(())
            } else {
                Err(conditions.to_string())
            }
        })
        .await?;
    }
    // Established is not yet in discovery, by which `kubectl apply` and we find a kind's path.
    for version in ["v1", "v1beta1"] {
        wait_until(&format!("{version} in discovery"), DEADLINE, async || {
            let path = format!("/apis/external-secrets.io/{version}");
            let found = kube.request(Method::GET, &path, None).await.map_err(|error| error.to_string())?;
            let text = found.to_string();
            if text.contains("\"SecretStore\"") && text.contains("\"ExternalSecret\"") { Ok(()) } else { Err(text) }
        })
        .await?;
    }
    Ok(())
}

/// The seed's secret, and an AppRole that may read it and nothing else.
async fn fill(vault: &Vault, kv: &Kv) -> Result<AppRole> {
    kv.write(seed::PATH, json!({"username": "app", "password": FIRST_PASSWORD})).await?;
    vault.allow_reading(ROLE, &[&kv.read_path(seed::PATH)]).await?;
    vault.create_approle(SHARED_APPROLE, ROLE, json!({"token_policies": [ROLE]})).await
}
