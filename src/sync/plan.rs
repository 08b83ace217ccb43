//! What to do with the target: one pure decision from what it should be and how it stands.

use crate::api::{CreationPolicy, names};
use crate::sync::keys::Values;
use crate::sync::secret::{Desired, Origin, Standing, hash_of};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// A Secret's type where none is said; the API server's default.
const OPAQUE: &str = "Opaque";

/// Types of Secrets that are never taken over: their makers would break.
const NEVER_ADOPTED: [&str; 3] =
    ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1"];

/// What the spec says about the target beside its content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    /// How it comes to be, and whose it is.
    pub creation: CreationPolicy,
    /// Everything that it was made of is certainly gone from Vault, and it is to go too.
    pub is_gone: bool,
    /// Its values are written once.
    pub immutable: bool,
}

/// What is to be done with the target.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan<'a> {
    /// It is as it should be.
    Keep,
    /// It is somebody else's to create, and not there.
    Missing,
    /// Its source is gone, and so is it.
    Gone,
    /// It is not there.
    Create(Write<'a>),
    /// It differs. To be written onto this version of it only.
    Replace {
        /// The Secret to write.
        write: Write<'a>,
        /// The version that was read.
        of: Version,
        /// Foreign keys that go, told once when a Secret is taken over.
        dropped: Vec<String>,
    },
    /// It is ours and differs in what Kubernetes can't change: delete this version of it, then create it.
    Recreate {
        /// The Secret to write.
        write: Write<'a>,
        /// The version that was read.
        of: Version,
    },
    /// It goes with its source.
    Delete(Version),
}

/// A Secret as it was read: a write or deletion of it must not cross another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Tells it from another of the same name.
    pub uid: String,
    /// Its resourceVersion.
    pub resource_version: String,
}

/// A whole Secret to write.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Write<'a> {
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
    /// All finalizers.
    pub finalizers: Vec<String>,
    /// All owners.
    pub owner_references: Vec<OwnerReference>,
    /// Its type; the server's default where none is said.
    pub type_: Option<String>,
    /// Its data can't be changed.
    pub immutable: bool,
    /// All of its data.
    pub data: Cow<'a, Values>,
}

/// Why the target can't be written. The Secret stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// Another ExternalSecret writes it.
    #[error("target is owned by another ExternalSecret, \"{owner}\"; choose another spec.target.name in one of them")]
    OwnedByAnother {
        /// The other's name.
        owner: String,
    },
    /// Some other controller writes it.
    #[error(
        "the target is controlled by {kind} \"{name}\", which would write over it; choose another spec.target.name"
    )]
    Controlled {
        /// The controller's kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// A Secret that somebody else depends on as it is.
    #[error(
        "the target exists and is a Secret of type {type_:?}, which is never taken over; choose another spec.target.name"
    )]
    Protected {
        /// Its type.
        type_: String,
    },
    /// The source of templates.
    #[error(
        "the target is the Secret that templates are read from (templateFrom), which would be written over; choose another spec.target.name"
    )]
    Template,
    /// The credential of a store.
    #[error("the target is the Secret that a store reads its credentials from; choose another spec.target.name")]
    Credential,
    /// It can't be changed.
    #[error("the target is immutable and differs from Vault; delete it to have it made anew")]
    Immutable,
    /// Its type can't be changed.
    #[error(
        "the target has the type {stands:?} and should have {wanted:?}, which Kubernetes can't change; delete it to have it made anew"
    )]
    Type {
        /// What it is.
        stands: String,
        /// What the spec says.
        wanted: String,
    },
    /// Its source is gone, but it is not ours to delete.
    #[error(
        "everything it was made of is gone from Vault, and it is kept, because only a Secret that this ExternalSecret made and owns (creationPolicy Owner) is deleted"
    )]
    NotOurs,
    /// It is on its way out.
    #[error("the target is being deleted; it is made anew once its finalizers {finalizers:?} are gone")]
    Deleting {
        /// What holds it.
        finalizers: Vec<String>,
    },
}

impl TargetError {
    /// Whether time may mend it (a finalizer is removed, a source comes back to Vault, a store reads another Secret);
    /// otherwise only a change of a spec or of the Secret does.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Deleting { .. } | Self::NotOurs | Self::Credential)
    }
}

