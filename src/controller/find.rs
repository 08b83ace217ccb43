//! `dataFrom.find`: every secret below a folder whose path and metadata match.

use crate::controller::gather::PARALLEL;
use crate::sync::source::Folder;
use crate::vault::{KvSecret, KvVersion, Session, Urgency, VaultError};
use futures::stream::{self, StreamExt, TryStreamExt};
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// What stands before each name: the folder, as it is written in the spec.
    pub prefix: &'a str,
    /// What a name, with its prefix, has to match.
    pub name: Option<&'a Regex>,
    /// What the metadata has to hold.
    pub tags: Option<&'a BTreeMap<String, String>>,
}

/// The secrets of `folder` that match, with their names. One that is deleted is passed over, as is one that goes while we
/// look.
pub async fn find(
    session: &Session,
    folder: &Folder,
    wanted: Wanted<'_>,
    urgency: Urgency,
) -> Result<Vec<(String, Arc<KvSecret>)>, VaultError> {
    let found = session.walk(folder.version, &folder.metadata).await?;
    let named = |name: String| {
        let full = if wanted.prefix.is_empty() { name.clone() } else { format!("{}/{name}", wanted.prefix) };
        wanted.name.is_none_or(|regex| regex.is_match(&full)).then_some((full, name))
    };
    let read = |(full, name): (String, String)| async move {
        let secret = one(session, folder, &name, wanted.tags, urgency).await?;
        Ok::<_, VaultError>(secret.map(|secret| (full, secret)))
    };
    let reads: Vec<_> = found.into_iter().filter_map(named).map(read).collect();
    let found: Vec<Option<_>> = stream::iter(reads).buffered(PARALLEL).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn one(
    session: &Session,
    folder: &Folder,
    name: &str,
    tags: Option<&BTreeMap<String, String>>,
    urgency: Urgency,
) -> Result<Option<Arc<KvSecret>>, VaultError> {
    if let Some(tags) = tags.filter(|tags| !tags.is_empty() && folder.version == KvVersion::V2) {
        let metadata = match session.read_metadata(&folder.metadata_of(name), urgency).await {
            Ok(metadata) => metadata,
            Err(error) if error.gone().is_some() => return Ok(None),
            Err(error) => return Err(error),
        };
        let has = |(tag, value): (&String, &String)| metadata.custom_metadata.get(tag) == Some(value);
        if metadata.current_deleted || !tags.iter().all(has) {
            return Ok(None);
        }
    }
    match session.read(&folder.secret(name), urgency).await {
        Ok(secret) => Ok(Some(secret)),
        Err(error) if error.gone().is_some() => Ok(None),
        Err(error) => Err(error),
    }
}
