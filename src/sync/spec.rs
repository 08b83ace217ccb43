//! What an ExternalSecret's spec means, and what of it can't be done.

use crate::api::names;
use crate::api::{ExternalSecretSpec, RefreshPolicy, SourceRef, StoreRef};
use crate::sync::due::Schedule;
use crate::sync::remote_key::RemoteKeyError;
use crate::sync::windows::{self, ScheduleError};
use std::time::Duration;
use thiserror::Error;

/// Why a spec can't be synced. Only an edit mends any of these.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// It does not fit the API's types; it was stored under another schema.
    #[error(transparent)]
    Unreadable(#[from] crate::api::DecodeError),
    /// It asks for something that this version does not do. Nothing is synced rather than half of it.
    #[error("{field} is not supported by this version of external-secrets-rs, so nothing is synced; {advice}")]
    NotBuilt {
        /// The field, as it stands in a manifest.
        field: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// A type that would turn the right to write an ExternalSecret into the right to mint credentials of the cluster.
    #[error(
        "spec.target.template.type {type_:?} is refused: such a Secret is a credential for the Kubernetes API itself; choose another type"
    )]
    RefusedType {
        /// The type.
        type_: String,
    },
    /// A sync window's schedule can't be read.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// Neither the object nor the entry names a store.
    #[error("{entry} names no store; set spec.secretStoreRef.name")]
    NoStore {
        /// The entry, as it stands in a manifest.
        entry: String,
    },
    /// Nothing is asked for.
    #[error("spec.data and spec.dataFrom are both empty: there is nothing to fetch")]
    NothingToFetch,
    /// An entry has neither or both of its forms.
    #[error("{entry} needs exactly one of remoteKey (\"path#property\") and remoteRef")]
    OneRemote {
        /// The entry, as it stands in a manifest.
        entry: String,
    },
    /// An entry of `dataFrom` has none or more than one of its forms.
    #[error("{entry} needs exactly one of extract and find")]
    OneOfDataFrom {
        /// The entry, as it stands in a manifest.
        entry: String,
    },
    /// A regular expression that does not compile, or grows too large.
    #[error(
        "{entry}: the regular expression {regexp:?} can't be used; write Go's RE2 syntax (no look-around, no back-references)"
    )]
    Regex {
        /// The entry, as it stands in a manifest.
        entry: String,
        /// As it is written.
        regexp: String,
    },
    /// A key that can't be split, or means no path.
    #[error("{entry}: {source}")]
    Key {
        /// The entry, as it stands in a manifest.
        entry: String,
        /// What is wrong with it.
        source: RemoteKeyError,
    },
    /// A pinned version that is no number.
    #[error("{entry}: version {version:?} is not a version of a KV secret; write a number such as \"3\"")]
    Version {
        /// The entry, as it stands in a manifest.
        entry: String,
        /// What is written there.
        version: String,
    },
}

/// No shorter interval is heeded: it would keep the operator and Vault busy with one object.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// When the spec asks to be refreshed.
pub fn schedule(spec: &ExternalSecretSpec) -> Schedule {
    let interval = spec.refresh_interval().as_std();
    match spec.refresh_policy {
        RefreshPolicy::CreatedOnce => Schedule::Once,
        RefreshPolicy::OnChange => Schedule::OnChange,
        RefreshPolicy::Periodic if interval.is_zero() => Schedule::OnChange,
        RefreshPolicy::Periodic => Schedule::Every(interval.max(SHORTEST_INTERVAL)),
    }
}

/// The stores that the spec reads from, each once, the object's own first.
pub fn stores(spec: &ExternalSecretSpec) -> Vec<&StoreRef> {
    let own = spec.secret_store_ref.iter().filter(|store| !store.name.is_empty());
    let sources =
        spec.data.iter().map(|entry| &entry.source_ref).chain(spec.data_from.iter().map(|entry| &entry.source_ref));
    let mut stores: Vec<&StoreRef> = Vec::new();
    for store in own.chain(sources.flatten().filter_map(SourceRef::store)) {
        if !stores.iter().any(|known| known.name == store.name && known.kind() == store.kind()) {
            stores.push(store);
        }
    }
    stores
}

