//! Keys, certificates, JWKs and PKCS#12: what templates make of them, on bytes.
//!
//! Nothing here decides on trust: chains are put in order by their key identifiers and no signature is checked, as in ESO.

mod certificate;
mod der;
mod issue;
mod jwk;
mod key;
mod oids;
mod pem;
mod pkcs12;
mod secret_box;

pub(crate) use certificate::{check as check_certificate, filter_chain, filter_pem, ordered_chain, sans};
pub(crate) use issue::{Request, issue};
pub(crate) use jwk::{private_pem, public_pem};
pub(crate) use key::PrivateKey;
pub(crate) use pkcs12::{Identity, read as read_pkcs12, write as write_pkcs12};

/// A generator for the keys that are made, seeded by the system's.
pub(crate) fn generator() -> Result<chacha20::ChaCha20Rng, super::error::Fault> {
    use chacha20::rand_core::SeedableRng;
    let mut seed = [0; 32];
    super::functions::random::fill(&mut seed)?;
    Ok(chacha20::ChaCha20Rng::from_seed(seed))
}

/// The first PEM block's bytes, of whatever type.
pub(crate) fn first_block(text: &str) -> Option<(Vec<u8>, &str)> {
    pem::decode(text).map(|(block, rest)| (block.bytes, rest))
}

/// Bytes as a block of PEM.
pub(crate) fn to_pem(kind: &str, bytes: Vec<u8>) -> String {
    pem::Block::new(kind, bytes).encode()
}
