//! The Secret as it stands, and as it should be.

use crate::api::{CreationPolicy, names};
use crate::sync::hash;
use crate::sync::keys::Values;
use crate::sync::plan::{Policy, Version};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// An ExternalSecret as far as its Secret needs it.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Its namespace, which is the Secret's too.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its uid.
    pub uid: &'a str,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: &'a BTreeMap<String, String>,
}

impl Origin<'_> {
    /// The field manager of writes to its Secret, as ESO names it: so a Secret that changes hands is not left with keys
    /// of a second manager.
    pub fn field_manager(&self) -> String {
        let manager = format!("{}{}", names::FIELD_MANAGER_PREFIX, self.name);
        if manager.len() <= names::FIELD_MANAGER_MAX {
            return manager;
        }
        format!("{}sha3/{}", names::FIELD_MANAGER_PREFIX, hash::text_hash(self.name))
    }

    /// The value of the label that says which ExternalSecret made a Secret.
    pub fn created_by(&self) -> String {
        hash::created_by(self.namespace, self.name)
    }

    /// The reference by which its Secret goes with it.
    pub fn owner_reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: format!("{}/{}", names::GROUP, names::VERSION),
            kind: names::KIND_EXTERNAL_SECRET.to_owned(),
            name: self.name.to_owned(),
            uid: self.uid.to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}

/// The Secret as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// Our labels; others on it stay.
    pub labels: BTreeMap<String, String>,
    /// Our annotations; others on it stay.
    pub annotations: BTreeMap<String, String>,
    /// Its type, where the spec says one.
    pub type_: Option<String>,
    /// Finalizers that it should have; others on it stay.
    pub finalizers: Vec<String>,
    /// Our data; others' keys stay only where the policy merges.
    pub data: Values,
}

impl Desired {
    /// The Secret that holds `data`, with the labels and annotations of its ExternalSecret.
    pub fn new(origin: Origin<'_>, data: Values) -> Self {
        Self { labels: origin.labels.clone(), annotations: origin.annotations.clone(), data, ..Self::default() }
    }

    /// Adds our marks: that it is managed, who made it where it is owned, and the hash by which an edit is noticed.
    pub fn marked(mut self, origin: Origin<'_>, policy: CreationPolicy) -> Self {
        self.labels.insert(names::LABEL_MANAGED.to_owned(), names::LABEL_MANAGED_VALUE.to_owned());
        if policy == CreationPolicy::Owner {
            self.labels.insert(names::LABEL_CREATED_BY.to_owned(), origin.created_by());
        }
        self.annotations.insert(names::ANNOTATION_DATA_HASH.to_owned(), hash_of(&self.data));
        self
    }

    /// Which data it has, by the hash in its annotations.
    pub fn data_mark(&self) -> u64 {
        data_mark(&self.annotations)
    }

    /// Tells it, as the Secret `name` that is written by `policy`, from another: its data stands in it by the hash in the
    /// annotations.
    pub fn fingerprint(&self, name: &str, policy: Policy) -> u64 {
        let mut hasher = DefaultHasher::new();
        (name, &self.labels, &self.annotations, &self.type_, &self.finalizers, policy).hash(&mut hasher);
        hasher.finish()
    }
}

/// A Secret as it stands in the cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standing {
    /// Tells it from another of the same name.
    pub uid: String,
    /// Its version, for a write that must not cross another's.
    pub resource_version: String,
    /// Its type.
    pub type_: String,
    /// Its data can't be changed.
    pub immutable: bool,
    /// It is going away.
    pub deleting: bool,
    /// Everybody's labels.
    pub labels: BTreeMap<String, String>,
    /// Everybody's annotations.
    pub annotations: BTreeMap<String, String>,
    /// Everybody's finalizers.
    pub finalizers: Vec<String>,
    /// Who owns it.
    pub owner_references: Vec<OwnerReference>,
    /// Its data.
    pub data: Values,
    /// What our field manager wrote of it.
    pub ours: Ours,
}