/// Refuses a spec that asks for what is not built, before anything is read: a field that is in the schema and not heeded
/// would be worse than one that is refused.
pub fn check(spec: &ExternalSecretSpec) -> Result<(), SpecError> {
    if spec.data.is_empty() && spec.data_from.is_empty() {
        return Err(SpecError::NothingToFetch);
    }
    if let Some(generator) = generators(spec).next() {
        return Err(SpecError::NotBuilt {
            field: format!("{generator}.sourceRef.generatorRef"),
            advice: "keep the value in Vault and refer to it",
        });
    }
    let target = &spec.target;
    if target.manifest.is_some() {
        let field = "spec.target.manifest".to_owned();
        return Err(SpecError::NotBuilt { field, advice: "remove the field: only Secrets are written" });
    }
    if let Some(type_) = target.template.as_ref().and_then(|template| template.type_.as_deref())
        && names::REFUSED_SECRET_TYPES.contains(&type_)
    {
        return Err(SpecError::RefusedType { type_: type_.to_owned() });
    }
    if let Some(windows) = &spec.sync_windows {
        windows::gate(windows, jiff::Timestamp::UNIX_EPOCH)?;
    }
    Ok(())
}

fn generators(spec: &ExternalSecretSpec) -> impl Iterator<Item = String> {
    let data = spec.data.iter().map(|entry| &entry.source_ref).enumerate();
    let data = data.map(|(position, source)| (format!("spec.data[{position}]"), source));
    let data_from = spec.data_from.iter().map(|entry| &entry.source_ref).enumerate();
    let data_from = data_from.map(|(position, source)| (format!("spec.dataFrom[{position}]"), source));
    let is_generator = |source: &SourceRef| source.generator_ref.is_some();
    data.chain(data_from).filter(move |(_, source)| source.as_ref().is_some_and(is_generator)).map(|(entry, _)| entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: serde_json::Value) -> ExternalSecretSpec {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_schedule_is_policy_and_interval() {
        let table = [
            (serde_json::json!({}), Schedule::Every(Duration::from_secs(3600))),
            (serde_json::json!({"refreshInterval": "90s"}), Schedule::Every(Duration::from_secs(90))),
            (serde_json::json!({"refreshInterval": "1ns"}), Schedule::Every(Duration::from_secs(1))),
            (serde_json::json!({"refreshInterval": "0"}), Schedule::OnChange),
            (serde_json::json!({"refreshPolicy": "OnChange", "refreshInterval": "1h"}), Schedule::OnChange),
            (serde_json::json!({"refreshPolicy": "CreatedOnce"}), Schedule::Once),
        ];
        for (json, expected) in table {
            assert_eq!(schedule(&spec(json.clone())), expected, "{json}");
        }
    }

    #[test]
    fn every_store_is_named_once_the_own_one_first() {
        let spec = spec(serde_json::json!({
            "secretStoreRef": {"name": "own"},
            "data": [
                {"secretKey": "a", "remoteKey": "a#a", "sourceRef": {"storeRef": {"name": "other", "kind": "ClusterSecretStore"}}},
                {"secretKey": "b", "remoteKey": "a#b", "sourceRef": {"storeRef": {"name": "own", "kind": "SecretStore"}}},
            ],
        }));
        let names: Vec<&str> = stores(&spec).into_iter().map(|store| store.name.as_str()).collect();
        assert_eq!(names, ["own", "other"]);
    }

    #[test]
    fn what_is_not_built_is_refused_by_its_name() {
        let table = [
            (
                serde_json::json!({"target": {"manifest": {"apiVersion": "v1", "kind": "ConfigMap"}}}),
                "spec.target.manifest",
            ),
            (
                serde_json::json!({"data": [{"secretKey": "a", "sourceRef": {"generatorRef": {"kind": "Password", "name": "p"}}}]}),
                "spec.data[0].sourceRef.generatorRef",
            ),
        ];
        for (mut json, field) in table {
            let object = json.as_object_mut().unwrap();
            object.entry("data").or_insert(serde_json::json!([{"secretKey": "a", "remoteKey": "a#b"}]));
            let error = check(&spec(json)).unwrap_err();
            assert!(error.to_string().starts_with(field), "{error}");
        }
        assert_eq!(check(&spec(serde_json::json!({}))), Err(SpecError::NothingToFetch));
    }
}
