//! Sends batches of spans, on the thread of the SDK's batch processor: nothing of it runs on the operator's own thread.

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use parking_lot::Mutex;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::runtime::Runtime;

/// How long a collector may take for one batch.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of an answer is read; a collector's has a few bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// kube's attribute of the address that it asks, which no span of ours has.
const KUBE_URL: &str = "http.url";
const KUBE_METHOD: &str = "http.method";

/// Exports over HTTP, and says so in the log where that begins to fail.
#[derive(Debug)]
pub struct Exporter {
    otlp: opentelemetry_otlp::SpanExporter,
    last_failure: LastFailure,
    is_failing: AtomicBool,
}

type LastFailure = Arc<Mutex<String>>;

/// HTTP for the exporter, with a runtime of its own that runs only while a request does.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    runtime: Runtime,
    last_failure: LastFailure,
}

#[derive(Debug, Error)]
#[error("the answer is longer than {MAX_ANSWER} bytes")]
struct TooLong;

impl Client {
    /// No connection is opened yet.
    pub fn new() -> Result<Self, std::io::Error> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // A redirect would carry the headers, which may hold a credential, elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            // Nobody tends a connection between two batches.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(std::io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { http, runtime, last_failure: LastFailure::default() })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut answer = self.http.execute(request.try_into()?).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(TooLong.into());
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::builder().status(answer.status()).body(Bytes::from(body))?;
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

#[async_trait::async_trait]
impl HttpClient for Client {
    /// Blocks, which is what the batch processor's thread is for.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.runtime.block_on(self.send(request));
        match &answer {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => *self.last_failure.lock() = format!("it answers {}", answer.status()),
            Err(error) => *self.last_failure.lock() = chain(error.as_ref()),
        }
        answer
    }
}

/// An error with its causes. Not where it was asked: that address may hold a password.
fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source()).map(told);
    let first = match error.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_timeout() => format!("no answer within {} s", TIMEOUT.as_secs()),
        Some(_) => "the request failed".to_owned(),
        None => told(error),
    };
    std::iter::once(first).chain(causes).collect::<Vec<_>>().join(": ")
}

fn told(error: &(dyn Error + 'static)) -> String {
    error.to_string()
}

impl Exporter {
    /// Exports to `endpoint`, the whole address, with the headers that the environment tells.
    pub fn new(endpoint: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
        let client = Client::new()?;
        let last_failure = client.last_failure.clone();
        let builder = opentelemetry_otlp::SpanExporter::builder().with_http().with_http_client(client);
        Ok(Self { otlp: builder.with_endpoint(endpoint).build()?, last_failure, is_failing: AtomicBool::new(false) })
    }

    /// One line where it begins to fail, and one where it works again.
    fn tell(&self, is_ok: bool) {
        match (self.is_failing.swap(!is_ok, Ordering::Relaxed), is_ok) {
            (false, false) => tracing::warn!(
                error = self.last_failure.lock().as_str(),
                "traces can't be exported and are dropped until the collector takes them; syncs go on. Check the endpoint, and \
                 OTEL_EXPORTER_OTLP_HEADERS if it asks for credentials"
            ),
            (true, true) => tracing::info!("traces are exported again"),
            _ => {}
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(name);
        let exported = self.otlp.export(batch).await;
        self.tell(exported.is_ok());
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.otlp.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}

/// kube names its spans after what is asked (`create`), and `HTTP` where it does not know: those are named after the verb that
/// RBAC has for the method. Either way the name says whom was asked, as ours do.
fn name(span: &mut SpanData) {
    let attribute = |name: &str| span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    if attribute(KUBE_URL).is_none() {
        return;
    }
    let verb = match &*span.name {
        "HTTP" => match attribute(KUBE_METHOD).map(|method| method.value.as_str()).as_deref() {
            Some("GET") => "get",
            Some("POST") => "create",
            Some("PUT") => "update",
            Some("PATCH") => "patch",
            Some("DELETE") => "delete",
            _ => "request",
        },
        verb => verb,
    };
    span.name = format!("kubernetes.{verb}").into();
}
