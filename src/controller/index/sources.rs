//! Secrets, ConfigMaps and ServiceAccounts, as far as anybody cares: targets of ExternalSecrets, credentials and certificates of stores.
//! Others leave no trace, so memory does not depend on how many a cluster has.

use super::{Index, Wake};
use crate::controller::key::{Id, ObjectKey, StoreKey};
use crate::controller::memory::TargetVersion;
use crate::controller::observed::revision;
use crate::controller::queue::Lane;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

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

/// The kinds of objects that stores and templates are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
    /// A ServiceAccount.
    ServiceAccount,
}

impl SourceKind {
    /// The kind as it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::ServiceAccount => "ServiceAccount",
        }
    }
}

/// The objects of one kind that somebody depends on.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) watched: HashMap<ObjectKey, Watched>,
    epoch: u32,
}

/// An object that somebody depends on.
#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) seen: Seen,
    /// Whose target it is, each once. More than one is a conflict that the owner reference settles.
    targets: Vec<Id>,
    /// Who reads it. Few are read, and thousands are targets.
    read: Option<Box<Readers>>,
    epoch: u32,
}

/// Who reads an object.
#[derive(Debug, Default)]
struct Readers {
    /// The stores that read something from it.
    stores: BTreeSet<StoreKey>,
    /// The ExternalSecrets that take templates from it.
    templates: BTreeSet<Id>,
    /// What they last found when they read it themselves.
    found: Seen,
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
    /// A list of objects of this kind begins.
    pub fn sources_listing(&mut self, kind: SourceKind) {
        self.table(kind).epoch += 1;
    }

    /// A list of objects of this kind is complete: what it did not name is not there.
    pub fn sources_listed(&mut self, kind: SourceKind) -> Vec<Wake> {
        let table = self.table(kind);
        let epoch = table.epoch;
        let gone = table.watched.iter().filter(|(_, watched)| watched.epoch != epoch);
        let gone: Vec<ObjectKey> = gone.map(|(key, _)| key.clone()).collect();
        gone.iter().flat_map(|key| self.see(kind, key, Seen::Absent)).collect()
    }

    /// A Secret or ConfigMap as the watch delivers it.
    pub fn apply_source(&mut self, kind: SourceKind, metadata: &ObjectMeta) -> Vec<Wake> {
        let uid = metadata.uid.as_deref().unwrap_or_default().into();
        let revision = revision(metadata.resource_version.as_deref().unwrap_or_default());
        let key = key(metadata);
        key.map(|key| self.see(kind, &key, Seen::Present(TargetVersion { uid, revision }))).unwrap_or_default()
    }

    /// A Secret or ConfigMap is gone.
    pub fn remove_source(&mut self, kind: SourceKind, metadata: &ObjectMeta) -> Vec<Wake> {
        key(metadata).map(|key| self.see(kind, &key, Seen::Absent)).unwrap_or_default()
    }

    /// From now on changes of this object wake `store`: to be called before it is read, so that no change between is
    /// missed.
    pub fn watch_source(&mut self, kind: SourceKind, object: ObjectKey, store: &StoreKey) {
        self.table(kind).entry(object).readers().stores.insert(store.clone());
    }

    /// Whether some store reads a credential from `secret`; such a Secret is never a target.
    pub fn is_credential(&self, secret: &ObjectKey) -> bool {
        self.secrets.readers(secret).is_some_and(|readers| !readers.stores.is_empty())
    }

    /// Whether some ExternalSecret takes templates from `secret`; writing it would write over them.
    pub fn is_template(&self, secret: &ObjectKey) -> bool {
        self.secrets.readers(secret).is_some_and(|readers| !readers.templates.is_empty())
    }

    /// What the watch knows of a Secret.
    pub(super) fn seen(&self, secret: &ObjectKey) -> Seen {
        self.secrets.watched.get(secret).map_or(Seen::Unknown, |watched| watched.seen.clone())
    }

    /// Changes of Secrets and ConfigMaps no longer wake `store`. Answers the Secrets that are targets and that nobody reads
    /// any more, for now.
    pub(super) fn unwatch_sources(&mut self, store: &StoreKey) -> Vec<ObjectKey> {
        let mut freed = Vec::new();
        for (is_secrets, table) in
            [(true, &mut self.secrets), (false, &mut self.config_maps), (false, &mut self.service_accounts)]
        {
            table.watched.retain(|key, watched| {
                let was_read = watched.read.is_some();
                watched.unread(|readers| _ = readers.stores.remove(store));
                if is_secrets && was_read && watched.read.is_none() && !watched.targets.is_empty() {
                    freed.push(key.clone());
                }
                !watched.is_unwatched()
            });
        }
        freed
    }

    /// A Secret that others read is never written over. Those whose target this one is may go on, if nobody reads it now.
    pub(super) fn mend_targets(&mut self, secret: &ObjectKey) -> Vec<Wake> {
        let free = self.secrets.watched.get(secret).filter(|watched| watched.read.is_none());
        let targets = free.map(|watched| watched.targets.clone()).unwrap_or_default();
        let waiting: Vec<Id> = targets.into_iter().filter(|id| self.mend_target(*id)).collect();
        waiting.into_iter().map(|id| Wake::ExternalSecret(id, Lane::Urgent)).collect()
    }