/// What to do with the target of `origin`, from what it should be and how it stands.
pub fn plan<'a>(
    origin: Origin<'_>,
    policy: Policy,
    desired: &'a Desired,
    standing: Option<&Standing>,
) -> Result<Plan<'a>, TargetError> {
    if policy.creation == CreationPolicy::None {
        return Ok(Plan::Keep);
    }
    let Some(standing) = standing else {
        return Ok(match policy.creation {
            _ if policy.is_gone => Plan::Gone,
            CreationPolicy::Merge => Plan::Missing,
            _ => Plan::Create(fresh(origin, policy, desired)),
        });
    };
    if policy.is_gone {
        return match is_made_by(origin, standing) {
            true if standing.deleting => Ok(Plan::Gone),
            true => Ok(Plan::Delete(standing.version())),
            false => Err(TargetError::NotOurs),
        };
    }
    may_write(origin, policy, standing)?;
    if let Some(wanted) = desired.type_.as_deref().filter(|wanted| *wanted != effective_type(&standing.type_)) {
        let (stands, wanted) = (effective_type(&standing.type_).to_owned(), wanted.to_owned());
        return match is_made_by(origin, standing) {
            true => Ok(Plan::Recreate { write: fresh(origin, policy, desired), of: standing.version() }),
            false => Err(TargetError::Type { stands, wanted }),
        };
    }
    replacement(origin, policy, desired, standing)
}

/// A Secret that is not there yet.
fn fresh<'a>(origin: Origin<'_>, policy: Policy, desired: &'a Desired) -> Write<'a> {
    let owner = (policy.creation == CreationPolicy::Owner).then(|| origin.owner_reference());
    Write {
        labels: desired.labels.clone(),
        annotations: desired.annotations.clone(),
        finalizers: desired.finalizers.clone(),
        owner_references: owner.into_iter().collect(),
        type_: desired.type_.clone(),
        immutable: policy.immutable,
        data: Cow::Borrowed(&desired.data),
    }
}

fn replacement<'a>(
    origin: Origin<'_>,
    policy: Policy,
    desired: &'a Desired,
    standing: &Standing,
) -> Result<Plan<'a>, TargetError> {
    let finalizers = desired.finalizers.iter().filter(|finalizer| !standing.finalizers.contains(finalizer));
    let data = match merges(policy.creation) {
        true => Cow::Owned(merged(&standing.data, &standing.ours.data, &desired.data)),
        false => Cow::Borrowed(&desired.data),
    };
    let mut annotations = merged(&standing.annotations, &standing.ours.annotations, &desired.annotations);
    // Of all data, as ESO has it: several that merge into one Secret then agree on it and come to rest.
    annotations.insert(names::ANNOTATION_DATA_HASH.to_owned(), hash_of(&data));
    let write = Write {
        labels: merged(&standing.labels, &standing.ours.labels, &desired.labels),
        annotations,
        finalizers: standing.finalizers.iter().chain(finalizers).cloned().collect(),
        owner_references: owners(origin, policy, standing),
        type_: Some(standing.type_.clone()),
        immutable: standing.immutable || policy.immutable,
        data,
    };
    if is_equal(&write, standing) {
        return Ok(Plan::Keep);
    }
    if standing.immutable && *write.data != standing.data {
        return Err(TargetError::Immutable);
    }
    let is_ours = is_owned(origin, standing) || is_labelled(origin, standing);
    let is_foreign = |key: &&String| !is_ours && !standing.ours.data.contains(*key);
    let dropped = standing.data.keys().filter(is_foreign).filter(|key| !write.data.contains_key(*key)).cloned();
    Ok(Plan::Replace { dropped: dropped.collect(), write, of: standing.version() })
}

/// Whether others' keys stay.
pub fn merges(creation: CreationPolicy) -> bool {
    matches!(creation, CreationPolicy::Merge | CreationPolicy::CreateOrMerge)
}

