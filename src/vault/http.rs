//! One HTTP request to a server, and its answer or why there was none.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::connection::Connection;
use super::error::{Down, ErrorKind, VaultError};
use super::settings::Settings;
use super::tls;
use tokio::sync::Semaphore;

/// What to ask: an API path below `/v1/`, unescaped.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) query: Option<(&'static str, String)>,
    pub(super) body: Option<&'a SecretString>,
    pub(super) headers: HeaderMap,
}

impl<'a> Ask<'a> {
    pub(super) fn get(path: &'a str, headers: HeaderMap) -> Self {
        Self { method: Method::GET, path, query: None, body: None, headers }
    }

    pub(super) fn post(path: &'a str, body: Option<&'a SecretString>, headers: HeaderMap) -> Self {
        Self { method: Method::POST, path, query: None, body, headers }
    }
}

/// A whole answer of any status. The body is wiped when dropped.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// Vault Enterprise's `X-Vault-Index`.
    pub(super) index: Option<HeaderValue>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Why there is no answer to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nothing was sent: no connection came about.
    NoConnection(Down),
    /// It may have been sent, but no whole answer came.
    NoAnswer(Down),
    /// No trust.
    Tls(String),
    /// The answer is beyond the limit.
    TooLarge,
    /// It leads to this scheme, host and port, where the token must not go.
    Redirected(String),
    /// The path can't be a path of the API.
    BadPath,
}

/// The connections to one address under one trust.
pub(super) struct Http {
    client: Client,
    base: Url,
    address: Arc<str>,
    request_timeout: Duration,
    max_body: usize,
    large_bodies: Semaphore,
}

/// A body beyond this is a large one.
const LARGE: usize = 256 * 1024;
/// Large bodies of one server that come in at the same time.
const LARGE_AT_ONCE: usize = 4;
/// And of all servers: what comes in is held in memory that all share.
static LARGE_BODIES: Semaphore = Semaphore::const_new(16);

/// What is set aside for a body before it comes: what it promises, but no more than this.
const FIRST: usize = 64 * 1024;
/// Vault Enterprise: how far a node was when it answered.
pub(super) const INDEX: HeaderName = HeaderName::from_static("x-vault-index");

impl Http {
    pub(super) fn new(connection: &Connection, settings: &Settings) -> Result<Self, VaultError> {
        let base = base(&connection.server)?;
        let address = address(&base);
        let client = Client::builder()
            .tls_backend_preconfigured(tls::client_config(connection)?)
            .redirect(redirect::Policy::none())
            .connect_timeout(settings.connect_timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(8)
            .user_agent(settings.user_agent.as_str())
            .build()
            .map_err(|_| ErrorKind::BadConnection { problem: "the HTTP client can't be set up with it".to_owned() })?;
        let (request_timeout, max_body) = (settings.request_timeout, settings.max_body);
        let large_bodies = Semaphore::new(LARGE_AT_ONCE);
        Ok(Self { client, base, address, request_timeout, max_body, large_bodies })
    }

    /// `https://vault.example.com:8200`
    pub(super) fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// Sends one request and reads its answer, all within the request's deadline. A redirect is followed once, where
    /// it is safe.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Answer, Failure> {
        let url = self.url(ask).ok_or(Failure::BadPath)?;
        let talk = async {
            let response = self.send_to(&url, ask).await?;
            match response.status() {
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => {
                    let target = safe_target(&url, &response)?;
                    self.read(self.send_to(&target, ask).await?).await
                }
                _ => self.read(response).await,
            }
        };
        tokio::time::timeout(self.request_timeout, talk).await.unwrap_or(Err(Failure::NoAnswer(Down::Hanging)))
    }

    async fn send_to(&self, url: &Url, ask: &Ask<'_>) -> Result<Response, Failure> {
        let mut request = self.client.request(ask.method.clone(), url.clone()).headers(ask.headers.clone());
        if let Some(body) = ask.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.expose_secret().to_owned());
        }
        request.send().await.map_err(|error| failure(&error))
    }

    /// Reads no further than the limit, so that a body of any length costs no more than that.
    async fn read(&self, mut response: Response) -> Result<Answer, Failure> {
        if response.status().is_redirection() {
            return Err(Failure::Redirected(redirect_target(&self.base, &response)));
        }
        let told = response.content_length().unwrap_or(0);
        if told > self.max_body as u64 {
            return Err(Failure::TooLarge);
        }
        let mut body = Zeroizing::new(Vec::with_capacity(usize::try_from(told).unwrap_or(0).min(FIRST)));
        let mut place = None;
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
            if body.len() + chunk.len() > self.max_body {
                return Err(Failure::TooLarge);
            }
            if place.is_none() && body.len() + chunk.len() > LARGE {
                // Not longer than the request's deadline. Nobody closes the semaphores.
                place = Some((self.large_bodies.acquire().await, LARGE_BODIES.acquire().await));
            }
            body.extend_from_slice(&chunk);
        }
        let header = |name| response.headers().get(name);
        let seconds = header(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after: seconds.map(Duration::from_secs),
            index: header(INDEX).cloned(),
            body,
        })
    }

    /// `None` for a path that a URL would silently turn into another one.
    fn url(&self, ask: &Ask<'_>) -> Option<Url> {
        let mut url = self.base.clone();
        let path = ask.path.trim_end_matches('/');
        // The URL's parser drops tabs and line ends, and so would turn "..\t" into "..".
        if path.contains(char::is_control) || path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            return None;
        }
        url.path_segments_mut().ok()?.pop_if_empty().push("v1").extend(path.split('/'));
        if let Some((name, value)) = &ask.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        Some(url)
    }
}

