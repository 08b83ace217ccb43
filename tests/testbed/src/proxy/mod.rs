//! A proxy before Vault that counts, delays, refuses, lies, hangs and truncates, as rules say that can change at any time.
//!
//! It speaks plain HTTP/1. Each test starts one of its own before the shared server, so what it counts is that test's alone.

mod action;
mod log;

pub use action::Action;
pub use log::Seen;

use crate::{Error, Result, http};
use action::{CutBody, End};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Request, Response, body::Incoming, header, service::service_fn};
use hyper_util::rt::TokioIo;
use log::Log;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

/// Names a rule, to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(u64);

type Predicate = Box<dyn Fn(&Seen) -> bool + Send + Sync>;

struct Rule {
    id: RuleId,
    applies: Predicate,
    action: Action,
    times_left: Option<u32>,
}

#[derive(Default)]
struct Rules {
    next: u64,
    // The newest last.
    rules: Vec<Rule>,
}

struct Shared {
    client: reqwest::Client,
    upstream: String,
    rules: Mutex<Rules>,
    log: Log,
}

/// A running proxy; stops when dropped.
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a free port of loopback and passes everything on to `upstream`, such as `http://127.0.0.1:8200`.
    ///
    /// # Errors
    /// [`Error::Io`] where no port can be had.
    pub async fn start(upstream: &str) -> Result<Self> {
        let shared = Arc::new(Shared {
            client: http::plain()?,
            upstream: upstream.trim_end_matches('/').to_owned(),
            rules: Mutex::default(),
            log: Log::default(),
        });
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let addr = listener.local_addr().map_err(Error::io("listen on", "127.0.0.1"))?;
        let listening = Some(tokio::spawn(serve(listener, Arc::clone(&shared))));
        Ok(Self { addr, shared, listening })
    }

    /// `http://127.0.0.1:<port>`: what a store's `server` says.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// From now on `action` is done to requests of which `applies` is true. Of several rules the newest counts.
    pub fn rule(&self, applies: impl Fn(&Seen) -> bool + Send + Sync + 'static, action: Action) -> RuleId {
        self.add(Box::new(applies), action, None)
    }

    /// As [`Proxy::rule`], for the first `times` such requests only.
    pub fn rule_times(
        &self,
        times: u32,
        applies: impl Fn(&Seen) -> bool + Send + Sync + 'static,
        action: Action,
    ) -> RuleId {
        self.add(Box::new(applies), action, Some(times))
    }

    /// Does `action` to every request.
    pub fn always(&self, action: Action) -> RuleId {
        self.rule(|_| true, action)
    }

    fn add(&self, applies: Predicate, action: Action, times_left: Option<u32>) -> RuleId {
        let mut rules = held(&self.shared.rules);
        let id = RuleId(rules.next);
        rules.next += 1;
        rules.rules.push(Rule { id, applies, action, times_left });
        id
    }

    /// Ends a rule. Requests that hang or are delayed by it stay as they are.
    pub fn remove(&self, id: RuleId) {
        held(&self.shared.rules).rules.retain(|rule| rule.id != id);
    }

    /// Ends all rules.
    pub fn clear_rules(&self) {
        held(&self.shared.rules).rules.clear();
    }

    /// Breaks every connection and refuses new ones, as a server that is not there, until [`Proxy::listen_again`].
    pub async fn refuse(&mut self) {
        if let Some(task) = self.listening.take() {
            task.abort();
            // Until the task has ended the port still takes connections.
            let _ = task.await;
        }
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// [`Error::Io`] where somebody else has the port by now.
    pub async fn listen_again(&mut self) -> Result<()> {
        if self.listening.is_none() {
            self.listening = Some(tokio::spawn(serve(listen(self.addr).await?, Arc::clone(&self.shared))));
        }
        Ok(())
    }

    /// All requests since the start or the last [`Proxy::reset`], in order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.log.requests()
    }

    /// How many of them are meant.
    pub fn count(&self, meant: impl Fn(&Seen) -> bool) -> usize {
        self.shared.log.count(meant)
    }

    /// How many of them had this method and path (without query), such as `("GET", "/v1/kv/data/app")`.
    pub fn count_of(&self, method: &str, path: &str) -> usize {
        self.count(|seen| seen.method == method && seen.path == path)
    }

    /// How many of them were logins, of any method and at any mount.
    pub fn logins(&self) -> usize {
        self.count(Seen::is_login)
    }

    /// Requests per method and path: a picture of the traffic, for messages.
    pub fn summary(&self) -> String {
        self.shared.log.summary()
    }

    /// The most requests that were in flight at once, since the start or the last [`Proxy::reset`].
    pub fn peak_in_flight(&self) -> usize {
        self.shared.log.peak()
    }

    /// Forgets what was counted. Rules stay.
    pub fn reset(&self) {
        self.shared.log.reset();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(task) = &self.listening {
            task.abort();
        }
    }
}

