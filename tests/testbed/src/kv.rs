//! Values of a KV mount.

use crate::{Result, Vault, vault::KvVersion};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// A KV mount of either version. Paths are those below the mount, without `data/`.
#[derive(Clone)]
pub struct Kv {
    pub(crate) vault: Vault,
    pub(crate) mount: String,
    pub(crate) version: KvVersion,
}

impl Kv {
    /// The mount's path.
    pub fn mount(&self) -> &str {
        &self.mount
    }

    /// Where a secret is read: `kv/data/team/db`, or `kv/team/db` for v1.
    pub fn read_path(&self, path: &str) -> String {
        match self.version {
            KvVersion::V1 => format!("{}/{path}", self.mount),
            KvVersion::V2 => format!("{}/data/{path}", self.mount),
        }
    }

    /// A v2 mount upgrades its storage for a moment after it is made and refuses writes meanwhile.
    pub(crate) async fn settled(&self) -> Result<()> {
        if self.version == KvVersion::V1 {
            return Ok(());
        }
        crate::wait_until("the new KV v2 mount", Duration::from_secs(20), async || {
            self.vault.request(Method::GET, &format!("{}/config", self.mount), None).await.map(drop)
        })
        .await
    }

    /// Writes a secret (v2: its next version, whose number is returned; v1: 0).
    ///
    /// # Errors
    /// Where the server does not take it.
    pub async fn write(&self, path: &str, data: Value) -> Result<u64> {
        let body = match self.version {
            KvVersion::V1 => data,
            KvVersion::V2 => json!({"data": data}),
        };
        let answer = self.vault.request(Method::POST, &self.read_path(path), Some(body)).await?;
        Ok(answer.pointer("/data/version").and_then(Value::as_u64).unwrap_or_default())
    }

    /// The secret's data as it stands.
    ///
    /// # Errors
    /// 404 where it is gone.
    pub async fn read(&self, path: &str) -> Result<Value> {
        let answer = self.vault.request(Method::GET, &self.read_path(path), None).await?;
        let data = match self.version {
            KvVersion::V1 => answer.pointer("/data"),
            KvVersion::V2 => answer.pointer("/data/data"),
        };
        Ok(data.cloned().unwrap_or_default())
    }

    /// Deletes a secret; v2: its newest version, which [`Kv::undelete`] brings back.
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn delete(&self, path: &str) -> Result<()> {
        self.vault.request(Method::DELETE, &self.read_path(path), None).await.map(drop)
    }

    /// Brings deleted versions back (v2).
    ///
    /// # Errors
    /// 404 for a v1 mount.
    pub async fn undelete(&self, path: &str, versions: &[u64]) -> Result<()> {
        self.versions("undelete", path, versions).await
    }

    /// Ends versions for good; their metadata stays (v2).
    ///
    /// # Errors
    /// 404 for a v1 mount.
    pub async fn destroy(&self, path: &str, versions: &[u64]) -> Result<()> {
        self.versions("destroy", path, versions).await
    }

    async fn versions(&self, verb: &str, path: &str, versions: &[u64]) -> Result<()> {
        let url = format!("{}/{verb}/{path}", self.mount);
        self.vault.request(Method::POST, &url, Some(json!({"versions": versions}))).await.map(drop)
    }

    /// Removes all versions and the metadata: the path was never there (v2).
    ///
    /// # Errors
    /// Where the server does not do it.
    pub async fn delete_metadata(&self, path: &str) -> Result<()> {
        self.vault.request(Method::DELETE, &format!("{}/metadata/{path}", self.mount), None).await.map(drop)
    }

    /// Sets `custom_metadata` (v2).
    ///
    /// # Errors
    /// Where the server does not take it.
    pub async fn write_metadata(&self, path: &str, custom: Value) -> Result<()> {
        let body = json!({"custom_metadata": custom});
        self.vault.request(Method::POST, &format!("{}/metadata/{path}", self.mount), Some(body)).await.map(drop)
    }
}