/// Whether the data of the Secret stands as `origin`, or another that merges into it, left it. `written` is the mark of
/// the data that `origin` wrote last, where that is remembered: a backup that is put back, or an old manifest, brings its
/// own hash along, which fits the old data.
pub fn is_as_left(origin: Origin<'_>, creation: CreationPolicy, standing: &Standing, written: Option<u64>) -> bool {
    let is_last = merges(creation) || written.is_none_or(|written| written == standing.data_mark());
    standing.is_intact() && is_last && (creation != CreationPolicy::Owner || is_owned(origin, standing))
}

/// Whether the Secret is `origin`'s by reference and by label: only then may it be deleted.
pub fn is_made_by(origin: Origin<'_>, standing: &Standing) -> bool {
    is_owned(origin, standing) && is_labelled(origin, standing)
}

/// Whether the Secret is controlled by `origin` as it is now.
fn is_owned(origin: Origin<'_>, standing: &Standing) -> bool {
    standing.controller().is_some_and(|owner| is_origin(origin, owner) && owner.uid == origin.uid)
}

/// Whether the Secret's label says that `origin` made it.
fn is_labelled(origin: Origin<'_>, standing: &Standing) -> bool {
    standing.labels.get(names::LABEL_CREATED_BY).is_some_and(|label| *label == origin.created_by())
}

fn may_write(origin: Origin<'_>, policy: Policy, standing: &Standing) -> Result<(), TargetError> {
    if standing.deleting {
        return Err(TargetError::Deleting { finalizers: standing.finalizers.clone() });
    }
    let is_protected = NEVER_ADOPTED.contains(&standing.type_.as_str());
    match standing.controller() {
        Some(owner) if is_origin(origin, owner) => return Ok(()),
        // Whatever the policy: an owner removes foreign keys, and the two would never come to rest.
        Some(owner) if is_external_secret(owner) => {
            return Err(TargetError::OwnedByAnother { owner: owner.name.clone() });
        }
        // Keys are laid beside those of whoever controls it.
        _ if merges(policy.creation) && !is_protected => return Ok(()),
        Some(owner) => {
            return Err(TargetError::Controlled { kind: owner.kind.clone(), name: owner.name.clone() });
        }
        None => {}
    }
    match is_protected {
        true => Err(TargetError::Protected { type_: standing.type_.clone() }),
        false => Ok(()),
    }
}

/// An owner of our kind and name is ours whatever its uid: a backup that was restored gives objects new uids.
fn is_origin(origin: Origin<'_>, owner: &OwnerReference) -> bool {
    is_external_secret(owner) && owner.name == origin.name
}

fn is_external_secret(owner: &OwnerReference) -> bool {
    owner.kind == names::KIND_EXTERNAL_SECRET && owner.api_version.split('/').next() == Some(names::GROUP)
}

/// The owners with ours among them where the policy says so: as it stands where it has our uid, else in place of the one
/// that had another.
fn owners(origin: Origin<'_>, policy: Policy, standing: &Standing) -> Vec<OwnerReference> {
    let stands = |owner: &OwnerReference| owner.uid == origin.uid && owner.controller == Some(true);
    let others = standing.owner_references.iter().filter(|owner| !is_origin(origin, owner)).cloned();
    match policy.creation {
        CreationPolicy::Owner if standing.owner_references.iter().any(stands) => standing.owner_references.clone(),
        CreationPolicy::Owner => others.chain([origin.owner_reference()]).collect(),
        _ => others.collect(),
    }
}

/// What stands, less what is ours and no longer wanted, with what is wanted.
fn merged<V: Clone>(
    standing: &BTreeMap<String, V>,
    ours: &BTreeSet<String>,
    wanted: &BTreeMap<String, V>,
) -> BTreeMap<String, V> {
    let others = standing.iter().filter(|(key, _)| !ours.contains(*key));
    others.chain(wanted).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn is_equal(write: &Write<'_>, standing: &Standing) -> bool {
    *write.data == standing.data
        && write.labels == standing.labels
        && write.annotations == standing.annotations
        && write.owner_references == standing.owner_references
        && write.finalizers == standing.finalizers
        && write.immutable == standing.immutable
}

fn effective_type(type_: &str) -> &str {
    if type_.is_empty() { OPAQUE } else { type_ }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
