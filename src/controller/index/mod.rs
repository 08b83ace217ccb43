//! What the watches have seen, kept small, and who depends on whom.
//!
//! One map for each question: which ExternalSecret has this name, which depend on this store, whose target or whose
//! credential is this Secret. Nothing here does I/O; each change answers with the [`Wake`]s that follow from it.
//!
//! A relist sends no deletions: whatever a list does not name at its end is gone. Entries carry the epoch of the list that
//! last named them.

mod external_secrets;
mod namespaces;
mod sources;
mod stores;

pub use external_secrets::{Entry, Job, template_sources};
pub use sources::{Seen, SourceKind};
pub use stores::{Checked, StoreEntry};

use crate::controller::key::{Id, ObjectKey, StoreKey};
use crate::controller::queue::Lane;
use namespaces::Labels;
use sources::Table;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Somebody to be looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wake {
    /// An ExternalSecret, in this lane.
    ExternalSecret(Id, Lane),
    /// One of this many ExternalSecrets that have no hurry: spread out.
    Spread(Id, usize),
    /// An ExternalSecret that is gone: nothing is left to do for it.
    Forget(Id),
    /// A store, to be validated anew.
    Store(StoreKey),
    /// A store whose sessions are of no more use: it or a credential of it changed, or it is gone.
    Reopen(StoreKey),
    /// Those who wait for a place in this group: some of them may belong to another now.
    Regroup(u64),
}

/// Everything the watches have seen. Held behind one lock, for moments.
#[derive(Debug, Default)]
pub struct Index {
    next: u32,
    epochs: Epochs,
    ids: HashMap<ObjectKey, Id>,
    /// Boxed, since a map has twice as many places as entries at times.
    external_secrets: HashMap<Id, Box<Entry>>,
    dependents: HashMap<StoreKey, BTreeSet<Id>>,
    stores: HashMap<StoreKey, StoreEntry>,
    secrets: Table,
    config_maps: Table,
    service_accounts: Table,
    namespaces: HashMap<Arc<str>, Labels>,
}

/// The current list of each watch.
#[derive(Debug, Default)]
struct Epochs {
    external_secrets: u32,
    secret_stores: u32,
    cluster_secret_stores: u32,
    namespaces: u32,
}

#[cfg(test)]
mod tests;
