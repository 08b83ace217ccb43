//! ExternalSecrets: what is known of each, and which stores and targets they depend on.

use super::{Index, Seen, SourceKind, Wake};
use crate::api::{ExternalSecretSpec, ExternalSecretStatus, StoreRef, TemplateFrom, TemplateRef};
use crate::controller::key::{Id, ObjectKey, StoreKey};
use crate::controller::memory::{Memory, foreign_conditions};
use crate::controller::observed::Observed;
use crate::controller::queue::Lane;
use crate::sync::{due, spec};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// One ExternalSecret.
#[derive(Debug)]
pub struct Entry {
    /// What the watch last said of it.
    pub object: Arc<Observed>,
    /// What its syncs left behind.
    pub memory: Memory,
    /// Its stores, the first one first: they decide which server it queues for.
    pub stores: Box<[StoreKey]>,
    /// The Secret it writes; the same namespace.
    pub target: Arc<str>,
    /// What it takes templates from; the same namespace.
    templates: Box<[(SourceKind, ObjectKey)]>,
    /// When another operator last wrote its status, in seconds of Unix time.
    pub foreign_status: Option<i64>,
    /// Its refresh interval in seconds, for metrics; none where it is not refreshed by the clock alone.
    pub interval: Option<u32>,
    /// Somebody mended what it waited for since it last ran.
    mended: bool,
    /// Its target became free since it last began, for which it did not wait by then; it may by the time it ends.
    mended_meanwhile: bool,
    epoch: u32,
}

/// What a reconcile starts from.
#[derive(Debug)]
pub struct Job {
    /// The object.
    pub object: Arc<Observed>,
    /// What its last syncs left behind.
    pub memory: Memory,
    /// The target as the watch has it.
    pub target: Seen,
    /// Somebody mended what it waited for.
    pub mended: bool,
    /// When another operator last wrote its status, in seconds of Unix time.
    pub foreign_status: Option<i64>,
}

impl Index {
    /// A list of ExternalSecrets begins.
    pub fn external_secrets_listing(&mut self) {
        self.epochs.external_secrets += 1;
    }

    /// A list of ExternalSecrets is complete: what it did not name is gone.
    pub fn external_secrets_listed(&mut self) -> Vec<Wake> {
        let epoch = self.epochs.external_secrets;
        let gone = self.external_secrets.values().filter(|entry| entry.epoch != epoch);
        let gone: Vec<ObjectKey> = gone.map(|entry| entry.object.key.clone()).collect();
        gone.iter().flat_map(|key| self.remove_external_secret(key)).collect()
    }

    /// An ExternalSecret as the watch delivers it. It is woken where it is new or was edited; an echo of a status write
    /// wakes nobody.
    pub fn apply_external_secret(&mut self, object: Observed, status: Option<&str>) -> Vec<Wake> {
        let known = self.ids.get(&object.key).copied();
        let status: ExternalSecretStatus =
            status.and_then(|status| serde_json::from_str(status).ok()).unwrap_or_default();
        if let Some(id) = known
            && let Some(entry) = self.external_secrets.get_mut(&id)
            && entry.object.uid == object.uid
        {
            entry.epoch = self.epochs.external_secrets;
            entry.foreign_status = object.foreign_status;
            entry.memory.foreign_conditions = foreign_conditions(&status);
            let same = entry.object.version == object.version
                && entry.object.deleting == object.deleting
                && entry.object.has_eso_finalizer == object.has_eso_finalizer;
            if same {
                return Vec::new();
            }
            let left = self.group_of(id);
            let old = self.link(id, Arc::new(object), None);
            let mut wakes = old.map(|old| self.unlink(id, &old)).unwrap_or_default();
            if left != self.group_of(id) {
                wakes.push(Wake::Regroup(left));
            }
            wakes.push(Wake::ExternalSecret(id, Lane::Urgent));
            return wakes;
        }
        // Another object of the same name takes its place.
        let mut wakes = self.remove_external_secret(&object.key);
        let id = Id(self.next);
        self.next += 1;
        self.ids.insert(object.key.clone(), id);
        let memory = Memory::from_status(&object, &status, Instant::now(), k8s_openapi::jiff::Timestamp::now());
        self.link(id, Arc::new(object), Some(memory));
        wakes.push(Wake::ExternalSecret(id, Lane::Urgent));
        wakes
    }

