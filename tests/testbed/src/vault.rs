//! What a test does to Vault behind the operator's back: mounts, values, policies, roles.

use crate::{Kv, Result, http};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// A client of one Vault or OpenBao, as one token, in one namespace.
#[derive(Clone)]
pub struct Vault {
    client: Client,
    addr: String,
    token: String,
    namespace: Option<String>,
}

/// The version of a KV mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KvVersion {
    /// One value a path.
    V1,
    /// Versioned values below `data/`, their metadata below `metadata/`.
    V2,
}

/// A role of an AppRole mount, and a secret id of it.
#[derive(Clone)]
pub struct AppRole {
    /// The mount, without `auth/`.
    pub mount: String,
    /// The role's name.
    pub name: String,
    /// Its role id.
    pub role_id: String,
    /// A secret id that logs in.
    pub secret_id: String,
}

impl Vault {
    pub(crate) fn new(client: Client, addr: String, token: String) -> Self {
        Self { client, addr, token, namespace: None }
    }

    /// The same server as another token.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: token.into(), ..self.clone() }
    }

    /// The same server and token in a namespace, `None` for the root.
    pub fn in_namespace(&self, namespace: Option<&str>) -> Self {
        Self { namespace: namespace.map(str::to_owned), ..self.clone() }
    }

    /// The server's address.
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// The token that requests carry.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Any request, `path` as in `sys/health`. The answer's JSON, `Null` where it has no body.
    ///
    /// # Errors
    /// [`crate::Error::Answer`] with status and body for anything but 2xx.
    pub async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let (url, request) = self.prepare(&method, path, body);
        http::json(&method, &url, request).await
    }

    /// Any request; status and body, whatever the status.
    ///
    /// # Errors
    /// [`crate::Error::Request`] where there is no answer.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<(u16, String)> {
        let (url, request) = self.prepare(&method, path, body);
        http::send(&method, &url, request).await
    }

    fn prepare(&self, method: &Method, path: &str, body: Option<Value>) -> (String, reqwest::RequestBuilder) {
        let url = format!("{}/v1/{path}", self.addr);
        let mut request = self.client.request(method.clone(), &url).header("X-Vault-Request", "true");
        if !self.token.is_empty() {
            request = request.header("X-Vault-Token", &self.token);
        }
        if let Some(namespace) = &self.namespace {
            request = request.header("X-Vault-Namespace", namespace);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        (url, request)
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.request(Method::POST, path, Some(body)).await
    }

    /// Makes a KV mount.
    ///
    /// # Errors
    /// 400 where the path is taken.
    pub async fn enable_kv(&self, path: &str, version: KvVersion) -> Result<Kv> {
        let number = match version {
            KvVersion::V1 => "1",
            KvVersion::V2 => "2",
        };
        self.post(&format!("sys/mounts/{path}"), json!({"type": "kv", "options": {"version": number}})).await?;
        let kv = self.kv(path, version);
        kv.settled().await?;
        Ok(kv)
    }

    /// A KV mount that is there.
    pub fn kv(&self, path: &str, version: KvVersion) -> Kv {
        Kv { vault: self.clone(), mount: path.to_owned(), version }
    }

    /// Removes a mount and all it holds.
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn disable_mount(&self, path: &str) -> Result<()> {
        self.request(Method::DELETE, &format!("sys/mounts/{path}"), None).await.map(drop)
    }

    /// Enables an auth method (`approle`, `kubernetes`, `jwt`, `userpass`, `ldap`, `cert`) at a path.
    ///
    /// # Errors
    /// 400 where the path is taken.
    pub async fn enable_auth(&self, method: &str, path: &str) -> Result<()> {
        self.post(&format!("sys/auth/{path}"), json!({"type": method})).await.map(drop)
    }

    /// Removes an auth mount, and with it the tokens it gave.
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn disable_auth(&self, path: &str) -> Result<()> {
        self.request(Method::DELETE, &format!("sys/auth/{path}"), None).await.map(drop)
    }

    /// Makes a namespace below this one, and gives a client in it.
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn create_namespace(&self, name: &str) -> Result<Self> {
        self.post(&format!("sys/namespaces/{name}"), json!({})).await?;
        let path = self.namespace.as_deref().map_or_else(|| name.to_owned(), |parent| format!("{parent}/{name}"));
        Ok(self.in_namespace(Some(&path)))
    }

    /// Writes an ACL policy, as HCL.
    ///
    /// # Errors
    /// 400 where it does not parse.
    pub async fn write_policy(&self, name: &str, policy: &str) -> Result<()> {
        self.request(Method::PUT, &format!("sys/policies/acl/{name}"), Some(json!({"policy": policy}))).await.map(drop)
    }

    /// Writes a policy that may read and list these paths, such as `kv/data/team/*`.
    ///
    /// # Errors
    /// 400 where a path can't stand in a policy.
    pub async fn allow_reading(&self, policy: &str, paths: &[&str]) -> Result<()> {
        let rules = paths.iter().map(|path| format!("path \"{path}\" {{ capabilities = [\"read\", \"list\"] }}\n"));
        self.write_policy(policy, &rules.collect::<String>()).await
    }

    /// Removes a policy.
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn delete_policy(&self, name: &str) -> Result<()> {
        self.request(Method::DELETE, &format!("sys/policies/acl/{name}"), None).await.map(drop)
    }

    /// Makes a token with these policies and further options of `auth/token/create`, such as `{"ttl": "3s"}`.
    ///
    /// # Errors
    /// 400 for options that can't be.
    pub async fn create_token(&self, policies: &[&str], options: Value) -> Result<String> {
        let mut body = options;
        if let Some(fields) = body.as_object_mut() {
            fields.insert("policies".to_owned(), json!(policies));
        }
        http::text(&self.post("auth/token/create", body).await?, "/auth/client_token")
    }

    /// Makes a role of an AppRole mount. `options` are the role's: `token_policies`, `secret_id_num_uses`, `token_ttl`,
    /// `token_num_uses`, `token_type` and so on.
    ///
    /// # Errors
    /// 400 for options that can't be, 404 where the mount is not there.
    pub async fn create_approle(&self, mount: &str, name: &str, options: Value) -> Result<AppRole> {
        self.post(&format!("auth/{mount}/role/{name}"), options).await?;
        let role_id = self.request(Method::GET, &format!("auth/{mount}/role/{name}/role-id"), None).await?;
        Ok(AppRole {
            mount: mount.to_owned(),
            name: name.to_owned(),
            role_id: http::text(&role_id, "/data/role_id")?,
            secret_id: self.new_secret_id(mount, name).await?,
        })
    }

    /// One more secret id of a role.
    ///
    /// # Errors
    /// 404 where the role is not there.
    pub async fn new_secret_id(&self, mount: &str, role: &str) -> Result<String> {
        http::text(&self.post(&format!("auth/{mount}/role/{role}/secret-id"), json!({})).await?, "/data/secret_id")
    }

    /// Ends a secret id: it logs in no more, tokens that it gave live on.
    ///
    /// # Errors
    /// 404 where the role is not there.
    pub async fn destroy_secret_id(&self, role: &AppRole) -> Result<()> {
        let path = format!("auth/{}/role/{}/secret-id/destroy", role.mount, role.name);
        self.post(&path, json!({"secret_id": role.secret_id})).await.map(drop)
    }

    /// Logs in as a role, as the operator would; a client with the token.
    ///
    /// # Errors
    /// 400 for a wrong secret id.
    pub async fn login(&self, role: &AppRole) -> Result<Self> {
        let body = json!({"role_id": role.role_id, "secret_id": role.secret_id});
        let answer = self.with_token("").post(&format!("auth/{}/login", role.mount), body).await?;
        Ok(self.with_token(http::text(&answer, "/auth/client_token")?))
    }

    /// Revokes a token and what hangs on it.
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn revoke(&self, token: &str) -> Result<()> {
        self.post("auth/token/revoke", json!({"token": token})).await.map(drop)
    }

    /// Accessors of all living tokens of this namespace: what was not revoked.
    ///
    /// # Errors
    /// 403 without sudo.
    pub async fn token_accessors(&self) -> Result<Vec<String>> {
        let answer = self.request(Method::GET, "auth/token/accessors?list=true", None).await?;
        let keys = answer.pointer("/data/keys").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(keys.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// The sum of a server metric over its labels, as Prometheus prints it; 0 where it has not been counted yet.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let url = "sys/metrics?format=prometheus";
        let (_, text) = self.in_namespace(None).send(Method::GET, url, None).await?;
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{']).then(|| line.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
        });
        Ok(values.sum())
    }

    /// Logins that this server has handled, of all roles and methods. Shared by all tests on it: to count one's own, use a
    /// [`crate::Proxy`], or an OpenBao of one's own.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn logins(&self) -> Result<f64> {
        self.metric("vault_core_handle_login_request_count").await
    }
}
