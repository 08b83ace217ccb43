//! Secrets, as far as anybody cares: targets of ExternalSecrets and credentials of stores. Others leave no trace, so
//! memory does not depend on how many Secrets a cluster has.

use super::{Index, Wake};
use crate::controller::key::{Id, ObjectKey, StoreKey};
use crate::controller::memory::TargetVersion;
use crate::controller::observed::revision;
use crate::controller::queue::Lane;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeSet;

/// What the watch knows of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Seen {
    /// Nobody cared when it went by, so it may or may not be there.
    #[default]
    Unknown,
    /// It is not there.
    Absent,
    /// It is there, in this version.
    Present(TargetVersion),
}

/// A Secret that somebody depends on.
#[derive(Debug, Default)]
pub(super) struct WatchedSecret {
    pub(super) seen: Seen,
    /// Whose target it is. More than one is a conflict that the owner reference settles.
    targets: BTreeSet<Id>,
    /// The stores that read a credential from it.
    stores: BTreeSet<StoreKey>,
    epoch: u32,
}

impl Seen {
    /// Whether this is news to somebody who knew the Secret as `known`.
    pub fn differs_from(&self, known: Option<&TargetVersion>) -> bool {
        match (self, known) {
            (Self::Unknown, _) | (Self::Absent, None) => false,
            (Self::Absent, Some(_)) | (Self::Present(_), None) => true,
            (Self::Present(seen), Some(known)) => seen.uid != known.uid || seen.revision > known.revision,
        }
    }
}

impl Index {
    /// A list of Secrets begins.
    pub fn secrets_listing(&mut self) {
        self.epochs.secrets += 1;
    }

    /// A list of Secrets is complete: what it did not name is not there.
    pub fn secrets_listed(&mut self) -> Vec<Wake> {
        let epoch = self.epochs.secrets;
        let gone = self.secrets.iter().filter(|(_, secret)| secret.epoch != epoch);
        let gone: Vec<ObjectKey> = gone.map(|(key, _)| key.clone()).collect();
        gone.iter().flat_map(|key| self.see_secret(key, Seen::Absent)).collect()
    }

    /// A Secret as the watch delivers it.
    pub fn apply_secret(&mut self, metadata: &ObjectMeta) -> Vec<Wake> {
        let (Some(namespace), Some(name)) = (metadata.namespace.as_deref(), metadata.name.as_deref()) else {
            return Vec::new();
        };
        let uid = metadata.uid.as_deref().unwrap_or_default().into();
        let revision = revision(metadata.resource_version.as_deref().unwrap_or_default());
        self.see_secret(&ObjectKey::new(namespace, name), Seen::Present(TargetVersion { uid, revision }))
    }

    /// A Secret is gone.
    pub fn remove_secret(&mut self, metadata: &ObjectMeta) -> Vec<Wake> {
        let (Some(namespace), Some(name)) = (metadata.namespace.as_deref(), metadata.name.as_deref()) else {
            return Vec::new();
        };
        self.see_secret(&ObjectKey::new(namespace, name), Seen::Absent)
    }

    /// From now on changes of `secret` wake `store`: to be called before the Secret is read, so that no change between
    /// is missed.
    pub fn watch_credential(&mut self, secret: ObjectKey, store: &StoreKey) {
        let epoch = self.epochs.secrets;
        let watched = self.secrets.entry(secret).or_insert_with(|| WatchedSecret { epoch, ..WatchedSecret::default() });
        watched.stores.insert(store.clone());
    }

    /// Whether some store reads a credential from `secret`; such a Secret is never a target.
    pub fn is_credential(&self, secret: &ObjectKey) -> bool {
        self.secrets.get(secret).is_some_and(|watched| !watched.stores.is_empty())
    }

    /// Changes of Secrets no longer wake `store`.
    pub(super) fn unwatch_credentials(&mut self, store: &StoreKey) {
        self.secrets.retain(|_, watched| {
            watched.stores.remove(store);
            !watched.is_unwatched()
        });
    }

    pub(super) fn watch_target(&mut self, secret: ObjectKey, id: Id) {
        let epoch = self.epochs.secrets;
        let watched = self.secrets.entry(secret).or_insert_with(|| WatchedSecret { epoch, ..WatchedSecret::default() });
        watched.targets.insert(id);
    }

    pub(super) fn unwatch_target(&mut self, secret: &ObjectKey, id: Id) {
        if let Some(watched) = self.secrets.get_mut(secret) {
            watched.targets.remove(&id);
            if watched.is_unwatched() {
                self.secrets.remove(secret);
            }
        }
    }

    fn see_secret(&mut self, key: &ObjectKey, seen: Seen) -> Vec<Wake> {
        let epoch = self.epochs.secrets;
        let Some(watched) = self.secrets.get_mut(key) else { return Vec::new() };
        watched.epoch = epoch;
        let is_news = watched.seen != seen;
        watched.seen = seen.clone();
        let mut wakes = Vec::new();
        if !is_news {
            return wakes;
        }
        for id in &watched.targets {
            let known = self.external_secrets.get(id).and_then(|entry| entry.memory.target.as_ref());
            if seen.differs_from(known) {
                wakes.push(Wake::ExternalSecret(*id, Lane::Urgent));
            }
        }
        for store in &watched.stores {
            wakes.push(Wake::Reopen(store.clone()));
        }
        wakes
    }
}

impl WatchedSecret {
    fn is_unwatched(&self) -> bool {
        self.targets.is_empty() && self.stores.is_empty()
    }
}