    /// An ExternalSecret is gone.
    pub fn remove_external_secret(&mut self, key: &ObjectKey) -> Vec<Wake> {
        let Some(id) = self.ids.remove(key) else { return Vec::new() };
        let gone = self.external_secrets.remove(&id);
        let mut wakes = gone.map(|gone| self.unlink(id, &gone)).unwrap_or_default();
        wakes.push(Wake::Forget(id));
        wakes
    }

    /// What a reconcile of `id` starts from. Whatever mended it counts as heeded from here on.
    pub fn begin(&mut self, id: Id) -> Option<Job> {
        let target = self.target_of(id)?;
        let seen = self.seen(&target);
        let entry = self.external_secrets.get_mut(&id)?;
        entry.mended_meanwhile = false;
        Some(Job {
            object: entry.object.clone(),
            memory: entry.memory.clone(),
            target: seen,
            mended: std::mem::take(&mut entry.mended),
            foreign_status: entry.foreign_status,
        })
    }

    /// Keeps what a reconcile of `id` learned. True where it failed, and what it failed for may have been mended before
    /// anybody could know that it waits for it: then it is to be run again.
    pub fn finish(&mut self, id: Id, mut memory: Memory) -> bool {
        let Some(entry) = self.external_secrets.get_mut(&id) else { return false };
        // The watch alone knows of those.
        memory.foreign_conditions = std::mem::take(&mut entry.memory.foreign_conditions);
        entry.memory = memory;
        entry.share();
        let is_mended = entry.memory.last.failures > 0 && std::mem::take(&mut entry.mended_meanwhile);
        entry.mended |= is_mended;
        is_mended
    }

    /// Those that depend on `store` and wait for it to be mended: each is marked so, and to be run urgently, or spread out
    /// where it is the server that came back, and a herd with it.
    pub fn mend_dependents(&mut self, store: &StoreKey, spread: bool) -> Vec<Wake> {
        let ids = self.dependents.get(store).cloned().unwrap_or_default();
        let unwell: Vec<Id> = ids.into_iter().filter(|id| self.mend(*id)).collect();
        let herd = unwell.len();
        let wake = |id| if spread { Wake::Spread(id, herd) } else { Wake::ExternalSecret(id, Lane::Urgent) };
        unwell.into_iter().map(wake).collect()
    }

    /// Those that depend on `store` and are well: to be synced anew without a hurry, because the store's spec changed.
    pub fn refresh_dependents(&mut self, store: &StoreKey) -> Vec<Wake> {
        let ids = self.dependents.get(store).cloned().unwrap_or_default();
        let herd = ids.len();
        let mut wakes = Vec::new();
        for id in ids {
            if let Some(entry) = self.external_secrets.get_mut(&id).filter(|entry| entry.memory.last.failures == 0) {
                entry.mended = true;
                wakes.push(Wake::Spread(id, herd));
            }
        }
        wakes
    }

    /// How many ExternalSecrets read from `store`.
    pub fn dependents(&self, store: &StoreKey) -> usize {
        self.dependents.get(store).map_or(0, BTreeSet::len)
    }

    /// Every ExternalSecret with what is known of it, for metrics.
    pub fn external_secrets(&self) -> impl Iterator<Item = &Entry> {
        self.external_secrets.values().map(Box::as_ref)
    }

    /// When each ExternalSecret is due, once the first lists are complete. What is due at once by the clock alone, synced as
    /// it is and its target as it was left, is told apart, so that it can be spread.
    pub fn first_dues(&self, now: Instant) -> Vec<(Id, due::Schedule, due::Due, bool)> {
        let entries = self.external_secrets.iter();
        entries
            .map(|(id, entry)| {
                let drifted = self.is_drifted(entry);
                let (schedule, due) = entry.due(drifted, now);
                let was_synced = entry.memory.reported.refresh_time.is_some();
                (*id, schedule, due, was_synced && !drifted && entry.memory.is_unchanged(&entry.object))
            })
            .collect()
    }

