//! The one parser of keys: from a store's path and an ExternalSecret's key to the place in Vault's API.
//!
//! Vault's KV v2 engine answers at `<mount>/data/<path>`, v1 at `<mount>/<path>`. Users write the key with or without
//! the mount and with or without `data/`, and a store's `path` with or without a trailing `/data`; all of those forms
//! mean the same place. The table in the tests is the specification.

use crate::vault::{KvPath, KvVersion};
use thiserror::Error;

/// Why a key can't be turned into a path. Only an edit mends any of these.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RemoteKeyError {
    /// Nothing is left once slashes are trimmed.
    #[error("the remote key is empty; write the secret's path, such as \"database/config\"")]
    Empty,
    /// `path#` with nothing behind the `#`.
    #[error("remoteKey {key:?} ends in '#'; write \"path#property\", or the path alone for the whole secret")]
    EmptyProperty {
        /// The key as the user wrote it.
        key: String,
    },
    /// `a//b`, `.` or `..`: a server would read these as another path.
    #[error(
        "remote key {key:?} has the path segment {segment:?}, which Vault would resolve to another path; write the plain path"
    )]
    Segment {
        /// The key as the user wrote it.
        key: String,
        /// The offending segment.
        segment: String,
    },
    /// Control characters in a path.
    #[error("remote key {key:?} has a control character; write the plain path")]
    Control {
        /// The key as the user wrote it, escaped when it is shown.
        key: String,
    },
    /// No store path, and a key of one segment: the mount is all there is.
    #[error(
        "remote key {key:?} names only a mount and the store has no path; write \"mount/path\" or set provider.vault.path"
    )]
    MountOnly {
        /// The key as the user wrote it.
        key: String,
    },
    /// Metadata exists in KV v2 only.
    #[error(
        "the store's mount is KV v1, which has no metadata; remove metadataPolicy: Fetch or find.tags, or set the store's version to v2"
    )]
    NoMetadata,
}

/// Where `key` is read, by a store's `path` (its mount, perhaps with `/data` behind it) and KV version: a path without
/// slashes at either end, whose every segment means itself.
pub fn resolve(store_path: Option<&str>, version: KvVersion, key: &str) -> Result<KvPath, RemoteKeyError> {
    let key = checked(key)?;
    let path = match store_path.map(trim).filter(|path| !path.is_empty()) {
        Some(store_path) => below_mount(checked(store_path)?, version, key)?,
        None => with_mount_in_key(version, key)?,
    };
    Ok(KvPath::latest(version, path))
}

/// Where the metadata of a secret is: the first `/data/` becomes `/metadata/`.
pub fn metadata_path(secret: &KvPath) -> Result<String, RemoteKeyError> {
    match secret.version {
        KvVersion::V1 => Err(RemoteKeyError::NoMetadata),
        KvVersion::V2 => Ok(secret.path.replacen("/data/", "/metadata/", 1)),
    }
}

/// Where a folder's secrets are read, and where it is listed and its metadata are. An empty folder is the whole mount, which
/// the store then has to name.
pub fn folder(store_path: Option<&str>, version: KvVersion, folder: &str) -> Result<(String, String), RemoteKeyError> {
    let store_path = store_path.map(trim).filter(|path| !path.is_empty());
    let data = match (store_path, trim(folder)) {
        (None, "") => return Err(RemoteKeyError::Empty),
        (Some(store_path), "") => {
            let mount = mount_of(checked(store_path)?, version);
            match version {
                KvVersion::V1 => mount.to_owned(),
                KvVersion::V2 => format!("{mount}/data"),
            }
        }
        (None, mount) if !mount.contains('/') && version == KvVersion::V2 => format!("{}/data", checked(mount)?),
        (None, mount) if !mount.contains('/') => checked(mount)?.to_owned(),
        (store_path, folder) => resolve(store_path, version, folder)?.path,
    };
    let metadata = match version {
        KvVersion::V1 => data.clone(),
        KvVersion::V2 => match data.strip_suffix("/data") {
            Some(mount) => format!("{mount}/metadata"),
            None => data.replacen("/data/", "/metadata/", 1),
        },
    };
    Ok((data, metadata))
}

