//! Kubernetes events: what `kubectl describe` shows below an object.
//!
//! Our own publisher and not kube's `Recorder`, which aggregates by reason and object and so keeps the first error's text
//! when a second one comes with the same reason. An event is published only where something changed, so there is nothing
//! to aggregate.

use crate::words::words;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use std::sync::atomic::{AtomicU64, Ordering};

/// Who reports; the name that `kubectl describe` shows in the column "From".
pub const CONTROLLER: &str = "external-secrets";

/// The API's limit of a note, in bytes.
const MAX_NOTE: usize = 1024;
/// Leaves room for the suffix within the 253 characters of a name.
const MAX_NAME_PREFIX: usize = 200;

/// How an event is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something happened as it should.
    Normal,
    /// Somebody may have to act.
    Warning,
}

words! {
    /// What happened. On ExternalSecrets the first five are ESO's words, and on stores the last three.
    EventReason {
        /// ExternalSecret: its Secret was created.
        Created,
        /// ExternalSecret: its Secret was updated, or taken over.
        Updated,
        /// ExternalSecret: its Secret was deleted, because its source is gone.
        Deleted,
        /// ExternalSecret: a sync failed.
        UpdateFailed,
        /// ExternalSecret: something that it asks for is not in Vault, and was passed over as deletionPolicy says.
        MissingProviderSecret,
        /// ExternalSecret: it works again after a failure, and its Secret had not to be written.
        SecretSynced,
        /// ExternalSecret: another operator writes its status.
        OtherOperator,
        /// Store: many Secrets would be deleted at once, and none is.
        DeletionHeld,
        /// Store: it was logged in to.
        Valid,
        /// Store: it can't be used.
        InvalidProviderConfig,
        /// Store: it is checked where it is used.
        ValidationUnknown,
    }
}

/// One thing that happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Normal or Warning.
    pub severity: Severity,
    /// Which thing.
    pub reason: EventReason,
    /// What was being done, one CamelCase word.
    pub action: &'static str,
    /// A sentence for people. Never holds a value or a credential.
    pub note: String,
}

/// Publishes events. One a process.
pub struct Recorder {
    client: Client,
    instance: String,
    count: AtomicU64,
}

impl Recorder {
    /// `instance` tells replicas apart: the pod's name.
    pub fn new(client: Client, instance: String) -> Self {
        Self { client, instance, count: AtomicU64::new(0) }
    }

    /// Publishes `happening` on the object. An event that can't be written is logged and forgotten: the condition holds
    /// the same text, and no sync may fail over an event. False where the namespace is going away: what happens in it
    /// then is no news to anybody.
    pub async fn publish(&self, regarding: ObjectReference, happening: &Happening) -> bool {
        let namespace = regarding.namespace.as_deref().unwrap_or("default").to_owned();
        let event = self.event(&namespace, regarding, happening, Timestamp::now());
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        match api.create(&PostParams::default(), &event).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if is_namespace_ending(&status) => false,
            Err(error) => {
                tracing::warn!(%namespace, reason = happening.reason.as_str(), %error, "could not publish an event");
                true
            }
        }
    }

    fn event(&self, namespace: &str, regarding: ObjectReference, happening: &Happening, now: Timestamp) -> Event {
        let prefix = truncated(regarding.name.as_deref().unwrap_or_default(), MAX_NAME_PREFIX);
        // Unique across restarts by the time, within one by the count.
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}.{:x}{:04x}", now.as_microsecond(), number & 0xffff);
        Event {
            metadata: ObjectMeta { name: Some(name), namespace: Some(namespace.to_owned()), ..Default::default() },
            action: Some(happening.action.to_owned()),
            event_time: Some(MicroTime(now)),
            note: Some(truncated(&happening.note, MAX_NOTE).to_owned()),
            reason: Some(happening.reason.as_str().to_owned()),
            regarding: Some(regarding),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(format!("{:?}", happening.severity)),
            ..Default::default()
        }
    }
}

/// A namespace that is being deleted takes no new objects; one that is gone has no place for them.
fn is_namespace_ending(status: &kube::core::Status) -> bool {
    status.code == 404 || status.code == 403 && status.message.contains("because it is being terminated")
}

/// The longest start of `text` that fits into `limit` bytes and ends between two characters.
pub fn truncated(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// `text`, cut to `limit` bytes where it is longer, and then with an ellipsis that says so.
pub fn shortened(text: String, limit: usize) -> String {
    match text.len() <= limit {
        true => text,
        false => format!("{}…", truncated(&text, limit.saturating_sub("…".len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_cut_says_so() {
        assert_eq!(shortened("abcdef".to_owned(), 6), "abcdef");
        assert_eq!(shortened("abcdefg".to_owned(), 6), "abc…");
        assert_eq!(shortened("ééééé".to_owned(), 6), "é…");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(truncated("aé", 2), "a");
        assert_eq!(truncated("aé", 3), "aé");
        assert_eq!(truncated("", 3), "");
    }
}