    /// Changes of what stands in these namespaces no longer wake `store`.
    pub fn unwatch_namespaces(&mut self, store: &StoreKey, namespaces: &BTreeSet<Arc<str>>) {
        for table in [&mut self.secrets, &mut self.config_maps, &mut self.service_accounts] {
            table.watched.retain(|key, watched| {
                if namespaces.contains(&key.namespace) {
                    watched.unread(|readers| _ = readers.stores.remove(store));
                }
                !watched.is_unwatched()
            });
        }
    }

    /// An ExternalSecret has read its templates from this object, and found it so. Where the watch told of it before
    /// anybody cared, this is what its next version is a change of.
    pub fn template_read(&mut self, kind: SourceKind, object: &ObjectKey, found: Seen) {
        if let Some(readers) = self.table(kind).watched.get_mut(object).and_then(|watched| watched.read.as_mut()) {
            readers.found = found;
        }
    }

    pub(super) fn watch_template(&mut self, kind: SourceKind, object: ObjectKey, id: Id) {
        self.table(kind).entry(object).readers().templates.insert(id);
    }

    pub(super) fn unwatch_template(&mut self, kind: SourceKind, object: &ObjectKey, id: Id) -> Vec<Wake> {
        let table = self.table(kind);
        if let Some(watched) = table.watched.get_mut(object) {
            watched.unread(|readers| _ = readers.templates.remove(&id));
            if watched.is_unwatched() {
                table.watched.remove(object);
            }
        }
        match kind {
            SourceKind::Secret => self.mend_targets(object),
            SourceKind::ConfigMap | SourceKind::ServiceAccount => Vec::new(),
        }
    }

    pub(super) fn watch_target(&mut self, secret: ObjectKey, id: Id) {
        let targets = &mut self.secrets.entry(secret).targets;
        if !targets.contains(&id) {
            targets.reserve_exact(1);
            targets.push(id);
        }
    }

    pub(super) fn unwatch_target(&mut self, secret: &ObjectKey, id: Id) {
        if let Some(watched) = self.secrets.watched.get_mut(secret) {
            watched.targets.retain(|known| *known != id);
            if watched.is_unwatched() {
                self.secrets.watched.remove(secret);
            }
        }
    }

    fn see(&mut self, kind: SourceKind, key: &ObjectKey, seen: Seen) -> Vec<Wake> {
        let table = self.table(kind);
        let epoch = table.epoch;
        let Some(watched) = table.watched.get_mut(key) else { return Vec::new() };
        watched.epoch = epoch;
        if watched.seen == seen {
            return Vec::new();
        }
        let is_first_sight = watched.seen == Seen::Unknown;
        watched.seen = seen.clone();
        let targets = watched.targets.clone();
        let mut wakes = Vec::new();
        let mut templates = BTreeSet::new();
        if let Some(readers) = &watched.read {
            wakes.extend(readers.stores.iter().cloned().map(Wake::Reopen));
            // What was not seen before may be just what was read, or is yet to be read; then it is no change.
            if !is_first_sight || (readers.found != Seen::Unknown && readers.found != seen) {
                templates.clone_from(&readers.templates);
            }
        }
        wakes.extend(templates.into_iter().filter_map(|id| self.refresh(id)));
        for id in targets {
            let known = self.external_secrets.get(&id).and_then(|entry| entry.memory.target.as_ref());
            // With a Secret that is gone goes whatever it was that kept it from being written.
            if seen.differs_from(known) || seen == Seen::Absent && self.mend_target(id) {
                wakes.push(Wake::ExternalSecret(id, Lane::Urgent));
            }
        }
        wakes
    }

    fn table(&mut self, kind: SourceKind) -> &mut Table {
        match kind {
            SourceKind::Secret => &mut self.secrets,
            SourceKind::ConfigMap => &mut self.config_maps,
            SourceKind::ServiceAccount => &mut self.service_accounts,
        }
    }
}

impl Table {
    fn readers(&self, object: &ObjectKey) -> Option<&Readers> {
        self.watched.get(object)?.read.as_deref()
    }

    fn entry(&mut self, key: ObjectKey) -> &mut Watched {
        let epoch = self.epoch;
        self.watched.entry(key).or_insert_with(|| Watched { epoch, ..Watched::default() })
    }
}

impl Watched {
    fn is_unwatched(&self) -> bool {
        self.targets.is_empty() && self.read.is_none()
    }

    /// Who reads it, to be added to.
    fn readers(&mut self) -> &mut Readers {
        self.read.get_or_insert_default()
    }

    /// Takes somebody out of those who read it.
    fn unread(&mut self, take_out: impl FnOnce(&mut Readers)) {
        let Some(readers) = &mut self.read else { return };
        take_out(readers);
        if readers.stores.is_empty() && readers.templates.is_empty() {
            self.read = None;
        }
    }
}

fn key(metadata: &ObjectMeta) -> Option<ObjectKey> {
    Some(ObjectKey::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?))
}
