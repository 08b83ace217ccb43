//! What the story is played in: servers, forty ExternalSecrets of three teams, two operators, and a Prometheus that scrapes both.

use crate::Result;
use crate::operator::Operator;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use testbed::{
    AppRole, Binaries, Guard, Kube, Kv, KvVersion, Prometheus, Proxy, Running, SHARED_APPROLE, SHARED_KV, Target,
    wait_until,
};

/// Between two scrapes.
pub const SCRAPES: &str = "5s";
/// The team whose store is refused.
pub const REFUSED: &str = "billing";
/// The team that loses a property.
pub const CARELESS: &str = "shop";

const DEADLINE: Duration = Duration::from_secs(60);
const OPERATOR: &str = "external-secrets";
const CREDENTIALS: &str = "vault-credentials";
/// The ClusterSecretStore; its credentials are the operator's neighbours.
const PLATFORM: &str = "platform";
/// Their `refreshInterval`s, in turn.
const INTERVALS: [&str; 4] = ["10s", "15s", "20s", "30s"];
/// A secret id ends; after how long, and after how many logins, the role says.
const TEAMS: [Team; 4] = [
    Team { name: CARELESS, objects: 14, ttl: "60h", uses: 500 },
    Team { name: REFUSED, objects: 6, ttl: "720h", uses: 40 },
    Team { name: "search", objects: 12, ttl: "", uses: 0 },
    Team { name: "warehouse", objects: 8, ttl: "", uses: 0 },
];

/// A namespace with ExternalSecrets. Those without a secret id of their own use the ClusterSecretStore.
struct Team {
    name: &'static str,
    objects: usize,
    ttl: &'static str,
    uses: u32,
}

/// All that runs.
pub struct World {
    /// Between all stores and Vault.
    pub proxy: Proxy,
    /// What has seen everything.
    pub prometheus: Prometheus,
    operators: Vec<Operator>,
    kv: Kv,
    running: Running,
}

impl World {
    /// Starts everything, and waits until all is well.
    pub async fn start() -> Result<Self> {
        let guard = Guard::new()?;
        let binaries = Binaries::get(&guard, false).await?;
        let running = Running::start(guard, &binaries).await?;
        let stack = running.stack();
        let proxy = Proxy::start(stack.vault().addr()).await?;
        install(stack.kube()).await?;
        let kubeconfig = stack.kube().service_account_kubeconfig(OPERATOR, OPERATOR).await?;
        let mut operators = Vec::new();
        for name in ["external-secrets-0", "external-secrets-1"] {
            // The first is ready, and so the leader, before the second starts.
            let arguments = ["--enable-leader-election"];
            let mut operator = Operator::start(running.guard(), &kubeconfig, name, &arguments)?;
            operator.ready(DEADLINE).await?;
            operators.push((name, operator));
        }
        let targets: Vec<Target> = operators.iter().filter_map(|(name, operator)| target(name, operator)).collect();
        let prometheus = Prometheus::start(&Arc::new(Guard::new()?), SCRAPES, &targets, &[]).await?;
        let operators = operators.into_iter().map(|(_, operator)| operator).collect();
        let kv = stack.vault().kv(SHARED_KV, KvVersion::V2);
        let world = Self { proxy, prometheus, operators, kv, running };
        world.fill().await?;
        Ok(world)
    }

    /// Stores, secrets in Vault and ExternalSecrets.
    async fn fill(&self) -> Result {
        self.rotate("first").await?;
        let shared = self.role(PLATFORM, &["search", "warehouse"], "2160h", 200).await?;
        self.apply(OPERATOR, credentials(&shared.secret_id)).await?;
        self.apply(OPERATOR, store("ClusterSecretStore", PLATFORM, &self.proxy.url(), &shared)).await?;
        for team in &TEAMS {
            if team.uses > 0 {
                let role = self.role(team.name, &[team.name], team.ttl, team.uses).await?;
                self.apply(team.name, credentials(&role.secret_id)).await?;
                self.apply(team.name, store("SecretStore", "vault", &self.proxy.url(), &role)).await?;
            }
            for (number, interval) in (1..=team.objects).zip(INTERVALS.into_iter().cycle()) {
                self.apply(team.name, external(team, number, interval)).await?;
            }
        }
        let all = TEAMS.iter().map(|team| team.objects).sum::<usize>();
        let ready = format!("sum(externalsecret_status_condition{{condition=\"Ready\",status=\"True\"}}) == {all}");
        wait_until("all ExternalSecrets to be ready", DEADLINE, async || {
            let seen = self.prometheus.query(&ready).await.map_err(|error| error.to_string())?;
            if seen.is_empty() { Err("not all are ready".to_owned()) } else { Ok(()) }
        })
        .await?;
        Ok(())
    }

    async fn apply(&self, namespace: &str, object: Value) -> Result {
        self.running.stack().kube().apply(&object.to_string(), namespace).await?;
        Ok(())
    }

