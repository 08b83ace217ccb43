//! A collector of OTLP over HTTP that keeps what it is sent, refuses it, or never answers.

use super::common::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{Span, status::StatusCode as SpanStatus};
use prost::Message;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What it does with what it is sent.
#[derive(Clone, Copy, PartialEq)]
pub enum Mood {
    Takes,
    Refuses,
    Hangs,
}

struct Inner {
    mood: Mutex<Mood>,
    taken: Mutex<Vec<(HeaderMap, Bytes)>>,
}

/// Serves until the test's runtime ends.
pub struct Collector {
    /// What `--otlp-endpoint` is given.
    pub url: String,
    inner: Arc<Inner>,
}

/// A span as it was told.
#[derive(Debug, Clone)]
pub struct Told {
    pub trace: Vec<u8>,
    pub id: Vec<u8>,
    /// Empty for the root.
    pub parent: Vec<u8>,
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    /// The status' message, where that is an error.
    pub error: Option<String>,
    pub took: u64,
    /// Who tells it.
    pub resource: BTreeMap<String, String>,
}

impl Collector {
    pub async fn start(mood: Mood) -> Result<Self> {
        let inner = Arc::new(Inner { mood: Mutex::new(mood), taken: Mutex::default() });
        let router = Router::new().route("/v1/traces", post(take)).with_state(inner.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, inner })
    }

    pub fn set(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    /// Headers and bodies of what it took.
    pub fn taken(&self) -> Vec<(HeaderMap, Bytes)> {
        self.inner.taken.lock().unwrap().clone()
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Told> {
        let mut told = Vec::new();
        for (_, body) in self.taken() {
            for group in ExportTraceServiceRequest::decode(body).unwrap().resource_spans {
                let resource = attributes(group.resource.unwrap_or_default().attributes);
                let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
                told.extend(spans.map(|span| Told::new(span, &resource)));
            }
        }
        told
    }
}

async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mood = *inner.mood.lock().unwrap();
    match mood {
        Mood::Takes => inner.taken.lock().unwrap().push((headers, body)),
        Mood::Refuses => return StatusCode::UNAUTHORIZED,
        Mood::Hangs => std::future::pending().await,
    }
    StatusCode::OK
}

impl Told {
    fn new(span: Span, resource: &BTreeMap<String, String>) -> Self {
        let status = span.status.unwrap_or_default();
        Self {
            trace: span.trace_id,
            id: span.span_id,
            parent: span.parent_span_id,
            name: span.name,
            attributes: attributes(span.attributes),
            error: (status.code == SpanStatus::Error as i32).then_some(status.message),
            took: span.end_time_unix_nano - span.start_time_unix_nano,
            resource: resource.clone(),
        }
    }

    /// An attribute, empty where it has none of this name.
    pub fn get(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

fn attributes(list: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    list.into_iter().map(|KeyValue { key, value, .. }| (key, text(value))).collect()
}