/// The keys that our field manager holds in a Secret, by any operation: what it may take away again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ours {
    /// Keys of labels.
    pub labels: BTreeSet<String>,
    /// Keys of annotations.
    pub annotations: BTreeSet<String>,
    /// Keys of data.
    pub data: BTreeSet<String>,
}

impl Standing {
    /// Its controller, if it has one.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }

    /// Whether it is as we left it: labelled as ours, and its data fits its hash.
    pub fn is_intact(&self) -> bool {
        let hash = self.annotations.get(names::ANNOTATION_DATA_HASH);
        self.labels.contains_key(names::LABEL_MANAGED) && hash.is_some_and(|hash| *hash == hash_of(&self.data))
    }

    /// Which data it has, by the hash in its annotations.
    pub fn data_mark(&self) -> u64 {
        data_mark(&self.annotations)
    }

    /// Which version of it this is.
    pub fn version(&self) -> Version {
        Version { uid: self.uid.clone(), resource_version: self.resource_version.clone() }
    }
}

fn data_mark(annotations: &BTreeMap<String, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    annotations.get(names::ANNOTATION_DATA_HASH).hash(&mut hasher);
    hasher.finish()
}

/// The hash by which an edit of this data is noticed.
pub fn hash_of(data: &Values) -> String {
    hash::data_hash(data.iter().map(|(key, value)| (key.as_str(), &**value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::select::SecretValue;

    #[test]
    fn a_field_manager_is_named_as_eso_names_it() {
        let empty = BTreeMap::new();
        let origin = |name| Origin { namespace: "default", name, uid: "u", labels: &empty, annotations: &empty };
        assert_eq!(origin("db").field_manager(), "externalsecrets.external-secrets.io/db");
        let long = "n".repeat(100);
        let hashed = origin(&long).field_manager();
        assert!(hashed.starts_with("externalsecrets.external-secrets.io/sha3/"), "{hashed}");
        assert!(hashed.len() <= 128, "the API server's limit of a field manager");
    }

    /// Whatever an edit of the spec's target changes is looked at, though the data stays.
    #[test]
    fn an_edit_of_the_target_is_another_secret() {
        let empty = BTreeMap::new();
        let origin = Origin { namespace: "ns", name: "db", uid: "u", labels: &empty, annotations: &empty };
        let desired = Desired::new(origin, BTreeMap::new());
        let policy = |creation| Policy { creation, ..Policy::default() };
        let held = Desired { finalizers: vec!["example.com/held".to_owned()], ..desired.clone() };
        let typed = Desired { type_: Some("Opaque".to_owned()), ..desired.clone() };
        let prints = [
            desired.fingerprint("db", policy(CreationPolicy::Merge)),
            desired.fingerprint("db", policy(CreationPolicy::Orphan)),
            desired.fingerprint("db", Policy { immutable: true, ..policy(CreationPolicy::Orphan) }),
            held.fingerprint("db", policy(CreationPolicy::Orphan)),
            typed.fingerprint("db", policy(CreationPolicy::Orphan)),
            desired.fingerprint("other", policy(CreationPolicy::Orphan)),
        ];
        assert_eq!(BTreeSet::from(prints).len(), prints.len());
        assert_eq!(prints[0], desired.fingerprint("db", policy(CreationPolicy::Merge)));
    }

    #[test]
    fn an_edit_shows() {
        let labels = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
        let origin = Origin { namespace: "ns", name: "db", uid: "u", labels: &labels, annotations: &BTreeMap::new() };
        let data = BTreeMap::from([("k".to_owned(), SecretValue::new(b"v".to_vec()))]);
        let Desired { labels, annotations, data, .. } =
            Desired::new(origin, data).marked(origin, CreationPolicy::Owner);
        assert_eq!(labels.get("team").map(String::as_str), Some("a"));
        let mut standing = Standing { labels, annotations, data, ..Standing::default() };
        assert!(standing.is_intact());
        standing.data.insert("k".to_owned(), SecretValue::new(b"w".to_vec()));
        assert!(!standing.is_intact());
    }
}
