//! Private keys, in the forms that Go reads and writes.

use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::signature::{SignatureEncoding, Signer};
use sha2::Sha256;

use super::super::error::{Fault, failed};
use super::der::{self, Reader, bits, element, integer, oid, sequence, small};
use super::{generator, oids, pem};

/// The curves that keys are on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    pub(super) fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => oids::P256,
            Self::P384 => oids::P384,
            Self::P521 => oids::P521,
        }
    }

    /// Bytes of a coordinate.
    pub(super) fn width(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// A private key.
pub(crate) enum PrivateKey {
    Rsa(Box<rsa::PrivateKey>),
    /// The secret number and the public point, uncompressed; the pair was checked.
    Ec(Curve, Vec<u8>, Vec<u8>),
    /// The seed.
    Ed25519([u8; 32]),
}

/// The public point of a secret number on a curve; none where it is no secret of that curve.
pub(super) fn public_point(curve: Curve, secret: &[u8]) -> Option<Vec<u8>> {
    Some(match curve {
        Curve::P256 => p256::SecretKey::from_slice(secret).ok()?.public_key().to_sec1_point(false).as_bytes().to_vec(),
        Curve::P384 => p384::SecretKey::from_slice(secret).ok()?.public_key().to_sec1_point(false).as_bytes().to_vec(),
        Curve::P521 => p521::SecretKey::from_slice(secret).ok()?.public_key().to_sec1_point(false).as_bytes().to_vec(),
    })
}

/// Whether a point, uncompressed, is on the curve.
pub(super) fn on_curve(curve: Curve, point: &[u8]) -> bool {
    match curve {
        Curve::P256 => p256::PublicKey::from_sec1_bytes(point).is_ok(),
        Curve::P384 => p384::PublicKey::from_sec1_bytes(point).is_ok(),
        Curve::P521 => p521::PublicKey::from_sec1_bytes(point).is_ok(),
    }
}

/// A public key as X.509 has it.
pub(super) fn ec_public(curve: Curve, point: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(&[&oid(oids::EC), &oid(curve.oid())]), &bits(point)])
}

pub(super) fn rsa_public(pkcs1: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(&[&oid(oids::RSA), &element(der::NULL, &[])]), &bits(pkcs1)])
}

impl PrivateKey {
    pub(crate) fn generate_rsa(size: usize) -> Result<Self, Fault> {
        match rsa::PrivateKey::new(&mut generator()?, size) {
            Ok(key) => Ok(Self::Rsa(Box::new(key))),
            Err(_) => failed("the RSA key can't be made"),
        }
    }

    pub(crate) fn generate_p256() -> Result<Self, Fault> {
        let secret = p256::SecretKey::generate_from_rng(&mut generator()?);
        let bytes = secret.to_bytes().to_vec();
        match Self::ec(Curve::P256, bytes) {
            Some(key) => Ok(key),
            None => failed("the key can't be made"),
        }
    }

    pub(crate) fn generate_ed25519() -> Result<Self, Fault> {
        let mut seed = [0; 32];
        super::super::functions::random::fill(&mut seed)?;
        Ok(Self::Ed25519(seed))
    }

    pub(super) fn ec(curve: Curve, secret: Vec<u8>) -> Option<Self> {
        let missing = curve.width().checked_sub(secret.len())?;
        let secret = [vec![0; missing], secret].concat();
        let point = public_point(curve, &secret)?;
        Some(Self::Ec(curve, secret, point))
    }

    /// Reads PKCS#1, PKCS#8 or SEC 1, whichever it is.
    pub(crate) fn from_der(bytes: &[u8]) -> Option<Self> {
        Self::from_pkcs1(bytes).or_else(|| Self::from_pkcs8(bytes)).or_else(|| Self::from_sec1(bytes, None))
    }

    fn from_pkcs1(bytes: &[u8]) -> Option<Self> {
        // Keys of more than 8192 bits would only cost time.
        if bytes.len() > 8192 {
            return None;
        }
        Some(Self::Rsa(Box::new(rsa::PrivateKey::from_pkcs1_der(bytes).ok()?)))
    }

    fn from_pkcs8(bytes: &[u8]) -> Option<Self> {
        let mut fields = Reader::new(bytes).enter(der::SEQUENCE)?;
        fields.number()?;
        let mut algorithm = fields.enter(der::SEQUENCE)?;
        let kind = algorithm.expect(der::OID)?;
        let inner = fields.expect(der::OCTETS)?;
        if kind == oids::RSA {
            Self::from_pkcs1(inner)
        } else if kind == oids::EC {
            let named = algorithm.expect(der::OID)?;
            Self::from_sec1(inner, Curve::ALL.into_iter().find(|curve| curve.oid() == named))
        } else if kind == oids::ED25519 {
            Some(Self::Ed25519(Reader::new(inner).expect(der::OCTETS)?.try_into().ok()?))
        } else {
            None
        }
    }

    fn from_sec1(bytes: &[u8], curve: Option<Curve>) -> Option<Self> {
        let mut fields = Reader::new(bytes).enter(der::SEQUENCE)?;
        fields.number().filter(|version| *version == 1)?;
        let secret = fields.expect(der::OCTETS)?;
        let named = fields.optional(der::context(0)).and_then(|params| Reader::new(params).expect(der::OID));
        let curve = curve.or_else(|| Curve::ALL.into_iter().find(|curve| Some(curve.oid()) == named))?;
        Self::ec(curve, secret.to_vec())
    }

