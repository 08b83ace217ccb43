//! From what Vault answered to the data of the Secret: every value, or the first error.

use crate::api::DeletionPolicy;
use crate::sync::decode::{self, DecodeError};
use crate::sync::keys::{self, KeyError, Values};
use crate::sync::rewrite::{RewriteError, rewrite};
use crate::sync::select::{Document, SecretValue, SelectError};
use crate::sync::source::{Form, Remote, Source, Want};
use crate::vault::{Gone, KvMetadata, KvSecret};
use std::sync::Arc;
use thiserror::Error;

/// How much one Secret may be made of, in bytes. It holds 1 MiB; what it is made of may be larger, since properties and
/// templates take parts.
pub const MOST_BYTES: usize = 16 << 20;

/// It would be made of more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "one Secret would be made of more than 16 MiB, of which it can hold 1 MiB; narrow the path or name of `find`, or split the ExternalSecret"
)]
pub struct TooMuch;

/// What a store answered for one source.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The secret.
    Secret(Arc<KvSecret>),
    /// Its metadata.
    Metadata(Arc<KvMetadata>),
    /// The secrets that were found, by their paths below the mount.
    Found(Vec<(String, Arc<KvSecret>)>),
    /// It is certainly not there.
    Gone(Gone),
}

/// The data of a Secret.
#[derive(Debug, Default)]
pub struct Collected {
    /// By key.
    pub data: Values,
    /// The sources that are gone and were passed over, by their places.
    pub gone: Vec<String>,
}

impl Collected {
    /// Everything that was asked for is certainly gone from Vault.
    pub fn is_all_gone(&self) -> bool {
        self.data.is_empty() && !self.gone.is_empty()
    }
}

/// Why a source gave no data. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}{}: {problem}", at(.path))]
pub struct SourceError {
    /// The entry, as it stands in a manifest.
    pub place: String,
    /// Where it was read; empty where that does not matter.
    pub path: String,
    /// What is wrong.
    pub problem: Box<Problem>,
}

/// What is wrong with a source.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// The secret is there, but not what is asked for in it.
    #[error("cannot find secret data for key: {property:?}; correct the property, or add it in Vault")]
    NoProperty {
        /// What was asked for.
        property: String,
    },
    /// What was read can't be taken apart as asked.
    #[error("{0}")]
    Select(#[from] SelectError),
    /// It is all there, and it is empty.
    #[error(
        "nothing was found, so the Secret is left as it is; correct the entry, or set deletionPolicy to let the Secret follow"
    )]
    Nothing,
    /// A key can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A rewrite failed.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// A value can't be decoded.
    #[error("{key:?}: {source}")]
    Decode {
        /// Its key.
        key: String,
        /// Why.
        source: DecodeError,
    },
    /// It is more than we take.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// A metadata that can't be written as JSON: a fault of ours.
    #[error("its metadata could not be read")]
    Metadata,
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!(", read at \"{path}\"") }
}

impl SourceError {
    /// Whether it is the amount that is wrong.
    pub fn is_too_much(&self) -> bool {
        matches!(&*self.problem, Problem::TooMuch(_))
    }

    /// Whether only an edit of the spec mends it; what is missing in Vault may appear there.
    pub fn is_hopeless(&self) -> bool {
        matches!(&*self.problem, Problem::Rewrite(error) if !matches!(error, RewriteError::Priority(_) | RewriteError::Conflict(_) | RewriteError::Key(_) | RewriteError::NotAnObject(_)))
    }
}

/// The data that `sources` ask for, in their order: later ones win. Each comes with its answer and the path that it was
/// read at. What is gone, or found nothing, is passed over where the policy lets the Secret follow; where it does not, no
/// data at all is an error, for it would empty the Secret.
pub fn collect<'a>(
    sources: impl IntoIterator<Item = (&'a Source<'a>, &'a Answer, &'a str)>,
    policy: DeletionPolicy,
) -> Result<Collected, SourceError> {
    let mut collected = Collected::default();
    let (mut first, mut taken) = (None, 0);
    for (source, answer, path) in sources {
        first = first.or(Some((source, path)));
        if is_gone(answer) {
            collected.gone.push(source.place.clone());
            continue;
        }
        let values = values(source, answer).map_err(|problem| error(source, path, problem))?;
        taken += values.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if taken > MOST_BYTES {
            return Err(error(source, path, TooMuch.into()));
        }
        collected.data.extend(values);
    }
    match first {
        Some((source, path)) if policy == DeletionPolicy::Retain && collected.data.is_empty() => {
            Err(error(source, path, Problem::Nothing))
        }
        _ => Ok(collected),
    }
}

