//! Whom a connection trusts, what it presents, and what a failed handshake means.

use std::error::Error;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use secrecy::ExposeSecret;

use super::connection::{ClientIdentity, Connection};
use super::error::{ErrorKind, VaultError};

/// The TLS side of a connection. Names its crypto provider itself, so that nothing depends on a process-wide default.
pub(super) fn client_config(connection: &Connection) -> Result<ClientConfig, VaultError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = match &connection.ca_bundle {
        Some(pem) => Arc::new(bundle(pem)?),
        // Never needed: a redirect to another scheme is not followed. The system's take half a megabyte to read.
        None if connection.server.starts_with("http:") => Arc::new(RootCertStore::empty()),
        None => system_roots(),
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(format!("TLS can't be set up: {error}")))?;
    let builder = match roots.is_empty() {
        true => builder.with_root_certificates(roots),
        false => {
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
            builder
                .with_webpki_verifier(verifier.map_err(|error| bad(format!("the CA bundle can't be used: {error}")))?)
        }
    };
    match &connection.client_identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => {
            let (chain, key) = identity_parts(identity)?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|_| bad("the client certificate and its key do not belong together; issue both anew"))
        }
    }
}

fn bundle(pem: &[u8]) -> Result<RootCertStore, VaultError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate
            .map_err(|_| bad("the CA bundle is not PEM; it must hold `-----BEGIN CERTIFICATE-----` blocks"))?;
        roots.add(certificate).map_err(|_| bad("a certificate in the CA bundle can't be read as X.509"))?;
    }
    if roots.is_empty() {
        return Err(bad("the CA bundle holds no certificate; it must hold `-----BEGIN CERTIFICATE-----` blocks"));
    }
    Ok(roots)
}

/// Read once: they come with the image and do not change under a running process.
fn system_roots() -> Arc<RootCertStore> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let load = || {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    Arc::clone(ROOTS.get_or_init(load))
}

fn identity_parts(
    identity: &ClientIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), VaultError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&identity.cert_pem).collect();
    let chain = chain.map_err(|_| bad("the client certificate is not PEM"))?;
    if chain.is_empty() {
        return Err(bad("the client certificate holds no `-----BEGIN CERTIFICATE-----` block"));
    }
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.expose_secret().as_bytes());
    let key = key.map_err(|_| {
        bad("the client certificate's key is not a PEM private key (PKCS#8, PKCS#1 or SEC1, not encrypted)")
    })?;
    Ok((chain, key))
}

fn bad(problem: impl Into<String>) -> VaultError {
    ErrorKind::BadConnection { problem: problem.into() }.into()
}

/// What a failed request says about TLS: what is wrong and what to do; `None` where TLS was not the trouble.
pub(super) fn trouble(error: &(dyn Error + 'static)) -> Option<String> {
    find_rustls(error).map(|error| advice(error).to_owned())
}

fn find_rustls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // An io::Error names as its source the source of what it wraps, not that itself.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

fn advice(error: &rustls::Error) -> &'static str {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => {
                "its certificate is signed by an unknown CA; give the CA in the store's caBundle or caProvider"
            }
            CertificateError::BadSignature => {
                "its certificate names a CA that the store's caBundle or caProvider has, but is signed with another key; give the CA that signed it"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired; renew it"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet; check the clocks"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name than the one in `server`; use a name that the certificate has"
            }
            CertificateError::Revoked => "its certificate was revoked; renew it",
            _ => "its certificate is not acceptable; check it and the store's caBundle",
        },
        E::AlertReceived(_) => {
            "the server broke the handshake off; if it asks for a client certificate, give one in the store's tls or auth.cert"
        }
        E::InvalidMessage(_) => "what answers there does not speak TLS; use http:// if that is meant",
        E::PeerIncompatible(_) => "the server offers no TLS version or cipher in common (TLS 1.2 or newer is needed)",
        _ => "the handshake failed; check the server's certificate and the store's caBundle",
    }
}
