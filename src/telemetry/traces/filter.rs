//! Which spans are told: a sync, and what it waits for.

use crate::trace::{ROOT, TARGET};
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Filter};
use tracing_subscriber::registry::LookupSpan;

/// Where kube's client makes a span of each request.
const KUBE: &str = "kube_client::client::builder";

/// Lets syncs through, and within one our spans and those of kube's requests; never an event. So watches, renewals, leases and
/// the export itself are not told: they run in no sync.
pub struct OfASync;

impl<S: Subscriber + for<'span> LookupSpan<'span>> Filter<S> for OfASync {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        is_of_interest(metadata) && (is_root(metadata) || context.lookup_current().is_some())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        match is_of_interest(metadata) {
            true if is_root(metadata) => Interest::always(),
            true => Interest::sometimes(),
            false => Interest::never(),
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }
}

fn is_of_interest(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= Level::DEBUG && matches!(metadata.target(), TARGET | KUBE)
}

fn is_root(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET && metadata.name() == ROOT
}
