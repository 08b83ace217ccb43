//! Reads what a sync needs from Vault: each distinct path and version once, in parallel, through the session of its store.

use crate::api::{DeletionPolicy, ExternalSecretSpec};
use crate::controller::allowance::Allowance;
use crate::controller::error::SyncError;
use crate::controller::find::{self, Walks};
use crate::controller::key::StoreKey;
use crate::controller::stores::{OpenStore, Stores};
use crate::controller::workers::Workers;
use crate::sync::collect::{Answer, Collected, TooMuch, collect, is_heavy};
use crate::sync::source::{Question, Source, Want, sources};
use crate::sync::spec::SpecError;
use crate::template::{Limits, Meter};
use crate::vault::{KvMetadata, SessionId, Urgency, VaultError};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::sync::Arc;
use thiserror::Error;

/// Reads of one sync that are under way at once.
pub const PARALLEL: usize = 8;

/// How one sync reads.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// How soon its answers are wanted.
    pub urgency: Urgency,
    /// How much it may read.
    pub allowance: &'a Allowance<'a>,
    /// The folders that it looked through.
    pub walks: &'a Walks,
}

/// Why a question has no answer.
#[derive(Debug, Clone, Error)]
pub enum ReadError {
    /// Vault gave none.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The sync has read too much by then.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
}

/// One question, for as many sources as ask it.
struct Ask<'a> {
    store: StoreKey,
    open: Arc<OpenStore>,
    question: Question,
    /// The first source that asks it.
    source: &'a Source<'a>,
}

/// The data of the Secret that `spec` describes, or the first error: all values or none. `allowance` lasts as long as the
/// data does.
pub async fn gather(
    stores: &Stores,
    workers: &Workers,
    namespace: &Arc<str>,
    spec: &ExternalSecretSpec,
    urgency: Urgency,
    allowance: &Allowance<'_>,
) -> Result<Collected, SyncError> {
    let sources = sources(spec)?;
    let (asks, ask_of) = asks(stores, namespace, &sources).await?;
    let policy = spec.target.deletion_policy;
    let walks = Walks::default();
    let reading = Reading { urgency, allowance, walks: &walks };
    let asked: Vec<_> = asks.into_iter().map(|ask| answer(ask, reading, policy)).collect();
    let answers: Vec<(Answer, String)> = stream::iter(asked).buffered(PARALLEL).try_collect().await?;
    if !is_heavy(answered(&sources, &ask_of, &answers).map(|(source, answer, _)| (source, answer))) {
        let mut meter = Meter::new(&Limits::default());
        return Ok(collect(answered(&sources, &ask_of, &answers), policy, &mut meter)?);
    }
    let spec = spec.clone();
    let collect = move |given_up| {
        let sources = self::sources(&spec)?;
        let mut meter = Meter::until(&Limits::default(), given_up);
        Ok(collect(answered(&sources, &ask_of, &answers), policy, &mut meter)?)
    };
    workers.run(collect).await
}

/// Each source with its answer, and the path that it was read at.
fn answered<'a>(
    sources: &'a [Source<'a>],
    ask_of: &'a [usize],
    answers: &'a [(Answer, String)],
) -> impl Iterator<Item = (&'a Source<'a>, &'a Answer, &'a str)> {
    sources.iter().zip(ask_of).filter_map(|(source, position)| {
        let (answer, path) = answers.get(*position)?;
        Some((source, answer, path.as_str()))
    })
}

/// Each distinct question once, and for each source which of them is its own.
async fn asks<'a>(
    stores: &Stores,
    namespace: &Arc<str>,
    sources: &'a [Source<'a>],
) -> Result<(Vec<Ask<'a>>, Vec<usize>), SyncError> {
    let mut asks: Vec<Ask<'_>> = Vec::new();
    let mut known: HashMap<(SessionId, Question), usize> = HashMap::new();
    let mut ask_of = Vec::with_capacity(sources.len());
    for source in sources {
        let store = StoreKey::referred(source.store, namespace);
        let open = match stores.open_for(&store, namespace).await {
            Ok(open) => open,
            Err(error) => return Err(SyncError::Store { store, source: Box::new(error) }),
        };
        let question = source.want.question(open.path.as_deref(), open.version);
        let question = question.map_err(|error| SpecError::Key { entry: source.place.clone(), source: error })?;
        // What is looked for in a folder differs from source to source.
        let is_shared = !matches!(question, Question::Folder(_));
        let next = asks.len();
        let position = match is_shared {
            true => *known.entry((open.session.id(), question.clone())).or_insert(next),
            false => next,
        };
        if position == next {
            asks.push(Ask { store, open, question, source });
        }
        ask_of.push(position);
    }
    Ok((asks, ask_of))
}

/// The answer to one question, with the path it was asked at.
async fn answer(ask: Ask<'_>, reading: Reading<'_>, policy: DeletionPolicy) -> Result<(Answer, String), SyncError> {
    let path = match &ask.question {
        Question::Secret(path) => path.path.clone(),
        Question::Metadata(path) => path.clone(),
        Question::Folder(folder) => folder.metadata.clone(),
    };
    match read(&ask, reading).await {
        Ok(answer) => Ok((answer, path)),
        Err(ReadError::TooMuch(source)) => Err(SyncError::TooMuch { place: ask.source.place.clone(), source }),
        Err(ReadError::Vault(error)) => {
            let answer = gone(&error, policy).map(|answer| (answer, path));
            answer.ok_or_else(|| SyncError::vault(ask.store.clone(), &ask.source.place, error))
        }
    }
}

async fn read(ask: &Ask<'_>, reading: Reading<'_>) -> Result<Answer, ReadError> {
    let (session, urgency) = (&ask.open.session, reading.urgency);
    match (&ask.question, &ask.source.want) {
        (Question::Secret(path), _) => {
            let read = || async { Ok::<_, ReadError>(session.read(path, urgency).await?) };
            reading.allowance.counted(read, |secret| secret.json().len()).await.map(Answer::Secret)
        }
        (Question::Metadata(path), _) => {
            let read = || async { Ok::<_, ReadError>(session.read_metadata(path, urgency).await?) };
            let size = |metadata: &Arc<KvMetadata>| {
                metadata.custom_metadata.iter().map(|(key, value)| key.len() + value.len()).sum()
            };
            reading.allowance.counted(read, size).await.map(Answer::Metadata)
        }
        (Question::Folder(folder), Want::Find { folder: prefix, name, tags, .. }) => {
            let wanted = find::Wanted { prefix, name: name.as_ref(), tags: *tags };
            find::find(session, folder, wanted, reading).await.map(Answer::Found)
        }
        (Question::Folder(_), _) => Ok(Answer::Found(Vec::new())),
    }
}

/// A secret that is certainly gone is an answer, where the policy says that keys follow it.
fn gone(error: &VaultError, policy: DeletionPolicy) -> Option<Answer> {
    match policy {
        DeletionPolicy::Retain => None,
        DeletionPolicy::Delete | DeletionPolicy::Merge => error.gone().map(Answer::Gone),
    }
}
