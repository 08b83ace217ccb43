//! Makes the target what it should be, with the fewest requests: none where nothing changed, one POST where it is not there,
//! one GET and at most one PUT otherwise.

use crate::api::CreationPolicy;
use crate::controller::api_secrets::{Secrets, Written};
use crate::controller::error::SyncError;
use crate::controller::index::Seen;
use crate::controller::key::ObjectKey;
use crate::controller::memory::TargetVersion;
use crate::controller::observed::revision;
use crate::sync::plan::{Plan, Policy, TargetError, plan};
use crate::sync::secret::{Desired, Origin, Standing};

/// How often a write is tried anew because another's came first.
const MAX_CONFLICTS: u32 = 5;

/// What an apply did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Whether anything was written.
    pub change: Change,
    /// The Secret's version now; none where it was not looked at, because nothing says that it changed.
    pub version: Option<TargetVersion>,
}

/// Whether anything was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it was as it should be.
    None,
    /// The Secret is somebody else's to create, and not there.
    Missing,
    /// The Secret went with its source.
    Deleted,
    /// The Secret went with its source before.
    Gone,
    /// The Secret is new.
    Created {
        /// Its version as text.
        resource_version: String,
    },
    /// The Secret is another than before.
    Updated {
        /// Its version as text.
        resource_version: String,
        /// Keys that it held and we did not write, which are gone now.
        dropped: Vec<String>,
    },
}

/// What is known of the target before.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// By the watch.
    pub seen: &'a Seen,
    /// By our last write or look.
    pub version: Option<&'a TargetVersion>,
    /// It was last written or found to be just what it should be now.
    pub is_written: bool,
}

/// Makes `target` what `desired` says.
pub async fn apply(
    secrets: &Secrets,
    target: &ObjectKey,
    origin: Origin<'_>,
    policy: Policy,
    desired: &Desired,
    known: Known<'_>,
) -> Result<Applied, SyncError> {
    if known.is_written && known.version.is_some() && !known.seen.differs_from(known.version) {
        return Ok(Applied { change: Change::None, version: None });
    }
    let refused = |source: TargetError| SyncError::Target { target: target.name.to_string(), source };
    let manager = origin.field_manager();
    // Where nothing is known of a Secret, it most likely does not exist, and a POST tells with one request. Only a POST does.
    let creates = !policy.is_gone && policy.creation != CreationPolicy::Merge;
    let is_likely_absent = match known.seen {
        Seen::Absent => true,
        Seen::Unknown => creates && known.version.is_none(),
        Seen::Present(_) => false,
    };
    let mut standing: Option<Standing> = None;
    if !is_likely_absent && policy.creation != CreationPolicy::None {
        standing = secrets.get(target, &manager).await?;
    }
    let mut conflicts = 0;
    loop {
        let written = match plan(origin, policy, desired, standing.as_ref()).map_err(refused)? {
            Plan::Keep => return Ok(Applied { change: Change::None, version: standing.map(version_of) }),
            Plan::Gone => return Ok(Applied { change: Change::Gone, version: None }),
            Plan::Missing => return Ok(Applied { change: Change::Missing, version: None }),
            Plan::Create(write) => secrets.create(target, &manager, &write).await.map(created),
            Plan::Replace { write, of, dropped } => {
                let replaced = secrets.replace(target, &manager, &write, &of).await;
                replaced.map(|written| updated(written, dropped))
            }
            Plan::Recreate { write, of } => match secrets.delete(target, &of).await {
                Ok(()) => secrets.create(target, &manager, &write).await.map(|written| updated(written, Vec::new())),
                Err(error) => Err(error),
            },
            Plan::Delete(of) => {
                secrets.delete(target, &of).await.map(|()| Applied { change: Change::Deleted, version: None })
            }
        };
        match written {
            Ok(applied) => return Ok(applied),
            // It is there though we thought not, it changed, or it went: from a fresh read.
            Err(error)
                if (error.is_conflict() || error.is_not_found() && standing.is_some()) && conflicts < MAX_CONFLICTS =>
            {
                conflicts += 1;
                standing = secrets.get(target, &manager).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn created(Written { version, resource_version }: Written) -> Applied {
    Applied { change: Change::Created { resource_version }, version: Some(version) }
}

fn updated(Written { version, resource_version }: Written, dropped: Vec<String>) -> Applied {
    Applied { change: Change::Updated { resource_version, dropped }, version: Some(version) }
}

fn version_of(standing: Standing) -> TargetVersion {
    TargetVersion { uid: standing.uid.as_str().into(), revision: revision(&standing.resource_version) }
}
