//! Traces, if a collector is named.

use super::export::Exporter;
use super::filter::OfASync;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::Url;
use std::error::Error;
use std::time::Duration;
use thiserror::Error;
use tracing_subscriber::{Layer, Registry};

/// What is not exported within this long of a stop is lost. With the 25 s that syncs and tokens have, it fits into the 30 s that
/// the kubelet gives.
const FLUSH: Duration = Duration::from_secs(3);
/// Where traces go below a collector's address.
const PATH: &str = "v1/traces";

/// The flag of traces. Everything else is told by the standard's environment variables.
#[derive(Debug, clap::Args)]
pub struct TraceArgs {
    /// Where to send traces: a collector that takes OTLP over HTTP, such as "http://collector:4318"
    /// [env: OTEL_EXPORTER_OTLP_ENDPOINT] [default: nowhere]
    #[arg(long, value_name = "URL", value_parser = collector)]
    otlp_endpoint: Option<Url>,
}

/// Why traces can't be sent.
#[derive(Debug, Error)]
#[error("traces can't be set up: {0}; check --otlp-endpoint and the environment's OTEL_EXPORTER_OTLP_*")]
pub struct TracesError(Box<dyn Error + Send + Sync>);

/// What sends traces; nothing where no collector is named.
#[derive(Debug)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Starts a thread that exports, if a flag or the environment names a collector. `instance` tells replicas apart.
    pub fn start(args: &TraceArgs, instance: &str) -> Result<Self, TracesError> {
        let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"))
            || variable("OTEL_TRACES_EXPORTER").is_some_and(|text| text == "none");
        let Some(endpoint) = endpoint(args)?.filter(|_| !is_off) else { return Ok(Self(None)) };
        let exporter = Exporter::new(&endpoint).map_err(TracesError)?;
        let provider =
            SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource(instance)).build();
        Ok(Self(Some(provider)))
    }

    /// Takes the spans from where they arise.
    pub(in crate::telemetry) fn layer(&self) -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
        let tracer = self.0.as_ref()?.tracer(env!("CARGO_PKG_NAME"));
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_context_activation(false)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_level(false);
        Some(layer.with_filter(OfASync).boxed())
    }

    /// Exports what is left, within a deadline. Blocks; called once nothing else runs.
    pub fn stop(self) {
        if let Some(provider) = self.0 {
            // What fails here is told by the exporter.
            let _ = provider.shutdown_with_timeout(FLUSH);
        }
    }
}

/// Who sends the traces; what the environment says comes first.
fn resource(instance: &str) -> Resource {
    let about = [
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", instance.to_owned()),
    ];
    let resource = Resource::builder_empty()
        .with_service_name(env!("CARGO_PKG_NAME"))
        .with_attributes(about)
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match variable("OTEL_SERVICE_NAME") {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// Where traces go: the flag, else what the environment says of traces, which is the whole address, else what it says of all
/// signals.
fn endpoint(args: &TraceArgs) -> Result<Option<String>, TracesError> {
    let below = |base: &Url| format!("{}/{PATH}", base.as_str().trim_end_matches('/'));
    let said = |name: &'static str| {
        let url = variable(name).map(|text| collector(&text)).transpose();
        url.map_err(|problem| TracesError(format!("{name}: {problem}").into()))
    };
    if let Some(base) = &args.otlp_endpoint {
        return Ok(Some(below(base)));
    }
    match said("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")? {
        Some(whole) => Ok(Some(whole.into())),
        None => Ok(said("OTEL_EXPORTER_OTLP_ENDPOINT")?.as_ref().map(below)),
    }
}

/// An empty variable counts as unset, as the standard has it.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn collector(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "not a URL; write http://host:4318 or https://host".to_owned())?;
    match url.scheme() {
        "http" | "https" if url.has_host() && url.query().is_none() && url.fragment().is_none() => Ok(url),
        _ => Err("it must begin with http:// or https://, name a host, and have no query".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_a_base_address() {
        assert!(collector("http://collector:4318").is_ok() && collector("https://collector/otlp/").is_ok());
        for bad in ["", "collector:4318", "grpc://collector:4317", "http://collector?a=b"] {
            assert!(collector(bad).is_err(), "{bad}");
        }
    }
}
