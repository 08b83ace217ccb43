//! Manifests of ExternalSecrets, and waiting for what becomes of them.

use super::place::STORE;
use super::{Place, Result, SOON};
use external_secrets_rs::api::{ExternalSecret, SecretStore};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;
use testbed::{holds_for, wait_until};

/// A manifest of an ExternalSecret. Its interval is an hour: what happens in a test is not the next refresh.
#[derive(Clone)]
pub struct External(Value);

impl External {
    /// One with these entries of `data`.
    pub fn new(name: &str, data: Vec<Value>) -> Self {
        Self(json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": name},
            "spec": {
                "refreshInterval": "1h",
                "secretStoreRef": {"name": STORE, "kind": "SecretStore"},
                "data": data,
            },
        }))
    }

    /// Refreshed this often.
    pub fn every(self, interval: &str) -> Self {
        self.with("/spec", "refreshInterval", json!(interval))
    }

    /// Writes a Secret of this name.
    pub fn target(self, name: &str) -> Self {
        self.with("/spec", "target", json!({"name": name}))
    }

    /// Reads from this SecretStore.
    pub fn from_store(self, name: &str) -> Self {
        self.with("/spec", "secretStoreRef", json!({"name": name, "kind": "SecretStore"}))
    }

    /// With an annotation.
    pub fn annotated(self, name: &str, value: &str) -> Self {
        self.with("/metadata", "annotations", json!({name: value}))
    }

    /// With a field set in the object at a JSON pointer.
    pub fn with(mut self, place: &str, field: &str, value: Value) -> Self {
        self.0.pointer_mut(place).expect("a place in the manifest")[field] = value;
        self
    }
}

impl From<External> for Value {
    fn from(external: External) -> Self {
        external.0
    }
}

