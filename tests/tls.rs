//! Whom a store trusts, what it shows, and which headers it sends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod common;

use base64::Engine;
use common::objects::stalled;
use common::place::{STORE, secret};
use common::{HEALED, Operator, Place, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use testbed::{Pki, proxy::Action};

/// A place with `db` in Vault, credentials and an operator.
async fn place(hint: &str) -> Result<(Place, Operator)> {
    let place = Place::new(hint).await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    place.apply([place.credentials()]).await?;
    place.apply_external(place.external("db", &[("password", "db#password")])).await?;
    let operator = Operator::start(place.name()).await?;
    Ok((place, operator))
}

/// A store at OpenBao's TLS listener with these fields of `provider.vault`.
fn store(place: &Place, fields: Value) -> Value {
    let mut store = place.store(STORE);
    let vault = store["spec"]["provider"]["vault"].as_object_mut().unwrap();
    vault.insert("server".to_owned(), json!(place.stack.vault_tls_addr()));
    vault.extend(fields.as_object().unwrap().clone());
    store
}

/// A CA that signed nothing of the stack's.
fn other_ca() -> Result<String> {
    let dir = std::env::temp_dir().join(format!("other-ca-{}-{:?}", std::process::id(), std::thread::current().id()));
    let ca = Pki::create(dir.clone())?.ca()?;
    std::fs::remove_dir_all(dir)?;
    Ok(ca)
}

fn encoded(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// What a CA of the same name with another key is told as, as after a CA was made anew.
const WRONG_CA: [&str; 3] = ["no TLS connection to https://", "caBundle or caProvider", "give the CA that signed it"];

const UNKNOWN_CA: [&str; 3] = ["no TLS connection to https://", "signed by an unknown CA", "caBundle or caProvider"];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ca_bundle() -> Result {
    let (place, _operator) = place("tls-bundle").await?;
    place.apply([store(&place, json!({}))]).await?;
    place.store_is(STORE, "False", &UNKNOWN_CA).await?;
    place.failed("db", &UNKNOWN_CA).await?;

    place.apply([store(&place, json!({"caBundle": encoded(&other_ca()?)}))]).await?;
    place.store_is(STORE, "False", &WRONG_CA).await?;
    place.apply([store(&place, json!({"caBundle": encoded("no certificate")}))]).await?;
    place.store_is(STORE, "False", &["CA bundle", "BEGIN CERTIFICATE"]).await?;
    place.stays_absent("db").await?;

    place.apply([store(&place, json!({"caBundle": encoded(&place.stack.pki().ca()?)}))]).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    place.store_is(STORE, "True", &[]).await?;
    Ok(())
}

/// What names the CA is edited, and the store never.
async fn is_followed(hint: &str, kind: &str, holder: impl Fn(&str) -> Value) -> Result {
    let (place, _operator) = place(hint).await?;
    let provider = json!({"type": kind, "name": "trust", "key": "ca.crt"});
    place.apply([store(&place, json!({"caProvider": provider}))]).await?;
    let words = ["provider.vault.caProvider", kind, "trust", "does not exist"];
    place.store_is(STORE, "False", &words).await?;
    place.failed("db", &words).await?;

    place.apply([holder(&other_ca()?)]).await?;
    place.store_is(STORE, "False", &WRONG_CA).await?;
    place.apply([holder(&place.stack.pki().ca()?)]).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    place.store_status_within(STORE, "True", &[], HEALED).await?;

    // A bundle with old and new is how a CA is rolled.
    place.apply([holder(&format!("{}{}", other_ca()?, place.stack.pki().ca()?))]).await?;
    place.store_is(STORE, "True", &[]).await?;
    place.write("db", json!({"password": "rotated"})).await?;
    place
        .patch::<external_secrets_rs::api::ExternalSecret>(
            "db",
            json!({"metadata": {"annotations": {"force-sync": "1"}}}),
        )
        .await?;
    place.holds("db", &[("password", "rotated")]).await?;

    place.apply([holder(&other_ca()?)]).await?;
    place.store_status_within(STORE, "False", &WRONG_CA, HEALED).await?;
    place.holds("db", &[("password", "rotated")]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ca_in_a_config_map_is_followed() -> Result {
    is_followed("tls-map", "ConfigMap", |ca| config_map("trust", json!({"ca.crt": ca}))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn ca_in_a_secret_is_followed() -> Result {
    is_followed("tls-secret", "Secret", |ca| secret("trust", &[("ca.crt", ca)])).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_config_map_without_the_key_is_told() -> Result {
    let (place, _operator) = place("tls-key").await?;
    let provider = json!({"type": "ConfigMap", "name": "trust", "key": "ca.crt"});
    place.apply([config_map("trust", json!({"ca.pem": "x"})), store(&place, json!({"caProvider": provider}))]).await?;
    place
        .store_is(STORE, "False", &["provider.vault.caProvider", "ConfigMap", "trust", "has no key \"ca.crt\""])
        .await?;
    let object = place.failed("db", &["has no key \"ca.crt\""]).await?;
    assert_eq!(stalled(&object), Some("InvalidSpec"));
    Ok(())
}

/// A TLS server before `upstream` that wants a client certificate of the stack's CA. One request a connection.
fn demanding(place: &Place, upstream: &str) -> Result<String> {
    let pki = place.stack.pki();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pki.ca()?.as_bytes())?)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let pair = pki.pair("server")?;
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes())?];
    let config = config
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(pair.key.as_bytes())?)?;
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0")?);
    let address = listener.local_addr()?;
    let upstream = upstream.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, upstream) = (Arc::clone(&config), upstream.clone());
            std::thread::spawn(move || drop(serve(stream, config, &upstream)));
        }
    });
    Ok(format!("https://{address}"))
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, upstream: &str) -> Result {
    let mut client = StreamOwned::new(ServerConnection::new(config)?, stream);
    let mut request = Vec::new();
    let mut byte = [0; 1];
    while !request.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let head = String::from_utf8(request)?;
    let lower = head.to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap_or("0").trim().parse()?;
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    client.write_all(&answer)?;
    client.conn.send_close_notify();
    client.flush()?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_client_certificate_is_shown_and_followed() -> Result {
    let (place, _operator) = place("tls-client").await?;
    let server = demanding(&place, &place.proxy.url())?;
    let fields = json!({"server": server, "caBundle": encoded(&place.stack.pki().ca()?)});
    place.apply([store(&place, fields.clone())]).await?;
    let words = ["no TLS connection to https://", "client certificate"];
    place.store_is(STORE, "False", &words).await?;
    place.failed("db", &words).await?;
    assert_eq!(place.proxy.requests().len(), 0, "{}", place.proxy.summary());

    let (own, other) =
        (place.stack.pki().issue_client("operator", &[])?, place.stack.pki().issue_client("operator", &[])?);
    let reference = |key: &str| json!({"name": "client", "key": key});
    let mut with_client = fields.clone();
    with_client["tls"] = json!({"certSecretRef": reference("tls.crt"), "keySecretRef": reference("tls.key")});
    // A certificate with another's key, as a rotation by halves leaves it.
    let halves = secret("client", &[("tls.crt", &own.certificate), ("tls.key", &other.key)]);
    place.apply([halves, store(&place, with_client)]).await?;
    place.store_is(STORE, "False", &["the client certificate and its key do not belong together"]).await?;

    place.apply([secret("client", &[("tls.crt", &own.certificate), ("tls.key", &own.key)])]).await?;
    place.holds_within("db", &[("password", "s3cret")], HEALED).await?;
    place.store_is(STORE, "True", &[]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn custom_headers_go_with_each_request() -> Result {
    let (place, _operator) = place("headers").await?;
    let headers = json!({"X-Team": "blue", "CF-Access-Client-Secret": "hidden-value"});
    let mut object = place.store(STORE);
    object["spec"]["provider"]["vault"]["headers"] = headers;
    place.apply([object.clone()]).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    let seen = place.proxy.requests();
    assert!(seen.len() >= 2, "{}", place.proxy.summary());
    for request in &seen {
        assert_eq!(request.header("x-team"), Some("blue"), "{} {}", request.method, request.path);
        assert_eq!(request.header("cf-access-client-secret"), Some("hidden-value"), "{}", request.path);
    }
    assert!(!_operator.log().contains("hidden-value"), "it may be a credential");

    // A changed one is another identity.
    object["spec"]["provider"]["vault"]["headers"] = json!({"X-Team": "green"});
    place.apply([object.clone()]).await?;
    place.revoked(1).await?;
    place.write("db", json!({"password": "rotated"})).await?;
    place
        .patch::<external_secrets_rs::api::ExternalSecret>(
            "db",
            json!({"metadata": {"annotations": {"force-sync": "1"}}}),
        )
        .await?;
    place.holds("db", &[("password", "rotated")]).await?;
    assert_eq!(place.proxy.requests().last().unwrap().header("x-team"), Some("green"));

    // Vault's own are not a store's to replace.
    object["spec"]["provider"]["vault"]["headers"] = json!({"X-Vault-Token": "s.theirs"});
    place.apply([object]).await?;
    place.store_is(STORE, "False", &["headers", "X-Vault-Token"]).await?;
    Ok(())
}

/// Vault Enterprise's: the state of the login goes along with reads, and a node that lags behind is asked again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_node_that_has_not_caught_up_is_asked_again() -> Result {
    let place = Place::new("behind").await?;
    place.write("db", json!({"password": "s3cret"})).await?;
    let behind = place.proxy.rule_times(
        2,
        |seen| seen.path.contains("/data/"),
        Action::refuse(412, "required index state not present"),
    );
    let mut object = place.store(STORE);
    let vault = &mut object["spec"]["provider"]["vault"];
    vault["readYourWrites"] = json!(true);
    vault["forwardInconsistent"] = json!(true);
    place.apply([place.credentials(), object, place.external("db", &[("password", "db#password")]).into()]).await?;
    let _operator = Operator::start(place.name()).await?;
    place.holds("db", &[("password", "s3cret")]).await?;
    let reads: Vec<_> = place.proxy.requests().into_iter().filter(|seen| seen.path.contains("/data/")).collect();
    assert_eq!(reads.len(), 3, "{}", place.proxy.summary());
    assert!(reads.iter().all(|seen| seen.header("x-vault-inconsistent") == Some("forward-active-node")));
    place.proxy.remove(behind);
    Ok(())
}
