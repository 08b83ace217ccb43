//! `dataFrom.find`: every secret below a folder whose path and metadata match.

use crate::controller::gather::{PARALLEL, ReadError, Reading};
use crate::sync::source::Folder;
use crate::vault::{KvSecret, KvVersion, Session, SessionId, Urgency, VaultError};
use futures::stream::{self, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use regex::Regex;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::OnceCell;

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

/// The names in a folder, once somebody has looked.
type Names = Arc<OnceCell<Vec<String>>>;

/// What is known of folders in one sync: each is walked once, however many look for something in it.
#[derive(Default)]
pub struct Walks(Mutex<HashMap<(SessionId, Folder), Names>>);

impl Walks {
    /// The folder's place, to be filled by whoever comes first.
    fn of(&self, session: &Session, folder: &Folder) -> Names {
        self.0.lock().entry((session.id(), folder.clone())).or_default().clone()
    }
}

/// The secrets of `folder` that match, with their names. One that is deleted is passed over, as is one that goes while we
/// look.
pub async fn find(
    session: &Session,
    folder: &Folder,
    wanted: Wanted<'_>,
    reading: Reading<'_>,
) -> Result<Vec<(String, Arc<KvSecret>)>, ReadError> {
    let (urgency, known) = (reading.urgency, reading.walks.of(session, folder));
    // The names are held to the end of the sync, so they count.
    let walk = || async { Ok::<_, ReadError>(session.walk(folder.version, &folder.metadata, urgency).await?) };
    let walk = || reading.allowance.counted(walk, |names| names.iter().map(String::len).sum());
    let found = known.get_or_try_init(walk).await?;
    let named = |name: &String| {
        let full = if wanted.prefix.is_empty() { name.clone() } else { format!("{}/{name}", wanted.prefix) };
        wanted.name.is_none_or(|regex| regex.is_match(&full)).then(|| (full, name.clone()))
    };
    let read = |(full, name): (String, String)| async move {
        let read = || async { Ok::<_, ReadError>(one(session, folder, &name, wanted.tags, urgency).await?) };
        let size =
            |secret: &Option<Arc<KvSecret>>| secret.as_ref().map_or(0, |secret| full.len() + secret.json().len());
        let secret = reading.allowance.counted(read, size).await?;
        Ok::<_, ReadError>(secret.map(|secret| (full, secret)))
    };
    let reads: Vec<_> = found.iter().filter_map(named).map(read).collect();
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
