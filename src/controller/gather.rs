//! Reads what a sync needs from Vault: each distinct path and version once, in parallel, through the session of its store.

use crate::api::{ExternalSecretSpec, StoreRef};
use crate::controller::error::SyncError;
use crate::controller::key::StoreKey;
use crate::controller::stores::{OpenStore, Stores};
use crate::sync::select::SecretValue;
use crate::sync::wanted::{self, Read, Wanted};
use crate::vault::{KvPath, Urgency};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads of one sync that are under way at once.
const PARALLEL: usize = 8;

/// One read, for as many entries as want it.
struct Ask {
    store: StoreKey,
    open: Arc<OpenStore>,
    path: KvPath,
    /// The first key that wants it, for messages.
    secret_key: String,
}

/// The data of the Secret that `spec` describes, or the first error: all values or none.
pub async fn gather(
    stores: &Stores,
    namespace: &Arc<str>,
    spec: &ExternalSecretSpec,
    urgency: Urgency,
) -> Result<BTreeMap<String, SecretValue>, SyncError> {
    let wanted = wanted::wanted(spec)?;
    let (asks, ask_of) = asks(stores, namespace, &wanted).await?;
    let reads: Vec<Read> = stream::iter(asks).map(|ask| read(ask, urgency)).buffered(PARALLEL).try_collect().await?;
    Ok(wanted::collect(&wanted, &reads, &ask_of)?)
}

async fn read(ask: Ask, urgency: Urgency) -> Result<Read, SyncError> {
    match ask.open.session.read(&ask.path, urgency).await {
        Ok(secret) => Ok(Read { path: ask.path, secret }),
        Err(source) => Err(SyncError::Vault { store: ask.store, secret_key: ask.secret_key, source }),
    }
}

/// Each distinct read once, and for each entry which of them is its own.
async fn asks(
    stores: &Stores,
    namespace: &Arc<str>,
    wanted: &[Wanted<'_>],
) -> Result<(Vec<Ask>, Vec<usize>), SyncError> {
    let mut asks: Vec<Ask> = Vec::new();
    let mut ask_of = Vec::with_capacity(wanted.len());
    for entry in wanted {
        let (store, open) = open(stores, namespace, entry.store).await?;
        let path = entry.path(open.path.as_deref(), open.version)?;
        let same = |ask: &Ask| ask.path == path && Arc::ptr_eq(&ask.open.session, &open.session);
        let position = asks.iter().position(same).unwrap_or(asks.len());
        if position == asks.len() {
            asks.push(Ask { store, open, path, secret_key: entry.secret_key.to_owned() });
        }
        ask_of.push(position);
    }
    Ok((asks, ask_of))
}

async fn open(
    stores: &Stores,
    namespace: &Arc<str>,
    store: &StoreRef,
) -> Result<(StoreKey, Arc<OpenStore>), SyncError> {
    let store = StoreKey::referred(store, namespace);
    match stores.open_for(&store, namespace).await {
        Ok(open) => Ok((store, open)),
        Err(source) => Err(SyncError::Store { store, source }),
    }
}