impl Shared {
    /// The newest rule for this request; one with a number of times is used up by it.
    fn action(&self, seen: &Seen) -> Action {
        let mut rules = held(&self.rules);
        let found = rules.rules.iter_mut().rev().find(|rule| rule.times_left != Some(0) && (rule.applies)(seen));
        let Some(rule) = found else {
            return Action::Pass;
        };
        if let Some(left) = &mut rule.times_left {
            *left -= 1;
        }
        rule.action.clone()
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<CutBody>> {
        let seen = Seen::of(&request);
        let action = self.action(&seen);
        let entry = self.log.arrived(seen);
        let response = match action {
            Action::Pass => self.pass(request, None).await,
            Action::Delay(time) => {
                tokio::time::sleep(time).await;
                self.pass(request, None).await
            }
            Action::Truncate { keep } => self.pass(request, Some((keep, End::Break))).await,
            Action::Stall { keep } => self.pass(request, Some((keep, End::Hang))).await,
            Action::Hang => std::future::pending().await,
            Action::Break => {
                Err(Error::Unexpected { what: "a rule".to_owned(), why: "breaks the connection".to_owned() })
            }
            Action::Answer { status, headers, body } => {
                let mut response = Response::builder().status(status);
                for (name, value) in &headers {
                    response = response.header(name, value);
                }
                whole(response, body)
            }
        };
        if let Ok(response) = &response {
            entry.answered(response.status().as_u16());
        }
        response
    }

    /// Passes a request on, and the answer back: whole, or cut after some bytes of a body whose length was promised.
    async fn pass(&self, request: Request<Incoming>, cut: Option<(usize, End)>) -> Result<Response<CutBody>> {
        let Some(answer) = self.forward(request).await? else {
            // As any reverse proxy says it.
            return whole(Response::builder().status(502), Bytes::from_static(b"bad gateway"));
        };
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers().iter().filter(|(name, _)| !PER_HOP.contains(name)) {
            response = response.header(name, value);
        }
        let url = answer.url().to_string();
        let body = answer.bytes().await.map_err(|error| failed("the answer from", &url, &error))?;
        match cut {
            None => whole(response, body),
            Some((keep, end)) => {
                let response = response.header(header::CONTENT_LENGTH, body.len());
                finish(response, CutBody::new(body.slice(..keep.min(body.len())), end))
            }
        }
    }

    /// The server's answer, `None` where it gives none.
    async fn forward(&self, request: Request<Incoming>) -> Result<Option<reqwest::Response>> {
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let url = format!("{}{target}", self.upstream);
        let body = body.collect().await.map_err(|error| failed("the request to", &url, &error))?.to_bytes();
        let mut headers = parts.headers;
        for name in PER_HOP {
            headers.remove(name);
        }
        Ok(self.client.request(parts.method, &url).headers(headers).body(body).send().await.ok())
    }
}

/// Headers that each side of a proxy makes for itself.
const PER_HOP: [header::HeaderName; 4] =
    [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

/// Breaks the connection; nobody reads the words but a debugger.
fn failed(what: &str, url: &str, error: &dyn std::error::Error) -> Error {
    Error::Unexpected { what: format!("{what} {url}"), why: error.to_string() }
}

fn whole(response: hyper::http::response::Builder, body: Bytes) -> Result<Response<CutBody>> {
    finish(response, CutBody::new(body, End::Whole))
}

fn finish(response: hyper::http::response::Builder, body: CutBody) -> Result<Response<CutBody>> {
    response
        .body(body)
        .map_err(|error| Error::Unexpected { what: "a rule's answer".to_owned(), why: error.to_string() })
}

async fn listen(addr: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(addr).await.map_err(Error::io("listen on", addr.to_string()))
}

/// Takes connections until it is aborted, which ends them all: they live in its `JoinSet`.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(|request| shared.answer(request));
            // An error is a client that left or a rule that breaks the connection: both are meant.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
