//! A world to measure in: servers of its own, a store, and as many ExternalSecrets as asked for.

use crate::Result;
use crate::counts::Counts;
use crate::process::Process;
use futures::stream::{self, StreamExt, TryStreamExt};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use testbed::{
    AppRole, Binaries, Guard, KvVersion, Method, Proxy, Running, SHARED_APPROLE, SHARED_KV, Vault, wait_until,
};

/// Where everything stands that is measured.
pub const NAMESPACE: &str = "bench";
const OPERATOR: &str = "external-secrets";
const STORE: &str = "vault";
/// Requests of the set-up that are under way at once.
const PARALLEL: usize = 32;
const DEADLINE: Duration = Duration::from_secs(60);

/// What stands there before the measurement.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// ExternalSecrets.
    pub objects: usize,
    /// Their `refreshInterval`.
    pub interval: &'static str,
    /// All of them read one path, and not one each.
    pub one_path: bool,
    /// Requests to Vault go through a proxy that notes when each came.
    pub timed: bool,
}

impl Plan {
    /// So many with a path each, refreshed once an hour.
    pub fn of(objects: usize) -> Self {
        Self { objects, interval: "1h", one_path: false, timed: false }
    }
}

/// Servers with a store and ExternalSecrets.
pub struct World {
    /// An admin.
    pub client: Client,
    /// Where requests to Vault are noted.
    pub proxy: Option<Proxy>,
    plan: Plan,
    kubeconfig: PathBuf,
    role: AppRole,
    running: Running,
}

impl World {
    /// Starts the servers and makes what `plan` says.
    pub async fn new(plan: Plan) -> Result<Self> {
        let guard = Guard::new()?;
        let binaries = Binaries::get(&guard, false).await?;
        let running = Running::start(guard, &binaries).await?;
        let stack = running.stack();
        let kube = stack.kube();
        for crd in [
            include_str!("../../../crds/external-secrets.io_externalsecrets.yaml"),
            include_str!("../../../crds/external-secrets.io_secretstores.yaml"),
            include_str!("../../../crds/external-secrets.io_clustersecretstores.yaml"),
            include_str!("../../../deploy/manifests/namespace.yaml"),
            include_str!("../../../deploy/manifests/service-account.yaml"),
            include_str!("../../../deploy/manifests/rbac.yaml"),
        ] {
            kube.apply(crd, OPERATOR).await?;
        }
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        kube.apply(&namespace.to_string(), "").await?;
        let vault = stack.vault();
        vault.allow_reading("bench", &["kv/data/bench/*"]).await?;
        let role = vault.create_approle(SHARED_APPROLE, "bench", json!({"token_policies": ["bench"]})).await?;
        let proxy = match plan.timed {
            true => Some(Proxy::start(vault.addr()).await?),
            false => None,
        };
        let kubeconfig = kube.service_account_kubeconfig(OPERATOR, OPERATOR).await?;
        let admin = Kubeconfig::read_from(kube.kubeconfig())?;
        let client = Client::try_from(Config::from_custom_kubeconfig(admin, &KubeConfigOptions::default()).await?)?;
        let world = Self { client, proxy, plan, kubeconfig, role, running };
        world.fill().await?;
        Ok(world)
    }

