//! Stores of both kinds and every login method, and waiting for what becomes of them.

use super::objects::{External, condition};
use super::place::{CREDENTIALS, SECRET_ID_KEY, store_of};
use super::{Operator, Place, Result, SOON};
use external_secrets_rs::api::{ClusterSecretStore, SecretStore};
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use std::time::Duration;
use testbed::{Method, SHARED_KV, wait_until};

/// The key of a credentials Secret that a role id stands in, beside [`SECRET_ID_KEY`].
pub const ROLE_ID_KEY: &str = "roleID";

impl Place {
    /// A SecretStore for the shared mount through the proxy that logs in with this `auth`.
    pub fn store_with(&self, name: &str, auth: Value) -> Value {
        store_of(name, json!({"vault": self.vault_with(auth)}))
    }

    /// A ClusterSecretStore with this `auth`, whose class is this place's name: see [`Place::cluster_operator`].
    pub fn cluster_store(&self, name: &str, auth: Value) -> Value {
        json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": "ClusterSecretStore",
            "metadata": {"name": name},
            "spec": {"controller": self.name(), "provider": {"vault": self.vault_with(auth)}},
        })
    }

    fn vault_with(&self, auth: Value) -> Value {
        json!({"server": self.proxy.url(), "path": SHARED_KV, "version": "v2", "auth": auth})
    }

    /// AppRole with the role of this place and a secret id in its namespace, said in so many words.
    pub fn app_role(&self) -> Value {
        json!({"appRole": {
            "path": self.role.mount,
            "roleId": self.role.role_id,
            "secretRef": {"name": CREDENTIALS, "key": SECRET_ID_KEY, "namespace": self.name()},
        }})
    }

    /// AppRole with role id and secret id both from [`Place::both_ids`], in whichever namespace that is meant.
    pub fn app_role_of_referent(&self) -> Value {
        json!({"appRole": {
            "path": self.role.mount,
            "roleRef": {"name": CREDENTIALS, "key": ROLE_ID_KEY},
            "secretRef": {"name": CREDENTIALS, "key": SECRET_ID_KEY},
        }})
    }

    /// The Secret with this place's role id and secret id.
    pub fn both_ids(&self) -> Value {
        super::place::secret(CREDENTIALS, &[(ROLE_ID_KEY, &self.role.role_id), (SECRET_ID_KEY, &self.role.secret_id)])
    }

    /// A ServiceAccount of this place.
    pub fn account(&self, name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
    }

    /// An operator of the whole cluster that takes the stores of [`Place::cluster_store`] alone, so that it leaves other
    /// tests' in peace.
    pub async fn cluster_operator(&self) -> Result<Operator> {
        let operator = Operator::start_with(&["--controller-class", self.name()], None).await?;
        operator.ready().await?;
        Ok(operator)
    }

    /// Waits until a ClusterSecretStore is this much Ready and its message holds all these words; answers with its status.
    pub async fn cluster_store_is(&self, name: &str, ready: &str, words: &[&str]) -> Result<Value> {
        let stores: Api<ClusterSecretStore> = Api::all(self.client.clone());
        let what = format!("ClusterSecretStore {name} with Ready={ready} {words:?}");
        let found = wait_until(&what, SOON, async || {
            let object = stores.get(name).await.map_err(|error| error.to_string())?;
            is_told(&serde_json::to_value(&object).unwrap_or_default(), ready, words)
        });
        Ok(found.await?)
    }

    /// As [`Place::store_is`], within this, answering with the status.
    pub async fn store_status_within(
        &self,
        name: &str,
        ready: &str,
        words: &[&str],
        within: Duration,
    ) -> Result<Value> {
        let what = format!("SecretStore {name} with Ready={ready} {words:?}");
        let found = wait_until(&what, within, async || {
            let object = self.api::<SecretStore>().get(name).await.map_err(|error| error.to_string())?;
            is_told(&serde_json::to_value(&object).unwrap_or_default(), ready, words)
        });
        Ok(found.await?)
    }

    /// A SecretStore as it stands.
    pub async fn store_now(&self, name: &str) -> Result<Value> {
        Ok(serde_json::to_value(self.api::<SecretStore>().get(name).await?)?)
    }

    /// Deletes a ClusterSecretStore.
    pub async fn delete_cluster_store(&self, name: &str) -> Result {
        let stores: Api<ClusterSecretStore> = Api::all(self.client.clone());
        stores.delete(name, &DeleteParams::background()).await?;
        Ok(())
    }

    /// How many tokens were given back through the proxy.
    pub fn revocations(&self) -> usize {
        self.proxy.count(|seen| seen.path == "/v1/auth/token/revoke-self")
    }

    /// Waits until this many tokens were given back.
    pub async fn revoked(&self, tokens: usize) -> Result {
        wait_until(&format!("{tokens} revoked tokens"), SOON, async || match self.revocations() {
            seen if seen == tokens => Ok(()),
            _ => Err(self.proxy.summary()),
        })
        .await?;
        Ok(())
    }

    /// Enables an auth method at a mount of this place's own, and gives its path.
    pub async fn auth_mount(&self, method: &str) -> Result<String> {
        let mount = format!("{}-{method}", self.name());
        self.stack.vault().enable_auth(method, &mount).await?;
        Ok(mount)
    }

    /// Writes to Vault as root.
    pub async fn vault_write(&self, path: &str, body: Value) -> Result {
        self.stack.vault().request(Method::POST, path, Some(body)).await?;
        Ok(())
    }

    /// An accessor's or token's standing: whether the server still knows the token.
    pub async fn is_alive(&self, token: &str) -> Result<bool> {
        let vault = self.stack.vault().with_token(token);
        let (status, _) = vault.send(Method::GET, "auth/token/lookup-self", None).await?;
        Ok(status == 200)
    }

    /// The token that the last request through the proxy carried.
    pub fn last_token(&self) -> String {
        let requests = self.proxy.requests();
        let last = requests.iter().rev().find_map(|seen| seen.header("x-vault-token").map(str::to_owned));
        last.expect("a request with a token")
    }
}

impl External {
    /// Reads from this ClusterSecretStore.
    pub fn from_cluster_store(self, name: &str) -> Self {
        self.with("/spec", "secretStoreRef", json!({"name": name, "kind": "ClusterSecretStore"}))
    }
}

/// The status of a store, once it is about its spec as it is now, and `Ready` is this.
fn is_told(object: &Value, ready: &str, words: &[&str]) -> std::result::Result<Value, String> {
    let status = &object["status"];
    let about = condition(status, "Ready");
    let told = about["message"].as_str().unwrap_or_default();
    let is_observed = status["observedGeneration"] == object["metadata"]["generation"];
    if is_observed && about["status"] == ready && words.iter().all(|word| told.contains(word)) {
        Ok(status.clone())
    } else {
        Err(status.to_string())
    }
}
