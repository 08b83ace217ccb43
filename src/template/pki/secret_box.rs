//! What PKCS#12 is sealed with: keys derived from passwords, ciphers, and the MAC.
//!
//! New files are sealed with PBES2 (PBKDF2 with HMAC-SHA-256, AES-256-CBC) only; the old RC2 and triple DES are opened still.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use cbc::{Decryptor, Encryptor};
use des::TdesEde3;
use hmac::{Hmac, KeyInit, Mac};
use rc2::Rc2;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::super::error::{Fault, failed};
use super::super::limits::Meter;
use super::der::{self, Reader, element, oid, sequence, small};
use super::oids;

/// Rounds of key derivation in what we make: what OpenSSL and Go take.
pub(super) const ROUNDS: u32 = 2048;
/// The most rounds that a file may ask for.
const MOST_ROUNDS: u64 = 5_000_000;

/// The hashes that files name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn of_digest(id: &[u8]) -> Option<Self> {
        match id {
            oids::SHA1 => Some(Self::Sha1),
            oids::SHA256 => Some(Self::Sha256),
            oids::SHA384 => Some(Self::Sha384),
            oids::SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    fn of_hmac(id: &[u8]) -> Option<Self> {
        match id {
            oids::HMAC_SHA1 => Some(Self::Sha1),
            oids::HMAC_SHA256 => Some(Self::Sha256),
            oids::HMAC_SHA384 => Some(Self::Sha384),
            oids::HMAC_SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Bytes of a block, which the derivation of RFC 7292 works in.
    fn block(self) -> usize {
        if self.length() > 32 { 128 } else { 64 }
    }

    pub(super) fn mac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        fn run<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
            <M as KeyInit>::new_from_slice(key)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        }
        match self {
            Self::Sha1 => run::<Hmac<Sha1>>(key, message),
            Self::Sha256 => run::<Hmac<Sha256>>(key, message),
            Self::Sha384 => run::<Hmac<Sha384>>(key, message),
            Self::Sha512 => run::<Hmac<Sha512>>(key, message),
        }
    }

    fn pbkdf2(self, password: &[u8], salt: &[u8], rounds: u32, key: &mut [u8]) {
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, rounds, key),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, key),
            Self::Sha384 => pbkdf2::pbkdf2_hmac::<Sha384>(password, salt, rounds, key),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, rounds, key),
        }
    }
}

/// What a derived key is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Cipher = 1,
    Iv = 2,
    Mac = 3,
}

/// RFC 7292, appendix B.2.
pub(super) fn derive(
    hash: Hash,
    password: &[u8],
    salt: &[u8],
    rounds: u32,
    purpose: Purpose,
    length: usize,
) -> Vec<u8> {
    let block = hash.block();
    let filled = |bytes: &[u8]| -> Vec<u8> {
        bytes
            .iter()
            .copied()
            .cycle()
            .take(if bytes.is_empty() { 0 } else { block * bytes.len().div_ceil(block) })
            .collect()
    };
    let mut input = [filled(salt), filled(password)].concat();
    let diversifier = vec![purpose as u8; block];
    let mut out = Vec::new();
    while out.len() < length {
        let mut a = hash.digest(&[&diversifier[..], &input].concat());
        for _ in 1..rounds {
            a = hash.digest(&a);
        }
        let b: Vec<u8> = a.iter().copied().cycle().take(block).collect();
        for part in input.chunks_mut(block) {
            // Adds b and one, as big numbers.
            let mut carry = 1u16;
            for (byte, add) in part.iter_mut().zip(&b).rev() {
                let sum = u16::from(*byte) + u16::from(*add) + carry;
                *byte = (sum & 0xff) as u8;
                carry = sum >> 8;
            }
        }
        out.extend(a);
    }
    out.truncate(length);
    out
}

/// A password as RFC 7292 wants it: UTF-16, big-endian, and two zero bytes.
pub(super) fn wide(password: &str) -> Vec<u8> {
    password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect()
}

/// Rounds that a file asks for; they are paid for in steps.
fn rounds(meter: &mut Meter, asked: u64) -> Result<u32, Fault> {
    if asked == 0 || asked > MOST_ROUNDS {
        return failed("the PKCS#12 file asks for too many rounds of key derivation");
    }
    meter.step(asked / 8)?;
    Ok(u32::try_from(asked).unwrap_or(1))
}

/// Opens what is sealed under an algorithm; `wide` is the password as old files have it. None where it does not open.
pub(super) fn open(
    meter: &mut Meter,
    algorithm: &[u8],
    password: &str,
    wide: &[u8],
    sealed: &[u8],
) -> Result<Option<Vec<u8>>, Fault> {
    let mut fields = Reader::new(algorithm);
    let (Some(id), Some(mut params)) = (fields.expect(der::OID), fields.enter(der::SEQUENCE)) else {
        return Ok(None);
    };
    if id == oids::PBES2 {
        return open_pbes2(meter, params, password, sealed);
    }
    let (Some(salt), Some(asked)) = (params.expect(der::OCTETS), params.number()) else {
        return Ok(None);
    };
    let rounds = rounds(meter, asked)?;
    let key = |length| derive(Hash::Sha1, wide, salt, rounds, Purpose::Cipher, length);
    let iv = derive(Hash::Sha1, wide, salt, rounds, Purpose::Iv, 8);
    Ok(match id {
        oids::PBE_3DES => decrypt::<Decryptor<TdesEde3>>(&key(24), &iv, sealed),
        oids::PBE_RC2_128 => rc2(&key(16), 128, &iv, sealed),
        oids::PBE_RC2_40 => rc2(&key(5), 40, &iv, sealed),
        _ => return failed("the PKCS#12 file is sealed in a way that isn't supported"),
    })
}