/// Splits the flat form `path#property`; without `#` the whole secret is meant. A property may hold further `#`
/// (`list.#`), a path may not.
pub fn split_flat(remote_key: &str) -> Result<(&str, Option<&str>), RemoteKeyError> {
    match remote_key.split_once('#') {
        None => Ok((remote_key, None)),
        Some((_, "")) => Err(RemoteKeyError::EmptyProperty { key: remote_key.to_owned() }),
        Some((path, property)) => Ok((path, Some(property))),
    }
}

/// The mount that a store's `path` names: itself, without the `/data` that belongs to the API of KV v2.
pub fn mount_of(store_path: &str, version: KvVersion) -> &str {
    let path = trim(store_path);
    match version {
        KvVersion::V1 => path,
        KvVersion::V2 => path.strip_suffix("/data").unwrap_or(path),
    }
}

fn below_mount(store_path: &str, version: KvVersion, key: &str) -> Result<String, RemoteKeyError> {
    let mount = mount_of(store_path, version);
    let inside = key.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/'));
    Ok(match version {
        KvVersion::V1 => format!("{mount}/{}", inside.unwrap_or(key)),
        KvVersion::V2 => {
            let path = inside.map_or(key, |rest| rest.strip_prefix("data/").unwrap_or(rest));
            format!("{mount}/data/{path}")
        }
    })
}

fn with_mount_in_key(version: KvVersion, key: &str) -> Result<String, RemoteKeyError> {
    let Some((mount, rest)) = key.split_once('/') else {
        return Err(RemoteKeyError::MountOnly { key: key.to_owned() });
    };
    Ok(match version {
        KvVersion::V2 if !key.contains("/data/") => format!("{mount}/data/{rest}"),
        _ => key.to_owned(),
    })
}

fn trim(path: &str) -> &str {
    path.trim_matches('/')
}

