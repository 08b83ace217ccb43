//! From what Vault answered to the data of the Secret: every value, or the first error.

use crate::api::DeletionPolicy;
use crate::sync::decode::{self, DecodeError};
use crate::sync::keys::{self, KeyError, Values};
use crate::sync::rewrite::{self, RewriteError, rewrite};
use crate::sync::select::{Document, SecretValue, SelectError};
use crate::sync::source::{Form, Remote, Source, Want};
use crate::template::Meter;
use crate::vault::{Gone, KvMetadata, KvSecret};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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

/// How much may be read, in bytes, before it counts as much: some milliseconds' worth.
const MUCH: usize = 512 << 10;

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
    /// The sources that are gone and were passed over: their places, and where they were read.
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
    /// Whether it is the amount that is wrong, of data or of work: an early retry would cost as much again.
    pub fn is_too_much(&self) -> bool {
        matches!(
            &*self.problem,
            Problem::TooMuch(_) | Problem::Select(SelectError::TooMuch) | Problem::Rewrite(RewriteError::TooMuch)
        )
    }

    /// Whether only an edit of the spec mends it; what is missing in Vault may appear there.
    pub fn is_hopeless(&self) -> bool {
        matches!(&*self.problem, Problem::Rewrite(error) if error.is_hopeless())
    }
}

/// Whether `collect` may compute for so long that nothing else should wait for it.
pub fn is_heavy<'a>(sources: impl IntoIterator<Item = (&'a Source<'a>, &'a Answer)>) -> bool {
    let mut read = 0_usize;
    for (source, answer) in sources {
        let (property, rewrite) = match &source.want {
            Want::Value { remote, .. } => (remote.property, &[][..]),
            Want::Extract { remote, rewrite } => (remote.property, *rewrite),
            Want::Find { rewrite, .. } => (None, *rewrite),
        };
        // A name is looked up at no cost; a path is followed through the secret, and what has more than names in it may
        // read a part of it many times.
        let times = match property {
            Some(property) if property.contains(['*', '?', '#', '|', '@', '[', '{']) => property.len(),
            _ => 1,
        };
        read = read.saturating_add(size(answer).saturating_mul(times.max(rewrite.len())));
        if read > MUCH || rewrite::is_heavy(rewrite) {
            return true;
        }
    }
    false
}

fn size(answer: &Answer) -> usize {
    match answer {
        Answer::Secret(secret) => secret.json().len(),
        Answer::Metadata(metadata) => {
            metadata.custom_metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() + 256
        }
        Answer::Found(found) => found.iter().map(|(name, secret)| name.len() + secret.json().len()).sum(),
        Answer::Gone(_) => 0,
    }
}

/// Secrets that were taken apart: many entries may read one.
#[derive(Default)]
struct Opened<'a> {
    documents: BTreeMap<*const KvSecret, Document<'a>>,
}

impl<'a> Opened<'a> {
    fn document(&mut self, secret: &'a KvSecret, meter: &mut Meter) -> Result<&Document<'a>, SelectError> {
        match self.documents.entry(secret) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(Document::parse(secret.json(), meter)?)),
        }
    }
}

/// The data that `sources` ask for, in their order: later ones win. Each comes with its answer and the path that it was
/// read at. What is gone, or found nothing, is passed over where the policy lets the Secret follow; where it does not, no
/// data at all is an error, for it would empty the Secret. What all of it takes is counted on `meter`.
pub fn collect<'a>(
    sources: impl IntoIterator<Item = (&'a Source<'a>, &'a Answer, &'a str)>,
    policy: DeletionPolicy,
    meter: &mut Meter,
) -> Result<Collected, SourceError> {
    let mut opened = Opened::default();
    let mut collected = Collected::default();
    let (mut first, mut taken) = (None, 0);
    for (source, answer, path) in sources {
        first = first.or(Some((source, path)));
        if is_gone(answer) {
            collected.gone.push(format!("{}{}", source.place, at(path)));
            continue;
        }
        let values = values(source, answer, &mut opened, meter).map_err(|problem| error(source, path, problem))?;
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

fn values<'a>(
    source: &Source<'_>,
    answer: &'a Answer,
    opened: &mut Opened<'a>,
    meter: &mut Meter,
) -> Result<Values, Problem> {
    match (&source.want, answer) {
        (Want::Value { secret_key, remote }, answer) => {
            let value = one(remote, answer, opened, meter)?;
            let value = formed(remote.form, secret_key, value)?;
            Ok(Values::from([((*secret_key).to_owned(), value)]))
        }
        (Want::Extract { remote, rewrite, .. }, answer) => {
            let whole = one(remote, answer, opened, meter)?;
            let text = std::str::from_utf8(&whole).map_err(|_| SelectError::NotAnObject)?;
            let document = Document::parse(text, meter)?;
            let entries = document.entries(meter).map(|(key, value)| Ok((key.to_owned(), value?)));
            let entries = entries.collect::<Result<_, SelectError>>()?;
            finished(entries, rewrite, remote.form, meter)
        }
        (Want::Find { rewrite, form, .. }, Answer::Found(found)) => {
            let entry = |(name, secret): &(String, Arc<KvSecret>)| {
                Ok((name.clone(), Document::parse(secret.json(), meter)?.select(None, meter)?))
            };
            let entries = found.iter().map(entry).collect::<Result<_, SelectError>>()?;
            finished(entries, rewrite, *form, meter)
        }
        (Want::Find { .. }, _) => Ok(Values::new()),
    }
}

/// The value that a reference to one secret means.
fn one<'a>(
    remote: &Remote<'_>,
    answer: &'a Answer,
    opened: &mut Opened<'a>,
    meter: &mut Meter,
) -> Result<SecretValue, Problem> {
    let taken = match answer {
        Answer::Secret(secret) => opened.document(secret, meter)?.select(remote.property, meter),
        Answer::Metadata(metadata) => {
            let text = metadata_json(metadata).ok_or(Problem::Metadata)?;
            Document::parse(&text, meter)?.select(remote.property, meter)
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
fn finished(values: Values, steps: &[crate::api::Rewrite], form: Form, meter: &mut Meter) -> Result<Values, Problem> {
    let renamed = match steps {
        [] => keys::convert(form.conversion, values)?,
        steps => rewrite(steps, values, meter)?,
    };
    let checked = keys::check(renamed)?;
    checked.into_iter().map(|(key, value)| formed(form, &key, value).map(|value| (key, value))).collect()
}

fn formed(form: Form, key: &str, value: SecretValue) -> Result<SecretValue, Problem> {
    let refused = |source| Problem::Decode { key: key.to_owned(), source };
    let decoded = decode::decode(form.decoding, value).map_err(refused)?;
    decode::check(form.null_bytes, &decoded).map_err(refused)?;
    Ok(decoded)
}

#[cfg(test)]
#[path = "collect_tests.rs"]
mod tests;
