//! What a spec wants from which store, and where in Vault that is: one source for each entry of `dataFrom` and `data`, in
//! the order in which they apply.

use crate::api::{
    ConversionStrategy, DataFrom, DecodingStrategy, ExternalSecretData, ExternalSecretSpec, Find, MetadataPolicy,
    NullBytePolicy, RemoteRef, Rewrite, StoreRef,
};
use crate::sync::remote_key::{self, RemoteKeyError};
use crate::sync::spec::SpecError;
use crate::vault::{KvPath, KvVersion};
use regex::{Regex, RegexBuilder};
use std::collections::BTreeMap;

/// How large a compiled regular expression may get, in bytes.
const MAX_REGEX: usize = 64 << 10;
/// How large a few of them may get: to compile one takes some ten milliseconds.
const MAX_LARGE_REGEX: usize = 1 << 20;
/// How many of a spec's may get that large.
const LARGE_REGEXES: usize = 4;

/// One entry of a spec.
#[derive(Debug)]
pub struct Source<'a> {
    /// Where it stands in the manifest: `spec.data[0] (username)`, `spec.dataFrom[1].find`.
    pub place: String,
    /// The store that it is read from.
    pub store: &'a StoreRef,
    /// What it wants.
    pub want: Want<'a>,
}

/// What an entry wants.
#[derive(Debug)]
pub enum Want<'a> {
    /// One value, under this key.
    Value {
        /// The key of the Secret.
        secret_key: &'a str,
        /// Where the value is.
        remote: Remote<'a>,
    },
    /// Every key of one secret.
    Extract {
        /// Where the secret is.
        remote: Remote<'a>,
        /// How its keys are rewritten.
        rewrite: &'a [Rewrite],
    },
    /// Every secret that matches.
    Find {
        /// The folder below which it is looked for, as it is written.
        folder: &'a str,
        /// What a secret's path has to match.
        name: Option<Regex>,
        /// What its metadata has to hold.
        tags: Option<&'a BTreeMap<String, String>>,
        /// How the keys are rewritten.
        rewrite: &'a [Rewrite],
        /// How names and values become keys and data.
        form: Form,
    },
}

/// Where a value or secret is, and how it is taken.
#[derive(Debug, Clone, Copy)]
pub struct Remote<'a> {
    /// The remote key, without a property.
    pub key: &'a str,
    /// What is taken from it; nothing means the whole.
    pub property: Option<&'a str>,
    /// A version other than the latest.
    pub pinned: Option<u64>,
    /// Its metadata instead of its value.
    pub is_metadata: bool,
    /// How names and values become keys and data.
    pub form: Form,
}

/// How names and values become keys and data.
#[derive(Debug, Clone, Copy, Default)]
pub struct Form {
    /// What a character becomes that a key can't hold.
    pub conversion: ConversionStrategy,
    /// How values are decoded.
    pub decoding: DecodingStrategy,
    /// Whether NUL bytes are refused.
    pub null_bytes: NullBytePolicy,
}

/// What to ask a store for one source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// A secret.
    Secret(KvPath),
    /// A secret's metadata, at this API path.
    Metadata(String),
    /// Every secret below a folder.
    Folder(Folder),
}

/// A folder of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Folder {
    /// The mount's version.
    pub version: KvVersion,
    /// Where its secrets are read: what is found is appended.
    pub data: String,
    /// Where it is listed, and where the metadata of its secrets are.
    pub metadata: String,
}

impl Folder {
    /// The secret `name` of the folder.
    pub fn secret(&self, name: &str) -> KvPath {
        KvPath::latest(self.version, format!("{}/{name}", self.data))
    }

    /// The metadata of the secret `name` of the folder.
    pub fn metadata_of(&self, name: &str) -> String {
        format!("{}/{name}", self.metadata)
    }
}

/// The sources of a spec: `dataFrom` in order, then `data`, which wins.
pub fn sources(spec: &ExternalSecretSpec) -> Result<Vec<Source<'_>>, SpecError> {
    let mut large = LARGE_REGEXES;
    let entries = spec.data_from.iter().enumerate();
    let data_from = entries.map(|(position, entry)| data_from(spec, position, entry, &mut large));
    let data = spec.data.iter().enumerate().map(|(position, entry)| data(spec, position, entry));
    data_from.chain(data).collect()
}

