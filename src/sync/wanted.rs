//! What a spec wants from which store: one entry a value, in the order in which they apply.

use crate::api::{ExternalSecretData, ExternalSecretSpec, StoreRef};
use crate::sync::remote_key::{self, RemoteKeyError};
use crate::sync::select::{Document, SecretValue, SelectError};
use crate::sync::spec::SpecError;
use crate::vault::{KvPath, KvSecret, KvVersion};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use thiserror::Error;

/// One value that a spec asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The key of the Secret that it is written to.
    pub secret_key: &'a str,
    /// The store that it is read from.
    pub store: &'a StoreRef,
    /// The remote key, without a property.
    pub key: &'a str,
    /// What is taken from it; nothing means the whole.
    pub property: Option<&'a str>,
    /// A version other than the latest.
    pub pinned: Option<u64>,
}

/// Why an entry has no value though its secret was read. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EntryError {
    /// Its key means no path.
    #[error("secretKey {secret_key:?}: {source}")]
    Key {
        /// The key of the Secret.
        secret_key: String,
        /// What is wrong with the remote key.
        source: RemoteKeyError,
    },
    /// The secret is there, but what the entry asks for is not in it.
    #[error("cannot find secret data for key: {property:?} in {path:?} (secretKey {secret_key:?}): {source}; correct the property, or add it in Vault")]
    Property {
        /// The key of the Secret.
        secret_key: String,
        /// The path that was read.
        path: String,
        /// What was asked for.
        property: String,
        /// Why it can't be had.
        source: SelectError,
    },
}

/// The values that a spec asks for.
pub fn wanted(spec: &ExternalSecretSpec) -> Result<Vec<Wanted<'_>>, SpecError> {
    spec.data.iter().enumerate().map(|(position, entry)| one(spec, position, entry)).collect()
}

fn one<'a>(spec: &'a ExternalSecretSpec, position: usize, entry: &'a ExternalSecretData) -> Result<Wanted<'a>, SpecError> {
    let name = || format!("spec.data[{position}]");
    let store = spec.store_of(entry.source_ref.as_ref()).ok_or_else(|| SpecError::NoStore { entry: name() })?;
    let secret_key = entry.secret_key.as_str();
    match (&entry.remote_key, &entry.remote_ref) {
        (Some(flat), None) => {
            let split = remote_key::split_flat(flat);
            let (key, property) = split.map_err(|source| SpecError::Key { entry: name(), source })?;
            Ok(Wanted { secret_key, store, key, property, pinned: None })
        }
        (None, Some(remote)) => {
            let pinned = remote.version.as_deref().filter(|version| !version.is_empty()).map(|version| {
                let number = version.parse().ok().filter(|number| *number > 0);
                number.ok_or_else(|| SpecError::Version { entry: name(), version: version.to_owned() })
            });
            let property = remote.property.as_deref().filter(|property| !property.is_empty());
            Ok(Wanted { secret_key, store, key: &remote.key, property, pinned: pinned.transpose()? })
        }
        _ => Err(SpecError::OneRemote { entry: name() }),
    }
}

impl Wanted<'_> {
    /// Where it is read, in a store with this path and version.
    pub fn path(&self, store_path: Option<&str>, version: KvVersion) -> Result<KvPath, EntryError> {
        let resolved = remote_key::resolve(store_path, version, self.key);
        let path = resolved.map_err(|source| EntryError::Key { secret_key: self.secret_key.to_owned(), source })?;
        // KV v1 has no versions; what it holds is always the latest.
        Ok(KvPath { pinned: self.pinned.filter(|_| version == KvVersion::V2), ..path })
    }

    fn property_error(&self, path: &KvPath, source: SelectError) -> EntryError {
        EntryError::Property {
            secret_key: self.secret_key.to_owned(),
            path: path.path.clone(),
            property: self.property.unwrap_or_default().to_owned(),
            source,
        }
    }
}

/// A secret that was read, and where.
#[derive(Debug)]
pub struct Read {
    /// Where it was read.
    pub path: KvPath,
    /// What was there.
    pub secret: Arc<KvSecret>,
}

/// The data of the Secret: every value, or the error of the first that can't be had. `reads` holds each secret once;
/// `read_of` tells for each entry of `wanted` which of them is its own.
pub fn collect(
    wanted: &[Wanted<'_>],
    reads: &[Read],
    read_of: &[usize],
) -> Result<BTreeMap<String, SecretValue>, EntryError> {
    let mut documents: BTreeMap<usize, Document<'_>> = BTreeMap::new();
    let mut data = BTreeMap::new();
    for (entry, position) in wanted.iter().zip(read_of) {
        let Some(read) = reads.get(*position) else { continue };
        let document = match documents.entry(*position) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(slot) => {
                let parsed = Document::parse(read.secret.json());
                slot.insert(parsed.map_err(|source| entry.property_error(&read.path, source))?)
            }
        };
        let value = document.select(entry.property).map_err(|source| entry.property_error(&read.path, source))?;
        data.insert(entry.secret_key.to_owned(), value);
    }
    Ok(data)
}
