//! Conditions: what an object's status says about it, in the words that kstatus, Flux, Argo CD and kubectl know.

use crate::words::words;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that a status says.
///
/// An own type and not Kubernetes' own, because conditions that ESO wrote lack fields which that one demands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about: `Ready`, `Stalled` and so on.
    #[serde(rename = "type")]
    #[schemars(length(max = 316))]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: ConditionStatus,
    /// Why, in one word, for programs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// What happened, where, and what to do, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 32768))]
    pub message: String,
    /// When `status` last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It doesn't.
    False,
    /// It can't be told.
    Unknown,
}

impl ConditionStatus {
    /// The status as it stands in a manifest, and as a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

words! {
    /// The conditions that are set here.
    ConditionType {
        /// The object does what it is there for. Always present.
        Ready,
        /// Only an edit of the object can help; absent otherwise. kstatus takes it for "failed", and so does `helm --wait`.
        Stalled,
        /// A store's secret id or token ends soon; absent otherwise.
        CredentialsExpiring,
    }
}

words! {
    /// Why a condition is as it is. The first seven are ESO's words, which dashboards and scripts look for.
    ConditionReason {
        /// ExternalSecret, Ready=True: the Secret holds what Vault holds.
        SecretSynced,
        /// ExternalSecret, Ready=False: it doesn't; the message says why.
        SecretSyncedError,
        /// ExternalSecret, Ready=True: the source is gone and the Secret was deleted, as deletionPolicy says.
        SecretDeleted,
        /// ExternalSecret, Ready=True: creationPolicy Merge, and there is no Secret to merge into.
        SecretMissing,
        /// Store, Ready=True: it was logged in to.
        Valid,
        /// Store, Ready=False: it can't be used as it is written.
        InvalidProviderConfig,
        /// Store, Ready=Unknown: it can only be checked when it is used, for its credentials stand in each ExternalSecret's
        /// own namespace.
        ValidationUnknown,
        /// Stalled=True: the spec asks for something that can't be done, or isn't built.
        InvalidSpec,
        /// Stalled=True: Vault refuses the credentials.
        CredentialsRefused,
        /// CredentialsExpiring=True: the secret id's time or logins are nearly used up.
        SecretIdExpiring,
    }
}

/// The longest message that is written, in bytes: enough for people, and well below what the CRDs let in, which would refuse
/// the whole status. An error may quote keys of any length and number.
pub const MAX_MESSAGE: usize = 4096;

impl Condition {
    /// A condition without a time; [`set_condition`] gives it one.
    pub fn new(
        type_: ConditionType,
        status: ConditionStatus,
        reason: ConditionReason,
        message: impl Into<String>,
    ) -> Self {
        Self {
            type_: type_.as_str().to_owned(),
            status,
            reason: reason.as_str().to_owned(),
            message: message.into(),
            last_transition_time: None,
            observed_generation: None,
        }
    }
}

/// Puts `condition` into `conditions` in place of the one of its type, and tells whether anything but the time differs,
/// that is whether the status has to be written.
///
/// `lastTransitionTime` becomes `now` where the status changed, and stays otherwise: other tools measure from it how
/// long an object has been unwell.
pub fn set_condition(conditions: &mut Vec<Condition>, mut condition: Condition, now: Timestamp) -> bool {
    match conditions.iter_mut().find(|old| old.type_ == condition.type_) {
        Some(old) => {
            condition.last_transition_time = match &old.last_transition_time {
                Some(time) if old.status == condition.status => Some(time.clone()),
                _ => Some(Time(now)),
            };
            let changed = *old != condition;
            *old = condition;
            changed
        }
        None => {
            condition.last_transition_time = Some(Time(now));
            conditions.push(condition);
            true
        }
    }
}

/// Takes the condition of a type out, for the ones whose absence says that all is well; tells whether it was there.
pub fn remove_condition(conditions: &mut Vec<Condition>, type_: ConditionType) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.type_ != type_.as_str());
    conditions.len() != before
}

/// The condition of a type, if there is one.
pub fn find_condition(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

#[cfg(test)]
#[path = "condition_tests.rs"]
mod tests;
