//! What is remembered of an ExternalSecret between two reconciles.

use crate::api::condition::find_condition;
use crate::api::{Condition, ConditionStatus, ConditionType, ExternalSecretStatus};
use crate::controller::apply::{Applied, Change};
use crate::controller::observed::Observed;
use crate::controller::uid::Uid;
use crate::sync::due::{self, Last};
use crate::sync::template::Parsed;
use k8s_openapi::jiff::Timestamp;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The Secret as it was when we last wrote or checked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetVersion {
    /// Tells it from another of the same name.
    pub uid: Uid,
    /// Its resourceVersion as a number; a watch event up to this one is an echo of what we know.
    pub revision: u64,
}

/// What the status says already, so that only a change is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reported {
    /// Whether `Ready` is True, and since when (seconds of Unix time).
    pub ready: Option<(bool, i64)>,
    /// Since when `Stalled` is True.
    pub stalled: Option<i64>,
    /// A hash of the conditions' reasons and messages.
    pub text: u64,
    /// `status.refreshTime`, in seconds of Unix time.
    pub refresh_time: Option<i64>,
    /// A hash of `status.syncedResourceVersion`.
    pub version: u64,
    /// `status.observedGeneration`.
    pub generation: i64,
    /// The uid in `status.target`.
    pub target: Option<Uid>,
    /// `status.binding.name`: the Secret that the last successful sync wrote.
    pub binding: Option<Arc<str>>,
}

/// What is remembered of an ExternalSecret.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Its last syncs.
    pub last: Last,
    /// A hash of the version (spec, labels, annotations) that was tried last.
    pub tried: Option<u64>,
    /// A keyed hash of the Secret as we would write it: while it and the target stay, nothing needs to be asked or written.
    pub written: Option<u64>,
    /// The target as we know it.
    pub target: Option<TargetVersion>,
    /// What its status says.
    pub reported: Reported,
    /// Its templates, parsed.
    pub templates: Option<Arc<Parsed>>,
    /// Conditions that somebody else wrote, kept when ours are.
    pub foreign_conditions: Box<[Condition]>,
    /// It was told that another operator works on the object.
    pub yielded: bool,
    /// Syncs since the process started.
    pub calls: u32,
    /// Those that failed.
    pub errors: u32,
    /// How long the last one took.
    pub took: Duration,
}

impl Memory {
    /// What a status tells of the time before this process: due times survive a restart.
    pub fn from_status(object: &Observed, status: &ExternalSecretStatus, now: Instant, wall: Timestamp) -> Self {
        let ready = find_condition(&status.conditions, ConditionType::Ready);
        let stalled = find_condition(&status.conditions, ConditionType::Stalled);
        let refreshed = status.refresh_time.as_ref().map(|time| time.0);
        let synced = status.synced_resource_version.as_deref();
        // It counts whole seconds: rounded up, so that no refresh comes early.
        let age = |at: Timestamp| Duration::try_from(wall.duration_since(at)).unwrap_or_default();
        let success = refreshed.and_then(|at| now.checked_sub(age(at).saturating_sub(Duration::from_secs(1))));
        let failed = ready.is_some_and(|ready| ready.status != ConditionStatus::True);
        let reported = Reported {
            ready: ready.map(|ready| (ready.status == ConditionStatus::True, since(ready))),
            stalled: stalled.map(since),
            text: text_hash(ready.map(|ready| (ready.reason.as_str(), ready.message.as_str()))),
            refresh_time: refreshed.map(Timestamp::as_second),
            version: hash_of(synced.unwrap_or_default()),
            generation: status.observed_generation.unwrap_or(-1),
            target: status.target.as_ref().map(|target| target.uid.as_str().into()),
            binding: status.binding.as_ref().map(|binding| binding.name.as_str().into()),
        };
        let target = status.target.as_ref().map(|target| TargetVersion {
            uid: target.uid.as_str().into(),
            revision: super::observed::revision(&target.resource_version),
        });
        Self {
            // What failed before is tried anew: nobody knows what was mended meanwhile.
            last: Last { success: success.filter(|_| !failed), attempt: None, ..Last::default() },
            tried: (synced == Some(&object.version)).then(|| hash_of(&object.version)),
            target,
            reported,
            foreign_conditions: status.conditions.iter().filter(|condition| !is_ours(condition)).cloned().collect(),
            ..Self::default()
        }
    }

    /// Takes note of a sync that succeeded, with what it had read by then.
    pub fn succeeded(&mut self, read: Instant, written: u64, applied: &Applied) {
        self.last = Last { success: Some(read), attempt: Some(read), failures: 0, hopeless: false };
        match (&applied.change, &applied.version) {
            (Change::Missing | Change::Deleted | Change::Gone, _) => (self.written, self.target) = (None, None),
            (_, Some(version)) => (self.written, self.target) = (Some(written), Some(version.clone())),
            (_, None) => self.written = Some(written),
        }
    }

    /// Takes note of a sync that failed.
    pub fn failed(&mut self, hopeless: bool) {
        self.last.failures = self.last.failures.saturating_add(1);
        self.last.hopeless = hopeless;
        self.errors = self.errors.saturating_add(1);
    }

    /// Has what failed tried again as late as after many failures.
    pub fn put_off(&mut self) {
        self.last.failures = self.last.failures.max(due::LAST_STEP);
    }

    /// Whether the spec, labels and annotations are those of the last try.
    pub fn is_unchanged(&self, object: &Observed) -> bool {
        self.tried == Some(hash_of(&object.version))
    }
}

fn is_ours(condition: &Condition) -> bool {
    [ConditionType::Ready, ConditionType::Stalled].iter().any(|ours| ours.as_str() == condition.type_)
}

/// Since when a condition has its status, in seconds of Unix time.
fn since(condition: &Condition) -> i64 {
    condition.last_transition_time.as_ref().map_or(0, |time| time.0.as_second())
}

/// The hash by which a text is told from another in memory.
pub fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The hash of what a condition says, if there is one.
pub fn text_hash(reason_and_message: Option<(&str, &str)>) -> u64 {
    let mut hasher = DefaultHasher::new();
    reason_and_message.hash(&mut hasher);
    hasher.finish()
}
