//! The API server as a test's other hand uses it: admin requests, applied manifests, kubeconfigs of ServiceAccounts.

use crate::{
    Error, Result, binaries, http,
    pki::{Pki, write_private},
};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::{path::PathBuf, process::Output};

/// The field manager of what the testbed applies.
const FIELD_MANAGER: &str = "testbed";

/// An admin of the testbed's API server.
#[derive(Clone)]
pub struct Kube {
    client: Client,
    url: String,
    kubeconfig: PathBuf,
    pki: Pki,
}

impl Kube {
    pub(crate) fn new(url: String, kubeconfig: PathBuf, pki: Pki) -> Result<Self> {
        Ok(Self { client: http::admin(&pki)?, url, kubeconfig, pki })
    }

    /// The same with connections of its own: those of another runtime end with it.
    pub(crate) fn fresh(&self) -> Result<Self> {
        Self::new(self.url.clone(), self.kubeconfig.clone(), self.pki.clone())
    }

    /// `https://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Path of the admin's kubeconfig.
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// Any request as admin, `path` as in `/api/v1/namespaces`.
    ///
    /// # Errors
    /// [`Error::Answer`] with status and body for anything but 2xx.
    pub async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let mut request = self.client.request(method.clone(), &url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        http::json(&method, &url, request).await
    }

    /// Server-side applies manifests (YAML, `---` between them). Namespaced objects without a namespace go into `namespace`.
    ///
    /// # Errors
    /// [`Error::Unexpected`] for what is no manifest or of a kind that the server doesn't know, [`Error::Answer`] where it is refused.
    pub async fn apply(&self, manifests: &str, namespace: &str) -> Result<Vec<Value>> {
        let objects: Vec<Value> = serde_saphyr::from_multiple(manifests)
            .map_err(|error| Error::Unexpected { what: "manifests".to_owned(), why: error.to_string() })?;
        let mut applied = Vec::with_capacity(objects.len());
        for object in objects.iter().filter(|object| !object.is_null()) {
            applied.push(self.apply_object(object, namespace).await?);
        }
        Ok(applied)
    }

    async fn apply_object(&self, object: &Value, namespace: &str) -> Result<Value> {
        let place = self.place_of(object, namespace).await?;
        let url = format!("{}{place}?fieldManager={FIELD_MANAGER}&force=true", self.url);
        let request = self.client.patch(&url).header("Content-Type", "application/apply-patch+yaml");
        http::json(&Method::PATCH, &url, request.body(object.to_string())).await
    }

    /// The path of an object in the API, as discovery tells its kind's plural and whether it has a namespace.
    async fn place_of(&self, object: &Value, namespace: &str) -> Result<String> {
        let (version, kind) = (http::text(object, "/apiVersion")?, http::text(object, "/kind")?);
        let name = http::text(object, "/metadata/name")?;
        let group = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let known = self.request(Method::GET, &group, None).await?;
        let text = |resource: &Value, field| resource.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        // Subresources such as deployments/scale have kinds too.
        let is_meant = |resource: &&Value| text(resource, "kind") == kind && !text(resource, "name").contains('/');
        let resource = known.get("resources").and_then(Value::as_array).and_then(|all| all.iter().find(is_meant));
        let resource = resource.ok_or_else(|| Error::Unexpected {
            what: format!("{kind} {name}"),
            why: format!("{version} has no such kind"),
        })?;
        let plural = text(resource, "name");
        if resource.get("namespaced").and_then(Value::as_bool) != Some(true) {
            return Ok(format!("{group}/{plural}/{name}"));
        }
        let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or(namespace);
        Ok(format!("{group}/namespaces/{namespace}/{plural}/{name}"))
    }

    /// A token of a ServiceAccount through TokenRequest; no audiences means the API server's own.
    ///
    /// # Errors
    /// 404 where the ServiceAccount is not there.
    pub async fn token(&self, namespace: &str, service_account: &str, audiences: &[&str]) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token");
        // An empty list of audiences is as none.
        let spec = json!({"expirationSeconds": 3600, "audiences": audiences});
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec});
        http::text(&self.request(Method::POST, &path, Some(body)).await?, "/status/token")
    }

    /// A kubeconfig that is a ServiceAccount and may what its roles say: how the operator runs with its real, least rights.
    ///
    /// # Errors
    /// 404 where the ServiceAccount is not there.
    pub async fn service_account_kubeconfig(&self, namespace: &str, service_account: &str) -> Result<PathBuf> {
        let token = self.token(namespace, service_account, &[]).await?;
        let path = self.kubeconfig.with_file_name(format!("kubeconfig-{namespace}-{service_account}"));
        write_private(&path, &kubeconfig(&self.url, &self.pki, namespace, &json!({"token": token})))?;
        Ok(path)
    }

    /// Runs `kubectl` as admin, where `KUBEBUILDER_ASSETS` or `PATH` has one.
    ///
    /// # Errors
    /// [`Error::Binary`] where there is none.
    pub async fn kubectl(&self, args: &[&str]) -> Result<Output> {
        let program = binaries::on_this_machine("kubectl").next().ok_or_else(|| Error::Binary {
            tool: "kubectl",
            why: "it is not in KUBEBUILDER_ASSETS or PATH".to_owned(),
        })?;
        let mut command = tokio::process::Command::new(&program);
        command.args(args).env("KUBECONFIG", &self.kubeconfig).kill_on_drop(true);
        command.output().await.map_err(Error::io("run", program))
    }

    pub(crate) fn admin_kubeconfig(url: &str, pki: &Pki) -> String {
        let user = json!({"client-certificate": pki.certificate("admin"), "client-key": pki.key("admin")});
        kubeconfig(url, pki, "default", &user)
    }
}

/// A kubeconfig with one context. JSON is YAML, and serde_json quotes what needs it.
fn kubeconfig(url: &str, pki: &Pki, namespace: &str, user: &Value) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {"server": url, "certificate-authority": pki.certificate("ca")}}],
        "users": [{"name": "testbed", "user": user}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "testbed", "namespace": namespace}}],
        "current-context": "testbed",
    });
    format!("{config:#}\n")
}
