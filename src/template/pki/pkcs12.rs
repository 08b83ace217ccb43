//! PKCS#12 files: a key and its certificates, or certificates to trust.
//!
//! What is made is deterministic: salts and IVs are derived from the content and the password, so an unchanged key gives an
//! unchanged file, and a refresh does not rewrite the Secret. Another content or password gives others.

use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::super::error::{Fault, failed};
use super::super::limits::Meter;
use super::certificate::subject_text;
use super::der::{self, Reader, context, element, oid, sequence, small};
use super::key::PrivateKey;
use super::oids;
use super::secret_box::{Hash, mac_data, mac_holds, open, seal, wide};

/// What a file holds.
pub(crate) struct Identity {
    pub(crate) key: PrivateKey,
    /// The key's own certificate first.
    pub(crate) certificates: Vec<Vec<u8>>,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    keys: Vec<Vec<u8>>,
    certificates: Vec<Vec<u8>>,
}

const MALFORMED: &str = "the PKCS#12 file is malformed";
const WRONG: &str = "the PKCS#12 file can't be opened: the password is wrong";

fn some<T>(value: Option<T>) -> Result<T, Fault> {
    value.map_or_else(|| failed(MALFORMED), Ok)
}

/// Opens a file that holds a key and its certificates.
pub(crate) fn read(meter: &mut Meter, file: &[u8], password: &str) -> Result<Identity, Fault> {
    let mut fields = some(Reader::new(file).enter(der::SEQUENCE))?;
    if fields.number() != Some(3) {
        return failed("expected a PKCS#12 file, in binary: decode it with b64dec if it is base64");
    }
    let mut outer = some(fields.enter(der::SEQUENCE))?;
    if outer.expect(der::OID) != Some(oids::DATA) {
        return failed("the PKCS#12 file is signed with a key, which isn't supported");
    }
    let content = some(outer.enter(context(0)).and_then(|mut inner| inner.expect(der::OCTETS)))?;
    let wide = verified(meter, fields, password, content)?;
    let mut safes = some(Reader::new(content).enter(der::SEQUENCE))?;
    let mut found = Found::default();
    while let Some(safe) = safes.next() {
        let bags = some_safe(meter, safe.body, password, &wide)?;
        let mut bags = some(Reader::new(&bags).enter(der::SEQUENCE))?;
        while let Some(bag) = bags.next() {
            found.bag(meter, bag.body, password, &wide)?;
        }
    }
    let key = match found.keys.as_slice() {
        [key] => PrivateKey::from_der(key),
        [] => return failed("the PKCS#12 file holds no private key"),
        _ => return failed("the PKCS#12 file holds several private keys"),
    };
    let Some(key) = key else {
        return failed("the PKCS#12 file's key is of a kind that isn't supported");
    };
    if found.certificates.is_empty() {
        return failed("the PKCS#12 file holds no certificate");
    }
    Ok(Identity { key, certificates: found.certificates })
}

/// Checks the MAC; gives the form of the password under which it is right. An empty password has two.
fn verified(meter: &mut Meter, mut fields: Reader<'_>, password: &str, content: &[u8]) -> Result<Vec<u8>, Fault> {
    let first = wide(password);
    let Some(data) = fields.expect(der::SEQUENCE) else {
        return Ok(first);
    };
    let forms = if password.is_empty() { vec![first, Vec::new()] } else { vec![first] };
    for form in forms {
        if some(mac_holds(meter, data, &form, content)?)? {
            return Ok(form);
        }
    }
    failed(WRONG)
}

/// The bags of a safe, opened if it is sealed.
fn some_safe(meter: &mut Meter, safe: &[u8], password: &str, wide: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut fields = Reader::new(safe);
    let id = some(fields.expect(der::OID))?;
    let mut content = some(fields.enter(context(0)))?;
    if id == oids::DATA {
        return Ok(some(content.expect(der::OCTETS))?.to_vec());
    }
    if id != oids::ENCRYPTED_DATA {
        return failed("the PKCS#12 file is sealed to a certificate, which isn't supported");
    }
    let mut encrypted = some(content.enter(der::SEQUENCE))?;
    some(encrypted.number())?;
    let mut info = some(encrypted.enter(der::SEQUENCE))?;
    some(info.expect(der::OID))?;
    let algorithm = some(info.expect(der::SEQUENCE))?;
    let sealed = some(info.expect(0x80))?;
    meter.memory(sealed.len())?;
    open(meter, algorithm, password, wide, sealed)?.map_or_else(|| failed(WRONG), Ok)
}

