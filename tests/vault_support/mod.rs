//! A KV mount, an AppRole and a counting proxy for one test alone, on the shared OpenBao.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use external_secrets_rs::vault::{
    Connection, KvPath, KvVersion, Login, Session, Sessions, Settings, Urgency, VaultError,
};
use serde_json::{Value, json};
use testbed::{AppRole, Kv, Proxy, Stack, Vault};

pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How long anything may take that should happen at once; a shared machine is slow at times.
pub const SOON: Duration = Duration::from_secs(15);

pub struct Rig {
    pub stack: Stack,
    /// Of its policy, role and mounts.
    pub name: String,
    /// As root, past the proxy.
    pub vault: Vault,
    /// KV v2.
    pub kv: Kv,
    pub role: AppRole,
    pub proxy: Proxy,
    pub sessions: Sessions,
}

impl Rig {
    /// A role with these options that may read and list everything below `<name>/`, but not `<name>/kv/data/denied`.
    pub async fn new(hint: &str, options: Value) -> Result<Self> {
        Self::with(hint, options, Settings::default()).await
    }

    pub async fn with(hint: &str, options: Value, settings: Settings) -> Result<Self> {
        let stack = Stack::from_env()?;
        let vault = stack.vault().clone();
        Self::on(stack, vault, hint, options, settings).await
    }

    /// On a server of its own.
    pub async fn on(stack: Stack, vault: Vault, hint: &str, mut options: Value, settings: Settings) -> Result<Self> {
        let name = unique(hint);
        let kv = vault.enable_kv(&format!("{name}/kv"), testbed::KvVersion::V2).await?;
        let policy = format!(
            "path \"{name}/*\" {{ capabilities = [\"read\", \"list\"] }}\n\
             path \"{name}/kv/data/denied*\" {{ capabilities = [\"deny\"] }}\n"
        );
        vault.write_policy(&name, &policy).await?;
        if options.get("token_policies").is_none() {
            options["token_policies"] = json!([name]);
        }
        let mount = format!("{name}-approle");
        vault.enable_auth("approle", &mount).await?;
        let role = vault.create_approle(&mount, &name, options).await?;
        let proxy = Proxy::start(vault.addr()).await?;
        let sessions = Sessions::new(settings, tokio::runtime::Handle::current());
        Ok(Self { stack, name, vault, kv, role, proxy, sessions })
    }

    pub fn login(&self) -> Login {
        self.login_with(&self.role.secret_id)
    }

    pub fn login_with(&self, secret_id: &str) -> Login {
        Login::app_role(&self.role.mount, self.role.role_id.as_str().into(), secret_id.into()).unwrap()
    }

    /// Through the proxy.
    pub fn connection(&self) -> Connection {
        Connection::new(self.proxy.url(), self.login())
    }

    pub fn session(&self) -> Arc<Session> {
        self.sessions.open(self.connection()).unwrap()
    }

    /// A path of the v2 mount.
    pub fn path(&self, below: &str) -> KvPath {
        KvPath::latest(KvVersion::V2, self.kv.read_path(below))
    }

    /// How many requests reached the proxy for this API path.
    pub fn asked(&self, path: &str) -> usize {
        let path = format!("/v1/{path}");
        self.proxy.count(|seen| seen.path == path)
    }

    /// The token that the last request for secrets carried.
    pub fn last_token(&self) -> String {
        self.last_token_for(&format!("/v1/{}/", self.name))
    }

    /// The token that the last request for a path that begins so carried.
    pub fn last_token_for(&self, path: &str) -> String {
        let requests = self.proxy.requests();
        let mut last = requests.iter().rev().filter(|seen| seen.path.starts_with(path));
        last.find_map(|seen| seen.header("x-vault-token")).expect("a request with a token").to_owned()
    }

    /// Whether the server knows this token, which may not look itself up.
    pub async fn is_known(&self, token: &str) -> Result<bool> {
        let body = json!({"token": token});
        let (status, _) = self.vault.send(testbed::Method::POST, "auth/token/lookup", Some(body)).await?;
        Ok(status == 200)
    }

    /// Whether the server knows this token.
    pub async fn is_alive(&self, token: &str) -> Result<bool> {
        let (status, _) =
            self.vault.with_token(token).send(testbed::Method::GET, "auth/token/lookup-self", None).await?;
        Ok(status == 200)
    }
}

pub async fn read(session: &Session, path: &KvPath) -> std::result::Result<Value, VaultError> {
    read_as(session, path, Urgency::Urgent).await
}

pub async fn read_as(session: &Session, path: &KvPath, urgency: Urgency) -> std::result::Result<Value, VaultError> {
    let secret = session.read(path, urgency).await?;
    Ok(serde_json::from_str(secret.json()).unwrap())
}

pub fn unique(hint: &str) -> String {
    format!("{hint}-{:08x}", RandomState::new().hash_one(hint) as u32)
}