    /// One whose templates changed is synced anew, however it is.
    pub(super) fn refresh(&mut self, id: Id) -> Option<Wake> {
        let entry = self.external_secrets.get_mut(&id)?;
        entry.mended = true;
        Some(Wake::ExternalSecret(id, Lane::Urgent))
    }

    /// Marks an object that waits for something to be mended, and tells whether it does.
    pub(super) fn mend(&mut self, id: Id) -> bool {
        let Some(entry) = self.external_secrets.get_mut(&id) else { return false };
        let waits = entry.memory.last.failures > 0;
        entry.mended |= waits;
        waits
    }

    /// Likewise where its target can be written now. One that is under way may be about to fail over that, and then no retry
    /// would come.
    pub(super) fn mend_target(&mut self, id: Id) -> bool {
        if let Some(entry) = self.external_secrets.get_mut(&id) {
            entry.mended_meanwhile = true;
        }
        self.mend(id)
    }

    /// Has an object looked at in Vault when it is woken next, well or not.
    pub fn wake_again(&mut self, id: Id) {
        if let Some(entry) = self.external_secrets.get_mut(&id) {
            entry.mended = true;
        }
    }

    /// The namespaces whose ExternalSecrets use a store.
    pub fn namespaces_of(&self, store: &StoreKey) -> BTreeSet<Arc<str>> {
        let ids = self.dependents.get(store).into_iter().flatten();
        ids.filter_map(|id| self.external_secrets.get(id)).map(|entry| entry.object.key.namespace.clone()).collect()
    }

    /// Those of a namespace that wait for something to be mended, and use a ClusterSecretStore: only now its labels are
    /// known.
    pub(super) fn mend_namespace(&mut self, namespace: &str) -> Vec<Wake> {
        let is_concerned = |entry: &Entry| {
            &*entry.object.key.namespace == namespace && entry.stores.iter().any(|store| store.namespace.is_none())
        };
        let entries = self.external_secrets.iter().filter(|(_, entry)| is_concerned(entry));
        let ids: Vec<Id> = entries.map(|(id, _)| *id).collect();
        let ids = ids.into_iter().filter(|id| self.mend(*id)).collect::<Vec<_>>();
        ids.into_iter().map(|id| Wake::ExternalSecret(id, Lane::Urgent)).collect()
    }

    /// The name of an object.
    pub fn key_of(&self, id: Id) -> Option<&ObjectKey> {
        self.external_secrets.get(&id).map(|entry| &entry.object.key)
    }

    fn is_drifted(&self, entry: &Entry) -> bool {
        let target = ObjectKey::new(entry.object.key.namespace.clone(), entry.target.clone());
        self.seen(&target).differs_from(entry.memory.target.as_ref())
    }

    fn target_of(&self, id: Id) -> Option<ObjectKey> {
        let entry = self.external_secrets.get(&id)?;
        Some(ObjectKey::new(entry.object.key.namespace.clone(), entry.target.clone()))
    }