fn data<'a>(
    spec: &'a ExternalSecretSpec,
    position: usize,
    entry: &'a ExternalSecretData,
) -> Result<Source<'a>, SpecError> {
    let place = format!("spec.data[{position}] ({})", entry.secret_key);
    let Some(store) = spec.store_of(entry.source_ref.as_ref()) else { return Err(SpecError::NoStore { entry: place }) };
    let remote = match (&entry.remote_key, &entry.remote_ref) {
        (Some(flat), None) => match remote_key::split_flat(flat) {
            Ok((key, property)) => Remote { key, property, pinned: None, is_metadata: false, form: Form::default() },
            Err(source) => return Err(SpecError::Key { entry: place, source }),
        },
        (None, Some(remote_ref)) => remote(&place, remote_ref)?,
        _ => return Err(SpecError::OneRemote { entry: place }),
    };
    Ok(Source { place, store, want: Want::Value { secret_key: &entry.secret_key, remote } })
}

fn data_from<'a>(
    spec: &'a ExternalSecretSpec,
    position: usize,
    entry: &'a DataFrom,
    large: &mut usize,
) -> Result<Source<'a>, SpecError> {
    let place = format!("spec.dataFrom[{position}]");
    let Some(store) = spec.store_of(entry.source_ref.as_ref()) else { return Err(SpecError::NoStore { entry: place }) };
    match (&entry.extract, &entry.find) {
        (Some(extract), None) => {
            let place = format!("{place}.extract");
            let remote = remote(&place, extract)?;
            Ok(Source { place, store, want: Want::Extract { remote, rewrite: &entry.rewrite } })
        }
        (None, Some(wanted)) => {
            let place = format!("{place}.find");
            let want = find(&place, wanted, &entry.rewrite, large)?;
            Ok(Source { place, store, want })
        }
        _ => Err(SpecError::OneOfDataFrom { entry: place }),
    }
}

fn remote<'a>(place: &str, remote: &'a RemoteRef) -> Result<Remote<'a>, SpecError> {
    let version = remote.version.as_deref().filter(|version| !version.is_empty());
    let pinned = version.map(|version| match version.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(SpecError::Version { entry: place.to_owned(), version: version.to_owned() }),
    });
    Ok(Remote {
        key: &remote.key,
        property: remote.property.as_deref().filter(|property| !property.is_empty()),
        pinned: pinned.transpose()?,
        is_metadata: remote.metadata_policy == MetadataPolicy::Fetch,
        form: Form {
            conversion: remote.conversion_strategy,
            decoding: remote.decoding_strategy,
            null_bytes: remote.null_byte_policy,
        },
    })
}

/// Compiles an expression; `large` counts down those that may still be large.
fn compile(regexp: &str, large: &mut usize) -> Result<Regex, regex::Error> {
    match RegexBuilder::new(regexp).size_limit(MAX_REGEX).build() {
        Err(regex::Error::CompiledTooBig(_)) if *large > 0 => {
            *large -= 1;
            RegexBuilder::new(regexp).size_limit(MAX_LARGE_REGEX).build()
        }
        compiled => compiled,
    }
}

fn find<'a>(place: &str, find: &'a Find, rewrite: &'a [Rewrite], large: &mut usize) -> Result<Want<'a>, SpecError> {
    let regexp = find.name.as_ref().and_then(|name| name.regexp.as_deref()).filter(|regexp| !regexp.is_empty());
    let name = regexp.map(|regexp| {
        compile(regexp, large).map_err(|_| SpecError::Regex { entry: place.to_owned(), regexp: regexp.to_owned() })
    });
    Ok(Want::Find {
        folder: find.path.as_deref().unwrap_or_default().trim_matches('/'),
        name: name.transpose()?,
        tags: find.tags.as_ref(),
        rewrite,
        form: Form {
            conversion: find.conversion_strategy,
            decoding: find.decoding_strategy,
            null_bytes: find.null_byte_policy,
        },
    })
}

impl Want<'_> {
    /// What to ask a store with this path and version.
    pub fn question(&self, store_path: Option<&str>, version: KvVersion) -> Result<Question, RemoteKeyError> {
        match self {
            Self::Value { remote, .. } | Self::Extract { remote, .. } => remote.question(store_path, version),
            Self::Find { folder, tags, .. } => {
                if tags.is_some_and(|tags| !tags.is_empty()) && version == KvVersion::V1 {
                    return Err(RemoteKeyError::NoMetadata);
                }
                remote_key::folder(store_path, version, folder)
                    .map(|(data, metadata)| Question::Folder(Folder { version, data, metadata }))
            }
        }
    }
}

impl Remote<'_> {
    fn question(&self, store_path: Option<&str>, version: KvVersion) -> Result<Question, RemoteKeyError> {
        let path = remote_key::resolve(store_path, version, self.key)?;
        if self.is_metadata {
            return remote_key::metadata_path(&path).map(Question::Metadata);
        }
        // KV v1 has no versions; what it holds is always the latest.
        Ok(Question::Secret(KvPath { pinned: self.pinned.filter(|_| version == KvVersion::V2), ..path }))
    }
}