    /// An AppRole that reads what these teams have and may look up its secret id.
    async fn role(&self, name: &str, teams: &[&str], ttl: &str, uses: u32) -> Result<AppRole> {
        let vault = self.running.stack().vault();
        let paths =
            teams.iter().map(|team| format!("path \"{SHARED_KV}/data/{team}/*\" {{ capabilities = [\"read\"] }}\n"));
        let lookup =
            format!("path \"auth/{SHARED_APPROLE}/role/{name}/secret-id/lookup\" {{ capabilities = [\"update\"] }}\n");
        vault.write_policy(name, &paths.chain([lookup]).collect::<String>()).await?;
        let options = json!({"token_policies": [name], "secret_id_ttl": ttl, "secret_id_num_uses": uses});
        Ok(vault.create_approle(SHARED_APPROLE, name, options).await?)
    }

    /// Writes every secret anew.
    pub async fn rotate(&self, password: &str) -> Result {
        for team in &TEAMS {
            for number in 1..=team.objects {
                self.kv.write(&path(team.name, number), json!({"user": "app", "password": password})).await?;
            }
        }
        Ok(())
    }

    /// Takes a property away from three secrets of the careless team, or gives it back.
    pub async fn property(&self, is_there: bool) -> Result {
        for number in 1..=3 {
            let data = if is_there { json!({"user": "app", "password": "third"}) } else { json!({"user": "app"}) };
            self.kv.write(&path(CARELESS, number), data).await?;
        }
        Ok(())
    }

    /// Puts another secret id into the credentials of the refused team: one that Vault does not know, or a good one.
    pub async fn secret_id(&self, is_good: bool) -> Result {
        let id = match is_good {
            true => self.running.stack().vault().new_secret_id(SHARED_APPROLE, REFUSED).await?,
            false => "00000000-0000-0000-0000-000000000000".to_owned(),
        };
        self.apply(REFUSED, credentials(&id)).await
    }

    /// Stops the operator that was the first to lead.
    pub async fn stop_the_leader(&mut self) -> Result {
        self.operators.remove(0).stop().await?;
        Ok(())
    }

    /// What the operators last said.
    pub fn last_lines(&self) -> Vec<String> {
        self.operators.iter().flat_map(Operator::last_lines).collect()
    }

    /// Stops the operators in order; the servers go when this is dropped.
    pub async fn stop(mut self) -> Result {
        for operator in &mut self.operators {
            operator.stop().await?;
        }
        Ok(())
    }
}

/// A cluster's Prometheus tells the pod too.
fn target(name: &str, operator: &Operator) -> Option<Target> {
    let address = operator.address("serving metrics")?;
    Some(Target { address, labels: vec![("pod", name.to_owned())] })
}

/// CRDs, namespaces and the operator's rights, once the API server serves the CRDs.
async fn install(kube: &Kube) -> Result {
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    for crd in ["externalsecrets", "secretstores", "clustersecretstores"] {
        let file = crds.join(format!("external-secrets.io_{crd}.yaml"));
        kube.apply(&std::fs::read_to_string(file)?, OPERATOR).await?;
    }
    for manifest in [
        include_str!("../../../deploy/manifests/namespace.yaml"),
        include_str!("../../../deploy/manifests/service-account.yaml"),
        include_str!("../../../deploy/manifests/rbac.yaml"),
    ] {
        kube.apply(manifest, OPERATOR).await?;
    }
    for team in &TEAMS {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team.name}});
        kube.apply(&namespace.to_string(), "").await?;
    }
    wait_until("the CRDs to be served", DEADLINE, async || {
        let known = kube.request(testbed::Method::GET, "/apis/external-secrets.io/v1", None).await;
        let known = known.map_err(|error| error.to_string())?.to_string();
        let is_served = |kind| known.contains(&format!("\"{kind}\""));
        let all = ["ExternalSecret", "SecretStore", "ClusterSecretStore"].into_iter().all(is_served);
        if all { Ok(()) } else { Err(known) }
    })
    .await?;
    Ok(())
}

fn path(team: &str, number: usize) -> String {
    format!("{team}/{}", name(number))
}

fn name(number: usize) -> String {
    format!("app-{number:02}")
}

fn credentials(secret_id: &str) -> Value {
    let data = json!({"secret-id": secret_id});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": CREDENTIALS}, "stringData": data})
}

fn store(kind: &str, name: &str, server: &str, role: &AppRole) -> Value {
    let mut secret = json!({"name": CREDENTIALS, "key": "secret-id"});
    if let (true, Some(fields)) = (kind == "ClusterSecretStore", secret.as_object_mut()) {
        fields.insert("namespace".to_owned(), json!(OPERATOR));
    }
    let auth = json!({"appRole": {"path": role.mount, "roleId": role.role_id, "secretRef": secret}});
    let vault = json!({"server": server, "path": SHARED_KV, "version": "v2", "auth": auth});
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": kind, "metadata": {"name": name},
        "spec": {"provider": {"vault": vault}},
    })
}

fn external(team: &Team, number: usize, interval: &str) -> Value {
    let store = match team.uses {
        0 => json!({"kind": "ClusterSecretStore", "name": PLATFORM}),
        _ => json!({"kind": "SecretStore", "name": "vault"}),
    };
    let remote = json!({"key": path(team.name, number), "property": "password"});
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": {"name": name(number)},
        "spec": {
            "refreshInterval": interval,
            "secretStoreRef": store,
            "data": [{"secretKey": "password", "remoteRef": remote}],
        },
    })
}