/// A path that a server can only read one way, without slashes at either end.
fn checked(path: &str) -> Result<&str, RemoteKeyError> {
    let trimmed = trim(path);
    if trimmed.is_empty() {
        return Err(RemoteKeyError::Empty);
    }
    if trimmed.chars().any(char::is_control) {
        return Err(RemoteKeyError::Control { key: path.to_owned() });
    }
    match trimmed.split('/').find(|segment| matches!(*segment, "" | "." | "..")) {
        Some(segment) => Err(RemoteKeyError::Segment { key: path.to_owned(), segment: segment.to_owned() }),
        None => Ok(trimmed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::KvVersion::{V1, V2};
    use proptest::prelude::*;

    #[test]
    fn every_form_of_a_key_reads_the_place_it_means() {
        let table = [
            (Some("kv"), V2, "database/config", "kv/data/database/config"),
            (Some("kv/data"), V2, "database/config", "kv/data/database/config"),
            (Some("kv"), V2, "kv/data/database/config", "kv/data/database/config"),
            (Some("kv/data"), V2, "kv/data/database/config", "kv/data/database/config"),
            (Some("kv"), V2, "kv/database/config", "kv/data/database/config"),
            (Some("kv/data"), V2, "kv/database/config", "kv/data/database/config"),
            (Some("kv/"), V2, "/database/config/", "kv/data/database/config"),
            (Some("kv"), V2, "kvstore/config", "kv/data/kvstore/config"),
            (Some("kv"), V2, "data/config", "kv/data/data/config"),
            (Some("secret/path"), V2, "test", "secret/path/data/test"),
            (Some("secret/path"), V2, "secret/path/test", "secret/path/data/test"),
            (Some("secret/path"), V2, "secret/path/data/test", "secret/path/data/test"),
            (Some("secret/path"), V1, "test", "secret/path/test"),
            (Some("secret/path"), V1, "secret/path/test", "secret/path/test"),
            (Some("kv/data"), V1, "test", "kv/data/test"),
            (None, V2, "secret/test/big/path", "secret/data/test/big/path"),
            (None, V2, "secret/test/data/not/real", "secret/test/data/not/real"),
            (None, V1, "secret/test", "secret/test"),
            (Some(""), V1, "secret/test", "secret/test"),
        ];
        for (store_path, version, key, path) in table {
            let resolved = resolve(store_path, version, key).map(|resolved| resolved.path);
            assert_eq!(resolved.as_deref(), Ok(path), "{store_path:?} {version:?} {key}");
        }
    }

    #[test]
    fn metadata_lies_beside_the_data() {
        let path = resolve(Some("kv"), V2, "data/x").unwrap();
        assert_eq!(metadata_path(&path).unwrap(), "kv/metadata/data/x");
        let path = resolve(None, V2, "secret/test/data/not/real").unwrap();
        assert_eq!(metadata_path(&path).unwrap(), "secret/test/metadata/not/real");
        let path = resolve(Some("kv"), V1, "x").unwrap();
        assert_eq!(metadata_path(&path), Err(RemoteKeyError::NoMetadata));
    }

    #[test]
    fn a_folder_is_listed_beside_its_data() {
        let table = [
            (Some("kv"), V2, "", "kv/data", "kv/metadata"),
            (Some("kv/data"), V2, "team/a", "kv/data/team/a", "kv/metadata/team/a"),
            (Some("kv"), V1, "", "kv", "kv"),
            (Some("kv"), V1, "team", "kv/team", "kv/team"),
            (None, V2, "secret", "secret/data", "secret/metadata"),
            (None, V2, "secret/team", "secret/data/team", "secret/metadata/team"),
            (None, V1, "secret/team", "secret/team", "secret/team"),
        ];
        for (store_path, version, path, data, metadata) in table {
            let found = folder(store_path, version, path);
            assert_eq!(found, Ok((data.to_owned(), metadata.to_owned())), "{store_path:?} {version:?} {path}");
        }
        assert_eq!(folder(None, V2, ""), Err(RemoteKeyError::Empty));
        assert!(folder(Some("kv"), V2, "../sys").is_err());
    }

    #[test]
    fn the_flat_form_splits_at_its_first_hash() {
        assert_eq!(split_flat("database/config#username"), Ok(("database/config", Some("username"))));
        assert_eq!(split_flat("a/b#list.#"), Ok(("a/b", Some("list.#"))));
        assert_eq!(split_flat("a/b"), Ok(("a/b", None)));
        assert!(matches!(split_flat("a/b#"), Err(RemoteKeyError::EmptyProperty { .. })));
    }

    #[test]
    fn what_a_server_could_read_another_way_is_refused() {
        for key in ["", "/", "a//b", "a/../b", "./a", "a/b/..", "a\nb"] {
            assert!(resolve(Some("kv"), V2, key).is_err(), "{key:?}");
        }
        assert!(matches!(resolve(None, V1, "secret"), Err(RemoteKeyError::MountOnly { .. })));
        assert!(resolve(Some("kv/../sys"), V2, "a").is_err());
    }

    proptest! {
        #[test]
        fn a_key_never_leaves_the_mount(mount in "[a-z]{1,5}(/[a-z]{1,4}){0,2}", key in ".{0,40}", v2: bool) {
            let version = if v2 { V2 } else { V1 };
            if let Ok(resolved) = resolve(Some(&mount), version, &key) {
                let inside = format!("{}/", mount_of(&mount, version));
                prop_assert!(resolved.path.starts_with(&inside));
                prop_assert!(resolved.path.split('/').all(|segment| !matches!(segment, "" | "." | "..")));
            }
        }
    }
}