impl Place {
    /// Objects of one kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), self.name())
    }

    /// Applies one ExternalSecret.
    pub async fn apply_external(&self, external: External) -> Result {
        self.apply([external.into()]).await
    }

    /// The ExternalSecret once its status is about its spec as it is now, and `Ready` is this.
    async fn reported(&self, name: &str, ready: &str, words: &[&str], within: Duration) -> Result<ExternalSecret> {
        let what = format!("ExternalSecret {name} with Ready={ready} {words:?}");
        let found = wait_until(&what, within, async || {
            let object = self.api::<ExternalSecret>().get(name).await.map_err(|error| error.to_string())?;
            let status = object.status.as_ref();
            let is_observed = status.and_then(|status| status.observed_generation) == object.metadata.generation;
            let told = message(&object);
            if is_observed && ready_status(&object) == Some(ready) && words.iter().all(|word| told.contains(word)) {
                Ok(object)
            } else {
                Err(serde_json::to_string(&status).unwrap_or_default())
            }
        });
        Ok(found.await?)
    }

    /// Waits until an ExternalSecret is Ready.
    pub async fn ready(&self, name: &str) -> Result<ExternalSecret> {
        self.ready_within(name, SOON).await
    }

    /// Waits until an ExternalSecret is Ready, and no longer than this.
    pub async fn ready_within(&self, name: &str, within: Duration) -> Result<ExternalSecret> {
        self.reported(name, "True", &[], within).await
    }

    /// Waits until an ExternalSecret is not Ready and its message holds all these words.
    pub async fn failed(&self, name: &str, words: &[&str]) -> Result<ExternalSecret> {
        self.failed_within(name, words, SOON).await
    }

    /// As [`Place::failed`], and no longer than this.
    pub async fn failed_within(&self, name: &str, words: &[&str], within: Duration) -> Result<ExternalSecret> {
        self.reported(name, "False", words, within).await
    }

    /// Waits until a SecretStore is this much Ready and its message holds all these words; answers with the message.
    pub async fn store_is(&self, name: &str, ready: &str, words: &[&str]) -> Result<SecretStore> {
        let what = format!("SecretStore {name} with Ready={ready} {words:?}");
        let found = wait_until(&what, SOON, async || {
            let object = self.api::<SecretStore>().get(name).await.map_err(|error| error.to_string())?;
            let status = serde_json::to_value(&object.status).unwrap_or_default();
            let condition = condition(&status, "Ready");
            let told = condition["message"].as_str().unwrap_or_default();
            let is_observed = status["observedGeneration"] == json!(object.metadata.generation);
            if is_observed && condition["status"] == ready && words.iter().all(|word| told.contains(word)) {
                Ok(object)
            } else {
                Err(status.to_string())
            }
        });
        Ok(found.await?)
    }

    /// A Secret, if there is one.
    pub async fn secret(&self, name: &str) -> Result<Option<Secret>> {
        Ok(self.api::<Secret>().get_opt(name).await?)
    }

    /// Waits until a Secret holds exactly this.
    pub async fn holds(&self, name: &str, data: &[(&str, &str)]) -> Result<Secret> {
        self.holds_within(name, data, SOON).await
    }

    /// As [`Place::holds`], and no longer than this.
    pub async fn holds_within(&self, name: &str, data: &[(&str, &str)], within: Duration) -> Result<Secret> {
        let wanted: BTreeMap<String, String> =
            data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let what = format!("Secret {name} with {wanted:?}");
        let found = wait_until(&what, within, async || {
            let secret = self.secret(name).await.map_err(|error| error.to_string())?.ok_or("no such Secret")?;
            let seen = data_of(&secret);
            if seen == wanted { Ok(secret) } else { Err(format!("{seen:?}")) }
        });
        Ok(found.await?)
    }

    /// Checks that there is no Secret of this name, and none appears for a while.
    pub async fn stays_absent(&self, name: &str) -> Result {
        let what = format!("the absence of Secret {name}");
        holds_for(&what, super::A_WHILE, async || match self.secret(name).await {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err("it is there".to_owned()),
            Err(error) => Err(error.to_string()),
        })
        .await?;
        Ok(())
    }

    /// Waits until there is no object of this name.
    pub async fn gone<K>(&self, name: &str, within: Duration) -> Result
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        wait_until(&format!("the end of {name}"), within, async || match self.api::<K>().get_opt(name).await {
            Ok(None) => Ok(()),
            Ok(Some(object)) => Err(format!("{:?}", object.meta().finalizers)),
            Err(error) => Err(error.to_string()),
        })
        .await?;
        Ok(())
    }

    /// Deletes an object in the background.
    pub async fn delete<K>(&self, name: &str) -> Result
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        self.api::<K>().delete(name, &DeleteParams::background()).await?;
        Ok(())
    }

    /// Merge-patches an object as somebody else than the operator and the testbed.
    pub async fn patch<K>(&self, name: &str, patch: Value) -> Result<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let params = PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
        Ok(self.api::<K>().patch(name, &params, &Patch::Merge(patch)).await?)
    }

    /// Type, reason and note of each event about an object of this name, oldest first.
    pub async fn events(&self, name: &str) -> Result<Vec<(String, String, String)>> {
        let mut events = self.api::<Event>().list(&ListParams::default()).await?.items;
        events.retain(|event| event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(name));
        events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
        let text = |text: Option<String>| text.unwrap_or_default();
        Ok(events.into_iter().map(|event| (text(event.type_), text(event.reason), text(event.note))).collect())
    }

    /// Waits for an event of this type and reason whose note holds all these words.
    pub async fn event(&self, name: &str, type_: &str, reason: &str, words: &[&str]) -> Result<String> {
        let what = format!("an event {type_} {reason} {words:?} on {name}");
        let found = wait_until(&what, SOON, async || {
            let events = self.events(name).await.map_err(|error| error.to_string())?;
            let meant = events
                .iter()
                .find(|(t, r, note)| t == type_ && r == reason && words.iter().all(|word| note.contains(word)));
            meant.map(|(.., note)| note.clone()).ok_or_else(|| format!("{events:?}"))
        });
        Ok(found.await?)
    }
}

/// A Secret's data as text.
pub fn data_of(secret: &Secret) -> BTreeMap<String, String> {
    let data = secret.data.iter().flatten();
    data.map(|(key, value)| (key.clone(), String::from_utf8_lossy(&value.0).into_owned())).collect()
}

/// A condition of a status, `Null` where it is not there.
pub fn condition(status: &Value, type_: &str) -> Value {
    let conditions = status["conditions"].as_array();
    conditions.and_then(|all| all.iter().find(|one| one["type"] == type_)).cloned().unwrap_or_default()
}

/// Status of an ExternalSecret's `Ready`, if it is there.
pub fn ready_status(object: &ExternalSecret) -> Option<&'static str> {
    let conditions = &object.status.as_ref()?.conditions;
    conditions.iter().find(|one| one.type_ == "Ready").map(|one| one.status.as_str())
}

/// What an ExternalSecret's `Ready` says.
pub fn message(object: &ExternalSecret) -> String {
    let conditions = object.status.iter().flat_map(|status| &status.conditions);
    conditions.filter(|one| one.type_ == "Ready").map(|one| one.message.clone()).collect()
}

/// Reason of an ExternalSecret's `Stalled`, where that is True.
pub fn stalled(object: &ExternalSecret) -> Option<&str> {
    let conditions = &object.status.as_ref()?.conditions;
    let stalled = conditions.iter().find(|one| one.type_ == "Stalled" && one.status.as_str() == "True");
    stalled.map(|one| one.reason.as_str())
}
