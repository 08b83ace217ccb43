//! What to do with the target: one pure decision from what it should be and how it stands.

use crate::api::names;
use crate::sync::secret::{Desired, Origin, Standing};
use crate::sync::select::SecretValue;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// A Secret's type where none is said; the API server's default.
const OPAQUE: &str = "Opaque";

/// Types of Secrets that are never taken over: their makers would break.
const NEVER_ADOPTED: [&str; 3] =
    ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1"];

/// What is to be done with the target.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan<'a> {
    /// It is as it should be.
    Keep,
    /// It is not there.
    Create(Write<'a>),
    /// It differs. To be written onto this version of it only.
    Replace {
        /// The Secret to write.
        write: Write<'a>,
        /// Of this uid …
        uid: String,
        /// … and this version.
        resource_version: String,
        /// Foreign keys that go, told once when a Secret is taken over.
        dropped: Vec<String>,
    },
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
    /// All of its data.
    pub data: Cow<'a, BTreeMap<String, SecretValue>>,
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
    #[error("the target is controlled by {kind} \"{name}\", which would write over it; choose another spec.target.name")]
    Controlled {
        /// The controller's kind.
        kind: String,
        /// Its name.
        name: String,
    },
    /// A Secret that somebody else depends on as it is.
    #[error("the target exists and is a Secret of type {type_:?}, which is never taken over; choose another spec.target.name")]
    Protected {
        /// Its type.
        type_: String,
    },
    /// The credential of a store.
    #[error("the target is the Secret that a store reads its credentials from; choose another spec.target.name")]
    Credential,
    /// It can't be changed.
    #[error("the target is immutable and differs from Vault; delete it to have it made anew")]
    Immutable,
    /// Its type can't be changed.
    #[error("the target has the type {stands:?} and should have {wanted:?}, which Kubernetes can't change; delete it to have it made anew")]
    Type {
        /// What it is.
        stands: String,
        /// What the spec says.
        wanted: String,
    },
    /// It is on its way out.
    #[error("the target is being deleted; it is made anew once its finalizers {finalizers:?} are gone")]
    Deleting {
        /// What holds it.
        finalizers: Vec<String>,
    },
}

impl TargetError {
    /// Whether time may mend it; otherwise only a change of a spec or of the Secret does.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Deleting { .. })
    }
}

/// What to do with the target that `origin` owns: with none, to create it; else to make it equal to `desired`, taking over
/// a Secret that no controller has.
pub fn plan<'a>(
    origin: Origin<'_>,
    desired: &'a Desired,
    standing: Option<&Standing>,
) -> Result<Plan<'a>, TargetError> {
    let Some(standing) = standing else {
        return Ok(Plan::Create(Write {
            labels: desired.labels.clone(),
            annotations: desired.annotations.clone(),
            finalizers: Vec::new(),
            owner_references: vec![origin.owner_reference()],
            type_: desired.type_.clone(),
            data: Cow::Borrowed(&desired.data),
        }));
    };
    may_take(origin, standing)?;
    if let Some(wanted) = desired.type_.as_deref().filter(|wanted| *wanted != effective_type(&standing.type_)) {
        return Err(TargetError::Type { stands: effective_type(&standing.type_).to_owned(), wanted: wanted.to_owned() });
    }
    let write = Write {
        labels: merged(&standing.labels, &standing.ours.labels, &desired.labels),
        annotations: merged(&standing.annotations, &standing.ours.annotations, &desired.annotations),
        finalizers: standing.finalizers.clone(),
        owner_references: owners(origin, standing),
        type_: Some(standing.type_.clone()),
        data: Cow::Borrowed(&desired.data),
    };
    if is_equal(&write, standing) {
        return Ok(Plan::Keep);
    }
    if standing.immutable && *write.data != standing.data {
        return Err(TargetError::Immutable);
    }
    let dropped = standing.data.keys().filter(|key| !write.data.contains_key(*key) && !is_ours(origin, standing));
    Ok(Plan::Replace {
        dropped: dropped.cloned().collect(),
        write,
        uid: standing.uid.clone(),
        resource_version: standing.resource_version.clone(),
    })
}

/// Whether the Secret is controlled by `origin` as it is now.
pub fn is_owned(origin: Origin<'_>, standing: &Standing) -> bool {
    standing.controller().is_some_and(|owner| is_origin(origin, owner) && owner.uid == origin.uid)
}

/// Whether the Secret already belongs to `origin`, by reference or by label.
fn is_ours(origin: Origin<'_>, standing: &Standing) -> bool {
    standing.controller().is_some_and(|owner| is_origin(origin, owner))
        || standing.labels.get(names::LABEL_CREATED_BY).is_some_and(|label| *label == origin.created_by())
}

fn may_take(origin: Origin<'_>, standing: &Standing) -> Result<(), TargetError> {
    if standing.deleting {
        return Err(TargetError::Deleting { finalizers: standing.finalizers.clone() });
    }
    match standing.controller() {
        Some(owner) if is_origin(origin, owner) => return Ok(()),
        Some(owner) if is_external_secret(owner) => {
            return Err(TargetError::OwnedByAnother { owner: owner.name.clone() });
        }
        Some(owner) => {
            return Err(TargetError::Controlled { kind: owner.kind.clone(), name: owner.name.clone() });
        }
        None => {}
    }
    if NEVER_ADOPTED.contains(&standing.type_.as_str()) {
        return Err(TargetError::Protected { type_: standing.type_.clone() });
    }
    Ok(())
}

/// An owner of our kind and name is ours whatever its uid: a backup that was restored gives objects new uids.
fn is_origin(origin: Origin<'_>, owner: &OwnerReference) -> bool {
    is_external_secret(owner) && owner.name == origin.name
}

fn is_external_secret(owner: &OwnerReference) -> bool {
    owner.kind == names::KIND_EXTERNAL_SECRET && owner.api_version.split('/').next() == Some(names::GROUP)
}

/// The owners with ours among them: as it stands where it has our uid, else in place of the one that had another.
fn owners(origin: Origin<'_>, standing: &Standing) -> Vec<OwnerReference> {
    let stands = |owner: &OwnerReference| owner.uid == origin.uid && owner.controller == Some(true);
    if standing.owner_references.iter().any(stands) {
        return standing.owner_references.clone();
    }
    let others = standing.owner_references.iter().filter(|owner| !is_origin(origin, owner)).cloned();
    others.chain([origin.owner_reference()]).collect()
}

/// What stands, less what is ours and no longer wanted, with what is wanted.
fn merged(
    standing: &BTreeMap<String, String>,
    ours: &BTreeSet<String>,
    wanted: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let others = standing.iter().filter(|(key, _)| !ours.contains(*key));
    others.chain(wanted).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn is_equal(write: &Write<'_>, standing: &Standing) -> bool {
    *write.data == standing.data
        && write.labels == standing.labels
        && write.annotations == standing.annotations
        && write.owner_references == standing.owner_references
}

fn effective_type(type_: &str) -> &str {
    if type_.is_empty() { OPAQUE } else { type_ }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