    /// Enters an object with what it depends on, and answers what stood there before, still to be unlinked: what it depends
    /// on now as before stays known meanwhile, and with it how its target was last seen.
    fn link(&mut self, id: Id, object: Arc<Observed>, memory: Option<Memory>) -> Option<Box<Entry>> {
        // A spec that can't be read depends on nothing; its reconcile tells so.
        let parsed = serde_json::from_str::<ExternalSecretSpec>(object.spec.get()).ok();
        let namespace = &object.key.namespace;
        let key_of = |store: &StoreRef| {
            let key = StoreKey::referred(store, namespace);
            self.dependents.get_key_value(&key).map_or(key, |(known, _)| known.clone())
        };
        let stores: Box<[StoreKey]> = parsed.iter().flat_map(spec::stores).map(key_of).collect();
        let target = parsed.as_ref().map_or(&*object.key.name, |parsed| parsed.target.name(&object.key.name));
        let target = if target == &*object.key.name { object.key.name.clone() } else { target.into() };
        for store in &stores {
            self.dependents.entry(store.clone()).or_default().insert(id);
        }
        let templates: Box<[(SourceKind, ObjectKey)]> =
            parsed.iter().flat_map(|parsed| template_sources(parsed, namespace)).collect();
        for (kind, object) in &templates {
            self.watch_template(*kind, object.clone(), id);
        }
        self.watch_target(ObjectKey::new(namespace.clone(), target.clone()), id);
        let mut old = self.external_secrets.remove(&id);
        let memory = memory.or_else(|| old.as_mut().map(|old| std::mem::take(&mut old.memory))).unwrap_or_default();
        let epoch = self.epochs.external_secrets;
        let foreign_status = object.foreign_status;
        let interval = parsed.as_ref().and_then(interval);
        let (mended, mended_meanwhile) = (false, false);
        let mut entry = Entry {
            object,
            memory,
            stores,
            target,
            templates,
            foreign_status,
            interval,
            mended,
            mended_meanwhile,
            epoch,
        };
        entry.share();
        self.external_secrets.insert(id, Box::new(entry));
        old
    }

    /// Takes back what [`Self::link`] entered for an object as it was, but for what is entered for it as it is now. Answers
    /// who may go on because of that.
    fn unlink(&mut self, id: Id, old: &Entry) -> Vec<Wake> {
        let now = self.external_secrets.get(&id);
        let has_target = now.is_some_and(|now| now.target == old.target);
        let is_left = |store: &&StoreKey| now.is_none_or(|now| !now.stores.contains(store));
        let stores: Vec<&StoreKey> = old.stores.iter().filter(is_left).collect();
        let is_left = |source: &&(SourceKind, ObjectKey)| now.is_none_or(|now| !now.templates.contains(source));
        let templates: Vec<_> = old.templates.iter().filter(is_left).collect();
        for store in stores {
            if let Some(ids) = self.dependents.get_mut(store) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.dependents.remove(store);
                }
            }
        }
        if !has_target {
            self.unwatch_target(&ObjectKey::new(old.object.key.namespace.clone(), old.target.clone()), id);
        }
        templates.into_iter().flat_map(|(kind, object)| self.unwatch_template(*kind, object, id)).collect()
    }
}

/// After how many seconds a spec is refreshed. None with windows, which hold a refresh back for as long as they like.
fn interval(spec: &ExternalSecretSpec) -> Option<u32> {
    match spec::schedule(spec) {
        due::Schedule::Every(interval) if spec.sync_windows.is_none() => {
            Some(u32::try_from(interval.as_secs()).unwrap_or(u32::MAX).max(1))
        }
        _ => None,
    }
}

/// The ConfigMaps and Secrets that a spec takes templates from.
pub fn template_sources(spec: &ExternalSecretSpec, namespace: &Arc<str>) -> Vec<(SourceKind, ObjectKey)> {
    let template = spec.target.template.as_ref();
    let key = |source: &TemplateRef| ObjectKey::new(namespace.clone(), source.name.as_str());
    let of = |from: &TemplateFrom| match (&from.config_map, &from.secret) {
        (Some(source), _) => Some((SourceKind::ConfigMap, key(source))),
        (None, Some(source)) => Some((SourceKind::Secret, key(source))),
        (None, None) => None,
    };
    template.iter().flat_map(|template| &template.template_from).filter_map(of).collect()
}

impl Entry {
    /// Keeps one copy of a name that is known twice.
    fn share(&mut self) {
        if let Some(binding) = self.memory.reported.binding.as_mut().filter(|binding| **binding == self.target) {
            *binding = self.target.clone();
        }
    }

    fn due(&self, drifted: bool, now: Instant) -> (due::Schedule, due::Due) {
        let parsed = serde_json::from_str::<ExternalSecretSpec>(self.object.spec.get());
        let schedule = parsed.map_or(due::Schedule::OnChange, |parsed| spec::schedule(&parsed));
        let state = due::Now { unchanged: self.memory.is_unchanged(&self.object), drifted, mended: false };
        (schedule, due::due(schedule, &self.memory.last, state, now))
    }
}