fn is_gone(answer: &Answer) -> bool {
    match answer {
        Answer::Gone(_) => true,
        Answer::Found(found) => found.is_empty(),
        Answer::Secret(_) | Answer::Metadata(_) => false,
    }
}

fn error(source: &Source<'_>, path: &str, problem: Problem) -> SourceError {
    SourceError { place: source.place.clone(), path: path.to_owned(), problem: Box::new(problem) }
}

fn values(source: &Source<'_>, answer: &Answer) -> Result<Values, Problem> {
    match (&source.want, answer) {
        (Want::Value { secret_key, remote }, answer) => {
            let value = one(remote, answer)?;
            let value = formed(remote.form, secret_key, value)?;
            Ok(Values::from([((*secret_key).to_owned(), value)]))
        }
        (Want::Extract { remote, rewrite, .. }, answer) => {
            let whole = one(remote, answer)?;
            let text = std::str::from_utf8(&whole).map_err(|_| SelectError::NotAnObject)?;
            let document = Document::parse(text)?;
            let entries = document.entries().map(|(key, value)| Ok((key.to_owned(), value?)));
            finished(entries.collect::<Result<_, SelectError>>()?, rewrite, remote.form)
        }
        (Want::Find { rewrite, form, .. }, Answer::Found(found)) => {
            let entry = |(name, secret): &(String, Arc<KvSecret>)| {
                Ok((name.clone(), Document::parse(secret.json())?.select(None)?))
            };
            finished(found.iter().map(entry).collect::<Result<_, SelectError>>()?, rewrite, *form)
        }
        (Want::Find { .. }, _) => Ok(Values::new()),
    }
}

/// The value that a reference to one secret means.
fn one(remote: &Remote<'_>, answer: &Answer) -> Result<SecretValue, Problem> {
    let taken = match answer {
        Answer::Secret(secret) => Document::parse(secret.json())?.select(remote.property),
        Answer::Metadata(metadata) => {
            let text = metadata_json(metadata).ok_or(Problem::Metadata)?;
            Document::parse(&text)?.select(remote.property)
        }
        Answer::Found(_) | Answer::Gone(_) => Err(SelectError::Missing),
    };
    taken.map_err(|error| match (error, remote.property) {
        (SelectError::Missing, Some(property)) => Problem::NoProperty { property: property.to_owned() },
        (error, _) => error.into(),
    })
}

/// Vault's own fields of a secret's metadata, with what users wrote beside and over them.
fn metadata_json(metadata: &KvMetadata) -> Option<String> {
    let mut fields: std::collections::BTreeMap<&str, &str> = std::collections::BTreeMap::new();
    let version = metadata.current_version.to_string();
    fields.insert("created_time", &metadata.created_time);
    fields.insert("current_version", &version);
    fields.insert("delete_version_after", &metadata.delete_version_after);
    fields.extend(metadata.custom_metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    serde_json::to_string(&fields).ok()
}

/// Rewrites, converts and checks keys, then decodes values. A rewrite takes the place of the conversion.
fn finished(values: Values, steps: &[crate::api::Rewrite], form: Form) -> Result<Values, Problem> {
    let renamed = if steps.is_empty() { keys::convert(form.conversion, values)? } else { rewrite(steps, values)? };
    let checked = keys::check(renamed)?;
    checked.into_iter().map(|(key, value)| formed(form, &key, value).map(|value| (key, value))).collect()
}

fn formed(form: Form, key: &str, value: SecretValue) -> Result<SecretValue, Problem> {
    let refused = |source| Problem::Decode { key: key.to_owned(), source };
    let decoded = decode::decode(form.decoding, value).map_err(refused)?;
    decode::check(form.null_bytes, &decoded).map_err(refused)?;
    Ok(decoded)
}
