//! JSON Web Keys as PEM.

use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::super::error::{Fault, failed};
use super::super::value::{Map, Value};
use super::der::{bits, element, oid, sequence, small};
use super::key::{Curve, PrivateKey, ec_public, on_curve, rsa_from_numbers, rsa_numbers, rsa_public};
use super::{der, oids, to_pem};

/// A field of a key, by base64url.
fn bytes(jwk: &Map<'_>, name: &str) -> Option<Vec<u8>> {
    match jwk.get(name.as_bytes())? {
        Value::Str(text) => URL_SAFE_NO_PAD.decode(&*text).ok(),
        _ => None,
    }
}

fn word(jwk: &Map<'_>, name: &str) -> String {
    match jwk.get(name.as_bytes()) {
        Some(Value::Str(text)) => text.text().into_owned(),
        _ => String::new(),
    }
}

fn curve(jwk: &Map<'_>) -> Option<Curve> {
    match word(jwk, "crv").as_str() {
        "P-256" => Some(Curve::P256),
        "P-384" => Some(Curve::P384),
        "P-521" => Some(Curve::P521),
        _ => None,
    }
}

const MALFORMED: &str =
    "the JWK is malformed, or of a kind that isn't supported; expected kty RSA, EC or OKP with its numbers";

/// The public key as PEM, of a JWK that is public.
pub(crate) fn public_pem(jwk: &Rc<Map<'_>>) -> Result<String, Fault> {
    if jwk.get(b"d").is_some() {
        return failed("the JWK is a private key; expected a public one");
    }
    match public(jwk) {
        Some(key) => Ok(to_pem("PUBLIC KEY", key)),
        None => failed(MALFORMED),
    }
}

fn public(jwk: &Map<'_>) -> Option<Vec<u8>> {
    match word(jwk, "kty").as_str() {
        "RSA" => Some(rsa_public(&rsa_numbers(&bytes(jwk, "n")?, &bytes(jwk, "e")?))),
        "EC" => {
            let (curve, x, y) = (curve(jwk)?, bytes(jwk, "x")?, bytes(jwk, "y")?);
            let padded = |number: Vec<u8>| Some([vec![0; curve.width().checked_sub(number.len())?], number].concat());
            let point = [vec![4], padded(x)?, padded(y)?].concat();
            on_curve(curve, &point).then(|| ec_public(curve, &point))
        }
        "OKP" => Some(sequence(&[&sequence(&[&oid(okp(jwk)?)]), &bits(&bytes(jwk, "x").filter(|x| x.len() == 32)?)])),
        _ => None,
    }
}

fn okp(jwk: &Map<'_>) -> Option<&'static [u8]> {
    match word(jwk, "crv").as_str() {
        "Ed25519" => Some(oids::ED25519),
        "X25519" => Some(oids::X25519),
        _ => None,
    }
}

/// The private key as PEM in PKCS#8, of a JWK that is private.
pub(crate) fn private_pem(jwk: &Rc<Map<'_>>) -> Result<String, Fault> {
    if jwk.get(b"d").is_none() {
        return failed("the JWK is no private key: it has no \"d\"");
    }
    match private(jwk) {
        Some(key) => Ok(to_pem("PRIVATE KEY", key)),
        None => failed(MALFORMED),
    }
}

fn private(jwk: &Map<'_>) -> Option<Vec<u8>> {
    let d = bytes(jwk, "d")?;
    match word(jwk, "kty").as_str() {
        "RSA" => {
            let (p, q) = (bytes(jwk, "p")?, bytes(jwk, "q")?);
            rsa_from_numbers(&bytes(jwk, "n")?, &bytes(jwk, "e")?, &d, &[&p, &q])?.pkcs8()
        }
        "EC" => PrivateKey::ec(curve(jwk)?, d)?.pkcs8(),
        "OKP" if d.len() == 32 => Some(sequence(&[
            &small(0),
            &sequence(&[&oid(okp(jwk)?)]),
            &element(der::OCTETS, &[&element(der::OCTETS, &[&d])]),
        ])),
        _ => None,
    }
}
