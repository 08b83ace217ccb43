//! The span of a reconcile, as a trace begins with it: why it ran, and how it ended.

use crate::api::names;
use crate::controller::apply::{Applied, Change};
use crate::controller::error::SyncError;
use crate::controller::index::Job;
use crate::controller::key::StoreKey;
use crate::controller::queue::Lane;
use crate::sync::due;
use crate::trace::{Empty, ROOT, Span, span};
use std::fmt::Display;

/// Of one ExternalSecret that is due.
pub fn external_secret(job: &Job, lane: Lane, state: due::Now) -> Span {
    span!(
        ROOT,
        kind = names::KIND_EXTERNAL_SECRET,
        namespace = &*job.object.key.namespace,
        name = &*job.object.key.name,
        lane = lane_word(lane),
        cause = cause(job, state),
        reason = Empty,
    )
}

/// Of one store that is validated.
pub fn store(key: &StoreKey) -> Span {
    span!(ROOT, kind = key.kind().as_str(), namespace = key.namespace.as_deref(), name = &*key.name, reason = Empty,)
}

/// How the sync ended that this runs in.
pub fn synced(result: &Result<Applied, SyncError>) {
    match result {
        Ok(applied) => succeeded(done(&applied.change)),
        Err(error) => failed(error),
    }
}

/// The reconcile that this runs in did this.
pub fn succeeded(what: &'static str) {
    Span::current().record("result", what);
}

/// The reconcile that this runs in failed. Errors hold no value and no credential.
pub fn failed(error: impl Display) {
    let span = Span::current();
    span.record("result", "failed");
    span.failed(error);
}

/// The reason in the condition `Ready`.
pub fn reason(reason: &str) {
    Span::current().record("reason", reason);
}

/// A drifted target turned out to be as it should be.
pub const UNCHANGED: &str = "unchanged";

fn done(change: &Change) -> &'static str {
    match change {
        Change::None => UNCHANGED,
        Change::Missing => "missing",
        Change::Deleted => "deleted",
        Change::Gone => "gone",
        Change::Created { .. } => "created",
        Change::Updated { .. } => "updated",
    }
}

fn lane_word(lane: Lane) -> &'static str {
    match lane {
        Lane::Urgent => "urgent",
        Lane::Refresh => "refresh",
    }
}

/// Why it is due: the first that holds.
fn cause(job: &Job, state: due::Now) -> &'static str {
    match state {
        _ if !state.unchanged && job.memory.reported.ready.is_none() => "new",
        _ if !state.unchanged => "changed",
        _ if state.drifted => "drifted",
        _ if state.mended => "mended",
        _ if job.memory.last.failures > 0 => "retry",
        _ => "refresh",
    }
}
