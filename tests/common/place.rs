//! A place of one test's own: a namespace, a role, paths below the shared KV mount, and a proxy that counts before Vault.

use super::objects::External;
use super::{Operator, Result, crds};
use base64::Engine;
use kube::Client;
use serde_json::{Value, json};
use testbed::{AppRole, Kv, KvVersion, Namespace, Proxy, SHARED_KV, Stack};

/// The store of every test, if it makes no other.
pub const STORE: &str = "vault";
/// The Secret that the store's secret id is in, below [`SECRET_ID_KEY`].
pub const CREDENTIALS: &str = "approle";
/// The key of [`CREDENTIALS`].
pub const SECRET_ID_KEY: &str = "secretID";

/// A place of one test's own. The operator is not running yet.
pub struct Place {
    /// The servers.
    pub stack: Stack,
    /// Its namespace, also the prefix of everything that it has in Vault.
    pub namespace: Namespace,
    /// The API server, as admin.
    pub client: Client,
    /// The shared KV v2 mount; keep below [`Place::key`].
    pub kv: Kv,
    /// May read everything below [`Place::key`], and all mounts of this namespace.
    pub role: AppRole,
    /// What stores talk to: passes on, counts, and misbehaves as told.
    pub proxy: Proxy,
}

impl Place {
    /// Makes one, in a cluster that has the CRDs.
    pub async fn new(hint: &str) -> Result<Self> {
        Self::with_role(hint, json!({})).await
    }

    /// One whose AppRole has these options.
    pub async fn with_role(hint: &str, options: Value) -> Result<Self> {
        let stack = Stack::from_env()?;
        let client = Client::try_default().await?;
        crds::install(&client).await?;
        let namespace = stack.namespace(hint).await?;
        let name = namespace.name();
        let paths = [format!("{SHARED_KV}/data/{name}/*"), format!("{name}/*")];
        let role = namespace.reader(&[&paths[0], &paths[1]], options).await?;
        let proxy = Proxy::start(stack.vault().addr()).await?;
        let kv = stack.vault().kv(SHARED_KV, KvVersion::V2);
        Ok(Self { stack, namespace, client, kv, role, proxy })
    }

    /// A place with an operator, credentials and a store that works.
    pub async fn with_operator(hint: &str) -> Result<(Self, Operator)> {
        let place = Self::new(hint).await?;
        place.apply([place.credentials(), place.store(STORE)]).await?;
        let operator = Operator::start(place.name()).await?;
        Ok((place, operator))
    }

    /// The namespace's name.
    pub fn name(&self) -> &str {
        self.namespace.name()
    }

    /// A remote key of this test's own: `<namespace>/<path>`.
    pub fn key(&self, path: &str) -> String {
        format!("{}/{path}", self.name())
    }

    /// Where [`Place::key`] is read at, as the proxy sees it.
    pub fn read_at(&self, path: &str) -> String {
        format!("/v1/{SHARED_KV}/data/{}/{path}", self.name())
    }

    /// How often [`Place::key`] was read.
    pub fn reads(&self, path: &str) -> usize {
        self.proxy.count_of("GET", &self.read_at(path))
    }

    /// How often anything below the KV mount was read.
    pub fn all_reads(&self) -> usize {
        let prefix = format!("/v1/{SHARED_KV}/data/");
        self.proxy.count(|seen| seen.path.starts_with(&prefix))
    }

    /// Writes a secret at [`Place::key`].
    pub async fn write(&self, path: &str, data: Value) -> Result {
        self.kv.write(&self.key(path), data).await?;
        Ok(())
    }

    /// The Secret with the role's secret id.
    pub fn credentials(&self) -> Value {
        self.credentials_of(&self.role.secret_id)
    }

    /// The same Secret with another secret id.
    pub fn credentials_of(&self, secret_id: &str) -> Value {
        secret(CREDENTIALS, &[(SECRET_ID_KEY, secret_id)])
    }

    /// A store that reads from the shared mount through the proxy as the role.
    pub fn store(&self, name: &str) -> Value {
        self.store_at(name, Some(SHARED_KV), "v2")
    }

    /// A store with this path and version.
    pub fn store_at(&self, name: &str, path: Option<&str>, version: &str) -> Value {
        let mut vault = json!({
            "server": self.proxy.url(),
            "version": version,
            "auth": {"appRole": {
                "path": self.role.mount,
                "roleId": self.role.role_id,
                "secretRef": {"name": CREDENTIALS, "key": SECRET_ID_KEY},
            }},
        });
        if let Some(path) = path {
            vault["path"] = json!(path);
        }
        store_of(name, json!({"vault": vault}))
    }

    /// An ExternalSecret of this name that reads `key -> <namespace>/<remote>` from [`STORE`]; the Secret has its name.
    pub fn external(&self, name: &str, data: &[(&str, &str)]) -> External {
        let entry = |(key, remote): &(&str, &str)| json!({"secretKey": key, "remoteKey": self.key(remote)});
        External::new(name, data.iter().map(entry).collect())
    }

    /// Server-side applies objects, as `kubectl apply --server-side` does.
    pub async fn apply(&self, objects: impl IntoIterator<Item = Value>) -> Result {
        let manifests: Vec<String> = objects.into_iter().map(|object| object.to_string()).collect();
        self.namespace.apply(&manifests.join("\n---\n")).await?;
        Ok(())
    }
}

/// A SecretStore with this provider.
pub fn store_of(name: &str, provider: Value) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": name},
        "spec": {"provider": provider},
    })
}

/// A Secret.
pub fn secret(name: &str, data: &[(&str, &str)]) -> Value {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let data: serde_json::Map<String, Value> =
        data.iter().map(|(key, text)| ((*key).to_owned(), json!(encode(text)))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
}