fn rc2(key: &[u8], bits: usize, iv: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = Decryptor::<Rc2>::inner_iv_slice_init(Rc2::new_with_eff_key_len(key, bits), iv).ok()?;
    cipher.decrypt_padded_vec::<Pkcs7>(sealed).ok()
}

fn decrypt<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    C::new_from_slices(key, iv).ok()?.decrypt_padded_vec::<Pkcs7>(sealed).ok()
}

/// PBKDF2's parameters: salt, rounds, hash; its key's length is the cipher's.
fn pbkdf2_params<'d>(mut kdf: Reader<'d>) -> Option<(&'d [u8], u64, Hash)> {
    kdf.expect(der::OID).filter(|id| *id == oids::PBKDF2)?;
    let mut params = kdf.enter(der::SEQUENCE)?;
    let (salt, asked) = (params.expect(der::OCTETS)?, params.number()?);
    params.optional(der::INTEGER);
    let hash = match params.enter(der::SEQUENCE) {
        Some(mut prf) => Hash::of_hmac(prf.expect(der::OID)?)?,
        None => Hash::Sha1,
    };
    Some((salt, asked, hash))
}

fn open_pbes2(
    meter: &mut Meter,
    mut params: Reader<'_>,
    password: &str,
    sealed: &[u8],
) -> Result<Option<Vec<u8>>, Fault> {
    let Some((salt, asked, hash)) = params.enter(der::SEQUENCE).and_then(pbkdf2_params) else {
        return failed("the PKCS#12 file is sealed in a way that isn't supported");
    };
    let rounds = rounds(meter, asked)?;
    let Some((id, iv)) = params
        .enter(der::SEQUENCE)
        .and_then(|mut cipher| Some((cipher.expect(der::OID)?, cipher.expect(der::OCTETS)?)))
    else {
        return Ok(None);
    };
    let mut key = [0; 32];
    let length = match id {
        oids::AES128_CBC => 16,
        oids::AES192_CBC | oids::DES3_CBC => 24,
        oids::AES256_CBC => 32,
        _ => return failed("the PKCS#12 file is sealed in a way that isn't supported"),
    };
    let key = key.get_mut(..length).unwrap_or_default();
    hash.pbkdf2(password.as_bytes(), salt, rounds, key);
    Ok(match id {
        oids::AES128_CBC => decrypt::<Decryptor<Aes128>>(key, iv, sealed),
        oids::AES192_CBC => decrypt::<Decryptor<Aes192>>(key, iv, sealed),
        oids::DES3_CBC => decrypt::<Decryptor<TdesEde3>>(key, iv, sealed),
        _ => decrypt::<Decryptor<Aes256>>(key, iv, sealed),
    })
}

/// Seals with PBES2: the algorithm's identifier and the ciphertext.
pub(super) fn seal(password: &str, salt: &[u8; 16], iv: &[u8; 16], plain: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut key = [0; 32];
    Hash::Sha256.pbkdf2(password.as_bytes(), salt, ROUNDS, &mut key);
    let sealed = Encryptor::<Aes256>::new(&key.into(), &(*iv).into()).encrypt_padded_vec::<Pkcs7>(plain);
    let prf = sequence(&[&oid(oids::HMAC_SHA256), &element(der::NULL, &[])]);
    let kdf = sequence(&[&oid(oids::PBKDF2), &sequence(&[&element(der::OCTETS, &[salt]), &small(ROUNDS), &prf])]);
    let cipher = sequence(&[&oid(oids::AES256_CBC), &element(der::OCTETS, &[iv])]);
    (sequence(&[&oid(oids::PBES2), &sequence(&[&kdf, &cipher])]), sealed)
}

/// Whether the MAC that a file holds is that of its content; none where it is malformed.
pub(super) fn mac_holds(meter: &mut Meter, data: &[u8], wide: &[u8], content: &[u8]) -> Result<Option<bool>, Fault> {
    let mut fields = Reader::new(data);
    let parsed = fields.enter(der::SEQUENCE).and_then(|mut info| {
        let id = info.enter(der::SEQUENCE)?.expect(der::OID)?;
        Some((Hash::of_digest(id)?, info.expect(der::OCTETS)?))
    });
    let Some((hash, held)) = parsed else {
        return failed("the PKCS#12 file has a MAC that isn't supported");
    };
    let Some(salt) = fields.expect(der::OCTETS) else {
        return Ok(None);
    };
    let asked = if fields.is_empty() { 1 } else { fields.number().unwrap_or(0) };
    let rounds = rounds(meter, asked)?;
    let key = derive(hash, wide, salt, rounds, Purpose::Mac, hash.length());
    Ok(Some(hash.mac(&key, content) == held))
}

/// MacData with HMAC-SHA-256.
pub(super) fn mac_data(wide: &[u8], salt: &[u8; 16], content: &[u8]) -> Vec<u8> {
    let key = derive(Hash::Sha256, wide, salt, ROUNDS, Purpose::Mac, 32);
    let mac = Hash::Sha256.mac(&key, content);
    let algorithm = sequence(&[&oid(oids::SHA256), &element(der::NULL, &[])]);
    sequence(&[
        &sequence(&[&algorithm, &element(der::OCTETS, &[&mac])]),
        &element(der::OCTETS, &[salt]),
        &small(ROUNDS),
    ])
}
