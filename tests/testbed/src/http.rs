//! HTTP as the testbed's helpers use it: JSON in, JSON out, every failure told with its address.

use crate::{Error, Result, error::chain, pki::Pki};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use serde_json::Value;
use std::time::Duration;

/// Characters of a refused answer's body that go into a message.
const BODY_IN_MESSAGE: usize = 600;

/// A builder with what all our clients share: ring as the one TLS provider, deadlines, no proxy, no redirects.
pub(crate) fn builder() -> ClientBuilder {
    // Err means that somebody installed a provider before us, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .connect_timeout(Duration::from_secs(3))
        .timeout(Duration::from_secs(30))
        .redirect(reqwest::redirect::Policy::none())
}

/// A client for servers on loopback that trusts the stack's CA.
pub(crate) fn loopback(pki: &Pki) -> Result<Client> {
    let ca = reqwest::Certificate::from_pem(pki.ca()?.as_bytes()).map_err(|error| bad("the CA", &error))?;
    build(builder().no_proxy().tls_certs_only([ca]))
}

/// As [`loopback`], with the admin's certificate.
pub(crate) fn admin(pki: &Pki) -> Result<Client> {
    let ca = reqwest::Certificate::from_pem(pki.ca()?.as_bytes()).map_err(|error| bad("the CA", &error))?;
    let admin = pki.pair("admin")?;
    let identity = reqwest::Identity::from_pem(format!("{}{}", admin.certificate, admin.key).as_bytes())
        .map_err(|error| bad("the admin's certificate", &error))?;
    build(builder().no_proxy().tls_certs_only([ca]).identity(identity))
}

/// A client for plain HTTP on loopback that passes everything on as it is.
pub(crate) fn plain() -> Result<Client> {
    build(builder().no_proxy().pool_max_idle_per_host(64))
}

/// A client for downloads: follows redirects and heeds the environment's proxy.
pub(crate) fn internet() -> Result<Client> {
    build(
        builder()
            .redirect(reqwest::redirect::Policy::limited(5))
            .timeout(Duration::from_secs(1200))
            .read_timeout(Duration::from_secs(30)),
    )
}

fn build(builder: ClientBuilder) -> Result<Client> {
    builder.build().map_err(|error| bad("an HTTP client", &error))
}

fn bad(what: &str, error: &reqwest::Error) -> Error {
    Error::Unexpected { what: what.to_owned(), why: chain(error) }
}

/// Sends, and gives status and body, whatever the status.
pub(crate) async fn send(method: &Method, url: &str, request: RequestBuilder) -> Result<(u16, String)> {
    let failed =
        |error: reqwest::Error| Error::Request { method: method.to_string(), url: url.to_owned(), why: chain(&error) };
    let response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let body = response.text().await.map_err(failed)?;
    Ok((status, body))
}

/// Sends, and gives the JSON of a successful answer (`Null` where the body is empty).
pub(crate) async fn json(method: &Method, url: &str, request: RequestBuilder) -> Result<Value> {
    let (status, body) = send(method, url, request).await?;
    if !(200..300).contains(&status) {
        let body = body.chars().take(BODY_IN_MESSAGE).collect();
        return Err(Error::Answer { method: method.to_string(), url: url.to_owned(), status, body });
    }
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&body)
        .map_err(|error| Error::Unexpected { what: format!("the JSON of {url}"), why: error.to_string() })
}

/// A string inside an answer.
pub(crate) fn text(value: &Value, pointer: &str) -> Result<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| Error::Unexpected {
        what: "a server's answer".to_owned(),
        why: format!("it has no string at {pointer}"),
    })
}
