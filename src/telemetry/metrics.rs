//! What is counted for the whole process. What is counted for one object lives with that object in the index and is
//! written out at a scrape, so its series go when it goes and cost no memory of their own.

use crate::telemetry::process;
use crate::vault::{Call, CallObserver};
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// ESO's name of the provider.
const PROVIDER: &str = "HashiCorp/Vault";

/// The process's own series. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    /// Calls to Vault, under ESO's name: `provider`, `call`, `status`.
    pub provider_calls: IntCounterVec,
    /// How long an ExternalSecret's reconcile took, in seconds.
    pub reconcile_seconds: Histogram,
    /// Writes to the API server: `kind`, `verb`, `result`.
    pub writes: IntCounterVec,
    /// Objects in the queue by `lane`: urgent, refresh, running.
    pub queue: IntGaugeVec,
}

impl Metrics {
    /// Registers every series. Fails only on a mistake of ours: a name used twice or not allowed.
    pub fn new() -> Result<Self, prometheus::Error> {
        let provider_calls = IntCounterVec::new(
            Opts::new("externalsecret_provider_api_calls_count", "Calls to the secret provider"),
            &["provider", "call", "status"],
        )?;
        let buckets = vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
        let reconcile_seconds = Histogram::with_opts(
            HistogramOpts::new("external_secrets_reconcile_seconds", "How long an ExternalSecret's reconcile took")
                .buckets(buckets),
        )?;
        let writes = IntCounterVec::new(
            Opts::new("external_secrets_kubernetes_writes_total", "Writes to the Kubernetes API server"),
            &["kind", "verb", "result"],
        )?;
        let queue =
            IntGaugeVec::new(Opts::new("external_secrets_queue_objects", "ExternalSecrets in the queue"), &["lane"])?;
        let build = IntGaugeVec::new(
            Opts::new("external_secrets_build_info", "The version that runs; always 1"),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let registry = Registry::new();
        registry.register(Box::new(provider_calls.clone()))?;
        registry.register(Box::new(reconcile_seconds.clone()))?;
        registry.register(Box::new(writes.clone()))?;
        registry.register(Box::new(queue.clone()))?;
        registry.register(Box::new(build))?;
        Ok(Self { registry, provider_calls, reconcile_seconds, writes, queue })
    }

    /// Counts calls to Vault, for the sessions to tell of them.
    pub fn call_observer(&self) -> Arc<dyn CallObserver> {
        Arc::new(ProviderCalls(self.provider_calls.clone()))
    }

    /// Whether this process holds the lease `name`, under the name that client-go gives it; exported from now on.
    pub fn leader_election(&self, name: &str) -> Result<IntGauge, prometheus::Error> {
        let help = "Whether this process holds the lease and works: 1, or waits for it: 0";
        let gauge = IntGaugeVec::new(Opts::new("leader_election_master_status", help), &["name"])?;
        self.registry.register(Box::new(gauge.clone()))?;
        let gauge = gauge.with_label_values(&[name]);
        gauge.set(0);
        Ok(gauge)
    }

    /// Counts a write to the API server.
    pub fn write(&self, kind: &str, verb: &str, ok: bool) {
        self.writes.with_label_values(&[kind, verb, if ok { "success" } else { "error" }]).inc();
    }

    /// Everything in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut out = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default();
        process::write(&mut out);
        out
    }
}

struct ProviderCalls(IntCounterVec);

impl CallObserver for ProviderCalls {
    fn called(&self, call: Call, ok: bool, _took: Duration) {
        // Both are there from the first call on: of a series that begins with an error, Prometheus sees no step, and so no rate.
        for (status, by) in [("success", u64::from(ok)), ("error", u64::from(!ok))] {
            self.0.with_label_values(&[PROVIDER, call.label(), status]).inc_by(by);
        }
    }
}

/// Appends one series of a gauge or counter, `name{labels} value`, with label values escaped as the format asks.
pub fn write_sample(out: &mut String, name: &str, labels: &[(&str, &str)], value: impl Display) {
    out.push_str(name);
    for (position, (label, text)) in labels.iter().enumerate() {
        out.push(if position == 0 { '{' } else { ',' });
        out.push_str(label);
        out.push_str("=\"");
        for character in text.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                _ => out.push(character),
            }
        }
        out.push('"');
    }
    out.push_str(if labels.is_empty() { " " } else { "} " });
    out.push_str(&value.to_string());
    out.push('\n');
}

/// Appends the two lines that introduce a series.
pub fn write_header(out: &mut String, name: &str, kind: &str, help: &str) {
    for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind, "\n"] {
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_registers_and_renders() {
        let metrics = Metrics::new().unwrap();
        metrics.provider_calls.with_label_values(&["HashiCorp/Vault", "ReadSecretData", "success"]).inc();
        let text = metrics.render();
        assert!(text.contains("externalsecret_provider_api_calls_count{"), "{text}");
        assert!(text.contains("external_secrets_build_info{version=\""), "{text}");
    }

    #[test]
    fn errors_are_told_before_the_first() {
        let metrics = Metrics::new().unwrap();
        metrics.call_observer().called(Call::Login, true, Duration::ZERO);
        let text = metrics.render();
        for (status, count) in [("success", 1), ("error", 0)] {
            let labels = format!("call=\"Login\",provider=\"HashiCorp/Vault\",status=\"{status}\"");
            assert!(text.contains(&format!("externalsecret_provider_api_calls_count{{{labels}}} {count}\n")), "{text}");
        }
    }

    #[test]
    fn label_values_are_escaped() {
        let mut out = String::new();
        write_sample(&mut out, "a", &[("x", "q\"\\\n"), ("y", "z")], 3);
        write_sample(&mut out, "b", &[], 1);
        assert_eq!(out, "a{x=\"q\\\"\\\\\\n\",y=\"z\"} 3\nb 1\n");
    }
}