impl Found {
    fn bag(&mut self, meter: &mut Meter, bag: &[u8], password: &str, wide: &[u8]) -> Result<(), Fault> {
        let mut fields = Reader::new(bag);
        let id = some(fields.expect(der::OID))?;
        let mut value = some(fields.enter(context(0)))?;
        match id {
            oids::KEY_BAG => self.keys.push(some(value.next())?.whole.to_vec()),
            oids::SHROUDED_KEY_BAG => {
                let mut fields = some(value.enter(der::SEQUENCE))?;
                let algorithm = some(fields.expect(der::SEQUENCE))?;
                let sealed = some(fields.expect(der::OCTETS))?;
                match open(meter, algorithm, password, wide, sealed)? {
                    Some(key) => self.keys.push(key),
                    None => return failed(WRONG),
                }
            }
            oids::CERT_BAG => {
                let mut fields = some(value.enter(der::SEQUENCE))?;
                if fields.expect(der::OID) == Some(oids::X509_CERT) {
                    let certificate = some(fields.enter(context(0)).and_then(|mut inner| inner.expect(der::OCTETS)))?;
                    super::check_certificate(certificate)?;
                    self.certificates.push(certificate.to_vec());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Salts and IVs, each of its own, of what the file holds.
struct Salts {
    seed: Vec<u8>,
    count: u8,
}

impl Salts {
    fn new(password: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(&password.as_bytes()).chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self { seed: hash.finalize().to_vec(), count: 0 }
    }

    fn next(&mut self) -> [u8; 16] {
        self.count += 1;
        let mac = Hash::Sha256.mac(&self.seed, &[self.count]);
        mac.first_chunk().copied().unwrap_or_default()
    }
}

/// Makes a file of a key with its certificates or, without a key, of certificates to trust.
pub(crate) fn write(key: Option<&PrivateKey>, certificates: &[Vec<u8>], password: &str) -> Option<Vec<u8>> {
    let key = match key {
        Some(key) => Some(key.pkcs8()?),
        None => None,
    };
    let mut parts: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    parts.extend(key.as_deref());
    let mut salts = Salts::new(password, &parts);
    let id = certificates.first().map(|certificate| Sha1::digest(certificate).to_vec()).unwrap_or_default();
    let mark = element(der::SET, &[&attribute(oids::LOCAL_KEY_ID, &element(der::OCTETS, &[&id]))]);
    let bags: Vec<Vec<u8>> = certificates
        .iter()
        .enumerate()
        .map(|(n, certificate)| match (&key, n) {
            (Some(_), 0) => certificate_bag(certificate, &mark),
            (Some(_), _) => certificate_bag(certificate, &[]),
            (None, _) => certificate_bag(certificate, &trusted(certificate)),
        })
        .collect();
    let bags = sequence(&bags.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>());
    let (algorithm, sealed) = seal(password, &salts.next(), &salts.next(), &bags);
    let info = sequence(&[&oid(oids::DATA), &algorithm, &element(0x80, &[&sealed])]);
    let mut safes = sequence(&[&oid(oids::ENCRYPTED_DATA), &element(context(0), &[&sequence(&[&small(0), &info])])]);
    if let Some(key) = key {
        let (algorithm, sealed) = seal(password, &salts.next(), &salts.next(), &key);
        let shrouded = sequence(&[&algorithm, &element(der::OCTETS, &[&sealed])]);
        let bag = sequence(&[&oid(oids::SHROUDED_KEY_BAG), &element(context(0), &[&shrouded]), &mark]);
        safes.extend(data(&sequence(&[&bag])));
    }
    let content = sequence(&[&safes]);
    let mac = mac_data(&wide(password), &salts.next(), &content);
    Some(sequence(&[&small(3), &data(&content), &mac]))
}

fn data(content: &[u8]) -> Vec<u8> {
    sequence(&[&oid(oids::DATA), &element(context(0), &[&element(der::OCTETS, &[content])])])
}

fn attribute(id: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&oid(id), &element(der::SET, &[value])])
}

fn certificate_bag(certificate: &[u8], attributes: &[u8]) -> Vec<u8> {
    let inner = sequence(&[&oid(oids::X509_CERT), &element(context(0), &[&element(der::OCTETS, &[certificate])])]);
    sequence(&[&oid(oids::CERT_BAG), &element(context(0), &[&inner]), attributes])
}

/// The name and the mark by which Java takes a certificate for one to trust.
fn trusted(certificate: &[u8]) -> Vec<u8> {
    let name: Vec<u8> = subject_text(certificate).encode_utf16().flat_map(u16::to_be_bytes).collect();
    let name = attribute(oids::FRIENDLY_NAME, &element(der::BMP, &[&name]));
    let mark = attribute(oids::JAVA_TRUSTED, &oid(oids::ANY_EXT_KEY_USAGE));
    // DER sorts the elements of a set.
    let (first, second) = if name < mark { (name, mark) } else { (mark, name) };
    element(der::SET, &[&first, &second])
}
