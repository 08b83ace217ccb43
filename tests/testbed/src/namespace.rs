//! A place of its own for each test.

use crate::{AppRole, Kube, Kv, KvVersion, Result, SHARED_APPROLE, Stack, Vault};
use reqwest::Method;
use serde_json::json;
use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// A Kubernetes namespace, and a prefix for everything in Vault that is shared by name: mounts, policies, roles.
/// The namespace is deleted when this is dropped, without waiting for it.
pub struct Namespace {
    name: String,
    kube: Kube,
    vault: Vault,
}

impl Namespace {
    pub(crate) async fn create(stack: &Stack, hint: &str) -> Result<Self> {
        let name = unique(hint);
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        stack.kube().request(Method::POST, "/api/v1/namespaces", Some(body)).await?;
        Ok(Self { name, kube: stack.kube().clone(), vault: stack.vault().clone() })
    }

    /// Its name in Kubernetes, and the prefix in Vault.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Server-side applies manifests into this namespace, as [`Kube::apply`].
    ///
    /// # Errors
    /// As [`Kube::apply`].
    pub async fn apply(&self, manifests: &str) -> Result<Vec<serde_json::Value>> {
        self.kube.apply(manifests, &self.name).await
    }

    /// A new KV mount at `<name>/<mount>`.
    ///
    /// # Errors
    /// Where the server does not make it.
    pub async fn kv(&self, mount: &str, version: KvVersion) -> Result<Kv> {
        self.vault.enable_kv(&format!("{}/{mount}", self.name), version).await
    }

    /// A role of the shared AppRole mount that may read and list `paths`, such as `kv/data/team/*`; role and policy have this
    /// namespace's name. `options` as in [`Vault::create_approle`].
    ///
    /// # Errors
    /// Where the server does not make it.
    pub async fn reader(&self, paths: &[&str], options: serde_json::Value) -> Result<AppRole> {
        self.vault.allow_reading(&self.name, paths).await?;
        let mut options = options;
        if let Some(fields) = options.as_object_mut() {
            fields.insert("token_policies".to_owned(), json!([self.name]));
        }
        self.vault.create_approle(SHARED_APPROLE, &self.name, options).await
    }

    /// Deletes the namespace and waits until it is gone. Needs the controller-manager.
    ///
    /// # Errors
    /// [`crate::Error::TimedOut`].
    pub async fn delete(self, within: Duration) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}", self.name);
        self.kube.request(Method::DELETE, &path, None).await?;
        crate::wait_until(&format!("the end of namespace {}", self.name), within, async || {
            match self.kube.request(Method::GET, &path, None).await {
                Err(error) if error.status() == Some(404) => Ok(()),
                Ok(namespace) => Err(namespace.get("status").unwrap_or(&namespace).to_string()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }
}

impl Drop for Namespace {
    /// The test's runtime is about to end and would cut a task of its own off: hence a thread, which nobody waits for.
    fn drop(&mut self) {
        let (kube, path) = (self.kube.clone(), format!("/api/v1/namespaces/{}", self.name));
        std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            let _ = runtime.block_on(async { kube.fresh()?.request(Method::DELETE, &path, None).await });
        });
    }
}

/// A DNS label that no other test has: the hint and 40 random bits.
pub(crate) fn unique(hint: &str) -> String {
    let random = RandomState::new().hash_one(hint) & 0xff_ffff_ffff;
    let hint: String =
        hint.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let hint = hint.trim_matches('-');
    format!("{}-{random:010x}", hint.get(..hint.len().min(40)).unwrap_or("test"))
}