    /// Reads the first PEM block by its type, as Sprig does.
    pub(crate) fn from_pem(text: &str) -> Result<Self, Fault> {
        let Some((block, _)) = pem::decode(text) else {
            return failed("expected a private key as PEM");
        };
        let key = match block.kind.as_str() {
            "PRIVATE KEY" => Self::from_pkcs8(&block.bytes),
            "RSA PRIVATE KEY" => Self::from_pkcs1(&block.bytes),
            "EC PRIVATE KEY" => Self::from_sec1(&block.bytes, None),
            "DSA PRIVATE KEY" => return failed("DSA keys are refused: use rsa, ecdsa or ed25519"),
            _ => return failed("the PEM block is no private key"),
        };
        key.map_or_else(|| failed("the private key is malformed, or of a kind that isn't supported"), Ok)
    }

    fn pkcs1(&self) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => Some(key.to_pkcs1_der().ok()?.as_bytes().to_vec()),
            _ => None,
        }
    }

    fn sec1(curve: Curve, secret: &[u8], point: &[u8], named: bool) -> Vec<u8> {
        let params = if named { element(der::context(0), &[&oid(curve.oid())]) } else { Vec::new() };
        sequence(&[&small(1), &element(der::OCTETS, &[secret]), &params, &element(der::context(1), &[&bits(point)])])
    }

    /// As PKCS#8.
    pub(crate) fn pkcs8(&self) -> Option<Vec<u8>> {
        let (algorithm, inner) = match self {
            Self::Rsa(_) => (sequence(&[&oid(oids::RSA), &element(der::NULL, &[])]), self.pkcs1()?),
            Self::Ec(curve, secret, point) => {
                (sequence(&[&oid(oids::EC), &oid(curve.oid())]), Self::sec1(*curve, secret, point, false))
            }
            Self::Ed25519(seed) => (sequence(&[&oid(oids::ED25519)]), element(der::OCTETS, &[seed])),
        };
        Some(sequence(&[&small(0), &algorithm, &element(der::OCTETS, &[&inner])]))
    }

    /// As PEM in the form that is the key's own: `RSA PRIVATE KEY`, `EC PRIVATE KEY`, else PKCS#8.
    pub(crate) fn own_pem(&self) -> Option<String> {
        let (kind, bytes) = match self {
            Self::Rsa(_) => ("RSA PRIVATE KEY", self.pkcs1()?),
            Self::Ec(curve, secret, point) => ("EC PRIVATE KEY", Self::sec1(*curve, secret, point, true)),
            Self::Ed25519(_) => ("PRIVATE KEY", self.pkcs8()?),
        };
        Some(pem::Block::new(kind, bytes).encode())
    }

    /// The public key as X.509 has it.
    pub(crate) fn public(&self) -> Option<Vec<u8>> {
        Some(match self {
            Self::Rsa(key) => rsa_public(key.to_public_key().to_pkcs1_der().ok()?.as_bytes()),
            Self::Ec(curve, _, point) => ec_public(*curve, point),
            Self::Ed25519(seed) => {
                let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key().to_bytes();
                sequence(&[&sequence(&[&oid(oids::ED25519)]), &bits(&public)])
            }
        })
    }

    /// Signs as a certificate is signed: the algorithm's identifier and the signature.
    pub(super) fn sign(&self, message: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        Some(match self {
            Self::Rsa(key) => {
                let signer = rsa::pkcs1v15::SigningKey::<Sha256>::new((**key).clone());
                (sequence(&[&oid(oids::RSA_SHA256), &element(der::NULL, &[])]), signer.try_sign(message).ok()?.to_vec())
            }
            Self::Ec(Curve::P256, secret, _) => {
                let signature: p256::ecdsa::DerSignature =
                    p256::ecdsa::SigningKey::from_slice(secret).ok()?.try_sign(message).ok()?;
                (sequence(&[&oid(oids::ECDSA_SHA256)]), signature.as_bytes().to_vec())
            }
            Self::Ec(Curve::P384, secret, _) => {
                let signature: p384::ecdsa::DerSignature =
                    p384::ecdsa::SigningKey::from_slice(secret).ok()?.try_sign(message).ok()?;
                (sequence(&[&oid(oids::ECDSA_SHA384)]), signature.as_bytes().to_vec())
            }
            Self::Ec(Curve::P521, secret, _) => {
                let signature: p521::ecdsa::DerSignature =
                    p521::ecdsa::SigningKey::from_slice(secret).ok()?.try_sign(message).ok()?;
                (sequence(&[&oid(oids::ECDSA_SHA512)]), signature.as_bytes().to_vec())
            }
            Self::Ed25519(seed) => {
                use ed25519_dalek::Signer;
                let signature = ed25519_dalek::SigningKey::from_bytes(seed).sign(message);
                (sequence(&[&oid(oids::ED25519)]), signature.to_bytes().to_vec())
            }
        })
    }
}

/// An RSA key of the numbers that a JWK holds.
pub(super) fn rsa_from_numbers(n: &[u8], e: &[u8], d: &[u8], primes: &[&[u8]]) -> Option<PrivateKey> {
    let number = |bytes: &[u8]| rsa::BoxedUint::from_be_slice_vartime(bytes);
    if [n, e, d].iter().chain(primes).any(|number| number.len() > 1024) {
        return None;
    }
    let key = rsa::PrivateKey::from_components(
        number(n),
        number(e),
        number(d),
        primes.iter().map(|prime| number(prime)).collect(),
    )
    .ok()?;
    Some(PrivateKey::Rsa(Box::new(key)))
}

/// A public RSA key of its numbers, in PKCS#1.
pub(super) fn rsa_numbers(n: &[u8], e: &[u8]) -> Vec<u8> {
    sequence(&[&integer(n), &integer(e)])
}
