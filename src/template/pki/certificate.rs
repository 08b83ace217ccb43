//! Certificates read: their alternative names, and the order of a chain.

use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName, SubjectKeyIdentifier};

use super::super::error::{Fault, failed};
use super::pem::{self, Block};

/// A certificate, and what its place in a chain depends on.
struct Link {
    der: Vec<u8>,
    subject_key: Vec<u8>,
    authority_key: Option<Vec<u8>>,
}

fn parse(der: &[u8]) -> Result<Certificate, Fault> {
    Certificate::from_der(der).map_or_else(|_| failed("the certificate is malformed"), Ok)
}

/// What an issuer's certificate tells of it.
pub(crate) struct Issuer {
    /// Its name, in DER.
    pub(crate) subject: Vec<u8>,
    /// Its subject key identifier; empty where it has none.
    pub(crate) key_id: Vec<u8>,
    /// Its public key, in DER.
    pub(crate) public_key: Vec<u8>,
}

/// Fails where `der` is no certificate.
pub(crate) fn check(der: &[u8]) -> Result<Issuer, Fault> {
    let certificate = parse(der)?;
    let body = certificate.tbs_certificate();
    Ok(Issuer {
        subject: body.subject().to_der().unwrap_or_default(),
        key_id: subject_key(&certificate),
        public_key: body.subject_public_key_info().to_der().unwrap_or_default(),
    })
}

/// The subject as text, such as `CN=root,O=Example`.
pub(super) fn subject_text(der: &[u8]) -> String {
    Certificate::from_der(der)
        .map(|certificate| certificate.tbs_certificate().subject().to_string())
        .unwrap_or_default()
}

fn subject_key(certificate: &Certificate) -> Vec<u8> {
    match certificate.tbs_certificate().get_extension::<SubjectKeyIdentifier>() {
        Ok(Some((_, id))) => id.0.as_bytes().to_vec(),
        _ => Vec::new(),
    }
}

impl Link {
    fn new(der: Vec<u8>) -> Result<Self, Fault> {
        let certificate = parse(&der)?;
        let authority_key = match certificate.tbs_certificate().get_extension::<AuthorityKeyIdentifier>() {
            Ok(Some((_, id))) => id.key_identifier.map(|id| id.as_bytes().to_vec()),
            _ => None,
        };
        Ok(Self { subject_key: subject_key(&certificate), authority_key, der })
    }

    fn is_root(&self) -> bool {
        self.authority_key.as_ref().is_none_or(|key| *key == self.subject_key)
    }

    fn pem(&self) -> String {
        Block::new("CERTIFICATE", self.der.clone()).encode()
    }
}

/// The chain from the leaf on, ordered by key identifiers.
fn chain(text: &str) -> Result<Vec<Link>, Fault> {
    let mut links = Vec::new();
    let mut rest = text;
    while let Some((block, after)) = pem::decode(rest) {
        links.push(Link::new(block.bytes)?);
        rest = after;
    }
    if links.len() > 100 {
        return failed("expected at most 100 certificates");
    }
    let issuer = |n: usize, link: &Link| {
        // A certificate that names no authority has none here; ESO takes one without an identifier for it.
        let key = link.authority_key.as_ref()?;
        links.iter().enumerate().position(|(other, issuer)| other != n && issuer.subject_key == *key)
    };
    let parents: Vec<Option<usize>> = links.iter().enumerate().map(|(n, link)| issuer(n, link)).collect();
    let mut leaves = (0..links.len()).filter(|n| !parents.contains(&Some(*n)));
    let (leaf, second) = (leaves.next(), leaves.next());
    if second.is_some() {
        return failed("the certificates are no single chain: there are several leaves");
    }
    let Some(leaf) = leaf else {
        return failed("there is no leaf certificate");
    };
    let mut order = vec![leaf];
    while let Some(Some(next)) = order.last().and_then(|n| parents.get(*n)) {
        if order.contains(next) {
            return failed("the certificates form a circle");
        }
        order.push(*next);
    }
    let mut links: Vec<Option<Link>> = links.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|n| links.get_mut(n).and_then(Option::take)).collect())
}

/// PEM of certificates in the order of their chain; as they came where they are no single chain.
pub(crate) fn ordered_chain(certificates: &[Vec<u8>]) -> String {
    let unordered: String = certificates.iter().map(|der| Block::new("CERTIFICATE", der.clone()).encode()).collect();
    match chain(&unordered) {
        Ok(links) => links.iter().map(Link::pem).collect(),
        Err(_) => unordered,
    }
}

/// The part of a chain: `leaf`, `intermediate` or `root`; nothing where there is none.
pub(crate) fn filter_chain(part: &str, text: &str) -> Result<String, Fault> {
    let links = chain(text)?;
    Ok(match part {
        "leaf" => links.first().filter(|link| !link.is_root()).map(Link::pem).unwrap_or_default(),
        "intermediate" => links.iter().skip(1).take_while(|link| !link.is_root()).map(Link::pem).collect(),
        "root" => links.last().filter(|link| link.is_root()).map(Link::pem).unwrap_or_default(),
        _ => String::new(),
    })
}

/// What stands before the first block is dropped.
fn from_first_block(text: &str) -> &str {
    text.find("-----BEGIN").and_then(|at| text.get(at..)).unwrap_or(text)
}

/// All blocks of a type, whatever its case.
pub(crate) fn filter_pem(kind: &str, text: &str) -> Result<String, Fault> {
    let mut rest = from_first_block(text);
    let mut found = String::new();
    while let Some((block, after)) = pem::decode(rest) {
        if block.kind.eq_ignore_ascii_case(kind) {
            found.push_str(&block.encode());
        }
        rest = after;
    }
    if found.is_empty() && !rest.is_empty() {
        return failed("there is text that is no PEM, and no block of that type");
    }
    Ok(found)
}

/// The alternative names of the first certificate: DNS names, addresses, mail addresses, URIs.
pub(crate) fn sans(text: &str) -> Result<Vec<String>, Fault> {
    let Some((block, _)) = pem::decode(from_first_block(text)) else {
        return failed("expected a certificate as PEM");
    };
    let certificate = parse(&block.bytes)?;
    let names = match certificate.tbs_certificate().get_extension::<SubjectAltName>() {
        Ok(Some((_, names))) => names.0,
        Ok(None) => Vec::new(),
        Err(_) => return failed("the certificate's alternative names are malformed"),
    };
    let (mut dns, mut addresses, mut mail, mut uris) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for name in names {
        match name {
            GeneralName::DnsName(name) => dns.push(name.as_str().to_owned()),
            GeneralName::Rfc822Name(name) => mail.push(name.as_str().to_owned()),
            GeneralName::UniformResourceIdentifier(uri) => uris.push(uri.as_str().to_owned()),
            GeneralName::IpAddress(bytes) => addresses.extend(address(bytes.as_bytes())),
            _ => {}
        }
    }
    Ok([dns, addresses, mail, uris].concat())
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string())
}
