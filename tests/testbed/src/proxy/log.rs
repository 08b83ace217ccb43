//! What the proxy has seen.

use super::held;
use hyper::{HeaderMap, Request, body::Incoming};
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex},
    time::Instant,
};

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it arrived.
    pub at: Instant,
    /// HTTP method, in capitals.
    pub method: String,
    /// The path, from `/v1/` on, without query.
    pub path: String,
    /// The query, without `?`.
    pub query: Option<String>,
    /// All headers, the token too: this is a test's.
    pub headers: HeaderMap,
    /// The status it was answered with; `None` while it waits and where it never was.
    pub status: Option<u16>,
}

impl Seen {
    pub(super) fn of(request: &Request<Incoming>) -> Self {
        Self {
            at: Instant::now(),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            headers: request.headers().clone(),
            status: None,
        }
    }

    /// Whether it is a login, of any method and at any mount: `/v1/auth/<mount>/login` or `…/login/<user>`.
    pub fn is_login(&self) -> bool {
        self.path.starts_with("/v1/auth/") && (self.path.ends_with("/login") || self.path.contains("/login/"))
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[derive(Default)]
struct State {
    requests: Vec<Seen>,
    // Counts resets, so that an answer to a forgotten request is not written onto another.
    generation: u64,
    in_flight: usize,
    peak: usize,
}

/// Requests and how many were in flight. It grows until it is reset: a proxy lives as long as its test.
#[derive(Default)]
pub(super) struct Log(Arc<Mutex<State>>);

/// A request in flight; it is no more when this is dropped.
pub(super) struct Entry {
    state: Arc<Mutex<State>>,
    generation: u64,
    index: usize,
}

impl Log {
    pub(super) fn arrived(&self, seen: Seen) -> Entry {
        let mut state = held(&self.0);
        state.in_flight += 1;
        state.peak = state.peak.max(state.in_flight);
        state.requests.push(seen);
        Entry { state: Arc::clone(&self.0), generation: state.generation, index: state.requests.len() - 1 }
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        held(&self.0).requests.clone()
    }

    pub(super) fn count(&self, meant: impl Fn(&Seen) -> bool) -> usize {
        held(&self.0).requests.iter().filter(|seen| meant(seen)).count()
    }

    pub(super) fn peak(&self) -> usize {
        held(&self.0).peak
    }

    pub(super) fn summary(&self) -> String {
        let state = held(&self.0);
        let mut counts = BTreeMap::new();
        for seen in &state.requests {
            *counts.entry((&seen.path, &seen.method)).or_insert(0) += 1;
        }
        counts.iter().fold(String::new(), |mut text, ((path, method), count)| {
            let _ = writeln!(text, "{count:6} {method} {path}");
            text
        })
    }

    pub(super) fn reset(&self) {
        let mut state = held(&self.0);
        state.requests.clear();
        state.generation += 1;
        state.peak = state.in_flight;
    }
}

impl Entry {
    pub(super) fn answered(&self, status: u16) {
        let mut state = held(&self.state);
        if state.generation == self.generation
            && let Some(seen) = state.requests.get_mut(self.index)
        {
            seen.status = Some(status);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        held(&self.state).in_flight -= 1;
    }
}