fn base(server: &str) -> Result<Url, VaultError> {
    let bad = |problem: &str| VaultError::from(ErrorKind::BadConnection { problem: problem.to_owned() });
    let url = Url::parse(server.trim()).map_err(|_| bad("`server` is not a URL; write https://host:port"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad("`server` must begin with https:// or http:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("`server` must not hold a user or password; use the store's auth"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("`server` must not hold a query or fragment; write https://host:port"));
    }
    Ok(url)
}

fn address(url: &Url) -> Arc<str> {
    let path = url.path().trim_end_matches('/');
    Arc::from(format!("{}{path}", origin(url)))
}

fn origin(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

/// Where a redirect may take the token: only to the same host by the same scheme. A standby behind the same name may
/// send to another port; any other name could be anybody's, and an answer is too weak a reason to trust it.
fn safe_target(from: &Url, response: &Response) -> Result<Url, Failure> {
    let refused = || Failure::Redirected(redirect_target(from, response));
    let target = location(from, response).ok_or_else(refused)?;
    let same = target.scheme() == from.scheme() && target.host_str() == from.host_str() && target.username().is_empty();
    if same { Ok(target) } else { Err(refused()) }
}

fn location(from: &Url, response: &Response) -> Option<Url> {
    from.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}

/// Scheme, host and port only: a path or query could hold anything.
fn redirect_target(from: &Url, response: &Response) -> String {
    location(from, response).map_or_else(|| "an address that can't be read".to_owned(), |url| origin(&url))
}

fn failure(error: &reqwest::Error) -> Failure {
    if let Some(problem) = tls::trouble(error) {
        return Failure::Tls(problem);
    }
    if error.is_connect() {
        // The resolver's error has no public type; its text is hyper-util's own and constant.
        let unresolved = chain(error).any(|error| error.to_string().starts_with("dns error"));
        return Failure::NoConnection(if unresolved { Down::Unresolved } else { Down::Unreachable });
    }
    Failure::NoAnswer(if error.is_timeout() { Down::Hanging } else { Down::Broken })
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Headers of a user's own: refused where they would carry the token or break HTTP's framing.
pub(super) fn custom_headers(connection: &Connection) -> Result<HeaderMap, VaultError> {
    const RESERVED: [&str; 8] = [
        "x-vault-token",
        "authorization",
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "upgrade",
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in &connection.headers {
        let bad = |problem: &str| ErrorKind::BadConnection { problem: format!("the header {name:?} {problem}") };
        let header = HeaderName::try_from(name.as_str()).map_err(|_| bad("is not a valid header name"))?;
        if RESERVED.contains(&header.as_str()) {
            return Err(bad("can't be set by a store; remove it from `headers`").into());
        }
        let value = HeaderValue::try_from(value.as_str()).map_err(|_| bad("has a value with control characters"))?;
        headers.insert(header, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::Login;

    fn connection(server: &str) -> Connection {
        Connection::new(server, Login::token("t".into()).unwrap())
    }

    fn http(server: &str) -> Http {
        Http::new(&connection(server), &Settings::default()).unwrap()
    }

    #[test]
    fn a_path_is_escaped_but_never_turned_into_another() {
        let http = http("https://vault.example.com:8200/prefix/");
        let url = |path: &str| http.url(&Ask::get(path, HeaderMap::new())).map(|url| url.to_string());
        let base = "https://vault.example.com:8200/prefix/v1";
        assert_eq!(url("kv/data/a b?c#d%2f").unwrap(), format!("{base}/kv/data/a%20b%3Fc%23d%252f"));
        assert_eq!(url("kv/metadata/dir/").unwrap(), format!("{base}/kv/metadata/dir"));
        for bad in ["kv/data/../sys/raw", "kv//x", "./kv", "", "/kv/x", "kv/.\t./x", "kv/..\n", "kv/a\rb", "kv/\0"] {
            assert_eq!(url(bad), None, "{bad:?}");
        }
        assert_eq!(&*http.address, "https://vault.example.com:8200/prefix");
    }

    #[test]
    fn a_server_that_can_not_be_meant_is_refused_without_quoting_it() {
        for server in
            ["vault:8200", "ftp://vault", "https://jane:hunter2@vault", "https://vault?token=hunter2", "", "http://"]
        {
            let error = base(server).unwrap_err();
            assert_eq!(error.label(), "bad_connection", "{server}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_store_can_not_set_the_token_or_the_framing() {
        for (name, value) in
            [("X-Vault-Token", "a"), ("Host", "a"), ("Transfer-Encoding", "chunked"), ("a b", "c"), ("a", "b\nc")]
        {
            let mut connection = connection("http://vault");
            connection.headers.insert(name.to_owned(), value.to_owned());
            assert!(custom_headers(&connection).is_err(), "{name}");
        }
        let mut connection = connection("http://vault");
        connection.headers.insert("CF-Access-Client-Id".to_owned(), "x".to_owned());
        assert_eq!(custom_headers(&connection).unwrap().len(), 1);
    }
}