    /// Secrets in Vault, a store, and the ExternalSecrets.
    async fn fill(&self) -> Result {
        let kube = self.running.stack().kube();
        let server = self.proxy.as_ref().map_or_else(|| self.vault().addr().to_owned(), Proxy::url);
        let store = store(&self.role, &server);
        wait_until("the CRDs to be served", DEADLINE, async || {
            for object in &store {
                kube.apply(&object.to_string(), NAMESPACE).await.map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        })
        .await?;
        let paths = if self.plan.one_path { self.plan.objects.min(1) } else { self.plan.objects };
        let kv = self.vault().kv(SHARED_KV, KvVersion::V2);
        let written = stream::iter(0..paths).map(|number| {
            let (kv, path) = (kv.clone(), self.path_of(number));
            async move { kv.write(&path, json!({"username": "app", "password": format!("password-{number}")})).await }
        });
        written.buffer_unordered(PARALLEL).try_for_each(|_| async { Ok(()) }).await?;
        self.each(0..self.plan.objects, async |number| self.create(&self.external(number)).await).await
    }

    /// Does something for each number, many at once.
    pub async fn each(&self, numbers: std::ops::Range<usize>, what: impl AsyncFn(usize) -> Result) -> Result {
        stream::iter(numbers)
            .map(|number| what(number))
            .buffer_unordered(PARALLEL)
            .try_for_each(|()| async { Ok(()) })
            .await
    }

    fn path_of(&self, number: usize) -> String {
        let number = if self.plan.one_path { 0 } else { number };
        format!("bench/object-{number:05}")
    }

    /// An ExternalSecret with two keys of its path.
    pub fn external(&self, number: usize) -> Value {
        self.external_named(&name_of(number), number)
    }

    /// The same under another name.
    pub fn external_named(&self, name: &str, number: usize) -> Value {
        let path = self.path_of(number);
        json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "refreshInterval": self.plan.interval,
                "secretStoreRef": {"name": STORE, "kind": "SecretStore"},
                "data": [
                    {"secretKey": "username", "remoteRef": {"key": path, "property": "username"}},
                    {"secretKey": "password", "remoteRef": {"key": path, "property": "password"}},
                ],
            },
        })
    }

    /// Creates an ExternalSecret or a Secret.
    pub async fn create(&self, object: &Value) -> Result {
        let url = match object.get("kind").and_then(Value::as_str) {
            Some("Secret") => format!("/api/v1/namespaces/{NAMESPACE}/secrets"),
            _ => external_secrets(""),
        };
        self.send(Method::POST, &url, "application/json", object).await
    }

    /// Patches an ExternalSecret.
    pub async fn patch(&self, name: &str, patch: &Value) -> Result {
        self.send(Method::PATCH, &external_secrets(name), "application/merge-patch+json", patch).await
    }

    /// Deletes a Secret.
    pub async fn delete_secret(&self, name: &str) -> Result {
        let url = format!("/api/v1/namespaces/{NAMESPACE}/secrets/{name}");
        self.send(Method::DELETE, &url, "application/json", &json!({})).await
    }

    async fn send(&self, method: Method, url: &str, content: &str, body: &Value) -> Result {
        let request = http::Request::builder().method(method.as_str()).uri(url).header("Content-Type", content);
        self.client.request_text(request.body(serde_json::to_vec(body)?)?).await?;
        Ok(())
    }

    /// Starts the operator with its real, least rights.
    pub fn operator(&self, live_port: u16) -> Result<Process> {
        let program = std::env::current_exe()?.with_file_name(OPERATOR);
        let args = ["run", "--metrics-addr=127.0.0.1:0", "--log-format=json"].map(str::to_owned);
        let args: Vec<String> = args.into_iter().chain([format!("--live-addr=127.0.0.1:{live_port}")]).collect();
        Process::start(self.running.guard(), "operator", &program, &args, &self.kubeconfig)
    }

    /// Starts the floor, with the same rights.
    pub fn floor(&self) -> Result<Process> {
        let args = [
            "floor".to_owned(),
            format!("--vault={}", self.vault().addr()),
            format!("--role-id={}", self.role.role_id),
            format!("--secret-id={}", self.role.secret_id),
        ];
        Process::start(self.running.guard(), "floor", &std::env::current_exe()?, &args, &self.kubeconfig)
    }

    /// OpenBao, as root.
    pub fn vault(&self) -> &Vault {
        self.running.stack().vault()
    }

    /// What both servers have counted so far.
    pub async fn counts(&self) -> Result<Counts> {
        Counts::now(&self.client, self.vault()).await
    }

    /// What the counting itself adds to Vault's counter.
    pub async fn counting(&self) -> Result<f64> {
        let before = self.counts().await?;
        Ok(self.counts().await?.vault - before.vault)
    }
}

/// The name of an object.
pub fn name_of(number: usize) -> String {
    format!("object-{number:05}")
}

fn external_secrets(name: &str) -> String {
    let slash = if name.is_empty() { "" } else { "/" };
    format!("/apis/external-secrets.io/v1/namespaces/{NAMESPACE}/externalsecrets{slash}{name}")
}

/// A store and its credential.
fn store(role: &AppRole, server: &str) -> [Value; 2] {
    let credential = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "approle"}, "stringData": {"secret-id": role.secret_id},
    });
    let auth = json!({"appRole": {
        "path": role.mount, "roleId": role.role_id, "secretRef": {"name": "approle", "key": "secret-id"},
    }});
    let vault = json!({"server": server, "path": SHARED_KV, "version": "v2", "auth": auth});
    let store = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "SecretStore", "metadata": {"name": STORE},
        "spec": {"provider": {"vault": vault}},
    });
    [credential, store]
}
